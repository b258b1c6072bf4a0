//! The laws that every strategy keeps, one function each. [`laws!`](crate::laws!) owns the list and makes one `#[test]`
//! of each, so that no strategy can forget one.

use std::fmt::Debug;
use std::num::NonZeroUsize;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};
use std::{fs, thread};

use kernel::{Context, Digest, KeyError, Outcome, Runs, Strategy, WorkerCommand, Workload};
use serde_json::Value;
use workloads::{
    Asked, BUILT_IN, BuiltIn, Fill, Job, Parameters, Rng, RunsAll, Skew, Sum, Use, Verifiable, Wait, dispatch,
};

use crate::alone::{self, Holdings, all_there, mark, settled};
use crate::{Fault, FaultKind, Faulty};

/// Makes one test of each law. `tests/laws.rs` of a strategy has this line, and one of
/// [`plain_laws!`](crate::plain_laws!):
///
/// ```ignore
/// harness::laws!(rayon_iter::RayonIter);
/// ```
///
/// Of a strategy under which keys wait behind a slow one, by its nature:
///
/// ```ignore
/// harness::laws!(sequential::Sequential, does_not_balance);
/// ```
///
/// T5 fails if such a strategy balances after all.
///
/// T and E with a number are scenarios of the failure suite: what threads must survive, and what everything must. What
/// processes must is in [`failures!`](crate::failures!). T4, a strategy inside another's pool, is a test of the strategies
/// that have one to be inside of. E3 and E5 are about the command line, which no strategy changes: they are in the
/// harness's `tests/command_line.rs`.
#[macro_export]
macro_rules! laws {
    ($strategy:ty) => {
        $crate::laws! { $strategy: balances: true }
    };
    ($strategy:ty, does_not_balance) => {
        $crate::laws! { $strategy: balances: false }
    };
    ($strategy:ty: balances: $balances:literal) => {
        $crate::tests! {
            laws, $strategy, $balances:
            agrees_with_a_plain_loop,
            agrees_where_keys_compute_and_sleep,
            keeps_key_order_when_late_keys_are_cheap,
            runs_batch_after_batch,
            runs_on_another_thread_than_it_was_started_on,
            leaves_nothing_behind,
            t1_a_panicking_key_is_its_outcome_alone,
            t2_a_refused_thread_is_an_error_or_a_shortfall,
            t3_a_key_that_ends_its_process_is_never_reported_as_success,
            t5_no_key_waits_behind_a_slow_one,
            e1_carries_every_bit,
            e2_equal_keys_all_come_back,
            e4_gives_the_same_digest_with_any_number_of_workers,
            the_binary_runs_the_strategy,
            a_deadline_is_kept_or_refused,
        }
    };
}

/// One `#[test]` for each function of a module of this crate, each in a process of its own.
#[doc(hidden)]
#[macro_export]
macro_rules! tests {
    ($module:ident, $strategy:ty, $balances:literal: $($test:ident,)*) => {
        $(
            #[test]
            fn $test() {
                $crate::alone::alone(stringify!($test), || {
                    $crate::$module::$test::<$strategy>(&$crate::laws::Binary {
                        path: env!(concat!("CARGO_BIN_EXE_", env!("CARGO_PKG_NAME"))),
                        test: stringify!($test),
                        balances: $balances,
                    });
                });
            }
        )*
    };
}

/// The strategy's program: what a process strategy runs its keys in, and what some laws start.
pub struct Binary {
    /// Where it is.
    pub path: &'static str,
    /// The name of the test that runs.
    pub test: &'static str,
    /// Whether a free worker takes the next key, wherever the slow ones are.
    pub balances: bool,
}

/// A strategy that runs everything that the command line offers.
pub trait Subject: RunsAll + Runs<Faulty> + 'static {}

impl<S: RunsAll + Runs<Faulty> + 'static> Subject for S {}

/// How many workers the laws run with: more than one, and no power of two.
pub(crate) const WORKERS: usize = 3;

const SKEWS: [Skew; 4] = [Skew::Uniform, Skew::Zipf, Skew::OneHuge, Skew::OneHugeLast];

