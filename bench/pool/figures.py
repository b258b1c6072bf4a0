#!/usr/bin/env python3
"""Times fanout-pool beside other pools, and prints a table in Markdown.

Each row is timed with each pool in a process of its own, in rounds: in each round a row is timed with one pool after
the other, so that a change of the machine meets all. Directly before each process another one makes the machine ready:
see METHODOLOGY.md. The times of the first round are not counted; in it all processes' memory is counted instead.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import platform
import re
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
PROGRAM = "scripts/pool-figures.sh"
MARKERS = ("<!-- figures -->", "<!-- end figures -->")

# No process takes longer than this.
PATIENCE = 120
# How often memory is looked at.
EVERY = 0.01
# How much memory is made ready, in peaks of the process that is about to run, and at least.
OF_THE_PEAK = 1.25
LEAST = 256_000_000

POOLS = {
    "fanout-pool": "fanout-pool",
    "procspawn": "procspawn",
    "executor": "`ProcessPoolExecutor`",
    "forkserver": "the same, forkserver",
    "loky": "loky",
    "multiprocessing": "`multiprocessing.Pool`",
}
IN_RUST = ("fanout-pool", "procspawn")
# What the start method has no part in is as with the other method.
ONE_METHOD = ("call", "map", "chunks", "out", "in")
# What takes long and little memory is small in the round that is not counted.
LITTLE_MEMORY = ("call", "map", "chunks")

# The name of a row, its size and the size with --quick, what it is called and in what unit.
ROWS = [
    ("call", 10_000, 100, ["an empty call and its answer, µs"], 1e6),
    ("map", 100_000, 1_000, ["10⁵ tiny calls by `map`, s"], 1),
    ("chunks", 100_000, 10_000, ["the same, 1,000 in each call, ms"], 1e3),
    ("out", 8_000_000, 80_000, ["100 calls with 8 MB out, s"], 1),
    ("in", 8_000_000, 80_000, ["100 calls with 8 MB in, s"], 1),
    ("share", 1_000_000_000, 8_000_000, ["1 GB for both workers: until they have read it, s"], 1),
    ("start", 2, 2, ["2 workers, until both have answered, ms"], 1e3),
    ("start", 64, 4, ["64 workers, until all have answered, ms"], 1e3),
    ("death", 0, 0, ["after a death: the next answer, ms", "after a death: both workers answer again, ms"], 1e3),
]
MEMORY = "its memory: all processes, of it the parent, GB"

NOTES = """\
Pools have 2 workers, where a row does not say otherwise. A cell is the median of {rounds} runs, and the least and most
of them; every answer was checked. Memory is what all processes have together, each page counted once, when that is
most, in one run.

- Blocks of 8 MB are `Bytes` with fanout-pool, `Shmem` out and `serde_bytes` in with procspawn, and numpy arrays in
  Python.
- The 1 GB starts as a vector or numpy array of the parent's, which keeps it, and the pool's own start is in the time.
  It is shared as `Shared<[u64]>` with fanout-pool, `IpcSharedMemory` with procspawn, and `initargs` in Python, which
  are copied to each worker unless it is forked.
- procspawn has no `map`: the program keeps 8 calls under way, and 2 where inputs are large, since with more both sides
  wait for each other for ever. Neither of the Rust pools joins calls: the program has 1,000 numbers in each.
- `ProcessPoolExecutor` and loky are broken for ever when a worker dies, with all their calls: what is timed has a new
  executor in it. `multiprocessing.Pool` starts a new worker and never tells what became of the call: who waits for it
  waits for ever, and the next answer is that of the other worker.
