#!/usr/bin/env python3
"""The notebook's "Single-threaded": every key on the caller's one thread."""

from __future__ import annotations

import random

from harness import Key, main

# The cell is executed as a notebook does it, outside of any function. Its names are then looked up in a dictionary
# for every value, which takes longer than in a function. New are the generator's seed, and pairs instead of a dict,
# for the reason that `draw_keys` gives.
EXECUTION = compile(
    """
for key, (random_value, inner_values) in zip(keys, random_values):
    random.seed(key.seed)
    for i in range(COUNT):
        inner_values.append(random_value * random.random())
""",
    "the notebook's Execution cell",
    "exec",
)


def start(workers: int) -> None:
    """There is no pool to set up."""


def run(pool: None, keys: list[Key]) -> list[tuple[float, list[float]]]:
    # Setup, as far as every batch needs it anew
    random_values: list[tuple[float, list[float]]] = [(key.value, []) for key in keys]
    # Execution
    exec(EXECUTION, {"keys": keys, "random_values": random_values, "random": random, "COUNT": keys[0].count})
    return random_values


if __name__ == "__main__":
    main(__file__, __doc__, start, run)
