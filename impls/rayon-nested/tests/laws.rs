//! `rayon-nested` keeps the laws of every strategy.

harness::laws!(rayon_nested::RayonNested, does_not_balance);

harness::plain_laws!(at_once: One, does_not_balance);