/// Whatever the workload and the skew, for no key, one, as many as workers, one more, and a thousand.
pub fn agrees_with_a_plain_loop<S: Subject>(binary: &Binary) {
    for keys in [0, 1, WORKERS, WORKERS + 1, 1_000] {
        let mut strategy = binary.start::<S>(WORKERS);
        for skew in SKEWS {
            for workload in BUILT_IN {
                let asked = Asked { job: job(keys, 5, skew), values: None, output_bytes: None };
                dispatch(workload.name, &asked, Agrees(&mut strategy)).unwrap();
            }
            let by_mt19937 = Parameters { skew, rng: Rng::Mt19937, ..parameters(keys, 5) };
            agrees(&mut strategy, Fill(Job::new(by_mt19937).unwrap()));
        }
    }

    struct Agrees<'a, S>(&'a mut S);

    impl<S: Subject> Use<S> for Agrees<'_, S> {
        type Result = ();

        fn with<W: BuiltIn>(self, workload: W)
        where
            S: Runs<W>,
        {
            agrees(self.0, workload);
        }
    }
}

/// Keys that compute, sleep, and give a small output or one that is sent in pieces; the program gives the same.
pub fn agrees_where_keys_compute_and_sleep<S: Subject>(binary: &Binary) {
    let wait = |bytes| Wait::new(job(20, 100, Skew::Zipf), 1_000, bytes).unwrap();
    let mut strategy = binary.start::<S>(WORKERS);
    for bytes in [8, 80, fanout::PIECE as u64 + 8] {
        agrees(&mut strategy, wait(bytes));
    }
    let flags = "--workload wait --keys 20 --count 100 --skew zipf --values 1000 --output-bytes 80";
    let report = json(&binary.run(&format!("{flags} --format json --digest")));
    assert_eq!(report["digest"], digest(&wait(80), &plain_loop(&wait(80))));
    assert_eq!(report["output_bytes"], 1_600);
}

/// The first key is the largest, so that every other is done before it.
pub fn keeps_key_order_when_late_keys_are_cheap<S: Subject>(binary: &Binary) {
    let mut strategy = binary.start::<S>(WORKERS);
    agrees(&mut strategy, Fill(job(40, 20_000, Skew::OneHuge)));
    agrees(&mut strategy, Wait::from(job(40, 2_000, Skew::OneHuge)));
}

/// What was started once runs any number of batches, of several workloads.
pub fn runs_batch_after_batch<S: Subject>(binary: &Binary) {
    let mut strategy = binary.start::<S>(WORKERS);
    for keys in [7, 7, 1, 0, 12] {
        agrees(&mut strategy, Fill(job(keys, 100, Skew::Uniform)));
        agrees(&mut strategy, Sum(job(keys, 100, Skew::Uniform)));
    }
}

/// A strategy is `Send`: it may be started on a thread that ends, used on another, and dropped on a third.
pub fn runs_on_another_thread_than_it_was_started_on<S: Subject>(binary: &Binary) {
    thread::scope(|scope| {
        let strategy = scope.spawn(|| binary.start::<S>(WORKERS)).join().unwrap();
        let strategy = scope.spawn(|| running(strategy)).join().unwrap();
        scope.spawn(|| drop(strategy)).join().unwrap();
    });

    fn running<S: Subject>(mut strategy: S) -> S {
        agrees(&mut strategy, Fill(job(7, 100, Skew::Uniform)));
        strategy
    }
}

/// A second after `Drop`: no thread, no child, no descriptor more than before.
pub fn leaves_nothing_behind<S: Subject>(binary: &Binary) {
    let before = Holdings::after(|| drop(used::<S>(binary)));
    for _ in 0..5 {
        drop(used::<S>(binary));
        let after = settled(&before, Holdings::now);
        assert_eq!(after, before, "left behind a second after Drop");
    }

    fn used<S: Subject>(binary: &Binary) -> S {
        let mut strategy = binary.start::<S>(WORKERS);
        agrees(&mut strategy, Fill(job(9, 10_000, Skew::Uniform)));
        let outcomes = strategy.run(&Arc::new(faulty(9, &[(4, FaultKind::Panic)])));
        assert_eq!(outcomes.iter().filter(|outcome| outcome.is_err()).count(), 1);
        strategy
    }
}

