#!/usr/bin/env bash
# The checks of the examples: jobs, and programs that use the pool. Each is a workspace of its own, as a reader's crate is.
# They share what is compiled with this workspace, as far as its profile is theirs.
set -euo pipefail
cd "$(dirname "$0")/.."
mkdir -p "${CARGO_TARGET_DIR:=target}"
CARGO_BUILD_BUILD_DIR=$(cd "$CARGO_TARGET_DIR" && pwd)
CARGO_TARGET_DIR=$CARGO_BUILD_BUILD_DIR/examples
export CARGO_TARGET_DIR CARGO_BUILD_BUILD_DIR CARGO_PROFILE_DEV_DEBUG=${CARGO_PROFILE_DEV_DEBUG-line-tables-only}
for manifest in examples/*/*/Cargo.toml bench/pool/rust/Cargo.toml; do
    echo "scripts/test-examples.sh: $manifest" >&2
    cargo fmt --check --manifest-path "$manifest"
    cargo clippy --locked --all-targets --manifest-path "$manifest" -- -D warnings
    cargo test --locked --manifest-path "$manifest"
done
