//! Where the page of a run is.

use std::path::Path;

use anyhow::{Context, Result};
use bench::html::REPORT;
use bench::process::tell::{self, Usage};
use bench::run::folder::{PLAN, RESULTS, newest};

/// Prints the path of the page of `run`, or of the newest one.
pub(crate) fn open(root: &Path, run: Option<&Path>) -> Result<()> {
    let dir = match run {
        Some(run) => crate::folder("open", run)?,
        None => newest(root, |dir| dir.join(PLAN).is_file()).ok_or_else(|| {
            Usage(format!("open: there is no run in {}; `scripts/compare.sh` makes one", RESULTS.join(" or ")))
        })?,
    };
    let page = dir.join(REPORT);
    if !page.is_file() {
        let dir = dir.display();
        return Err(Usage(format!("open: {dir} has no {REPORT}; `scripts/compare.sh report {dir}` makes it")).into());
    }
    tell::print(&format!("{}\n", page.display())).context("standard output")
}
