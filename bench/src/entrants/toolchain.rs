//! What cargo builds with: the compiler, its target, its flags, and the release profile.
//!
//! The environment, a config file in each folder upwards, and the manifest all have a say in these, by rules that grow with
//! cargo, and a stable cargo does not tell what has come of them. So cargo builds an empty program with the profile of the
//! workspace, in the folder and the environment in which it builds the strategies, and what that one got is what they got.
//! Read here instead, the files could be read otherwise than cargo reads them.
//!
//! The strategies' own build cannot be asked: cargo does not repeat the command line of what it need not build again.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use std::{fs, io};

use cargo_metadata::Message;

use crate::entrants::building;
use crate::process::interrupt::{Interrupt, Interrupted};
use crate::process::{self, RunError};

/// What a build got, with nothing that is this machine's alone. `None` is also what was not set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Toolchain {
    /// The compiler's name and version.
    pub rustc: Option<String>,
    /// The programs through which cargo calls it.
    pub wrapper: Option<String>,
    /// What it compiles for, if cargo was told.
    pub target: Option<String>,
    /// What the profile has set, as the compiler's options.
    pub profile: Option<String>,
    /// Flags beside those of the profile.
    pub flags: Option<String>,
}

/// Why it cannot be told.
#[derive(Debug, thiserror::Error)]
pub enum Unknown {
    /// cargo does not know where it builds.
    #[error(transparent)]
    Metadata(#[from] cargo_metadata::Error),
    /// The empty program could not be written.
    #[error("{path}: {why}")]
    Io {
        /// The file or folder.
        path: String,
        /// What the system says.
        why: io::Error,
    },
    /// The workspace's manifest is no TOML.
    #[error("Cargo.toml: {0}")]
    Manifest(#[from] toml::de::Error),
    /// cargo could not be run.
    #[error("cargo {0}")]
    Run(RunError),
    /// cargo ran, in vain.
    #[error("cargo did not build an empty program: {0}")]
    Failed(String),
}

/// An empty program takes a second. A wrapper may have to start a server first.
const PATIENCE: Duration = Duration::from_secs(60);

/// The empty program's name.
const NAME: &str = "probe";

/// A workspace of its own, though it is in the folder of another.
const MANIFEST: &str = r#"[workspace]

[package]
name = "probe"
edition = "2024"
build = "build.rs"

[[bin]]
name = "probe"
path = "main.rs"
"#;

/// Hands on what cargo tells a build script, which is what it resolved, and what a message of cargo does not have.
const SCRIPT: &str = r#"fn main() {
    for name in ["RUSTC", "RUSTC_WRAPPER", "RUSTC_WORKSPACE_WRAPPER", "CARGO_ENCODED_RUSTFLAGS"] {
        println!("cargo::rustc-env=GOT_{name}={}", std::env::var(name).unwrap_or_default());
    }
}
"#;

/// Between two flags in what cargo tells a build script.
const BETWEEN_FLAGS: char = '\u{1f}';

/// What cargo builds the workspace at `root` with when it runs in the folder `dir`, found out by a build of its own.
pub fn used(root: &Path, dir: &Path, interrupt: &Interrupt) -> Result<Result<Toolchain, Unknown>, Interrupted> {
    let probed = probe(root, dir, interrupt);
    interrupt.check()?;
    Ok(probed)
}

fn probe(root: &Path, dir: &Path, interrupt: &Interrupt) -> Result<Toolchain, Unknown> {
    let io = |path: &Path| {
        let path = path.display().to_string();
        move |why| Unknown::Io { path, why }
    };
    // Not where files are only kept: programs may not be run there.
    let target = building::target_directory(root)?.into_std_path_buf();
    fs::create_dir_all(&target).map_err(io(&target))?;
    let package = tempfile::Builder::new().prefix("probe-").tempdir_in(&target).map_err(io(&target))?;
    let path = root.join("Cargo.toml");
    let workspace: toml::Table = fs::read_to_string(&path).map_err(io(&path))?.parse()?;
    let files =
        [("Cargo.toml", manifest(&workspace)), ("build.rs", SCRIPT.into()), ("main.rs", "fn main() {}\n".into())];
    for (name, content) in files {
        let path = package.path().join(name);
        fs::write(&path, content).map_err(io(&path))?;
    }
    let built = package.path().join("target");
    let mut cargo = Command::new(building::cargo());
    cargo.args(["build", "--release", "--offline", "--verbose", "--color", "never", "--message-format", "json"]);
    cargo.arg("--manifest-path").arg(package.path().join("Cargo.toml")).arg("--target-dir").arg(&built);
    cargo.env("CARGO_BUILD_BUILD_DIR", &built).current_dir(dir);
    let output = process::run(cargo, Some(PATIENCE), interrupt).map_err(Unknown::Run)?;
    if !output.status.success() {
        let said = process::last_line(&output.stderr).unwrap_or_else(|| output.status.to_string());
        return Err(Unknown::Failed(said));
    }
    let mut toolchain = Toolchain::default();
    let mut got = BTreeMap::new();
    for message in Message::parse_stream(output.stdout.as_slice()).map_while(Result::ok) {
        match message {
            Message::BuildScriptExecuted(script) => got.extend(script.env),
            // Of a target that cargo was told, the programs have a folder of their own.
            Message::CompilerArtifact(artifact) => {
                let folder = artifact.executable.as_deref().and_then(|path| path.ancestors().nth(2));
                if let Some(folder) = folder.filter(|folder| folder.as_std_path() != built) {
                    toolchain.target = folder.file_name().map(str::to_owned);
                }
            }
            _ => {}
        }
    }
    let got = |name: &str| got.get(&format!("GOT_{name}")).map(String::as_str).filter(|value| !value.is_empty());
    if let Some(rustc) = got("RUSTC") {
        toolchain.rustc = version(rustc, dir, interrupt)?;
    }
    let wrappers = [got("RUSTC_WRAPPER"), got("RUSTC_WORKSPACE_WRAPPER")].into_iter().flatten().map(name);
    toolchain.wrapper = joined(wrappers, " ");
    let flags: Vec<&str> = got("CARGO_ENCODED_RUSTFLAGS").into_iter().flat_map(|it| it.split(BETWEEN_FLAGS)).collect();
    let options = options(&String::from_utf8_lossy(&output.stderr), &flags);
    // Configured by itself, and as much a flag as the others.
    let linker = options.iter().find(|option| option.starts_with("linker=")).map(|linker| format!("-C {linker}"));
    toolchain.flags = joined(linker.iter().map(String::as_str).chain(flags).map(without_path), " ");
    let options =
        options.iter().filter(|option| !option.starts_with("linker=")).map(|option| option.replace('=', " = "));
    toolchain.profile = joined(options.chain(overrides(&workspace)), ", ");
    Ok(toolchain)
}

/// A manifest of the empty program, with the release profile of the workspace.
fn manifest(workspace: &toml::Table) -> String {
    let mut release = release_profile(workspace).cloned().unwrap_or_default();
    // For packages that are not here.
    release.remove("package");
    let profile = toml::Table::from_iter([("release".to_owned(), release.into())]);
    let profile = toml::Table::from_iter([("profile".to_owned(), profile.into())]);
    format!("{MANIFEST}\n{profile}")
}

fn release_profile(workspace: &toml::Table) -> Option<&toml::Table> {
    workspace.get("profile")?.get("release")?.as_table()
}

/// What the manifest sets for some packages alone, in its own words: the empty program is none of them.
fn overrides(workspace: &toml::Table) -> Option<String> {
    let packages = release_profile(workspace)?.get("package")?;
    Some(format!("package = {packages}"))
}

/// The options that cargo has made of the profile: those by which it called the compiler without `flags`, and without those
/// that only say where things are.
fn options(said: &str, flags: &[&str]) -> Vec<String> {
    const OF_CARGO: [&str; 4] = ["metadata", "extra-filename", "incremental", "embed-bitcode"];
    let calls = said.lines().filter_map(|line| line.trim().strip_prefix("Running `")?.strip_suffix('`'));
    let mut calls = calls.filter_map(|call| shell_words::split(call).ok());
    let Some(mut words) = calls.find(|words| words.windows(2).any(|two| two == ["--crate-name", NAME])) else {
        return Vec::new();
    };
    if !flags.is_empty()
        && let Some(start) = words.windows(flags.len()).rposition(|some| some == flags)
    {
        words.drain(start..start + flags.len());
    }
    let options = words.windows(2).filter(|two| two[0] == "-C").map(|two| two[1].clone());
    options.filter(|option| !OF_CARGO.contains(&option.split('=').next().unwrap_or_default())).collect()
}

/// What `rustc` calls itself, in the folder where cargo would call it: it may be another one in each.
fn version(rustc: &str, root: &Path, interrupt: &Interrupt) -> Result<Option<String>, Unknown> {
    let mut command = Command::new(rustc);
    command.arg("--version").current_dir(root);
    let output = process::run(command, Some(PATIENCE), interrupt).map_err(Unknown::Run)?;
    Ok(String::from_utf8_lossy(&output.stdout).lines().next().map(str::to_owned))
}

/// A program without its folder.
fn name(program: &str) -> &str {
    Path::new(program).file_name().and_then(|name| name.to_str()).unwrap_or(program)
}

/// A flag without the path in it.
fn without_path(flag: &str) -> String {
    match flag.find(['/', '\\']) {
        Some(slash) => format!("{}…", &flag[..slash]),
        None => flag.to_owned(),
    }
}

/// All of them in one line; `None` if there are none.
fn joined(parts: impl IntoIterator<Item = impl Into<String>>, between: &str) -> Option<String> {
    let parts: Vec<String> = parts.into_iter().map(Into::into).collect();
    (!parts.is_empty()).then(|| parts.join(between))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_of_the_profile_are_told_from_flags_and_from_what_cargo_adds() {
        let said = "   Compiling probe v0.0.0 (/a/b)\n     Running `/wrap /bin/rustc --crate-name build_script_build -C strip=none`\n     \
                    Running `/wrap '/a b/rustc' --crate-name probe --edition=2024 main.rs --crate-type bin -C opt-level=1 -C \
                    embed-bitcode=no -C lto -C codegen-units=1 --check-cfg 'cfg(feature, values())' -C metadata=55 -C \
                    extra-filename=-82 --out-dir /a/b -C linker=clang -C strip=debuginfo -C target-cpu=native --cfg x`\n";
        let profile = ["opt-level=1", "lto", "codegen-units=1", "linker=clang", "strip=debuginfo"];
        assert_eq!(options(said, &["-C", "target-cpu=native", "--cfg", "x"]), profile);
        assert_eq!(options("   Fresh probe v0.0.0\n", &[]), Vec::<String>::new());
    }

    #[test]
    fn no_path_is_left() {
        let flags = ["-C", "target-cpu=native", "--remap-path-prefix=/home/somebody=x", "-Clink-arg=C:\\Users"];
        let shown = joined(flags.map(without_path), " ").unwrap();
        assert_eq!(shown, "-C target-cpu=native --remap-path-prefix=… -Clink-arg=C:…");
        assert_eq!((name("/usr/bin/sccache"), name("sccache")), ("sccache", "sccache"));
        assert_eq!(joined([""; 0], " "), None);
    }

    #[test]
    fn the_empty_program_has_the_profile_of_the_workspace() {
        let workspace =
            "[profile.release]\nlto = true\n[profile.release.package.a]\nopt-level = 1\n[profile.dev]\nlto = \"off\"\n";
        let workspace: toml::Table = workspace.parse().unwrap();
        let manifest: toml::Table = manifest(&workspace).parse().unwrap();
        assert_eq!(manifest["profile"].to_string(), "{ release = { lto = true } }");
        assert_eq!(manifest["package"]["name"].as_str(), Some(NAME));
        assert_eq!(overrides(&workspace).unwrap(), "package = { a = { opt-level = 1 } }");
    }
}
