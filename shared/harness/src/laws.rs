//! The laws that every strategy keeps, one function each. [`laws!`](crate::laws!) owns the list and makes one `#[test]`
//! of each, so that no strategy can forget one.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::io::Read;
use std::num::NonZeroUsize;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use kernel::{
    Context, Digest, Fill, Job, KeyError, Outcome, Parameters, Rng, Runs, Skew, Strategy, Sum, Verifiable, Wait,
    WorkerCommand, Workload,
};
use serde_json::Value;

use crate::{Fault, FaultKind, Faulty};

/// Makes one test of each law. `tests/laws.rs` of a strategy is this one line:
///
/// ```ignore
/// harness::laws!(rayon_iter::RayonIter);
/// ```
#[macro_export]
macro_rules! laws {
    ($strategy:ty) => {
        $crate::laws! {
            $strategy:
            agrees_with_a_plain_loop,
            keeps_key_order_when_late_keys_are_cheap,
            gives_the_same_digest_with_any_number_of_workers,
            carries_every_bit,
            a_panicking_key_is_its_outcome_alone,
            runs_batch_after_batch,
            runs_on_another_thread_than_it_was_started_on,
            leaves_nothing_behind,
            the_binary_prints_the_librarys_digest,
            the_binary_dumps_what_it_digests,
            the_binary_reports_as_documented,
            the_binary_names_the_keys_that_failed,
            the_binary_refuses_bad_input,
            the_binary_ends_quietly_when_its_reader_does,
            a_deadline_is_kept_or_refused,
        }
    };
    ($strategy:ty: $($law:ident,)*) => {
        $(
            #[test]
            fn $law() {
                $crate::laws::$law::<$strategy>(&$crate::laws::Binary {
                    path: env!(concat!("CARGO_BIN_EXE_", env!("CARGO_PKG_NAME"))),
                });
            }
        )*
    };
}

/// The strategy's program: what a process strategy runs its keys in, and what the laws of the command line start.
pub struct Binary {
    /// Where it is.
    pub path: &'static str,
}

/// A strategy that runs everything that the command line offers.
pub trait Subject: Runs<Fill> + Runs<Sum> + Runs<Wait> + Runs<Faulty> {}

impl<S: Runs<Fill> + Runs<Sum> + Runs<Wait> + Runs<Faulty>> Subject for S {}

/// How many workers the laws run with: more than one, and no power of two.
const WORKERS: usize = 3;

const SKEWS: [Skew; 4] = [Skew::Uniform, Skew::Zipf, Skew::OneHuge, Skew::OneHugeLast];

/// Bounds what has to happen soon, such as the end of threads after `Drop`: the promise is a second.
const SOON: Duration = Duration::from_secs(1);

/// Whatever the workload and the skew, for no key, one, as many as workers, one more, and a thousand.
pub fn agrees_with_a_plain_loop<S: Subject>(binary: &Binary) {
    for keys in [0, 1, WORKERS, WORKERS + 1, 1_000] {
        let mut strategy = binary.start::<S>(WORKERS);
        for skew in SKEWS {
            for rng in [Rng::Xoshiro, Rng::Mt19937] {
                let job = Parameters { skew, rng, ..parameters(keys, 5) };
                agrees(&mut strategy, Fill(Job::new(job).unwrap()));
            }
            agrees(&mut strategy, Sum(job(keys, 5, skew)));
            agrees(&mut strategy, Wait(job(keys, 1, skew)));
        }
    }
}

/// The first key is the largest, so that every other is done before it.
pub fn keeps_key_order_when_late_keys_are_cheap<S: Subject>(binary: &Binary) {
    let mut strategy = binary.start::<S>(WORKERS);
    agrees(&mut strategy, Fill(job(40, 20_000, Skew::OneHuge)));
    agrees(&mut strategy, Wait(job(40, 2_000, Skew::OneHuge)));
}

/// From one to more than there are keys.
pub fn gives_the_same_digest_with_any_number_of_workers<S: Subject>(binary: &Binary) {
    let fill = Arc::new(Fill(job(23, 1_000, Skew::Zipf)));
    let expected = digest(&*fill, &plain_loop(&*fill));
    for workers in [1, 2, 3, 8, 100] {
        let outcomes = binary.start::<S>(workers).run(&fill);
        assert_eq!(digest(&*fill, &outcomes), expected, "{workers} workers");
    }
}

