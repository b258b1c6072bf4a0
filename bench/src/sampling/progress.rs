//! How far the run is: a bar on a terminal, a line per stage elsewhere.

use std::io::{IsTerminal, stderr};
use std::time::{Duration, Instant};

use crate::process::tell;
use indicatif::{ProgressBar, ProgressStyle};

/// Less than this is not worth a number: the next line comes sooner than one has read this one.
const SOON: Duration = Duration::from_secs(10);

/// A bar, if there is a terminal to draw it on, and how long the rest will take.
pub struct Progress {
    bar: Option<ProgressBar>,
    started: Instant,
    done: Duration,
    total: Duration,
}

impl Progress {
    /// Of a run that is expected to take `total`. The rows' shares of it count, not whether it is right.
    pub fn new(total: Duration) -> Progress {
        let bar = stderr().is_terminal().then(|| {
            let style = ProgressStyle::with_template("{wide_bar} {percent} %{prefix}  {msg:<40!}");
            ProgressBar::new(millis(total)).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
        });
        let progress = Progress { bar, started: Instant::now(), done: Duration::ZERO, total };
        progress.tell_left();
        progress
    }

    /// Shows how long the rest takes. It is not the bar's own guess, which knows nothing before the first part is done.
    fn tell_left(&self) {
        if let (Some(bar), Some(left)) = (&self.bar, self.left()) {
            let left = if left < SOON { "a few seconds".to_owned() } else { about(left) };
            bar.set_prefix(format!(", {left} left"));
        }
    }

    /// Tells what begins now, and how long it will take.
    pub fn stage(&self, stage: &str) {
        match self.left() {
            Some(left) if left >= SOON && self.bar.is_none() => self.round(&format!("{stage} ({})", about(left))),
            _ => self.round(stage),
        }
    }

    /// Tells which round begins now.
    pub fn round(&self, round: &str) {
        match &self.bar {
            Some(bar) => bar.set_message(round.to_owned()),
            None => tell::say(round),
        }
    }

    /// Tells what is being run; only where it can be overwritten.
    pub fn running(&self, what: &str) {
        if let Some(bar) = &self.bar {
            bar.set_message(what.to_owned());
        }
    }

    /// A part that was expected to take so long is done.
    pub fn advance(&mut self, expected: Duration) {
        self.done += expected;
        if let Some(bar) = &self.bar {
            bar.set_position(millis(self.done));
        }
        self.tell_left();
    }

    /// The rest of the run is expected to take so long: more is known now than at its start.
    pub fn restart(&mut self, rest: Duration) {
        (self.started, self.done, self.total) = (Instant::now(), Duration::ZERO, rest);
        if let Some(bar) = &self.bar {
            bar.set_length(millis(rest));
            bar.set_position(0);
        }
        self.tell_left();
    }

    /// Something that should stay on the screen.
    pub fn say(&self, line: &str) {
        match &self.bar {
            Some(bar) => bar.println(line),
            None => tell::say(line),
        }
    }

    /// A warning that should.
    pub fn warn(&self, warning: &str) {
        self.say(&format!("warning: {warning}"));
    }

    /// Takes the bar away.
    pub fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    /// From the pace so far, or as expected if nothing is done yet.
    fn left(&self) -> Option<Duration> {
        let rest = self.total.saturating_sub(self.done).as_secs_f64();
        let pace =
            if self.done.is_zero() { 1.0 } else { self.started.elapsed().as_secs_f64() / self.done.as_secs_f64() };
        Duration::try_from_secs_f64(pace * rest).ok()
    }
}

/// A time as exact as such a guess is.
pub fn about(time: Duration) -> String {
    match time.as_secs() {
        seconds if seconds < 90 => format!("about {} s", seconds.next_multiple_of(5)),
        seconds => format!("about {} min", (seconds + 30) / 60),
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guess_has_no_more_digits_than_it_is_worth() {
        let told = [11, 62, 89, 90, 149, 3_600].map(|seconds| about(Duration::from_secs(seconds)));
        assert_eq!(told, ["about 15 s", "about 65 s", "about 90 s", "about 2 min", "about 2 min", "about 60 min"]);
    }

    #[test]
    fn a_bar_shows_what_is_left_from_its_beginning() {
        let bar = ProgressBar::hidden();
        let mut progress = Progress { bar: Some(bar.clone()), ..Progress::new(Duration::ZERO) };
        progress.restart(Duration::from_secs(200));
        assert_eq!((bar.prefix().as_str(), bar.position()), (", about 3 min left", 0));
        progress.started = Instant::now().checked_sub(Duration::from_secs(47)).unwrap();
        progress.advance(Duration::from_secs(100));
        assert_eq!((bar.prefix().as_str(), bar.position()), (", about 50 s left", 100_000));
        progress.advance(Duration::from_secs(200));
        assert_eq!(bar.prefix(), ", a few seconds left", "it takes longer than was thought");
    }

    #[test]
    fn what_is_left_is_as_expected_until_the_pace_is_known() {
        let mut progress = Progress { bar: None, ..Progress::new(Duration::from_secs(100)) };
        assert_eq!(progress.left(), Some(Duration::from_secs(100)));
        progress.started = Instant::now().checked_sub(Duration::from_secs(30)).unwrap();
        progress.advance(Duration::from_secs(10));
        let left = progress.left().unwrap().as_secs();
        assert!((270..280).contains(&left), "ten of a hundred took thirty, so ninety take 270: {left}");
    }
}
