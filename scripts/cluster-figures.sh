#!/usr/bin/env bash
# Times `nats` on hosts of one machine beside process-pool and threads, and simulates 100 and 1,000 hosts with what it measured;
# --help says what else it does. What it times is in bench/cluster/. It takes less than eight minutes, on a machine that does
# nothing else. Needs nats-server, and root for hosts of their own.
#
#   scripts/cluster-figures.sh --write                  # anew, into docs/cluster.md and bench/cluster/figures.json
#   scripts/cluster-figures.sh --render --write         # the same tables from bench/cluster/figures.json
#   scripts/cluster-figures.sh --quick --programs DIR   # whether it works, with programs that are built
set -euo pipefail
cd "$(dirname "$0")/.."
command -v nats-server >/dev/null || { echo "scripts/cluster-figures.sh: missing nats-server: apt-get install nats-server" >&2; exit 1; }
simpy=simpy==4.1.1 tools=$PWD/target/tools
if [ ! -e "$tools/$simpy/complete" ] && mkdir -p "$tools/tmp"; then
    TMPDIR=$tools/tmp python3 -m pip install -qq --only-binary=:all: --target "$tools/$simpy" "$simpy" </dev/null
    touch "$tools/$simpy/complete"
fi
case " $* " in
    *" --programs "* | *" --render "* | *" --help "*) ;;
    *)
        cargo build --quiet --release --locked -p nats -p process-pool -p std-counter -p sequential
        set -- --programs "${CARGO_TARGET_DIR:-target}/release" "$@"
        ;;
esac
PYTHONPATH=$tools/$simpy exec python3 bench/cluster/figures.py "$@"
