#!/usr/bin/env bash
# Fetches what tests need besides cargo, where that can be done: the broker of impls/nats, and for bench/tests/browser a browser
# with its driver, and axe-core. What is still missing then, scripts/test.sh and the browser's test say.
set -euo pipefail
cd "$(dirname "$0")/.."

# The test reads the version here.
axe='axe-core@4.14.1'
sum=29348999450cdf2849a8e70b7912fc2da85a849da39c0d0d5394f51d4a9ed95c
tools=$PWD/target/tools
mkdir -p "$tools/tmp"

# Once: a machine without a network need not wait for it every time.
if ! { command -v chromium && command -v chromedriver && command -v nats-server; } >/dev/null && [ "$(id -u)" = 0 ] &&
    command -v apt-get >/dev/null && [ ! -e "$tools/apt-get-was-asked" ]; then
    touch "$tools/apt-get-was-asked"
    apt-get update >/dev/null 2>&1 </dev/null || true
    # Apart: one that cannot be had keeps none from the others.
    for packages in 'chromium chromium-driver fonts-dejavu-core' nats-server faketime; do
        # shellcheck disable=SC2086 # they are words
        apt-get install -y --no-install-recommends $packages >/dev/null 2>&1 </dev/null || true
    done
fi
if [ ! -e "$tools/$axe/axe.min.js" ] && command -v npm >/dev/null; then
    rm -rf "$tools/tmp/axe" && mkdir "$tools/tmp/axe"
    if (cd "$tools/tmp/axe" && npm pack --silent "$axe" && tar -xzf ./*.tgz) >/dev/null 2>&1 &&
        echo "$sum  $tools/tmp/axe/package/axe.min.js" | sha256sum --check --quiet; then
        mkdir -p "$tools/$axe" && mv "$tools/tmp/axe/package/axe.min.js" "$tools/$axe/"
    fi
fi
