//! The user's code, run so that its panic is no more than a message.

use std::panic::{self, AssertUnwindSafe};

use kernel::KeyError;

/// Runs code of the workload or its codec. If it panics, what the panic said; the panic hook runs as usual.
pub(crate) fn caught<T>(code: impl FnOnce() -> T) -> Result<T, String> {
    panic::catch_unwind(AssertUnwindSafe(code)).map_err(KeyError::panic_message)
}
