//! The programs of docs/taking-a-strategy-home.md and of each strategy's examples/plain.rs, in crates outside of this
//! workspace.
#![cfg(target_os = "linux")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use bench::entrants::contender;
use bench::entrants::manifest::lacking;
use bench::text::splice::PLAIN;
use cargo_metadata::{Dependency, MetadataCommand};
use tempfile::TempDir;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// A crate outside of this workspace, with the versions that this workspace has fetched.
struct Home {
    dir: TempDir,
}

impl Home {
    fn new(name: &str, dependencies: &str) -> Home {
        let home = Home { dir: tempfile::tempdir().unwrap() };
        home.write(
            "Cargo.toml",
            &format!("[package]\nname = \"{name}\"\nedition = \"2024\"\n\n[workspace]\n\n{dependencies}"),
        );
        home.write("Cargo.lock", &fs::read_to_string(root().join("Cargo.lock")).unwrap());
        home
    }

    fn write(&self, path: &str, content: &str) {
        let path = self.dir.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    /// Builds it, with what the outer cargo has compiled. The folder of its programs.
    fn build(&self) -> PathBuf {
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap().join("new-strategy");
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["build", "--offline"]).current_dir(self.dir.path()).env("CARGO_TARGET_DIR", &target);
        // As the outer cargo, so that they share their dependencies.
        let debug = std::env::var("CARGO_PROFILE_DEV_DEBUG").unwrap_or_else(|_| "line-tables-only".to_owned());
        cargo.env("CARGO_PROFILE_DEV_DEBUG", debug).env("CARGO_BUILD_BUILD_DIR", target.parent().unwrap());
        let built = cargo.output().unwrap();
        assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
        target.join("debug")
    }
}

/// The code blocks of the page in this language, in order.
fn blocks<'a>(page: &'a str, language: &str) -> Vec<&'a str> {
    let opening = format!("```{language}\n");
    page.split(&opening).skip(1).map(|rest| rest.split("```").next().unwrap()).collect()
}

#[test]
fn a_copied_strategy_runs_a_job_of_its_own() {
    let page = fs::read_to_string(root().join("docs/taking-a-strategy-home.md")).unwrap();
    let [threads, processes, plain] = blocks(&page, "rust").try_into().unwrap();
    let [dependencies] = blocks(&page, "toml").try_into().unwrap();
    let on_rayon = threads.replace("std_counter", "rayon_iter").replace("StdCounter", "RayonIter");

    let home = Home::new("home", &dependencies.replace("../fanout", root().to_str().unwrap()));
    home.write("src/bin/plain/main.rs", plain);
    for (strategy, main) in [("std-counter", threads), ("rayon-iter", &on_rayon), ("process-pool", processes)] {
        let copied = fs::read_to_string(root().join("impls").join(strategy).join("src/lib.rs")).unwrap();
        home.write(&format!("src/bin/{strategy}/{}.rs", strategy.replace('-', "_")), &copied);
        home.write(&format!("src/bin/{strategy}/main.rs"), main);
    }
    let programs = home.build();
    for program in ["std-counter", "rayon-iter", "process-pool", "plain"] {
        let output = Command::new(programs.join(program)).output().unwrap();
        assert!(output.status.success(), "{program}: {output:?}");
        assert_eq!(String::from_utf8_lossy(&output.stdout), "6\n4\n0\n", "{program}");
    }
}

/// In one crate, which has the dependencies that the examples name and no crate of this workspace.
#[test]
fn every_plain_example_needs_nothing_of_this_workspace() {
    let metadata = MetadataCommand::new().manifest_path(root().join("Cargo.toml")).no_deps().exec().unwrap();
    let strategies = contender::strategies(&root().join("impls")).unwrap();
    let example =
        |name: &String| (name.clone(), fs::read_to_string(root().join("impls").join(name).join(PLAIN)).unwrap());
    let examples: Vec<_> = strategies.iter().map(example).collect();

    let mut needed = BTreeMap::new();
    for (name, source) in &examples {
        let package = metadata.packages.iter().find(|package| package.name == name).unwrap();
        let is_named =
            |it: &&Dependency| it.path.is_none() && source.contains(&format!("{}::", it.name.replace('-', "_")));
        for dependency in package.dependencies.iter().filter(is_named) {
            // A strategy's examples may need more features of a crate than the strategy.
            let (_, default, features) =
                needed.entry(&dependency.name).or_insert((&dependency.req, false, BTreeSet::new()));
            *default |= dependency.uses_default_features;
            features.extend(&dependency.features);
        }
    }
    let mut dependencies = String::from("[dependencies]\n");
    for (name, (version, default, features)) in needed {
        let features = Vec::from_iter(features);
        dependencies +=
            &format!("{name} = {{ version = \"{version}\", default-features = {default}, features = {features:?} }}\n");
    }
    let home = Home::new("plain", &dependencies);
    for (name, source) in &examples {
        home.write(&format!("src/bin/plain-{name}.rs"), source);
    }
    let programs = home.build();
    let lacking = lacking(&root().join("impls"), &strategies).unwrap();
    // scripts/test.sh says which are left out.
    for name in strategies.iter().filter(|name| lacking.iter().all(|lacks| lacks.strategy != **name)) {
        let output = Command::new(programs.join(format!("plain-{name}"))).output().unwrap();
        assert!(output.status.success() && output.stdout.is_empty(), "{name}: {output:?}");
    }
}
