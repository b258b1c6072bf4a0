#!/bin/sh
# Starts a broker: nats-server with the token of a file, which arguments and the configuration do not show.
#
#   deploy/broker.sh token -c deploy/nats-server.conf
#
# Without a token nats-server would serve everybody, so one is asked for here. It begins with a letter, since nats-server takes
# 1e5… and 123 for numbers.
set -eu
FANOUT_TOKEN=$(cat "$1")
shift
case $FANOUT_TOKEN in
    [A-Za-z]*) ;;
    *) echo "broker.sh: a token begins with a letter; this makes one: echo t\$(openssl rand -hex 32)" >&2; exit 1 ;;
esac
if [ ${#FANOUT_TOKEN} -lt 16 ]; then echo "broker.sh: the token is shorter than 16 characters" >&2; exit 1; fi
export FANOUT_TOKEN
# Large outputs leave nats-server with much to collect: at Go's default of 100 they take a quarter longer.
export GOGC="${GOGC:-400}"
exec nats-server "$@"
