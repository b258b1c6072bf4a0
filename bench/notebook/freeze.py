#!/usr/bin/env python3
"""Writes the vectors of frozen/: what CPython's own generator gives, for tests that have no Python at hand.

    python bench/notebook/freeze.py > bench/notebook/frozen/mt19937.tsv

Needs the package xxhash.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import xxhash

ROW = Path(__file__).with_name("python-sequential.py")

# Seed, keys, count. The seed goes above the key's index in one integer, whose 32-bit words are so one (seed 0), two, or
# three (seeds from 2^32). The generator's state is 624 words, and a value takes two: from 313 on it is renewed.
JOBS = [
    (42, 100, 100),
    (42, 1, 1),
    (42, 3, 4),
    (42, 2, 1000),
    (0, 5, 20),
    (0, 1, 0),
    (1, 1000, 3),
    (2**32 - 1, 4, 10),
    (2**32, 4, 10),
    (2**32 + 5, 10, 700),
    (2**64 - 1, 3, 313),
    (7, 0, 5),
    (7, 3, 0),
]

HEADER = """\
# What every strategy must give with --rng mt19937: hashes of the bytes of --dump, for each key in order its f64 and
# those of its values, little endian. Each line was made by CPython's own random module, by
#     python bench/notebook/python-sequential.py --rng mt19937 --seed SEED --keys KEYS --count COUNT --dump
# and all of them by
#     python bench/notebook/freeze.py > bench/notebook/frozen/mt19937.tsv
# seed\tkeys\tcount\tbytes\tsha256\txxh3_128"""


def dump(seed: int, keys: int, count: int) -> bytes:
    flags = ["--rng", "mt19937", "--seed", str(seed), "--keys", str(keys), "--count", str(count), "--dump"]
    command = [sys.executable, str(ROW), *flags]
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True).stdout


def main() -> None:
    print(HEADER)
    for seed, keys, count in JOBS:
        data = dump(seed, keys, count)
        digest = f"{xxhash.xxh3_128(data).intdigest():032x}"
        print(seed, keys, count, len(data), hashlib.sha256(data).hexdigest(), digest, sep="\t")


if __name__ == "__main__":
    main()
