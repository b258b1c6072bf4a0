//! The laws of a strategy's `examples/plain.rs`, the version to take home, one function each. It names nothing of
//! fanout, so [`laws!`](crate::laws!) cannot be held against it; [`plain_laws!`](crate::plain_laws!) can.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use std::{fs, process};

use crate::alone::{self, mark};
use crate::laws::WORKERS;

/// Makes one test of each law. `tests/laws.rs` of a strategy has one line for it, which says how many keys its
/// `map_keys` runs at once ([`AtOnce`]):
///
/// ```ignore
/// harness::plain_laws!(at_once: Workers);
/// ```
///
/// Of one under which keys wait behind a slow one:
///
/// ```ignore
/// harness::plain_laws!(at_once: Workers, does_not_balance);
/// ```
///
/// Of one that is called otherwise, or whose `f` may not borrow:
///
/// ```ignore
/// harness::plain_laws!(at_once: Workers, |keys, workers, f| plain::map_keys(&plain::start(workers), keys, f));
/// ```
///
/// Of one whose keys run in processes, by commands that a [`Script`] makes:
///
/// ```ignore
/// harness::plain_laws!(processes, |keys, workers, script| plain::map_keys(keys, workers, |key| script.of_key(key)));
/// ```
#[macro_export]
macro_rules! plain_laws {
    (at_once: $at_once:ident) => {
        $crate::plain_laws!(at_once: $at_once, |keys, workers, f| plain::map_keys(keys, workers, f));
        $crate::plain_laws!(@borrows);
    };
    (at_once: $at_once:ident, does_not_balance) => {
        $crate::plain_laws!(@on_any_threads $at_once, |keys, workers, f| plain::map_keys(keys, workers, f));
        $crate::plain_laws!(@borrows);
    };
    (at_once: $at_once:ident, |$keys:ident, $workers:ident, $f:ident| $map_keys:expr) => {
        $crate::plain_laws!(@on_any_threads $at_once, |$keys, $workers, $f| $map_keys);
        $crate::plain_laws!(@tests plain_version: plain_lets_no_key_wait_behind_a_slow_one,);
    };
    (@on_any_threads $at_once:ident, |$keys:ident, $workers:ident, $f:ident| $map_keys:expr) => {
        $crate::plain_laws!(@module);

        fn plain_version() -> $crate::plain::Version {
            let map_keys = |$keys: usize, $workers: usize, $f: $crate::plain::F| {
                let $f = move |key| $f(key);
                $map_keys
            };
            $crate::plain::Version { map_keys, at_once: $crate::plain::AtOnce::$at_once }
        }

        $crate::plain_laws! {
            @tests plain_version:
            plain_gives_each_keys_output_in_key_order,
            plain_runs_as_many_keys_at_once_as_it_says,
            plain_passes_a_panic_on,
        }
    };
    (processes, |$keys:ident, $workers:ident, $script:ident| $map_keys:expr) => {
        $crate::plain_laws!(@module);

        fn plain_version() -> $crate::plain::Processes {
            |$keys: usize, $workers: usize, $script: &$crate::plain::Script| $map_keys
        }

        $crate::plain_laws! {
            @tests plain_version:
            plain_processes_give_each_keys_output_in_key_order,
            plain_processes_run_as_many_keys_at_once_as_there_are_workers,
            plain_processes_let_no_key_wait_behind_a_slow_one,
            plain_processes_never_lose_a_failure,
        }
    };
    (@borrows) => {
        #[test]
        fn plain_lets_f_and_its_outputs_borrow() {
            $crate::alone::alone("plain_lets_f_and_its_outputs_borrow", || {
                let words = ["to", "be", "or", "not"].map(String::from);
                assert_eq!(plain::map_keys(words.len(), 2, |key| &words[key]), words.each_ref());
            });
        }
    };
    (@module) => {
        #[path = "../examples/plain.rs"]
        #[allow(dead_code, reason = "its main is run as the example's")]
        pub mod plain;
    };
    (@tests $version:ident: $($test:ident,)*) => {
        $(
            #[test]
            fn $test() {
                $crate::alone::alone(stringify!($test), || $crate::plain::$test(&$version()));
            }
        )*
    };
}

/// What a law maps keys by. It can be copied to any thread, so that versions that borrow it and versions that own it have
/// the same laws.
pub type F = Arc<dyn Fn(usize) -> u64 + Send + Sync>;

/// The version to take home that is tested.
#[derive(Clone, Copy, Debug)]
pub struct Version {
    /// Calls its `map_keys` with a number of keys and of workers.
    pub map_keys: fn(usize, usize, F) -> Vec<u64>,
    /// How many keys run at once.
    pub at_once: AtOnce,
}

