//! What a pool runs.

use std::any::{Any, TypeId, type_name};
use std::collections::HashMap;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::marker::PhantomData;
use std::ptr::NonNull;

use crate::protocol::Identity;
use crate::share::Share;
use crate::transfer::{Outgoing, Transfer};

/// What workers can run. Its name is known to both processes, so that no closure has to cross.
///
/// Most tasks are functions: see [`IntoTask`]. What a function cannot say (a limit, a name, how an output is sent while it is
/// made), an `impl` can:
///
/// ```
/// use fanout_pool::{Here, Task};
///
/// /// How often each of some words is in a text.
/// struct Count;
///
/// impl Task for Count {
///     type Shared = Vec<String>;
///     type Input = String;
///     type Output = Vec<usize>;
///
///     fn call(words: &Vec<String>, text: String, _: &mut Here) -> Vec<usize> {
///         words.iter().map(|word| text.matches(word).count()).collect()
///     }
/// }
/// # fn main() {}
/// ```
pub trait Task: 'static {
    /// What all calls use, encoded once and sent once to each worker. `()` if there is nothing.
    type Shared: Share + ?Sized;

    /// What one call is about.
    type Input: Transfer;

    /// What it gives.
    type Output: Transfer;

    /// Runs, in a worker.
    ///
    /// # Panics
    ///
    /// As it likes: a panic is this call's [`Panicked`](crate::CallError::Panicked), and the worker lives on.
    fn call(shared: &Self::Shared, input: Self::Input, here: &mut Here) -> Self::Output;

    /// The most bytes that the output may have on the channel. It bounds what is read, and allocated, from a worker that
    /// has gone wrong. The default is 1 GiB: above what is worth sending, and below what a machine has.
    ///
    /// It is asked in the process that calls.
    fn limit(input: &Self::Input) -> u64 {
        let _whichever = input;
        1 << 30
    }

    /// What the task is known by. Of the tasks that one program serves, each has its own. The default is the path of the
    /// type.
    fn name() -> &'static str {
        type_name::<Self>()
    }

    /// Runs, and sends the output. The default makes the whole output and then sends it. A task whose outputs are large,
    /// and can be sent while they are made, does that here: it [announces](Outgoing::announce) the length, and writes
    /// pieces of [`PIECE`](crate::PIECE) bytes. Its worker then never holds an output, and its caller receives meanwhile.
    ///
    /// # Errors
    ///
    /// When the caller is gone, or the output cannot be made or sent. After the first byte and before the last, an error or
    /// a panic loses the worker: the call is then [`Died`](crate::CallError::Died).
    ///
    /// # Panics
    ///
    /// As [`call`](Task::call) does.
    fn answer(shared: &Self::Shared, input: Self::Input, here: &mut Here, to: Outgoing<'_>) -> io::Result<()> {
        Self::call(shared, input, here).send(to)
    }

    /// The name of the task in whose place this one stands, and what tells it from others.
    #[doc(hidden)]
    fn relays(input: &Self::Input) -> Option<(&str, [u64; 2])> {
        let _itself = input;
        None
    }
}

/// Where a call runs: its worker, in the worker.
pub struct Here {
    state: HashMap<TypeId, Box<dyn Any>>,
    attempt: u32,
}

impl Here {
    pub(crate) fn new() -> Self {
        Here { state: HashMap::new(), attempt: 0 }
    }

    pub(crate) fn attempt_is(&mut self, attempt: u32) {
        self.attempt = attempt;
    }

    /// What this worker keeps from call to call: a connection, a cache, a compiled expression. It is made when it is first
    /// asked for, one of each type, and lives as long as the worker.
    ///
    /// After a panic it is as the panic left it. A worker that must not go on with that can end itself, by
    /// [`abort`](std::process::abort) say, at the price of this call.
    pub fn state<S: 'static>(&mut self, make: impl FnOnce() -> S) -> &mut S {
        let state = self.state.entry(TypeId::of::<S>()).or_insert_with(|| Box::new(make()));
        state.downcast_mut().expect("it is kept by its type")
    }

    /// How often this call was tried before, in workers that died.
    pub fn attempt(&self) -> u32 {
        self.attempt
    }
}

impl fmt::Debug for Here {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Here").field("attempt", &self.attempt).finish_non_exhaustive()
    }
}

/// What is called: the task, or the one in whose place it stands.
pub(crate) fn called<T: Task>(input: &T::Input) -> Identity {
    T::relays(input).map_or_else(identity::<T>, |(_, [name, build])| Identity { name, build })
}

/// Its name.
pub(crate) fn called_name<T: Task>(input: &T::Input) -> &str {
    match T::relays(input) {
        Some((name, _)) => name,
        None => T::name(),
    }
}

/// What tells a task from all others, in both processes: not the whole program, since a test may have the program that it
/// tests as its worker. Two functions may have one name, as those inside of functions do; the compiler tells them apart.
pub(crate) fn identity<T: Task>() -> Identity {
    // SipHash without a key: the same in both processes, which one compiler has built.
    fn digest(what: impl Hash) -> u64 {
        let mut hasher = DefaultHasher::new();
        what.hash(&mut hasher);
        hasher.finish()
    }
    let types = [TypeId::of::<T>(), TypeId::of::<T::Shared>(), TypeId::of::<T::Input>(), TypeId::of::<T::Output>()];
    let sizes = [size_of::<T::Input>(), size_of::<T::Output>()];
    let build = digest((env!("CARGO_PKG_VERSION"), std::env::consts::ARCH, types, sizes));
    Identity { name: digest(T::name()), build }
}

