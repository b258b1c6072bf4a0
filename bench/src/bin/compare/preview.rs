//! `--plan`: what a run would measure, and for how long.

use std::path::Path;

use anyhow::{Context, Result};
use bench::process::tell;
use bench::sampling::preview::Preview;
use bench::sampling::programs::Request;

use crate::full;
use crate::options::{Options, Swept};

/// Shows what would be measured of one job, and of the sweeps of a full run.
pub(crate) fn run(options: &Options, root: &Path) -> Result<()> {
    let (python, jobs, stop) = (options.interpreter()?, vec![options.job(None)?], options.stop());
    let request = Request { python, jobs, stop, ..crate::request(&options.measuring, true, root)? };
    if !options.full {
        return show(&request, root);
    }
    request.jobs.iter().try_for_each(full::check)?;
    let interrupt = crate::listen()?;
    let headline = Preview::of(&request, root, &interrupt)?;
    let mut seconds = headline.seconds();
    let mut text = headline.to_string();
    for (sweep, request) in full::requests(&request, root)? {
        let preview = Preview::of(&request, root, &interrupt)?;
        text += &format!("\nsweep {}: {}\n{preview}", sweep.name, sweep.about);
        seconds = seconds.zip(preview.seconds()).map(|(a, b)| a.start() + b.start()..=a.end() + b.end());
    }
    if let Some(seconds) = seconds {
        let minutes = |seconds: f64| (seconds / 60.0).ceil();
        text += &format!("\nall together: {} to {} minutes\n", minutes(*seconds.start()), minutes(*seconds.end()));
    }
    tell::print(&text).context("standard output")
}

/// Shows what a sweep would measure.
pub(crate) fn sweep(swept: &Swept, root: &Path) -> Result<()> {
    show(&crate::swept_request(swept, None, root)?, root)
}

fn show(request: &Request, root: &Path) -> Result<()> {
    let preview = Preview::of(request, root, &crate::listen()?)?;
    tell::print(&preview.to_string()).context("standard output")
}
