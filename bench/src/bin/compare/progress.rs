//! How far the run is: a bar on a terminal, a line per stage elsewhere.

use std::io::{IsTerminal, stderr};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

pub(crate) struct Progress {
    bar: Option<ProgressBar>,
    started: Instant,
    done: u64,
    total: u64,
}

impl Progress {
    /// A bar of `total` steps of about the same length.
    pub(crate) fn new(total: u64) -> Progress {
        let bar = stderr().is_terminal().then(|| {
            let style = ProgressStyle::with_template("{wide_bar} {percent} %, {eta} left  {msg:<40!}");
            ProgressBar::new(total).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
        });
        Progress { bar, started: Instant::now(), done: 0, total }
    }

    /// Tells what begins now.
    pub(crate) fn stage(&self, stage: &str) {
        match &self.bar {
            Some(bar) => bar.set_message(stage.to_owned()),
            None => match self.left() {
                Some(left) => eprintln!("{stage} (about {} s left)", left.as_secs()),
                None => eprintln!("{stage}"),
            },
        }
    }

    /// Tells what is being run; only where it can be overwritten.
    pub(crate) fn running(&self, what: &str) {
        if let Some(bar) = &self.bar {
            bar.set_message(what.to_owned());
        }
    }

    /// Some steps are done.
    pub(crate) fn advance(&mut self, steps: u64) {
        self.done += steps;
        if let Some(bar) = &self.bar {
            bar.set_position(self.done);
        }
    }

    /// Something that should stay on the screen.
    pub(crate) fn say(&self, line: &str) {
        match &self.bar {
            Some(bar) => bar.println(line),
            None => eprintln!("{line}"),
        }
    }

    pub(crate) fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    /// From the pace so far.
    fn left(&self) -> Option<Duration> {
        let rest = self.total.checked_sub(self.done)? as f64;
        (self.done > 0).then(|| self.started.elapsed().mul_f64(rest / self.done as f64))
    }
}
