"""The stream format as docs/format.md defines it; a slow, obvious reference for tests."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

WHOLE = 1 << 16
QUARTER, HALF, FULL = 1 << 30, 1 << 31, 1 << 32


def convert(row: np.ndarray, needs_normalization: bool) -> list[int]:
    """A row of floats as 16-bit integers."""
    if row.dtype == np.float16:
        row = row.astype(np.float32)
    symbols = len(row) - 1
    scale = row.dtype.type(WHOLE - symbols if needs_normalization else WHOLE)
    values = np.rint(row * scale)  # half to even
    return [(int(v) + (j if needs_normalization else 0)) % WHOLE for j, v in enumerate(values)]


def interval(row: Sequence[int], symbol: int) -> tuple[int, int]:
    """The interval of a symbol; the last value of a row means 65536."""
    return row[symbol], WHOLE if symbol + 2 == len(row) else row[symbol + 1]


def encode(rows: list[list[int]], symbols: list[int]) -> bytes:
    """One stream of all symbols, each coded with its row."""
    low, high, pending = 0, FULL - 1, 0
    bits: list[int] = []

    def emit(bit: int) -> None:
        nonlocal pending
        bits.extend([bit] + [1 - bit] * pending)
        pending = 0

    for row, symbol in zip(rows, symbols, strict=True):
        c_low, c_high = interval(row, symbol)
        assert c_low < c_high, "an empty interval cannot be coded"
        span = high - low + 1
        high = low + (span * c_high >> 16) - 1
        low = low + (span * c_low >> 16)
        while True:
            if high < HALF:
                emit(0)
                base = 0
            elif low >= HALF:
                emit(1)
                base = HALF
            elif low >= QUARTER and high < 3 * QUARTER:
                pending += 1
                base = QUARTER
            else:
                break
            low, high = 2 * (low - base), 2 * (high - base) + 1
    pending += 1
    emit(0 if low < QUARTER else 1)
    bits.extend([0] * (-len(bits) % 8))
    return np.packbits(bits).tobytes()


def search(row: Sequence[int], quantile: int) -> int:
    """The last symbol that starts at or before a quantile; long rows are searched by sections."""
    first, end = 0, len(row) - 1
    while end - first > 256:
        edges = [first + k * (end - first) // 16 for k in range(17)]
        section = max((k for k in range(1, 16) if row[edges[k]] <= quantile), default=0)
        first, end = edges[section], edges[section + 1]
    return max((s for s in range(first, end) if row[s] <= quantile), default=first)


class RefusedError(Exception):
    """A decoder must refuse the stream."""


class Decoder:
    """Decodes one symbol after the other, with a row for each."""

    def __init__(self, stream: bytes) -> None:
        self._bits = np.unpackbits(np.frombuffer(stream, np.uint8)).tolist()
        self._low, self._high, self._number = 0, FULL - 1, 0
        self._doublings = 0
        for place in range(32):
            self._number = 2 * self._number + self._bit(place)

    def _bit(self, place: int) -> int:
        return self._bits[place] if place < len(self._bits) else 0

    def decode(self, row: Sequence[int]) -> int:
        """The next symbol."""
        span = self._high - self._low + 1
        symbol = search(row, ((self._number - self._low + 1) * WHOLE - 1) // span)
        c_low, c_high = interval(row, symbol)
        self._high = self._low + (span * c_high >> 16) - 1
        self._low = self._low + (span * c_low >> 16)
        if not self._low <= self._number <= self._high:
            raise RefusedError("the symbol's interval does not hold the number")
        while True:
            if self._high < HALF:
                base = 0
            elif self._low >= HALF:
                base = HALF
            elif self._low >= QUARTER and self._high < 3 * QUARTER:
                base = QUARTER
            else:
                break
            self._low, self._high = 2 * (self._low - base), 2 * (self._high - base) + 1
            self._number = 2 * (self._number - base) + self._bit(32 + self._doublings)
            self._doublings += 1
        if len(self._bits) < self._doublings + 2:
            raise RefusedError("the stream has too few bits for its symbols")
        return symbol

    def check_end(self) -> None:
        """Refuses a stream whose last symbols depend on the bits after its end."""
        past_the_end = max(32 + self._doublings - len(self._bits), 0)
        if self._number + (1 << past_the_end) - 1 > self._high:
            raise RefusedError("other bits after the end of the stream would be other symbols")


def decode(rows: Sequence[Sequence[int]], stream: bytes) -> list[int]:
    """As many symbols as there are rows."""
    decoder = Decoder(stream)
    symbols = [decoder.decode(row) for row in rows]
    if symbols:
        decoder.check_end()
    return symbols


def uniform(number: int, bits: int) -> list[tuple[int, int]]:
    """The intervals of uniform bits."""
    if bits == 0:
        return []
    if bits > 16:
        return [*uniform(number >> 16, bits - 16), *uniform(number & 0xFFFF, 16)]
    return [(number << (16 - bits), (number + 1) << (16 - bits))]


def read_uniform(decoder: Decoder, bits: int) -> int:
    """Uniform bits."""
    if bits == 0:
        return 0
    if bits > 16:
        high = read_uniform(decoder, bits - 16)
        return high << 16 | read_uniform(decoder, 16)
    return decoder.decode(range(0, 65537, 1 << (16 - bits)))
