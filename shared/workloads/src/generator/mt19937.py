"""Frozen vectors of CPython's generator: an integer, then the bits of three calls of random.Random(integer).random()."""

import random
import struct

SEEDS = [0, 42, 2**32 + 5, 2**64 - 1]
STREAMS = [seed << 32 | low for seed in SEEDS for low in (0, 1)] + [7]

for integer in STREAMS:
    stream = random.Random(integer)
    bits = [struct.pack(">d", stream.random()).hex() for _ in range(3)]
    print(integer, *bits)
