//! What crossing costs: a million f64 through each codec, in memory alone and by way of a real worker process.
//! `bench/notebook/pickle_cost.py` is the same for Python's pickle.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use criterion::{Criterion, Throughput};
use kernel::{WorkerCommand, Workload, with_huge_pages};
use serde::{Deserialize, Serialize};
use worker::{Asked, Load, Portable, Postcard, Worker};
use workloads::{Fill, Job, Parameters};

/// The default job, sent by the codec for any serde type.
#[derive(Serialize, Deserialize)]
struct PostcardFill(Fill);

impl Workload for PostcardFill {
    type Output = Vec<f64>;

    fn keys(&self) -> usize {
        self.0.keys()
    }

    fn expand(&self, index: usize) -> Vec<f64> {
        self.0.expand(index)
    }
}

impl Portable for PostcardFill {
    const NAME: &'static str = "postcard-fill";
    type Codec = Postcard;

    /// The length goes before the values.
    fn max_bytes(&self, index: usize) -> u64 {
        self.0.max_bytes(index) + 10
    }
}

fn main() {
    worker::serve(&[worker::job::<Fill>(), worker::job::<PostcardFill>()]);
    let mut criterion = Criterion::default().configure_from_args();
    let fill = || Fill(Job::new(Parameters::default()).expect("the default job"));
    in_memory(&mut criterion, &fill().expand(0));
    through_a_worker(&mut criterion, "raw", fill());
    through_a_worker(&mut criterion, "postcard", PostcardFill(fill()));
    criterion.final_summary();
}

/// Out of one block and into another, as `pickle.dumps` and `pickle.loads`.
fn in_memory(criterion: &mut Criterion, values: &Vec<f64>) {
    let mut group = criterion.benchmark_group("codec in memory");
    group.throughput(Throughput::Bytes(size_of_val(values.as_slice()) as u64));
    group.bench_function("raw", |bencher| {
        bencher.iter(|| {
            let bytes: &[u8] = bytemuck::cast_slice(black_box(values));
            let mut block = with_huge_pages(values.len()).expect("memory");
            block.extend_from_slice(bytemuck::cast_slice::<u8, f64>(bytes));
            block
        });
    });
    group.bench_function("postcard", |bencher| {
        bencher.iter(|| {
            let bytes = postcard::to_stdvec(black_box(values)).expect("plain values");
            postcard::from_bytes::<Vec<f64>>(&bytes).expect("what was just written")
        });
    });
    group.finish();
}

/// Made there and kept here: generator, codec, transport.
fn through_a_worker<W: Portable>(criterion: &mut Criterion, name: &str, workload: W) {
    let workload = Arc::new(workload);
    let load = Load::new(&workload);
    let mut worker = Worker::spawn(&WorkerCommand::this_program()).and_then(Worker::ready).ok();
    let mut group = criterion.benchmark_group("codec through a worker");
    group.throughput(Throughput::Bytes(workload.max_bytes(0)));
    group.bench_function(name, |bencher| {
        bencher.iter_custom(|results| {
            let start = Instant::now();
            for _ in 0..results {
                let asked = worker.take().expect("a live worker").expand(&load, 0, None);
                let Asked::Answered(Ok(output), survivor) = asked else { panic!("no output") };
                black_box(output);
                worker = Some(survivor);
            }
            start.elapsed()
        });
    });
    group.finish();
}
