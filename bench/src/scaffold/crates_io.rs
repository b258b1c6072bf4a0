//! Whether crates.io has a crate of a name.

use std::process::Command;
use std::time::Duration;

use super::cargo;
use crate::entrants::name::Name;
use crate::process;
use crate::process::interrupt::Interrupt;

/// Bounds the question to crates.io. When it passes, the question is dropped. It is fixed, since nothing depends on the
/// answer but a note. An answer takes well under a second, and nobody should wait long for a network that gives none.
const LOOKUP: Duration = Duration::from_secs(5);

/// Whether crates.io has a crate of this name. No answer, be it for want of a network, counts as no.
pub fn has(name: &Name) -> bool {
    let mut command = Command::new(cargo());
    command.args(["info", "--quiet", "--registry", "crates-io", name.kebab()]);
    // In no workspace: cargo would answer for one of its members.
    command.current_dir("/").env("CARGO_NET_RETRY", "0");
    // Ctrl-C ends this whole program, so nothing is to be listened for.
    let (_held, interrupt) = Interrupt::channel();
    process::run(command, Some(LOOKUP), &interrupt).is_ok_and(|output| output.status.success())
}
