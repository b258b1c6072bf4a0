//! What crossing costs: a million f64 by each way that a value may cross, in memory alone and from a worker process.

use std::hint::black_box;
use std::time::Instant;

use criterion::{Criterion, Throughput};
use fanout_pool::{Bytes, Here, Pool, Raw, Task, Transfer, with_huge_pages};

/// f64s per value.
const VALUES: usize = 1_000_000;
const BYTES: u64 = 8 * VALUES as u64;

/// In the memory of whoever asks.
fn values() -> Vec<f64> {
    // With a full mantissa, as computed numbers have.
    (0..VALUES).map(|index| (index as f64).sqrt()).collect()
}

/// Gives the values, which its worker keeps.
struct Give<O>(std::marker::PhantomData<fn() -> O>);

/// What can be made of the values.
trait Given: Transfer + Clone {
    const NAME: &'static str;

    fn of(values: Vec<f64>) -> Self;
}

impl Given for Vec<f64> {
    const NAME: &'static str = "postcard";

    fn of(values: Vec<f64>) -> Self {
        values
    }
}

impl Given for Raw<f64> {
    const NAME: &'static str = "raw";

    fn of(values: Vec<f64>) -> Self {
        Raw(values)
    }
}

impl Given for Bytes {
    const NAME: &'static str = "bytes";

    fn of(values: Vec<f64>) -> Self {
        Bytes(bytemuck::cast_slice(&values).to_vec())
    }
}

#[cfg(feature = "json")]
impl Given for fanout_pool::Json<Vec<f64>> {
    const NAME: &'static str = "json";

    fn of(values: Vec<f64>) -> Self {
        fanout_pool::Json(values)
    }
}

impl<O: Given> Task for Give<O> {
    type Shared = ();
    type Input = ();
    type Output = O;

    fn call(_: &(), (): (), here: &mut Here) -> O {
        here.state(|| O::of(values())).clone()
    }

    fn answer(_: &(), (): (), here: &mut Here, to: fanout_pool::Outgoing<'_>) -> std::io::Result<()> {
        here.state(|| O::of(values())).send(to)
    }

    fn name() -> &'static str {
        O::NAME
    }
}

fn main() {
    let worker = fanout_pool::worker();
    let worker = worker.task(Give::<Vec<f64>>::new()).task(Give::<Raw<f64>>::new()).task(Give::<Bytes>::new());
    #[cfg(feature = "json")]
    let worker = worker.task(Give::<fanout_pool::Json<Vec<f64>>>::new());
    worker.serve();

    let mut criterion = Criterion::default().configure_from_args();
    in_memory(&mut criterion);
    let pool = Pool::builder().workers(1).start().expect("a worker");
    from_a_worker::<Raw<f64>>(&mut criterion, &pool);
    from_a_worker::<Bytes>(&mut criterion, &pool);
    from_a_worker::<Vec<f64>>(&mut criterion, &pool);
    #[cfg(feature = "json")]
    from_a_worker::<fanout_pool::Json<Vec<f64>>>(&mut criterion, &pool);
    criterion.final_summary();
}

impl<O> Give<O> {
    fn new() -> Self {
        Give(std::marker::PhantomData)
    }
}

/// Out of one block and into another.
fn in_memory(criterion: &mut Criterion) {
    let values = values();
    let mut group = criterion.benchmark_group("codec in memory");
    group.throughput(Throughput::Bytes(BYTES));
    group.bench_function("raw", |bencher| {
        bencher.iter(|| {
            let bytes: &[u8] = bytemuck::cast_slice(black_box(&values));
            let mut block = with_huge_pages(VALUES).expect("memory");
            block.extend_from_slice(bytemuck::cast_slice::<u8, f64>(bytes));
            block
        });
    });
    group.bench_function("postcard", |bencher| {
        bencher.iter(|| {
            let bytes = postcard::to_stdvec(black_box(&values)).expect("plain values");
            postcard::from_bytes::<Vec<f64>>(&bytes).expect("what was just written")
        });
    });
    group.bench_function("json", |bencher| {
        bencher.iter(|| {
            let bytes = serde_json::to_vec(black_box(&values)).expect("plain values");
            serde_json::from_slice::<Vec<f64>>(&bytes).expect("what was just written")
        });
    });
    group.finish();
}

/// Kept there and received here: codec and transport.
fn from_a_worker<O: Given>(criterion: &mut Criterion, pool: &Pool) {
    let mut group = criterion.benchmark_group("codec from a worker");
    group.throughput(Throughput::Bytes(BYTES));
    group.bench_function(O::NAME, |bencher| {
        bencher.iter_custom(|results| {
            let start = Instant::now();
            for _ in 0..results {
                black_box(pool.submit(Give::<O>::new(), ()).wait().expect("an output"));
            }
            start.elapsed()
        });
    });
    group.finish();
}
