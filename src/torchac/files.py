"""Files: tensors with any model, so that another machine can open them and knows if it cannot.

A file has a segment for each tensor: its shape, its bytes, and checksums of the bytes and of the
decoded values. So a damaged byte and a model that differs are noticed, and told apart.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import threading
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, TypeAlias

import numpy as np

from torchac import _checks, _core, _parts, _segments, _tensors, _values
from torchac._as_model import as_decoded, model_or_cdf
from torchac._segments import Kind, Segment
from torchac._tensors import Array
from torchac.errors import CorruptStreamError
from torchac.models import Model
from torchac.threads import check_threads

__all__ = ["Reader", "Segment", "Writer"]

File: TypeAlias = str | os.PathLike[str] | BinaryIO


class Writer:
    """Writes tensors into a file, each with a model of its own.

    A file at a path is there when all of it is: it is written under another name beside it, which
    changes in the end. If the `with` block raises, what was at the path before still is. Into a
    file object, each call of `write` writes its segment at once, or nothing if it raises.

    Args:
        file: A path, or a file object to write bytes to.
        model_id: Up to 255 bytes that say which model is needed to read the file: a name with a
            version, or `torchac.fingerprint(model.state_dict())`.

    Raises:
        TypeError: `file` is neither, or `model_id` is no bytes.
        ValueError: `model_id` is too long.
        OSError: The file cannot be written.

    Example:
        >>> import io, torch, torchac
        >>> y = torch.tensor([[0, 3, -1], [2, 0, 0]])
        >>> file = io.BytesIO()  # or a path
        >>> with torchac.Writer(file, model_id=b"my codec 3") as writer:
        ...     writer.write(torchac.Laplace(0.0, 1.5), y, name="y")
        >>> _ = file.seek(0)
        >>> with torchac.Reader(file, model_id=b"my codec 3") as reader:
        ...     print(reader.segments)
        ...     reader.read(torchac.Laplace(0.0, 1.5))
        [Segment(name='y', shape=(2, 3), bytes=14)]
        tensor([[ 0,  3, -1],
                [ 2,  0,  0]], dtype=torch.int32)
    """

    def __init__(self, file: File, *, model_id: bytes = b"") -> None:
        head = _segments.head(_check_model_id(model_id))
        self._lock = threading.RLock()  # segments come one after the other
        self._at_work = False
        self._names: set[str] = set()
        self._path = self._temporary = None
        self._count = 0
        self._file: BinaryIO | None = None
        if isinstance(file, (str, os.PathLike)):
            self._path = Path(os.path.realpath(file))  # a link goes on leading there
            self._temporary = self._path.with_name(f".{secrets.token_hex(8)}.tmp")
            self._file = _open_for(self._path, self._temporary)
        elif callable(getattr(file, "write", None)):
            self._file = file
        else:
            raise TypeError(f"file is of type {type(file).__name__}: expected a path or a file")
        self._failed = False
        self._put(head)
        self._crc = head[-_segments.CRC_BYTES :]

    def write(
        self,
        model: Any,
        values: Any,
        *,
        index: Array | None = None,
        name: str | None = None,
        num_threads: int | None = None,
    ) -> None:
        """Writes a tensor.

        Large ones are cut into streams, which threads share; how depends on the shape alone. Values
        that coding would make longer than their fixed width are written in that.

        Args:
            model: As for `torchac.encode`.
            values: As for `torchac.encode`; up to 31 dimensions.
            index: As for `torchac.encode`.
            name: A name to read it by, unlike the others in the file, up to 255 bytes.
            num_threads: The most threads to code on; by default as `set_num_threads` says.

        Raises:
            TypeError: As `torchac.encode`.
            ValueError: As `torchac.encode`; or a name that is too long, or there already.
            RuntimeError: The file is closed, or writing to it failed before.
            OSError: The file cannot be written. Then it is closed, as what of the segment was
                written is not known.
        """
        threads = check_threads(num_threads)
        _check_name(name)
        values = _values.check_values(values)
        shape = tuple(values.shape)
        if len(shape) > _segments.MAX_NDIM:
            raise ValueError(
                f"values has {len(shape)} dimensions: expected {_segments.MAX_NDIM} or fewer"
            )
        segment = _encode(model_or_cdf(model), values, index, name, threads)
        with self._lock:
            self._check_open()
            if name in self._names:
                raise ValueError(f"a segment named {name!r} is there already")
            self._append(segment)
            if name is not None:
                self._names.add(name)
            self._count += 1

    def close(self) -> None:
        """Ends the file. Nothing happens if it is closed already.

        Raises:
            OSError: The file cannot be written, or not be given its name.
            RuntimeError: Writing failed before, so that there is no file to end.
        """
        with self._lock:
            if self._failed:
                raise RuntimeError("writing to the file failed before: write all of it again")
            if self._file is None:
                return
            self._append(bytes([Kind.END]))
            if self._temporary is None:
                self._file = None
                return
            try:
                self._file.close()
                assert self._path is not None
                self._temporary.replace(self._path)
            except BaseException:
                self._abandon()
                raise
            self._file = self._temporary = None

    def _append(self, segment: bytes) -> None:
        if self._at_work:
            raise RuntimeError(
                "the writer is at work in the call that the signal handler interrupted: "
                "use it when that is over"
            )
        self._at_work = True
        crc = _segments.crc(segment, self._crc)
        try:
            self._put(segment + crc)
        finally:
            self._at_work = False
        self._crc = crc

    def _put(self, data: bytes) -> None:
        assert self._file is not None
        try:
            taken: Any = self._file.write(data)  # some files return nothing
            if isinstance(taken, int) and taken < len(data):  # as files without a buffer may
                raise OSError(f"the file took {taken} of {len(data)} bytes")
        except BaseException:
            self._abandon()
            raise

    def _check_open(self) -> None:
        if self._file is None:
            raise RuntimeError("the file is closed: write into a new Writer")

    def _abandon(self) -> None:
        """Leaves no file that is not complete."""
        self._failed = True
        file, self._file = self._file, None
        temporary, self._temporary = self._temporary, None
        if temporary is not None and file is not None:
            with contextlib.suppress(OSError):  # of what it had still to write
                file.close()
            temporary.unlink(missing_ok=True)

    def __enter__(self) -> Writer:
        self._check_open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self._abandon()

    def __del__(self) -> None:
        if getattr(self, "_file", None) is not None:
            self._abandon()

    def __repr__(self) -> str:
        where = "a file object" if self._path is None else str(self._path)
        return f"Writer({where!r}, {self._count} segments)"


class Reader:
    """Reads what `Writer` wrote.

    The file is read into memory as a whole and checked: that it is complete, that no byte is
    damaged, and that its model is the one expected.

    Args:
        file: A path, or a file object to read bytes from, up to its end.
        model_id: The one that the file was written with.
        max_values: The most values that a segment may have, so that nobody's file makes a machine
            ask for more memory than it has: all equal ones take a few bytes in the file.

    Attributes:
        segments: What is in the file: name, shape, and size in bytes of each segment.

    Raises:
        TypeError: `file` is neither, or `model_id` is no bytes.
        CorruptStreamError: The file is none of `Writer`, not complete, or damaged. The message
            names the segment.
        ValueError: The file was written with another `model_id`.
        OSError: The file cannot be read.

    Example:
        See `Writer`.
    """

    segments: list[Segment]

    def __init__(self, file: File, *, model_id: bytes = b"", max_values: int = 1 << 30) -> None:
        expected = _check_model_id(model_id)
        self._max_values = _checks.check_integer("max_values", max_values)
        found, self.segments = _segments.parse(_read(file))
        if found != expected:
            raise ValueError(
                f"the file was written with model_id {found!r}, and model_id is {expected!r}: "
                "another model cannot read it"
            )
        self._next = 0
        self._lock = threading.RLock()

    def read(
        self,
        model: Any,
        *,
        index: Array | None = None,
        name: str | None = None,
        num_threads: int | None = None,
    ) -> Any:
        """Reads the next segment, or the one of a name.

        Args:
            model: The model that it was written with, of a shape that broadcasts to the segment's.
            index: As it was for writing.
            name: The segment's name; the next call reads on behind it. None is the next segment,
                whatever its name.
            num_threads: As for `Writer.write`.

        Returns:
            int32, of the segment's shape, on the model's device; an array if the model has arrays.

        Raises:
            TypeError: The model is of a type that cannot be.
            CorruptStreamError: The values are others than those written, so the model differs; or
                they are more than `max_values`. The reader stays where it is.
            ValueError: The model's shape does not broadcast to that of the segment, its parameters
                are not allowed, or there is no such segment.
        """
        threads = check_threads(num_threads)
        _check_name(name)
        with self._lock:
            number = self._number(name)
            segment = self.segments[number]
            where = f"segment {number}" + (f" ({segment.name!r})" if segment.name else "")
            if segment.values > self._max_values:
                raise CorruptStreamError(
                    f"{where} has shape {segment.shape}, more values than {self._max_values}: "
                    "if that is right, open the file with a larger max_values"
                )
            try:
                result = _decode(model_or_cdf(model), segment, index, threads)
            except CorruptStreamError:
                raise CorruptStreamError(
                    f"{where} decodes to other values than were encoded: the model differs (other "
                    "weights, another GPU, library or batch size, one float)"
                ) from None
            except ValueError as error:
                raise ValueError(f"{where}: {error}") from None
            self._next = number + 1
        return result

    def _number(self, name: str | None) -> int:
        if name is None:
            if self._next == len(self.segments):
                raise ValueError(f"the file has {len(self.segments)} segments: all are read")
            return self._next
        for number, segment in enumerate(self.segments):
            if segment.name == name:
                return number
        names = [segment.name for segment in self.segments if segment.name]
        raise ValueError(f"no segment is named {name!r}: expected one of {names}")

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, *_: object) -> None:
        pass  # the file was closed when it was read

    def __repr__(self) -> str:
        return f"Reader({len(self.segments)} segments, the next one is {self._next})"


def _encode(
    model: Model | Array, values: Array, index: Array | None, name: str | None, threads: int
) -> bytes:
    """A segment, but for its CRC."""
    shape = tuple(values.shape)
    streams = _parts.encode(model, values, index, threads)
    whole = _tensors.as_int32(values)
    least, most = (int(whole.min()), int(whole.max())) if whole.size else (0, 0)
    if least == most:
        return _segments.title(Kind.CONSTANT, name, shape) + _segments.signed(least)
    width = (most - least).bit_length()
    fixed = _segments.signed(least) + bytes([width])
    check = _segments.checksum(_core.checksum(_tensors.numbers(whole)))
    coded = b"".join(map(_segments.number, streams.lengths.tolist()))
    coded += check.to_bytes(_segments.CHECKSUM_BYTES, "little")
    if len(fixed) + -(-whole.size * width // 8) < len(coded) + len(streams.data):
        above = whole.ravel().view(np.uint32) - np.uint32(least % (1 << 32))
        packed = _segments.pack_bits(above, width)
        return _segments.title(Kind.FIXED, name, shape) + fixed + packed
    return b"".join((_segments.title(Kind.CODED, name, shape), coded, streams.data.data))


def _decode(model: Model | Array, segment: Segment, index: Array | None, threads: int) -> Any:
    """The values of a segment. Raises CorruptStreamError if they are others than were encoded."""
    if segment._kind is not Kind.CODED:
        _parts.check_shape(model, segment.shape, index)
        return as_decoded(model, segment.stored())
    packed = _core.Packed(np.frombuffer(segment._payload, np.uint8), segment._lengths)
    values = _parts.decode(model, segment.shape, index, packed, threads)
    found = _segments.checksum(_core.checksum(_tensors.numbers(values)))
    if found != segment._checksum:
        raise CorruptStreamError
    return as_decoded(model, values)


def _open_for(path: Path, temporary: Path) -> BinaryIO:
    """The temporary file; what is wrong with it is said of the path that it is for."""
    try:
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        return temporary.open("xb")
    except OSError as error:
        raise type(error)(error.errno, error.strerror, str(path)) from None


def _read(file: File) -> memoryview:
    if isinstance(file, (str, os.PathLike)):
        return memoryview(Path(file).read_bytes())
    if not callable(getattr(file, "read", None)):
        raise TypeError(f"file is of type {type(file).__name__}: expected a path or a file")
    data = file.read()
    if not isinstance(data, bytes):
        raise TypeError(f"file gives {type(data).__name__}: expected one that is opened for bytes")
    return memoryview(data)


def _check_model_id(model_id: Any) -> bytes:
    if not isinstance(model_id, (bytes, bytearray)):
        raise TypeError(f"model_id is of type {type(model_id).__name__}: expected bytes")
    if len(model_id) > _segments.MAX_ID:
        raise ValueError(
            f"model_id has {len(model_id)} bytes: expected {_segments.MAX_ID} or fewer; "
            "torchac.fingerprint gives 8 bytes of a state_dict"
        )
    return bytes(model_id)


def _check_name(name: Any) -> None:
    if name is None:
        return
    if not isinstance(name, str):
        raise TypeError(f"name is of type {type(name).__name__}: expected a str")
    size = len(name.encode())
    if not 1 <= size <= _segments.MAX_NAME:
        raise ValueError(f"name has {size} bytes: expected 1 to {_segments.MAX_NAME}")
