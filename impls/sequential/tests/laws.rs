//! `sequential` keeps the laws of every strategy.

harness::laws!(sequential::Sequential, does_not_balance);