/// One key, two, all; whatever the payload. The strategy works on after it.
pub fn t1_a_panicking_key_is_its_outcome_alone<S: Subject>(binary: &Binary) {
    use FaultKind::{Panic, PanicLong, PanicOther, PanicString};
    let mut strategy = binary.start::<S>(WORKERS);
    let all: Vec<_> = (0..10).map(|key| (key, Panic)).collect();
    for faults in [&[(3, Panic)][..], &[(0, PanicString), (9, PanicLong)], &[(5, PanicOther)], &all] {
        let faulty = Arc::new(faulty(10, faults));
        let outcomes = strategy.run(&faulty);
        assert_eq!(outcomes.len(), 10);
        for (key, outcome) in outcomes.iter().enumerate() {
            match (faults.iter().find(|fault| fault.0 == key), outcome) {
                (None, Ok(output)) => assert_eq!(output.block, faulty.fill.expand(key)),
                (Some((_, kind)), Err(KeyError::Panicked { message })) => match kind {
                    Panic => assert_eq!(message, "a fault"),
                    PanicString => assert_eq!(*message, format!("a fault in key {key}")),
                    PanicLong => assert!(message.len() < 2_000 && message.contains("1000000 bytes"), "{message}"),
                    _ => assert_eq!(message, "a payload that is no string"),
                },
                (fault, outcome) => panic!("key {key} with {fault:?} gave {outcome:?}"),
            }
        }
    }
    agrees(&mut strategy, Fill(job(10, 100, Skew::Uniform)));
}

/// Part-way, at a limit on how many there may be: a key without a thread fails with the system's error, and so does a
/// strategy without one; what came back is right.
///
/// The limit is not one on the address space: std itself aborts when a thread has its stack and no room is left for the
/// stack of its signal handlers.
pub fn t2_a_refused_thread_is_an_error_or_a_shortfall<S: Subject>(binary: &Binary) {
    let fill = Fill(job(200, 10, Skew::Uniform));
    let flags = "--keys 200 --count 10 --workers 200 --format json --digest --fault 0:slow";
    assert!(binary.run(flags).stderr.is_empty());
    let mut bitten = false;
    let limits: Vec<_> = [1, 20].into_iter().filter_map(|tasks| Some((tasks, few_tasks(tasks)?))).collect();
    for (tasks, limit) in &limits {
        let output = binary.limited(limit, flags);
        assert!(matches!(output.status.code(), Some(0 | 1)), "{tasks} tasks: {output:?}");
        let told = stderr(&output);
        bitten |= told.contains("os error 11") || told.contains("of 200");
        if output.stdout.is_empty() {
            assert!(told.contains("could not start"), "{tasks} tasks: {output:?}");
            continue;
        }
        let report = json(&output);
        let failed = report["failed"].as_array().unwrap();
        for failure in failed {
            assert!(failure["reason"].as_str().unwrap().starts_with("could not be started"), "{failure}");
        }
        // A broker has threads of its own, and may leave no room for any other.
        assert!(*tasks == 1 || S::CLUSTER || failed.len() < 200, "twenty tasks, and no key came back: {output:?}");
        let mut whole = Digest::new();
        for key in (0..200).filter(|&key| !failed.iter().any(|failure| failure["key"] == key)) {
            whole.add(fill.key_bytes(key), &fill.output_bytes(&fill.expand(key)));
        }
        assert_eq!(report["digest"], whole.hex());
    }
    assert!(
        bitten || limits.is_empty() || most_threads(binary) == 1,
        "the limit never bit a strategy that has threads"
    );
}

