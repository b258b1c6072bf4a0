//! A program that has no descriptors left. It is a program of its own, since the limit holds for all of it.

use std::time::Duration;

use fanout_pool::{CallError, Pool, StartError};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

fn double(number: u64) -> u64 {
    2 * number
}
fanout_pool::register!(double);

#[test]
fn a_call_without_a_descriptor_fails_and_the_next_is_tried_again() {
    let pool = Pool::builder().workers(0..=1).start().unwrap();
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: Some(3), ..limit }).unwrap();
    let mut handle = pool.submit(double, 1);
    let outcome = handle.wait_for(Duration::from_secs(60)).expect("it is told");
    setrlimit(Resource::Nofile, limit).unwrap();
    assert!(matches!(outcome, Err(CallError::NotStarted(StartError::System(_)))), "{outcome:?}");
    assert!(pool.take_refusal().is_some());
    assert_eq!(pool.submit(double, 2).wait().unwrap(), 4);
}
