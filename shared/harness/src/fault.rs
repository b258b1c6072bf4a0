//! Faults that travel with the workload as data, so that the same ones strike on threads and in processes.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::{Duration, Instant};
use std::{hint, process, thread};

use clap::ValueEnum;
use kernel::{Fill, Verifiable, WorkerCommand, Workload};
use rustix::process::{Signal, getpid, kill_process};
use serde::{Deserialize, Serialize};
use worker::{Answer, Body, Codec, Portable, Raw, ReceiveError, Worker};

/// What happens in a key instead of its work, or beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
pub enum FaultKind {
    /// Panics with a `&str`.
    Panic,
    /// Panics with a `String`.
    PanicString,
    /// Panics with a payload that is no string.
    PanicOther,
    /// Panics with a megabyte of text.
    PanicLong,
    /// Calls `abort`.
    Abort,
    /// Ends by SIGSEGV.
    Segv,
    /// Recurses without end.
    StackOverflow,
    /// Exits with status 0 before there is an output.
    Exit0,
    /// Writes two lines to stderr and exits with status 42.
    Exit42,
    /// Ends by SIGKILL.
    Kill,
    /// Ends by SIGKILL with half of the output sent; on threads, like `kill`.
    KillSending,
    /// Sends its output twice; on threads, as if there were no fault.
    SendTwice,
    /// Sends its output, and bytes that mean nothing after it; on threads, as if there were no fault.
    SendGarbage,
    /// Leaves a process behind that holds all its descriptors open, and ends by SIGKILL.
    KillLeavingChild,
    /// Stops its process by SIGSTOP.
    Stop,
    /// Loops without end.
    Hang,
    /// Sleeps without end.
    Sleep,
    /// Sleeps for a tenth of a second, and then does its work.
    Slow,
    /// Prints a line, and then does its work.
    Print,
    /// Does nothing but its work: the FILE says that the key was reached.
    Mark,
    /// Waits until the FILEs of all other faults are there, and then does its work. Panics after half a minute.
    Patient,
    /// The same, but panics after two seconds.
    Impatient,
    /// Starts a worker process in the key, and panics with the error if there is none.
    Nested,
    /// Panics not in the key, but where its output is about to be received; on threads, as if there were no fault.
    PanicReceiving,
    /// Gives the values that are hard to carry: NaNs, infinities, zeros of both signs, subnormals.
    Specials,
}

/// A fault in one key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// The key's index.
    pub key: usize,
    /// What happens.
    pub kind: FaultKind,
    /// Whether it happens only once over all processes: to the one that creates this file.
    pub once: Option<PathBuf>,
}

impl FromStr for Fault {
    type Err = String;

    /// `KEY:KIND`, or `KEY:KIND@FILE` for once.
    fn from_str(text: &str) -> Result<Self, String> {
        let expected = "expected KEY:KIND or KEY:KIND@FILE";
        let (key, rest) = text.split_once(':').ok_or(expected)?;
        let key = key.parse().map_err(|_| expected)?;
        let (kind, once) = match rest.split_once('@') {
            Some((kind, file)) => (kind, Some(PathBuf::from(file))),
            None => (rest, None),
        };
        let kind = FaultKind::from_str(kind, false).map_err(|_| {
            let names = FaultKind::value_variants().iter().filter_map(FaultKind::to_possible_value);
            let names: Vec<_> = names.map(|value| value.get_name().to_owned()).collect();
            format!("no such KIND; there are {}", names.join(", "))
        })?;
        Ok(Fault { key, kind, once })
    }
}

/// [`Fill`] with faults in it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Faulty {
    /// The job.
    pub fill: Fill,
    /// The faults.
    pub faults: Vec<Fault>,
}

impl Faulty {
    /// The fault that strikes in key `index` now, if one does.
    fn strike(&self, index: usize) -> Option<FaultKind> {
        let fault = self.faults.iter().find(|fault| fault.key == index)?;
        let strikes = fault.once.as_ref().is_none_or(|marker| File::create_new(marker).is_ok());
        strikes.then_some(fault.kind)
    }
}

