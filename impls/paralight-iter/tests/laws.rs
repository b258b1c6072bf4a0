//! `paralight-iter` keeps the laws of every strategy.

harness::laws!(paralight_iter::ParalightIter);

harness::plain_laws!(at_once: Workers);
