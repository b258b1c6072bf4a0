//! `crossbeam-scoped` keeps the laws of every strategy.

harness::laws!(crossbeam_scoped::CrossbeamScoped);
