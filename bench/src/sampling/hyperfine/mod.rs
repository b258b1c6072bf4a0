//! Cold times: the whole process from outside, by hyperfine.

use std::fmt;
use std::path::{self, Path, PathBuf};
use std::process::Command;
use std::{env, io};

use crate::entrants::contender::is_executable;
use crate::process;

pub mod export;

/// The newest version that compilers before 1.97 can build.
pub const INSTALLED_VERSION: &str = "1.20.0";

/// The oldest version that runs commands without a shell, by `-N`.
const OLDEST: (u64, u64) = (1, 13);

/// Where `cargo install --root target/tools` puts it, in the repository.
const INSTALLED: &str = "target/tools/bin/hyperfine";

/// A hyperfine that can time, by its own word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timer {
    /// Where it is; absolute, since it is started in the folders of the programs.
    pub path: PathBuf,
    /// What it calls itself: `hyperfine 1.20.0`.
    pub version: String,
}

/// A hyperfine that cannot.
#[derive(Debug)]
pub struct Unfit {
    path: PathBuf,
    why: Why,
}

#[derive(Debug)]
enum Why {
    Io(io::Error),
    Version(String),
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        match &self.why {
            Why::Io(error) => write!(f, "{path} cannot be run: {error}"),
            Why::Version(said) => {
                let (major, minor) = OLDEST;
                write!(f, "{path} says that it is `{said}`, and hyperfine {major}.{minor} or later is needed")
            }
        }
    }
}

/// The first hyperfine that can time: on PATH, in the folder `beside`, or where [`install_command`] puts it. And what is
/// wrong with those before it.
pub fn find(root: &Path, beside: Option<&Path>) -> (Option<Timer>, Vec<Unfit>) {
    let folders = process::folders_of_path().into_iter().chain(beside.map(Path::to_owned));
    let mut unfit = Vec::new();
    for place in folders.map(|dir| dir.join("hyperfine")).chain([root.join(INSTALLED)]) {
        if !place.is_file() {
            continue;
        }
        match timer(&place) {
            Ok(timer) => return (Some(timer), unfit),
            Err(why) => unfit.push(Unfit { path: place, why }),
        }
    }
    (None, unfit)
}

fn timer(place: &Path) -> Result<Timer, Why> {
    if !is_executable(place) {
        return Err(Why::Io(io::ErrorKind::PermissionDenied.into()));
    }
    let path = path::absolute(place).map_err(Why::Io)?;
    let output = Command::new(&path).arg("--version").output().map_err(Why::Io)?;
    let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    match version(&said) {
        Some(version) if version >= OLDEST => Ok(Timer { path, version: said }),
        _ => Err(Why::Version(said)),
    }
}

/// Major and minor.
fn version(said: &str) -> Option<(u64, u64)> {
    let mut numbers = said.strip_prefix("hyperfine ")?.split('.');
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

/// Installs hyperfine in the repository's target folder and nowhere else: what cargo needs meanwhile is in `temporary`.
pub fn install_command(root: &Path, temporary: &Path) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(["install", "--locked", "--root", "target/tools", "hyperfine", "--version", INSTALLED_VERSION]);
    command.current_dir(root).env("TMPDIR", temporary);
    command
}

/// Times `command_line` once, in the folder of the program, and exports to `export`.
///
/// One process of hyperfine per run: given several commands, it runs them in blocks, and drift of the machine then looks
/// like a difference. No warm-up run: by then every program has been run, so its file is in the page cache, and everything
/// else about a cold run is what is to be measured. Only flags that mean the same in 1.20 and 2.0.
pub fn time_once(hyperfine: &Path, name: &str, command_line: &str, dir: &Path, export: &Path) -> Command {
    let mut command = Command::new(hyperfine);
    command.args(["-N", "-w", "0", "-r", "1", "-n", name, "--export-json"]).arg(export);
    command.args(["--ignore-failure", command_line]).current_dir(dir);
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_read_from_what_it_says() {
        assert_eq!(version("hyperfine 1.20.0"), Some((1, 20)));
        assert_eq!(version("hyperfine 2.0.0-rc1"), Some((2, 0)));
        assert!(version("hyperfine 1.9.0") < Some(OLDEST));
        for said in ["", "hyperfine", "hyperfine one", "another 1.20.0"] {
            assert_eq!(version(said), None, "{said}");
        }
    }
}
