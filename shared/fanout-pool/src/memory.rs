//! Memory for large values.

use std::collections::TryReserveError;
use std::mem::MaybeUninit;

/// The size of a huge page on x86-64, and on aarch64 with 4 KiB pages. A block below it has no use for one.
pub const HUGE_PAGE: usize = 2 << 20;

/// An empty vector with room for `len` values, on huge pages where the system grants them.
///
/// 800 MB written once are 195,000 page faults of 4 KiB, which take longer than most arithmetic. A huge page is one fault
/// for 512 of them.
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

/// Memory for values as memory for their bytes.
pub(crate) fn as_bytes<T>(values: &mut [MaybeUninit<T>]) -> &mut [MaybeUninit<u8>] {
    let (start, length) = (values.as_mut_ptr(), size_of_val(values));
    // SAFETY: the same memory for the same lifetime; bytes have no alignment, and uninitialised ones are allowed.
    #[expect(unsafe_code, reason = "no safe cast keeps memory uninitialised")]
    unsafe {
        std::slice::from_raw_parts_mut(start.cast(), length)
    }
}

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

    /// What receiving does with a block, without a channel: for Miri, which knows none.
    #[test]
    fn a_block_that_is_filled_as_bytes_has_these_values() {
        let values = [f64::NAN, -0.0, 1.5, f64::INFINITY];
        let mut block: Vec<f64> = Vec::with_capacity(values.len() + 1);
        let bytes = as_bytes(&mut block.spare_capacity_mut()[..values.len()]);
        for (to, from) in bytes.iter_mut().zip(bytemuck::cast_slice::<f64, u8>(&values)) {
            to.write(*from);
        }
        // SAFETY: all bytes of them were written.
        #[expect(unsafe_code, reason = "as in `Raw`")]
        unsafe {
            block.set_len(values.len());
        }
        assert_eq!(block.iter().map(|value| value.to_bits()).collect::<Vec<_>>(), values.map(f64::to_bits));
    }
}
