#!/usr/bin/env python3
"""One numpy array per key, on threads: numpy drops the GIL while it draws and multiplies."""

from __future__ import annotations

from typing import Any

from harness import Key, main


def inner_loop(key: Key) -> tuple[float, Any]:
    return key.value, key.value * key.numpy_generator().random(key.count)


def start(workers: int) -> Any:
    # Setup
    from concurrent.futures import ThreadPoolExecutor

    return ThreadPoolExecutor(workers)


def run(pool: Any, keys: list[Key]) -> list[tuple[float, Any]]:
    # Execution
    return list(pool.map(inner_loop, keys))


if __name__ == "__main__":
    main(__file__, __doc__, start, run, numpy=True)
