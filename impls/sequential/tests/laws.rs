//! `sequential` keeps the laws of every strategy.

harness::laws!(sequential::Sequential, does_not_balance);

harness::plain_laws!(at_once: One, does_not_balance);
