//! A new workload is one file and one word: here in a copy of this repository.
#![cfg(unix)]

use std::path::Path;
use std::process::{Command, Output};

use kernel::{Digest, Workload};
use workloads::{BUILT_IN, Fill, Job, Parameters, Skew};

mod scaffold;

#[path = "scaffold/tree.rs"]
mod tree;

use scaffold::{assert_success, built_in, root, sources, stderr, stdout};
use tree::Tree;

const LIST: &str = "shared/workloads/src/lib.rs";
const FILE: &str = "shared/workloads/src/xor.rs";
const WORKLOAD: &str = include_str!("scaffold/xor.rs");

/// This repository with a workload more. Its files are as old as what they are made from, so that the second run is fast.
fn with_workload(workload: &str) -> Tree {
    let tree = Tree::copy();
    let modified = |path: &str| root().join(path).metadata().unwrap().modified().unwrap();
    let made_from = ["bench/tests/scaffold/xor.rs", "bench/tests/new_workload.rs", LIST].map(modified);
    let made = made_from.into_iter().max().unwrap();
    let listed = String::from_utf8(tree.sources().remove(Path::new(LIST)).unwrap()).unwrap();
    let (listed, end) = listed.rsplit_once(" }").unwrap();
    tree.write(LIST, format!("{listed}, xor::Xor }}{end}"));
    tree.write(FILE, workload);
    for path in [LIST, FILE] {
        tree.set_modified(path, made);
    }
    tree
}

/// A law of a strategy whose keys run in worker processes; its program is built for it. Each `level` of optimisation is kept apart
/// from the others, and from this repository's own workloads.
fn law(tree: &Tree, level: u8) -> Output {
    tree.cargo(&format!(
        "test --locked --offline -p process-pool --test laws --config profile.dev.package.workloads.opt-level={level} \
         -- --exact agrees_with_a_plain_loop"
    ))
}

#[test]
fn a_new_workload_is_one_file_and_one_word() {
    let tree = with_workload(WORKLOAD);
    assert_success(&law(&tree, 1));

    let program = |flags: &str| {
        let output = Command::new(built_in("new-strategy").join("debug/process-pool")).args(flags.split(' ')).output();
        output.unwrap()
    };
    let help = stdout(&program("--help"));
    assert!(help.contains("`xor` xors them"), "{help}");
    let refused = program("--workload xor --values 3");
    assert_eq!(stderr(&refused).lines().next(), Some("process-pool: error: --values needs --workload wait"));

    let asked = Parameters { keys: 7, count: 1_000, skew: Skew::Zipf, ..Parameters::default() };
    let job = Job::new(asked).unwrap();
    let mut digest = Digest::new();
    for key in 0..job.keys() {
        let products = Fill(job.clone()).expand(key);
        let bits = products.iter().fold(0, |bits, product| bits ^ product.to_bits());
        digest.add(job.key(key).to_le_bytes(), &bits.to_le_bytes());
    }
    let flags = "--workload xor --keys 7 --count 1000 --skew zipf --workers 2 --format json --digest";
    let output = program(&format!("{flags} --expect {}", digest.hex()));
    assert_success(&output);
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&report["workload"], &report["output_bytes"]), (&"xor".into(), &56.into()), "{report}");

    // No other file has changed, not even Cargo.lock.
    let (before, after) = (sources(root()), tree.sources());
    let changed: Vec<_> = after.iter().filter(|(path, text)| before.get(*path) != Some(text)).collect();
    assert_eq!(changed.iter().map(|(path, _)| path.to_str().unwrap()).collect::<Vec<_>>(), [LIST, FILE]);
    assert_eq!(after.len(), before.len() + 1);
    assert!(BUILT_IN.iter().all(|facts| facts.name != "xor"));
}

#[test]
fn a_workload_that_is_computed_wrongly_in_a_worker_breaks_the_law() {
    let wrong = WORKLOAD.replace("let mut bits = 0;", "let mut bits = u64::from(std::process::id());");
    assert_ne!(wrong, WORKLOAD);
    let output = law(&with_workload(&wrong), 2);
    let said = stdout(&output) + &stderr(&output);
    assert!(!output.status.success() && said.contains("of Xor(Job") && said.contains(" differs"), "{said}");
}
