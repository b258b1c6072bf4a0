//! `compare` builds with whatever cargo is told to build with, and records that: here in a workspace of strategies that
//! compute nothing, with a fake hyperfine.
#![cfg(unix)]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use bench::run::Run;
use bench::run::machine::Machine;
use tempfile::TempDir;

/// A strategy that ends well only if it was built with this flag.
const MAIN: &str = r##"fn main() {
    if !cfg!(wanted) { std::process::exit(9) }
    println!(r#"{{"strategy":"any","workload":"fill","keys":1,"count":100,"skew":"uniform",
        "rng":"xoshiro","seed":42,"profile":"release","workers":2,"start_ns":1,"run_ns":[3,2,2],"drop_ns":[1,1,1],
        "stop_ns":1,"output_bytes":800,"failed":[],"digest":"0123456789abcdef"}}"#);
}
"##;

/// What would have a say in the builds of these tests, were it set where they are run.
const ELSEWHERE: [&str; 8] = [
    "CARGO_BUILD_RUSTFLAGS",
    "CARGO_BUILD_TARGET",
    "CARGO_ENCODED_RUSTFLAGS",
    "CARGO_TARGET_DIR",
    "RUSTC",
    "RUSTC_WORKSPACE_WRAPPER",
    "RUSTC_WRAPPER",
    "RUSTFLAGS",
];

/// A workspace in a folder of its own.
struct Workspace {
    dir: TempDir,
}

impl Workspace {
    /// With this profile in its manifest, and this config of cargo.
    fn new(profile: &str, config: &str) -> Workspace {
        let workspace = Workspace { dir: tempfile::tempdir().unwrap() };
        let manifest = format!("[workspace]\nresolver = \"3\"\nmembers = [\"impls/*\"]\n{profile}");
        workspace.write("Cargo.toml", &manifest);
        workspace.write(".cargo/config.toml", config);
        for name in ["sequential", "twice"] {
            let manifest = format!("[package]\nname = \"{name}\"\nedition = \"2024\"\n");
            workspace.write(&format!("impls/{name}/Cargo.toml"), &manifest);
            workspace.write(&format!("impls/{name}/src/main.rs"), MAIN);
        }
        fs::create_dir(workspace.path("path")).unwrap();
        // Links, not copies: a file that was just written cannot be run while any other test is starting a process.
        let fakes = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fakes");
        symlink(fakes.join("hyperfine.sh"), workspace.path("path/hyperfine")).unwrap();
        symlink(fakes.join("rustc.sh"), workspace.path("path/another-rustc")).unwrap();
        let lock = workspace.command(cargo()).args(["generate-lockfile", "--offline"]).output().unwrap();
        assert!(lock.status.success(), "{lock:?}");
        workspace
    }

    fn path(&self, path: &str) -> PathBuf {
        self.dir.path().join(path)
    }

    fn write(&self, path: &str, content: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        let path = std::env::var("PATH").unwrap_or_default();
        command.current_dir(self.dir.path()).stdin(Stdio::null());
        command.env("PATH", format!("{}:{path}", self.path("path").display()));
        for name in ELSEWHERE {
            command.env_remove(name);
        }
        command
    }

    fn compare(&self, environment: &[(&str, &str)]) -> Output {
        let mut compare = self.command(env!("CARGO_BIN_EXE_compare"));
        compare.args(["--rounds", "1", "--workers", "2"]).envs(environment.iter().copied()).output().unwrap()
    }

    /// Measures, and returns what was recorded, once it is known to hold nothing of this machine's alone.
    #[track_caller]
    fn measured(&self, environment: &[(&str, &str)]) -> Machine {
        let output = self.compare(environment);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        assert!(!stderr(&output).contains("not recorded"), "{}", stderr(&output));
        let entries = fs::read_dir(self.path("results/local")).unwrap().map(|entry| entry.unwrap().path());
        let dir = entries.into_iter().find(|path| path.is_dir()).unwrap();
        let json = fs::read_to_string(dir.join("machine.json")).unwrap();
        let canonical = self.dir.path().canonicalize().unwrap();
        for private in [self.dir.path().to_str().unwrap(), canonical.to_str().unwrap(), "somebody", "/bin"] {
            assert!(!json.contains(private), "{json}");
        }
        let run = Run::read(&dir).unwrap();
        assert!(run.measured.iter().all(|row| row.failure.is_none() && row.cold.len() == 1), "{run:?}");
        let page = fs::read_to_string(dir.join("README.md")).unwrap();
        for told in [&run.machine.target, &run.machine.rustc_wrapper, &run.machine.rustflags, &run.machine.profile] {
            assert!(told.as_ref().is_none_or(|told| page.contains(told)), "{told:?} is not in {page}");
        }
        let left = fs::read_dir(self.path("target")).unwrap().map(|entry| entry.unwrap().file_name());
        let left: Vec<_> = left.filter(|name| name.to_string_lossy().starts_with("probe")).collect();
        assert!(left.is_empty(), "{left:?}");
        run.machine
    }
}