/// A function that is a task, or a [`Task`] itself: what [`Pool::submit`](crate::Pool::submit), [`Pool::map`](crate::Pool::map)
/// and [`register!`](crate::register) take. `M` tells the forms apart, and is inferred.
///
/// | function | shared value | input |
/// |---|---|---|
/// | `fn(I) -> O` | | `I` |
/// | `fn() -> O` | | `()` |
/// | `fn(&S, I) -> O` | `S` | `I` |
/// | `fn(I, &mut Here) -> O` | | `I` |
/// | `fn(&S, I, &mut Here) -> O` | `S` | `I` |
///
/// ```
/// use fanout_pool::{Here, Pool, Shared};
///
/// fn words(text: String) -> usize {
///     text.split_whitespace().count()
/// }
///
/// fn scaled(by: &f64, number: f64) -> f64 {
///     by * number
/// }
///
/// /// How many calls this worker has had.
/// fn counted((): (), here: &mut Here) -> u32 {
///     let count: &mut u32 = here.state(|| 0);
///     *count += 1;
///     *count
/// }
///
/// fanout_pool::register!(words, scaled, counted);
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let pool = Pool::builder().start()?;
/// assert_eq!(pool.submit(words, "to be or not".into()).wait()?, 4);
/// assert_eq!(pool.submit(counted, ()).wait()?, 1);
///
/// let by = Shared::new(&2.0)?;
/// assert_eq!(pool.submit_with(scaled, &by, 21.0, pool.options().clone()).wait()?, 42.0);
/// # Ok(())
/// # }
/// ```
///
/// It is the function itself, by its name: a pointer to one, or a closure that captures something, is refused when the
/// program is compiled:
///
/// ```compile_fail
/// # let pool = fanout_pool::Pool::builder().start().unwrap();
/// let by = 2;
/// pool.submit(move |number: u64| by * number, 21);
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no task",
    label = "neither a function of one of the forms that a task may have, nor a `Task`",
    note = "a task is `fn(I) -> O`, `fn() -> O`, `fn(&S, I) -> O`, `fn(I, &mut Here) -> O` or `fn(&S, I, &mut Here) -> O`, \
            with input and output that own what they have (`String`, not `&str`) and have serde's derives, or are \
            `Bytes`, `Raw` or `Json`"
)]
pub trait IntoTask<M> {
    /// The task that it is.
    type Task: Task;
}

/// That a task is one itself.
#[doc(hidden)]
#[derive(Debug)]
pub enum Itself {}

impl<T: Task> IntoTask<Itself> for T {
    type Task = T;
}

/// The task that a function is.
#[doc(hidden)]
#[derive(Debug)]
pub struct Function<F, M>(PhantomData<(F, M)>);

/// Whether a type has one value, so that its name is all of it. If not, the program is not compiled.
const fn is_a_name<F>() {
    assert!(size_of::<F>() == 0, "a task is a function by its name: no pointer to one, and no closure that captures");
}

/// A function, by its type alone.
fn function<F: Copy>() -> F {
    const { is_a_name::<F>() };
    // SAFETY: it has no size, and can be copied: there is a value, the one that was submitted or registered.
    #[expect(unsafe_code, reason = "the type of a function has one value, and nothing gives it")]
    unsafe {
        NonNull::dangling().read()
    }
}

macro_rules! functions {
    ($($M:ty, $Shared:ty, $Input:ty, [$($S:ident)?] [$($I:ident)?], [$($F:tt)*], |$function:ident, $shared:ident, $input:ident, $here:ident| $call:expr;)*) => {$(
        impl<F, $($S: Share + ?Sized,)? $($I: Transfer,)? O: Transfer> IntoTask<$M> for F
        where
            F: $($F)* + Copy + 'static,
        {
            type Task = Function<F, $M>;
        }

        impl<F, $($S: Share + ?Sized,)? $($I: Transfer,)? O: Transfer> Task for Function<F, $M>
        where
            F: $($F)* + Copy + 'static,
        {
            type Shared = $Shared;
            type Input = $Input;
            type Output = O;

            fn call($shared: &$Shared, $input: $Input, $here: &mut Here) -> O {
                let $function = function::<F>();
                $call
            }

            fn name() -> &'static str {
                // Here too, where only calls are made.
                const { is_a_name::<F>() };
                type_name::<F>()
            }
        }
    )*};
}

functions! {
    fn(I) -> O, (), I, [] [I], [Fn(I) -> O], |f, _s, input, _h| f(input);
    fn() -> O, (), (), [] [], [Fn() -> O], |f, _s, _i, _h| f();
    fn(&S, I) -> O, S, I, [S] [I], [Fn(&S, I) -> O], |f, shared, input, _h| f(shared, input);
    fn(I, &mut Here) -> O, (), I, [] [I], [Fn(I, &mut Here) -> O], |f, _s, input, here| f(input, here);
    fn(&S, I, &mut Here) -> O, S, I, [S] [I], [Fn(&S, I, &mut Here) -> O], |f, shared, input, here| f(shared, input, here);
}
