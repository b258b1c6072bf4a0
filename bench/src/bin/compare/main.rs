//! `compare`: measures every strategy, and makes the tables from what was measured.

#![warn(clippy::print_stdout, clippy::print_stderr, reason = "they panic once nobody reads; see tell.rs")]

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::{env, fs};

use anyhow::{Context, Result, bail};
use bench::process::interrupt::{Interrupt, Interrupted};
use bench::process::tell;
use bench::run::record::Run;
use bench::text::index;
use bench::text::page;
use bench::text::splice;
use clap::Parser;

use crate::measure::{End, measure};
use crate::options::{Options, Usage};

mod measure;
mod options;
mod progress;
mod rows;
mod setup;

/// What a shell reports for a process that SIGINT has ended.
const INTERRUPTED: u8 = 130;

/// The folder that the user is in. `scripts/compare.sh` leaves it for the repository, so that cargo works there as always.
const CALLED_FROM: &str = "FANOUT_CALLED_FROM";

fn main() -> ExitCode {
    let options = match Options::try_parse() {
        Ok(options) => options,
        Err(error) if !error.use_stderr() => error.exit(),
        Err(error) => {
            tell::say(harness::one_line(&error));
            return ExitCode::from(2);
        }
    };
    match run(&options) {
        Ok(code) => ExitCode::from(code),
        Err(error) if error.is::<Interrupted>() => ExitCode::from(INTERRUPTED),
        Err(error) => {
            tell::complain(error.as_ref());
            ExitCode::from(if error.is::<Usage>() { 2 } else { 1 })
        }
    }
}

fn run(options: &Options) -> Result<u8> {
    let root = root()?;
    if let Some(from) = env::var_os(CALLED_FROM) {
        env::set_current_dir(&from).with_context(|| from.display().to_string())?;
    }
    if let Some(dir) = &options.report {
        return report(dir).map(|()| 0);
    }
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

/// A folder that a flag names, which must be there.
fn folder(flag: &str, dir: &Path) -> Result<PathBuf, Usage> {
    let found = dir.canonicalize().and_then(|dir| fs::read_dir(&dir).map(|_| dir));
    found.map_err(|error| Usage(format!("{flag} {}: {error}", dir.display())))
}

/// Remakes the page of a run, and the index beside it.
fn report(dir: &Path) -> Result<()> {
    let dir = folder("--report", dir)?;
    let run = page::write(&dir)?;
    if let Some(results) = dir.parent() {
        index::write(results)?;
    }
    tell::print(&page::tables(&run)).context("standard output")?;
    page::warnings(&run).iter().for_each(tell::warn);
    tell::say(format_args!("all columns: {}", dir.join("README.md").display()));
    Ok(())
}

/// Puts the headline of a run into the front page, or checks that it is there.
fn splice_headline(root: &Path, dir: &Path, check: bool) -> Result<()> {
    let dir = folder("--splice", dir)?;
    let Ok(below) = dir.strip_prefix(root) else {
        return Err(Usage(format!("--splice {}: the run must be in this repository", dir.display())).into());
    };
    let link = below.join("README.md");
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
