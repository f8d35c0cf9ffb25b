"""Prints what a value costs beyond the entropy of its rounded distribution.

    python benchmarks/rate.py

Nothing is sampled: these are sums over all integers that matter. What constriction's quantized
distributions cost follows from what they are: each integer of a range has one part of 2^24, and
the CDF divides the others. Rows of 16-bit integers do the same with 2^16.
"""

from __future__ import annotations

import math
from statistics import fmean
from typing import NamedTuple

import torch
from torch import Tensor

import torchac

KINDS = {"Normal": torchac.Normal, "Laplace": torchac.Laplace, "Logistic": torchac.Logistic}
LOCS = (0.0, 0.21, 0.5, -0.37)  # a rate is the mean over these
SCALES = (0.05, 0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000, 3000, 10_000, 30_000, 60_000)
NARROW, WIDE = 4000, 1 << 20  # ranges end at these, with both signs
MISSED = 1e-9  # what a range may leave out: more would be values that cannot be coded


class Rate(NamedTuple):
    """Bits a value: the entropy, and what is above it; NaN where a range is too narrow."""

    entropy: float
    torchac: float
    constriction: float
    constriction_wide: float
    rows: float  # of 16 bits, narrow


def allowed(entropy: float) -> float:
    """How many bits above the entropy the tests allow."""
    return 0.001 + 0.0003 * entropy


def rate(kind: str, scale: float) -> Rate:
    """Returns what a value costs on average."""
    each = [_rate_at(kind, loc, scale) for loc in LOCS]
    return Rate(*(fmean(column) for column in zip(*each, strict=True)))


def _rate_at(kind: str, loc: float, scale: float) -> Rate:
    reach = math.ceil((8 if kind == "Normal" else 25) * scale) + 3
    values = torch.arange(-reach, reach + 1, dtype=torch.float64)
    parts = _cdf(kind, (_edges(values) - loc) / scale)
    # Above loc the other tail is exact.
    mirrored = -_cdf(kind, (loc - _edges(values)) / scale)
    probabilities = torch.where(values > loc, mirrored.diff(), parts.diff())
    possible = probabilities > 0
    values, probabilities = values[possible], probabilities[possible]
    ideal = -probabilities.log2()

    def above(bits: Tensor) -> float:
        return float(probabilities @ (bits - ideal))

    def row(end: int, precision: int) -> float:
        if 1 - float(probabilities[values.abs() <= end].sum()) > MISSED:
            return math.nan
        free = 2**precision - (2 * end + 1)
        frequencies = free * parts.diff()[possible] + 1
        return above(precision - frequencies.log2())

    bits = torchac.estimate_bits(KINDS[kind](loc, scale), values)
    return Rate(
        float(probabilities @ ideal), above(bits), row(NARROW, 24), row(WIDE, 24), row(NARROW, 16)
    )


def _edges(values: Tensor) -> Tensor:
    """The ends of intervals around integers that follow one another."""
    return torch.cat([values - 0.5, values[-1:] + 0.5])


def _cdf(kind: str, z: Tensor) -> Tensor:
    if kind == "Laplace":
        half = 0.5 * (-z.abs()).exp()
        return torch.where(z < 0, half, 1 - half)
    result: Tensor = torch.special.ndtr(z) if kind == "Normal" else z.sigmoid()
    return result


def main() -> None:
    """Prints a table for each kind."""
    narrow, wide = f"±{NARROW:,}", f"±{WIDE:,}"
    columns = f"{'scale':>8}{'entropy':>10}{'allowed':>11}{'torchac':>11}"
    for kind in KINDS:
        print(f"{kind}: bits a value above the entropy")
        print(f"{'':40}{'constriction':>15}{'constriction':>15}{'16-bit rows':>15}")
        print(f"{columns}{narrow:>15}{wide:>15}{narrow:>15}")
        for scale in SCALES:
            entropy, *above = rate(kind, scale)
            first, *others = ("" if math.isnan(bits) else f"{bits:.5f}" for bits in above)
            numbers = f"{scale:8g}{entropy:10.4f}{allowed(entropy):11.5f}{first:>11}"
            print(numbers + "".join(f"{bits:>15}" for bits in others))
        print()


if __name__ == "__main__":
    main()
