"""The bytes of a file: its head, its segments, its end. docs/format.md, "Files", defines them."""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, overload

import numpy as np

from torchac import _core
from torchac._tensors import INT32_MAX, NDArray
from torchac.errors import CorruptStreamError

MAGIC = b"\x89tac"  # no text begins like this
VERSION = 1
MAX_ID = 255  # bytes: the length is stored in one byte
MAX_NAME = 255
MAX_NDIM = 31  # stored in five bits
LIMIT = 1 << 62  # values; sizes of 0 are left out of the product
MANY_VALUES = 4096  # below, there is one stream, and no number of streams
CRC_BYTES = 4
CHECKSUM_BYTES = 4


class Kind(IntEnum):
    """How the values of a segment are stored."""

    END = 0
    CONSTANT = 1
    FIXED = 2
    CODED = 3


@dataclass(frozen=True, slots=True)
class Segment:
    """A tensor in a file.

    Attributes:
        name: Its name, if it was given one.
        shape: The shape of its values.
        bytes: Its size in the file.
        how: How its values are stored, in words.
    """

    name: str | None
    shape: tuple[int, ...]
    bytes: int
    how: str

    @property
    def values(self) -> int:
        """The number of values."""
        return math.prod(self.shape)


def extent(shape: Sequence[int]) -> int:
    """The product of the sizes that are not 0."""
    return math.prod(size for size in shape if size)


def shown(text: str) -> str:
    """A name or a path that is safe to print on a terminal."""
    return text if text.isprintable() else repr(text)[1:-1]


def checksum(sums: tuple[int, int]) -> int:
    """32 bits made of the 64 bits of the two sums of a mark."""
    both = sums[0] << 32 | sums[1]
    return ((both ^ both >> 31) * 0x9E3779B97F4A7C15 & (1 << 64) - 1) >> 32


def crc(data: bytes | memoryview, before: int = 0) -> int:
    """The CRC-32 of these bytes, continued from the CRC before."""
    if len(data) <= _CRC_AT_ONCE:
        return zlib.crc32(data, before)
    view = memoryview(data)
    for start in range(0, len(view), _CRC_AT_ONCE):
        before = zlib.crc32(view[start : start + _CRC_AT_ONCE], before)
    return before


_CRC_AT_ONCE = 1 << 24  # bytes; signals are handled between these calls


# Writing


def head(model_id: bytes) -> bytes:
    """The head of a file, except its CRC."""
    return MAGIC + bytes([VERSION, len(model_id)]) + model_id


def seal(parts: Sequence[bytes | memoryview], before: int) -> tuple[bytes, int]:
    """Joins the parts of the head, a segment or the end with their CRC; returns both."""
    for part in parts:
        before = crc(part, before)
    return b"".join((*parts, before.to_bytes(CRC_BYTES, "little"))), before


def number(value: int) -> bytes:
    """A nonnegative number: seven bits a byte, lowest first; only the last byte is below 128."""
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
    """The first bytes of a segment: its kind, name and shape."""
    result = bytes([kind | (name is not None) << 2 | len(shape) << 3])
    if name is not None:
        encoded = name.encode()
        result += bytes([len(encoded)]) + encoded
    return result + b"".join(map(number, shape))


def most_streams(values: int) -> int:
    """How many streams of so many values are worth trying."""
    if values < 1 << 14:
        return min(values, 1)
    return 8 if values < 1 << 17 else 24 * max(1, values >> 19)


def fewer_streams(streams: int, size: int) -> int:
    """How many streams pay, if this number has `size` bytes.

    Another stream takes 3 bytes or so. If a stream has 1250, that is at most 0.25 %.
    """
    return next((n for n in (streams, 24, 8) if n <= streams and 1250 * n <= size), min(streams, 1))


def stream_lengths(values: int, lengths: Sequence[int]) -> bytes:
    """The numbers of bytes of streams, after the number of streams if there may be several."""
    count = number(len(lengths)) if values >= MANY_VALUES else b""
    return count + b"".join(map(number, lengths))


