//! `global-lock` keeps the laws of every strategy.

harness::laws!(global_lock::GlobalLock, does_not_balance);
