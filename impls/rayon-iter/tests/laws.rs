//! `rayon-iter` keeps the laws of every strategy.

harness::laws!(rayon_iter::RayonIter);
