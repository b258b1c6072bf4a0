#!/usr/bin/env python3
"""The notebook's job as a numpy user writes it: one array per key, all on the caller's one thread."""

from __future__ import annotations

from typing import Any

from harness import Key, main


def start(workers: int) -> None:
    """There is no pool to set up."""


def run(pool: None, keys: list[Key]) -> list[tuple[float, Any]]:
    # Execution
    return [(key.value, key.value * key.numpy_generator().random(key.count)) for key in keys]


if __name__ == "__main__":
    main(__file__, __doc__, start, run, numpy=True)
