"""Simulates 100 and 1,000 hosts, event by event, and holds the bounds of model.py against it."""

from __future__ import annotations

import random
import statistics
from collections.abc import Generator

import model
from model import Cluster

try:
    import simpy
except ImportError:
    simpy = None

HOSTS = (100, 1_000)
SLOTS = 16
GIGABITS = (1, 10, 25)
# Seconds of a key, and bytes of its output.
KEYS = ((0.01, 8), (0.1, 8), (0.1, 80_000), (1, 8), (1, 80_000), (1, 8_000_000), (10, 80_000), (10, 8_000_000))
# By how much bounds and simulation may differ.
AGREES = 0.15
# How many keys are simulated, at least: with fewer the start and the end of one decide.
LEAST = 600
# What a broker keeps for one slow client, as deploy/nats-server.conf says.
MAX_PENDING = 256 << 20


class Part:
    """What does one thing at a time, in the order in which it is asked."""

    def __init__(self, env: simpy.Environment, cpus: simpy.Resource | None):
        self.env, self.cpus, self.free = env, cpus, 0.0
        self.turn = simpy.Resource(env) if cpus else None

    def use(self, seconds: float) -> Generator:
        if self.cpus is None:
            self.free = max(self.env.now, self.free) + seconds
            yield self.env.timeout(self.free - self.env.now)
            return
        with self.turn.request() as turn:
            yield turn
            yield from on_a_cpu(self.env, self.cpus, seconds)


def on_a_cpu(env: simpy.Environment, cpus: simpy.Resource, seconds: float) -> Generator:
    """Others come in between, each millisecond."""
    while seconds > 0:
        with cpus.request() as cpu:
            yield cpu
            yield env.timeout(min(seconds, 1e-3))
        seconds -= 1e-3


