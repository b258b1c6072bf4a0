"""A cluster on one machine: a broker, and hosts for agents and callers.

A host is a network namespace and a host name. All are joined by a bridge in a namespace of its own, from which no way
leads out. No namespace has a name, so each is gone with its last process, and every process ends with this one. Only
root may make namespaces: without them all hosts are this machine, on loopback.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

# No program takes longer than this, in seconds.
PATIENCE = 120


@dataclass
class Cluster:
    """A broker that runs, and the hosts that reach it."""

    program: Path
    # What starts a program on a host.
    prefixes: dict[str, list[str]]
    folder: Path
    url: str
    broker: subprocess.Popen

    def command(self, host: str, cpus: str, *arguments: str) -> list[str]:
        given = ["--cluster", self.url, "--token-file", str(self.folder / "token")]
        return [*self.prefixes[host], *tied(cpus), str(self.program), *given, *arguments]

    @contextlib.contextmanager
    def agents(self, slots: int, cpus: list[str]) -> Iterator[list[subprocess.Popen]]:
        """An agent for each of these sets of CPUs. They end with the caller that they serve."""
        agents = []
        try:
            for number, own in enumerate(cpus, 1):
                command = self.command(f"host{number}", own, "--agent", "--workers", str(slots))
                agents.append(subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True))
            for agent in agents:
                said = agent.stderr.readline()
                if "waits for a caller" not in said:
                    sys.exit(f"an agent did not start: {said}{agent.communicate(timeout=PATIENCE)[1]}")
            yield agents
            for agent in agents:
                agent.communicate(timeout=PATIENCE)
        finally:
            for agent in agents:
                agent.kill()

    def run(self, slots: int, cpus: list[str], flags: list[str], everywhere: str) -> dict:
        """The report of a caller on agents that are there for it alone. Broker and caller use the CPUs `everywhere`."""
        self.tie_broker(everywhere)
        with self.agents(slots, cpus):
            return report(self.command("caller", everywhere, "--workers", str(slots * len(cpus)), *flags))

    def tie_broker(self, cpus: str) -> None:
        """With all its threads."""
        subprocess.run(["taskset", "-a", "-c", "-p", cpus, str(self.broker.pid)], check=True, capture_output=True)


def tied(cpus: str) -> list[str]:
    """What ends a program with this one, and keeps it to some CPUs."""
    return ["setpriv", "--pdeathsig", "KILL", "taskset", "-c", cpus]


def report(command: list[str]) -> dict:
    """What a program reports in JSON. Status 0 says that every key came back whole."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
    except subprocess.TimeoutExpired as why:
        sys.exit(f"{' '.join(command)}: no answer after {PATIENCE} s\n{(why.stderr or b'').decode()}")
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)}: status {done.returncode}\n{done.stderr}")
    return json.loads(done.stdout)


@contextlib.contextmanager
def cluster(program: Path, hosts: int) -> Iterator[Cluster]:
    """A broker and so many hosts for agents, as docs/cluster.md starts them by hand."""
    with contextlib.ExitStack() as stack:
        names = ["broker", "caller", *(f"host{number}" for number in range(1, hosts + 1))]
        try:
            prefixes, address, port = isolated(stack, names), "10.77.0.1", 4222
        except (OSError, subprocess.CalledProcessError) as why:
            said = f"{why} {getattr(why, 'stderr', None) or ''}".strip()
            print(f"cluster-figures: all hosts are this machine, on loopback: no namespaces: {said}", file=sys.stderr)
            prefixes, address, port = {name: [] for name in names}, "127.0.0.1", free_port()
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        (folder / "token").touch(mode=0o600)
        (folder / "token").write_text(f"t{secrets.token_hex(32)}")
        server = [ROOT / "deploy/broker.sh", folder / "token", "-c", ROOT / "deploy/nats-server.conf"]
        server += ["--addr", address, "--port", str(port), "--store_dir", folder / "store"]
        every = ",".join(map(str, sorted(os.sched_getaffinity(0))))
        log = stack.enter_context(open(folder / "broker", "w+"))
        command = [*prefixes["broker"], *tied(every), *map(str, server)]
        broker = stack.enter_context(ending(subprocess.Popen(command, stdout=log, stderr=log)))
        until = time.monotonic() + 10
        while "Server is ready" not in (said := (folder / "broker").read_text()):
            if broker.poll() is not None or time.monotonic() > until:
                sys.exit(f"nats-server did not start:\n{said}")
            time.sleep(0.02)
        yield Cluster(program, prefixes, folder, f"nats://{address}:{port}", broker)


def isolated(stack: contextlib.ExitStack, names: list[str]) -> dict[str, list[str]]:
    """Makes the namespaces. What starts a program in each."""
    if os.geteuid() != 0:
        raise PermissionError("not root")
    keepers = {}
    for name in ["switch", *names]:
        # It keeps its namespaces until the pipe to it is closed, which is when this process is gone.
        keep = ["unshare", "--net", "--uts", "sh", "-c", 'hostname "$0" && echo && exec cat', name]
        pipe = subprocess.PIPE
        keeper = subprocess.Popen(keep, stdin=pipe, stdout=pipe, stderr=pipe, text=True)
        stack.enter_context(ending(keeper))
        if keeper.stdout.readline() != "\n":
            raise OSError(keeper.communicate()[1].strip())
        keepers[name] = keeper.pid
    prefix = {name: ["nsenter", "--target", str(pid), "--net", "--uts"] for name, pid in keepers.items()}

    def ip(name: str, arguments: str) -> None:
        subprocess.run([*prefix[name], "ip", *arguments.split()], check=True, capture_output=True, text=True)

    ip("switch", "link add bridge type bridge")
    ip("switch", "link set bridge up")
    for number, name in enumerate(names, 1):
        ip("switch", f"link add port{number} type veth peer name eth0 netns {keepers[name]}")
        ip("switch", f"link set port{number} master bridge up")
        ip(name, f"address add 10.77.0.{number}/24 dev eth0")
        ip(name, "link set eth0 up")
        ip(name, "link set lo up")
    return {name: prefix[name] for name in names}


@contextlib.contextmanager
def ending(process: subprocess.Popen) -> Iterator[subprocess.Popen]:
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]
