//! Many calls of one task, with few of them in memory.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::iter::FusedIterator;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::task::{Wake, Waker};

use crate::error::{CallError, Outcome};
use crate::handle::Handle;
use crate::options::CallOptions;
use crate::pool::{Input, Pool};
use crate::share::Shared;
use crate::task::{IntoTask, Task};

/// How many calls are submitted and not given out, for each worker that there may be: one that runs, one that is next, and
/// two for outcomes that wait for an earlier one.
const WINDOW_PER_WORKER: usize = 4;

impl Pool {
    /// Has workers run a task on each of these inputs. What comes of them comes in their order. Inputs are taken as workers
    /// become free, so that a million of them need the memory of a few; see [`Map::window`].
    pub fn map<K, M, I>(&self, task: K, inputs: I) -> Map<K::Task, I::IntoIter>
    where
        K: IntoTask<M>,
        K::Task: Task<Shared = ()>,
        I: IntoIterator<Item = Input<K, M>>,
    {
        self.map_with(task, &Shared::nothing(), inputs, self.options().clone())
    }

    /// The same with a shared value, and with options of its own for each call.
    pub fn map_with<K, M, I>(
        &self,
        _: K,
        shared: &Shared<<K::Task as Task>::Shared>,
        inputs: I,
        options: CallOptions,
    ) -> Map<K::Task, I::IntoIter>
    where
        K: IntoTask<M>,
        I: IntoIterator<Item = Input<K, M>>,
    {
        let window = WINDOW_PER_WORKER.saturating_mul(self.most_workers());
        let (pool, shared, inputs) = (self.clone(), shared.clone(), inputs.into_iter());
        Map { calls: Calls { pool, shared, inputs, options, window, are_over: false }, submitted: VecDeque::new() }
    }
}

/// What comes of calls, in the order of their inputs. It is an iterator over outcomes: each is a `Result` of its own.
///
/// ```
/// # fn words(text: String) -> usize { text.split_whitespace().count() }
/// # fanout_pool::register!(words);
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let pool = fanout_pool::Pool::builder().start()?;
/// let texts = || ["to be", "or not", "to be that is"].map(String::from);
///
/// // All of them, or the first failure, which cancels the rest:
/// let counts: Vec<usize> = pool.map(words, texts()).collect::<Result<_, _>>()?;
/// assert_eq!(counts, [2, 2, 4]);
///
/// // Each with its own outcome:
/// let outcomes: Vec<_> = pool.map(words, texts()).collect();
/// assert!(outcomes.iter().all(Result::is_ok));
///
/// // As they are done, with the place of the input:
/// for (index, outcome) in pool.map(words, texts()).unordered() {
///     println!("{index}: {}", outcome?);
/// }
/// # Ok(())
/// # }
/// ```
///
/// Dropping it cancels what is not done.
#[must_use = "a map submits calls as it is iterated over"]
pub struct Map<T: Task, I> {
    calls: Calls<T, I>,
    submitted: VecDeque<Handle<T::Output>>,
}

/// What comes of calls, as they are done, each with the place of its input, from 0 on.
#[must_use = "a map submits calls as it is iterated over"]
pub struct Unordered<T: Task, I> {
    calls: Calls<T, I>,
    submitted: HashMap<usize, Handle<T::Output>>,
    done: Arc<Done>,
    next: usize,
}

/// Inputs, and where they go.
struct Calls<T: Task, I> {
    pool: Pool,
    shared: Shared<T::Shared>,
    inputs: I,
    options: CallOptions,
    window: usize,
    are_over: bool,
}

impl<T: Task, I: Iterator<Item = T::Input>> Map<T, I> {
    /// How many calls may be submitted whose outcome was not given out yet: it is so many inputs and outputs that are in
    /// memory. The default is four for each worker that the pool may have. With 0, no call could run: the one outcome is an
    /// error then.
    pub fn window(mut self, calls: usize) -> Self {
        self.calls.window = calls;
        self
    }

    /// What comes of the calls as they are done.
    pub fn unordered(self) -> Unordered<T, I> {
        Unordered { calls: self.calls, submitted: HashMap::new(), done: Arc::default(), next: 0 }
    }
}

impl<T: Task, I: Iterator<Item = T::Input>> Calls<T, I> {
    fn submit(&mut self) -> Option<Handle<T::Output>> {
        if self.are_over {
            return None;
        }
        let Some(input) = self.inputs.next() else {
            self.are_over = true;
            return None;
        };
        Some(self.pool.call::<T>(&self.shared, input, self.options.clone()))
    }

    /// The one outcome of a map that can have none.
    fn refusal(&mut self) -> Option<CallError> {
        if self.window > 0 || self.are_over {
            return None;
        }
        self.are_over = true;
        let reason = String::from("a map with a window of 0 calls submits none: give it at least 1");
        Some(CallError::Refused { reason })
    }
}

impl<T: Task, I: Iterator<Item = T::Input>> Iterator for Map<T, I> {
    type Item = Outcome<T::Output>;

    fn next(&mut self) -> Option<Outcome<T::Output>> {
        if let Some(refusal) = self.calls.refusal() {
            return Some(Err(refusal));
        }
        while self.submitted.len() < self.calls.window {
            match self.calls.submit() {
                Some(handle) => self.submitted.push_back(handle),
                None => break,
            }
        }
        self.submitted.pop_front().map(Handle::wait)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let submitted = self.submitted.len();
        if self.calls.window == 0 || self.calls.are_over {
            return (submitted, Some(submitted.max(1)));
        }
        let (least, most) = self.calls.inputs.size_hint();
        (least.saturating_add(submitted), most.and_then(|most| most.checked_add(submitted)))
    }
}

