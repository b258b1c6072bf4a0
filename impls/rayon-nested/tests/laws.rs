//! `rayon-nested` keeps the laws of every strategy.

harness::laws!(rayon_nested::RayonNested);

harness::plain_laws!(at_once: Workers);
