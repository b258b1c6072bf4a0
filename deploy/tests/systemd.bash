#!/usr/bin/env bash
# Runs the systemd units of deploy/, but for the pause before they start again, by a systemd of its own in namespaces: a job, a key
# that aborts, an agent that is killed, and the end of the agent. Needs root, systemd and nats-server. Nothing outlives it.
#
#   deploy/tests/systemd.bash [PROGRAM]     default: target/debug/nats
set -euo pipefail
cd "$(dirname "$0")/../.."
say() { echo "deploy/tests/systemd.bash: $1" >&2; }
fail() { say "$1"; tail -n 40 "$own"/*.log >&2; exit 1; }

systemd=/lib/systemd/systemd
program=$(realpath --canonicalize-missing "${1:-${CARGO_TARGET_DIR:-target}/debug/nats}")
missing=()
for needed in "$systemd" nats-server ip nsenter; do command -v "$needed" >/dev/null || missing+=("$needed"); done
[ ${#missing[@]} = 0 ] || { say "not run: missing ${missing[*]}"; exit 3; }
[ "$(id -u)" = 0 ] || { say "not run: namespaces need root"; exit 3; }
[ -x "$program" ] || { say "not run: no program $program (cargo build -p nats)"; exit 3; }

own=$(mktemp -d)
first=
[ -e /etc/fanout ] && made=none || made=/etc/fanout
trap '[ -z "$first" ] || kill -9 "$first" 2>/dev/null || true; wait; rm -rf "$own"; rmdir "$made" 2>/dev/null || true' EXIT
mkdir "$own/units"
# Of the system's own units only what orders others; nothing that would start more.
for target in sysinit basic sockets paths timers slices network network-online shutdown umount multi-user; do
    sed '/^Requires=\|^Wants=/d' "/lib/systemd/system/$target.target" >"$own/units/$target.target"
done
cp deploy/fanout-*.service "$own/units"
printf '[Unit]\nRequires=basic.target\nAfter=basic.target\nWants=fanout-broker.service fanout-agent.service\n' \
    >"$own/units/default.target"
for unit in broker agent; do
    touch "$own/$unit.log"
    mkdir "$own/units/fanout-$unit.service.d"
    printf '[Service]\nStandardOutput=append:%s\nStandardError=inherit\nRestartSec=100ms\n' "$own/$unit.log" \
        >"$own/units/fanout-$unit.service.d/log.conf"
done

# What the first lines of the units say, on folders that only this namespace sees.
export own program systemd
# shellcheck disable=SC2016 # read there
inside='set -e
    mount --make-rshared /
    for folder in /run /var/lib /usr/local/bin; do mount -t tmpfs -o mode=0755 tmpfs $folder; done
    mkdir -p /etc/fanout
    mount -t tmpfs -o mode=0755 tmpfs /etc/fanout
    umount --recursive /sys/fs/cgroup && mount -t cgroup2 cgroup2 /sys/fs/cgroup
    ip link set lo up
    install -m 755 "$program" /usr/local/bin/fanout-program
    install -m 755 deploy/broker.sh /usr/local/bin/fanout-broker
    install -m 644 deploy/nats-server.conf /etc/fanout/
    (umask 077 && echo "t$(od -An -N32 -tx1 /dev/urandom | tr -d " \n")" >/etc/fanout/token)
    echo FANOUT_CLUSTER=nats://127.0.0.1:4222 >/etc/fanout/agent.env
    exec env -i PATH="$PATH" container=other SYSTEMD_UNIT_PATH="$own/units" "$systemd" --system --log-target=console'
unshare --mount --net --uts --ipc --cgroup --pid --fork --kill-child --mount-proc bash -c "$inside" \
    >"$own/systemd.log" 2>&1 </dev/null &
until first=$(pgrep --parent "$!"); do kill -0 "$!" || fail "no systemd"; sleep 0.05; done
there() { nsenter --target "$first" --mount --pid --net --wd="$PWD" "$@"; }
# Waits until the agent has waited for a caller $1 times.
waits() {
    for _ in {1..200}; do [ "$(grep -c "waits for a caller" "$own/agent.log")" -ge "$1" ] && return; sleep 0.1; done
    fail "the agent has not waited for a caller $1 times"
}
call() {
    there /usr/local/bin/fanout-program --cluster nats://127.0.0.1:4222 --token-file /etc/fanout/token --count 1000 \
        --keys 40 --format json "$@" 2>>"$own/caller.log" >"$own/report.log"
}

waits 1
for program in fanout-program nats-server; do
    id=$(pgrep --ns "$first" --nslist pid --full --newest "$program")
    [ "$(stat --format %u "/proc/$id")" != 0 ] || fail "$program runs as root"
done
call || fail "a job failed"
waits 2
call --fault 3:abort && fail "a key that aborts was no failure"
grep -q '"failed":\[{"key":3,[^]]*SIGABRT' "$own/report.log" || fail "a key that aborts has another outcome"
waits 3
there systemctl kill --signal=KILL fanout-agent
waits 4
call || fail "a job failed after the agent was started again"
there systemctl stop fanout-agent
[ "$(there systemctl show --property=Result fanout-agent)" = Result=success ] || fail "the agent did not end well"
say "a job, a key that aborts, an agent that is killed, its end: passed"
