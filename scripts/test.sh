#!/usr/bin/env bash
# The one test command: formatting, lints, all tests, documentation, shell scripts. Needs cargo with rustfmt and clippy,
# a C compiler's linker and shellcheck; cargo fetches the rest.
set -euo pipefail
cd "$(dirname "$0")/.."

missing() {
    echo "scripts/test.sh: missing $1" >&2
    exit 1
}

command -v cargo >/dev/null || missing "cargo: install Rust, see https://rustup.rs"
cargo fmt --version >/dev/null 2>&1 || missing "rustfmt: rustup component add rustfmt"
cargo clippy --version >/dev/null 2>&1 || missing "clippy: rustup component add clippy"
if ! command -v shellcheck >/dev/null; then
    if command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
        { apt-get update && apt-get install -y --no-install-recommends shellcheck; } >/dev/null ||
            missing "shellcheck, and apt-get could not install it"
    else
        missing "shellcheck: install your system's package of that name"
    fi
fi

shellcheck scripts/*.sh .ci/run
cargo fmt --all --check
cargo clippy --locked --workspace --all-targets -- -D warnings
cargo test --locked --workspace
if command -v python3 >/dev/null; then
    python3 bench/notebook/test_notebook.py
else
    echo "scripts/test.sh: no python3: the notebook's programs were not tried" >&2
fi
RUSTDOCFLAGS="-D warnings" cargo doc --locked --workspace --no-deps
