//! `sequential` keeps the laws of every strategy.

harness::laws!(sequential::Sequential);
