"""The stream format as docs/format.md tells it, slow and obvious: what the tests compare with."""

from __future__ import annotations

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


def interval(row: list[int], symbol: int) -> tuple[int, int]:
    """The interval of a symbol; the last value of a row means 65536."""
    return row[symbol], WHOLE if symbol + 2 == len(row) else row[symbol + 1]


def encode(rows: list[list[int]], symbols: list[int]) -> bytes:
    """One stream of all symbols, each with its row."""
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


def search(row: list[int], quantile: int) -> int:
    """The last symbol that starts at or before a quantile, by sections where there are many."""
    first, end = 0, len(row) - 1
    while end - first > 256:
        edges = [first + k * (end - first) // 16 for k in range(17)]
        section = max((k for k in range(1, 16) if row[edges[k]] <= quantile), default=0)
        first, end = edges[section], edges[section + 1]
    return max((s for s in range(first, end) if row[s] <= quantile), default=first)


def decode(rows: list[list[int]], stream: bytes) -> list[int]:
    """As many symbols as there are rows."""
    bits = iter(np.unpackbits(np.frombuffer(stream, np.uint8)).tolist())
    low, high, value = 0, FULL - 1, 0
    for _ in range(32):
        value = 2 * value + next(bits, 0)
    symbols = []
    for row in rows:
        span = high - low + 1
        quantile = ((value - low + 1) * WHOLE - 1) // span
        symbol = search(row, quantile)
        symbols.append(symbol)
        c_low, c_high = interval(row, symbol)
        high = low + (span * c_high >> 16) - 1
        low = low + (span * c_low >> 16)
        while True:
            if high < HALF:
                base = 0
            elif low >= HALF:
                base = HALF
            elif low >= QUARTER and high < 3 * QUARTER:
                base = QUARTER
            else:
                break
            low, high = 2 * (low - base), 2 * (high - base) + 1
            value = 2 * (value - base) + next(bits, 0)
    return symbols