fn cargo() -> String {
    std::env::var("CARGO").unwrap_or_else(|_| "cargo".into())
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The target that is built for where no other is asked for, and whose libraries are therefore there.
fn host() -> String {
    let output = Command::new("rustc").arg("-vV").output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    said.lines().find_map(|line| line.strip_prefix("host: ")).unwrap().to_owned()
}

#[test]
fn what_cargos_config_says_is_built_with_and_recorded() {
    let config = format!(
        "[build]\ntarget = \"{}\"\nrustc-wrapper = \"/usr/bin/env\"\nrustflags = [\"--cfg\", \"wanted\", \
         \"--remap-path-prefix=/home/somebody=x\"]\n",
        host()
    );
    let workspace = Workspace::new("[profile.release]\ncodegen-units = 1\n", &config);
    let machine = workspace.measured(&[("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1")]);
    assert!(workspace.path("target").join(host()).join("release/twice").is_file());
    assert_eq!(machine.target, Some(host()));
    assert_eq!(machine.rustc_wrapper.as_deref(), Some("env"));
    assert_eq!(machine.rustflags.as_deref(), Some("--cfg wanted --remap-path-prefix=…"));
    assert_eq!(machine.profile.as_deref(), Some("opt-level = 1, codegen-units = 1, strip = debuginfo"));
    let rustc = Command::new("rustc").arg("--version").output().unwrap();
    assert_eq!(machine.rustc.as_deref(), Some(String::from_utf8(rustc.stdout).unwrap().trim()));
}

#[test]
fn what_the_environment_says_comes_before_cargos_config() {
    let config = "[build]\nrustflags = [\"-C\", \"debug-assertions=on\"]\n\n[profile.release]\nlto = \"thin\"\n";
    let workspace = Workspace::new("[profile.release]\nlto = true\n", config);
    let flags = [("RUSTFLAGS", "--cfg wanted -Clink-arg=-L/home/somebody"), ("RUSTC", "another-rustc")];
    let machine = workspace.measured(&flags);
    assert!(workspace.path("target/release/twice").is_file());
    assert_eq!((machine.target, machine.rustc_wrapper), (None, None));
    assert_eq!(machine.rustflags.as_deref(), Some("--cfg wanted -Clink-arg=-L…"));
    assert_eq!(machine.profile.as_deref(), Some("opt-level = 3, lto = thin, strip = debuginfo"));
    assert_eq!(machine.rustc.as_deref(), Some("rustc 9.99.0 (fake)"));
}

#[test]
fn flags_of_a_target_and_a_package_are_recorded() {
    let manifest = "[profile.release]\npanic = \"abort\"\n\n[profile.release.package.twice]\nopt-level = 2\n";
    let config = "[target.'cfg(unix)']\nrustflags = [\"--cfg\", \"wanted\"]\n";
    let workspace = Workspace::new(manifest, config);
    let machine = workspace.measured(&[]);
    assert_eq!(machine.rustflags.as_deref(), Some("--cfg wanted"));
    let profile = "opt-level = 3, panic = abort, strip = debuginfo, package = { twice = { opt-level = 2 } }";
    assert_eq!(machine.profile.as_deref(), Some(profile));
}

#[test]
fn a_build_that_checks_itself_is_refused_by_its_reason() {
    let workspace = Workspace::new("", "");
    let output = workspace.compare(&[("CARGO_PROFILE_RELEASE_DEBUG_ASSERTIONS", "true")]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("was built with debug assertions"), "{}", stderr(&output));
    assert!(!workspace.path("results/local").exists());
}

#[test]
fn what_needs_a_program_that_is_not_here_is_not_built() {
    let workspace = Workspace::new("", "[build]\nrustflags = [\"--cfg\", \"wanted\"]\n");
    let needs = "needs = { program = \"no-such-server\", install = \"Debian: apt-get install no-such-server\" }";
    let manifest = fs::read_to_string(workspace.path("impls/twice/Cargo.toml")).unwrap();
    workspace.write("impls/twice/Cargo.toml", &format!("{manifest}\n[package.metadata.fanout]\n{needs}\n"));
    workspace.measured(&[]);
    assert!(workspace.path("target/release/sequential").is_file());
    assert!(!workspace.path("target/release/twice").exists());
}