/// Shell commands that leave the program that many tasks, which are processes and threads. Nothing, and a line that says
/// so, where there can be no such limit.
///
/// The system counts all tasks of a user together, and those of this test come and go. So the program runs where it is
/// counted alone. Root's limits do not hold, so root's program becomes a user that nobody else is; its file is opened
/// before, since that user may not reach it. Any other user's program gets a user namespace.
pub(crate) fn few_tasks(tasks: usize) -> Option<String> {
    let nobody_else = 1_000_000 + std::process::id();
    let user = format!("setpriv --reuid={nobody_else} --regid={nobody_else} --clear-groups");
    let counted_alone = [user.as_str(), "unshare --user"].into_iter().find(|place| has_room_for_two(place, 2));
    // At one there is no room for a second task, whatever else this user runs.
    let place = counted_alone.or((tasks == 1).then_some("env")).filter(|place| !has_room_for_two(place, 1));
    if place.is_none() {
        alone::not_tried(&format!("a task limit of {tasks}: no program of this user's is counted alone here"));
    }
    place.map(|place| format!(r#"exec 9<"$1"; shift; set -- {place} prlimit --nproc={tasks} /proc/self/fd/9 "$@""#))
}

/// Whether a program that is started by these words may start another at this limit. Before Linux 5.14 a user namespace
/// makes no difference to that, and where one is forbidden, nothing is started.
fn has_room_for_two(place: &str, limit: usize) -> bool {
    let mut words = place.split(' ');
    let mut command = Command::new(words.next().expect("a program"));
    command.args(words).arg("prlimit").arg(format!("--nproc={limit}")).args(["timeout", "10", "true"]);
    command.stdin(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

/// How many threads the program has while its first key does not end.
fn most_threads(binary: &Binary) -> usize {
    let reached = mark("reached");
    let fault = format!("0:sleep@{}", reached.display());
    let mut program = binary.command("--keys 200 --count 10 --workers 200 --fault").arg(fault).spawn().unwrap();
    all_there(&[reached]);
    let threads = fs::read_dir(format!("/proc/{}/task", program.id())).unwrap().count();
    program.kill().unwrap();
    program.wait().unwrap();
    threads
}

/// On threads the process dies with the key, without a report, and the strategy's README says that it does. Processes
/// survive it: see P3.
pub fn t3_a_key_that_ends_its_process_is_never_reported_as_success<S: Subject>(binary: &Binary) {
    for (kind, code, signal) in [
        ("abort", None, Some(6)),
        ("segv", None, Some(11)),
        ("stack-overflow", None, Some(6)),
        ("exit0", Some(0), None),
        ("exit42", Some(42), None),
    ] {
        let output = binary.run(&format!("--keys 5 --count 10 --fault 2:{kind} --format json --digest"));
        if S::PROCESSES {
            assert_eq!(output.status.code(), Some(1), "{kind}: {output:?}");
            assert_eq!(json(&output)["failed"][0]["key"], 2, "{kind}: {output:?}");
        } else {
            assert_eq!((output.status.code(), output.status.signal()), (code, signal), "{kind}: {output:?}");
            assert!(output.stdout.is_empty(), "{kind}: {output:?}");
        }
    }
}

/// Wherever the slow key is: it ends only once all others were reached, so one that waits behind it is a failure.
///
/// Of a strategy that is declared not to balance: that no key is lost, and that the declaration is true. A strategy for
/// which it is true passes however loaded the machine is, since a key behind the slow one is never reached.
pub fn t5_no_key_waits_behind_a_slow_one<S: Subject>(binary: &Binary) {
    const KEYS: usize = 20;
    const SLOW: [usize; 4] = [0, 1, KEYS / 2, KEYS - 1];
    let mut strategy = binary.start::<S>(2);
    let mut outcomes = |slow, kind| {
        let fault = |key| match key == slow {
            true => Fault { key, kind, once: None },
            false => Fault { key, kind: FaultKind::Mark, once: Some(mark(&format!("{kind:?}-{slow}-{key}"))) },
        };
        strategy.run(&Arc::new(Faulty { faults: (0..KEYS).map(fault).collect(), ..faulty(KEYS, &[]) }))
    };
    let fill = faulty(KEYS, &[]).fill;
    for slow in SLOW {
        let kind = if binary.balances { FaultKind::Patient } else { FaultKind::Slow };
        for (key, outcome) in outcomes(slow, kind).into_iter().enumerate() {
            let output = outcome.unwrap_or_else(|error| panic!("key {key}, where {slow} is slow: {error}"));
            assert_eq!(output.block, fill.expand(key));
        }
    }
    let keys_wait = |slow| outcomes(slow, FaultKind::Impatient)[slow].is_err();
    assert!(
        binary.balances || SLOW.into_iter().any(keys_wait),
        "no key waited behind a slow one: this strategy balances. Remove `, does_not_balance` from its tests/laws.rs"
    );
}

/// NaNs with their payload, infinities, zeros of both signs, subnormals.
pub fn e1_carries_every_bit<S: Subject>(binary: &Binary) {
    let faulty = faulty(3, &[(1, FaultKind::Specials)]);
    let outcomes = binary.start::<S>(2).run(&Arc::new(faulty));
    let bits = |values: &[f64]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
    let block = &outcomes[1].as_ref().unwrap().block;
    assert!(block.len() > Faulty::SPECIALS.len());
    for specials in block.chunks(Faulty::SPECIALS.len()) {
        assert_eq!(bits(specials), bits(&Faulty::SPECIALS[..specials.len()]));
    }
}

/// A key is told from another by its place, not by what it is.
pub fn e2_equal_keys_all_come_back<S: Subject>(binary: &Binary) {
    let same: Vec<_> = (0..20).map(|key| (key, FaultKind::Specials)).collect();
    let outcomes = binary.start::<S>(WORKERS).run(&Arc::new(faulty(20, &same)));
    assert_eq!(outcomes.len(), 20);
    for outcome in outcomes {
        assert_eq!(outcome.unwrap().block[2], f64::INFINITY);
    }
}

/// From one to more than there are keys.
pub fn e4_gives_the_same_digest_with_any_number_of_workers<S: Subject>(binary: &Binary) {
    let fill = Arc::new(Fill(job(23, 1_000, Skew::Zipf)));
    let expected = digest(&*fill, &plain_loop(&*fill));
    for workers in [1, 2, 3, 8, 100] {
        let outcomes = binary.start::<S>(workers).run(&fill);
        assert_eq!(digest(&*fill, &outcomes), expected, "{workers} workers");
    }
}

/// Under its own name, and with the digest of a plain loop. The rest of the command line is the same code whatever the
/// strategy, and is tested once, in the harness's `tests/command_line.rs`.
pub fn the_binary_runs_the_strategy<S: Subject>(binary: &Binary) {
    let fill = Fill(job(7, 1_000, Skew::Zipf));
    let output = binary.run("--keys 7 --count 1000 --skew zipf --format json --digest");
    assert!(output.status.success(), "{output:?}");
    let report = json(&output);
    assert_eq!(report["strategy"], binary.name());
    assert_eq!(report["digest"], digest(&fill, &plain_loop(&fill)));
}

/// Processes keep it, whatever the key does; threads cannot, and say so.
pub fn a_deadline_is_kept_or_refused<S: Subject>(binary: &Binary) {
    if !S::PROCESSES {
        let output = binary.run("--deadline 5");
        assert_eq!(output.status.code(), Some(2));
        assert!(stderr(&output).contains("--deadline") && stderr(&output).contains("thread"), "{output:?}");
        return;
    }
    let start = Instant::now();
    let output =
        binary.run("--keys 6 --count 10 --workers 2 --deadline 0.2 --fault 1:hang --fault 4:stop --format json");
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
    assert_eq!(output.status.code(), Some(1));
    let report = json(&output);
    let failed: Vec<_> = report["failed"].as_array().unwrap().iter().map(|failure| &failure["key"]).collect();
    assert_eq!(failed, [1, 4]);
    assert!(stderr(&output).contains("key 4: ran past its deadline of 200ms"), "{output:?}");
}

impl Binary {
    /// What the strategy is told: its worker processes are the real program, not the test.
    pub fn context(&self, workers: usize) -> Context {
        let workers = NonZeroUsize::new(workers).expect("a law has workers");
        Context::new(workers).with_worker_command(WorkerCommand::of(self.path))
    }

    /// A strategy that is told that.
    pub fn start<S: Strategy>(&self, workers: usize) -> S {
        S::start(&self.context(workers)).expect("a strategy that starts")
    }

    /// The program with these flags.
    pub fn command(&self, flags: &str) -> Command {
        let mut command = Command::new(self.path);
        command.args(flags.split_whitespace()).stdin(Stdio::null());
        command
    }

    /// Runs the program with these flags.
    pub fn run(&self, flags: &str) -> Output {
        self.command(flags).output().unwrap()
    }

    /// Runs the program with these flags, from a shell that has run `limits` first.
    pub fn limited(&self, limits: &str, flags: &str) -> Output {
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("{limits}; exec \"$@\""), "sh", self.path]).args(flags.split_whitespace());
        shell.stdin(Stdio::null()).output().unwrap()
    }

    /// What the strategy is called.
    pub fn name(&self) -> &str {
        self.path.rsplit('/').next().expect("a path has a last part")
    }
}

/// The parameters of a job of `keys` keys with `count` values each, on average.
fn parameters(keys: usize, count: u64) -> Parameters {
    Parameters { keys, count, ..Parameters::default() }
}

/// A job by the default generator and seed.
pub fn job(keys: usize, count: u64, skew: Skew) -> Job {
    Job::new(Parameters { skew, ..parameters(keys, count) }).expect("a law's job is in range")
}

/// Blocks of 100 values, with faults.
pub fn faulty(keys: usize, faults: &[(usize, FaultKind)]) -> Faulty {
    let faults = faults.iter().map(|&(key, kind)| Fault { key, kind, once: None }).collect();
    Faulty::new(Fill(job(keys, 100, Skew::Uniform)), faults)
}

/// What every strategy must agree with.
pub fn plain_loop<W: Workload>(workload: &W) -> Vec<Outcome<W::Output>> {
    (0..workload.keys()).map(|index| Ok(workload.expand(index))).collect()
}

/// Runs the workload, and compares every outcome with the plain loop's.
pub fn agrees<S: Runs<W>, W: Verifiable + Debug>(strategy: &mut S, workload: W) {
    let workload = Arc::new(workload);
    let outcomes = strategy.run(&workload);
    assert_eq!(outcomes.len(), workload.keys(), "{workload:?}");
    for (key, outcome) in outcomes.iter().enumerate() {
        let output = outcome.as_ref().unwrap_or_else(|error| panic!("key {key} of {workload:?}: {error}"));
        let expected = workload.expand(key);
        let same = workload.output_bytes(output) == workload.output_bytes(&expected);
        assert!(same, "key {key} of {workload:?} differs");
    }
}

/// The digest of those keys of `fill` that came back, one after the other: no more than one output is there at a time.
pub fn digest_of_fill(keys: usize, count: u64, came_back: impl Fn(usize) -> bool) -> String {
    let fill = Fill(job(keys, count, Skew::Uniform));
    let mut digest = Digest::new();
    for key in (0..keys).filter(|&key| came_back(key)) {
        digest.add(fill.key_bytes(key), &fill.output_bytes(&fill.expand(key)));
    }
    digest.hex()
}

/// The digest of the keys that came back.
pub fn digest<W: Verifiable>(workload: &W, outcomes: &[Outcome<W::Output>]) -> String {
    let mut digest = Digest::new();
    for (key, outcome) in outcomes.iter().enumerate() {
        if let Ok(output) = outcome {
            digest.add(workload.key_bytes(key), &workload.output_bytes(output));
        }
    }
    digest.hex()
}

/// The one object that is all of the program's stdout.
pub fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error} in {output:?}"))
}

