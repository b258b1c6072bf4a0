//! A child process with all that it starts.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus};
use std::rc::Rc;

use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, kill_process_group, waitid};

use crate::error::Exit;

/// A process in a group of its own: a signal to this program's group, such as Ctrl-C's, does not reach it, and what it
/// starts can be ended with it.
pub(crate) struct Process {
    child: Child,
    /// Its pidfd, where there is such a thing: it polls as readable when the process has ended, and is never another's.
    death: Option<Rc<OwnedFd>>,
    /// How it ended, once that was asked.
    exit: Option<Exit>,
}

/// What the system knows of a child.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Life {
    Running,
    /// Its status waits for this program.
    Ended,
    /// Something else took its status, as when SIGCHLD is ignored. Its process id may be anybody's by now.
    Gone,
}

impl Process {
    pub(crate) fn spawn(command: &mut Command) -> io::Result<Self> {
        let child = command.process_group(0).spawn()?;
        let mut process = Process { child, death: None, exit: None };
        match watch(&process.child) {
            Ok(death) => process.death = death.map(Rc::new),
            Err(error) => {
                process.end();
                return Err(error);
            }
        }
        Ok(process)
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// The descriptor that polls as readable when it has ended, where there is such a thing.
    pub(crate) fn death(&self) -> Option<Rc<OwnedFd>> {
        self.death.clone()
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.life() != Life::Running
    }

    /// Kills what is left of its group, itself included, and takes its status. By the time that this returns it is gone.
    pub(crate) fn end(&mut self) -> Exit {
        if let Some(exit) = self.exit {
            return exit;
        }
        // As long as its status was not taken, nobody else can have its id, as a process or as a group.
        let life = self.life();
        if life != Life::Gone {
            let group = Pid::from_child(&self.child);
            // Each fails when there is nobody: also the process itself may have left its group.
            let _already_gone = kill_process_group(group, Signal::KILL);
            let _already_gone = self.signal(Signal::KILL);
        }
        // By its id, which is another's if something else took the status.
        let exit = if life == Life::Gone { Exit::Unknown } else { self.child.wait().map_or(Exit::Unknown, exit) };
        *self.exit.insert(exit)
    }

    fn life(&self) -> Life {
        if self.exit.is_some() {
            return Life::Gone;
        }
        let look = |process| waitid(process, WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT);
        let by_id = || look(WaitId::Pid(Pid::from_child(&self.child)));
        let looked = match self.by_pidfd() {
            Some(process) => look(process).or_else(|error| if error == Errno::INVAL { by_id() } else { Err(error) }),
            None => by_id(),
        };
        match looked {
            Ok(None) => Life::Running,
            Ok(Some(_)) => Life::Ended,
            Err(_) => Life::Gone,
        }
    }

    /// What `waitid` takes since Linux 5.4.
    #[cfg(target_os = "linux")]
    fn by_pidfd(&self) -> Option<WaitId<'_>> {
        use std::os::fd::AsFd;
        self.death.as_ref().map(|pidfd| WaitId::PidFd(pidfd.as_fd()))
    }

    #[cfg(not(target_os = "linux"))]
    fn by_pidfd(&self) -> Option<WaitId<'_>> {
        None
    }

    #[cfg(target_os = "linux")]
    fn signal(&self, signal: Signal) -> Result<(), Errno> {
        match &self.death {
            Some(pidfd) => rustix::process::pidfd_send_signal(pidfd, signal),
            None => kill_process(Pid::from_child(&self.child), signal),
        }
    }

    #[cfg(not(target_os = "linux"))]
    fn signal(&self, signal: Signal) -> Result<(), Errno> {
        kill_process(Pid::from_child(&self.child), signal)
    }
}

fn exit(status: ExitStatus) -> Exit {
    match status.signal() {
        Some(signal) => Exit::Signal(signal),
        None => Exit::Code(status.code().unwrap_or_default()),
    }
}

#[cfg(target_os = "linux")]
fn watch(child: &Child) -> io::Result<Option<OwnedFd>> {
    use rustix::process::{PidfdFlags, pidfd_open};
    match pidfd_open(Pid::from_child(child), PidfdFlags::empty()) {
        Ok(death) => Ok(Some(death)),
        // Before Linux 5.3, in some sandboxes, and of a process that something else has waited for already. The end of
        // the channel must do there.
        Err(Errno::NOSYS | Errno::PERM | Errno::SRCH) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

#[cfg(not(target_os = "linux"))]
fn watch(_: &Child) -> io::Result<Option<OwnedFd>> {
    Ok(None)
}

/// How much memory a process has, in bytes; nothing where the system does not tell.
pub(crate) fn resident(pid: u32) -> Option<u64> {
    let told = std::fs::read_to_string(format!("/proc/{pid}/statm")).ok()?;
    let pages: u64 = told.split(' ').nth(1)?.parse().ok()?;
    Some(pages * rustix::param::page_size() as u64)
}
