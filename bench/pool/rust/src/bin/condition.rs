//! Writes once to so many bytes and keeps every CPU busy for a moment, so that the next process finds memory that the
//! host has given, and CPUs that are awake. METHODOLOGY.md says why.

use std::hint::{black_box, spin_loop};
use std::thread;
use std::time::{Duration, Instant};

use fanout_pool::with_huge_pages;

const AWAKE: Duration = Duration::from_millis(100);

/// Values per block.
const BLOCK: usize = 1_000_000;

fn main() {
    let bytes: usize = std::env::args().nth(1).and_then(|bytes| bytes.parse().ok()).expect("usage: BYTES");
    let mut blocks = Vec::new();
    for _ in 0..bytes.div_ceil(8 * BLOCK) {
        let Ok(mut block) = with_huge_pages(BLOCK) else { break };
        block.resize(BLOCK, 1.0);
        blocks.push(black_box(block));
    }
    drop(blocks);
    let until = Instant::now() + AWAKE;
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while Instant::now() < until {
                    spin_loop();
                }
            });
        }
    });
}
