//! Memory for outputs.

use std::collections::TryReserveError;

/// The size of a huge page on x86-64, and on aarch64 with 4 KiB pages. A block below it has no use for one.
pub const HUGE_PAGE: usize = 2 << 20;

/// An empty vector with room for `len` values, on huge pages where the system grants them.
///
/// The default job is 800 MB written once: 195,000 page faults of 4 KiB, which take longer than the arithmetic.
/// A huge page is one fault for 512 of them.
///
/// # Errors
///
/// When there is no memory for it.
pub fn with_huge_pages<T>(len: usize) -> Result<Vec<T>, TryReserveError> {
    let mut block = Vec::new();
    block.try_reserve_exact(len)?;
    if size_of::<T>() * len >= HUGE_PAGE {
        advise(&mut block);
    }
    Ok(block)
}

/// Asks for huge pages on the pages that lie wholly inside the vector's memory. A kernel that grants none refuses, and
/// the block is then an ordinary one.
#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "madvise takes an address")]
fn advise<T>(block: &mut Vec<T>) {
    use rustix::mm::{Advice, madvise};

    let memory = block.spare_capacity_mut();
    let page = rustix::param::page_size();
    let before = memory.as_ptr().cast::<u8>().align_offset(page);
    let length = size_of_val(memory).saturating_sub(before) / page * page;
    let inside = memory.as_mut_ptr().wrapping_byte_add(before);
    // SAFETY: the vector owns these pages, and this advice changes nothing that is in them.
    let _refused = unsafe { madvise(inside.cast(), length, Advice::LinuxHugepage) };
}

#[cfg(not(target_os = "linux"))]
fn advise<T>(_: &mut Vec<T>) {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_of_every_size_can_be_written_whole() {
        for len in [0, 1, 511, HUGE_PAGE / 8 - 1, HUGE_PAGE / 8, HUGE_PAGE / 8 + 1, 1_000_000] {
            let mut block = with_huge_pages(len).unwrap();
            assert!(block.capacity() >= len);
            block.resize(len, 1.5);
            assert!(block.iter().all(|&value| value == 1.5));
        }
    }

    #[test]
    fn no_memory_is_an_error() {
        assert!(with_huge_pages::<f64>(usize::MAX / 32).is_err());
        assert!(with_huge_pages::<f64>(usize::MAX).is_err());
    }
}
