//! A worker that says these bytes and then no more: its parent neither panics nor hangs, and allocates no more than the
//! task allows.

#![no_main]

use fanout_pool::Raw;
use fanout_pool::listening::{Blocks, Texts, listens};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|said: &[u8]| {
    // As much as a channel holds while nobody reads.
    let said = &said[..said.len().min(64 << 10)];
    for heard in listens(said, Texts) {
        if let Ok(Ok(texts)) = heard {
            assert!(texts.iter().map(|(text, _)| text.len() + 1).sum::<usize>() <= 800);
        }
    }
    for heard in listens(said, Blocks) {
        if let Ok(Ok(Raw(block))) = heard {
            assert!(block.len() <= 100);
        }
    }
});
