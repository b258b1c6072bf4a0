//! `orx-iter` keeps the laws of every strategy.

harness::laws!(orx_iter::OrxIter);

harness::plain_laws!(at_once: Workers);
