//! `global-lock` keeps the laws of every strategy.

harness::laws!(global_lock::GlobalLock, does_not_balance);

harness::plain_laws!(at_once: One, does_not_balance);
