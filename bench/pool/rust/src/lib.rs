//! What is timed of a pool: the same rows, in the same way and with the same checks, for each pool in Rust.
//! `bench/pool/pools.py` does the same in Python.

use std::env;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process;
use std::thread;
use std::time::{Duration, Instant};

/// How many workers a pool has, where a row does not say.
pub const WORKERS: usize = 2;

/// How many values large and small cross in a row.
const BLOCKS: u8 = 100;

/// How many numbers one call has, where a call has many.
const CHUNK: u64 = 1_000;

/// How long all processes stay as they are before they are let go: whoever counts their memory sees it.
const HOLD: Duration = Duration::from_millis(200);

/// A pool, and what is asked of it.
pub trait Pool {
    /// Starts it.
    fn start(workers: usize) -> Self;

    /// Waits for a call that does nothing.
    fn empty(&self);

    /// Has each number doubled, in a call of its own.
    fn double_each(&self, numbers: u64) -> Vec<u64>;

    /// Has numbers doubled, so many in each call.
    fn double_chunks(&self, chunks: impl Iterator<Item = Vec<u64>>) -> Vec<Vec<u64>>;

    /// Has so many blocks made, the first of zeros, the next of ones, and so on.
    fn blocks_out(&self, blocks: u8, bytes: usize, check: impl FnMut(&[u8]));

    /// Sends such blocks, and has of each what [`ends`] says.
    fn blocks_in(&self, blocks: u8, bytes: usize) -> Vec<Ends>;

    /// Submits a call of [`Meeting::join`] for each worker, does what is `between`, and has their answers.
    fn meet(&self, workers: usize, folder: &Path, between: impl FnOnce()) -> Vec<u32>;

    /// The same, where each call first adds up what is shared.
    fn share(&self, values: &[u64], folder: &Path, between: impl FnOnce()) -> Vec<(u32, u64)>;

    /// Has a worker abort, and returns when that is told.
    fn abort(&self);
}

/// How many bytes a block has, the first and the last of them.
pub type Ends = (u64, u8, u8);

/// What a worker says of a block that it was sent.
pub fn ends(block: &[u8]) -> Ends {
    (block.len() as u64, block[0], block[block.len() - 1])
}

/// The sum of what is shared.
pub fn sum(values: &[u64]) -> u64 {
    values.iter().fold(0, |sum, value| sum.wrapping_add(*value))
}

/// Where calls wait for each other, so that each is in another worker: two pipes with names, which whoever started this
/// program has made.
pub struct Meeting {
    here: File,
    go: File,
}

impl Meeting {
    /// The process that lets the calls go. It opens both ends of both pipes, so that nothing waits for an end.
    fn host(folder: &Path) -> io::Result<Self> {
        let open = |name| OpenOptions::new().read(true).write(true).open(folder.join(name));
        Ok(Meeting { here: open("here")?, go: open("go")? })
    }

    /// Waits until so many calls are here.
    fn all_here(&mut self, calls: usize) -> io::Result<()> {
        self.here.read_exact(&mut vec![0; calls])
    }

    fn let_go(&mut self, calls: usize) -> io::Result<()> {
        self.go.write_all(&vec![0; calls])
    }

    /// A call: says that it is here, waits until all are, and gives its process.
    pub fn join(folder: &Path) -> u32 {
        let meet = || {
            OpenOptions::new().write(true).open(folder.join("here"))?.write_all(&[0])?;
            File::open(folder.join("go"))?.read_exact(&mut [0])
        };
        meet().expect("a call meets the others");
        process::id()
    }
}

/// Times the row that the arguments say, `ROW SIZE FOLDER`, and prints its figures.
pub fn measure<P: Pool>() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [row, size, folder] = arguments.as_slice() else { panic!("usage: ROW SIZE FOLDER") };
    let size: usize = size.parse().expect("SIZE is a number");
    let folder = PathBuf::from(folder);
    let mut meeting = Meeting::host(&folder).expect("FOLDER has the pipes of a meeting");
    let figures = match row.as_str() {
        "call" => vec![call::<P>(size)],
        "map" => vec![map::<P>(size as u64)],
        "chunks" => vec![chunks::<P>(size as u64)],
        "out" => vec![out::<P>(size)],
        "in" => vec![blocks_in::<P>(size)],
        "share" => vec![share::<P>(size, &folder, &mut meeting)],
        "start" => vec![start::<P>(size, &folder, &mut meeting)],
        "death" => death::<P>(&folder, &mut meeting),
        row => panic!("no row {row}"),
    };
    println!("{}", figures.iter().map(|time| time.as_secs_f64().to_string()).collect::<Vec<_>>().join(" "));
}