/// What the program said on stderr.
pub fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[cfg(test)]
mod tests {
    use std::panic;

    use kernel::StartError;

    use super::*;
    use crate::alone::alone;

    /// Starts a thread for each key.
    struct Balanced;

    impl Strategy for Balanced {
        fn start(_: &Context) -> Result<Self, StartError> {
            Ok(Balanced)
        }
    }

    impl<W: Workload> Runs<W> for Balanced {
        fn run(&mut self, workload: &Arc<W>) -> Vec<Outcome<W::Output>> {
            thread::scope(|scope| {
                let keys: Vec<_> =
                    (0..workload.keys()).map(|index| scope.spawn(move || workload.attempt(index))).collect();
                keys.into_iter().map(|key| key.join().unwrap()).collect()
            })
        }
    }

    /// Runs key after key.
    struct Unbalanced;

    impl Strategy for Unbalanced {
        fn start(_: &Context) -> Result<Self, StartError> {
            Ok(Unbalanced)
        }
    }

    impl<W: Workload> Runs<W> for Unbalanced {
        fn run(&mut self, workload: &Arc<W>) -> Vec<Outcome<W::Output>> {
            (0..workload.keys()).map(|index| workload.attempt(index)).collect()
        }
    }

    const NOT_BALANCING: Binary = Binary { path: "", test: "", balances: false };

    #[test]
    fn a_strategy_that_balances_may_not_be_declared_otherwise() {
        alone("laws::tests::a_strategy_that_balances_may_not_be_declared_otherwise", || {
            let law = panic::catch_unwind(|| t5_no_key_waits_behind_a_slow_one::<Balanced>(&NOT_BALANCING));
            let message = law.unwrap_err().downcast::<&str>().unwrap();
            assert!(message.ends_with("Remove `, does_not_balance` from its tests/laws.rs"), "{message}");
        });
    }

    #[test]
    fn a_strategy_that_does_not_balance_may_be_declared_so() {
        alone("laws::tests::a_strategy_that_does_not_balance_may_be_declared_so", || {
            t5_no_key_waits_behind_a_slow_one::<Unbalanced>(&NOT_BALANCING);
        });
    }
}
