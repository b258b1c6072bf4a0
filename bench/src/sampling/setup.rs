//! What a run needs before it can begin: a place for its results, a timer, and the machine for itself.

#[cfg(target_os = "linux")]
use std::io::ErrorKind;
#[cfg(target_os = "linux")]
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
use std::path::{Path, absolute};
use std::process::Stdio;

use crate::process;
use crate::process::interrupt::Interrupt;
use crate::process::tell;
use crate::sampling::hyperfine::{self, Timer};
use anyhow::{Context, Result, bail};

use crate::entrants::selection;
use crate::process::tell::Usage;

/// The name that a running compare has, for others to notice. An abstract socket is in no folder, is seen by all users of
/// the machine (within one network namespace), and is gone with its process.
#[cfg(target_os = "linux")]
const NAME: &str = "fanout-compare";

/// Whether another compare runs beside this one.
#[cfg(target_os = "linux")]
pub struct Alone {
    /// Ours, unless another has it.
    own: Option<UnixListener>,
    other: bool,
}

#[cfg(target_os = "linux")]
impl Alone {
    /// Looks for another, and tells it that we are here.
    pub fn announce() -> Alone {
        Alone::announce_as(NAME)
    }

    fn announce_as(name: &str) -> Alone {
        use std::os::linux::net::SocketAddrExt;
        let Ok(address) = SocketAddr::from_abstract_name(name) else { return Alone { own: None, other: false } };
        match UnixListener::bind_addr(&address) {
            Ok(own) => Alone { own: own.set_nonblocking(true).is_ok().then_some(own), other: false },
            Err(error) if error.kind() == ErrorKind::AddrInUse => {
                // To be accepted is to be noticed; more is not said.
                let _told = UnixStream::connect_addr(&address);
                Alone { own: None, other: true }
            }
            Err(_) => Alone { own: None, other: false },
        }
    }

    /// Whether one was there when this one began, or has come since.
    pub fn is_not(&mut self) -> bool {
        self.other |= self.own.as_ref().is_some_and(|own| own.accept().is_ok());
        self.other
    }
}

#[cfg(not(target_os = "linux"))]
pub struct Alone;

#[cfg(not(target_os = "linux"))]
impl Alone {
    pub fn announce() -> Alone {
        Alone
    }

    /// It cannot be told here.
    pub fn is_not(&mut self) -> bool {
        false
    }
}

/// A Python that is named by a path is looked for from the folder that the user is in, and run in others.
pub fn interpreter(python: &str) -> Result<String> {
    if !python.contains('/') {
        return Ok(python.to_owned());
    }
    let path = absolute(python)?;
    match path.is_file() {
        true => Ok(path.to_string_lossy().into_owned()),
        false => Err(Usage(format!("--python: there is no {python}")).into()),
    }
}

/// A hyperfine that can time; installed if there is none, unless the strategies were carried here, and so was all else.
pub fn find_hyperfine(root: &Path, carried: Option<&Path>, interrupt: &Interrupt) -> Result<Timer> {
    let (found, unfit) = hyperfine::find(root, carried);
    for unfit in unfit {
        tell::warn(unfit);
    }
    if let Some(timer) = found {
        return Ok(timer);
    }
    if carried.is_some() {
        bail!(
            "hyperfine is neither on PATH nor in the folder of --bin-dir; it is on https://github.com/sharkdp/hyperfine"
        );
    }
    tell::say("there is no hyperfine on PATH that will do: installing one in target/tools (about 100 s, once)");
    let mut install = hyperfine::install_command(root, &selection::temporary(root)?);
    let mut cargo = install.stdin(Stdio::null()).stderr(process::shown()).spawn().context("cargo could not be run")?;
    let said = process::pass_on(&mut cargo);
    let status = process::interruptible(cargo.id(), interrupt, || cargo.wait())?;
    said.finish();
    interrupt.check()?;
    hyperfine::find(root, None).0.with_context(|| {
        format!("hyperfine could not be installed ({status}); put one on PATH: https://github.com/sharkdp/hyperfine")
    })
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn two_at_once_notice_each_other() {
        let name = format!("fanout-test-{}", std::process::id());
        let mut first = Alone::announce_as(&name);
        assert!(!first.is_not());
        let mut second = Alone::announce_as(&name);
        assert!(second.is_not() && first.is_not() && first.is_not());
        drop((first, second));
        assert!(!Alone::announce_as(&name).is_not(), "the name is free again");
    }
}
