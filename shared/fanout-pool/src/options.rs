//! How a call is run.

use std::time::Duration;

/// How a call is run: how long it may take, how often it is tried, and before which others.
///
/// ```
/// # use std::time::Duration;
/// use fanout_pool::CallOptions;
///
/// let options = CallOptions::new().deadline(Duration::from_secs(2)).retries(1).priority(10);
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CallOptions {
    pub(crate) deadline: Option<Duration>,
    pub(crate) retries: u32,
    pub(crate) priority: i32,
}

impl CallOptions {
    /// No deadline, no retry, priority 0.
    pub fn new() -> Self {
        CallOptions::default()
    }

    /// How long the call may take from when a worker has taken it until its output is here, in time in which this program
    /// runs. A worker that exceeds it is killed with all that the call started, and replaced, and the call is
    /// [`TimedOut`](crate::CallError::TimedOut). What a call waits for a free worker does not count. A worker that loads a
    /// shared value has ten seconds and a microsecond per byte for it, if its call has a deadline.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// How often the call is tried again whose worker died under it. The default is 0: a task with effects outside its
    /// worker may have had them. For a task without, 1 is a good choice: a death may be somebody else's doing, such as the
    /// system's out-of-memory killer's, but a call that has killed two workers will kill a third. A worker that is lost
    /// before it took the call does not count. [`Here::attempt`](crate::Here::attempt) tells the task.
    pub fn retries(mut self, retries: u32) -> Self {
        self.retries = retries;
        self
    }

    /// Waiting calls of a higher priority are taken first, and of one priority those that were submitted first. What runs is
    /// not interrupted. The default is 0.
    pub fn priority(mut self, priority: i32) -> Self {
        self.priority = priority;
        self
    }
}
