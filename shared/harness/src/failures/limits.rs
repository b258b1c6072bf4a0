//! What the system refuses, and how much a strategy takes of it.

use super::*;

/// It goes on with the workers it got, and says so. None is an error.
pub fn p11_too_few_descriptors_are_fewer_workers<S: Subject>(binary: &Binary) {
    let flags = "--keys 60 --count 20000 --workers 20 --format json --digest";
    let whole = binary.run(flags);
    assert!(whole.status.success() && whole.stderr.is_empty(), "{whole:?}");
    let fewer = binary.limited("ulimit -n 30", flags);
    assert!(stderr(&fewer).contains("fewer than 20 workers could be started"), "the limit did not bite: {fewer:?}");
    assert!(stderr(&fewer).contains("Too many open files"), "{fewer:?}");
    assert!(fewer.status.success(), "{fewer:?}");
    assert_eq!(json(&fewer)["digest"], json(&whole)["digest"]);

    let none = binary.limited("ulimit -n 5", flags);
    assert_eq!(none.status.code(), Some(1));
    assert!(stderr(&none).contains("Too many open files"), "{none:?}");
    if !none.stdout.is_empty() {
        assert_eq!(failed(&none), (0..60).collect::<Vec<_>>());
    }
}

/// The limit is one on processes and threads together, and meets either first.
pub fn p11_too_few_processes_are_fewer_workers<S: Subject>(binary: &Binary) {
    let flags = "--keys 60 --count 20000 --workers 20 --format json --digest";
    let whole = binary.run(flags);
    assert!(whole.status.success() && whole.stderr.is_empty(), "{whole:?}");
    // Odd and even: the last that there is room for is a process, or a thread to serve one.
    for tasks in [6, 7, 16, 17] {
        let Some(limit) = few_tasks(tasks) else { continue };
        let fewer = binary.limited(&limit, flags);
        if S::CLUSTER {
            refused_or_right(&fewer, &whole);
            continue;
        }
        let told = stderr(&fewer);
        assert!(told.contains("fewer than 20 workers could be started"), "the limit did not bite: {fewer:?}");
        assert!(told.contains("os error 11"), "{tasks} tasks: {fewer:?}");
        assert!(fewer.status.success(), "{tasks} tasks: {fewer:?}");
        assert_eq!(json(&fewer)["digest"], json(&whole)["digest"]);
    }

    let Some(limit) = few_tasks(1) else { return };
    let none = binary.limited(&limit, flags);
    assert_eq!(none.status.code(), Some(1));
    assert!(stderr(&none).contains("os error 11"), "{none:?}");
}

/// A broker has threads of its own, and may be the one that there is no room for: that is told, and no key is wrong.
fn refused_or_right(output: &Output, right: &Output) {
    if output.stdout.is_empty() {
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        assert!(stderr(output).contains("could not start"), "{output:?}");
        return;
    }
    if output.status.success() {
        assert_eq!(json(output)["digest"], json(right)["digest"]);
    }
    for failure in json(output)["failed"].as_array().unwrap() {
        assert!(failure["reason"].as_str().unwrap().contains("could not be started"), "{output:?}");
    }
}

/// In the parent, whose address space is that of a part of all outputs, while a worker has one at a time.
pub fn p11_too_little_memory_fails_the_keys_it_was_short_for<S: Subject>(binary: &Binary) {
    let flags = "--keys 80 --count 1000000 --workers 2 --format json";
    let output = binary.limited("ulimit -v 300000", flags);
    if S::CLUSTER {
        alone::not_tried("too little memory for outputs: a broker does not start with so little");
        assert!(stderr(&output).contains("could not start") && output.status.code() == Some(1), "{output:?}");
        return;
    }
    assert_eq!(output.status.code(), Some(1), "the limit did not bite: {output:?}");
    let report = json(&output);
    let failed = report["failed"].as_array().unwrap();
    assert!(failed.len() < 80, "no output at all: {output:?}");
    for failure in failed {
        assert_eq!(failure["reason"], "this process had no memory for the output of 8000000 bytes");
    }
}

/// The worker program was removed, or may no longer be executed. When it is back, so is the strategy.
pub fn p12_a_worker_that_cannot_be_replaced_fails_the_rest_at_once<S: Subject>(binary: &Binary) {
    use std::io::ErrorKind::{NotFound, PermissionDenied};
    let program = mark("program");
    fs::copy(binary.path, &program).unwrap();
    let context = binary.context(2).with_worker_command(WorkerCommand::of(&program));
    let hidden = mark("hidden");
    for (kind, told) in [(NotFound, "No such file"), (PermissionDenied, "Permission denied")] {
        clean_after(&context, |strategy: &mut S| {
            match kind {
                NotFound => fs::rename(&program, &hidden).unwrap(),
                _ => fs::set_permissions(&program, Permissions::from_mode(0o644)).unwrap(),
            }
            // Whichever key a worker that there is takes, ends it.
            let faulty = of(50, 10, (0..50).map(|key| fault(key, FaultKind::Kill)).collect());
            let start = Instant::now();
            let outcomes = strategy.run(&faulty);
            assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
            let mut deaths = 0;
            for (key, outcome) in outcomes.iter().enumerate() {
                match outcome {
                    Err(KeyError::Died { exit: Exit::Signal(9), .. }) => deaths += 1,
                    Err(KeyError::NotStarted(error)) => {
                        let said = error.to_string();
                        let named = said.contains(&program.display().to_string());
                        assert!(error.kind() == kind && named && said.contains(told), "key {key}: {error}");
                    }
                    outcome => panic!("key {key}: {outcome:?}"),
                }
            }
            assert!(deaths <= 2, "{deaths} keys had a worker");
            let shortfall = strategy.shortfall().expect("no worker is a shortfall").to_string();
            assert!(shortfall.contains(told), "{shortfall}");
            match kind {
                NotFound => fs::rename(&hidden, &program).unwrap(),
                _ => fs::set_permissions(&program, Permissions::from_mode(0o755)).unwrap(),
            }
        });
    }
}

