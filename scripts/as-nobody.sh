#!/usr/bin/env bash
# Runs tests that depend on the user again, as nobody: what root may do hides what others may not. It starts what is built:
# cargo would choose other features for fewer packages, and build them all again.
#
# usage: cargo test … --no-run --message-format=json | scripts/as-nobody.sh
set -euo pipefail

nobody=(setpriv --reuid=65534 --regid=65534 --clear-groups env -u TMPDIR HOME=/tmp)
say() { echo "scripts/as-nobody.sh: $1" >&2; }

folder='"manifest_path":"([^"]*)/Cargo\.toml"'
test='"kind":\["test"\],.*"name":"(laws|command_line|failures)"'
built=$(sed -nE "s~.*$folder,.*$test.*\"executable\":\"([^\"]*)\".*~\2\t\1\t\3~p" | sort)
[ -n "$built" ] || { say "cargo named no such tests"; exit 1; }
while IFS=$'\t' read -r name folder program; do
    if ! "${nobody[@]}" test -x "$program"; then
        say "only root can reach $program: what depends on the user was not tried as another"
        exit
    fi
    arguments=()
    [ "$name" != failures ] || arguments=(p11_ p12_ p13_ p26_) # limits
    say "$folder: $name"
    # As cargo starts it.
    (cd "$folder" && CARGO_MANIFEST_DIR=$folder "${nobody[@]}" "$program" "${arguments[@]}" </dev/null)
done <<<"$built"
