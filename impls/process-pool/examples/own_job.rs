//! A job of your own on a pool of processes: which of some texts have the most distinct words.

use std::collections::BTreeSet;
use std::error::Error;
use std::sync::Arc;

use process_pool::{Portable, Postcard, ProcessPool, Runs, Workload};
use serde::{Deserialize, Serialize};

/// The job. What a worker needs to know of it travels once, by serde.
#[derive(Serialize, Deserialize)]
struct DistinctWords {
    texts: Vec<String>,
}

impl Workload for DistinctWords {
    /// Any type that serde knows.
    type Output = BTreeSet<String>;

    fn keys(&self) -> usize {
        self.texts.len()
    }

    fn expand(&self, index: usize) -> BTreeSet<String> {
        self.texts[index].split_whitespace().map(str::to_lowercase).collect()
    }
}

impl Portable for DistinctWords {
    const NAME: &'static str = "distinct-words";
    type Codec = Postcard;

    /// Lower case may be longer; no text's words are more than three times it, with ten bytes for each length.
    fn max_bytes(&self, index: usize) -> u64 {
        13 * self.texts[index].len() as u64 + 10
    }
}

#[expect(clippy::disallowed_macros, reason = "a program prints; only strategies do not")]
fn main() -> Result<(), Box<dyn Error>> {
    // The one line that makes this program able to be a worker. Forget it, and `start` says so.
    process_pool::serve(&[process_pool::job::<DistinctWords>()]);

    let texts = ["to be or not to be", "the quick brown fox", "Buffalo buffalo buffalo"].map(String::from).to_vec();
    let mut pool = ProcessPool::builder().start()?;
    for outcome in pool.run(&Arc::new(DistinctWords { texts })) {
        println!("{:?}", outcome?);
    }
    Ok(())
}
