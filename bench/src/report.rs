//! All that people read of a run, made from its other files: pictures, `README.md`, `report.html`, and
//! `advice.md` if its advice was checked.

use std::path::Path;

use crate::advice::check::{CHECK, Check};
use crate::html;
use crate::numbers::views;
use crate::picture;
use crate::process::tell;
use crate::run::Run;
use crate::run::folder::{FileError, PLAN, write_whole};
use crate::run::full::Full;
use crate::run::sweep::SWEEPS;
use crate::text::page;
use crate::text::splice::ADVICE;

/// Remakes it, below the run too if it has sweeps, and returns the run.
///
/// # Errors
///
/// If the run cannot be read, or one of the files cannot be written. A sweep that cannot be read is said in `report.html`: it
/// must not take the others with it.
pub fn write(dir: &Path) -> Result<Run, FileError> {
    let run = Run::read(dir)?;
    let dirs = SWEEPS.iter().map(|sweep| dir.join(sweep.name)).filter(|dir| dir.join(PLAN).is_file());
    let mut sweeps = Vec::new();
    for dir in dirs {
        if let Ok(sweep) = Run::read(&dir) {
            write_one(&dir, &sweep, &[])?;
            sweeps.push(sweep);
        }
    }
    write_one(dir, &run, &sweeps)?;
    match Check::read(dir) {
        Ok(Some(check)) if check.stamp == run.plan.stamp => {
            picture::write(dir, &check.figures())?;
            write_whole(&dir.join(ADVICE), check.page().as_bytes())?;
        }
        Ok(Some(check)) => tell::warn(format_args!("{CHECK} is of the run {}, so it is not shown", check.stamp)),
        Ok(None) => {}
        Err(error) => tell::warn(format_args!("the check of the advice is not shown: {error}")),
    }
    Ok(run)
}

fn write_one(dir: &Path, run: &Run, sweeps: &[Run]) -> Result<(), FileError> {
    let own = Full { run: run.clone(), sweeps: Vec::new() };
    let figures = views::figures(&own);
    picture::write(dir, &figures)?;
    write_whole(&dir.join("README.md"), page::with_pictures(run, &figures, sweeps).as_bytes())?;
    html::write(dir).map(drop)
}
