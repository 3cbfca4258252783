#!/usr/bin/env python3
"""Known answers for philox-gaussian/1, after docs/GAUSSIAN.md: an independent, slow implementation in exact rational
arithmetic, rounded to float32 after each operation. Usage: make_known_answers.py > known_answers.json"""
import json
import math
import random
import struct
from fractions import Fraction


def f32(x):
    """The float32 nearest to a rational, ties to even."""
    x = Fraction(x)
    if x == 0:
        return Fraction(0)
    exponent = math.floor(math.log2(abs(x.numerator)) - math.log2(x.denominator))
    while abs(x) >= Fraction(2) ** (exponent + 1):
        exponent += 1
    while abs(x) < Fraction(2) ** exponent:
        exponent -= 1
    ulp = Fraction(2) ** (max(exponent, -126) - 23)
    return round(x / ulp) * ulp  # Fraction rounds halves to even


def constant(bits):
    return Fraction(struct.unpack("<f", struct.pack("<I", bits))[0])


LN = [constant(b) for b in (0xBFFFFFFF, 0x3F80003F, 0xBF2AAC56, 0x3EFFAE7E, 0xBECBE9A6, 0x3EB0EDC8, 0xBEA521FE, 0x3E4AA823)]
SIN = [constant(b) for b in (0x3F490FDB, 0xBDA55DDD, 0x3B232F62, 0xB816CDA0)]
COS = [constant(b) for b in (0x3F800000, 0xBE9DE9E3, 0x3C81DCC7, 0xB9A81C81)]
MINUS_TWO_LN2 = constant(0xBFB17218)


def horner(coefficients, x):
    value = coefficients[-1]
    for c in reversed(coefficients[:-1]):
        value = f32(value * x + c)
    return value


def radius(word):
    u = f32(f32(word >> 1) + Fraction(1, 2))
    exponent = 0
    while u / Fraction(2) ** exponent >= 2:
        exponent += 1
    while u / Fraction(2) ** exponent < 1:
        exponent -= 1
    if u / Fraction(2) ** exponent >= 2 * constant(0x3F3504F3):
        exponent += 1
    f = u / Fraction(2) ** exponent - 1
    t = f32((exponent - 31) * MINUS_TWO_LN2 + f32(horner(LN, f) * f))
    scale = 1 << 120
    root = Fraction(math.isqrt(t.numerator * scale * scale // t.denominator), scale)
    return f32(root) * 4096


def cos_sin(word):
    quadrant = ((word + (1 << 29)) % (1 << 32)) >> 30
    rest = (word - (quadrant << 30)) % (1 << 32)
    v = f32(rest - (1 << 32) if rest >= 1 << 31 else rest) / (1 << 29)
    square = f32(v * v)
    s, c = f32(horner(SIN, square) * v), horner(COS, square)
    return [(c, s), (-s, c), (-c, -s), (s, -c)][quadrant]


def philox(counter, key):
    c, k = list(counter), list(key)
    for _ in range(10):
        a, b = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [(b >> 32) ^ c[1] ^ k[0], b & 0xFFFFFFFF, (a >> 32) ^ c[3] ^ k[1], a & 0xFFFFFFFF]
        k = [(k[0] + 0x9E3779B9) & 0xFFFFFFFF, (k[1] + 0xBB67AE85) & 0xFFFFFFFF]
    return c


def multiple(key, seed, tensor, index):
    block = index >> 2
    words = philox((block & 0xFFFFFFFF, block >> 32, seed, tensor | 0x80000000), (key & 0xFFFFFFFF, key >> 32))
    pair = index & 2
    return round(radius(words[pair]) * cos_sin(words[pair + 1])[index & 1])


def main():
    random.seed(20240601)
    cases = []
    for number in range(400):
        key = random.getrandbits(64)
        seed, tensor = random.randrange(65536), random.randrange(300)
        index = random.randrange(1 << random.choice([4, 16, 32, 40]))
        cases.append({"pool_key": str(key), "seed": seed, "tensor": tensor, "index": str(index), "n": multiple(key, seed, tensor, index)})
    print("[\n  " + ",\n  ".join(json.dumps(case) for case in cases) + "\n]")


main()