/// A block, and what must happen while it is sent.
#[derive(Debug)]
pub struct Struck {
    /// The block.
    pub block: Vec<f64>,
    sending: Sending,
}

/// How a block is sent.
#[derive(Debug, Clone, Copy)]
enum Sending {
    Well,
    /// The process ends with half of it sent.
    Half,
    /// The whole answer to this key comes twice.
    Twice(usize),
    WithGarbage,
}

impl Workload for Faulty {
    type Output = Struck;

    fn keys(&self) -> usize {
        self.fill.keys()
    }

    fn expand(&self, index: usize) -> Struck {
        let mut sending = Sending::Well;
        match self.strike(index) {
            None | Some(FaultKind::Mark | FaultKind::PanicReceiving) => {}
            Some(FaultKind::Panic) => panic!("a fault"),
            Some(FaultKind::PanicString) => panic!("a fault in key {index}"),
            Some(FaultKind::PanicOther) => std::panic::panic_any(index),
            Some(FaultKind::PanicLong) => panic!("{}", "long ".repeat(200_000)),
            Some(FaultKind::Abort) => process::abort(),
            Some(FaultKind::Segv) => end_by(Signal::SEGV),
            Some(FaultKind::StackOverflow) => {
                hint::black_box(recurse(0));
            }
            Some(FaultKind::Exit0) => process::exit(0),
            Some(FaultKind::Exit42) => {
                eprintln!("first of the last words\nand these are the last");
                process::exit(42)
            }
            Some(FaultKind::Kill) => end_by(Signal::KILL),
            Some(FaultKind::KillSending) if worker::is_worker() => sending = Sending::Half,
            Some(FaultKind::KillSending) => end_by(Signal::KILL),
            Some(FaultKind::SendTwice) => sending = Sending::Twice(index),
            Some(FaultKind::SendGarbage) => sending = Sending::WithGarbage,
            Some(FaultKind::KillLeavingChild) => {
                leave_child();
                end_by(Signal::KILL)
            }
            Some(FaultKind::Stop) => {
                let _never_fails = kill_process(getpid(), Signal::STOP);
            }
            Some(FaultKind::Hang) => loop {
                hint::spin_loop();
            },
            Some(FaultKind::Sleep) => loop {
                thread::park();
            },
            Some(FaultKind::Slow) => thread::sleep(Duration::from_millis(100)),
            Some(FaultKind::Print) => println!("printed in key {index}"),
            Some(FaultKind::Patient) => self.wait_for_the_others(index, Duration::from_secs(30)),
            Some(FaultKind::Impatient) => self.wait_for_the_others(index, Duration::from_secs(2)),
            Some(FaultKind::Nested) => match Worker::spawn(&WorkerCommand::this_program()) {
                Ok(_) => panic!("a worker got a worker"),
                Err(error) => panic!("{error}"),
            },
            Some(FaultKind::Specials) => {
                let length = self.fill.0.share(index) as usize;
                let block = Self::SPECIALS.iter().copied().cycle().take(length).collect();
                return Struck { block, sending };
            }
        }
        Struck { block: self.fill.expand(index), sending }
    }
}