/// Calls a `map_keys` whose keys run in processes with a number of keys and of workers.
pub type Processes = fn(usize, usize, &Script) -> Vec<String>;

/// What a shell does for a key: it finds it in `$key`, and leaves its output in `$output`.
#[derive(Clone, Debug)]
pub struct Script(String);

impl Script {
    /// A process that prints the output of one key.
    pub fn of_key(&self, key: usize) -> Command {
        shell(&format!("key={key}; {}; printf %s \"$output\"", self.0))
    }

    /// A process that reads a key from each line, and prints its output on a line.
    pub fn of_each_line(&self) -> Command {
        shell(&format!("while read -r key; do {}; echo \"$output\"; done", self.0))
    }
}

fn shell(commands: &str) -> Command {
    let mut shell = Command::new("sh");
    shell.args(["-eu", "-c", commands]);
    shell
}

/// How many keys run at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AtOnce {
    /// One, whatever the number of workers.
    One,
    /// As many as there are workers.
    Workers,
    /// All, whatever the number of workers.
    Keys,
}

/// Bounds the wait for what must happen, on a machine that is loaded. When it passes, the law is broken. The tests below
/// break the laws, and wait for nothing else.
const PATIENCE: Duration = Duration::from_secs(if cfg!(test) { 1 } else { 20 });

/// How long a law gives what must not happen to happen. A version that keeps the law passes however short this is; one
/// that breaks it shows so within a thread's start, which is well under a millisecond.
const CHANCE: Duration = Duration::from_millis(50);

/// For no key, one and many workers, fewer keys than workers, and a thousand. No worker is as good as one.
pub fn plain_gives_each_keys_output_in_key_order(version: &Version) {
    for (keys, workers) in [(0, WORKERS), (1, 100), (2, WORKERS), (1_000, WORKERS), (5, 1), (5, 0), (0, 0)] {
        let runs: Arc<Vec<AtomicUsize>> = Arc::new((0..keys).map(|_| AtomicUsize::new(0)).collect());
        let counted = Arc::clone(&runs);
        let square = move |key: usize| {
            counted[key].fetch_add(1, Ordering::Relaxed);
            (key * key) as u64
        };
        let outputs = (version.map_keys)(keys, workers, Arc::new(square));
        let expected: Vec<_> = (0..keys as u64).map(|key| key * key).collect();
        assert_eq!(outputs, expected, "{keys} keys on {workers} workers");
        let runs: BTreeSet<_> = runs.iter().map(|runs| runs.load(Ordering::Relaxed)).collect();
        assert!(runs.iter().all(|&runs| runs == 1), "keys were run so many times: {runs:?}");
    }
}

/// Never more, and really as many: the first keys end only once so many run.
pub fn plain_runs_as_many_keys_at_once_as_it_says(version: &Version) {
    const KEYS: usize = 20;
    let wanted = match version.at_once {
        AtOnce::One => 1,
        AtOnce::Workers => WORKERS,
        AtOnce::Keys => KEYS,
    };
    let most = Arc::new(Counts::default());
    let counts = Arc::clone(&most);
    let meet = move |key| {
        counts.change(|counts| {
            counts.running += 1;
            counts.most = counts.most.max(counts.running);
        });
        counts.wait_for(PATIENCE, |counts| counts.most >= wanted).expect("fewer keys than it says run at once");
        if key < wanted {
            let _kept = counts.wait_for(CHANCE, |counts| counts.most > wanted);
        }
        counts.change(|counts| counts.running -= 1);
        0
    };
    (version.map_keys)(KEYS, WORKERS, Arc::new(meet));
    assert_eq!(most.lock().most, wanted, "so many keys ran at once");
}

/// Wherever it is: it ends only once all others have.
pub fn plain_lets_no_key_wait_behind_a_slow_one(version: &Version) {
    const KEYS: usize = 20;
    for slow in [0, 1, KEYS / 2, KEYS - 1] {
        let counts = Counts::default();
        let wait = move |key| {
            if key == slow {
                counts.wait_for(PATIENCE, |counts| counts.ended == KEYS - 1).expect("a key waits behind a slow one");
            }
            counts.change(|counts| counts.ended += 1);
            0
        };
        (version.map_keys)(KEYS, 2, Arc::new(wait));
    }
}

