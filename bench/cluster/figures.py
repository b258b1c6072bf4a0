#!/usr/bin/env python3
"""Times `nats` on hosts of one machine beside process-pool and threads on the same CPUs.

In each round every row is timed once with every contestant, in shuffled order. Directly before each process another
one makes the machine ready: see METHODOLOGY.md. A process runs two batches, and the second is counted. Its digest is
compared with that of the row's first contestant. The first round is not counted.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import os
import platform
import random
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import costs
import hosts
import simulate

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
PROGRAM = "scripts/cluster-figures.sh"
FIGURES = HERE / "figures.json"
PAGE = ROOT / "docs/cluster.md"
T = TypeVar("T")

HOSTS = (1, 2, 3)
# Keys of about so many ms each, for efficiency, and how long all of them take one CPU, in seconds.
GRAINS = (0.3, 1, 5, 20, 100)
SEQUENTIAL = 0.8
# Keys that sleep for so many ms, on hosts of so many slots: CPUs do not matter for them.
SLEEPS = (20, 100)
SLEEPERS = 4
# What is made ready for a process, at least, and for one that holds 800 MB.
LEAST, LARGE = 256_000_000, 1_000_000_000


@dataclass
class Row:
    """A job, and who runs it."""

    name: str
    job: list[str]
    keys: int
    # What takes flags and gives a report.
    contestants: dict[str, Callable[[list[str]], dict]]
    memory: int = LEAST


def main() -> None:
    parser = argparse.ArgumentParser(prog=PROGRAM, description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--rounds", type=int, default=5, help="how many rounds are counted, at most (%(default)s)")
    parser.add_argument("--minutes", type=float, default=6, help="when no other round is begun (%(default)s)")
    parser.add_argument("--quick", action="store_true", help="one round of few keys, to see that all of it works")
    parser.add_argument("--write", action="store_true", help="keep the figures, and fill docs/cluster.md")
    parser.add_argument("--render", action="store_true", help="measure nothing: make the tables of the figures kept")
    parser.add_argument("--programs", type=Path, help="where the programs are, if not to be built")
    parser.add_argument("--figures", type=Path, default=FIGURES, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.render:
        data = json.loads(options.figures.read_text())
    else:
        rounds = 1 if options.quick else options.rounds
        data = measure(options.programs.resolve(), rounds, options.minutes, options.quick)
        if options.write or options.figures != FIGURES:
            options.figures.write_text(json.dumps(data, indent=1) + "\n")
    parts = {"figures": table(data), "scale": simulate.text(data)}
    for name, text in parts.items():
        print(text, end="\n\n")
        if options.write:
            splice(PAGE, f"<!-- cluster {name} -->", f"<!-- end cluster {name} -->", text)


def splice(page: Path, begin: str, end: str, text: str) -> None:
    before, rest = page.read_text().split(begin)
    _, after = rest.split(end)
    page.write_text(f"{before}{begin}\n\n{text}\n\n{end}{after}")


def rows(cluster: hosts.Cluster, programs: Path, cpus: list[int], quick: bool) -> list[Row]:
    """Everything that is timed."""

    def alone(strategy: str, workers: int, on: list[int]) -> Callable[[list[str]], dict]:
        command = [*hosts.tied(joined(on)), str(programs / strategy), "--workers", str(workers)]
        return lambda flags: hosts.report([*command, *flags])

    def on_hosts(slots: int, own: list[list[int]], caller: list[int]) -> Callable[[list[str]], dict]:
        return lambda flags: cluster.run(slots, [joined(each) for each in own], flags, joined(caller))

    few = 10 if quick else 1
    shared = {
        "process-pool": alone("process-pool", len(cpus), cpus),
        "std-counter": alone("std-counter", len(cpus), cpus),
        **{f"nats {count}": on_hosts(max(1, len(cpus) // count), [cpus] * count, cpus) for count in HOSTS},
    }
    made = [
        Row("tiny", ["--workload", "sum", "--count", "1"], 5_000 // few, shared),
        Row("80 kB", ["--workload", "fill", "--count", "10000"], 1_000 // few, shared),
        Row("8 MB", ["--workload", "fill", "--count", "1000000"], 100 // few, shared, LARGE),
    ]
    # How long a value takes one CPU.
    calibration = ["--workload", "sum", "--keys", "20", "--count", "10000000", "--format", "json"]
    value = alone("sequential", 1, cpus[:1])(calibration)["run_ns"][0] / 2e8
    for grain in GRAINS:
        # A multiple of one, two and three hosts.
        keys = max(6, round(SEQUENTIAL / few / grain * 1e3 / 6) * 6)
        contestants = {"sequential": alone("sequential", 1, cpus[:1])}
        for count in (count for count in HOSTS if count <= len(cpus)):
            # A host is a CPU. Caller and broker share these CPUs.
            own = cpus[:count]
            contestants[f"nats {count}"] = on_hosts(1, [[cpu] for cpu in own], own)
            contestants[f"process-pool {count}"] = alone("process-pool", count, own)
        count = str(round(grain * 1e6 / value))
        made.append(Row(f"grain {grain}", ["--workload", "sum", "--count", count], keys, contestants))
    for sleep in SLEEPS:
        keys = 12 * max(1, round(3_000 / sleep / few / 12))
        sleepers = {f"nats {count}": on_hosts(SLEEPERS, [cpus] * count, cpus) for count in HOSTS}
        sleepers |= {f"process-pool {count}": alone("process-pool", SLEEPERS * count, cpus) for count in HOSTS}
        made.append(Row(f"sleep {sleep}", ["--workload", "wait", "--count", str(1_000 * sleep)], keys, sleepers))
    return made


def measure(programs: Path, rounds: int, minutes: float, quick: bool) -> dict:
    """The seconds of every run that counts, by row and contestant, and what the parts of a cluster cost."""
    cpus = sorted(os.sched_getaffinity(0))
    seed = random.randrange(1 << 32)
    order = random.Random(seed)

    def mixed(some: Iterable[T]) -> list[T]:
        some = list(some)
        return order.sample(some, len(some))

    start = time.monotonic()
    with hosts.cluster(programs / "nats", max(HOSTS)) as cluster:
        isolated = bool(cluster.prefixes["broker"])
        cost = costs.measure(cluster, programs, cpus, quick)
        made = rows(cluster, programs, cpus, quick)
        samples = {row.name: {name: [] for name in row.contestants} for row in made}
        took = 0.0
        for round_ in range(rounds + 1):
            begun = time.monotonic()
            # The first round costs as much as another, and is not counted.
            if round_ > 1 and begun + took > start + 60 * minutes:
                break
            # Contestants of a row follow each other, since they are compared.
            everything = [(row, name) for row in mixed(made) for name in mixed(row.contestants)]
            digests = {}
            for row, name in everything:
                subprocess.run([sys.executable, HERE / "condition.py", str(LEAST if quick else row.memory)], check=True)
                flags = [*row.job, "--keys", str(row.keys), "--repeat", "2", "--digest", "--format", "json"]
                report = row.contestants[name](flags)
                if digests.setdefault(row.name, report["digest"]) != report["digest"]:
                    sys.exit(f"{row.name}, {name}: another digest")
                if round_ or quick:
                    samples[row.name][name].append(report["run_ns"][1] / 1e9)
            took = time.monotonic() - begun
            print(f"{PROGRAM}: round {round_} of {rounds}, {time.monotonic() - start:.0f} s", file=sys.stderr)
            if quick:
                break
    command = f"{PROGRAM}{' --quick' if quick else ''}"
    made_by = f"`{command}` on {datetime.now(UTC):%Y-%m-%d} at {commit()}: {machine()}; {version()}"
    return {
        "made": made_by,
        "quick": quick,
        "isolated": isolated,
        "cpus": len(cpus),
        "seed": seed,
        "rows": {row.name: {"job": row.job, "keys": row.keys, "seconds": samples[row.name]} for row in made},
        "costs": cost,
    }


def table(data: dict) -> str:
    """The tables of what was measured."""
    where = "network and UTS namespaces on a bridge" if data["isolated"] else "this machine, on loopback"
    cpus = data["cpus"]
    lines = [
        f"Made by {data['made']}.",
        "",
        *(["With `--quick` the figures say nothing but that all of it works.", ""] if data["quick"] else []),
        f"Hosts are {where}. A cell is the median of {len(data['rows']['tiny']['seconds']['nats 1'])} warm batches, "
        "with the least and most of them. A ratio is the median of the ratios within rounds.",
        "",
        f"All on the same {cpus} CPUs, which caller and broker share with {slots_of(cpus)}:",
        "",
        *heading("a key", "`std-counter`", "`process-pool`", *of_hosts(HOSTS), "1 host ÷ `process-pool`"),
    ]
    names = ["std-counter", "process-pool", *(f"nats {count}" for count in HOSTS)]
    for name, shown in (("tiny", "tiny, µs"), ("80 kB", "80 kB out, µs"), ("8 MB", "8 MB out, µs")):
        row = data["rows"][name]
        cells = [cell([1e6 * each / row["keys"] for each in row["seconds"][contestant]]) for contestant in names]
        lines.append(f"| {shown} | {' | '.join(cells)} | {cell(ratios(row, 'nats 1', 'process-pool'))} |")
    counts = [count for count in HOSTS if count <= cpus]
    lines += [
        "",
        "Efficiency of `sum`: the time of `sequential` on one CPU, divided by hosts and by the run. A host is one CPU "
        "with one slot; caller and broker share the hosts' CPUs, so this is less than hosts of their own would have. "
        "Beside it `process-pool` with a worker per CPU, on the same CPUs:",
        "",
        *heading("a key takes", *of_hosts(counts), *(f"`process-pool`, {many(count, 'CPU')}" for count in counts)),
    ]
    for grain in GRAINS:
        row = data["rows"][f"grain {grain}"]
        time_of_key = statistics.median(row["seconds"]["sequential"]) / row["keys"]
        names = [(f"{who} {count}", count) for who in ("nats", "process-pool") for count in counts]
        cells = [percent(efficiencies(row, name, count)) for name, count in names]
        lines.append(f"| {digits(1e3 * time_of_key)} ms | {' | '.join(cells)} |")
    lines += ["", pays(data, max(counts))]
    lines += [
        "",
        f"Keys that sleep, on hosts of {SLEEPERS} slots each, so that CPUs do not matter. Efficiency is keys × time, "
        "divided by slots and by the run:",
        "",
        *heading(
            "a key sleeps",
            *of_hosts(HOSTS),
            "3 hosts, times as fast as 2",
            f"`process-pool`, {max(HOSTS) * SLEEPERS} workers",
        ),
    ]
    for sleep in SLEEPS:
        row = data["rows"][f"sleep {sleep}"]
        ideal = row["keys"] * sleep / 1e3 / SLEEPERS
        names = [(f"{who} {count}", count) for who in ("nats", "process-pool") for count in HOSTS]
        shares = {name: percent([ideal / count / run for run in row["seconds"][name]]) for name, count in names}
        cells = [shares[f"nats {count}"] for count in HOSTS]
        cells += [cell(ratios(row, "nats 2", "nats 3")), shares[f"process-pool {max(HOSTS)}"]]
        lines.append(f"| {sleep} ms | {' | '.join(cells)} |")
    return "\n".join(lines)


def pays(data: dict, count: int) -> str:
    """From which keys on so many hosts are faster than one CPU without a cluster, and use four fifths of themselves."""
    points = []
    for grain in GRAINS:
        row = data["rows"][f"grain {grain}"]
        seconds = statistics.median(row["seconds"]["sequential"]) / row["keys"]
        points.append((seconds, statistics.median(efficiencies(row, f"nats {count}", count))))

    def least(efficiency: float) -> str:
        """Between the last point below and the first above, on a logarithmic scale."""
        for (short, low), (long, high) in itertools.pairwise(points):
            if low < efficiency <= high:
                place = (efficiency - low) / (high - low)
                return f"{digits(1e3 * math.exp(math.log(short) + place * (math.log(long) - math.log(short))))} ms"
        shortest, longest = (f"{digits(1e3 * points[place][0])} ms" for place in (0, -1))
        return f"less than {shortest}" if points[0][1] >= efficiency else f"more than {longest}"

    tiny = data["rows"]["tiny"]
    overhead = statistics.median(tiny["seconds"][f"nats {count}"]) / tiny["keys"]
    # With one CPU there is one host, and nothing that it could be faster than.
    faster = f"{count} hosts are faster than one CPU without a cluster from keys of {least(1 / count)} on. "
    used = f"Four fifths of the CPUs' time goes to keys from {least(0.8)} on."
    return f"A tiny key costs {digits(1e6 * overhead)} µs. {faster if count > 1 else ''}{used}"


def heading(first: str, *others: str) -> list[str]:
    return [f"| {first} | {' | '.join(others)} |", "|---|" + "---:|" * len(others)]


def of_hosts(counts: Iterable[int]) -> list[str]:
    return [f"`nats`, {many(count, 'host')}" for count in counts]


def efficiencies(row: dict, name: str, hosts_: int) -> list[float]:
    return [ratio / hosts_ for ratio in ratios(row, "sequential", name)]


def ratios(row: dict, above: str, below: str) -> list[float]:
    return [one / other for one, other in zip(row["seconds"][above], row["seconds"][below], strict=True)]


def slots_of(cpus: int) -> str:
    return ", ".join(f"{many(count, 'host')} of {many(max(1, cpus // count), 'slot')}" for count in HOSTS)


def cell(values: list[float]) -> str:
    """The median, and the least and most."""
    shown = digits(statistics.median(values))
    return f"{shown} ({digits(min(values))}–{digits(max(values))})" if len(values) > 1 else shown


def percent(shares: list[float]) -> str:
    least, most = (f"{100 * share:.0f}" for share in (min(shares), max(shares)))
    return f"{100 * statistics.median(shares):.0f} %" + (f" ({least}–{most})" if len(shares) > 1 else "")


def digits(value: float) -> str:
    """Three digits, or all of them before the point."""
    places = next((places for least, places in ((100, 0), (10, 1), (1, 2)) if value >= least), 3)
    return f"{value:,.{places}f}"


def many(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def joined(cpus: list[int]) -> str:
    return ",".join(map(str, cpus))


def said(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT).stdout.strip()


def commit() -> str:
    changed = said("git", "status", "--porcelain", "--", "impls", "shared", "bench/cluster/*.py")
    return f"commit {said('git', 'rev-parse', '--short=10', 'HEAD')}{', changed' if changed else ''}"


def machine() -> str:
    model = re.search(r"^model name\s*: (.*)", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    name = model[1].strip() if model else platform.machine()
    return f"{name}, {many(len(os.sched_getaffinity(0)), 'CPU')}, Linux {platform.release().split('-')[0]}"


def version() -> str:
    return said("nats-server", "--version").replace(": v", " ")


if __name__ == "__main__":
    main()
