"""Frozen vectors of the default generator, written from its definition alone: a seed, a key's index, then the bits of
the key and of its values 0, 1, 15, 16 and 700."""

import struct

MASK = 2**64 - 1
LANES = 16


def splitmix(x):
    while True:
        x = (x + 0x9E3779B97F4A7C15) & MASK
        z = x
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        yield z ^ (z >> 31)


def mix(x):
    return next(splitmix(x))


def rotate(x, bits):
    return ((x << bits) | (x >> (64 - bits))) & MASK


def lane(seed, index, number):
    outputs = splitmix(mix(mix(seed) ^ (32 * index + number)))
    s = [next(outputs) for _ in range(4)]
    while True:
        bits = (rotate((s[0] + s[3]) & MASK, 23) + s[0]) & MASK
        t = (s[1] << 17) & MASK
        s[2] ^= s[0]
        s[3] ^= s[1]
        s[1] ^= s[2]
        s[0] ^= s[3]
        s[2] ^= t
        s[3] = rotate(s[3], 45)
        yield (bits >> 11) * 2.0**-53


def value(seed, index, j):
    draws = lane(seed, index, j % LANES)
    for _ in range(j // LANES):
        next(draws)
    return next(draws)


for seed, index in [(42, 0), (42, 99), (0, 0), (2**64 - 1, 2**32)]:
    numbers = [next(lane(seed, index, LANES))] + [value(seed, index, j) for j in (0, 1, 15, 16, 700)]
    print(seed, index, *(struct.pack(">d", number).hex() for number in numbers))