def pack_bits(values: NDArray, width: int) -> bytes:
    """The lowest `width` bits of each value, highest first, padded with zeros to whole bytes."""
    columns = values.astype(">u4").view(np.uint8).reshape(-1, 4)
    return np.packbits(np.unpackbits(columns, axis=1)[:, 32 - width :]).tobytes()


AT_ONCE = 1 << 16
"""How many values or segments are handled at a time, to save memory: a multiple of 8."""


# Reading


class Contents:
    """The segments of a file, and its damage.

    Args:
        data: All bytes of the file.
        verify: Whether to check every byte against its CRC. Otherwise only the head, the end and
            the headers of segments are checked.
        recover: Whether to accept a damaged file, for the segments before the damage.

    Attributes:
        model_id: The identifier in the head.
        segments: The segments before the damage.
        damage: What is wrong after the segments, in words, or None.
        identity: The size and CRCs, by which the file is told from others.

    Raises:
        CorruptStreamError: The head is damaged; or, without `recover`, anything else is.
    """

    def __init__(self, data: memoryview, *, verify: bool = True, recover: bool = False) -> None:
        self.model_id, begin = _head(data)
        self._index = _core.SegmentIndex(data, begin)
        damaged = self._first_damaged(data) if verify else None
        if damaged is None:
            self.damage = self._unless_ended(data)
        else:
            self.damage = f"segment {damaged} is damaged"
        if self.damage is not None and not recover:
            raise CorruptStreamError(self.damage)
        self.segments = Segments(self._index, len(self._index) if damaged is None else damaged)
        self._end = int(self._index.begins[len(self.segments)])
        self._crc = _crc_before(data, self._end)
        self.identity = len(data), _crc_before(data, len(data)), self._crc

    def recovered(self, data: memoryview) -> tuple[memoryview, bytes]:
        """The head and the segments, and an end."""
        return data[: self._end], seal([bytes([Kind.END])], self._crc)[0]

    def find(self, name: str) -> int | None:
        """The number of the segment with that name."""
        number = self._index.find(name)
        return number if number is not None and number < len(self.segments) else None

    def header(self, number: int) -> _core.SegmentHeader:
        """The header of a segment."""
        return self._index.header(number)

    def payload(self, data: memoryview, number: int, header: _core.SegmentHeader) -> memoryview:
        """The bytes between the header of a segment and its CRC."""
        end = int(self._index.begins[number + 1]) - CRC_BYTES
        return data[end - header.payload : end]

    def is_damaged(self, data: memoryview, number: int) -> bool:
        """Whether a segment does not match its CRC, which continues the CRC before it."""
        begin, end = self._index.begins[number : number + 2].tolist()
        found = crc(data[begin : end - CRC_BYTES], _crc_before(data, begin))
        return found != _crc_before(data, end)

    def _first_damaged(self, data: memoryview) -> int | None:
        all_bytes = np.frombuffer(data, np.uint8)
        for first in range(0, len(self._index), AT_ONCE):
            begins = self._index.begins[first : first + AT_ONCE + 1]
            stored = (
                all_bytes[begins[:, None] + np.arange(-CRC_BYTES, 0)].view("<u4")[:, 0].tolist()
            )
            places = begins.tolist()
            crc_of = crc if np.diff(begins).max() > _CRC_AT_ONCE else zlib.crc32  # the faster one
            for i in range(len(places) - 1):
                segment = data[places[i] : places[i + 1] - CRC_BYTES]
                if crc_of(segment, stored[i]) != stored[i + 1]:
                    return first + i
        return None

    def _unless_ended(self, data: memoryview) -> str | None:
        """What is wrong after the last segment, or None if the file ends there."""
        number, at, problem = len(self._index), int(self._index.begins[-1]), self._index.problem
        if problem is None:
            end = at + 1 + CRC_BYTES
            if _crc_before(data, end) != crc(b"\0", _crc_before(data, at)):
                return "the end of the file is damaged"
            more = len(data) - end
            return f"{more} bytes are after the end of the file" if more else None
        if problem:
            return f"segment {number} {problem}"
        if at == len(data):
            return f"the file ends before segment {number} or its end: it is not complete"
        return f"the file ends within segment {number}: it is not complete, or damaged there"


