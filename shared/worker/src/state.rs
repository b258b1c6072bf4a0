//! The states of a worker, and who pays when it is lost in one.

use kernel::Stage;

/// What a worker does, as far as its parent knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// Its process was started.
    Spawned,
    /// It has said hello.
    Ready,
    /// It was sent a workload.
    Loading,
    /// It has the workload and no key.
    Idle,
    /// It was sent a key.
    Asked,
    /// It has taken the key.
    Computing,
    /// Its answer has begun.
    Sending,
}

impl State {
    pub(crate) fn stage(self) -> Stage {
        match self {
            State::Spawned => Stage::Starting,
            State::Ready | State::Loading => Stage::Loading,
            State::Idle | State::Asked => Stage::Waiting,
            State::Computing => Stage::Computing,
            State::Sending => Stage::Sending,
        }
    }
}

/// Why a worker is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Loss {
    /// Its process ended.
    Death,
    /// It did not do in time what it was waited for.
    Overdue,
    /// It said what it may not say.
    Violation,
    /// This process could not use the channel.
    Failure,
}

/// Whether a lost worker costs the key that it was asked for. If not, another worker is asked, as if nothing had been.
/// `answered` says whether the worker has answered a key: then an earlier key may have left on the channel what came.
pub(crate) fn costs_the_key(state: State, loss: Loss, answered: bool) -> bool {
    match state {
        State::Spawned | State::Ready | State::Loading | State::Idle | State::Asked => false,
        State::Computing | State::Sending => match loss {
            Loss::Death | Loss::Overdue => true,
            Loss::Violation => !answered,
            Loss::Failure => false,
        },
    }
}
