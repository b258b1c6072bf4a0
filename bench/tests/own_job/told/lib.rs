//! A job that does what its first argument says. Its features are what is wrong with its source.

use std::error::Error;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, SystemTime};

use fanout::{Deserialize, Serialize, Workload};

/// What the keys do.
#[derive(Serialize, Deserialize)]
pub struct Told {
    told: String,
    keys: usize,
}

impl Workload for Told {
    type Output = u64;

    fn keys(&self) -> usize {
        self.keys
    }

    fn expand(&self, key: usize) -> u64 {
        static COUNTER: AtomicU64 = AtomicU64::new(0);
        let main = thread::current().name() == Some("main");
        match &*self.told {
            "print" => println!("key {key}"),
            "panic" if key == 2 => panic!("key {key} panics"),
            "slow" => thread::sleep(Duration::from_secs(600)),
            "slow-but-for-the-first" if key != 0 => thread::sleep(Duration::from_secs(600)),
            "memory" => return vec![1_u8; 1 << 40].iter().map(|byte| u64::from(*byte)).sum(),
            "time" if key % 2 == 1 => {
                return SystemTime::UNIX_EPOCH.elapsed().unwrap().as_nanos() as u64
                    + COUNTER.fetch_add(1, Ordering::Relaxed);
            }
            "thread" if !main && key != 1 => return 7,
            _ => {}
        }
        (0..100_000_u64).fold(key as u64, |hash, value| hash.rotate_left(5) ^ value.wrapping_mul(31))
    }
}

fn make(arguments: &[String]) -> Result<Told, Box<dyn Error + Send + Sync>> {
    let told = arguments.first().cloned().unwrap_or_default();
    match &*told {
        "refuse" => Err("there is no such thing".into()),
        "panic-in-constructor" => panic!("no table"),
        "nothing" => Ok(Told { told, keys: 0 }),
        _ => Ok(Told { told, keys: 4 }),
    }
}

#[cfg(not(any(feature = "none", feature = "threads")))]
fanout::job!(Told, make);
#[cfg(feature = "twice")]
fanout::job!(Told, make);
#[cfg(feature = "threads")]
fanout::job!(threads: Told, make);
#[cfg(feature = "broken")]
const BROKEN: u64 = "no number";
