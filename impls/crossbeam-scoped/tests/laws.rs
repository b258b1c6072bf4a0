//! `crossbeam-scoped` keeps the laws of every strategy.

harness::laws!(crossbeam_scoped::CrossbeamScoped);

harness::plain_laws!(at_once: Workers);