/// With what it panicked with, whichever key it was, and also if all do.
pub fn plain_passes_a_panic_on(version: &Version) {
    const MESSAGE: &str = "this key panics";
    let panicked = |panics: fn(usize) -> bool| {
        let f = move |key| if panics(key) { panic!("{MESSAGE}") } else { 0 };
        let outputs = catch_unwind(AssertUnwindSafe(|| (version.map_keys)(10, WORKERS, Arc::new(f))));
        outputs.expect_err("a panic was lost")
    };
    for panics in [|key| key == 0, |key| key == 4, |key| key == 9, |_| true] {
        let payload = panicked(panics);
        let message = payload.downcast_ref::<&str>().copied();
        assert_eq!(message.or(payload.downcast_ref::<String>().map(String::as_str)), Some(MESSAGE));
    }
}

/// As [`plain_gives_each_keys_output_in_key_order`]; and no process is left.
pub fn plain_processes_give_each_keys_output_in_key_order(map_keys: &Processes) {
    for (keys, workers) in [(0, WORKERS), (1, 100), (2, WORKERS), (1_000, WORKERS), (5, 1), (5, 0), (0, 0)] {
        let ran = mark(&format!("ran-{keys}-{workers}"));
        fs::write(&ran, "").expect("a file for a test's marks");
        let script = Script(format!("echo $key >> {}; output=$((key * key))", ran.display()));
        let outputs = map_keys(keys, workers, &script);
        let expected: Vec<_> = (0..keys).map(|key| (key * key).to_string()).collect();
        assert_eq!(outputs, expected, "{keys} keys on {workers} workers");
        let mut ran: Vec<usize> = lines(&ran).map(|key| key.parse().expect("a key")).collect();
        ran.sort_unstable();
        assert!(ran.into_iter().eq(0..keys), "{keys} keys on {workers} workers: each is to run once");
        assert_eq!(alone::children(process::id()), [0; 0], "children of {keys} keys on {workers} workers");
    }
}

/// Never more, and really as many: the first keys end only once so many run.
pub fn plain_processes_run_as_many_keys_at_once_as_there_are_workers(map_keys: &Processes) {
    let changes = mark("changes");
    let file = changes.display();
    let enough = until(&format!("[ $(grep -c begins {file}) -ge {WORKERS} ]"), &changes);
    // The first keys wait a little longer, so that one too many would be seen to begin; later keys do not.
    let chance = format!("[ $key -ge {WORKERS} ] || sleep {}", CHANCE.as_secs_f64());
    map_keys(20, WORKERS, &Script(format!("echo begins >> {file}; {enough}; {chance}; echo ends >> {file}; output=")));
    let running = lines(&changes).scan(0, |running, change| {
        match &*change {
            "begins" => *running += 1,
            "ends" => *running -= 1,
            _ => panic!("fewer keys than there are workers run at once"),
        }
        Some(*running)
    });
    assert_eq!(running.max(), Some(WORKERS), "so many keys ran at once");
}

/// Wherever it is: it ends only once all others have.
pub fn plain_processes_let_no_key_wait_behind_a_slow_one(map_keys: &Processes) {
    const KEYS: usize = 20;
    for slow in [0, 1, KEYS / 2, KEYS - 1] {
        let ended = mark(&format!("ended-{slow}"));
        fs::write(&ended, "").expect("a file for a test's marks");
        let file = ended.display();
        let others = until(&format!("[ $(grep -c . {file}) -eq {} ]", KEYS - 1), &ended);
        map_keys(KEYS, 2, &Script(format!("[ $key -ne {slow} ] || {{ {others}; }}; echo $key >> {file}; output=")));
        assert!(!lines(&ended).any(|line| line == LATE), "keys wait behind {slow}");
    }
}

/// An exit status, a death by a signal, and an end in silence: the caller panics.
pub fn plain_processes_never_lose_a_failure(map_keys: &Processes) {
    for (failure, keys) in [("exit 3", 10), ("kill -9 $$", 10), ("exit 3", 1)] {
        let script = Script(format!("[ $key -ne {} ] || {failure}; output=$key", keys / 2));
        let outputs = catch_unwind(|| map_keys(keys, WORKERS, &script));
        assert!(outputs.is_err(), "{failure} was lost: {outputs:?}");
    }
}

/// What a script writes before it fails, since it has waited for too long.
const LATE: &str = "late";

/// Shell commands that wait for a condition. If that takes too long, they write so to the file and fail.
fn until(condition: &str, file: &Path) -> String {
    let (tries, file) = (PATIENCE.as_millis() / 10, file.display());
    format!(
        "tries=0; until {condition}; do tries=$((tries + 1)); \
         [ $tries -lt {tries} ] || {{ echo {LATE} >> {file}; exit 1; }}; sleep 0.01; done"
    )
}

/// The lines that a test's processes wrote.
fn lines(file: &Path) -> impl Iterator<Item = String> {
    let text = fs::read_to_string(file).expect("a file that processes wrote");
    text.lines().map(str::to_owned).collect::<Vec<_>>().into_iter()
}

