//! `std-counter` keeps the laws of every strategy.

harness::laws!(std_counter::StdCounter);

harness::plain_laws!(at_once: Workers);
