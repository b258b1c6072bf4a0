//! One run: build, verify, watch, time, write.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Output};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use bench::answer::{Answer, Unusable, seconds};
use bench::contender::{self, Contender, SEQUENTIAL};
use bench::interrupt::{Interrupt, Interrupted};
use bench::job::Job;
use bench::machine::{self, Machine};
use bench::memory::{self, Footprint, Peak};
use bench::process::{self, RunError, Running};
use bench::record::{self, Ended, FORMAT, Failure, Folder, Plan, Row, Stage};
use bench::{building, hyperfine, index, lines, page, schedule};

use crate::options::Options;
use crate::progress::Progress;

/// Batches per warm process. The first is cold, which leaves two warm samples per round from each of ten processes: more
/// batches in one process would say more about that process and less about the strategy.
const REPEAT: u32 = 3;

/// How long a process may take before it counts as hanging: this, and 20 times what `sequential` took for one batch. Far
/// beyond what any strategy needs that is worth a row; without a limit one deadlock would cost the whole run.
const PATIENCE: Duration = Duration::from_secs(60);

/// How a run ended, for the exit status.
pub(crate) enum End {
    AllMeasured,
    SomeFailed,
    Interrupted,
}

/// What every stage needs.
struct Session<'a> {
    contenders: Vec<Contender>,
    flags: Vec<String>,
    digest: String,
    limit: Duration,
    hyperfine: PathBuf,
    folder: Folder,
    interrupt: &'a Interrupt,
    progress: Progress,
    /// Rows that take no further part.
    failed: Vec<String>,
}

pub(crate) fn measure(options: &Options, root: &Path, interrupt: &Interrupt) -> Result<End> {
    let before = machine::activity();
    let job = options.job();
    let rounds = options.rounds();
    let found = match &options.bin_dir {
        Some(dir) => carried(dir, root, &options.only, rounds).map(|contenders| (contenders, Vec::new())),
        None => built(root, &options.only, rounds),
    };
    // A Ctrl-C ends cargo too; what cargo then did not do is no error.
    interrupt.check()?;
    let (mut contenders, unbuilt) = found?;
    let hyperfine = find_hyperfine(root, options.bin_dir.is_none());
    interrupt.check()?;
    let hyperfine = hyperfine?;

    let flags = job.flags();
    let sequential = contenders.iter().find(|contender| contender.name == SEQUENTIAL).context("no sequential")?.clone();
    contenders.push(sequential.control());
    let began = Instant::now();
    let reference = ask(&sequential, &with(&flags, &["--format", "json", "--digest"]), None, None, interrupt)?;
    let (reference, json) = reference.map_err(|trouble| {
        let said = trouble.stderr.map(|line| format!("\n{line}")).unwrap_or_default();
        anyhow::anyhow!("sequential is the reference, and it did not do this job: {}{said}", trouble.message)
    })?;
    let limit = PATIENCE + 20 * began.elapsed();

    let stamp = jiff::Timestamp::now().strftime("%Y-%m-%dT%H-%M-%SZ").to_string();
    let results = options.out.clone().unwrap_or_else(|| root.join("results"));
    let (folder, stamp) = record::create(&results, &stamp)?;
    let version = hyperfine::version(&hyperfine).context("hyperfine does not say its version")?;
    let mut machine = Machine::inspect(root, options.bin_dir.is_none(), version, before);
    let mut plan = plan(options, root, stamp, job.clone(), &contenders);
    folder.write_plan(&plan)?;
    folder.write_machine(&machine)?;
    folder.write_verified(SEQUENTIAL, &json)?;

    let mut session = Session {
        progress: Progress::new(steps(&contenders)),
        contenders,
        flags,
        digest: reference.digest.unwrap_or_default(),
        limit,
        hyperfine,
        folder,
        interrupt,
        failed: Vec::new(),
    };
    for warning in machine.warnings() {
        session.progress.say(&format!("warning: {warning}"));
    }
    for name in unbuilt {
        let message = "it did not build; cargo says why".to_owned();
        session.fail(&name, Failure { stage: Stage::Build, round: None, message, exit: None, stderr: None })?;
    }

    let outcome = session.run(&job, rounds, plan.shuffle_seed);
    session.progress.finish();
    let interrupted = match outcome {
        Ok(()) => false,
        Err(error) if error.is::<Interrupted>() => true,
        Err(error) => return Err(error),
    };
    plan.ended = Some(if interrupted { Ended::Interrupted } else { Ended::Complete });
    machine.after = machine::activity();
    session.folder.write_machine(&machine)?;
    session.folder.write_plan(&plan)?;
    let run = page::write(session.folder.path())?;
    index::write(&results)?;

    println!("{}", page::headline(&run, "README.md"));
    for warning in page::warnings(&run) {
        eprintln!("warning: {warning}");
    }
    eprintln!("{}", session.folder.path().join("README.md").display());
    Ok(match interrupted {
        true => End::Interrupted,
        false if page::any_failed(&run) => End::SomeFailed,
        false => End::AllMeasured,
    })
}

