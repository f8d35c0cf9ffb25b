"""Models as docs/format.md defines them, version 1; a slow, obvious reference for tests."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import reference_coder
from reference_coder import read_uniform, uniform
from reference_families import TAIL, WIDE, g
from reference_zones import Part, Zones

INT32_MIN, INT32_MAX = -(1 << 31), (1 << 31) - 1
f32, f64 = np.float32, np.float64


@dataclass
class Component:
    """A component of a mixture, or a single distribution."""

    kind: str
    loc: float
    scale: float
    weight: float = 1.0


@dataclass
class Element:
    """The model of one value."""

    components: list[Component]
    mixture: bool = False
    low: int = INT32_MIN
    high: int = INT32_MAX


@dataclass
class Row:
    """A row, from 0 to 65536, over a window of values shifted right by `shift`."""

    first: int
    shift: int
    cdf: list[int]
    low: int = INT32_MIN
    high: int = INT32_MAX


def weights(element: Element) -> list[int]:
    """W of the format."""
    if not element.mixture:
        return [1 << 15]
    sums, total = [], f64(0)
    for c in element.components:
        total = f64(total + (f64(0) if c.weight < 2.0**-126 else f64(c.weight)))
        sums.append(total)
    q = f64(f64(32768) / total)
    until = [int(f64(f64(a * q) + f64(0.5))) for a in sums[:-1]] + [32768]
    return [b - a for a, b in zip([0, *until], until, strict=False)]


def row(element: Element) -> Row | Zones:
    """The row of an element, or its zones."""
    parts = [(c, w) for c, w in zip(element.components, weights(element), strict=True) if w > 0]
    scales = [max(f32(c.scale), f32(2.0**-20)) for c, _ in parts]
    locs = [min(max(float(c.loc), -(2.0**31)), 2.0**31 - 128) for c, _ in parts]
    shift = min(
        max(math.frexp(float(s))[1] - 1 - WIDE[c.kind], 0)
        for s, (c, _) in zip(scales, parts, strict=True)
    )
    centers, edges, units, reach = [], [], [], []
    for s, loc, (c, _) in zip(scales, locs, parts, strict=True):
        y = loc * 2.0**-shift
        center = round(y)  # halves to even
        centers.append(center)
        edges.append(f32(f32(y - center) + f32(2.0 ** -(shift + 1))))
        d = f32(float(s) * 2.0**-shift)
        units.append(f32(f32(2.0**20) / d))
        reach.append(math.ceil(f32(f32(TAIL[c.kind]) * d)) + 1)
    ends = [
        min(c - h for c, h in zip(centers, reach, strict=True)),
        max(c + h for c, h in zip(centers, reach, strict=True)),
    ]
    first, last = (min(max(end, element.low >> shift), element.high >> shift) for end in ends)
    size = last - first + 1
    cut = [first, last] != ends and element.mixture
    if size > 352 or (cut and (size == 1 or shift > 0)):
        each = zip(parts, locs, scales, strict=True)
        mixture = [Part(c.kind, loc, float(s), w) for (c, w), loc, s in each]
        return Zones(mixture, element.low, element.high)
    cdf = [0]
    for j in range(1, size):
        total = 0
        for center, edge, unit, (c, w) in zip(centers, edges, units, parts, strict=True):
            o = min(max(first - center, -(2**24)), 2**24)
            value = g(c.kind, float(f32(f32(f32(j + o) - edge) * unit)))
            total += w * (value >> 7) if element.mixture else value << 8
        cdf.append((total * (65536 - size) >> 32) + j)
    return Row(first, shift, [*cdf, 65536], element.low, element.high)


def _escape(distance: int) -> list[tuple[int, int]]:
    bits = (distance + 1).bit_length()
    zeros = [step for _ in range(bits - 1) for step in uniform(0, 1)]
    return [*zeros, *uniform(1, 1), *uniform(distance + 1 - (1 << (bits - 1)), bits - 1)]


def _open(row: Row, j: int) -> tuple[bool, bool]:
    """Whether values may lie below the window, and above it."""
    last = row.first + len(row.cdf) - 2
    below = j == 0 and row.first > row.low >> row.shift
    above = j == len(row.cdf) - 2 and last < row.high >> row.shift
    return below, above


def steps(row: Row | Zones, value: int) -> list[tuple[int, int]]:
    """The intervals that code a value."""
    if isinstance(row, Zones):
        return row.steps(value)
    u, last = value >> row.shift, row.first + len(row.cdf) - 2
    j = min(max(u, row.first), last) - row.first
    result = [(row.cdf[j], row.cdf[j + 1])]
    below, above = _open(row, j)
    if below and above:
        result += uniform(int(u > last), 1)
        above = u > last
        below = not above
    if below:
        result += _escape(max(row.first - u, 0))
    elif above:
        result += _escape(max(u - last, 0))
    return result + uniform(value & ((1 << row.shift) - 1), row.shift)


def bits(row: Row | Zones, value: int) -> float:
    """What a value costs."""
    return sum(16 - math.log2(high - low) for low, high in steps(row, value))


def encode(rows: Sequence[Row | Zones], values: list[int]) -> bytes:
    """One stream of all values, each coded with its row."""
    each = [step for row, value in zip(rows, values, strict=True) for step in steps(row, value)]
    # In a row of three symbols, the middle one has the interval.
    return reference_coder.encode([[0, *step, 65536] for step in each], [1] * len(each))


def _read_escape(decoder: reference_coder.Decoder) -> int:
    zeros = 0
    while read_uniform(decoder, 1) == 0:
        zeros += 1
        if zeros > 32:
            raise reference_coder.RefusedError("an escape has more than 32 zeros")
    return (1 << zeros) + read_uniform(decoder, zeros) - 1


def read(decoder: reference_coder.Decoder, row: Row | Zones) -> int:
    """The next value, decoded with this row."""
    if isinstance(row, Zones):
        return row.read(decoder)
    j = decoder.decode(row.cdf)
    u = row.first + j
    below, above = _open(row, j)
    if below and above:
        above = read_uniform(decoder, 1) == 1
        below = not above
    if below:
        u -= _read_escape(decoder)
    elif above:
        u += _read_escape(decoder)
    value = (u << row.shift) + read_uniform(decoder, row.shift)
    if not row.low <= value <= row.high:
        raise reference_coder.RefusedError("the value is outside of the bounds")
    return value
