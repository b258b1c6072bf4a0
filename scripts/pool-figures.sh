#!/usr/bin/env bash
# Times fanout-pool beside other pools, and prints a table in Markdown; --help says what else it does. What it times is in
# bench/pool/. It takes about six minutes with --rounds 3, on a machine that does nothing else.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
target=${CARGO_TARGET_DIR:-$root/target}
mkdir -p "$target/pool-figures"
target=$(cd "$target/pool-figures" && pwd) python=$target/python requirements=$root/bench/notebook/requirements.txt
cargo build --quiet --release --locked --manifest-path "$root/bench/pool/rust/Cargo.toml" --target-dir "$target"
if [ "$python/whole" -ot "$requirements" ]; then
    echo "scripts/pool-figures.sh: installing loky and numpy, once" >&2
    python3 -m venv --clear "$python"
    # Wheels alone: building numpy would take a compiler and half an hour.
    "$python/bin/python" -m pip install --quiet --disable-pip-version-check --only-binary :all: --require-hashes \
        -r "$requirements"
    touch "$python/whole"
fi
exec "$python/bin/python" "$root/bench/pool/figures.py" --programs "$target/release" "$@"
