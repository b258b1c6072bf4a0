#!/bin/sh
# A strategy that computes nothing. Its behaviour follows from the name under which it is called, or from $FAKE_NAME if the
# fake Python called it; what it was called with is appended to $FAKE_STATE/calls. As `machine-limit` it is that program.
set -eu
name=${FAKE_NAME:-$(basename "$0")}
printf '%s %s\n' "$name" "$*" >>"$FAKE_STATE/calls"
hang() { echo $$ >"$FAKE_STATE/pid.part" && mv "$FAKE_STATE/pid.part" "$FAKE_STATE/pid" && exec sleep 600; }
profile=release digest=null runs=1 workload=fill expect='' run=400000000 bits=0123456789abcdef timed=yes fault='' failed=''
allocator=system keys=1 count=1 skew=uniform rng=xoshiro seed=42 workers=1 bytes=1000000 survived=panic
case "$*" in *mt19937*) bits=0000000000019937 ;; *default_rng*) bits=00000000000064cb ;; esac
case $name in *.mimalloc | *.jemalloc) [ "${name%.*}" = cheat ] || allocator=${name##*.} && name=${name%.*} ;; esac
case $name in keeper) survived=panic,abort,hang ;; loser) survived=nothing ;; esac
while [ $# -gt 0 ]; do
    case $1 in
    --digest) digest="\"$bits\"" ;;
    --expect) expect=$2 digest="\"$bits\"" && shift ;;
    --repeat) runs=$2 && shift ;; --values | --output-bytes) [ "$workload" = wait ] && shift ;;
    --fault) [ "$name" != deaf ] && fault=${2#*:} && shift ;;
    --deadline) [ "$name" != twice ] && shift || exit 2 ;;
    --format) timed=no && shift ;;
    --workload | --keys | --count | --skew | --rng | --seed | --workers) eval "${1#--}=\$2" && shift ;;
    *) false ;;
    esac || { echo "unknown flag $1" >&2 && exit 2; }
    shift
done
case ",$survived," in *,$fault,*) failed='{"key": 1, "reason": "fault"}' bytes=24000 ;; *) [ -z "$fault" ] || exit 134 ;; esac
case $workload:$name in
fill:twice) run=200000000 ;; fill:python-slow) run=30000000000 ;; fill:python-medium) run=2000000000 ;; wait:*) run=1000000000 ;;
fill:*liar) [ "$digest" = null ] || digest='"ffffffffffffffff"' ;;
fill:crasher) printf 'starting\nout of luck\n' >&2 && exit 3 ;;
fill:unoptimised) profile=debug ;; fill:tired) [ -z "$expect" ] || { echo "too tired" >&2 && exit 1; } ;; # When it is warm.
fill:waiter) hang ;; # When it is verified. The next one hangs in the second round, after the discarded one and the first.
fill:stuck) [ "$timed" = no ] || { echo >>"$FAKE_STATE/cold" && [ "$(wc -l <"$FAKE_STATE/cold")" -ne 3 ] || hang; } ;;
esac
list() { yes "$1" | head -n "$runs" | paste -sd , -; }
printf '{"strategy": "%s", "workload": "%s", "keys": %s, "count": %s, "skew": "%s", "rng": "%s", "seed": %s, "workers": %s, %s}\n' \
    "$name" "$workload" "$keys" "$count" "$skew" "$rng" "$seed" "$workers" "\"profile\": \"$profile\", \"allocator\": \"$allocator\", \"start_ns\": 60000, \
\"run_ns\": [$(list "$run")], \"drop_ns\": [$(list 1000000)], \"stop_ns\": 30000, \"output_bytes\": $bytes, \"failed\": [$failed], \
\"digest\": $digest${FAKE_PYTHON:-}"
