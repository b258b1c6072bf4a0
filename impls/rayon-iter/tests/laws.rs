//! `rayon-iter` keeps the laws of every strategy.

harness::laws!(rayon_iter::RayonIter);

harness::plain_laws!(at_once: Workers);
