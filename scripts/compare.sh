#!/usr/bin/env bash
# Measures every strategy and writes results/local/STAMP/; --help says what else it does.
set -euo pipefail
export FANOUT_CALLED_FROM=$PWD
cd "$(dirname "$0")/.."
[ -x "${CARGO_TARGET_DIR:-target}/release/compare" ] || echo "building compare first: a minute or two, once" >&2 || true
# Without -p, so that what all of the workspace needs is built once, for this and for the strategies. cargo fails when
# nobody reads what it says: then it is read here, and dropped.
build=(cargo build --release --locked --bin compare)
if [ -t 2 ]; then "${build[@]}"; else "${build[@]}" 2>&1 | { cat >&3 || cat >/dev/null; } 3>&2 2>/dev/null; fi
# exec: a Ctrl-C or a kill then reaches compare itself, in cargo's place; no shell in between waits or dies first.
exec cargo run --quiet --release --locked --bin compare -- "$@"
