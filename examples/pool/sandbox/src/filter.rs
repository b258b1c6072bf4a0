//! A seccomp filter: the list of all that a worker may ask of the system from now on.

#[cfg(target_os = "linux")]
use std::collections::BTreeMap;
use std::error::Error;

use fanout_pool::Here;

/// What a worker needs to take calls and to answer them, and what computing needs. Not on the list is what would start a
/// thread: for tasks that use several, add `clone`, `clone3`, `rseq` and `set_robust_list`.
#[cfg(target_os = "linux")]
const ALLOWED: &[libc::c_long] = &[
    // The channel, which is open already. Without `socket` there is no other.
    libc::SYS_recvfrom,
    libc::SYS_recvmsg,
    libc::SYS_sendmsg,
    libc::SYS_sendto,
    // What it prints, and what is open.
    libc::SYS_close,
    libc::SYS_read,
    libc::SYS_write,
    // Memory. `fstat` is for shared values, which come as open files.
    libc::SYS_brk,
    libc::SYS_fstat,
    libc::SYS_madvise,
    libc::SYS_mmap,
    libc::SYS_mprotect,
    libc::SYS_mremap,
    libc::SYS_munmap,
    // Locks, clocks and random numbers.
    libc::SYS_clock_gettime,
    libc::SYS_clock_nanosleep,
    libc::SYS_futex,
    libc::SYS_getrandom,
    libc::SYS_sched_yield,
    // Its own end: a panic, an exit, and with `tgkill` an abort.
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_getpid,
    libc::SYS_gettid,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sigaltstack,
];

/// Locks this process up. The initialiser of each worker. There is no way back.
#[cfg(target_os = "linux")]
pub fn enter(_: &mut Here) -> Result<(), Box<dyn Error + Send + Sync>> {
    use seccompiler::{
        BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    };

    // A rule would say with which arguments a call is allowed. Without one it is allowed with any.
    let mut allowed: BTreeMap<_, _> = ALLOWED.iter().map(|&call| (call, Vec::new())).collect();
    // An abort is a signal that a process sends itself. Others are not to be reached.
    let myself = u64::from(std::process::id());
    let to_myself = SeccompCondition::new(0, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, myself)?;
    allowed.insert(libc::SYS_tgkill, vec![SeccompRule::new(vec![to_myself])?]);
    // All else is an error that the task sees. `KillProcess` would end the worker: its call is then `Died`.
    let refused = SeccompAction::Errno(libc::EPERM as u32);
    let filter = SeccompFilter::new(allowed, refused, SeccompAction::Allow, std::env::consts::ARCH.try_into()?)?;
    let program: BpfProgram = filter.try_into()?;
    seccompiler::apply_filter(&program).map_err(|error| format!("no sandbox here: {error}"))?;
    Ok(())
}

/// Better no worker than one that is not locked up.
#[cfg(not(target_os = "linux"))]
pub fn enter(_: &mut Here) -> Result<(), Box<dyn Error + Send + Sync>> {
    Err("no sandbox here: seccomp is Linux's".into())
}