impl<T: Task, I: Iterator<Item = T::Input>> FusedIterator for Map<T, I> {}

impl<T: Task, I: Iterator<Item = T::Input>> Iterator for Unordered<T, I> {
    type Item = (usize, Outcome<T::Output>);

    fn next(&mut self) -> Option<(usize, Outcome<T::Output>)> {
        if let Some(refusal) = self.calls.refusal() {
            return Some((0, Err(refusal)));
        }
        while self.submitted.len() < self.calls.window {
            let Some(handle) = self.calls.submit() else { break };
            let index = self.next;
            handle.when_done(&Waker::from(Arc::new(Told { index, done: Arc::clone(&self.done) })));
            self.submitted.insert(index, handle);
            self.next += 1;
        }
        if self.submitted.is_empty() {
            return None;
        }
        // Nobody will ever tell of those that were submitted before a fork.
        let index = match self.submitted.keys().next() {
            Some(&index) if self.calls.pool.is_forked() => index,
            _ => self.done.wait(),
        };
        self.submitted.remove(&index).map(|handle| (index, handle.wait()))
    }
}

/// The places of the inputs whose calls are done.
#[derive(Default)]
struct Done {
    indices: Mutex<VecDeque<usize>>,
    told: Condvar,
}

impl Done {
    fn wait(&self) -> usize {
        let mut indices = self.indices.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(index) = indices.pop_front() {
                return index;
            }
            indices = self.told.wait(indices).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// Tells that the call with the input of this place is done.
struct Told {
    index: usize,
    done: Arc<Done>,
}

impl Wake for Told {
    fn wake(self: Arc<Self>) {
        self.done.indices.lock().unwrap_or_else(PoisonError::into_inner).push_back(self.index);
        self.done.told.notify_one();
    }
}

impl<T: Task, I> fmt::Debug for Map<T, I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Map").field("window", &self.calls.window).finish_non_exhaustive()
    }
}

impl<T: Task, I> fmt::Debug for Unordered<T, I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unordered").field("window", &self.calls.window).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::time::Duration;

    use super::*;
    use crate::task::Here;

    struct Never;

    impl Task for Never {
        type Shared = ();
        type Input = usize;
        type Output = ();

        fn call(_: &(), _: usize, _: &mut Here) {
            unreachable!("no worker is started")
        }
    }

    /// A pool of at most two workers that takes no calls any more: each is done as soon as it is submitted.
    fn pool() -> Pool {
        let pool = Pool::builder().workers(0..=2).start().unwrap();
        pool.shutdown(Duration::ZERO);
        pool
    }

    fn is_closed(outcome: &Outcome<()>) -> bool {
        matches!(outcome, Err(CallError::Closed))
    }

    #[test]
    fn a_window_bounds_how_many_inputs_are_pulled() {
        for (window, most) in [(None, 2 * WINDOW_PER_WORKER), (Some(1), 1), (Some(5), 5), (Some(1_000), 20)] {
            let pulled = Cell::new(0);
            let inputs = || {
                pulled.set(0);
                (0..20).inspect(|_| pulled.set(pulled.get() + 1))
            };
            let map = || match window {
                Some(window) => pool().map(Never, inputs()).window(window),
                None => pool().map(Never, inputs()),
            };
            let mut ordered = map();
            assert_eq!(pulled.get(), 0);
            for given in 1..=20 {
                assert_eq!(ordered.size_hint(), (21 - given, Some(21 - given)));
                assert!(ordered.next().is_some_and(|outcome| is_closed(&outcome)));
                assert_eq!(pulled.get(), 20.min(given - 1 + most));
            }
            assert!(ordered.next().is_none() && ordered.next().is_none());
            let mut unordered = map().unordered();
            for given in 1..=20 {
                assert!(unordered.next().is_some_and(|(_, outcome)| is_closed(&outcome)));
                assert_eq!(pulled.get(), 20.min(given - 1 + most));
            }
            assert!(unordered.next().is_none() && unordered.next().is_none());
        }
    }

    #[test]
    fn each_place_is_given_out_once() {
        for window in [1, 3, 100] {
            let mut places: Vec<_> =
                pool().map(Never, 0..50).window(window).unordered().map(|(place, _)| place).collect();
            places.sort_unstable();
            assert_eq!(places, (0..50).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_window_of_0_is_one_refusal_and_pulls_nothing() {
        let inputs = || std::iter::from_fn(|| -> Option<usize> { panic!("it is pulled") });
        let mut ordered = pool().map(Never, inputs()).window(0);
        assert_eq!(ordered.size_hint(), (0, Some(1)));
        assert!(matches!(ordered.next(), Some(Err(CallError::Refused { .. }))));
        assert!(ordered.next().is_none());
        let mut unordered = pool().map(Never, inputs()).window(0).unordered();
        assert!(matches!(unordered.next(), Some((0, Err(CallError::Refused { .. })))));
        assert!(unordered.next().is_none());
    }

    /// An iterator may go on after its first `None`; a map does not ask it again.
    #[test]
    fn the_first_end_of_the_inputs_is_the_end() {
        let asked = Cell::new(0);
        let inputs = std::iter::from_fn(|| {
            asked.set(asked.get() + 1);
            (asked.get() % 2 == 1).then_some(7)
        });
        assert_eq!(pool().map(Never, inputs).count(), 1);
        assert_eq!(asked.get(), 2);
    }
}
