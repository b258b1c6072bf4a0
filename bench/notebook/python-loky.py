#!/usr/bin/env python3
"""The notebook's "Loky": every key in a worker of loky's reusable executor.

The workers start when the first key is submitted, so they are paid for in the first run and not in start, as in the
notebook.
"""

from __future__ import annotations

import random
from typing import Any

from harness import Key, main


def inner_loop(key: Key) -> tuple[float, list[float]]:
    random_value = key.value
    random.seed(key.seed)
    inner_values = []
    for i in range(key.count):
        inner_values.append(random_value * random.random())
    return random_value, inner_values


def start(workers: int) -> Any:
    # Setup: the import is in the notebook's cell too.
    from loky import get_reusable_executor  # type: ignore[import-untyped]

    return get_reusable_executor(workers)


def run(pool: Any, keys: list[Key]) -> list[tuple[float, list[float]]]:
    # Execution
    return list(pool.map(inner_loop, keys))


if __name__ == "__main__":
    main(__file__, __doc__, start, run)
