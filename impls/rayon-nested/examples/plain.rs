//! FILL IN: `rayon-nested` to take home. (So far it is what `sequential` is.)

/// Runs `f` for each of `0..keys`, and returns the outputs in key order. Another strategy would use `_workers`.
pub fn map_keys<T>(keys: usize, _workers: usize, f: impl Fn(usize) -> T) -> Vec<T> {
    (0..keys).map(f).collect()
}

fn main() {
    assert_eq!(map_keys(5, 2, |key| key * key), [0, 1, 4, 9, 16]);
}