/// The contenders of `impls`, freshly built, and the names of those that did not build.
fn built(root: &Path, only: &[String], rounds: u32) -> Result<(Vec<Contender>, Vec<String>)> {
    let impls = root.join("impls");
    let known = contender::strategies(&impls).with_context(|| format!("there is no {}", impls.display()))?;
    let names = contender::select(&known, only)?;
    eprintln!("building {} strategies", names.len());
    let executables = building::build(root, &names)?;
    if !executables.contains_key(SEQUENTIAL) {
        bail!("{SEQUENTIAL} did not build, and every ratio is taken to it");
    }
    let contender = |name: &String| {
        let path = executables.get(name).cloned().unwrap_or_else(|| root.join("target/release").join(name));
        described(Contender::program(&path, shown(root, &path), rounds), root)
    };
    let unbuilt = names.iter().filter(|name| !executables.contains_key(*name)).cloned().collect();
    Ok((names.iter().map(contender).collect(), unbuilt))
}

/// The contenders that somebody else has built.
fn carried(dir: &Path, root: &Path, only: &[String], rounds: u32) -> Result<Vec<Contender>> {
    let dir = dir.canonicalize().with_context(|| format!("--bin-dir {}", dir.display()))?;
    let known = contender::programs(&dir).with_context(|| format!("--bin-dir {}", dir.display()))?;
    let contender = |name: &String| {
        let path = dir.join(name);
        described(Contender::program(&path, shown(root, &path), rounds), root)
    };
    Ok(contender::select(&known, only)?.iter().map(contender).collect())
}

/// With its lines of code, where its source is at hand.
fn described(contender: Contender, root: &Path) -> Contender {
    let lines = lines::count_in(&root.join("impls").join(&contender.name).join("src")).ok();
    Contender { lines, ..contender }
}

/// A path as results may show it: below the root, or without what is this machine's alone.
fn shown(root: &Path, path: &Path) -> String {
    let name = path.file_name().map(PathBuf::from).unwrap_or_default();
    path.strip_prefix(root).unwrap_or(&name).display().to_string()
}

fn find_hyperfine(root: &Path, may_install: bool) -> Result<PathBuf> {
    if let Some(found) = hyperfine::find(root) {
        return Ok(found);
    }
    if !may_install {
        bail!("hyperfine is not on PATH; it is on https://github.com/sharkdp/hyperfine");
    }
    eprintln!("hyperfine is not on PATH: installing it in target/tools (about 100 s, once)");
    let status = hyperfine::install_command(root).status().context("cargo could not be run")?;
    hyperfine::find(root).with_context(|| format!("hyperfine could not be installed: {status}"))
}

fn plan(options: &Options, root: &Path, stamp: String, job: Job, contenders: &[Contender]) -> Plan {
    let flags = job.flags();
    let row = |contender: &Contender| Row {
        name: contender.name.clone(),
        command: contender.shown_line(&flags),
        rounds: contender.rounds,
        lines: contender.lines,
    };
    Plan {
        format: FORMAT,
        stamp,
        command: own_command(root),
        rounds: options.rounds(),
        repeat: REPEAT,
        shuffle_seed: options.shuffle_seed(),
        rows: contenders.iter().map(row).collect(),
        job,
        ended: None,
    }
}

/// How this process was called, with paths as results may show them.
fn own_command(root: &Path) -> String {
    let clean = |argument: String| {
        let (flag, value) = argument.split_once('=').map_or(("", &*argument), |(flag, value)| (flag, value));
        let equals = if flag.is_empty() { "" } else { "=" };
        let path = Path::new(value);
        if path.is_absolute() { format!("{flag}{equals}{}", shown(root, path)) } else { argument }
    };
    let arguments = env::args_os().skip(1).map(|argument| clean(argument.to_string_lossy().into_owned()));
    shell_words::join(std::iter::once("scripts/compare.sh".to_owned()).chain(arguments))
}

/// Steps of a run, each about one batch long.
fn steps(contenders: &[Contender]) -> u64 {
    let rounds: u64 = contenders.iter().map(|contender| u64::from(contender.rounds)).sum();
    let passes = contenders.len() as u64 * (VERIFY_STEPS + MEMORY_STEPS);
    passes + rounds * (COLD_STEPS + WARM_STEPS)
}

