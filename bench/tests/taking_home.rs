//! The programs of docs/taking-a-strategy-home.md, in a crate outside of this workspace.
#![cfg(target_os = "linux")]

use std::fs;
use std::path::Path;
use std::process::Command;

/// The code blocks of the page in this language, in order.
fn blocks<'a>(page: &'a str, language: &str) -> Vec<&'a str> {
    let opening = format!("```{language}\n");
    page.split(&opening).skip(1).map(|rest| rest.split("```").next().unwrap()).collect()
}

#[test]
fn a_copied_strategy_runs_a_job_of_its_own() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let page = fs::read_to_string(root.join("docs/taking-a-strategy-home.md")).unwrap();
    let [threads, processes, plain] = blocks(&page, "rust").try_into().unwrap();
    let [dependencies] = blocks(&page, "toml").try_into().unwrap();
    let on_rayon = threads.replace("std_counter", "rayon_iter").replace("StdCounter", "RayonIter");

    let home = tempfile::tempdir().unwrap();
    let write = |path: &str, content: &str| {
        let path = home.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    };
    let package = "[package]\nname = \"home\"\nedition = \"2024\"\n\n[workspace]\n\n";
    write("Cargo.toml", &format!("{package}{}", dependencies.replace("../fanout", root.to_str().unwrap())));
    // The versions that this workspace has fetched.
    write("Cargo.lock", &fs::read_to_string(root.join("Cargo.lock")).unwrap());
    write("src/bin/plain/main.rs", plain);
    for (strategy, main) in [("std-counter", threads), ("rayon-iter", &on_rayon), ("process-pool", processes)] {
        let copied = fs::read_to_string(root.join("impls").join(strategy).join("src/lib.rs")).unwrap();
        write(&format!("src/bin/{strategy}/{}.rs", strategy.replace('-', "_")), &copied);
        write(&format!("src/bin/{strategy}/main.rs"), main);
    }

    // Beside what the outer cargo builds, so that only the first run is slow.
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap().join("new-strategy");
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--offline"]).current_dir(home.path()).env("CARGO_TARGET_DIR", &target);
    let built = cargo.output().unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    for program in ["std-counter", "rayon-iter", "process-pool", "plain"] {
        let output = Command::new(target.join("debug").join(program)).output().unwrap();
        assert!(output.status.success(), "{program}: {output:?}");
        assert_eq!(String::from_utf8_lossy(&output.stdout), "6\n4\n0\n", "{program}");
    }
}
