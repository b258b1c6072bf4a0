//! Times fanout-pool.

use std::path::Path;
use std::process;

use fanout_pool::{Bytes, CallError, CallOptions, Pool, Shared};
use pool_figures::{Ends, Meeting, ends, measure, sum};

fn empty(_nothing: ()) {}

fn double(number: u64) -> u64 {
    2 * number
}

fn double_all(numbers: Vec<u64>) -> Vec<u64> {
    numbers.into_iter().map(|number| 2 * number).collect()
}

fn make(block: (u8, usize)) -> Bytes {
    Bytes(vec![block.0; block.1])
}

fn take(block: Bytes) -> Ends {
    ends(&block.0)
}

fn meet(folder: String) -> u32 {
    Meeting::join(Path::new(&folder))
}

fn add(values: &[u64], folder: String) -> (u32, u64) {
    let sum = sum(values);
    (Meeting::join(Path::new(&folder)), sum)
}

fn abort(_nothing: ()) {
    process::abort()
}
fanout_pool::register!(empty, double, double_all, make, take, meet, add, abort);

struct Fanout(Pool);

impl pool_figures::Pool for Fanout {
    fn start(workers: usize) -> Self {
        Fanout(Pool::builder().workers(workers).start().expect("a pool"))
    }

    fn empty(&self) {
        self.0.submit(empty, ()).wait().expect("an answer");
    }

    fn double_each(&self, numbers: u64) -> Vec<u64> {
        self.0.map(double, 0..numbers).collect::<Result<_, _>>().expect("answers")
    }

    fn double_chunks(&self, chunks: impl Iterator<Item = Vec<u64>>) -> Vec<Vec<u64>> {
        self.0.map(double_all, chunks).collect::<Result<_, _>>().expect("answers")
    }

    fn blocks_out(&self, blocks: u8, bytes: usize, mut check: impl FnMut(&[u8])) {
        for block in self.0.map(make, (0..blocks).map(|block| (block, bytes))) {
            check(&block.expect("a block").0);
        }
    }

    fn blocks_in(&self, blocks: u8, bytes: usize) -> Vec<Ends> {
        let blocks = (0..blocks).map(|block| Bytes(vec![block; bytes]));
        self.0.map(take, blocks).collect::<Result<_, _>>().expect("answers")
    }

    fn meet(&self, workers: usize, folder: &Path, between: impl FnOnce()) -> Vec<u32> {
        let calls: Vec<_> = (0..workers).map(|_| self.0.submit(meet, text(folder))).collect();
        between();
        calls.into_iter().map(|call| call.wait().expect("an answer")).collect()
    }

    fn share(&self, values: &[u64], folder: &Path, between: impl FnOnce()) -> Vec<(u32, u64)> {
        let values = Shared::new(values).expect("shared memory");
        let call = |_| self.0.submit_with(add, &values, text(folder), CallOptions::new());
        let calls: Vec<_> = (0..pool_figures::WORKERS).map(call).collect();
        between();
        calls.into_iter().map(|call| call.wait().expect("an answer")).collect()
    }

    fn abort(&self) {
        let error = self.0.submit(abort, ()).wait().expect_err("its worker died");
        assert!(matches!(error, CallError::Died { .. }), "{error}");
    }
}

fn text(folder: &Path) -> String {
    folder.to_str().expect("a folder with a plain name").to_owned()
}

fn main() {
    measure::<Fanout>();
}
