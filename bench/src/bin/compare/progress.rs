//! How far the run is: a bar on a terminal, a line per stage elsewhere.

use std::io::{IsTerminal, stderr};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

pub(crate) struct Progress {
    bar: Option<ProgressBar>,
    started: Instant,
    done: Duration,
    total: Duration,
}

impl Progress {
    /// Of a run that is expected to take `total`. The rows' shares of it count, not whether it is right.
    pub(crate) fn new(total: Duration) -> Progress {
        let bar = stderr().is_terminal().then(|| {
            let style = ProgressStyle::with_template("{wide_bar} {percent} %, {eta} left  {msg:<40!}");
            ProgressBar::new(millis(total)).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
        });
        Progress { bar, started: Instant::now(), done: Duration::ZERO, total }
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

    /// A part that was expected to take so long is done.
    pub(crate) fn advance(&mut self, expected: Duration) {
        self.done += expected;
        if let Some(bar) = &self.bar {
            bar.set_position(millis(self.done));
        }
    }

    /// The rest of the run is expected to take so long: more is known now than at its start.
    pub(crate) fn restart(&mut self, rest: Duration) {
        (self.started, self.done, self.total) = (Instant::now(), Duration::ZERO, rest);
        if let Some(bar) = &self.bar {
            bar.set_length(millis(rest));
            bar.set_position(0);
            bar.reset_eta();
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
        let rest = self.total.checked_sub(self.done)?.as_secs_f64();
        let pace = self.started.elapsed().as_secs_f64() / self.done.as_secs_f64();
        Duration::try_from_secs_f64(pace * rest).ok()
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
