#!/usr/bin/env bash
# The checks of the jobs in examples/jobs. Each is a workspace of its own, as a reader's job is; they share what is built,
# and share it with the test of new-job, whose jobs are copies of one of them.
set -euo pipefail
cd "$(dirname "$0")/.."
mkdir -p "${CARGO_TARGET_DIR:=target}"
CARGO_TARGET_DIR=$(cd "$CARGO_TARGET_DIR" && pwd)/examples
export CARGO_TARGET_DIR CARGO_PROFILE_DEV_DEBUG=0
for manifest in examples/jobs/*/Cargo.toml; do
    echo "scripts/test-examples.sh: $manifest" >&2
    cargo fmt --check --manifest-path "$manifest"
    cargo clippy --locked --all-targets --manifest-path "$manifest" -- -D warnings
    cargo test --locked --manifest-path "$manifest"
done