def simulated(cluster: Cluster, seconds: float, size: int, keys: int) -> list[float]:
    """When each of so many keys was done."""
    env, chance = simpy.Environment(), random.Random(1)
    cpus = simpy.Resource(env, cluster.cpus) if cluster.cpus else None
    caller, broker = Part(env, cpus), Part(env, cpus)
    agents = [Part(env, cpus) for _ in range(cluster.hosts)]
    # No CPU is needed for a byte on its way.
    to_broker = [Part(env, None) for _ in range(cluster.hosts)]
    into_broker, out_of_broker, into_caller = Part(env, None), Part(env, None), Part(env, None)
    receivers = simpy.Resource(env, model.RECEIVERS)
    cost = {part: cluster.cost(part, seconds, size) for part in model.PARTS}
    large = size > model.INLINE
    # What the key costs apart from its bytes, if they come in pieces.
    plain = {part: cluster.cost(part, seconds, 0) for part in model.PARTS} if large else cost
    left, done, finished = [keys], [], env.event()

    def work(duration: float) -> Generator:
        if cpus and not cluster.sleeps:
            yield from on_a_cpu(env, cpus, duration)
        else:
            yield env.timeout(duration)

    def passes(host: int, size: int, byte: dict[str, float]) -> Generator:
        """Bytes from an agent to the caller."""
        yield from agents[host].use(byte["agent"])
        for link in (to_broker[host], into_broker):
            yield from link.use(size / cluster.bandwidth)
        yield from broker.use(byte["broker"])
        for link in (out_of_broker, into_caller):
            yield from link.use(size / cluster.bandwidth)
        yield from caller.use(byte["caller"])

    def lane(host: int, pieces: int) -> Generator:
        size_of_piece = size / cluster.pieces(size)
        byte = {part: cluster.costs[part].large * size_of_piece for part in model.PARTS}
        for _ in range(pieces):
            yield env.timeout(model.WAYS_OF_A_PIECE * cluster.latency)
            yield from passes(host, size_of_piece, byte)

    def receive(host: int) -> Generator:
        with receivers.request() as receiver:
            yield receiver
            if large:
                pieces = cluster.pieces(size)
                first = -(-pieces // model.WINDOW)
                yield env.all_of([env.process(lane(host, part)) for part in (first, pieces - first) if part])
            yield from work_of_receiver()

    def work_of_receiver() -> Generator:
        if cpus:
            yield from on_a_cpu(env, cpus, cost["receivers"])
        else:
            yield env.timeout(cost["receivers"])

    def slot(host: int) -> Generator:
        while left[0] > 0:
            left[0] -= 1
            # The request, and the key.
            yield env.timeout(2 * cluster.latency)
            yield from broker.use(plain["broker"] / 2)
            # No two keys are alike.
            yield from work(seconds * chance.uniform(0.9, 1.1))
            yield from (work(cost["slot"]) if not cluster.sleeps else on_a_cpu(env, cpus, cost["slot"]))
            # The offer, with its output if that is small, and the answer.
            yield env.timeout(4 * cluster.latency)
            offer = {**plain, "broker": plain["broker"] / 2}
            yield from passes(host, 0 if large else size, offer)
            yield from receive(host)
            done.append(env.now)
            if len(done) == keys:
                finished.succeed()

    def beat(host: int) -> Generator:
        yield env.timeout(chance.uniform(0, model.BEAT))
        while True:
            yield from broker.use(cluster.costs["broker"].key / model.MESSAGES)
            yield env.timeout(model.BEAT)

    for host in range(cluster.hosts):
        env.process(beat(host))
        for _ in range(cluster.slots):
            env.process(slot(host))
    env.run(finished)
    return done


def steady(cluster: Cluster, seconds: float, size: int) -> float:
    """Keys per second, once every slot has had one."""
    first = max(cluster.hosts * cluster.slots, LEAST // 3)
    done = simulated(cluster, seconds, size, 3 * first)
    return 2 * first / (done[-1] - done[first - 1])


def text(data: dict) -> str:
    """What docs/cluster.md shows of 100 and 1,000 hosts."""
    lines = [
        f"The costs are those measured by {data['made']}:",
        "",
        "| CPU time | a key | a key of more than 5 ms | 80 kB more | 8 MB more |",
        "|---|---:|---:|---:|---:|",
    ]
    names = {
        "caller": "caller, its busiest thread",
        "receivers": "caller, all its receivers",
        "broker": "broker",
        "agent": "agent, the thread with the connection",
        "slot": "agent, the rest and a worker",
    }
    for part, cost in model.costs(data["costs"]).items():
        cells = [cost.key, cost.key + cost.held, 80_000 * cost.inline, 8_000_000 * cost.large]
        lines.append(f"| {names[part]} | {' | '.join(f'{1e6 * each:,.0f} µs' for each in cells)} |")
    lines += [
        "",
        f"Keys per second on hosts of {SLOTS} slots each, 50 µs away from the broker, and what holds them there:",
        "",
        "| a key | its output |"
        + "".join(f" {hosts:,} hosts, {gigabits} Gbit/s |" for hosts in HOSTS for gigabits in GIGABITS),
        "|---|---:|" + "---:|" * (len(HOSTS) * len(GIGABITS)),
    ]
    for seconds, size in KEYS:
        cells = []
        for hosts in HOSTS:
            for gigabits in GIGABITS:
                rate, bound = model.far(data, hosts, SLOTS, gigabits).rate(seconds, size)
                cells.append(f"{shown(rate)}, {bound}")
        lines.append(f"| {seconds:g} s | {bytes_(size)} | {' | '.join(cells)} |")
    lines += ["", *limits(data), "", *checked(data)]
    return "\n".join(lines)


def limits(data: dict) -> list[str]:
    """What grows with hosts and slots, whatever the keys are."""
    found = model.costs(data["costs"])
    message = found["broker"].key / model.MESSAGES
    of_caller = found["caller"].key / 4
    lines = ["| what grows | 100 hosts | 1,000 hosts | its limit |", "|---|---:|---:|---|"]
    slots = [hosts * SLOTS for hosts in HOSTS]
    grow = [
        ("requests for keys that wait", [f"{each:,}" for each in slots], f"{1 << 20:,}, `max_waiting` of the consumer"),
        (
            "agents that say they are there, a second",
            [f"{each / model.BEAT:,.0f}" for each in HOSTS],
            f"{1 / max(message, of_caller):,.0f} messages of a broker or caller that does nothing else",
        ),
        (
            "keys in work that agents tell of, a second",
            [f"{each / model.PROGRESS:,.0f}" for each in slots],
            f"{1 / message:,.0f}, as above; only for keys of more than 3.3 s",
        ),
        (
            "outputs of up to 128 kB that come at once",
            [f"{each * model.INLINE / 1e6:,.0f} MB" for each in slots],
            f"{MAX_PENDING / 1e6:,.0f} MB, `max_pending` of the broker, and the caller's memory",
        ),
        (
            "advisories and second tries, if a host is lost",
            [f"{SLOTS}"] * 2,
            "one for each of its slots, whatever the number of hosts",
        ),
    ]
    return lines + [f"| {name} | {' | '.join(cells)} | {limit} |" for name, cells, limit in grow]


def checked(data: dict) -> list[str]:
    """Bounds beside the simulation, and both beside what was measured."""
    if simpy is None:
        return ["Without simpy nothing was simulated."]
    differences = []
    for hosts in HOSTS:
        for seconds, size in KEYS:
            # A thousand hosts take a minute for all links, and tell no more of them.
            for gigabits in GIGABITS if hosts == HOSTS[0] else (10,):
                cluster = model.far(data, hosts, SLOTS, gigabits)
                rate, bound = cluster.rate(seconds, size)
                what = f"{seconds:g} s, {bytes_(size)}, {bound}"
                differences.append((steady(cluster, seconds, size) / rate - 1, what))
    worst = max(differences, key=lambda difference: abs(difference[0]))
    middle = statistics.median(abs(difference) for difference, _ in differences)
    agree = "agree" if abs(worst[0]) <= AGREES else "do not agree"
    lines = [
        f"Bounds and simulation {agree} within {100 * AGREES:.0f} %: over {len(differences)} points the median "
        f"difference is {100 * middle:.0f} %, and the largest {100 * worst[0]:+.0f} % ({worst[1]}).",
        "",
        "The same for the hosts that were measured, which share their CPUs with caller and broker:",
        "",
        "| job | hosts × slots | measured, keys/s | bounds | simulation |",
        "|---|---:|---:|---:|---:|",
    ]
    for name, cluster, seconds, size, keys, measured in here(data):
        rate, bound = cluster.rate(seconds, size)
        played = keys / simulated(cluster, seconds, size, keys)[-1]
        beside = [f"{shown(each)} ({each / measured:.2f}×)" for each in (rate, played)]
        cells = [shown(measured), f"{beside[0]}, {bound}", beside[1]]
        lines.append(f"| {name} | {cluster.hosts} × {cluster.slots} | {' | '.join(cells)} |")
    return lines


def here(data: dict) -> list[tuple[str, Cluster, float, int, int, float]]:
    """What was measured with hosts: its name, the cluster, a key's seconds and bytes, keys, and keys per second."""
    found = []
    for name, row in data["rows"].items():
        for contestant, runs in row["seconds"].items():
            who, _, hosts = contestant.partition(" ")
            if who != "nats" or not runs:
                continue
            hosts, cpus, keys = int(hosts), data["cpus"], row["keys"]
            kind, _, value = name.partition(" ")
            slots, seconds, size, sleeps = max(1, cpus // hosts), 0.0, 8, False
            if kind == "grain":
                slots, cpus = 1, hosts
                seconds = statistics.median(row["seconds"]["sequential"]) / keys
            elif kind == "sleep":
                slots, seconds, sleeps = 4, float(value) / 1e3, True
            elif name != "tiny":
                run = "inline" if name == "80 kB" else "large"
                seconds, size = data["costs"][run]["key"], 80_000 if name == "80 kB" else 8_000_000
            cluster = model.replace(model.here(data, hosts, slots, cpus), sleeps=sleeps)
            label = {"grain": f"{1e3 * seconds:.3g} ms of CPU", "sleep": f"{value} ms of sleep"}.get(kind, name)
            found.append((label, cluster, seconds, size, keys, keys / statistics.median(runs)))
    return found


def shown(rate: float) -> str:
    return f"{rate:,.0f}" if rate >= 10 else f"{rate:.2g}"


def bytes_(size: int) -> str:
    return f"{size / 1e6:g} MB" if size >= 1e6 else f"{size / 1e3:g} kB" if size >= 1e3 else f"{size} B"
