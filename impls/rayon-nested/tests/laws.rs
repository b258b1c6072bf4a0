//! `rayon-nested` keeps the laws of every strategy.

harness::laws!(rayon_nested::RayonNested);

harness::plain_laws!(at_once: Workers);

#[test]
#[expect(clippy::disallowed_methods, reason = "asks which pool it is in; nothing is decided by it")]
fn what_a_key_gives_to_rayon_runs_on_the_same_threads() {
    use rayon::iter::{IntoParallelIterator, ParallelIterator};

    let threads = |_| (0..2).into_par_iter().map(|_| rayon::current_num_threads()).collect::<Vec<_>>();
    assert_eq!(plain::map_keys(2, 3, threads), [[3, 3], [3, 3]]);
}
