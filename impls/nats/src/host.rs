//! Which host and which program this is.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::sync::OnceLock;

use xxhash_rust::xxh3::Xxh3;

use crate::wire::Build;

/// The name of this host.
pub(crate) fn host() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// What tells this program from others. Two builds of one source differ in it: that is on the safe side.
pub(crate) fn build() -> Result<Build, io::Error> {
    static DIGEST: OnceLock<u128> = OnceLock::new();
    let digest = match DIGEST.get() {
        Some(digest) => *digest,
        None => *DIGEST.get_or_init({
            let digest = digest()?;
            move || digest
        }),
    };
    Ok(Build { architecture: std::env::consts::ARCH.to_owned(), digest })
}

fn digest() -> Result<u128, io::Error> {
    let mut program = BufReader::with_capacity(1 << 20, File::open("/proc/self/exe")?);
    let mut digest = Xxh3::new();
    loop {
        let bytes = program.fill_buf()?;
        if bytes.is_empty() {
            return Ok(digest.digest128());
        }
        digest.update(bytes);
        let count = bytes.len();
        program.consume(count);
    }
}
