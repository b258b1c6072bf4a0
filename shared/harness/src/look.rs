//! How a workload's outputs are looked at, once a batch is over.

use std::borrow::Cow;
use std::marker::PhantomData;
use std::panic::{self, AssertUnwindSafe};

use fanout::declared::Declared;
use kernel::{KeyError, Workload};
use workloads::Verifiable;

/// What there is to see of a `W`. All bytes are little endian.
pub(crate) trait Look<W: Workload> {
    /// The key itself.
    fn key(workload: &W, index: usize) -> [u8; 8];

    /// What of an output is compared; why there is nothing, if so.
    fn bytes<'a>(workload: &W, output: &'a W::Output) -> Result<Cow<'a, [u8]>, String>;

    /// How many bytes that must be, where it is known. Where it is not, looking at an output may take longer than making it.
    fn size(workload: &W, index: usize) -> Option<u64>;
}

/// At a workload that is built in.
pub(crate) struct BuiltIn;

impl<W: Verifiable> Look<W> for BuiltIn {
    fn key(workload: &W, index: usize) -> [u8; 8] {
        workload.key_bytes(index)
    }

    fn bytes<'a>(workload: &W, output: &'a W::Output) -> Result<Cow<'a, [u8]>, String> {
        Ok(workload.output_bytes(output))
    }

    fn size(workload: &W, index: usize) -> Option<u64> {
        Some(workload.output_size(index))
    }
}

/// What of an output is compared. A panic in that is why there is nothing.
pub(crate) fn compared<J: Declared>(output: &<J::Workload as Workload>::Output) -> Result<Vec<u8>, String> {
    let bytes = panic::catch_unwind(AssertUnwindSafe(|| J::bytes(output)));
    bytes.unwrap_or_else(|payload| Err(KeyError::from_panic(payload).to_string()))
}

/// At a job of one's own, `J`: its keys are their places.
pub(crate) struct Own<J>(PhantomData<J>);

impl<J: Declared> Look<J::Workload> for Own<J> {
    fn key(_: &J::Workload, index: usize) -> [u8; 8] {
        (index as u64).to_le_bytes()
    }

    fn bytes<'a>(_: &J::Workload, output: &'a <J::Workload as Workload>::Output) -> Result<Cow<'a, [u8]>, String> {
        compared::<J>(output).map(Cow::Owned)
    }

    fn size(_: &J::Workload, _: usize) -> Option<u64> {
        None
    }
}
