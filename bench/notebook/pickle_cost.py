#!/usr/bin/env python3
"""What it costs to pickle one key's values, in each of the shapes that a Python program might hold them in.

    python bench/notebook/pickle_cost.py --repeat 5
    python bench/notebook/pickle_cost.py --count 10000 --format json

In-band is what the process pools do: one string of bytes with everything in it, which then goes through a pipe.
Out-of-band is protocol 5 with a `buffer_callback`: the pickle has the shape alone, the numbers stay where they are, and
it is left to the caller to bring them over. Neither pool offers that. The pipe itself is not in these times.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import json
import pickle
import platform
import random
import statistics
import time
from array import array
from importlib import metadata
from typing import Any, Callable, NamedTuple


class Shape(NamedTuple):
    """One way to hold the values, and one way to pickle them."""

    name: str
    make: Callable[[list[float]], Any]
    out_of_band: bool


def numpy_array(values: list[float]) -> Any:
    import numpy

    return numpy.array(values)


SHAPES = [
    Shape("list of floats", lambda values: values, False),
    Shape("array('d')", lambda values: array("d", values), False),
    Shape("numpy array, in-band", numpy_array, False),
    Shape("numpy array, out-of-band", numpy_array, True),
]


def measure(shape: Shape, values: list[float], repeat: int) -> dict[str, Any]:
    """Medians of `dumps` and `loads`; every copy is dropped outside the clocks."""
    held = shape.make(values)
    dumps_ns, loads_ns, length, beside = [], [], 0, 0
    for _ in range(repeat):
        buffers: list[pickle.PickleBuffer] = []
        gc.collect()
        begin = time.perf_counter_ns()
        pickled = pickle.dumps(held, protocol=5, buffer_callback=buffers.append if shape.out_of_band else None)
        middle = time.perf_counter_ns()
        back = pickle.loads(pickled, buffers=buffers)
        end = time.perf_counter_ns()
        dumps_ns.append(middle - begin)
        loads_ns.append(end - middle)
        length, beside = len(pickled), sum(buffer.raw().nbytes for buffer in buffers)
        if list(back) != values:
            raise SystemExit(f"pickle_cost.py: {shape.name} came back with other values")
        del back, pickled, buffers
    return {
        "shape": shape.name,
        "values": len(values),
        "pickle_bytes": length,
        "bytes_beside": beside,
        "repeat": repeat,
        "dumps_ns": statistics.median_low(dumps_ns),
        "loads_ns": statistics.median_low(loads_ns),
        "versions": versions(),
    }


def versions() -> dict[str, str]:
    found = {platform.python_implementation(): platform.python_version()}
    with contextlib.suppress(metadata.PackageNotFoundError):
        found["numpy"] = metadata.version("numpy")
    return found


def positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError
    return number


def main() -> None:
    parser = argparse.ArgumentParser(description="Times pickling of one key's values.")
    parser.add_argument("--count", type=positive, default=1_000_000, help="values [1000000]")
    parser.add_argument("--repeat", type=positive, default=5, metavar="N", help="of which the median is taken [5]")
    parser.add_argument("--format", choices=["markdown", "json"], default="markdown")
    given = parser.parse_args()
    draw = random.Random(42).random
    values = [draw() for _ in range(given.count)]
    shapes = [shape for shape in SHAPES if "numpy" in versions() or "numpy" not in shape.name]
    records = [measure(shape, values, given.repeat) for shape in shapes]
    if given.format == "json":
        for record in records:
            print(json.dumps(record))
        return
    ran = ", ".join(f"{name} {version}" for name, version in versions().items())
    print(f"Made by `python bench/notebook/pickle_cost.py --count {given.count} --repeat {given.repeat}`: {ran}.\n")
    print("| shape | pickle, bytes | beside it, bytes | dumps, ms | loads, ms |\n|---|---:|---:|---:|---:|")
    for record in records:
        times = f"{record['dumps_ns'] / 1e6:.3f} | {record['loads_ns'] / 1e6:.3f}"
        print(f"| {record['shape']} | {record['pickle_bytes']} | {record['bytes_beside']} | {times} |")


if __name__ == "__main__":
    main()