/// Its channel, its pipe for what it prints, and an empty input: nothing of a sibling, and nothing that the parent was
/// given across `exec`.
pub fn p13_a_worker_has_only_its_own_descriptors<S: Subject>(binary: &Binary) {
    let mut parent = busy(binary, "inherits", "sleep", |command| {
        let given = r#"exec 7</etc/passwd 8>/dev/full 9</; exec "$@""#;
        let mut shell = Command::new("sh");
        shell.args(["-c", given, "sh"]).arg(command.get_program()).args(command.get_args());
        *command = shell;
    });
    let leads_to = |process| alone::descriptors(process).into_iter().map(|(_, to)| to).collect::<BTreeSet<_>>();
    let parents = leads_to(parent.id());
    assert!(parents.contains(&PathBuf::from("/etc/passwd")), "{parents:?}");
    let workers = live_workers(parent.id());
    let mut channels = BTreeSet::new();
    for &worker in &workers {
        let is_known = |to: &PathBuf| {
            let to = to.to_string_lossy();
            ["/dev/null", "pipe:", "socket:"].iter().any(|kind| to.starts_with(kind))
        };
        // The mark that it leaves to say where it is may still be open.
        let settled = within(SOON, || Some(leads_to(worker)).filter(|own| own.iter().all(is_known)));
        let own = settled.unwrap_or_else(|| panic!("{:?}", leads_to(worker)));
        let of_kind = |kind: &str| own.iter().filter(|to| to.to_string_lossy().starts_with(kind)).collect::<Vec<_>>();
        assert!(of_kind("pipe:").len() == 1 && of_kind("socket:").len() == 1, "{own:?}");
        assert!(!parents.contains(of_kind("socket:")[0]), "the parent's end: {own:?}");
        channels.extend([of_kind("pipe:")[0].clone(), of_kind("socket:")[0].clone()]);
        assert_eq!(fs::read_link(format!("/proc/{worker}/fd/0")).unwrap(), PathBuf::from("/dev/null"));
    }
    assert_eq!(channels.len(), 2 * workers.len(), "a sibling's: {channels:?}");
    parent.kill().unwrap();
    parent.wait().unwrap();
    assert_eq!(left_alive(), NOBODY);
}

/// It is told so; no process comes of it.
pub fn p15_a_key_may_not_start_workers<S: Subject>(binary: &Binary) {
    clean_after(&binary.context(WORKERS), |strategy: &mut S| {
        let keys: Vec<_> = (0..10).map(|key| (key, FaultKind::Nested)).collect();
        for outcome in strategy.run(&Arc::new(faulty(10, &keys))) {
            let Err(KeyError::Panicked { message }) = outcome else { panic!("{outcome:?}") };
            assert!(message.contains("a worker process may not start workers"), "{message}");
        }
    });
}

/// A `main` without the call starts itself as its worker, which would start its own, and so on.
pub fn p15_a_program_that_forgot_to_serve_is_told_so<S: Subject>(binary: &Binary) {
    if alone::part().is_some() {
        // What such a `main` does, whether it is meant to be a worker or not.
        let told = refusals::<S>(&binary.context(WORKERS), 2);
        eprintln!("{}", told[0]);
        assert_eq!(alone::children(process::id()), NOBODY);
        process::exit(1);
    }
    let arguments = ["FANOUT_ALONE_PART=forgets".into(), env::current_exe().unwrap().into_os_string()];
    let arguments = arguments.into_iter().chain(alone::only(binary.test).map(Into::into)).chain(["--".into()]);
    let forgets = WorkerCommand { arguments: arguments.collect(), ..WorkerCommand::of("/usr/bin/env") };
    let start = Instant::now();
    for reason in refusals::<S>(&binary.context(WORKERS).with_worker_command(forgets), 2) {
        assert!(reason.contains("a worker process may not start workers"), "{reason}");
        assert!(reason.contains("fanout_pool::worker()"), "{reason}");
    }
    assert!(start.elapsed() < 2 * SOON, "{:?}", start.elapsed());
}

