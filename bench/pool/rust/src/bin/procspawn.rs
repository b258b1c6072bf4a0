//! Times procspawn.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::process;

use bytemuck::cast_slice;
use ipc_channel::ipc::IpcSharedMemory;
use pool_figures::{Ends, Meeting, WORKERS, ends, measure, sum};
use procspawn::serde::Shmem;
use procspawn::{JoinHandle, Pool};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_bytes::ByteBuf;

struct Procspawn(Pool);

/// As many calls are under way as with fanout-pool's map.
const WINDOW: usize = 4 * WORKERS;

/// Its pool has no map. A call holds descriptors, so that all at once would be too many.
fn map<T>(window: usize, mut calls: impl Iterator<Item = JoinHandle<T>>, mut each: impl FnMut(T))
where
    T: Serialize + DeserializeOwned,
{
    let mut under_way: VecDeque<_> = calls.by_ref().take(window).collect();
    while let Some(call) = under_way.pop_front() {
        each(call.join().expect("an answer"));
        under_way.extend(calls.next());
    }
}

fn collect<T>(window: usize, calls: impl Iterator<Item = JoinHandle<T>>) -> Vec<T>
where
    T: Serialize + DeserializeOwned,
{
    let mut answers = Vec::new();
    map(window, calls, |answer| answers.push(answer));
    answers
}

impl pool_figures::Pool for Procspawn {
    fn start(workers: usize) -> Self {
        Procspawn(Pool::new(workers).expect("a pool"))
    }

    fn empty(&self) {
        self.0.spawn((), |()| ()).join().expect("an answer");
    }

    fn double_each(&self, numbers: u64) -> Vec<u64> {
        collect(WINDOW, (0..numbers).map(|number| self.0.spawn(number, |number| 2 * number)))
    }

    fn double_chunks(&self, chunks: impl Iterator<Item = Vec<u64>>) -> Vec<Vec<u64>> {
        collect(
            WINDOW,
            chunks.map(|chunk| self.0.spawn(chunk, |chunk| chunk.into_iter().map(|number| 2 * number).collect())),
        )
    }

    fn blocks_out(&self, blocks: u8, bytes: usize, mut check: impl FnMut(&[u8])) {
        let make = |(block, bytes): (u8, usize)| Shmem::from_bytes(&vec![block; bytes]);
        map(WINDOW, (0..blocks).map(|block| self.0.spawn((block, bytes), make)), |block| check(&block));
    }

    fn blocks_in(&self, blocks: u8, bytes: usize) -> Vec<Ends> {
        // Not as `Shmem`: what its pool is sent of that cannot be read.
        let blocks = (0..blocks).map(|block| ByteBuf::from(vec![block; bytes]));
        // `spawn` waits until a worker has taken a large input, and a worker waits until its last answer is taken: with
        // more calls than workers, both wait for ever.
        collect(WORKERS, blocks.map(|block| self.0.spawn(block, |block| ends(&block))))
    }

    fn meet(&self, workers: usize, folder: &Path, between: impl FnOnce()) -> Vec<u32> {
        let calls: Vec<_> =
            (0..workers).map(|_| self.0.spawn(folder.to_owned(), |folder: PathBuf| Meeting::join(&folder))).collect();
        between();
        calls.into_iter().map(|call| call.join().expect("an answer")).collect()
    }

    fn share(&self, values: &[u64], folder: &Path, between: impl FnOnce()) -> Vec<(u32, u64)> {
        let values = IpcSharedMemory::from_bytes(cast_slice(values));
        let add = |(values, folder): (IpcSharedMemory, PathBuf)| {
            let sum = sum(cast_slice(&values));
            (Meeting::join(&folder), sum)
        };
        let calls: Vec<_> = (0..WORKERS).map(|_| self.0.spawn((values.clone(), folder.to_owned()), add)).collect();
        between();
        calls.into_iter().map(|call| call.join().expect("an answer")).collect()
    }

    fn abort(&self) {
        let died = self.0.spawn((), |()| -> () { process::abort() }).join();
        assert!(died.is_err(), "its worker died");
    }
}

fn main() {
    procspawn::init();
    measure::<Procspawn>();
}
