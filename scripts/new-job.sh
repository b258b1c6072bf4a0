#!/bin/sh
# Makes DIR/NAME, a crate with a job of your own that every strategy can run; --help says what else there is to know.
set -eu
export FANOUT_CALLED_FROM="$PWD"
cd "$(dirname "$0")/.."
# In release, as compare is built: what they share is compiled once.
exec cargo run --quiet --release --locked --bin new-job -- "$@"
