"""Categories as docs/format.md defines them, version 1; a slow, obvious reference for tests."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import reference_coder

f32, f64 = np.float32, np.float64
ONE_ROW, GROUP = 257, 64


def weights(numbers: Sequence[float], *, logits: bool) -> list[int]:
    """W of the format."""
    x = [f32(f64(number)) for number in numbers]
    bits = 22 if len(x) <= ONE_ROW else 24
    largest = max(x)
    if not logits:
        exponent = math.frexp(float(largest))[1]
        return [int(float(p) * 2.0 ** (bits - exponent)) for p in x]
    result = []
    for logit in x:
        t = f32(f32(max(f32(logit - largest), f32(-40))) * f32(float.fromhex("0x1.715476p+0")))
        n = round(float(t))  # halves to even
        f = f32(t - f32(n))
        power = f32(float.fromhex("0x1.c2a216p-5"))
        for k in ("0x1.f00c4cp-3", "0x1.62f5fap-1", "0x1p0"):
            power = f32(f32(power * f) + f32(float.fromhex(k)))
        result.append(int(float(power) * 2.0 ** (n + bits)))
    return result


def row(weights: list[int]) -> list[int]:
    """The row of a step."""
    symbols = len(weights)
    factor = f64(65536 - symbols) / f64(sum(weights) + symbols)
    inner = [int(f64(sum(weights[:j]) + j) * factor) + j for j in range(symbols)]
    return [*inner, 65536]


def _levels(numbers: Sequence[float], *, logits: bool) -> list[list[int]]:
    """The weights of categories, of groups, and of groups of groups."""
    levels = [weights(numbers, logits=logits)]
    if len(numbers) > ONE_ROW:
        while len(levels[-1]) > GROUP and len(levels) < 3:
            below = levels[-1]
            levels.append([sum(below[i : i + GROUP]) for i in range(0, len(below), GROUP)])
    return levels


def steps(numbers: Sequence[float], category: int, *, logits: bool) -> list[tuple[int, int]]:
    """The intervals that code a category."""
    levels = _levels(numbers, logits=logits)
    result = []
    for level, of_level in reversed(list(enumerate(levels))):
        symbol, first = category // GROUP**level, 0
        if level + 1 < len(levels):
            first = symbol // GROUP * GROUP
            of_level = of_level[first : first + GROUP]
        bounds = row(of_level)
        result.append((bounds[symbol - first], bounds[symbol - first + 1]))
    return result


def bernoulli(number: float, *, logits: bool) -> list[float]:
    """The numbers of both categories."""
    return [0.0, number] if logits else [1 - number, number]


def encode(rows: Sequence[Sequence[float]], values: list[int], *, logits: bool) -> bytes:
    """One stream of all values, each coded with its numbers."""
    each = [step for r, v in zip(rows, values, strict=True) for step in steps(r, v, logits=logits)]
    return reference_coder.encode([[0, *step, 65536] for step in each], [1] * len(each))


def read(decoder: reference_coder.Decoder, numbers: Sequence[float], *, logits: bool) -> int:
    """The next category, decoded with these numbers."""
    top, *rest = reversed(_levels(numbers, logits=logits))
    symbol = decoder.decode(row(top))
    for of_level in rest:
        first = symbol * GROUP
        symbol = first + decoder.decode(row(of_level[first : first + GROUP]))
    return symbol
