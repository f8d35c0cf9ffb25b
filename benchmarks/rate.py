"""Prints what a value costs beyond the entropy of its rounded distribution.

    python benchmarks/rate.py
    python benchmarks/rate.py --mixtures  # of distant or very unequal components, for models.md

Nothing is sampled: the costs are sums over all integers that matter. Those of constriction's
quantized distributions follow from their definition: each integer of a range has one part of 2^24,
and the CDF divides the others. Rows of 16-bit integers do the same with 2^16.
"""

from __future__ import annotations

import argparse
import math
from statistics import fmean
from typing import NamedTuple

import torch
from torch import Tensor

import torchac

KINDS = {"Normal": torchac.Normal, "Laplace": torchac.Laplace, "Logistic": torchac.Logistic}
LOCS = (0.0, 0.21, 0.5, -0.37)  # a rate is the mean over these
SCALES = (0.05, 0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000, 3000, 10_000, 30_000, 60_000)
NARROW, WIDE = 4000, 1 << 20  # ranges go from minus these to plus these
MISSED = 1e-9  # the probability that a range may leave out, of values that cannot be coded


# Weights, means and scales of normal distributions.
Mixtures = dict[str, tuple[list[float], list[float], list[float]]]
MIXTURES: Mixtures = {
    **{
        f"two peaks of scale 2, {apart:,} apart": ([0.5, 0.5], [0, apart], [2, 2])
        for apart in (1000, 2000, 3000, 5000, 30_000)
    },
    "CT of 16 bits: 200 ± 20 and 32,000 ± 300": ([0.5, 0.5], [200, 32_000], [20, 300]),
    "depth: 0 ± 0.2 and, of 60 %, 12,000 ± 30": ([0.4, 0.6], [0, 12_000], [0.2, 30]),
    "audio: -3,000 and 3,000, ± 50": ([0.5, 0.5], [-3000, 3000], [50, 50]),
    "two peaks of scale 1, 10^9 apart": ([0.5, 0.5], [0, 1e9], [1, 1]),
    **{
        f"{spike:.0%} of scale 0.1, the others of scale {scale:,}": (
            [spike, 1 - spike],
            [0, 0],
            [0.1, scale],
        )
        for spike, scale in ((0.99, 500), (0.99, 2000), (0.9, 2000), (0.9, 20_000))
    },
}


class Rate(NamedTuple):
    """Bits a value: the entropy, and the excess over it; NaN if a range is too narrow."""

    entropy: float
    torchac: float
    constriction: float
    constriction_wide: float
    rows: float  # of 16 bits, with the narrow range


def allowed(entropy: float) -> float:
    """How many bits above the entropy the tests allow."""
    return 0.001 + 0.0003 * entropy


def rate(kind: str, scale: float) -> Rate:
    """Returns the average cost of a value."""
    each = [_rate_at(kind, loc, scale) for loc in LOCS]
    return Rate(*(fmean(column) for column in zip(*each, strict=True)))


class MixtureRate(NamedTuple):
    """Bits a value."""

    entropy: float
    mixture: float
    component_first: float  # the best component, and then the value with that


def mixture_rate(weights: list[float], locs: list[float], scales: list[float]) -> MixtureRate:
    """Returns the average cost of a value of a mixture of normal distributions."""
    near = [
        torch.arange(round(loc - 9 * scale) - 1, round(loc + 9 * scale) + 2)
        for loc, scale in zip(locs, scales, strict=True)
    ]
    values = torch.unique(torch.cat(near)).double()
    weight, loc, scale = (torch.tensor(x, dtype=torch.float64) for x in (weights, locs, scales))
    distance = (values[:, None] - loc).abs()
    tail, end = (_cdf("Normal", -(distance + step) / scale) for step in (-0.5, 0.5))
    probabilities = (tail - end) @ weight
    ideal = -probabilities.clamp(min=1e-300).log2()
    parts = torchac.Normal(loc, scale)
    bits = torchac.estimate_bits(torchac.Mixture(weight, parts), values)
    alone = torchac.estimate_bits(parts, values[:, None].expand(-1, len(weight)))
    first = (alone - weight.log2()).amin(-1)
    return MixtureRate(*(float(probabilities @ x) for x in (ideal, bits, first)))


def mixture_table() -> str:
    """A table of all mixtures, for docs/models.md."""
    lines = ["| bits a value of | entropy | `Mixture` | component first |", "|---|---|---|---|"]
    for name, mixture in MIXTURES.items():
        entropy, *others = mixture_rate(*mixture)
        digits = 2 if entropy > 1 else 3
        numbers = (f"{bits:.{digits}f}" for bits in (entropy, *others))
        lines.append(" | ".join([f"| {name}", *numbers]) + " |")
    return "\n".join(lines) + "\n"


def _rate_at(kind: str, loc: float, scale: float) -> Rate:
    reach = math.ceil((8 if kind == "Normal" else 25) * scale) + 3
    values = torch.arange(-reach, reach + 1, dtype=torch.float64)
    parts = _cdf(kind, (_edges(values) - loc) / scale)
    # Above loc, use the other tail, which is exact there.
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
    """The ends of intervals around consecutive integers."""
    return torch.cat([values - 0.5, values[-1:] + 0.5])


def _cdf(kind: str, z: Tensor) -> Tensor:
    if kind == "Laplace":
        half = 0.5 * (-z.abs()).exp()
        return torch.where(z < 0, half, 1 - half)
    result: Tensor = torch.special.ndtr(z) if kind == "Normal" else z.sigmoid()
    return result


def main() -> None:
    """Prints a table for each kind, or the table of mixtures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mixtures", action="store_true", help="print the table of mixtures")
    if parser.parse_args().mixtures:
        print(mixture_table(), end="")
        return
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
