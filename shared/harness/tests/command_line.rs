//! The command line, which is the same code in every strategy's program, in a program that is here for that alone. That
//! a strategy's own program has it is a law: `the_binary_runs_the_strategy`.

use std::fs;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::Stdio;

use harness::alone::{self, SOON, alone, within};
use harness::laws::{Binary, digest, job, json, plain_loop, stderr};
use kernel::{Digest, Workload};
use serde_json::Value;
use workloads::{Fill, Job, Skew, Sum, Verifiable, Wait};

const PROGRAM: Binary = Binary { path: env!("CARGO_BIN_EXE_plain-loop"), test: "", balances: false };

/// The same flags, the same digest, with no strategy in between.
#[test]
fn prints_the_librarys_digest() {
    alone("prints_the_librarys_digest", || {
        let check = |flags: &str, expected: String| {
            let report = json(&PROGRAM.run(&format!("{flags} --format json --digest")));
            assert_eq!(report["digest"], expected, "{flags}");
            let expect = PROGRAM.run(&format!("{flags} --repeat 2 --expect {expected}"));
            assert!(expect.status.success(), "{expect:?}");
        };
        let job = |text: &str| Job::new(serde_json::from_str(text).unwrap()).unwrap();
        let fill = Fill(job(r#"{"keys":7,"count":1000,"skew":"Zipf","rng":"Xoshiro","seed":42}"#));
        check("--keys 7 --count 1000 --skew zipf", digest(&fill, &plain_loop(&fill)));
        let sum = Sum(job(r#"{"keys":9,"count":10,"skew":"OneHuge","rng":"Mt19937","seed":7}"#));
        check(
            "--workload sum --keys 9 --count 10 --skew one-huge --rng mt19937 --seed 7",
            digest(&sum, &plain_loop(&sum)),
        );
        let asleep = job(r#"{"keys":5,"count":1,"skew":"OneHuge","rng":"Mt19937","seed":42}"#);
        let wait = Wait::from(asleep.clone());
        check("--workload wait --keys 5 --count 1", digest(&wait, &plain_loop(&wait)));
        let wait = Wait::new(asleep, 100, 800).unwrap();
        check(
            "--workload wait --keys 5 --count 1 --values 100 --output-bytes 800 --skew one-huge --rng mt19937",
            digest(&wait, &plain_loop(&wait)),
        );
        check("--keys 0", Digest::new().hex());

        let wrong = PROGRAM.run(&format!("--keys 2 --count 2 --expect {}", "0".repeat(32)));
        assert_eq!(wrong.status.code(), Some(1));
        assert!(stderr(&wrong).contains("--expect says"), "{wrong:?}");
    });
}

/// What only another workload takes is refused beside a fault too.
#[test]
fn a_fault_does_not_hide_a_wrong_flag() {
    alone("a_fault_does_not_hide_a_wrong_flag", || {
        let refused = PROGRAM.run("--keys 2 --count 2 --fault 1:panic --values 5");
        assert_eq!(refused.status.code(), Some(2), "{refused:?}");
        assert!(stderr(&refused).ends_with("--values needs --workload wait\n"), "{refused:?}");
    });
}

/// `--dump` is the bytes that `--digest` hashes, and nothing else.
#[test]
fn dumps_what_it_digests() {
    alone("dumps_what_it_digests", || {
        let fill = Fill(job(5, 300, Skew::Uniform));
        let dumped = PROGRAM.run("--keys 5 --count 300 --dump --digest");
        assert!(dumped.status.success(), "{dumped:?}");
        let mut expected = Vec::new();
        for key in 0..5 {
            expected.extend_from_slice(&fill.key_bytes(key));
            expected.extend_from_slice(&fill.output_bytes(&fill.expand(key)));
        }
        assert!(dumped.stdout == expected, "{} bytes of {}", dumped.stdout.len(), expected.len());
        assert!(stderr(&dumped).contains(&digest(&fill, &plain_loop(&fill))), "{dumped:?}");
    });
}

/// For each key, it and its output, which are both its index; however much it computes.
#[test]
fn a_key_that_waits_gives_its_index() {
    alone("a_key_that_waits_gives_its_index", || {
        let expected: Vec<u8> = (0_u64..3).flat_map(|key| [key, key]).flat_map(u64::to_le_bytes).collect();
        for flags in ["--count 1", "--count 0", "--count 0 --values 1000", "--count 0 --output-bytes 8"] {
            let dumped = PROGRAM.run(&format!("--workload wait --keys 3 {flags} --dump"));
            assert!(dumped.status.success() && dumped.stdout == expected, "{flags}: {dumped:?}");
        }
        let longer = PROGRAM.run("--workload wait --keys 3 --count 0 --output-bytes 24 --values 9 --dump");
        assert_eq!(longer.stdout.len(), 3 * (8 + 24));
    });
}

/// Else its report would tell of a job that was not run.
#[test]
fn a_report_of_keys_that_wait_says_what_they_computed_and_gave() {
    alone("a_report_of_keys_that_wait_says_what_they_computed_and_gave", || {
        let report = |flags: &str| {
            let report = json(&PROGRAM.run(&format!("{flags} --format json")));
            ["values", "bytes_per_key", "output_bytes"].map(|field| report[field].clone())
        };
        let wait = "--workload wait --keys 3 --count 0";
        assert_eq!(report(&format!("{wait} --values 7 --output-bytes 16")), [7, 16, 48].map(Value::from));
        assert_eq!(report(wait), [0, 8, 24].map(Value::from));
        assert_eq!(report("--workload sum --keys 3"), [Value::Null, Value::Null, 24.into()]);
    });
}

/// Every field that the documentation promises, and nothing on stdout beside the object.
#[test]
fn reports_as_documented() {
    alone("reports_as_documented", || {
        let report = json(&PROGRAM.run("--keys 4 --count 10 --workers 2 --seed 9 --repeat 3 --format json"));
        for (field, expected) in [
            ("strategy", Value::from("plain-loop")),
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
        assert_eq!(json(&PROGRAM.run("--keys 2 --count 10 --workers 5 --format json"))["workers"], 2);

        let nothing = json(&PROGRAM.run("--keys 0 --format json"));
        assert_eq!((&nothing["start_ns"], &nothing["stop_ns"]), (&0.into(), &0.into()));
        assert_eq!((&nothing["run_ns"], &nothing["drop_ns"]), (&Value::Array(vec![]), &Value::Array(vec![])));
        assert_eq!(json(&PROGRAM.run("--keys 3 --count 0 --format json"))["output_bytes"], 0);

        let human = PROGRAM.run("--keys 4 --count 10");
        for word in ["plain-loop", "start", "run", "drop", "stop"] {
            assert!(String::from_utf8_lossy(&human.stdout).contains(word), "{human:?}");
        }
        let help = PROGRAM.run("--help");
        assert!(help.status.success() && String::from_utf8_lossy(&help.stdout).contains("Examples:"), "{help:?}");
    });
}

/// A failed key is in the report and on stderr; the others still count, and are digested.
#[test]
fn names_the_keys_that_failed() {
    alone("names_the_keys_that_failed", || {
        let output = PROGRAM.run("--keys 5 --count 10 --fault 1:panic --fault 3:panic-string --format json --digest");
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
    });
}

/// Each kind of wrong input: status 2, one line, and it names the flag. Nothing on stdout.
#[test]
fn refuses_bad_input() {
    alone("refuses_bad_input", || {
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
            ("--values 5", "--values needs --workload wait"),
            ("--workload sum --values 0", "--values needs --workload wait"),
            ("--workload sum --output-bytes 8", "--output-bytes needs --workload wait"),
            ("--workload wait --values -1", "--values"),
            ("--workload wait --values 18446744073709551615", "--keys and --values"),
            ("--workload wait --output-bytes 0", "--output-bytes"),
            ("--workload wait --output-bytes 12", "a multiple of 8 from 8 up"),
            ("--workload wait --output-bytes -8", "--output-bytes"),
            ("--workload wait --output-bytes 18446744073709551608", "--keys and --output-bytes"),
            ("--fault 1:panic --workload wait", "--fault"),
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
            let output = PROGRAM.run(flags);
            assert_eq!(output.status.code(), Some(2), "{flags}: {output:?}");
            let told = stderr(&output);
            assert!(told.contains(named) && told.trim_end().lines().count() == 1, "{flags}: {told}");
            assert!(output.stdout.is_empty(), "{flags}: {output:?}");
        }
    });
}

/// A full disk is no reader that had enough.
#[test]
fn says_when_its_output_is_lost() {
    alone("says_when_its_output_is_lost", || {
        for flags in ["--keys 4 --count 10 --dump", "--keys 4 --count 10 --format json", "--keys 4 --count 10"] {
            let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
            let output = PROGRAM.command(flags).stdout(full).output().unwrap();
            assert_eq!(output.status.code(), Some(1), "{flags}: {output:?}");
            assert!(stderr(&output).contains("standard output: No space left"), "{flags}: {output:?}");
        }
    });
}

/// `| head -c 10`: no panic, no message, and the status of the run.
#[test]
fn e3_ends_quietly_when_its_reader_does() {
    alone("e3_ends_quietly_when_its_reader_does", || {
        for flags in
            ["--keys 4 --count 100000 --dump", "--keys 4 --count 10 --format json", "--keys 4 --count 10", "--help"]
        {
            let mut child = PROGRAM.command(flags).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
            let mut stdout = child.stdout.take().unwrap();
            stdout.read_exact(&mut [0; 10]).unwrap();
            drop(stdout);
            let output = child.wait_with_output().unwrap();
            assert!(output.status.success(), "{flags}: {output:?}");
            assert!(!stderr(&output).contains("panicked"), "{flags}: {output:?}");
        }
    });
}

/// By affinity; by quota, where this process may make a control group; and by the variable, if it is a number.
#[test]
fn e5_one_cpu_is_one_worker_and_a_bad_variable_is_named() {
    alone("e5_one_cpu_is_one_worker_and_a_bad_variable_is_named", || {
        let flags = "--keys 9 --count 1 --format json";
        let status = fs::read_to_string("/proc/self/status").unwrap();
        let allowed = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:\t")).unwrap();
        let first = allowed.split(['-', ',']).next().unwrap();
        let one_cpu = PROGRAM.limited(&format!(r#"set -- taskset -c {first} "$@""#), flags);
        assert_eq!(json(&one_cpu)["workers"], 1, "{one_cpu:?}");

        // Version 1 and version 2. Both count microseconds of 100 milliseconds.
        let groups =
            [("/sys/fs/cgroup/cpu", "cpu.cfs_quota_us", "50000"), ("/sys/fs/cgroup", "cpu.max", "50000 100000")];
        let quota = groups.into_iter().find_map(|(all, file, half)| {
            let group = PathBuf::from(all).join(format!("fanout-{}", std::process::id()));
            fs::create_dir(&group).ok()?;
            let join = format!("echo $$ >{}", group.join("cgroup.procs").display());
            // Opened and not created: where this is no control group but a folder, the file is not there.
            let limit = fs::OpenOptions::new().write(true).open(group.join(file));
            let limited = limit.and_then(|mut limit| limit.write_all(half.as_bytes()));
            let output = limited.ok().map(|()| PROGRAM.limited(&join, flags));
            // Whoever was in it is gone, or it cannot be removed.
            assert!(within(SOON, || fs::remove_dir(&group).ok()).is_some());
            output
        });
        match quota {
            Some(half_a_cpu) => assert_eq!(json(&half_a_cpu)["workers"], 1, "{half_a_cpu:?}"),
            None => alone::not_tried("a quota: this process may make no control group"),
        }

        let workers = |variable: &str| PROGRAM.command(flags).env("FANOUT_WORKERS", variable).output().unwrap();
        assert_eq!(json(&workers("7"))["workers"], 7);
        for bad in ["0", "abc", ""] {
            let refused = workers(bad);
            assert_eq!(refused.status.code(), Some(2), "{bad}");
            assert!(stderr(&refused).contains("FANOUT_WORKERS") && refused.stdout.is_empty(), "{refused:?}");
        }
    });
}
