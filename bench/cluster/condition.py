"""Writes once to so many bytes and keeps every CPU busy for a moment, so that the next process finds memory that the
machine's host has given, and CPUs that are awake. METHODOLOGY.md says why."""

import os
import sys
import time

AWAKE = 0.1

written = b"\1" * int(sys.argv[1])
del written
for _ in os.sched_getaffinity(0):
    if os.fork() == 0:
        until = time.monotonic() + AWAKE
        while time.monotonic() < until:
            pass
        os._exit(0)
while True:
    try:
        os.wait()
    except ChildProcessError:
        break
