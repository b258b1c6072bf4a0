//! The notebook's programs and every strategy give the same bytes, drawing from CPython's generator. Without a Python, the
//! bytes that one gave once are what every strategy must give.
#![cfg(unix)]

use std::collections::BTreeMap;
use std::io::{self, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

use bench::entrants::contender::strategies;
use bench::entrants::manifest::lacking;
use bench::entrants::notebook::{FOLDER, SAME_BITS};
use cargo_metadata::Message;
use xxhash_rust::xxh3::xxh3_128;

/// What is drawn: the seed, how many keys, how many values of each.
#[derive(Clone, Copy, Debug)]
struct Job {
    seed: u64,
    keys: u64,
    count: u64,
}

/// Beyond those that are frozen. A seed and the index of a key are one integer of one, two or three 32-bit words, and a
/// value takes two of the 624 words after which the generator is renewed.
const JOBS: [Job; 7] = [
    Job { seed: 0, keys: 3, count: 5 },
    Job { seed: 42, keys: 7, count: 313 },
    Job { seed: (1 << 32) + 1, keys: 5, count: 1000 },
    Job { seed: u64::MAX, keys: 1, count: 1 },
    Job { seed: 9, keys: 0, count: 10 },
    Job { seed: 9, keys: 10, count: 0 },
    Job { seed: 9, keys: 0, count: 0 },
];

impl Job {
    fn flags(self) -> Vec<String> {
        let flags = [("--seed", self.seed), ("--keys", self.keys), ("--count", self.count)];
        let flags = flags.into_iter().flat_map(|(flag, value)| [flag.to_owned(), value.to_string()]);
        ["--rng", SAME_BITS, "--workers", "2", "--dump"].map(str::to_owned).into_iter().chain(flags).collect()
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// The program of every strategy in `impls/`, as a debug build: it is the bytes that count.
fn programs() -> &'static BTreeMap<String, PathBuf> {
    static PROGRAMS: OnceLock<BTreeMap<String, PathBuf>> = OnceLock::new();
    PROGRAMS.get_or_init(|| {
        let impls = root().join("impls");
        let mut names = strategies(&impls).unwrap();
        // scripts/test.sh says which.
        let lacking = lacking(&impls, &names).unwrap();
        names.retain(|name| lacking.iter().all(|lacks| lacks.strategy != *name));
        // Beside what cargo builds for this test, wherever that is.
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
        let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        // With a test among them, cargo chooses features as for tests. So all of it is there where scripts/test.sh runs this.
        let chosen = "build --workspace --exclude fanout --bins --test notebook";
        command.args(chosen.split(' ')).args(["--locked", "--offline", "--quiet", "--target-dir"]).arg(target);
        command.args(["--message-format", "json-render-diagnostics"]).current_dir(root());
        let mut cargo = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let mut programs = BTreeMap::new();
        for message in Message::parse_stream(BufReader::new(cargo.stdout.take().unwrap())) {
            if let Message::CompilerArtifact(artifact) = message.unwrap()
                && let Some(executable) = artifact.executable
                && names.contains(&artifact.target.name)
            {
                programs.insert(artifact.target.name, executable.into_std_path_buf());
            }
        }
        assert!(cargo.wait().unwrap().success());
        assert_eq!(programs.keys().collect::<Vec<_>>(), names.iter().collect::<Vec<_>>());
        programs
    })
}

#[track_caller]
fn dumped(what: &str, output: &Output) -> Vec<u8> {
    assert!(output.status.success(), "{what}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout.clone()
}

fn dump(program: &Path, job: Job) -> Vec<u8> {
    let output = Command::new(program).args(job.flags()).stdin(Stdio::null()).output().unwrap();
    dumped(&format!("{} of {job:?}", program.display()), &output)
}

/// What a program of the notebook dumps, or nothing where no Python is.
fn dump_of_python(name: &str, job: Job) -> Option<Vec<u8>> {
    let mut command = Command::new("python3");
    // The folder of the programs is read only: no test leaves compiled Python there.
    command.arg("-B").arg(root().join(FOLDER).join(name).with_extension("py")).args(job.flags());
    match command.stdin(Stdio::null()).output() {
        Ok(output) => Some(dumped(&format!("{name} of {job:?}"), &output)),
        Err(error) => {
            assert_eq!(error.kind(), io::ErrorKind::NotFound, "python3: {error}");
            None
        }
    }
}

#[test]
fn every_strategy_gives_the_bytes_of_python() {
    for job in JOBS {
        let Some(expected) = dump_of_python("python-sequential", job) else {
            // Past the test's own output, which nobody sees unless it fails.
            let _ = writeln!(io::stderr(), "no python3: every strategy is compared with frozen bytes alone");
            return;
        };
        assert_eq!(expected.len() as u64, 8 * job.keys * (1 + job.count), "{job:?}");
        assert!(
            dump_of_python("python-process-pool", job).as_ref() == Some(&expected),
            "python-process-pool of {job:?}"
        );
        for (name, program) in programs() {
            assert!(dump(program, job) == expected, "{name} of {job:?}");
        }
    }
}

#[test]
fn every_strategy_gives_the_bytes_that_are_frozen() {
    let frozen = std::fs::read_to_string(root().join(FOLDER).join("frozen/mt19937.tsv")).unwrap();
    let lines: Vec<&str> = frozen.lines().filter(|line| !line.starts_with('#')).collect();
    assert!(lines.len() > 5, "{frozen}");
    for line in lines {
        let cells: Vec<&str> = line.split('\t').collect();
        let &[seed, keys, count, bytes, _sha256, xxh3] = &cells[..] else { panic!("{line}") };
        let number = |text: &str| text.parse::<u64>().unwrap();
        let job = Job { seed: number(seed), keys: number(keys), count: number(count) };
        for (name, program) in programs() {
            let dump = dump(program, job);
            assert_eq!(dump.len() as u64, number(bytes), "{name} of {job:?}");
            assert_eq!(format!("{:032x}", xxh3_128(&dump)), xxh3, "{name} of {job:?}");
        }
    }
}
