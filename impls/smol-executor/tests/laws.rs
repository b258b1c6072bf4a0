//! `smol-executor` keeps the laws of every strategy.

harness::laws!(smol_executor::SmolExecutor);

harness::plain_laws!(at_once: Workers);
