//! The states of a worker, and who pays when it is lost in one.

use crate::error::Stage;

/// What a worker does, as far as its parent knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// Its process was started.
    Spawned,
    /// It has said hello.
    Ready,
    /// It was sent a shared value.
    Loading,
    /// It has what it needs and no call.
    Idle,
    /// It was sent a call.
    Asked,
    /// It has taken the call.
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
    /// It was ended on purpose.
    Cancelled,
}

/// Whether a lost worker costs the call that it was asked. If not, another worker is asked, as if nothing had been.
/// `answered` says whether the worker has answered a call: then an earlier call may have left on the channel what came.
pub(crate) fn costs_the_call(state: State, loss: Loss, answered: bool) -> bool {
    match state {
        _ if loss == Loss::Cancelled => true,
        State::Spawned | State::Ready | State::Loading | State::Idle | State::Asked => false,
        State::Computing | State::Sending => match loss {
            Loss::Death | Loss::Overdue | Loss::Cancelled => true,
            Loss::Violation => !answered,
            Loss::Failure => false,
        },
    }
}
