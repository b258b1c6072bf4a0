//! What a value costs inside one key, as curves over the values of a key: criterion prints them as time per value, and
//! `target/criterion/*/report/index.html` draws them.
//!
//! - `fill/warm`: into a block that was written before. Short ones are in cache, long ones in memory.
//! - `fill/fresh`: into pages that the kernel must zero first, huge ones where it grants them: the default job. Its `limit`
//!   is the same pages written with a constant.
//! - `sum`: nothing is written.
//! - `empty key`: a key without values.
//!
//! The first three are measured with every instruction set of this processor, and with CPython's generator.

use std::hint::black_box;
use std::mem::MaybeUninit;
use std::time::{Duration, Instant};

use criterion::measurement::WallTime;
use criterion::{
    AxisScale, BenchmarkGroup, BenchmarkId, Criterion, PlotConfiguration, Throughput, criterion_group, criterion_main,
};
use fanout_pool::with_huge_pages;
use kernel::Workload;
use rustix::mm::{Advice, madvise};
use workloads::generator::InstructionSet;
use workloads::{Fill, Job, Parameters, Rng, Sum};

/// Values of a key: from a row of the generator to the 80 MB that no cache holds. The default job has a million.
const WARM: [usize; 6] = [16, 256, 4_096, 65_536, 1_000_000, 10_000_000];

/// As far as there are whole huge pages in a block; below, a page fault would be all that is measured.
const FRESH: [usize; 2] = [1_000_000, 10_000_000];

fn job(values: usize, rng: Rng) -> Job {
    let parameters = Parameters { keys: 1, count: values as u64, rng, ..Parameters::default() };
    Job::new(parameters).expect("one key is in range")
}

/// The job with each instruction set, and with CPython's generator, which has none.
fn jobs(values: usize) -> impl Iterator<Item = (&'static str, Job)> {
    let xoshiro = InstructionSet::available().into_iter();
    let xoshiro = xoshiro.map(move |set| (set.name(), job(values, Rng::Xoshiro).with_instructions(set)));
    xoshiro.chain([("mt19937", job(values, Rng::Mt19937))])
}

fn group<'a>(criterion: &'a mut Criterion, name: &str) -> BenchmarkGroup<'a, WallTime> {
    let mut group = criterion.benchmark_group(name);
    group.plot_config(PlotConfiguration::default().summary_scale(AxisScale::Logarithmic));
    group.warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(1)).sample_size(20);
    group
}

fn warm(criterion: &mut Criterion) {
    let mut group = group(criterion, "fill/warm");
    for values in WARM {
        let mut memory = memory(values);
        let block = &mut memory.spare_capacity_mut()[..values];
        group.throughput(Throughput::Elements(values as u64));
        for (name, job) in jobs(values) {
            let id = BenchmarkId::new(name, values);
            group.bench_function(id, |bencher| bencher.iter(|| job.fill(0, black_box(&mut *block))));
        }
    }
}

fn fresh(criterion: &mut Criterion) {
    let mut group = group(criterion, "fill/fresh");
    for values in FRESH {
        let mut memory = memory(values);
        let block = &mut memory.spare_capacity_mut()[..values];
        group.throughput(Throughput::Elements(values as u64));
        let mut measure = |name, write: &dyn Fn(&mut [MaybeUninit<f64>])| {
            group.bench_function(BenchmarkId::new(name, values), |bencher| {
                bencher.iter_custom(|times| (0..times).map(|_| on_fresh_pages(block, write)).sum());
            });
        };
        jobs(values).for_each(|(name, job)| measure(name, &|block| job.fill(0, block)));
        measure("limit", &|block| block.fill(black_box(MaybeUninit::new(1.0))));
    }
}

fn on_fresh_pages(block: &mut [MaybeUninit<f64>], write: impl Fn(&mut [MaybeUninit<f64>])) -> Duration {
    give_back(block);
    let start = Instant::now();
    write(black_box(block));
    start.elapsed()
}

fn sum(criterion: &mut Criterion) {
    let mut group = group(criterion, "sum");
    for values in WARM {
        group.throughput(Throughput::Elements(values as u64));
        for (name, job) in jobs(values) {
            let sum = Sum(job);
            group.bench_function(BenchmarkId::new(name, values), |bencher| bencher.iter(|| sum.expand(black_box(0))));
        }
    }
}

/// A key without values: what every key costs before its first.
fn empty(criterion: &mut Criterion) {
    let mut group = group(criterion, "empty key");
    let (fill, sum) = (Fill(job(0, Rng::Xoshiro)), Sum(job(0, Rng::Xoshiro)));
    group.bench_function("fill", |bencher| bencher.iter(|| fill.attempt(black_box(0))));
    group.bench_function("sum", |bencher| bencher.iter(|| sum.attempt(black_box(0))));
}

/// Room for so many values, on pages that are there.
fn memory(values: usize) -> Vec<f64> {
    let mut memory = with_huge_pages(values).expect("there is memory for one block");
    memory.resize(values, 1.0);
    memory.clear();
    memory
}

/// Gives the pages that lie wholly in the block back to the kernel.
fn give_back(block: &mut [MaybeUninit<f64>]) {
    let page = rustix::param::page_size();
    let before = block.as_ptr().align_offset(page) * size_of::<f64>();
    let length = (size_of_val(block) - before) / page * page;
    let inside = block.as_mut_ptr().wrapping_byte_add(before);
    // SAFETY: the pages are the block's alone, and what is in it may be uninitialised.
    #[expect(unsafe_code, reason = "madvise takes an address")]
    let given = unsafe { madvise(inside.cast(), length, Advice::LinuxDontNeed) };
    given.expect("the kernel takes back what it gave");
}

criterion_group!(benches, warm, fresh, sum, empty);
criterion_main!(benches);
