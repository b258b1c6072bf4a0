//! Where the page of a run is.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use bench::html::REPORT;
use bench::process::tell::{self, Usage};
use bench::run::folder::PLAN;

/// Where runs are, below the root of the repository.
const RESULTS: [&str; 2] = ["results/local", "results"];

/// Prints the path of the page of `run`, or of the newest one.
pub(crate) fn open(root: &Path, run: Option<&Path>) -> Result<()> {
    let dir = match run {
        Some(run) => crate::folder("open", run)?,
        None => newest(root)?,
    };
    let page = dir.join(REPORT);
    if !page.is_file() {
        let dir = dir.display();
        return Err(Usage(format!("open: {dir} has no {REPORT}; `scripts/compare.sh report {dir}` makes it")).into());
    }
    tell::print(&format!("{}\n", page.display())).context("standard output")
}

/// The run that began last. Runs are named by the second in which they began.
fn newest(root: &Path) -> Result<PathBuf, Usage> {
    let entries = RESULTS.iter().flat_map(|results| fs::read_dir(root.join(results))).flatten().flatten();
    let runs = entries.map(|entry| entry.path()).filter(|dir| dir.join(PLAN).is_file());
    let newest = runs.max_by(|a, b| a.file_name().cmp(&b.file_name()));
    newest.ok_or_else(|| {
        Usage(format!("open: there is no run in {}; `scripts/compare.sh` makes one", RESULTS.join(" or ")))
    })
}
