//! Cold times: the whole process from outside, by hyperfine.

use std::path::{self, Path, PathBuf};
use std::process::Command;
use std::{env, io};

pub mod export;

/// The newest version that compilers before 1.97 can build.
pub const INSTALLED_VERSION: &str = "1.20.0";

/// Where `cargo install --root target/tools` puts it, in the repository.
const INSTALLED: &str = "target/tools/bin/hyperfine";

/// hyperfine on PATH, or where [`install_command`] puts it.
pub fn find(root: &Path) -> Option<PathBuf> {
    let on_path = env::var_os("PATH").unwrap_or_default();
    let places = env::split_paths(&on_path).map(|dir| dir.join("hyperfine"));
    let found = places.chain([root.join(INSTALLED)]).find(|place| place.is_file())?;
    // It is started in the folders of the programs.
    path::absolute(found).ok()
}

/// Installs hyperfine in the repository's target folder and nowhere else. Takes about 100 s on two cores.
pub fn install_command(root: &Path) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(["install", "--locked", "--root", "target/tools", "hyperfine", "--version", INSTALLED_VERSION]);
    command.current_dir(root);
    command
}

/// What hyperfine calls itself: `hyperfine 1.20.0`.
pub fn version(hyperfine: &Path) -> io::Result<String> {
    let output = Command::new(hyperfine).arg("--version").output()?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
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