const VERIFY_STEPS: u64 = 2;
const MEMORY_STEPS: u64 = 4;
const COLD_STEPS: u64 = 1;
/// With the check.
const WARM_STEPS: u64 = 6;

impl Session<'_> {
    fn run(&mut self, job: &Job, rounds: u32, seed: u64) -> Result<()> {
        // The control is `sequential`, which need not be verified and watched twice.
        let programs = self.contenders.len() - 1;
        self.progress.stage("comparing digests");
        for index in 0..programs {
            self.verify(index)?;
        }
        self.progress.stage("watching memory");
        for index in 0..programs {
            self.watch(index, job)?;
        }
        for round in 1..=rounds {
            self.progress.stage(&format!("round {round} of {rounds}"));
            self.round(round, seed)?;
        }
        Ok(())
    }

    /// All cold runs of a round before the warm ones: what is compared then runs within seconds, not minutes.
    fn round(&mut self, round: u32, seed: u64) -> Result<()> {
        let rounds: Vec<u32> = self.contenders.iter().map(|contender| contender.rounds).collect();
        let order = schedule::order(&rounds, round, seed);
        for &index in &order {
            self.cold(index, round)?;
        }
        for &index in &order {
            self.warm(index, round)?;
        }
        let names = order.iter().map(|&index| &self.contenders[index].name);
        let names = names.filter(|name| !self.failed.contains(name)).cloned().collect();
        Ok(self.folder.write_round(round, names)?)
    }

    /// One batch, whose digest must be that of `sequential`.
    fn verify(&mut self, index: usize) -> Result<()> {
        if let Some(contender) = self.next(index, VERIFY_STEPS, "digest")
            && contender.name != SEQUENTIAL
        {
            let flags = with(&self.flags, &["--format", "json", "--digest"]);
            match ask(&contender, &flags, Some(&self.digest), Some(self.limit), self.interrupt)? {
                Ok((_, json)) => self.folder.write_verified(&contender.name, &json)?,
                Err(trouble) => self.fail(&contender.name, trouble.at(Stage::Verify, None))?,
            }
        }
        Ok(())
    }

    /// Memory, threads and processes of one batch, and how many keys it keeps in flight. Digested, since the outputs are
    /// then held for long enough to be seen whole.
    fn watch(&mut self, index: usize, job: &Job) -> Result<()> {
        let Some(contender) = self.next(index, MEMORY_STEPS, "memory") else { return Ok(()) };
        let mut peak = Peak::default();
        let flags = with(&self.flags, &["--format", "json", "--digest"]);
        let output = Running::start(contender.command(&flags))
            .map_err(RunError::Io)
            .and_then(|running| running.watch(self.limit, self.interrupt, memory::INTERVAL, |pid| peak.sample(pid)));
        let answer = match judge(output, Some(&self.digest))? {
            Ok((answer, _)) => answer,
            Err(trouble) => return self.fail(&contender.name, trouble.at(Stage::Memory, None)),
        };
        let blocking = job.blocking();
        let flags = with(&blocking.flags(), &["--format", "json"]);
        // A row that cannot wait has no such number; its job is another one.
        let waited = ask(&contender, &flags, None, Some(self.limit), self.interrupt)?.ok();
        let run = waited.and_then(|(answer, _)| answer.run_ns.first().copied());
        let slept = (blocking.keys * blocking.count) as f64 / 1e6;
        let keys_in_flight = run.filter(|run| *run > 0).map(|run| slept / seconds(run));
        let footprint = Footprint { peak: peak.seen(), output_bytes: answer.output_bytes, keys_in_flight };
        Ok(self.folder.write_footprint(&contender.name, &footprint)?)
    }

    /// A whole process, timed by hyperfine. Without a digest, whose cost is that of another batch: the exit status says that
    /// all keys came back at full length, and the round's check that they are the right ones.
    fn cold(&mut self, index: usize, round: u32) -> Result<()> {
        let Some(contender) = self.next(index, COLD_STEPS, "cold") else { return Ok(()) };
        let line = contender.command_line(&self.flags);
        let export = self.folder.cold_export();
        let export = std::path::absolute(&export).unwrap_or(export);
        let timer = hyperfine::time_once(&self.hyperfine, &contender.name, &line, &contender.dir, &export);
        let trouble = match process::run(timer, Some(self.limit), self.interrupt) {
            Ok(output) if output.status.success() => match self.folder.keep_cold(round, &contender.name)?.exit_code {
                Some(0) => return Ok(()),
                code => {
                    let exit = code.map_or_else(|| "a signal".to_owned(), |code| format!("exit status: {code}"));
                    Trouble { message: "its timed run failed".to_owned(), exit: Some(exit), stderr: None }
                }
            },
            // hyperfine itself ends well whatever becomes of what it times, unless that cannot be started.
            Ok(output) => Trouble::of("hyperfine could not time it".to_owned(), &output),
            Err(error) => Trouble::without_end(error)?,
        };
        self.fail(&contender.name, trouble.at(Stage::Cold, Some(round)))
    }

    /// Some batches in one process, timed by the process itself, and then the round's check.
    fn warm(&mut self, index: usize, round: u32) -> Result<()> {
        let Some(contender) = self.next(index, WARM_STEPS, "warm") else { return Ok(()) };
        let flags = with(&self.flags, &["--repeat", &REPEAT.to_string(), "--format", "json", "--digest"]);
        match ask(&contender, &flags, Some(&self.digest), Some(self.limit), self.interrupt)? {
            Ok((_, json)) => self.folder.write_warm(round, &contender.name, &json)?,
            Err(trouble) => return self.fail(&contender.name, trouble.at(Stage::Warm, Some(round))),
        }
        let flags = with(&self.flags, &["--format", "json", "--expect", &self.digest]);
        match ask(&contender, &flags, Some(&self.digest), Some(self.limit), self.interrupt)? {
            Ok(_) => Ok(()),
            Err(trouble) => self.fail(&contender.name, trouble.at(Stage::Check, Some(round))),
        }
    }

    /// The contender, unless it has failed before. Its steps count as done either way.
    fn next(&mut self, index: usize, steps: u64, doing: &str) -> Option<Contender> {
        let contender = &self.contenders[index];
        self.progress.running(&format!("{doing}: {}", contender.name));
        self.progress.advance(steps);
        (!self.failed.contains(&contender.name)).then(|| contender.clone())
    }

    /// Takes a row out of the rest of the run, and says so.
    fn fail(&mut self, name: &str, failure: Failure) -> Result<()> {
        self.progress.say(&format!("failed: {name}: {}", failure.message));
        self.folder.write_failure(name, &failure)?;
        self.failed.push(name.to_owned());
        Ok(())
    }
}

