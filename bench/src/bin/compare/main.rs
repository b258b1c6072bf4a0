//! `compare`: measures every strategy, and makes the tables from what was measured.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::{env, fs};

use anyhow::{Context, Result, bail};
use bench::interrupt::{Interrupt, Interrupted};
use bench::record::Run;
use bench::{index, page, splice};
use clap::error::ErrorKind;
use clap::{CommandFactory, Parser};

use crate::measure::{End, measure};
use crate::options::Options;

mod measure;
mod options;
mod progress;
mod rows;

/// What a shell reports for a process that SIGINT has ended.
const INTERRUPTED: u8 = 130;

fn main() -> ExitCode {
    let options = Options::parse();
    if let Some(why) = options.against_python() {
        Options::command().error(ErrorKind::ArgumentConflict, why).exit();
    }
    match run(&options) {
        Ok(code) => ExitCode::from(code),
        Err(error) if error.is::<Interrupted>() => ExitCode::from(INTERRUPTED),
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<u8> {
    if let Some(dir) = &options.report {
        return report(dir).map(|()| 0);
    }
    let root = root()?;
    if let Some(dir) = &options.splice {
        return splice_headline(&root, dir, options.check).map(|()| 0);
    }
    let interrupt = Interrupt::listen().context("signals cannot be listened for")?;
    Ok(match measure(options, &root, &interrupt)? {
        End::AllMeasured => 0,
        End::SomeFailed => 1,
        End::Interrupted => INTERRUPTED,
    })
}

/// The nearest folder from here upwards that has strategies; without any, the folder we are in.
fn root() -> Result<PathBuf> {
    let here = env::current_dir().and_then(fs::canonicalize).context("the current folder is gone")?;
    let root = here.ancestors().find(|dir| dir.join("impls").is_dir() && dir.join("Cargo.toml").is_file());
    Ok(root.unwrap_or(&here).to_owned())
}

/// Remakes the page of a run, and the index beside it.
fn report(dir: &Path) -> Result<()> {
    let dir = dir.canonicalize().with_context(|| format!("--report {}", dir.display()))?;
    page::write(&dir)?;
    if let Some(results) = dir.parent() {
        index::write(results)?;
    }
    Ok(())
}

/// Puts the headline of a run into the front page, or checks that it is there.
fn splice_headline(root: &Path, dir: &Path, check: bool) -> Result<()> {
    let dir = dir.canonicalize().with_context(|| format!("--splice {}", dir.display()))?;
    let link = dir.strip_prefix(root).context("--splice: the run must be in this repository")?.join("README.md");
    let readme = root.join("README.md");
    let old = fs::read_to_string(&readme).with_context(|| readme.display().to_string())?;
    let headline = page::headline(&Run::read(&dir)?, &link.display().to_string());
    let new = splice::splice(&old, &headline).with_context(|| readme.display().to_string())?;
    if new == old {
        return Ok(());
    }
    if check {
        bail!("README.md does not have the table of {}; scripts/compare.sh --splice puts it there", link.display());
    }
    fs::write(&readme, new).with_context(|| readme.display().to_string())
}
