"""A cluster as bounds: what each part can do per second, and which can do least. docs/cluster.md says it in words."""

from __future__ import annotations

from dataclasses import dataclass, replace

# As impls/nats has them, in wire.rs, slot.rs, caller.rs, batch.rs and pieces.rs.
INLINE = 128 << 10
PIECE = 4 << 20
MOMENT = 0.005
PROGRESS = 10 / 3
BEAT = 2.0
RECEIVERS = 8
WINDOW = 2

# How many messages the broker takes and gives for a key: the key, that it is kept, the request for it, the key again,
# the offer and its answer, both in and out, and the acknowledgement.
MESSAGES = 9
# How often a key waits for the way between a host and the broker: its request and the key, the offer and its answer.
WAYS = 6
# And a piece: the question and the piece.
WAYS_OF_A_PIECE = 4

PARTS = ("caller", "receivers", "broker", "agent", "slot")


@dataclass(frozen=True)
class Cost:
    """CPU seconds of one part."""

    key: float
    # What a key costs more that the agent says it holds.
    held: float
    # A byte of an output that is sent with its offer, and of a larger one.
    inline: float
    large: float

    def of(self, seconds: float, size: int) -> float:
        """Of a key that takes so long and gives so many bytes."""
        byte = self.large if size > INLINE else self.inline
        return self.key + (self.held if seconds > MOMENT else 0) + byte * size


@dataclass(frozen=True)
class Cluster:
    costs: dict[str, Cost]
    hosts: int
    slots: int
    # Of every link, each way, in bytes per second; and how long a message is on it.
    bandwidth: float
    latency: float
    # Where all share CPUs, how many there are, and whether keys need them.
    cpus: int | None = None
    sleeps: bool = False

    def cost(self, part: str, seconds: float, size: int) -> float:
        cost = self.costs[part].of(seconds, size)
        if part in ("broker", "agent"):
            # The agent says every now and then that a key is in work.
            cost += int(seconds / PROGRESS) * self.costs[part].key / MESSAGES
        return cost

    def pieces(self, size: int) -> int:
        return -(-size // PIECE) if size > INLINE else 0

    def beats(self) -> float:
        """The part of the broker's time that goes to agents which say that they are there."""
        return self.hosts / BEAT * self.costs["broker"].key / MESSAGES

    def bounds(self, seconds: float, size: int) -> dict[str, float]:
        """Keys per second that each part can do."""
        cost = {part: self.cost(part, seconds, size) for part in PARTS}
        # While the output comes, its receiver waits. Two pieces are under way at once.
        turns = -(-self.pieces(size) // WINDOW)
        receive = cost["receivers"] + turns * WAYS_OF_A_PIECE * self.latency
        if size > INLINE:
            # Each piece passes the agent, the broker, the caller and the links between them, one after the other.
            passes = sum(self.costs[part].large for part in ("agent", "broker", "caller")) + 4 / self.bandwidth
            receive += passes * size / min(WINDOW, self.pieces(size))
        others = sum(cost[part] for part in PARTS if part != "receivers")
        on_the_way = others + receive + WAYS * self.latency
        if size <= INLINE:
            on_the_way += 4 * size / self.bandwidth
        rates = {
            "slots": self.hosts * self.slots / (seconds + on_the_way),
            "caller's thread": 1 / cost["caller"],
            "broker": (1 - self.beats()) / cost["broker"],
            "agents": self.hosts / cost["agent"],
            "receivers": RECEIVERS / receive,
            "links of caller and broker": self.bandwidth / size,
            "links of hosts": self.hosts * self.bandwidth / size,
        }
        if self.cpus:
            rates["CPUs"] = self.cpus / (sum(cost.values()) + (0 if self.sleeps else seconds))
        return rates

    def rate(self, seconds: float, size: int) -> tuple[float, str]:
        """Keys per second, and what holds them there."""
        rates = self.bounds(seconds, size)
        least = min(rates, key=rates.__getitem__)
        return max(rates[least], 1e-9), least


def costs(measured: dict) -> dict[str, Cost]:
    """From what bench/cluster/costs.py measured."""

    def cost(part: str) -> Cost:
        key = measured["tiny"][part]
        held = max(0.0, measured["held"][part] - key)
        inline = max(0.0, measured["inline"][part] - key) / 80_000
        large = max(0.0, measured["large"][part] - key - held) / 8_000_000
        return Cost(max(key, 1e-9), held, inline, large)

    return {part: cost(part) for part in PARTS}


def here(data: dict, hosts: int, slots: int, cpus: int) -> Cluster:
    """Hosts on the machine that was measured. The latency there is what is left of a key's time, with one slot that
    takes one key after the other, when all that it costs is paid."""
    found = costs(data["costs"])
    alone = data["costs"]["alone"]
    paid = sum(alone[part] for part in PARTS)
    waits = max(0.0, alone["run"] - alone["key"] - paid)
    return Cluster(found, hosts, slots, 4e9, waits / WAYS, cpus)


def far(data: dict, hosts: int, slots: int, gigabits: float, latency: float = 50e-6) -> Cluster:
    """Hosts of their own. The latency is that of a data centre, one way between a host and the broker."""
    return replace(here(data, hosts, slots, 1), bandwidth=gigabits * 1e9 / 8, latency=latency, cpus=None)
