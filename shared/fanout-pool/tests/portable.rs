//! Pools without code before `main`: by a test that workers begin in.
#![forbid(unsafe_code)]

use std::process;

use fanout_pool::{CallError, Here, Pool, StartError, Task};

fn double(number: u64) -> u64 {
    2 * number
}

/// Two functions whose paths are the same, since what they stand in has none.
fn namesakes(pool: &Pool) -> [Result<u32, CallError>; 2] {
    let first = {
        fn same(number: u32) -> u32 {
            number + 1
        }
        pool.submit(same, 1).wait()
    };
    let second = {
        fn same(number: u32) -> u32 {
            number + 100
        }
        pool.submit(same, 1).wait()
    };
    [first, second]
}

fn prepared((): (), here: &mut Here) -> Option<String> {
    here.state(|| None::<String>).clone()
}

/// Two tasks that call themselves the same.
struct Twin<const N: u32>;

impl<const N: u32> Task for Twin<N> {
    type Shared = ();
    type Input = ();
    type Output = u32;

    fn call(_: &(), (): (), _: &mut Here) -> u32 {
        N
    }

    fn name() -> &'static str {
        "twin"
    }
}

#[test]
fn entry() {
    let init = |here: &mut Here| {
        *here.state(|| None) = Some(format!("by {}", process::id()));
        Ok::<(), String>(())
    };
    fanout_pool::worker().task(double).task(prepared).init(init).serve();
}

#[test]
fn entry_of_twins() {
    fanout_pool::worker().task(Twin::<1>).task(Twin::<2>).serve();
}

#[test]
fn entry_that_cannot_be_prepared() {
    fanout_pool::worker().task(double).init(|_| Err("no licence")).serve();
}

#[test]
fn entry_that_panics() {
    fanout_pool::worker().task(double).init(|_| -> Result<(), String> { panic!("no library") }).serve();
}

fn refusal(entry: &str) -> String {
    let error = Pool::builder().workers(1).quiet(true).entry_test(entry).start().unwrap_err();
    assert!(matches!(error, StartError::Lost { .. }), "{error:?}");
    error.to_string()
}

#[test]
fn a_pool_works_in_a_test_with_an_entry_of_its_own() {
    let pool = Pool::builder().workers(1).entry_test("entry").start().unwrap();
    assert_eq!(pool.submit(double, 21).wait().unwrap(), 42);
    let pid = pool.status().workers[0].pid.unwrap();
    assert_eq!(pool.submit(prepared, ()).wait().unwrap(), Some(format!("by {pid}")));
    assert!(namesakes(&pool).iter().all(|outcome| matches!(outcome, Err(CallError::Refused { .. }))));
    let of_main = |number: u64| number + 1;
    assert!(matches!(pool.submit(of_main, 1).wait(), Err(CallError::Refused { .. })));
    let unknown = pool.submit(Twin::<1>, ()).wait().unwrap_err();
    assert!(matches!(unknown, CallError::Refused { .. }), "{unknown}");
}

#[test]
fn a_worker_that_cannot_start_says_why() {
    assert!(refusal("entry_of_twins").contains("two tasks are named `twin`"));
    assert!(refusal("entry_that_cannot_be_prepared").contains("the initialiser failed: no licence"));
    assert!(refusal("entry_that_panics").contains("the initialiser failed: no library"));
}

/// What everybody forgets once.
#[test]
fn a_test_program_without_a_line_is_told_which_to_add() {
    let error = Pool::builder().workers(1).quiet(true).start().unwrap_err().to_string();
    assert!(error.contains("fanout_pool::register!(TASK)") && error.contains("entry_test"), "{error}");
}