/// What keys tell each other.
#[derive(Default)]
struct Counts {
    counts: Mutex<Count>,
    changed: Condvar,
}

#[derive(Default)]
struct Count {
    running: usize,
    most: usize,
    ended: usize,
}

impl Counts {
    fn lock(&self) -> MutexGuard<'_, Count> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut Count)) {
        change(&mut self.lock());
        self.changed.notify_all();
    }

    /// Nothing if it did not come to be in that time.
    fn wait_for(&self, patience: Duration, wanted: impl Fn(&Count) -> bool) -> Option<()> {
        let (_counts, waited) = self
            .changed
            .wait_timeout_while(self.lock(), patience, |count| !wanted(count))
            .unwrap_or_else(PoisonError::into_inner);
        (!waited.timed_out()).then_some(())
    }
}

#[cfg(test)]
mod tests {
    use std::process::Stdio;
    use std::{io, thread};

    use super::*;
    use crate::alone::alone;

    #[track_caller]
    fn assert_broken<V>(law: fn(&V), version: &V) {
        // How many keys run at once is seen only if they are begun in time, which a busy machine may delay.
        const TRIES: u32 = 20;
        assert!((0..TRIES).any(|_| catch_unwind(AssertUnwindSafe(|| law(version))).is_err()));
    }

    fn one_by_one(keys: usize, _: usize, f: F) -> Vec<u64> {
        (0..keys).map(|key| f(key)).collect()
    }

    fn all_at_once(keys: usize, _: usize, f: F) -> Vec<u64> {
        let f = &f;
        thread::scope(|scope| {
            let threads: Vec<_> = (0..keys).map(|key| scope.spawn(move || f(key))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        })
    }

    #[test]
    fn each_law_can_be_broken() {
        let version = |map_keys| Version { map_keys, at_once: AtOnce::Workers };
        let reversed = |keys, _, f: F| (0..keys).rev().map(|key| f(key)).collect();
        let run_twice = |keys, _, f: F| (0..keys).map(|key| f(key).max(f(key))).collect();
        let without_the_first = |keys, _, f: F| (1..keys).map(|key| f(key)).collect();
        let none_without_workers =
            |keys: usize, workers, f: F| (0..keys.min(workers * 1_000)).map(|key| f(key)).collect();
        for map_keys in [reversed, run_twice, without_the_first, none_without_workers] {
            assert_broken(plain_gives_each_keys_output_in_key_order, &version(map_keys));
        }
        assert_broken(plain_runs_as_many_keys_at_once_as_it_says, &version(one_by_one));
        assert_broken(plain_runs_as_many_keys_at_once_as_it_says, &version(all_at_once));
        assert_broken(plain_lets_no_key_wait_behind_a_slow_one, &version(one_by_one));
        // Its panic is another one.
        assert_broken(plain_passes_a_panic_on, &version(all_at_once));
        let lost =
            |keys, _, f: F| (0..keys).map(|key| catch_unwind(AssertUnwindSafe(|| f(key))).unwrap_or(0)).collect();
        assert_broken(plain_passes_a_panic_on, &version(lost));
    }

    #[test]
    fn each_law_of_processes_can_be_broken() {
        alone("plain::tests::each_law_of_processes_can_be_broken", || {
            let one_by_one: Processes = |keys, _, script| {
                let outputs = (0..keys).map(|key| script.of_key(key).output().expect("a shell").stdout);
                outputs.map(|output| String::from_utf8(output).expect("text")).collect()
            };
            let reversed: Processes = |keys, _, script| {
                let outputs = (0..keys).rev().map(|key| script.of_key(key).output().expect("a shell").stdout);
                outputs.map(|output| String::from_utf8(output).expect("text")).collect()
            };
            let not_waited_for: Processes = |keys, _, script| {
                let processes =
                    (0..keys).map(|key| script.of_key(key).stdout(Stdio::piped()).spawn().expect("a shell"));
                let outputs = processes.map(|mut process| io::read_to_string(process.stdout.take().expect("piped")));
                outputs.map(|output| output.expect("text")).collect()
            };
            assert_broken(plain_processes_give_each_keys_output_in_key_order, &reversed);
            assert_broken(plain_processes_give_each_keys_output_in_key_order, &not_waited_for);
            assert_broken(plain_processes_run_as_many_keys_at_once_as_there_are_workers, &one_by_one);
            assert_broken(plain_processes_let_no_key_wait_behind_a_slow_one, &one_by_one);
            assert_broken(plain_processes_never_lose_a_failure, &one_by_one);
        });
    }
}
