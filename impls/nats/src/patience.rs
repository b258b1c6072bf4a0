//! How long nothing was heard of somebody, while this process was there to hear.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A clock that stands still while this process is stopped, by Ctrl-Z say: what came meanwhile was not heard. Somebody must
/// tick it.
pub(crate) struct Awake {
    /// How far a tick may take it.
    most: Duration,
    at: Mutex<(Duration, Instant)>,
}

impl Awake {
    /// For somebody who ticks every so often.
    pub(crate) fn new(every: Duration) -> Self {
        Awake { most: 2 * every, at: Mutex::new((Duration::ZERO, Instant::now())) }
    }

    pub(crate) fn tick(&self) {
        let mut at = self.at.lock().unwrap_or_else(PoisonError::into_inner);
        let elapsed = at.1.elapsed().min(self.most);
        *at = (at.0 + elapsed, Instant::now());
    }

    /// What it shows.
    pub(crate) fn now(&self) -> Duration {
        self.at.lock().unwrap_or_else(PoisonError::into_inner).0
    }
}

#[cfg(test)]
mod tests {
    use std::thread::sleep;

    use super::*;

    #[test]
    fn it_counts_no_more_than_its_ticks() {
        let awake = Awake::new(Duration::from_millis(1));
        sleep(Duration::from_millis(20));
        awake.tick();
        assert_eq!(awake.now(), Duration::from_millis(2));
        assert!(Awake::new(Duration::from_secs(1)).now().is_zero());
    }
}
