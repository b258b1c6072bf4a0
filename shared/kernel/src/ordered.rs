//! Outcomes back in key order, however the strategy's workers brought them.

use std::io;

use crate::{KeyError, Outcome, StartError};

/// The outcomes of `keys` keys in key order, from pairs of a key's index and its outcome in any order: a channel that
/// the keys report to, for one.
///
/// Outcomes are moved, never copied. A key that is in no pair is [`KeyError::NotStarted`], so that none is ever lost.
///
/// ```
/// let outcomes = kernel::in_key_order(2, [(1, Ok("late key")), (0, Ok("early key"))]);
/// assert_eq!(outcomes[0].as_ref().unwrap(), &"early key");
/// ```
///
/// # Panics
///
/// If a pair's index is not below `keys`.
pub fn in_key_order<T>(keys: usize, outcomes: impl IntoIterator<Item = (usize, Outcome<T>)>) -> Vec<Outcome<T>> {
    from_workers(keys, [Ok(outcomes)]).0
}

/// [`in_key_order`] for several workers, any of which the OS may have refused to start. With it comes the first such
/// refusal, for [`Strategy::shortfall`](crate::Strategy::shortfall).
///
/// A key that no worker took is [`KeyError::NotStarted`] with that refusal.
///
/// ```
/// use std::io::{Error, ErrorKind};
///
/// let workers = [Ok(vec![(1, Ok('b')), (0, Ok('a'))]), Err(Error::from(ErrorKind::WouldBlock))];
/// let (outcomes, shortfall) = kernel::from_workers(3, workers);
/// assert_eq!(outcomes[1].as_ref().unwrap(), &'b');
/// assert!(outcomes[2].is_err() && shortfall.is_some());
/// ```
///
/// # Panics
///
/// If a pair's index is not below `keys`.
pub fn from_workers<T, Taken>(
    keys: usize,
    workers: impl IntoIterator<Item = io::Result<Taken>>,
) -> (Vec<Outcome<T>>, Option<StartError>)
where
    Taken: IntoIterator<Item = (usize, Outcome<T>)>,
{
    let mut outcomes: Vec<Option<Outcome<T>>> = (0..keys).map(|_| None).collect();
    let mut refusal = None;
    for worker in workers {
        match worker {
            Ok(taken) => taken.into_iter().for_each(|(index, outcome)| outcomes[index] = Some(outcome)),
            Err(error) => refusal = refusal.or(Some(error)),
        }
    }
    let not_started = || {
        let error = refusal.as_ref().map_or_else(|| io::Error::other("no worker took the key"), same_error);
        Err(KeyError::NotStarted(error))
    };
    let outcomes = outcomes.into_iter().map(|outcome| outcome.unwrap_or_else(not_started)).collect();
    (outcomes, refusal.map(StartError::new))
}

/// The same error once more: several keys may fail for one reason, and `io::Error` is not `Clone`.
fn same_error(error: &io::Error) -> io::Error {
    match error.raw_os_error() {
        Some(code) => io::Error::from_raw_os_error(code),
        None => io::Error::new(error.kind(), error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EAGAIN: i32 = 11;

    #[test]
    fn outcomes_are_moved_into_key_order() {
        let blocks: Vec<Vec<u8>> = (0..5).map(|index| vec![index; 3]).collect();
        let addresses: Vec<_> = blocks.iter().map(|block| block.as_ptr()).collect();
        let outcomes = in_key_order(5, blocks.into_iter().map(Ok).enumerate().rev());
        let ordered: Vec<_> = outcomes.iter().map(|outcome| outcome.as_ref().unwrap().as_ptr()).collect();
        assert_eq!(ordered, addresses);
    }

    #[test]
    fn each_key_that_no_worker_took_has_the_first_refusal() {
        let refused = |code| Err(io::Error::from_raw_os_error(code));
        let workers = [refused(EAGAIN), Ok(vec![(1, Ok(17))]), refused(12)];
        let (outcomes, shortfall) = from_workers(3, workers);
        assert_eq!(outcomes[1].as_ref().unwrap(), &17);
        for index in [0, 2] {
            let Err(KeyError::NotStarted(error)) = &outcomes[index] else { panic!("{:?}", outcomes[index]) };
            assert_eq!(error.raw_os_error(), Some(EAGAIN));
        }
        assert_eq!(shortfall.unwrap().to_string(), io::Error::from_raw_os_error(EAGAIN).to_string());
    }

    #[test]
    fn a_lost_key_is_an_outcome_too() {
        let outcomes = in_key_order(1, Vec::<(usize, Outcome<u8>)>::new());
        let told: Vec<_> = outcomes.into_iter().map(|outcome| outcome.unwrap_err().to_string()).collect();
        assert_eq!(told, ["could not be started: no worker took the key"]);
    }

    #[test]
    fn no_key_and_no_worker() {
        let (outcomes, shortfall) = from_workers(0, Vec::<io::Result<Vec<(usize, Outcome<u8>)>>>::new());
        assert!(outcomes.is_empty() && shortfall.is_none());
    }
}