/// NaNs with their payload, infinities, zeros of both signs, subnormals; and the same values under several keys.
pub fn carries_every_bit<S: Subject>(binary: &Binary) {
    let faulty = faulty(4, &[(0, FaultKind::Specials), (2, FaultKind::Specials)]);
    let outcomes = binary.start::<S>(2).run(&Arc::new(faulty));
    let bits = |values: &[f64]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
    for key in [0, 2] {
        let block = &outcomes[key].as_ref().unwrap().block;
        assert!(block.len() > Faulty::SPECIALS.len());
        for specials in block.chunks(Faulty::SPECIALS.len()) {
            assert_eq!(bits(specials), bits(&Faulty::SPECIALS[..specials.len()]));
        }
    }
}

/// One key, two, all; whatever the payload. The strategy works on after it.
pub fn a_panicking_key_is_its_outcome_alone<S: Subject>(binary: &Binary) {
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

/// A second after `Drop`: no thread, no child, no descriptor more than before. In a process of its own, since other
/// tests of this one have threads.
pub fn leaves_nothing_behind<S: Subject>(binary: &Binary) {
    const ALONE: &str = "FANOUT_LAW_ALONE";
    if env::var_os(ALONE).is_none() {
        let this_test = ["leaves_nothing_behind", "--exact", "--test-threads=1", "--nocapture"];
        let output = Command::new(env::current_exe().unwrap()).args(this_test).env(ALONE, "1").output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert!(String::from_utf8_lossy(&output.stdout).contains("1 passed"), "the law did not run");
        return;
    }
    // What the first use of anything opens for good is not the strategy's.
    drop(used::<S>(binary));
    let before = settled(&Holdings::now(), Holdings::now);
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

/// What a process holds that a strategy could have left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holdings {
    threads: usize,
    children: BTreeSet<String>,
    descriptors: BTreeSet<String>,
    /// Entries of `/dev/shm` and of the temporary folder that this process owns the name of.
    files: usize,
}

impl Holdings {
    /// Of this process, now. Empty where there is no `/proc`.
    pub fn now() -> Self {
        let names = |folder: &str| {
            let entries = fs::read_dir(folder).into_iter().flatten();
            entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect::<BTreeSet<_>>()
        };
        let threads = names("/proc/self/task");
        let children = threads.iter().flat_map(|thread| {
            let file = format!("/proc/self/task/{thread}/children");
            let pids = fs::read_to_string(file).unwrap_or_default();
            pids.split_whitespace().map(str::to_owned).collect::<Vec<_>>()
        });
        Holdings {
            threads: threads.len(),
            children: children.collect(),
            descriptors: names("/proc/self/fd"),
            files: names("/dev/shm").len(),
        }
    }
}

/// Asks until the answer is `wanted`, for a second at most; the last answer.
pub fn settled<T: PartialEq>(wanted: &T, now: impl Fn() -> T) -> T {
    let deadline = Instant::now() + SOON;
    loop {
        let answer = now();
        if answer == *wanted || Instant::now() > deadline {
            return answer;
        }
        thread::sleep(Duration::from_millis(5));
    }
}

/// The same flags, the same digest, with no strategy in between.
pub fn the_binary_prints_the_librarys_digest<S: Subject>(binary: &Binary) {
    let check = |flags: &str, expected: String| {
        let report = json(&binary.run(&format!("{flags} --format json --digest")));
        assert_eq!(report["digest"], expected, "{flags}");
        let expect = binary.run(&format!("{flags} --repeat 2 --expect {expected}"));
        assert!(expect.status.success(), "{expect:?}");
    };
    let job = |text: &str| Job::new(serde_json::from_str(text).unwrap()).unwrap();
    let fill = Fill(job(r#"{"keys":7,"count":1000,"skew":"Zipf","rng":"Xoshiro","seed":42}"#));
    check("--keys 7 --count 1000 --skew zipf", digest(&fill, &plain_loop(&fill)));
    let sum = Sum(job(r#"{"keys":9,"count":10,"skew":"OneHuge","rng":"Mt19937","seed":7}"#));
    check("--workload sum --keys 9 --count 10 --skew one-huge --rng mt19937 --seed 7", digest(&sum, &plain_loop(&sum)));
    let wait = Wait(job(r#"{"keys":5,"count":1,"skew":"Uniform","rng":"Xoshiro","seed":42}"#));
    check("--workload wait --keys 5 --count 1", digest(&wait, &plain_loop(&wait)));
    check("--keys 0", Digest::new().hex());

    let wrong = binary.run(&format!("--keys 2 --count 2 --expect {}", "0".repeat(32)));
    assert_eq!(wrong.status.code(), Some(1));
    assert!(stderr(&wrong).contains("--expect says"), "{wrong:?}");
}

/// `--dump` is the bytes that `--digest` hashes, and nothing else.
pub fn the_binary_dumps_what_it_digests<S: Subject>(binary: &Binary) {
    let fill = Fill(job(5, 300, Skew::Uniform));
    let dumped = binary.run("--keys 5 --count 300 --dump --digest");
    assert!(dumped.status.success(), "{dumped:?}");
    let mut expected = Vec::new();
    for key in 0..5 {
        expected.extend_from_slice(&fill.key_bytes(key));
        expected.extend_from_slice(&fill.output_bytes(&fill.expand(key)));
    }
    assert!(dumped.stdout == expected, "{} bytes of {}", dumped.stdout.len(), expected.len());
    assert!(stderr(&dumped).contains(&digest(&fill, &plain_loop(&fill))), "{dumped:?}");
}

/// Every field that the documentation promises, and nothing on stdout beside the object.
pub fn the_binary_reports_as_documented<S: Subject>(binary: &Binary) {
    let report = json(&binary.run("--keys 4 --count 10 --workers 2 --seed 9 --repeat 3 --format json"));
    let name = binary.name();
    for (field, expected) in [
        ("strategy", Value::from(name)),
        ("workload", "fill".into()),
        ("keys", 4.into()),
        ("count", 10.into()),
        ("skew", "uniform".into()),
        ("rng", "xoshiro".into()),
        ("seed", 9.into()),
        ("workers", 2.into()),
        ("output_bytes", 320.into()),
        ("failed", Vec::<Value>::new().into()),
        ("digest", Value::Null),
    ] {
        assert_eq!(report[field], expected, "{field}");
    }
    for (field, batches) in [("run_ns", 3), ("drop_ns", 3)] {
        assert_eq!(report[field].as_array().unwrap().len(), batches, "{field}");
    }
    assert!(report["start_ns"].is_u64() && report["stop_ns"].is_u64());
    assert_eq!(json(&binary.run("--keys 2 --count 10 --workers 5 --format json"))["workers"], 2);

    let nothing = json(&binary.run("--keys 0 --format json"));
    assert_eq!((&nothing["start_ns"], &nothing["stop_ns"]), (&0.into(), &0.into()));
    assert_eq!((&nothing["run_ns"], &nothing["drop_ns"]), (&Value::Array(vec![]), &Value::Array(vec![])));
    assert_eq!(json(&binary.run("--keys 3 --count 0 --format json"))["output_bytes"], 0);

    let human = binary.run("--keys 4 --count 10");
    for word in [name, "start", "run", "drop", "stop"] {
        assert!(String::from_utf8_lossy(&human.stdout).contains(word), "{human:?}");
    }
    let help = binary.run("--help");
    assert!(help.status.success() && String::from_utf8_lossy(&help.stdout).contains("Examples:"), "{help:?}");

    let workers = |variable: &str| {
        let arguments = "--keys 9 --count 1 --format json".split(' ');
        Command::new(binary.path).args(arguments).env("FANOUT_WORKERS", variable).output().unwrap()
    };
    assert_eq!(json(&workers("7"))["workers"], 7);
    for bad in ["0", "abc", ""] {
        let refused = workers(bad);
        assert_eq!(refused.status.code(), Some(2), "{bad}");
        assert!(stderr(&refused).contains("FANOUT_WORKERS"), "{refused:?}");
    }
}

/// A failed key is in the report and on stderr; the others still count, and are digested.
pub fn the_binary_names_the_keys_that_failed<S: Subject>(binary: &Binary) {
    let output = binary.run("--keys 5 --count 10 --fault 1:panic --fault 3:panic-string --format json --digest");
    assert_eq!(output.status.code(), Some(1));
    let report = json(&output);
    let failed: Vec<_> = report["failed"].as_array().unwrap().iter().map(|failure| &failure["key"]).collect();
    assert_eq!(failed, [1, 3]);
    assert_eq!(report["failed"][1]["reason"], "panicked: a fault in key 3");
    assert_eq!(report["output_bytes"], 240);
    assert!(stderr(&output).contains("key 1: panicked: a fault"), "{output:?}");

    let fill = Fill(job(5, 10, Skew::Uniform));
    let mut others = Digest::new();
    for key in [0, 2, 4] {
        others.add(fill.key_bytes(key), &fill.output_bytes(&fill.expand(key)));
    }
    assert_eq!(report["digest"], others.hex());
}

/// Each kind of wrong input: status 2, one line, and it names the flag. Nothing on stdout.
pub fn the_binary_refuses_bad_input<S: Subject>(binary: &Binary) {
    for (flags, named) in [
        ("--workers 0", "--workers"),
        ("--workers two", "--workers"),
        ("--keys -1", "--keys"),
        ("--keys 1.5", "--keys"),
        ("--count many", "--count"),
        ("--count 1000000000000", "--count"),
        ("--keys 1000000000000000 --count 0", "--keys"),
        ("--keys 4294967296 --count 4294967296 --workload sum", "--keys"),
        ("--keys 4294967296 --rng mt19937 --workload wait", "--keys"),
        ("--seed 18446744073709551616", "--seed"),
        ("--workload fil", "'fill'"),
        ("--skew zip", "'zipf'"),
        ("--rng mt1993", "'mt19937'"),
        ("--format xml", "--format"),
        ("--repeat 0", "--repeat"),
        ("--deadline 0", "--deadline"),
        ("--deadline soon", "--deadline"),
        ("--expect 1234", "--expect"),
        ("--dump --format json", "--dump"),
        ("--dump --repeat 2", "--dump"),
        ("--fault 1", "--fault"),
        ("--fault 1:nonsense", "--fault"),
        ("--fault 100:panic", "--fault"),
        ("--fault 1:panic --workload sum", "--fault"),
        ("--wrokers 2", "--workers"),
        ("--nonsense", "--nonsense"),
        ("nonsense", "nonsense"),
    ] {
        let output = binary.run(flags);
        assert_eq!(output.status.code(), Some(2), "{flags}: {output:?}");
        let told = stderr(&output);
        assert!(told.contains(named) && told.trim_end().lines().count() == 1, "{flags}: {told}");
        assert!(output.stdout.is_empty(), "{flags}: {output:?}");
    }
}

/// `| head -c 10`: no panic, no message, and the status of the run.
pub fn the_binary_ends_quietly_when_its_reader_does<S: Subject>(binary: &Binary) {
    for flags in
        ["--keys 4 --count 100000 --dump", "--keys 4 --count 10 --format json", "--keys 4 --count 10", "--help"]
    {
        let mut command = Command::new(binary.path);
        command.args(flags.split(' ')).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut stdout = child.stdout.take().unwrap();
        stdout.read_exact(&mut [0; 10]).unwrap();
        drop(stdout);
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{flags}: {output:?}");
        assert!(!stderr(&output).contains("panicked"), "{flags}: {output:?}");
    }
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

    fn start<S: Strategy>(&self, workers: usize) -> S {
        S::start(&self.context(workers)).expect("a strategy that starts")
    }

    /// Runs the program with these flags, in an environment that chooses nothing for it.
    pub fn run(&self, flags: &str) -> Output {
        let mut command = Command::new(self.path);
        command.args(flags.split(' ')).env_remove("FANOUT_WORKERS").stdin(Stdio::null()).output().unwrap()
    }

    fn name(&self) -> &str {
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
    Faulty { fill: Fill(job(keys, 100, Skew::Uniform)), faults }
}

/// What every strategy must agree with.
fn plain_loop<W: Workload>(workload: &W) -> Vec<Outcome<W::Output>> {
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
