#!/bin/sh
# Makes impls/NAME, a new strategy that builds and keeps the laws; --help says what else there is to know.
set -eu
cd "$(dirname "$0")/.."
exec cargo run --locked --bin new-strategy -- "$@"