/// The median of so many calls, one after the other.
fn call<P: Pool>(calls: usize) -> Duration {
    let pool = P::start(WORKERS);
    (0..calls / 10).for_each(|_| pool.empty());
    let mut times: Vec<Duration> = (0..calls)
        .map(|_| {
            let start = Instant::now();
            pool.empty();
            start.elapsed()
        })
        .collect();
    times.sort();
    times[calls / 2]
}

fn map<P: Pool>(numbers: u64) -> Duration {
    let pool = warm::<P>();
    let start = Instant::now();
    let doubled = pool.double_each(numbers);
    let time = start.elapsed();
    assert!(doubled.into_iter().eq((0..numbers).map(|number| 2 * number)));
    time
}

fn chunks<P: Pool>(numbers: u64) -> Duration {
    let pool = warm::<P>();
    let start = Instant::now();
    let starts = (0..numbers).step_by(CHUNK as usize);
    let doubled = pool.double_chunks(starts.map(|start| (start..numbers.min(start + CHUNK)).collect()));
    let time = start.elapsed();
    assert!(doubled.into_iter().flatten().eq((0..numbers).map(|number| 2 * number)));
    time
}

fn out<P: Pool>(bytes: usize) -> Duration {
    let pool = warm::<P>();
    pool.blocks_out(1, bytes, |block| assert!(block.iter().all(|&byte| byte == 0)));
    let mut next = 0;
    let start = Instant::now();
    pool.blocks_out(BLOCKS, bytes, |block| {
        assert_eq!(ends(block), (bytes as u64, next, next));
        next += 1;
    });
    let time = start.elapsed();
    assert_eq!(next, BLOCKS);
    time
}

fn blocks_in<P: Pool>(bytes: usize) -> Duration {
    let pool = warm::<P>();
    let start = Instant::now();
    let answers = pool.blocks_in(BLOCKS, bytes);
    let time = start.elapsed();
    assert!(answers.into_iter().eq((0..BLOCKS).map(|block| (bytes as u64, block, block))));
    time
}

/// From values without a pool until both workers of one have read all of them.
fn share<P: Pool>(bytes: usize, folder: &Path, meeting: &mut Meeting) -> Duration {
    let values: Vec<u64> = (0..bytes as u64 / 8).collect();
    let start = Instant::now();
    let mut time = Duration::MAX;
    let pool = P::start(WORKERS);
    let answers = pool.share(&values, folder, || {
        meeting.all_here(WORKERS).expect("both workers have the values");
        time = start.elapsed();
        thread::sleep(HOLD);
        meeting.let_go(WORKERS).expect("they wait");
    });
    let (pids, sums): (Vec<_>, Vec<_>) = answers.into_iter().unzip();
    assert_are_others(pids, WORKERS);
    assert_eq!(sums, [sum(&values); WORKERS]);
    time
}

fn start<P: Pool>(workers: usize, folder: &Path, meeting: &mut Meeting) -> Duration {
    let start = Instant::now();
    let pool = P::start(workers);
    let pids = meet(&pool, workers, folder, meeting);
    let time = start.elapsed();
    assert_are_others(pids, workers);
    time
}

/// From a call that aborts to the answer of the next, and until both workers answer.
fn death<P: Pool>(folder: &Path, meeting: &mut Meeting) -> Vec<Duration> {
    let pool = P::start(WORKERS);
    let before = meet(&pool, WORKERS, folder, meeting);
    let start = Instant::now();
    pool.abort();
    pool.empty();
    let next = start.elapsed();
    let after = meet(&pool, WORKERS, folder, meeting);
    let whole = start.elapsed();
    assert!(after.iter().any(|pid| !before.contains(pid)), "a worker died");
    assert_are_others(after, WORKERS);
    vec![next, whole]
}

/// A pool that has answered.
fn warm<P: Pool>() -> P {
    let pool = P::start(WORKERS);
    (0..100).for_each(|_| pool.empty());
    pool
}

fn meet<P: Pool>(pool: &P, workers: usize, folder: &Path, meeting: &mut Meeting) -> Vec<u32> {
    pool.meet(workers, folder, || {
        meeting.all_here(workers).expect("each worker has a call");
        meeting.let_go(workers).expect("they wait");
    })
}

fn assert_are_others(mut pids: Vec<u32>, workers: usize) {
    pids.push(process::id());
    pids.sort_unstable();
    pids.dedup();
    assert_eq!(pids.len(), workers + 1, "each call was in a process of its own");
}