- The second column of `ProcessPoolExecutor` is empty where the start method has no part. `forkserver` is the default
  from CPython 3.14 on."""


def main() -> None:
    parser = argparse.ArgumentParser(prog=PROGRAM, description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--rounds", type=int, default=4, help="how many rounds are counted (%(default)s)")
    parser.add_argument("--quick", action="store_true", help="one round of small sizes, to see that all of it works")
    parser.add_argument("--write", type=Path, metavar="README", help=f"put the table between its {MARKERS[0]} markers")
    parser.add_argument("--programs", type=Path, required=True, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.write and any(options.write.read_text().count(marker) != 1 for marker in MARKERS):
        parser.error(f"{options.write} does not have {' and '.join(MARKERS)}, each once")
    rounds = 1 if options.quick else options.rounds
    if rounds < 1:
        parser.error("--rounds: at least 1")
    # A worker that aborts leaves no core.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    text = table(options.programs, rounds, options.quick)
    print(text)
    if options.write:
        before, rest = options.write.read_text().split(MARKERS[0])
        after = rest.split(MARKERS[1])[1]
        options.write.write_text(f"{before}{MARKERS[0]}\n{text}\n{MARKERS[1]}{after}")


def table(programs: Path, rounds: int, quick: bool) -> str:
    """Measures all, and makes the table."""
    runs, peaks = measure(programs, rounds, quick)
    lines = ["| | " + " | ".join(POOLS.values()) + " |", "|---" + "|---:" * len(POOLS) + "|"]
    for index, (row, _, _, names, unit) in enumerate(ROWS):
        for place, name in enumerate(names):
            cells = [
                cell([unit * run[place] for run in runs[index, pool]]) if is_run(pool, row) else "" for pool in POOLS
            ]
            lines.append(f"| {name} | {' | '.join(cells)} |")
        if row == "share":
            shares = [", ".join(digits(share / 1e9) for share in peaks[index, pool]) for pool in POOLS]
            lines.append(f"| {MEMORY} | {' | '.join(shares)} |")
    command = f"{PROGRAM}{' --quick' if quick else ''}"
    made = f"Made by `{command}` on {datetime.now(timezone.utc):%Y-%m-%d} at {commit()}: {machine()}; {versions()}."
    sizes = ["With `--quick` sizes are not those that the rows say.", ""] if quick else []
    return "\n".join([made, "", *lines, "", *sizes, NOTES.format(rounds=rounds)])


def is_run(pool: str, row: str) -> bool:
    return pool != "forkserver" or row not in ONE_METHOD


def measure(
    programs: Path, rounds: int, quick: bool
) -> tuple[dict[tuple[int, str], list[list[float]]], dict[tuple[int, str], tuple[int, int]]]:
    """The figures of each run that counts, and peaks of memory; both by the row's place and the pool."""
    runs: dict[tuple[int, str], list[list[float]]] = {}
    peaks: dict[tuple[int, str], tuple[int, int]] = {}
    start = time.monotonic()
    for round in range(rounds + 1):
        # Each round begins with another pool.
        order = [*POOLS][round % len(POOLS) :] + [*POOLS][: round % len(POOLS)]
        for index, (row, size, small, names, _) in enumerate(ROWS):
            for pool in (pool for pool in order if is_run(pool, row)):
                is_small = quick or (round == 0 and row in LITTLE_MEMORY)
                memory = peaks[index, pool][0] if round else 0
                values, peak = run(programs, pool, row, small if is_small else size, memory, watched=round == 0)
                assert len(values) == len(names), (pool, row, values)
                if peak:
                    peaks[index, pool] = peak
                else:
                    runs.setdefault((index, pool), []).append(values)
        print(f"{PROGRAM}: round {round} of {rounds}, {time.monotonic() - start:.0f} s", file=sys.stderr)
    return runs, peaks


def cell(values: list[float]) -> str:
    """The median, and the least and most."""
    shown = digits(statistics.median(values))
    return f"{shown} ({digits(min(values))}–{digits(max(values))})" if len(values) > 1 else shown


def digits(value: float) -> str:
    """Three digits, or all of them before the point."""
    for least, places in ((100, 0), (10, 1), (1, 2)):
        if value >= least:
            return f"{value:,.{places}f}"
    return f"{value:.3f}"


