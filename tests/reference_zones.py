"""Zones as docs/format.md defines them; a slow, obvious reference for tests."""

from __future__ import annotations

import math
from typing import NamedTuple

from reference_coder import Decoder, RefusedError, read_uniform, uniform
from reference_families import TAIL, WIDE, g

Interval = tuple[int, int]


class Part(NamedTuple):
    """A component of a mixture, with its integer weight."""

    kind: str
    loc: float
    scale: float
    weight: int

    def window(self) -> tuple[int, int, int]:
        """Where it begins and ends, and how many bits are left out."""
        reach = TAIL[self.kind] * self.scale + 1
        n = max(math.frexp(self.scale)[1] - 1 - WIDE[self.kind], 0)
        return round(self.loc - reach), round(self.loc + reach) + 1, n

    def up_to(self, value: int) -> int:
        """What lies below a value."""
        t = (value - 0.5 - self.loc) * (2.0**20 / self.scale)
        return self.weight * (g(self.kind, t) >> 7)


class Zones:
    """The zones of a mixture."""

    def __init__(self, parts: list[Part], low: int, high: int) -> None:
        self._parts = parts
        self._windows = [part.window() for part in parts[:1024]]
        cuts = {low + 1, high, *(at for window in self._windows for at in window[:2])}
        self._begin = [low, *sorted(at for at in cuts if low < at <= high), high + 1]
        inner = [self._up_to(at) for at in self._begin[1:-1]]
        self._before = [0, *inner, 1 << 32]
        count = len(self._begin) - 1
        inner = [(e * (65536 - count) >> 32) + k for k, e in enumerate(inner, 1)]
        self._row = [0, *inner, 65536]

    def _up_to(self, value: int) -> int:
        return sum(part.up_to(value) for part in self._parts)

    def _bits(self, i: int) -> int | None:
        """How many bits a zone leaves out, or nothing if it is a gap."""
        at = self._begin[i]
        return min((n for begin, end, n in self._windows if begin <= at < end), default=None)

    def _cells(self, i: int, n: int) -> list[int]:
        begin, size = self._begin[i], self._begin[i + 1] - self._begin[i]
        count = ((size - 1) >> n) + 1
        whole = max(self._before[i + 1] - self._before[i], 1)
        inner = [
            (self._up_to(begin + (k << n)) - self._before[i]) * (65536 - count) // whole + k
            for k in range(1, count)
        ]
        return [0, *inner, 65536]

    def steps(self, value: int) -> list[Interval]:
        """The intervals that code a value."""
        i = max(k for k, begin in enumerate(self._begin) if begin <= value)
        first = (self._row[i], self._row[i + 1])
        place, size = value - self._begin[i], self._begin[i + 1] - self._begin[i]
        n = self._bits(i)
        if n is None:
            distance = size - 1 - place if i <= 1 else place
            b = (distance + 1).bit_length() - 1
            rest = _number(distance + 1 - (1 << b), min(1 << b, size + 1 - (1 << b)))
            return [first, *_number(b, size.bit_length()), *rest]
        cells, j = self._cells(i, n), place >> n
        rest = _number(place - (j << n), min(1 << n, size - (j << n)))
        return [first, (cells[j], cells[j + 1]), *rest]

    def read(self, decoder: Decoder) -> int:
        """The next value."""
        i = decoder.decode(self._row)
        size = self._begin[i + 1] - self._begin[i]
        n = self._bits(i)
        if n is None:
            b = _read_number(decoder, size.bit_length())
            rest = _read_number(decoder, min(1 << b, size + 1 - (1 << b)))
            distance = (1 << b) + rest - 1
            place = size - 1 - distance if i <= 1 else distance
        else:
            j = decoder.decode(self._cells(i, n))
            place = (j << n) + _read_number(decoder, min(1 << n, size - (j << n)))
        if not 0 <= place < size:
            raise RefusedError("the value is not in its zone")
        return self._begin[i] + place


def _divided(limit: int) -> tuple[int, list[int]]:
    """How many bits of a number below a limit are uniform bits, and the row of the others."""
    k = max((limit - 1).bit_length() - 16, 0)
    count = ((limit - 1) >> k) + 1
    return k, [65536 * y // count for y in range(count + 1)]


def _number(x: int, limit: int) -> list[Interval]:
    k, row = _divided(limit)
    y = x >> k
    return [(row[y], row[y + 1]), *uniform(x & ((1 << k) - 1), k)]


def _read_number(decoder: Decoder, limit: int) -> int:
    k, row = _divided(limit)
    y = decoder.decode(row)
    return y << k | read_uniform(decoder, k)
