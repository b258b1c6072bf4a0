#!/bin/sh
# A Python that makes an environment of links to itself, installs nothing, and runs every program of the notebook as the
# strategy that computes nothing. What pip was called with is appended to $FAKE_STATE/pip.
set -eu
self=$(readlink -f "$0")
case $1 in
-VV) echo "Python 3.99.0 (fake)" ;;
-m)
    case $2 in
    venv) [ "${FAKE_VENV-}" != broken ] || { echo "No module named venv" >&2 && exit 1; }
        mkdir -p "$4/bin" && ln -sf "$self" "$4/bin/python" ;;
    pip) echo "$*" >>"$FAKE_STATE/pip" && [ "${FAKE_PIP-}" != broken ] ;;
    esac ;;
*)
    FAKE_NAME=$(basename "$1" .py)
    # shellcheck disable=SC2089 # It is JSON, and is meant to keep its quotes.
    FAKE_PYTHON=', "bits": "same", "python": {"version": "3.99.0", "implementation": "CPython", "gil": true,
        "start_method": "fork", "packages": {"numpy": "9.9.9"}}'
    # shellcheck disable=SC2090 # Likewise.
    export FAKE_NAME FAKE_PYTHON
    shift
    exec "$(dirname "$self")/strategy.sh" "$@" ;;
esac
