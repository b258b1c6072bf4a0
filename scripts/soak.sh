#!/usr/bin/env bash
# Soaks every strategy that runs keys in processes: those with a tests/soak.rs. What it does is in shared/harness/src/soak.rs.
#
# All at once, each for the whole time: each is then the load beside which the other's races come out in other orders,
# and twice as many batches fit into the time. What each holds is counted by itself, so none is charged for another.
set -euo pipefail
cd "$(dirname "$0")/.."
usage="usage: scripts/soak.sh [MINUTES]
Kills, stops and starves the process strategies for MINUTES (30), and says each minute how far they came. It ends at the
first breach with status 1. FANOUT_SOAK_SEED=SEED runs the round with that seed again and again."
case $#:${1-30} in
    1:-h | 1:--help) echo "$usage"; exit 0 ;;
    [01]:*[!0-9]* | [01]: | [01]:0* | [01]:??????*) echo "scripts/soak.sh: '${1-}' is no number of minutes" >&2; exit 2 ;;
    [01]:*) export FANOUT_SOAK_MINUTES=${1-30} ;;
    *) echo "scripts/soak.sh: one argument, the number of minutes" >&2; exit 2 ;;
esac
# A fault that aborts leaves no core, and a breach is told without a backtrace.
ulimit -c 0
export RUST_BACKTRACE=0
built=$(cargo test --release --locked --no-run --test soak --message-format=json-render-diagnostics)
mapfile -t programs < <(sed -n '/"kind":\["test"\]/s/.*"executable":"\([^"]*\)".*/\1/p' <<<"$built")
status=0 running=()
stop() { for pid in "${running[@]}"; do kill -INT "$pid" 2>/dev/null || true; done; }
trap 'status=130; stop' INT TERM
exec 3>&1
for program in "${programs[@]}"; do
    # Its stdout is what the test harness says; its figures come on stderr.
    "$program" --exact soak --nocapture >/dev/null 2>&3 3>&- &
    running+=("$!")
done
while [ -n "$(jobs -rp)" ]; do
    wait -n || { [ "$status" = 130 ] || status=1; stop; }
done
# Those that ended while none was waited for.
for pid in "${running[@]}"; do wait "$pid" || [ "$status" = 130 ] || status=1; done
exit "$status"
