//! The Python that runs the notebook's programs: a virtual environment in the target folder, with packages pinned by hash.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use xxhash_rust::xxh3::xxh3_128;

use crate::entrants::notebook::FOLDER;
use crate::process::interrupt::{Interrupt, Interrupted};
use crate::process::{self, RunError};

/// The environment, below the root.
const PLACE: &str = "target/python";

/// Its interpreter, below the root.
pub const INTERPRETER: &str = "target/python/bin/python";

/// Says what an environment was made from, once it is whole.
const STAMP: &str = "target/python/made-from";

/// Some 20 MB are downloaded. A network that needs longer than this for it is none.
const PATIENCE: Duration = Duration::from_secs(600);

/// An environment with all packages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Environment {
    /// XXH3-128 of the file that pins the packages.
    pub requirements_xxh3: String,
}

/// Why there is none. The messages are recorded: they hold nothing of this machine's alone.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Missing {
    /// The interpreter that was asked for.
    #[error("no {0}")]
    Interpreter(String),
    /// The programs, or what they need, are not here.
    #[error("no {FOLDER}/requirements.txt")]
    Requirements,
    /// Debian, for one, has it in a package of its own.
    #[error("{0} has no venv module that works")]
    Venv(String),
    /// No network, most probably, or an interpreter that is too old or too new for the pinned versions.
    #[error("pip could not install the pinned packages")]
    Packages,
}

/// What `python` would make an environment from: the interpreter's own words and the pinned packages' hash.
fn origin(root: &Path, python: &str, interrupt: &Interrupt) -> Result<Result<(String, String), Missing>, Interrupted> {
    let Ok(requirements) = fs::read(root.join(FOLDER).join("requirements.txt")) else {
        return Ok(Err(Missing::Requirements));
    };
    let hash = format!("{:032x}", xxh3_128(&requirements));
    let mut command = Command::new(python);
    // Twice: with the compiler and the date, and whether it is free-threaded.
    command.arg("-VV").current_dir(root);
    Ok(match succeeded(command, interrupt)? {
        Ok(output) => Ok((hash, String::from_utf8_lossy(&output.stdout).trim().replace('\n', " "))),
        Err(_) => Err(Missing::Interpreter(shown(python))),
    })
}

/// The environment that an earlier run has made, if it was made by this `python` from what is pinned now.
pub fn find(
    root: &Path,
    python: &str,
    interrupt: &Interrupt,
) -> Result<Result<Option<Environment>, Missing>, Interrupted> {
    Ok(origin(root, python, interrupt)?.map(|(hash, version)| {
        let made = fs::read_to_string(root.join(STAMP)).is_ok_and(|stamp| stamp == stamp_of(&hash, &version));
        (made && root.join(INTERPRETER).is_file()).then_some(Environment { requirements_xxh3: hash })
    }))
}

/// Makes it, in place of what there was; what pip needs meanwhile is in `temporary`. What pip and venv say when they fail
/// goes to `tell`.
pub fn make(
    root: &Path,
    temporary: &Path,
    python: &str,
    interrupt: &Interrupt,
    tell: impl Fn(String),
) -> Result<Result<Environment, Missing>, Interrupted> {
    let (hash, version) = match origin(root, python, interrupt)? {
        Ok(origin) => origin,
        Err(missing) => return Ok(Err(missing)),
    };
    let mut venv = Command::new(python);
    venv.args(["-m", "venv", "--clear", PLACE]).current_dir(root).env("TMPDIR", temporary);
    if let Err(why) = succeeded(venv, interrupt)? {
        tell(why);
        return Ok(Err(Missing::Venv(shown(python))));
    }
    let mut pip = Command::new(root.join(INTERPRETER));
    // Wheels alone: building numpy would take a compiler and half an hour.
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--only-binary", ":all:"]);
    pip.args(["--require-hashes", "-r", "requirements.txt"]).current_dir(root.join(FOLDER)).env("TMPDIR", temporary);
    if let Err(why) = succeeded(pip, interrupt)? {
        tell(why);
        return Ok(Err(Missing::Packages));
    }
    // Neither backups nor searches have any business in it: https://bford.info/cachedir/
    let _ = fs::write(root.join(PLACE).join("CACHEDIR.TAG"), "Signature: 8a477f597d28d172789f06886806bc55\n");
    // Without it the next run makes the environment again, which is all that is lost.
    let _ = fs::write(root.join(STAMP), stamp_of(&hash, &version));
    Ok(Ok(Environment { requirements_xxh3: hash }))
}

fn stamp_of(hash: &str, version: &str) -> String {
    format!("requirements.txt {hash}\n{version}\n")
}

/// Its output, or what it said last.
fn succeeded(command: Command, interrupt: &Interrupt) -> Result<Result<Output, String>, Interrupted> {
    Ok(match process::run(command, Some(PATIENCE), interrupt) {
        Ok(output) if output.status.success() => Ok(output),
        Ok(output) => {
            let said = process::last_line(&output.stderr).or_else(|| process::last_line(&output.stdout));
            Err(said.unwrap_or_else(|| output.status.to_string()))
        }
        Err(RunError::Interrupted) => return Err(Interrupted),
        Err(error) => Err(error.to_string()),
    })
}

/// An interpreter as results may show it: the name without the folder.
fn shown(python: &str) -> String {
    Path::new(python).file_name().map_or_else(|| python.to_owned(), |name| name.to_string_lossy().into_owned())
}
