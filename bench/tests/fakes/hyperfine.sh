#!/bin/sh
# A hyperfine that takes only the flags which mean the same in 1.20 and 2.0, runs the command once and exports a time which
# follows from the name of the row: some times come one after the other, and some exports are wrong from the third on.
set -eu
if [ "${1-}" = --version ]; then echo "hyperfine 1.20.0" && exit; fi
while [ $# -gt 1 ]; do
    case $1 in
    -N | --ignore-failure) ;;
    -w) [ "$2" = 0 ] && shift ;;
    -r) [ "$2" = 1 ] && shift ;;
    -n) name=$2 && shift ;;
    --export-json) export=$2 && shift ;;
    *) echo "unknown flag $1" >&2 && exit 2 ;;
    esac
    shift
done
code=0 times=0
eval "$1" >/dev/null 2>&1 || code=$?
case $name in noisy | faulty | garbled) echo >>"$FAKE_STATE/$name" && times=$(wc -l <"$FAKE_STATE/$name") ;; esac
case $name in
twice) wall=0.25 ;;
machine-limit) wall=0.2 ;;
machine-limit.one) wall=0.3 ;;
noisy) wall=$((1 + times % 5)) ;;
python-* | numpy-*) wall=20 ;;
*.mt19937) wall=1 ;;
*.mimalloc) wall=0.125 ;;
*) wall=0.5 ;;
esac
[ "$name" != faulty ] || [ "$times" -lt 3 ] || code=1
[ "$name" != garbled ] || [ "$times" -lt 3 ] || { echo '{"results"' >"$export" && exit; }
cat >"$export" <<JSON
{"results": [{"command": "$name", "mean": $wall, "stddev": null, "median": $wall, "user": 0.4, "system": 0.1,
  "min": $wall, "max": $wall, "times": [$wall], "memory_usage_byte": [1], "exit_codes": [$code]}]}
JSON
