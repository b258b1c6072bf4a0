//! A file as memory.

use std::fs::File;
use std::io;
use std::ops::Deref;
use std::ptr::{self, NonNull};
use std::slice;

use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

/// A file's bytes, read in place. The file must not change while this lives: it is sealed.
#[derive(Debug)]
pub(crate) struct Mapped {
    /// Nothing for a file of no bytes, which cannot be mapped.
    start: Option<NonNull<u8>>,
    length: usize,
}

impl Mapped {
    pub(crate) fn of(file: &File, length: usize) -> io::Result<Self> {
        if length == 0 {
            return Ok(Mapped { start: None, length });
        }
        // One system call that names no path, unlike std's `statx`: a sandboxed worker can be allowed it.
        if (rustix::fs::fstat(file)?.st_size as u64) < length as u64 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the file is shorter than was said"));
        }
        // SAFETY: a fresh mapping at an address of the system's choice touches no other memory. The file has so many bytes,
        // and keeps them: see above.
        #[expect(unsafe_code, reason = "mmap gives an address")]
        let start = unsafe { mmap(ptr::null_mut(), length, ProtFlags::READ, MapFlags::SHARED, file, 0) }?;
        Ok(Mapped { start: NonNull::new(start.cast()), length })
    }
}

impl Deref for Mapped {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self.start {
            // SAFETY: so many bytes are mapped there, for reading, until this is dropped.
            #[expect(unsafe_code, reason = "a mapping is an address and a length")]
            Some(start) => unsafe { slice::from_raw_parts(start.as_ptr(), self.length) },
            None => &[],
        }
    }
}

impl Drop for Mapped {
    fn drop(&mut self) {
        if let Some(start) = self.start {
            // SAFETY: it was mapped with this length, and nothing borrows from it any more.
            #[expect(unsafe_code, reason = "munmap takes an address")]
            let _never_fails = unsafe { munmap(start.as_ptr().cast(), self.length) };
        }
    }
}

// SAFETY: it is memory that nobody writes to.
#[expect(unsafe_code, reason = "a pointer is not Send by itself")]
unsafe impl Send for Mapped {}
// SAFETY: as above.
#[expect(unsafe_code, reason = "a pointer is not Sync by itself")]
unsafe impl Sync for Mapped {}
