#!/bin/sh
# A cargo in whose crates.io there is one crate, $FAKE_CRATE. All else is asked of $REAL_CARGO.
set -eu
[ "$1" = info ] || exec "$REAL_CARGO" "$@"
for name; do :; done
# cargo describes a member of the workspace that it is started in.
[ "$PWD" = / ] && [ "$name" = "$FAKE_CRATE" ]
