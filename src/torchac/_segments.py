"""The bytes of a file: its head, its segments, its end. docs/format.md, "Files", has the map."""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np

from torchac._parts import size_of_part
from torchac._tensors import INT32_MAX, NDArray
from torchac.errors import CorruptStreamError

MAGIC = b"\x89tac"  # no text begins so
VERSION = 1
MAX_ID = 255  # bytes, as its length has one
MAX_NAME = 255
MAX_NDIM = 31  # which has five bits
CRC_BYTES = 4
CHECKSUM_BYTES = 4


class Kind(IntEnum):
    """How the values of a segment are stored."""

    END = 0
    CONSTANT = 1
    FIXED = 2
    CODED = 3


@dataclass(frozen=True)
class Segment:
    """What a file says of one of its tensors.

    Attributes:
        name: Its name, if it was given one.
        shape: The shape of its values.
        bytes: How many of the file it takes.
    """

    name: str | None
    shape: tuple[int, ...]
    bytes: int
    _kind: Kind = field(repr=False, compare=False)
    _least: int = field(repr=False, compare=False)
    """Of the values, unless they are coded."""
    _width: int = field(repr=False, compare=False)
    """Bits of each, if they have a fixed width."""
    _lengths: NDArray = field(repr=False, compare=False)
    """Of the streams, in bytes, if they are coded."""
    _checksum: int = field(repr=False, compare=False)
    """Of the values, if they are coded."""
    _payload: memoryview = field(repr=False, compare=False)

    @property
    def values(self) -> int:
        """How many values it has."""
        return math.prod(self.shape)

    @property
    def how(self) -> str:
        """How they are stored, in words."""
        if not self.values:
            return "nothing"
        if self._kind is Kind.CONSTANT:
            return "one value"
        if self._kind is Kind.FIXED:
            return f"{self._width} bits each"
        streams = len(self._lengths)
        return f"{streams} stream{'s' if streams > 1 else ''}"

    def stored(self) -> NDArray:
        """Values that are not coded."""
        if self._kind is Kind.CONSTANT:
            return np.full(self.shape, self._least, np.int32)
        above = unpack_bits(np.frombuffer(self._payload, np.uint8), self.values, self._width)
        if self._least + int(above.max(initial=0)) > INT32_MAX:
            raise CorruptStreamError("there are values above 2^31 - 1: no encoder writes them")
        above += np.uint32(self._least % (1 << 32))  # wraps to what is meant
        return above.view(np.int32).reshape(self.shape)


def checksum(sums: tuple[int, int]) -> int:
    """32 bits of the two sums of a mark, which have 64."""
    both = sums[0] << 32 | sums[1]
    return ((both ^ both >> 31) * 0x9E3779B97F4A7C15 & (1 << 64) - 1) >> 32


def crc(data: bytes | memoryview, before: bytes = bytes(CRC_BYTES)) -> bytes:
    """The CRC-32 of these bytes, continued from the CRC before."""
    start = int.from_bytes(before, "little")
    return zlib.crc32(data, start).to_bytes(CRC_BYTES, "little")


# Writing


def head(model_id: bytes) -> bytes:
    """What a file begins with."""
    data = MAGIC + bytes([VERSION, len(model_id)]) + model_id
    return data + crc(data)


def number(value: int) -> bytes:
    """A number from 0 on: seven bits in each byte, lowest first; only the last is below 128."""
    result = bytearray()
    while value >= 128:
        result.append(value & 127 | 128)
        value >>= 7
    result.append(value)
    return bytes(result)


def signed(value: int) -> bytes:
    """A number of any sign."""
    return number(2 * value if value >= 0 else -2 * value - 1)


def title(kind: Kind, name: str | None, shape: tuple[int, ...]) -> bytes:
    """What a segment begins with."""
    result = bytes([kind | (name is not None) << 2 | len(shape) << 3])
    if name is not None:
        encoded = name.encode()
        result += bytes([len(encoded)]) + encoded
    return result + b"".join(map(number, shape))


def pack_bits(values: NDArray, width: int) -> bytes:
    """The lowest bits of each, highest first, and zeros up to whole bytes."""
    parts = []
    for start in range(0, len(values), _AT_ONCE):
        columns = values[start : start + _AT_ONCE].astype(">u4").view(np.uint8).reshape(-1, 4)
        parts.append(np.packbits(np.unpackbits(columns, axis=1)[:, 32 - width :]).tobytes())
    return b"".join(parts)


_AT_ONCE = 1 << 16  # values, so that bits of whole bytes are packed, in little memory


# Reading


