"""What the parts of a cluster cost: CPU time of caller, broker, agent and slots, per key and per byte."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import threading
from pathlib import Path

from hosts import Cluster, report, tied

# How often threads are looked at. What one does after the last look is missing.
EVERY = 0.05

# Runs that tell costs apart: the job, slots, keys, keys with --quick.
RUNS = {
    # One slot: how long a key is on its way.
    "alone": (["--workload", "sum", "--count", "1"], 1, 2_000, 100),
    "tiny": (["--workload", "sum", "--count", "1"], 4, 10_000, 500),
    # Longer than the moment after which an agent tells the caller what it holds.
    "held": (["--workload", "wait", "--count", "8000"], 8, 2_000, 100),
    # An output that is sent with its offer, and one that is asked for in pieces.
    "inline": (["--workload", "fill", "--count", "10000"], 2, 2_000, 100),
    "large": (["--workload", "fill", "--count", "1000000"], 2, 100, 10),
}
PARTS = ("caller", "receivers", "broker", "agent", "slot")


def measure(cluster: Cluster, programs: Path, cpus: list[int], quick: bool) -> dict:
    """For each run, the seconds and the CPU seconds per key: of the caller's busiest thread, of its receivers together,
    of the broker, of the agent's thread that has the connection, and of the rest of the agent with its workers."""
    every = ",".join(map(str, cpus))
    measured = {}
    for name, (job, slots, keys, few) in RUNS.items():
        keys = few if quick else keys
        flags = [*job, "--keys", str(keys), "--format", "json"]
        cluster.tie_broker(every)
        with cluster.agents(slots, [every]) as agents:
            before = threads(cluster.broker.pid)
            command = cluster.command("caller", every, "--workers", str(slots), *flags)
            caller = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
            with watched(cluster.broker.pid, caller.pid, agents[0].pid) as seen:
                out, _ = caller.communicate()
        assert caller.returncode == 0, (name, out)
        run = json.loads(out)["run_ns"][0] / 1e9
        of_caller = [(comm, used) for comm, used in seen[caller.pid].values()]
        receivers = sum(used for comm, used in of_caller if comm.startswith("nats-receiver"))
        caller_thread = max(used for comm, used in of_caller if not comm.startswith("nats-receiver"))
        broker = sum(used for _, used in seen[cluster.broker.pid].values()) - sum(used for _, used in before.values())
        own = seen[agents[0].pid]
        main = own[agents[0].pid][1]
        slot = sum(used for _, used in own.values()) - main
        values = (caller_thread, receivers, broker, main, slot)
        measured[name] = {"run": run / keys, **{part: used / keys for part, used in zip(PARTS, values, strict=True)}}
        # What a key computes is no cost of the cluster.
        plain = report([*tied(str(cpus[0])), str(programs / "sequential"), *flags])["run_ns"][0] / 1e9 / keys
        if name != "held":
            measured[name]["slot"] = max(0.0, measured[name]["slot"] - plain)
        measured[name]["key"] = plain
    return measured


@contextlib.contextmanager
def watched(*pids: int):
    """Looks at processes and those below them, again and again: the name of each thread, and the CPU seconds that it
    had when it was seen last."""
    seen = {pid: {} for pid in pids}
    over = threading.Event()

    def look() -> None:
        while True:
            for pid in pids:
                seen[pid].update(threads(pid))
            if over.wait(EVERY):
                return

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()


def threads(pid: int) -> dict[int, tuple[str, float]]:
    """The threads of a process and of those below it."""
    found = {}
    with contextlib.suppress(OSError):
        for thread in os.listdir(f"/proc/{pid}/task"):
            # A thread may end meanwhile.
            with contextlib.suppress(OSError):
                task = Path(f"/proc/{pid}/task/{thread}")
                used = int((task / "schedstat").read_text().split()[0]) / 1e9
                found[int(thread)] = ((task / "comm").read_text().strip(), used)
                for child in (task / "children").read_text().split():
                    found.update(threads(int(child)))
    return found
