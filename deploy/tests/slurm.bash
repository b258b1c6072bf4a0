#!/usr/bin/env bash
# Runs deploy/fanout.sbatch as it is on two nodes of a Slurm of its own: namespaces joined by a bridge without a way out. Needs root,
# and Debian's slurm-wlm, munge and nats-server. Nothing outlives it, since all of it is in one process namespace.
#
#   deploy/tests/slurm.bash [PROGRAM]     default: target/debug/nats
#   FANOUT_LOSSES=yes deploy/tests/slurm.bash [PROGRAM]     with an agent that is killed, and a job that is cancelled; half a minute
set -euo pipefail
cd "$(dirname "$0")/../.."
say() { echo "deploy/tests/slurm.bash: $1" >&2; }
fail() { say "$1"; tail -n 20 "$own/slurmctld.log" "$own/job.out" >&2 2>/dev/null || true; exit 1; }

if [ "${FANOUT_INSIDE-}" != yes ]; then
    missing=()
    for program in slurmctld slurmd munged sbatch nats-server ip nsenter; do
        command -v "$program" >/dev/null || missing+=("$program")
    done
    [ ${#missing[@]} = 0 ] || { say "not run: missing ${missing[*]} (Debian: slurm-wlm munge nats-server iproute2)"; exit 3; }
    [ "$(id -u)" = 0 ] || { say "not run: namespaces need root"; exit 3; }
    program=$(realpath --canonicalize-missing "${1:-${CARGO_TARGET_DIR:-target}/debug/nats}")
    [ -x "$program" ] || { say "not run: no program $program (cargo build -p nats)"; exit 3; }
    export FANOUT_INSIDE=yes FANOUT_PROGRAM=$program
    exec unshare --mount --net --uts --ipc --pid --fork --kill-child --mount-proc deploy/tests/slurm.bash
fi

# What is written lies below folders that only this namespace sees. Paths by which Slurm and munge find their files stay the usual.
hosts=$(</etc/hosts)
for folder in /etc/slurm /etc/munge /run/munge /var/lib/munge /mnt; do
    [ ! -d "$folder" ] || mount -t tmpfs -o mode=0755 tmpfs "$folder"
done
mkdir -p /run/munge
own=/mnt
printf '%s\n10.77.0.1 node1\n10.77.0.2 node2\n' "$hosts" >"$own/hosts"
mount --bind "$own/hosts" /etc/hosts

cat >/etc/slurm/slurm.conf <<END
ClusterName=fanout
SlurmctldHost=node1
SlurmUser=root
AuthType=auth/munge
StateSaveLocation=$own/state
SlurmdSpoolDir=$own/spool-%n
SlurmctldPidFile=$own/slurmctld.pid
SlurmdPidFile=$own/slurmd-%n.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/affinity
SwitchType=switch/none
MpiDefault=none
SelectType=select/cons_tres
SlurmdParameters=config_overrides
ReturnToService=2
KillWait=2
NodeName=node1 NodeAddr=10.77.0.1 CPUs=2 RealMemory=512
NodeName=node2 NodeAddr=10.77.0.2 CPUs=2 RealMemory=512
PartitionName=all Nodes=node1,node2 Default=YES State=UP
END

ip link set lo up
ip link add bridge type bridge
ip link set bridge up
declare -A pids
for node in 1 2; do
    unshare --net --uts --mount sh -c "mount -t tmpfs tmpfs /tmp && hostname node$node && exec sleep infinity" &
    pids[$node]=$!
    until [ "$(nsenter --target "$!" --uts hostname 2>/dev/null)" = "node$node" ]; do sleep 0.05; done
    ip link add "port$node" type veth peer name eth0 netns "$!"
    ip link set "port$node" master bridge up
    nsenter --target "$!" --net sh -c "ip link set lo up; ip addr add 10.77.0.$node/24 dev eth0; ip link set eth0 up"
done
on() { nsenter --target "${pids[$1]}" --net --uts --mount --wd="$PWD" "${@:2}"; }

head -c 128 /dev/urandom >/etc/munge/munge.key
chmod 400 /etc/munge/munge.key
munged --force --log-file "$own/munged.log" 2>/dev/null
mkdir -p "$own/state" "$own/spool-node1" "$own/spool-node2"
on 1 slurmctld -D >"$own/slurmctld.log" 2>&1 &
for node in 1 2; do on "$node" slurmd -D >"$own/slurmd-node$node.log" 2>&1 & done
for _ in {1..150}; do
    [ "$(on 1 sinfo --noheader --states idle --format %D 2>/dev/null)" = 2 ] && break
    sleep 0.1
done
[ "$(on 1 sinfo --noheader --states idle --format %D)" = 2 ] || fail "the two nodes are not idle after 15 s"

submit() { rm -f "$own/job.out" && job=$(on 1 sbatch --parsable --output "$own/job.out" deploy/fanout.sbatch "$@"); }
state() { on 1 squeue --noheader --states all --jobs "$job" --format %T; }
# Waits for the job's end, which is to be $1.
ends() {
    for _ in {1..600}; do case $(state) in PENDING | RUNNING | COMPLETING) sleep 0.1 ;; *) break ;; esac; done
    [ "$(state)" = "$1" ] || fail "the job is $(state), not $1"
    for _ in {1..100}; do pgrep nats >/dev/null || return 0; sleep 0.1; done
    fail "left after the job: $(pgrep --list-full nats)"
}
# Waits until the job has written $1.
writes() {
    for _ in {1..300}; do grep -qs "$1" "$own/job.out" && return; sleep 0.1; done
    fail "the job did not write: $1"
}

# Keys that only wait, so that the second agent is there before the last of them.
small=(--workload wait --keys 60 --count 200000 --values 1000 --output-bytes 80000 --format json --digest)
digest=$("$FANOUT_PROGRAM" "${small[@]}" --workers 60 2>/dev/null | grep -o '"digest":"[^"]*' | cut -d'"' -f4)
submit "${small[@]}" --expect "$digest"
ends COMPLETED
for what in "agent on node1 with 2 slots" "agent on node2 with 2 slots" "2 hosts, 4 slots" '"failed":\[\]'; do writes "$what"; done
say "a job on two nodes: passed"
[ "${FANOUT_LOSSES-}" = yes ] || exit 0

# An agent is killed with its workers while keys run: its keys run on the other node.
long=(--workload wait --keys 40 --count 500000 --format json --digest)
submit "${long[@]}"
writes "2 hosts, 4 slots"
sleep 1
for process in $(pgrep --full "$FANOUT_PROGRAM"); do
    [ "$(readlink "/proc/$process/ns/net")" != "$(readlink "/proc/${pids[2]}/ns/net")" ] || kill -9 "$process" || true
done
ends COMPLETED
writes "node2: task 1: Killed"
writes '"failed":\[\]'
say "an agent killed half-way: passed"

submit "${long[@]}"
writes "2 hosts, 4 slots"
on 1 scancel "$job"
ends CANCELLED
say "a job cancelled half-way: passed, nothing is left"
