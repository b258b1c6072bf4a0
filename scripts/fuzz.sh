#!/usr/bin/env bash
# Feeds a parent random bytes in place of a worker's: scripts/fuzz.sh [SECONDS] (default 60). It needs a nightly toolchain
# and cargo-fuzz (cargo install cargo-fuzz). What it finds is in target/fuzz/artifacts/.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:-60}
if [[ $seconds == -* ]]; then sed -n '2,3s/^# //p' "$0" && exit; fi
if [[ ! $seconds =~ ^[1-9][0-9]*$ ]]; then echo "fuzz.sh: \`$seconds\` is no number of seconds" >&2 && exit 2; fi
if ! cargo +nightly fuzz --version >/dev/null; then exit 1; fi
# It begins with what a worker says that does everything right, and fails in each way that it may.
mkdir -p target/fuzz/{corpus,artifacts}
cargo +nightly fuzz run --target-dir=target/fuzz conversation target/fuzz/corpus fuzz/seeds -- \
    -max_total_time="$seconds" -max_len=8192 -artifact_prefix=target/fuzz/artifacts/
