#!/usr/bin/env bash
# Measures every strategy and writes results/STAMP/; --help says what else it does.
set -euo pipefail
cd "$(dirname "$0")/.."
# exec: a Ctrl-C or a kill then reaches cargo and, in its place, compare itself; no shell in between waits or dies first.
exec cargo run --release --quiet --locked -p bench --bin compare -- "$@"
