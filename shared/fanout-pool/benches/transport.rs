//! How should 8 MB cross from one process to another? Each transport moves the same result from a child that has just
//! written it to a parent that keeps it: what a worker does, without the protocol. `pool` is the real thing, protocol,
//! death watch and scheduler included.
//!
//! The parent's memory is new for each result of a batch, as it is in a job that keeps its outputs; the child's is
//! reused, but for `memfd`, whose file is the result and belongs to the parent then.

use std::fs::File;
use std::hint::black_box;
use std::io::{self, IoSliceMut, Read, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use criterion::{BenchmarkGroup, Criterion, Throughput, measurement::WallTime};
use fanout_pool::{Here, Outgoing, Pool, Raw, Task, with_huge_pages};
use memmap2::{Mmap, MmapMut};
use nix::sys::uio::{RemoteIoVec, process_vm_readv};
use nix::unistd::Pid;
use rustix::fs::{MemfdFlags, ftruncate, memfd_create};
use rustix::pipe::PipeFlags;

/// f64s per result.
const VALUES: usize = 1_000_000;
const BYTES: usize = VALUES * size_of::<f64>();

/// Results that the parent keeps before it drops them all. Together they are larger than any cache.
const KEPT: u64 = 16;

/// The argument that makes this program the child.
const CHILD: &str = "--transport-child";

#[derive(Clone, Copy, PartialEq)]
enum Transport {
    /// A pipe with the default capacity, 64 KiB.
    Pipe64KiB,
    /// A pipe with the largest capacity that a user may ask for.
    Pipe1MiB,
    SocketPair,
    /// The child writes into a memfd in place, and the parent maps it.
    Memfd,
    /// The parent reads the child's memory.
    ProcessVmReadv,
}

impl Transport {
    const ALL: [(Self, &str); 5] = [
        (Transport::Pipe64KiB, "pipe-64k"),
        (Transport::Pipe1MiB, "pipe-1m"),
        (Transport::SocketPair, "socketpair"),
        (Transport::Memfd, "memfd"),
        (Transport::ProcessVmReadv, "process-vm-readv"),
    ];
}

/// What the parent has of one result.
enum Kept {
    Block(Vec<f64>),
    Mapped(Mmap),
}

impl Kept {
    /// Reads one value of each page: a result that was only mapped has not been paid for.
    fn touch(&self) -> f64 {
        let values: &[f64] = match self {
            Kept::Block(block) => block,
            Kept::Mapped(map) => bytemuck::cast_slice(map),
        };
        values.iter().step_by(4096 / size_of::<f64>()).sum()
    }
}

/// The same from a worker.
struct Compute;

impl Task for Compute {
    type Shared = ();
    type Input = ();
    type Output = Raw<f64>;

    fn call(_: &(), (): (), _: &mut Here) -> Raw<f64> {
        let mut block = vec![0.0; VALUES];
        compute(&mut block);
        Raw(block)
    }

    fn answer(_: &(), (): (), here: &mut Here, to: Outgoing<'_>) -> io::Result<()> {
        let block = here.state(|| vec![0.0; VALUES]);
        compute(block);
        to.send(bytemuck::cast_slice(block))
    }
}

fn main() {
    fanout_pool::worker().task(Compute).serve();
    let arguments: Vec<String> = std::env::args().collect();
    if arguments.len() == 3 && arguments[1] == CHILD {
        let name = &arguments[2];
        let (transport, _) = Transport::ALL.into_iter().find(|(_, known)| known == name).expect("a known transport");
        // The parent is gone when it is done.
        let _end = serve(transport);
        return;
    }
    let mut criterion = Criterion::default().configure_from_args();
    let mut group = criterion.benchmark_group("8 MB");
    group.throughput(Throughput::Bytes(BYTES as u64)).sample_size(20).measurement_time(Duration::from_secs(6));
    for (transport, name) in Transport::ALL {
        measure(&mut group, name, Parent::start(transport, name).expect("a child"), Parent::receive);
    }
    let pool = Pool::builder().workers(1).start().expect("a worker");
    measure(&mut group, "pool", pool, |pool| {
        pool.submit(Compute, ()).wait().map(|Raw(block)| Kept::Block(block)).map_err(io::Error::other)
    });
    group.finish();
    criterion.final_summary();
}

fn measure<S>(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    mut state: S,
    receive: impl Fn(&mut S) -> io::Result<Kept>,
) {
    group.bench_function(name, |bencher| {
        bencher.iter_custom(|results| {
            let mut elapsed = Duration::ZERO;
            let mut left = results;
            while left > 0 {
                let batch = left.min(KEPT);
                let mut kept = Vec::new();
                let start = Instant::now();
                for _ in 0..batch {
                    let result = receive(&mut state).expect("a result");
                    black_box(result.touch());
                    kept.push(result);
                }
                elapsed += start.elapsed();
                left -= batch;
            }
            elapsed
        });
    });
}

/// The child's work: the same for all transports, a pass over the memory.
fn compute(block: &mut [f64]) {
    block.iter_mut().enumerate().for_each(|(index, value)| *value = index as f64);
}

/// The child: a result for each byte that comes on the channel.
fn serve(transport: Transport) -> io::Result<()> {
    let mut channel = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    // The bare pipe: std's stdout waits for the end of a line.
    let mut stdout = File::from(io::stdout().as_fd().try_clone_to_owned()?);
    let mut block = vec![0.0; VALUES];
    let mut previous: Option<OwnedFd> = None;
    while channel.read_exact(&mut [0]).is_ok() {
        match transport {
            Transport::Memfd => {
                let file = memfd_create("result", MemfdFlags::CLOEXEC)?;
                ftruncate(&file, BYTES as u64)?;
                // SAFETY: nobody else writes to the file or cuts it.
                #[expect(unsafe_code, reason = "a map of a file that others could change")]
                let mut map = unsafe { MmapMut::map_mut(&file)? };
                compute(bytemuck::cast_slice_mut(&mut map));
                channel.write_all(&u64::try_from(file.as_raw_fd()).expect("a descriptor").to_le_bytes())?;
                // The parent has opened the one before by now.
                previous = Some(file);
                continue;
            }
            _ => compute(&mut block),
        }
        match transport {
            Transport::SocketPair => channel.write_all(bytemuck::cast_slice(&block))?,
            Transport::ProcessVmReadv => channel.write_all(&(block.as_ptr().addr() as u64).to_le_bytes())?,
            _ => stdout.write_all(bytemuck::cast_slice(&block))?,
        }
    }
    drop(previous);
    Ok(())
}

/// The parent's side of one child.
struct Parent {
    transport: Transport,
    child: Child,
    channel: UnixStream,
    pipe: Option<File>,
}

impl Parent {
    fn start(transport: Transport, name: &str) -> io::Result<Self> {
        let (channel, theirs) = UnixStream::pair()?;
        let mut command = Command::new(std::env::current_exe()?);
        command.args([CHILD, name]).stdin(OwnedFd::from(theirs)).stdout(Stdio::null());
        let pipe = match transport {
            Transport::Pipe64KiB | Transport::Pipe1MiB => {
                let (reader, writer) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC)?;
                if transport == Transport::Pipe1MiB {
                    rustix::pipe::fcntl_setpipe_size(&reader, 1 << 20)?;
                }
                command.stdout(writer);
                Some(File::from(reader))
            }
            _ => None,
        };
        Ok(Parent { transport, child: command.spawn()?, channel, pipe })
    }

    fn receive(&mut self) -> io::Result<Kept> {
        self.channel.write_all(&[1])?;
        if self.transport == Transport::Memfd {
            let fd = self.number()?;
            let file = File::open(format!("/proc/{}/fd/{fd}", self.child.id()))?;
            // SAFETY: the child is done with the file.
            #[expect(unsafe_code, reason = "a map of a file that others could change")]
            return Ok(Kept::Mapped(unsafe { Mmap::map(&file)? }));
        }
        let mut block = with_huge_pages(VALUES).map_err(io::Error::other)?;
        // SAFETY: every pattern of bits is an f64, and each branch below fills all of them or fails.
        #[expect(unsafe_code, reason = "zeroing first would be a pass that no transport needs")]
        unsafe {
            block.set_len(VALUES);
        }
        let bytes: &mut [u8] = bytemuck::cast_slice_mut(&mut block);
        match (&mut self.pipe, self.transport) {
            (Some(pipe), _) => pipe.read_exact(bytes)?,
            (None, Transport::ProcessVmReadv) => {
                let base = self.number()? as usize;
                let remote = [RemoteIoVec { base, len: BYTES }];
                let pid = Pid::from_raw(i32::try_from(self.child.id()).map_err(io::Error::other)?);
                let read = process_vm_readv(pid, &mut [IoSliceMut::new(bytes)], &remote)?;
                assert_eq!(read, BYTES);
            }
            (None, _) => self.channel.read_exact(bytes)?,
        }
        Ok(Kept::Block(block))
    }

    fn number(&mut self) -> io::Result<u64> {
        let mut bytes = [0; 8];
        self.channel.read_exact(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }
}

impl Drop for Parent {
    fn drop(&mut self) {
        // It waits for the next request, and would see the channel's end; that takes longer to write down.
        let _already_gone = self.child.kill();
        let _already_gone = self.child.wait();
    }
}
