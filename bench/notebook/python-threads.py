#!/usr/bin/env python3
"""What the notebook's "GIL" chapter warns of: every key on a thread of concurrent.futures' ThreadPoolExecutor.

On an interpreter with the GIL the threads take turns; on a free-threaded one they run side by side. The report says
which one it was. Nothing is copied between processes: this is what the process pools have to beat.
"""

from __future__ import annotations

from random import Random
from typing import Any

from harness import Key, main


def inner_loop(key: Key) -> tuple[float, list[float]]:
    random_value = key.value
    # The module's generator is one for all threads: they would draw from it in any order.
    random = Random(key.seed).random
    inner_values = []
    for i in range(key.count):
        inner_values.append(random_value * random())
    return random_value, inner_values


def start(workers: int) -> Any:
    # Setup
    from concurrent.futures import ThreadPoolExecutor

    return ThreadPoolExecutor(workers)


def run(pool: Any, keys: list[Key]) -> list[tuple[float, list[float]]]:
    # Execution
    return list(pool.map(inner_loop, keys))


if __name__ == "__main__":
    main(__file__, __doc__, start, run)