/// What went wrong with one process of one row.
struct Trouble {
    message: String,
    exit: Option<String>,
    stderr: Option<String>,
}

impl Trouble {
    fn of(message: String, output: &Output) -> Trouble {
        let exit = Some(output.status).filter(|status| !ExitStatus::success(status)).map(|status| status.to_string());
        Trouble { message, exit, stderr: process::last_line(&output.stderr) }
    }

    /// A process that did not come to its end. An interrupt is nobody's failure.
    fn without_end(error: RunError) -> Result<Trouble, Interrupted> {
        match error {
            RunError::Interrupted => Err(Interrupted),
            error => Ok(Trouble { message: error.to_string(), exit: None, stderr: None }),
        }
    }

    fn at(self, stage: Stage, round: Option<u32>) -> Failure {
        Failure { stage, round, message: self.message, exit: self.exit, stderr: self.stderr }
    }
}

/// Its answer, and the same as it printed it.
type Asked = Result<(Answer, Vec<u8>), Trouble>;

/// Runs a contender and reads its answer, which must have `digest` if there is one to have.
fn ask(
    contender: &Contender,
    flags: &[String],
    digest: Option<&str>,
    limit: Option<Duration>,
    interrupt: &Interrupt,
) -> Result<Asked, Interrupted> {
    judge(process::run(contender.command(flags), limit, interrupt), digest)
}

fn judge(output: Result<Output, RunError>, digest: Option<&str>) -> Result<Asked, Interrupted> {
    let output = match output {
        Ok(output) => output,
        Err(error) => return Trouble::without_end(error).map(Err),
    };
    let agreed = Answer::read(&output.stdout).and_then(|answer| match digest {
        Some(digest) => answer.agree(Some(digest)).map(|_| ()).map(|()| answer),
        None => Ok(answer),
    });
    Ok(match agreed {
        Ok(answer) if output.status.success() => Ok((answer, output.stdout)),
        // Where a failed process has printed no JSON, its own words say more than what is wrong with the JSON.
        Err(unusable) if output.status.success() || !matches!(unusable, Unusable::Json(_)) => {
            Err(Trouble::of(unusable.to_string(), &output))
        }
        _ => Err(Trouble::of("it failed".to_owned(), &output)),
    })
}

fn with(flags: &[String], more: &[&str]) -> Vec<String> {
    flags.iter().cloned().chain(more.iter().map(|flag| (*flag).to_owned())).collect()
}
