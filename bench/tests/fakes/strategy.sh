#!/bin/sh
# A strategy that computes nothing. Its behaviour follows from the name under which it is called, or from $FAKE_NAME if the
# fake Python called it; what it was called with is appended to $FAKE_STATE/calls.
set -eu
name=${FAKE_NAME:-$(basename "$0")}
printf '%s %s\n' "$name" "$*" >>"$FAKE_STATE/calls"
hang() { echo $$ >"$FAKE_STATE/pid.part" && mv "$FAKE_STATE/pid.part" "$FAKE_STATE/pid" && exec sleep 600; }

profile=release digest=null runs=1 workload=fill expect='' run=400000000 bits=0123456789abcdef
case "$*" in *mt19937*) bits=0000000000019937 ;; *default_rng*) bits=00000000000064cb ;; esac
while [ $# -gt 0 ]; do
    case $1 in
    --digest) digest="\"$bits\"" ;;
    --expect) expect=$2 digest="\"$bits\"" && shift ;;
    --repeat) runs=$2 && shift ;;
    --workload) workload=$2 && shift ;;
    --format | --keys | --count | --skew | --rng | --seed | --workers) shift ;;
    *) echo "unknown flag $1" >&2 && exit 2 ;;
    esac
    shift
done
[ "$workload" = fill ] || name=waiting
case $name in
waiting) run=1000000000 ;; twice) run=200000000 ;;
liar | python-liar | numpy-liar) [ "$digest" = null ] || digest='"ffffffffffffffff"' ;;
python-slow) run=30000000000 ;; python-medium) run=2000000000 ;;
crasher) printf 'starting\nout of luck\n' >&2 && exit 3 ;;
unoptimised) profile=debug ;;
tired) [ -z "$expect" ] || { echo "too tired" >&2 && exit 1; } ;; # Fails each round's check.
spoiler) [ "$digest" != null ] || (cd "$FAKE_STATE"/../results/local/*/raw && mkdir -p round-02.part) ;; # Is in the way.
waiter) hang ;; # When it is verified.
stuck) # In its second cold run, which is one without a digest.
    [ "$digest" != null ] || echo cold >>"$FAKE_STATE/cold"
    [ "$digest" != null ] || [ "$(wc -l <"$FAKE_STATE/cold")" -ne 2 ] || hang ;;
esac
list=$(yes "$run" | head -n "$runs" | paste -sd , -)
printf '{"strategy": "%s", "profile": "%s", "workers": 2, "start_ns": 60000, "run_ns": [%s], "drop_ns": [%s], %s}\n' \
    "$name" "$profile" "$list" "$list" \
    "\"stop_ns\": 30000, \"output_bytes\": 800000000, \"failed\": [], \"digest\": $digest${FAKE_PYTHON:-}"
