"""Reads files as docs/format.md defines them, and refuses what a reader must refuse.

torchac decodes only the streams.
"""

import math
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np

Decode = Callable[[int, int, bytes], Any]
"""The values from one number to another, decoded from their stream."""


def read(
    data: bytes, model_id: bytes, decoders: list[Decode], max_values: int = 10**6
) -> list[tuple[str | None, Any]]:
    """The name and the values of each segment.

    Raises AssertionError if a reader must refuse the file, or may, because a segment is too large.
    """
    at, before = 0, 0

    def take(count: int) -> bytes:
        nonlocal at
        assert at + count <= len(data)
        at += count
        return data[at - count : at]

    def number() -> int:
        found = [take(1)[0]]
        while found[-1] >= 128:
            found.append(take(1)[0])
        assert len(found) == 1 or found[-1] > 0
        assert len(found) <= 9
        return sum(byte % 128 * 128**i for i, byte in enumerate(found))

    def signed() -> int:
        x = number()
        return x // 2 if x % 2 == 0 else -(x + 1) // 2

    def check(start: int) -> None:
        nonlocal before
        before = zlib.crc32(data[start:at], before)
        assert int.from_bytes(take(4), "little") == before

    assert take(5) == b"\x89tac\x01"
    assert take(take(1)[0]) == model_id
    check(0)
    segments: list[tuple[str | None, Any]] = []
    while True:
        start, first = at, take(1)[0]
        if first == 0:
            check(start)
            assert at == len(data)
            return segments
        kind, named, dimensions = first % 4, first // 4 % 2, first // 8
        assert kind > 0
        name = None
        if named:
            encoded = take(take(1)[0])
            assert encoded
            name = encoded.decode("utf-8", "replace")
            assert name.encode() == encoded
            assert name not in [other for other, _ in segments]
        shape = [number() for _ in range(dimensions)]
        assert math.prod(size for size in shape if size > 0) <= 2**40
        n = math.prod(shape)
        assert n <= max_values
        if kind == 1:
            value = signed()
            assert -(2**31) <= value < 2**31
            assert n > 0 or value == 0
            values = [value] * n
        elif kind == 2:
            least, width = signed(), take(1)[0]
            assert -(2**31) <= least < 2**31
            assert 1 <= width <= 32
            bits = "".join(f"{byte:08b}" for byte in take(-(-n * width // 8)))
            values = [least + int(bits[i * width : (i + 1) * width], 2) for i in range(n)]
            assert "1" not in bits[n * width :]
            assert all(value < 2**31 for value in values)
        else:
            streams = number() if n >= 4096 else min(n, 1)
            assert min(n, 1) <= streams <= n
            lengths = [number() for _ in range(streams)]
            checksum = int.from_bytes(take(4), "little")
            values = []
            for i, length in enumerate(lengths):
                low, high = len(values), len(values) + n // streams + (i < n % streams)
                values += decoders[len(segments)](low, high, take(length)).tolist()
            a = b = 0
            for value in values:
                a = (a + value + 1) % 2**32
                b = (b + a) % 2**32
            h = 2**32 * a + b
            assert checksum == (h ^ h // 2**31) * 0x9E3779B97F4A7C15 % 2**64 >> 32
        check(start)
        segments.append((name, np.array(values, np.int64).reshape(shape)))
