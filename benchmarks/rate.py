"""Prints what a value costs beyond the entropy of its rounded distribution.

    python benchmarks/rate.py
    python benchmarks/rate.py --mixtures  # of distant or very unequal components
    python benchmarks/rate.py --random 1000  # the worst of random mixtures

Nothing is sampled: the costs are sums over all integers that matter. Those of constriction's
quantized distributions follow from their definition: each integer of a range has one part of 2^24,
and the CDF divides the others. Rows of 16-bit integers do the same with 2^16.
"""

from __future__ import annotations

import argparse
import math
from random import Random
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


class Mixture(NamedTuple):
    """A mixture of distributions of one kind, whose values are clamped to its bounds."""

    weights: list[float]
    locs: list[float]
    scales: list[float]
    kind: str = "Normal"
    low: int | None = None
    high: int | None = None


MIXTURES = {
    **{
        f"two peaks of scale 2, {apart:,} apart": Mixture([0.5, 0.5], [0, apart], [2, 2])
        for apart in (1000, 2000, 3000, 5000, 30_000)
    },
    "CT of 16 bits: 200 ± 20 and 32,000 ± 300": Mixture(
        [0.5, 0.5], [200, 32_000], [20, 300], low=0, high=65535
    ),
    "depth: 0 ± 0.2 and, of 60 %, 12,000 ± 30": Mixture(
        [0.4, 0.6], [0, 12_000], [0.2, 30], low=0, high=65535
    ),
    "audio: -3,000 and 3,000, ± 50": Mixture(
        [0.5, 0.5], [-3000, 3000], [50, 50], low=-32768, high=32767
    ),
    "two peaks of scale 1, 10^9 apart": Mixture([0.5, 0.5], [0, 1e9], [1, 1]),
    **{
        f"{spike:.0%} of scale 0.1, the others of scale {scale:,}": Mixture(
            [spike, 1 - spike], [0, 0], [0.1, scale]
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
    torchac: float

    @property
    def of_allowed(self) -> float:
        """The excess over the entropy, as a part of what the goal allows."""
        return (self.torchac - self.entropy) / (0.008 + 0.001 * self.entropy)


def mixture_rate(mixture: Mixture) -> MixtureRate:
    """Returns the average cost of a value."""
    bounds = {"low": mixture.low, "high": mixture.high}
    values = _values_of(mixture)
    probabilities = torch.zeros_like(values)
    for weight, loc, scale in zip(*mixture[:3], strict=True):
        mirror = (values > loc).double() * -2 + 1  # the tail that is exact there
        below, above = (mirror * (values + step - loc) / scale for step in (-0.5, 0.5))
        below[values == mixture.low], above[values == mixture.high] = -math.inf, math.inf
        below[0], above[-1] = mirror[0] * -math.inf, mirror[-1] * math.inf
        part = mirror * (_cdf(mixture.kind, above) - _cdf(mixture.kind, below))
        probabilities += weight / sum(mixture.weights) * part
    weights, locs, scales = (torch.tensor(x, dtype=torch.float64) for x in mixture[:3])
    model = torchac.Mixture(weights, KINDS[mixture.kind](locs, scales, **bounds))
    possible = probabilities > 0
    values, probabilities = values[possible], probabilities[possible]
    bits = torchac.estimate_bits(model, values)
    return MixtureRate(*(float(probabilities @ x) for x in (-probabilities.log2(), bits)))


def random_mixture(random: Random) -> Mixture:
    """Up to 10 components, with scales from 0.1 to 10,000, and means up to 10^6."""
    count = random.randint(2, 10)
    reach = 10 ** random.uniform(0, 6)
    return Mixture(
        [random.random() ** random.choice([1, 4]) + 1e-9 for _ in range(count)],
        [random.uniform(-reach, reach) for _ in range(count)],
        [10 ** random.uniform(-1, 4) for _ in range(count)],
        random.choice(list(KINDS)),
        *random.choice([(None, None), (-32768, 32767), (0, 4095)]),
    )


def _values_of(mixture: Mixture) -> Tensor:
    """The integers that matter."""
    low = -(2**31) if mixture.low is None else mixture.low
    high = 2**31 - 1 if mixture.high is None else mixture.high
    reach = 8.5 if mixture.kind == "Normal" else 25
    near = []
    for loc, scale in zip(mixture.locs, mixture.scales, strict=True):
        first, last = (min(max(round(loc + r), low), high) for r in (-reach * scale, reach * scale))
        near.append(torch.arange(max(first - 1, low), min(last + 1, high) + 1))
    result: Tensor = torch.unique(torch.cat(near))
    return result.double()


def mixture_table() -> str:
    """A table of all mixtures, for docs/models.md."""
    lines = ["| bits a value of | entropy | `Mixture` |", "|---|---|---|"]
    for name, mixture in MIXTURES.items():
        rate = mixture_rate(mixture)
        lines.append(f"| {name} | {rate.entropy:.4f} | {rate.torchac:.4f} |")
    return "\n".join(lines) + "\n"


def worst_of_random(draws: int) -> str:
    """The random mixtures that come closest to what the goal allows, or exceed it."""
    random = Random(0)
    mixtures = [random_mixture(random) for _ in range(draws)]
    rates = [mixture_rate(mixture) for mixture in mixtures]
    order = sorted(range(draws), key=lambda i: -rates[i].of_allowed)
    lines = [f"The worst of {draws} random mixtures; allowed are 0.008 bit and 0.1 %:"]
    for i in order[:5]:
        entropy, cost = rates[i]
        part = f"{cost - entropy:.5f} above {entropy:.4f}, {rates[i].of_allowed:.2f} of what is"
        lines.append(f"{part} allowed: {mixtures[i]}")
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
    """Prints a table for each kind, or what is said of mixtures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mixtures", action="store_true", help="print the table of mixtures")
    parser.add_argument("--random", type=int, help="print the worst of so many random mixtures")
    arguments = parser.parse_args()
    if arguments.mixtures:
        print(mixture_table(), end="")
    if arguments.random:
        print(worst_of_random(arguments.random), end="")
    if arguments.mixtures or arguments.random:
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