/// With fewer keys than workers, with one, and with none.
pub fn p16_there_are_never_more_processes_than_keys<S: Subject>(binary: &Binary) {
    for keys in [1, 3] {
        let mut command = binary.command(&format!("--keys {keys} --count 10 --workers 8"));
        let marks: Vec<_> = (0..keys).map(|key| mark(&format!("{keys}-{key}"))).collect();
        for (key, mark) in marks.iter().enumerate() {
            command.arg("--fault").arg(format!("{key}:sleep@{}", mark.display()));
        }
        let mut parent = command.spawn().unwrap();
        all_there(&marks);
        assert_eq!(live_workers(parent.id()).len(), keys);
        parent.kill().unwrap();
        parent.wait().unwrap();
        assert_eq!(left_alive(), NOBODY);
    }
    // Where not one process can be started, none is needed.
    let one = binary.limited("ulimit -n 5", "--keys 1 --count 10 --format json");
    assert_eq!(one.status.code(), Some(1), "the limit did not bite: {one:?}");
    let none = binary.limited("ulimit -n 5", "--keys 0 --format json");
    assert!(none.status.success() && none.stderr.is_empty(), "{none:?}");
    clean_after(&binary.context(2), |strategy: &mut S| {
        let before = alone::children(process::id());
        agrees(strategy, Fill(job(0, 10, Skew::Uniform)));
        assert_eq!(alone::children(process::id()), before);
    });
}

/// The encoded bytes are in a file in memory, of which nobody has a copy; each worker has one of the decoded value.
pub fn p24_a_large_workload_is_held_once<S: Subject>(binary: &Binary) {
    let copies = |copies: f64| (copies * BALLAST as f64 / 1024.0) as u64;
    clean_after(&binary.context(2), |strategy: &mut S| {
        let faulty = large(6);
        // Sets the peak to what is held now.
        fs::write("/proc/self/clear_refs", "5").unwrap();
        let held = memory(process::id(), "VmRSS");
        let outcomes = strategy.run(&faulty);
        let most = memory(process::id(), "VmHWM") - held;
        right_but(&faulty, outcomes, &[]);
        assert!(most < copies(0.6), "{most} kB above what is held, for {} kB encoded", copies(1.0));
        let kept = memory(process::id(), "VmRSS").saturating_sub(held);
        assert!(kept < copies(0.3), "{kept} kB are kept of {} kB encoded", copies(1.0));
        for worker in live_workers(process::id()) {
            let kept = within(SOON, || Some(memory(worker, "VmRSS")).filter(|&kept| kept < copies(1.3)));
            assert!(kept.is_some(), "an idle worker has {} kB", memory(worker, "VmRSS"));
            assert!(kept > Some(copies(0.9)), "{kept:?} kB: a worker has no copy, so this measures nothing");
        }
    });
}

/// A worker is this program again, and that is a file in `/proc`. The memory that there is, is told there too, and no
/// job is refused because it is not.
pub fn p26_without_proc_the_error_names_what_is_missing<S: Subject>(binary: &Binary) {
    let Some(place) = private_mounts() else { return };
    let hidden = format!(r#"exec {place} sh -c 'mount -t tmpfs tmpfs /proc; exec "$@"' sh "$@""#);
    let output = binary.limited(&hidden, "--keys 3 --count 10 --workers 2");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let told = stderr(&output);
    assert!(told.contains("/proc/self/exe") && told.contains("No such file or directory"), "{told}");
}

/// A program on a file system that is mounted so.
pub fn p26_a_program_that_may_not_be_executed_is_named<S: Subject>(binary: &Binary) {
    let program = mark("noexec").join("program");
    if alone::part().is_some() {
        let context = binary.context(WORKERS).with_worker_command(WorkerCommand::of(&program));
        for reason in refusals::<S>(&context, 2) {
            let named = reason.contains(&program.display().to_string());
            assert!(named && reason.contains("Permission denied"), "{reason}");
        }
        return;
    }
    let Some(place) = private_mounts() else { return };
    fs::create_dir(mark("noexec")).unwrap();
    let part = alone::play(binary.test, "refused");
    let folder = mark("noexec");
    let mounted = format!(
        r#"exec {place} sh -c 'mount -t tmpfs -o noexec tmpfs {folder} && cp {path} {program}; exec "$@"' sh "$@""#,
        folder = folder.display(),
        path = binary.path,
        program = program.display(),
    );
    let mut shell = Command::new("sh");
    shell.args(["-c", &mounted, "sh"]).arg(part.get_program()).args(part.get_args());
    let output = shell.envs(part.get_envs().filter_map(|(name, value)| Some((name, value?)))).output().unwrap();
    assert!(output.status.success(), "{output:?}");
}

/// The command that gives a program mounts of its own, where this user may have them.
fn private_mounts() -> Option<&'static str> {
    let may = |place: &&str| {
        let mount = format!("{place} mount -t tmpfs tmpfs /proc");
        Command::new("sh").args(["-c", &mount]).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
    };
    let place = ["unshare --mount", "unshare --user --map-root-user --mount"].into_iter().find(may);
    if place.is_none() {
        alone::not_tried("a program without /proc, and one on a file system without exec: no mounts for this user");
    }
    place
}