def run(
    programs: Path, pool: str, row: str, size: int, memory: int, watched: bool
) -> tuple[list[float], tuple[int, int] | None]:
    """Runs one row with one pool: its figures, and its peak of memory if it is watched."""
    subprocess.run([programs / "condition", str(max(int(OF_THE_PEAK * memory), LEAST))], check=True)
    program = [programs / pool] if pool in IN_RUST else [sys.executable, HERE / "pools.py", pool]
    with tempfile.TemporaryDirectory() as folder:
        for pipe in ("here", "go"):
            os.mkfifo(f"{folder}/{pipe}")
        arguments = [*program, row, str(size), folder]
        piped = subprocess.PIPE
        process = subprocess.Popen(arguments, stdout=piped, stderr=piped, text=True, start_new_session=True)
        with watching(process.pid) if watched else contextlib.nullcontext() as peak:
            try:
                out, error = process.communicate(timeout=PATIENCE)
            except BaseException as why:
                # With its workers, which may wait for each other.
                os.killpg(process.pid, signal.SIGKILL)
                if isinstance(why, subprocess.TimeoutExpired):
                    sys.exit(f"{pool}, {row} {size}: no answer after {PATIENCE} s\n{process.communicate()[1]}")
                raise
    if process.returncode != 0:
        sys.exit(f"{pool}, {row} {size}: status {process.returncode}\n{error}")
    return [float(value) for value in out.split()], (peak[0], peak[1]) if peak else None


@contextlib.contextmanager
def watching(parent: int) -> Iterator[list[int]]:
    """Looks at what the process and those that it has started have, again and again: all of it when it is most, and the
    parent's part of that."""
    peak = [0, 0]
    over = threading.Event()

    def watch() -> None:
        while not over.wait(EVERY):
            pids = tree(parent)
            shares = [pss(pid) for pid in pids]
            # A file in memory may be written and not mapped yet, and is then nobody's share.
            shared = memory_files(pids) or sum(mapped for _, mapped in shares)
            whole = sum(share - mapped for share, mapped in shares) + shared
            if whole > peak[0]:
                peak[:] = whole, shares[0][0]

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield peak
    finally:
        over.set()
        thread.join()


def tree(pid: int) -> list[int]:
    """The process and all below it."""
    found = [pid]
    for process in found:
        with contextlib.suppress(OSError):
            for thread in os.listdir(f"/proc/{process}/task"):
                children = Path(f"/proc/{process}/task/{thread}/children").read_text()
                found.extend(int(child) for child in children.split())
    return found


def pss(pid: int) -> tuple[int, int]:
    """What a process has, with its part of what others have too, and what of that is in shared memory; nothing if it is
    gone."""
    with contextlib.suppress(OSError):
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
        sizes = {name: 1024 * int(size) for name, size in re.findall(r"^(Pss\w*): +(\d+) kB", text, re.MULTILINE)}
        return sizes.get("Pss", 0), sizes.get("Pss_Shmem", 0)
    return 0, 0


def memory_files(pids: list[int]) -> int:
    """What the files in memory hold that processes have open."""
    sizes = {}
    for pid in pids:
        with contextlib.suppress(OSError):
            for descriptor in os.scandir(f"/proc/{pid}/fd"):
                with contextlib.suppress(OSError):
                    if os.readlink(descriptor.path).startswith("/memfd:"):
                        file = os.stat(descriptor.path)
                        sizes[file.st_dev, file.st_ino] = 512 * file.st_blocks
    return sum(sizes.values())


def said(*command: str | Path) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT).stdout.strip()


def commit() -> str:
    changed = said("git", "status", "--porcelain", "--", "shared/fanout-pool/src", "bench/pool")
    return f"commit {said('git', 'rev-parse', '--short=10', 'HEAD')}{', changed' if changed else ''}"


def machine() -> str:
    model = re.search(r"^model name\s*: (.*)", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    total = re.search(r"^MemTotal: +(\d+)", Path("/proc/meminfo").read_text(), re.MULTILINE)
    memory = f", {int(total[1]) * 1024 / 2**30:.0f} GiB" if total else ""
    name = model[1].strip() if model else platform.machine()
    return f"{name}, {len(os.sched_getaffinity(0))} CPUs{memory}, Linux {platform.release().split('-')[0]}"


def versions() -> str:
    lock = re.search(r'name = "procspawn"\nversion = "([^"]*)"', (HERE / "rust/Cargo.lock").read_text())
    rustc = said("rustc", "--version").split(" (")[0]
    python = said(sys.executable, HERE / "pools.py", "versions")
    return f"{rustc}, procspawn {lock[1] if lock else '?'}, {python}"


if __name__ == "__main__":
    main()