def unpack_bits(data: NDArray, count: int, width: int) -> NDArray:
    """So many values, as `pack_bits` packed them."""
    result = np.empty(count, np.uint32)
    for start in range(0, count, _AT_ONCE):
        stop = min(start + _AT_ONCE, count)
        packed = data[start * width // 8 : -(-stop * width // 8)]
        bits = np.zeros((stop - start, 32), np.uint8)
        bits[:, 32 - width :] = np.unpackbits(packed, count=(stop - start) * width).reshape(
            -1, width
        )
        result[start:stop] = np.packbits(bits, axis=1).view(">u4")[:, 0]
    return result


class _Cursor:
    """A place in a file, from where it is read on. What is missing raises EOFError."""

    def __init__(self, data: memoryview, at: int) -> None:
        self.data, self.at = data, at

    def take(self, count: int) -> memoryview:
        if count > len(self.data) - self.at:
            raise EOFError
        self.at += count
        return self.data[self.at - count : self.at]

    def byte(self) -> int:
        return self.take(1)[0]

    def number(self) -> int:
        result = 0
        for shift in range(0, 63, 7):
            byte = self.byte()
            result |= (byte & 127) << shift
            if byte < 128:
                return result
        raise ValueError("a number of more than 63 bits")

    def signed(self) -> int:
        doubled = self.number()
        return -(doubled >> 1) - 1 if doubled & 1 else doubled >> 1


def parse(data: memoryview) -> tuple[bytes, list[Segment]]:
    """The model's id and the segments of a file, all of which is checked against its CRCs."""
    cursor = _Cursor(data, 0)
    if data[: len(MAGIC)] != MAGIC:
        start = bytes(data[: len(MAGIC)])
        raise CorruptStreamError(f"this is no file of torchac.Writer: it begins with {start!r}")
    try:
        cursor.take(len(MAGIC))
        version = cursor.byte()
        if version != VERSION:
            raise CorruptStreamError(
                f"the file has version {version}, this release of torchac reads {VERSION}: "
                "a later release wrote it, or it is damaged"
            )
        model_id = bytes(cursor.take(cursor.byte()))
        head_end = cursor.at
        before = bytes(cursor.take(CRC_BYTES))
    except EOFError:
        raise CorruptStreamError("the file ends within its head: it is not complete") from None
    if before != crc(data[:head_end]):
        raise CorruptStreamError("the head of the file is damaged")
    segments: list[Segment] = []
    while True:
        begin = cursor.at
        what = f"segment {len(segments)}"
        try:
            segment = _segment(cursor)
            end = cursor.at
            found = bytes(cursor.take(CRC_BYTES))
        except EOFError:
            raise CorruptStreamError(
                f"the file ends within {what}: it is not complete, or damaged there"
            ) from None
        except ValueError as error:  # no encoder writes so
            raise CorruptStreamError(f"{what} is damaged: {error}") from None
        if found != crc(data[begin:end], before):
            raise CorruptStreamError(f"{what} is damaged")
        before = found
        if segment is None:
            break
        segments.append(segment)
    if cursor.at < len(data):
        raise CorruptStreamError(f"{len(data) - cursor.at} bytes are behind the end of the file")
    return model_id, segments


def _segment(cursor: _Cursor) -> Segment | None:
    """The segment that begins here, but for its CRC; None at the end of the file."""
    start, first = cursor.at, cursor.byte()
    if first == Kind.END:
        return None
    kind, named, ndim = Kind(first & 3), first >> 2 & 1, first >> 3
    name = bytes(cursor.take(cursor.byte())).decode() if named else None
    shape = tuple(cursor.number() for _ in range(ndim))
    values, width, least, check = math.prod(shape), 0, 0, 0
    if math.prod(size for size in shape if size) >= 1 << 62:  # no tensor has it, empty or not
        raise ValueError("a shape of 2^62 values or more")
    lengths = np.zeros(0, np.int64)
    if kind is Kind.END:
        raise ValueError("an end with a shape or a name")
    if kind is Kind.CODED:
        streams = -(-values // size_of_part(values))
        if streams > len(cursor.data) - cursor.at:  # before there is memory for them
            raise EOFError
        lengths = np.array([cursor.number() for _ in range(streams)], np.int64)
        check = int.from_bytes(cursor.take(CHECKSUM_BYTES), "little")
        payload = cursor.take(sum(lengths.tolist()))
    else:
        least = cursor.signed()
        if not -INT32_MAX - 1 <= least <= INT32_MAX:
            raise ValueError("a value of more than 32 bits")
        if kind is Kind.FIXED:
            width = cursor.byte()
            if not 1 <= width <= 32:
                raise ValueError(f"values of {width} bits")
        payload = cursor.take(-(-values * width // 8))
    size = cursor.at - start + CRC_BYTES
    return Segment(name, shape, size, kind, least, width, lengths, check, payload)
