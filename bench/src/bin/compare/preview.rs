//! `--plan`: what a run would measure, and for how long.

use std::path::Path;

use anyhow::{Context, Result};
use bench::process::tell;
use bench::sampling::preview::Preview;
use bench::sampling::programs::Request;

use crate::options::{Options, Swept};

/// Shows what would be measured of one job.
pub(crate) fn run(options: &Options, root: &Path) -> Result<()> {
    let (python, jobs) = (options.interpreter()?, vec![options.job()?]);
    show(&Request { python, jobs, ..crate::request(&options.measuring, true, root)? }, root)
}

/// Shows what a sweep would measure.
pub(crate) fn sweep(swept: &Swept, root: &Path) -> Result<()> {
    show(&crate::swept_request(swept, root)?, root)
}

fn show(request: &Request, root: &Path) -> Result<()> {
    let preview = Preview::of(request, root, &crate::listen()?)?;
    tell::print(&preview.to_string()).context("standard output")
}