class Segments(Sequence[Segment]):
    """The segments of a file. Each is made on access."""

    def __init__(self, index: _core.SegmentIndex, count: int) -> None:
        self._index, self._count = index, count

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, number: int) -> Segment: ...
    @overload
    def __getitem__(self, number: slice) -> list[Segment]: ...
    def __getitem__(self, number: int | slice) -> Segment | list[Segment]:
        chosen = range(self._count)[number]
        if isinstance(chosen, range):
            return [self._segment(k) for k in chosen]
        return self._segment(chosen)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]  # as a list

    def __repr__(self) -> str:
        return repr(list(self))

    def __reduce__(self) -> tuple[Any, ...]:
        return list, (list(self),)

    def _segment(self, number: int) -> Segment:
        header = self._index.header(number)
        begin, end = self._index.begins[number : number + 2].tolist()
        return Segment(header.name, tuple(header.shape), end - begin, _how(header))


def _how(header: _core.SegmentHeader) -> str:
    if not math.prod(header.shape):
        return "nothing"
    if header.kind == Kind.CONSTANT:
        return "one value"
    if header.kind == Kind.FIXED:
        return f"{header.width} bits each"
    streams = len(header.lengths)
    return f"{streams} stream{'s' if streams > 1 else ''}"


def stored(header: _core.SegmentHeader, payload: memoryview) -> NDArray:
    """Values that are not coded. Raises CorruptStreamError if no encoder writes such bytes."""
    if header.kind == Kind.CONSTANT:
        return np.full(header.shape, header.least, np.int32)
    count = math.prod(header.shape)
    if count * header.width % 8 and payload[-1] & 0xFF >> count * header.width % 8:
        raise CorruptStreamError("bits after the last value are not 0")
    above = np.empty(count, np.uint32)
    for start in range(0, count, AT_ONCE):
        stop = min(start + AT_ONCE, count)
        packed = payload[start * header.width // 8 : -(-stop * header.width // 8)]
        above[start:stop] = _unpack_bits(packed, stop - start, header.width)
    if header.least + int(above.max(initial=0)) > INT32_MAX:
        raise CorruptStreamError("there are values above 2^31 - 1")
    above += np.uint32(header.least % (1 << 32))  # modulo 2^32, so that negative values are right
    return above.view(np.int32).reshape(header.shape)


def _unpack_bits(packed: memoryview, count: int, width: int) -> NDArray:
    """Unpacks `count` values that `pack_bits` packed."""
    bits = np.zeros((count, 32), np.uint8)
    unpacked = np.unpackbits(np.frombuffer(packed, np.uint8), count=count * width)
    bits[:, 32 - width :] = unpacked.reshape(-1, width)
    result: NDArray = np.packbits(bits, axis=1).view(">u4")[:, 0]
    return result


def _crc_before(data: memoryview, at: int) -> int:
    """The CRC stored in the bytes before a place."""
    return int.from_bytes(data[at - CRC_BYTES : at], "little")


def _head(data: memoryview) -> tuple[bytes, int]:
    """The model's identifier, and where the head ends."""
    if data[: len(MAGIC)] != MAGIC:
        start = bytes(data[: len(MAGIC)])
        raise CorruptStreamError(f"this is not a torchac file: it begins with {start!r}")
    begin = len(MAGIC) + 2
    if len(data) > len(MAGIC) and data[len(MAGIC)] != VERSION:
        raise CorruptStreamError(
            f"the file has version {data[len(MAGIC)]}, this release of torchac reads {VERSION}: "
            "a later release wrote it, or it is damaged"
        )
    end = begin + data[begin - 1] if len(data) >= begin else begin
    if len(data) < end + CRC_BYTES:
        raise CorruptStreamError("the file ends within its head: it is not complete")
    if crc(data[:end]) != _crc_before(data, end + CRC_BYTES):
        raise CorruptStreamError("the head of the file is damaged")
    return bytes(data[begin:end]), end + CRC_BYTES
