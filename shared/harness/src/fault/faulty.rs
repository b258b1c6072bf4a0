//! The workload that has faults in it.

use std::borrow::Cow;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use std::{hint, process, thread};

use fanout::{Portable, is_worker};
use fanout_pool::Pool;
use kernel::Workload;
use rustix::process::Signal;
use serde::de::Error as _;
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use workloads::{Fill, Verifiable};

use super::acts;
use super::sending::{Sending, Struck, StruckCodec};
use super::{Fault, FaultKind};

/// [`Fill`] with faults in it. Several faults of one key happen in their order.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Faulty {
    /// The job.
    pub fill: Fill,
    /// The faults.
    #[serde(serialize_with = "encode", deserialize_with = "load")]
    pub faults: Vec<Fault>,
    /// What else crosses into each worker: it makes the workload as large as a test needs it.
    pub ballast: String,
}

impl Faulty {
    /// A job with these faults, and no ballast.
    pub fn new(fill: Fill, faults: Vec<Fault>) -> Self {
        Faulty { fill, faults, ballast: String::new() }
    }

    /// The faults of key `index`.
    fn faults_of(&self, index: usize) -> impl Iterator<Item = &Fault> {
        self.faults.iter().filter(move |fault| fault.key == index)
    }

    /// Waits for the marks of all other faults.
    fn wait_for_the_others(&self, index: usize, patience: Duration) {
        let others = self.faults.iter().filter(|fault| fault.key != index);
        let marks: Vec<&PathBuf> = others.filter_map(|fault| fault.once.as_ref()).collect();
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

    fn specials(&self, index: usize) -> Vec<f64> {
        Self::SPECIALS.iter().copied().cycle().take(self.fill.0.share(index) as usize).collect()
    }

    /// Does what a fault says that happens in the key. What happens later is the answer: how the output is sent.
    fn suffer(&self, fault: &Fault) -> Option<Sending> {
        let index = fault.key;
        match fault.kind {
            FaultKind::Panic => panic!("a fault"),
            FaultKind::PanicString => panic!("a fault in key {index}"),
            FaultKind::PanicOther => std::panic::panic_any(index),
            FaultKind::PanicLong => panic!("{}", "long ".repeat(200_000)),
            FaultKind::Abort => process::abort(),
            FaultKind::Segv => acts::end_by(Signal::SEGV),
            FaultKind::StackOverflow => drop(hint::black_box(acts::recurse(0))),
            FaultKind::Exit0 => process::exit(0),
            FaultKind::Exit42 => {
                eprintln!("first of the last words\nand these are the last");
                process::exit(42)
            }
            FaultKind::Kill => acts::end_by(Signal::KILL),
            FaultKind::KillSending if is_worker() => return Some(Sending::Half),
            FaultKind::KillSending => acts::end_by(Signal::KILL),
            FaultKind::KillLeavingChild => {
                acts::leave_holder();
                acts::end_by(Signal::KILL)
            }
            FaultKind::Stop => acts::stop(),
            FaultKind::Hang => loop {
                hint::spin_loop();
            },
            FaultKind::Sleep => acts::sleep(),
            FaultKind::Slow => thread::sleep(Duration::from_millis(100)),
            FaultKind::Print => println!("printed in key {index}"),
            FaultKind::Patient => self.wait_for_the_others(index, Duration::from_secs(30)),
            FaultKind::Impatient => self.wait_for_the_others(index, Duration::from_secs(2)),
            FaultKind::Nested => match Pool::builder().start() {
                Ok(_) => panic!("a worker got a worker"),
                Err(error) => panic!("{error}"),
            },
            FaultKind::Fork if is_worker() => acts::fork(),
            FaultKind::LeaveChild => {
                acts::leave_tools();
                acts::sleep()
            }
            FaultKind::CloseAll => acts::close_all(),
            FaultKind::AbortWithPanic => acts::abort_with_panic(),
            FaultKind::SendTwice => return Some(Sending::Twice),
            FaultKind::SendGarbage => return Some(Sending::WithGarbage),
            FaultKind::ChildWrites => return Some(Sending::ThenChildWrites),
            FaultKind::DieAfter => return Some(Sending::ThenSignal(Signal::KILL)),
            FaultKind::StopAfter => return Some(Sending::ThenSignal(Signal::STOP)),
            FaultKind::PanicDropping => return Some(Sending::ThenPanic),
            FaultKind::PanicSending => return Some(Sending::Panic),
            FaultKind::TooLong => return Some(Sending::TooLong),
            FaultKind::PanicDecoding => return Some(Sending::ToPanicWhereItIsReceived),
            FaultKind::LogLater => return Some(Sending::ThenLog(fault.once.clone())),
            // Nothing happens in the key.
            FaultKind::Fork | FaultKind::Mark | FaultKind::Specials => {}
            FaultKind::PanicReceiving | FaultKind::PanicLimiting => {}
            FaultKind::PanicEncoding | FaultKind::FailEncoding => {}
            FaultKind::PanicLoading | FaultKind::FailLoading => {}
            FaultKind::AbortLoading | FaultKind::SlowLoading => {}
        }
        None
    }
}

impl Workload for Faulty {
    type Output = Struck;

    fn keys(&self) -> usize {
        self.fill.keys()
    }

    fn expand(&self, index: usize) -> Struck {
        let (mut sending, mut special) = (Sending::Well, false);
        for fault in self.faults_of(index).filter(|fault| fault.strikes()) {
            special |= fault.kind == FaultKind::Specials;
            sending = self.suffer(fault).unwrap_or(sending);
        }
        Struck { block: if special { self.specials(index) } else { self.fill.expand(index) }, sending }
    }
}

/// Serialises the faults, unless one of them is that this goes wrong.
fn encode<S: Serializer>(faults: &Vec<Fault>, serializer: S) -> Result<S::Ok, S::Error> {
    for fault in faults {
        match fault.kind {
            FaultKind::PanicEncoding => panic!("a fault where the workload is encoded"),
            FaultKind::FailEncoding => return Err(S::Error::custom("a fault where the workload is encoded")),
            _ => {}
        }
    }
    faults.serialize(serializer)
}

/// Deserialises the faults, and does what they say that happens then.
fn load<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Fault>, D::Error> {
    let faults = Vec::<Fault>::deserialize(deserializer)?;
    for fault in &faults {
        match fault.kind {
            FaultKind::PanicLoading if fault.strikes() => panic!("a fault where the workload is loaded"),
            FaultKind::FailLoading if fault.strikes() => {
                return Err(D::Error::custom("a fault where the workload is loaded"));
            }
            FaultKind::AbortLoading if fault.strikes() => process::abort(),
            FaultKind::SlowLoading if fault.strikes() => thread::sleep(Duration::from_millis(1500)),
            _ => {}
        }
    }
    Ok(faults)
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
        for fault in self.faults_of(index) {
            match fault.kind {
                FaultKind::PanicReceiving if !is_worker() => panic!("a fault in the parent of key {index}"),
                FaultKind::PanicLimiting if !is_worker() => panic!("a fault in the limit of key {index}"),
                _ => {}
            }
        }
        self.fill.max_bytes(index)
    }
}