impl Faulty {
    /// Waits for the marks of all other faults.
    fn wait_for_the_others(&self, index: usize, patience: Duration) {
        let marks: Vec<_> =
            self.faults.iter().filter(|fault| fault.key != index).filter_map(|fault| fault.once.as_ref()).collect();
        let deadline = Instant::now() + patience;
        while let Some(mark) = marks.iter().find(|mark| !mark.exists()) {
            assert!(Instant::now() < deadline, "held up: {} never came", mark.display());
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// What [`FaultKind::Specials`] gives, over and over.
    pub const SPECIALS: [f64; 9] = [
        f64::NAN,
        f64::from_bits(0xfff8_dead_beef_0001),
        f64::INFINITY,
        f64::NEG_INFINITY,
        0.0,
        -0.0,
        f64::from_bits(1),
        -f64::MIN_POSITIVE / 2.0,
        f64::MAX,
    ];
}

/// Sends itself the signal until it is gone: the first SIGSEGV only ends std's handler for stack overflows.
fn end_by(signal: Signal) -> ! {
    loop {
        let _never_fails = kill_process(getpid(), signal);
        thread::yield_now();
    }
}

#[expect(unconditional_recursion, reason = "it is the fault")]
fn recurse(depth: u64) -> u64 {
    let frame = hint::black_box([depth; 64]);
    recurse(depth + 1) + frame[0]
}

/// Starts a process that holds the channel open, however that is marked, and outlives this one for half a minute.
#[expect(clippy::zombie_processes, reason = "it outlives the process that should wait for it")]
fn leave_child() {
    use std::os::fd::BorrowedFd;
    let open = std::fs::read_dir("/proc/self/fd").expect("a listing of descriptors");
    let fds = open.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<i32>().ok());
    let mut child = process::Command::new("sleep");
    child.arg("30").stdout(process::Stdio::null()).stderr(process::Stdio::null());
    for fd in fds.filter(|&fd| fd > 2) {
        // SAFETY: borrowed for this turn; nothing closes descriptors meanwhile.
        #[expect(unsafe_code, reason = "a fault that a test needs: no safe way leads to another's descriptors")]
        let fd = unsafe { BorrowedFd::borrow_raw(fd) };
        if rustix::net::sockopt::socket_type(fd).is_ok()
            && let Ok(copy) = fd.try_clone_to_owned()
        {
            child.stdin(copy);
        }
    }
    child.spawn().expect("a child");
}

impl Verifiable for Faulty {
    fn key_bytes(&self, index: usize) -> [u8; 8] {
        self.fill.key_bytes(index)
    }

    fn output_bytes<'a>(&self, output: &'a Struck) -> Cow<'a, [u8]> {
        self.fill.output_bytes(&output.block)
    }

    fn output_size(&self, index: usize) -> u64 {
        self.fill.output_size(index)
    }

    fn total_size(&self) -> u128 {
        self.fill.total_size()
    }
}

impl Portable for Faulty {
    const NAME: &'static str = "faulty";
    type Codec = StruckCodec;

    fn max_bytes(&self, index: usize) -> u64 {
        let fault = self.faults.iter().find(|fault| fault.key == index);
        if fault.is_some_and(|fault| fault.kind == FaultKind::PanicReceiving) {
            panic!("a fault in the parent of key {index}");
        }
        self.fill.max_bytes(index)
    }
}

/// [`Raw`], but for what goes wrong on purpose.
pub enum StruckCodec {}

impl Codec<Struck> for StruckCodec {
    fn send(output: &Struck, answer: Answer<'_>) -> io::Result<()> {
        let body: &[u8] = bytemuck::cast_slice(&output.block);
        let length = body.len() as u64;
        match output.sending {
            Sending::Well => Raw::send(&output.block, answer),
            Sending::Half => {
                let mut channel = answer.announce(length)?;
                channel.write_all(&vec![7; body.len() / 2])?;
                end_by(Signal::KILL)
            }
            Sending::Twice(index) => {
                let (index, length_bytes) = ((index as u64).to_le_bytes(), length.to_le_bytes());
                let head = [b"fan:\x01\0\0\0", &index[..], &length_bytes[..]].concat();
                answer.announce(length)?.write_all(&[body, &head, body].concat())
            }
            Sending::WithGarbage => answer.announce(length)?.write_all(&[body, &[7; 1000]].concat()),
        }
    }

    fn receive(body: Body<'_>) -> Result<Struck, ReceiveError> {
        Raw::receive(body).map(|block| Struck { block, sending: Sending::Well })
    }
}
