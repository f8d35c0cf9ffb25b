"""Files of tensors, coded with any model, which another machine reads correctly or not at all.

A file has a segment for each tensor: its shape, its bytes, and checksums of the bytes and of the
decoded values. So a damaged byte and a different model are both detected, and told apart.
"""

from __future__ import annotations

import copy
import io
import math
import operator
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Any, Literal, NoReturn

import numpy as np
import torch

from torchac import _checks, _coding, _core, _file_format, _storage, _tensors
from torchac._file_format import Kind, Segment
from torchac._storage import File
from torchac._tensors import Array, NDArray
from torchac.errors import CorruptStreamError
from torchac.models._base import Item, Model
from torchac.models._from_argument import to_model
from torchac.threads import check_threads

__all__ = ["Reader", "Segment", "Writer"]


class Writer:
    """Writes tensors into a file, each with its own model.

    A file appears at its path only when it is complete: it is written under a temporary name in the
    same directory, and renamed at the end. If the `with` block raises, the path stays as it was. A
    pipe, or anything else at the path that is not a regular file, is written to directly. With a
    file object, each call of `write` writes its segment at once, or nothing if it raises.

    A writer belongs to the process that made it. In a fork of that process, `write` and `close`
    raise `RuntimeError`, and the end of a `with` block does nothing.

    Args:
        file: A path, or a file object to write bytes to.
        model_id: At most 255 bytes that identify the model needed to read the file: a name with a
            version, or `torchac.fingerprint(model.state_dict())`.

    Raises:
        TypeError: `file` is neither, or `model_id` is not bytes.
        ValueError: `model_id` is too long.
        OSError: The file cannot be written or replaced.

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
        [Segment(name='y', shape=(2, 3), bytes=14, how='3 bits each')]
        tensor([[ 0,  3, -1],
                [ 2,  0,  0]], dtype=torch.int32)
    """

    def __init__(self, file: File, *, model_id: bytes = b"") -> None:
        head = _file_format.head(_check_model_id(model_id))
        self._lock = _core.Lock()  # segments are written one after the other
        self._names: set[str] = set()
        self._count = 0
        self._crc = 0
        self._failed = False
        self._output: _storage.Output | None = _storage.Output(file)
        self._where = str(self._output)
        self._put([head])

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

        Large tensors are cut into streams, which threads share; the cuts depend on the shape alone.
        If coding would expand the values, they are stored with a fixed number of bits each.

        Args:
            model: As for `torchac.encode`.
            values: As for `torchac.encode`; at most 31 dimensions.
            index: As for `torchac.encode`.
            name: A name to read the tensor by: unique in the file, at most 255 bytes.
            num_threads: The most threads to use; by default as `set_num_threads` says.

        Raises:
            TypeError: As `torchac.encode`.
            ValueError: As `torchac.encode`; or a name that is too long or already used.
            RuntimeError: The file is closed, writing to it failed before, or another process made
                the writer.
            OSError: The file cannot be written. It is then closed, because part of the segment may
                have been written.
        """
        self._check_process()
        threads = check_threads(num_threads)
        _check_name(name)
        values = _checks.check_values(values)
        _check_shape(tuple(values.shape))
        segment = _encode(to_model(model).fit(values, index, checked=True), values, name, threads)
        with self._lock:
            self._check_open()
            if name in self._names:
                raise ValueError(f"the file already has a segment named {name!r}")
            self._put(segment)
            if name is not None:
                self._names.add(name)
            self._count += 1

    def close(self) -> None:
        """Ends the file. Does nothing if it is closed already.

        Raises:
            OSError: The file cannot be written or renamed.
            RuntimeError: Writing has failed, so the file cannot be ended; or another process made
                the writer.
        """
        self._check_process()
        with self._lock:
            if self._failed:
                raise RuntimeError("writing to the file failed before: write all of it again")
            if self._output is None:
                return
            self._put([bytes([Kind.END])])
            try:
                self._output.commit()
            except BaseException:
                self._abandon()
                raise
            self._output = None

    def _put(self, parts: Sequence[bytes | memoryview]) -> None:
        """Writes the head, a segment or the end, with its CRC."""
        assert self._output is not None
        data, crc = _file_format.seal(parts, self._crc)
        try:
            self._output.write(data)
        except BaseException:
            self._abandon()
            raise
        self._crc = crc

    def _check_open(self) -> None:
        if self._output is None:
            raise RuntimeError("the file is closed: write into a new Writer")

    def _check_process(self) -> None:
        output = self._output
        if output is not None:
            output.check_process()

    def _abandon(self) -> None:
        """Deletes an incomplete file."""
        self._failed = True
        output, self._output = self._output, None
        if output is not None:
            output.abandon()

    def __enter__(self) -> Writer:
        self._check_process()
        self._check_open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        output = self._output
        if output is not None and output.inherited:
            return
        if kind is None:
            self.close()
            return
        with self._lock:
            self._abandon()

    def __del__(self) -> None:
        if getattr(self, "_output", None) is not None:
            self._abandon()

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Writer cannot be copied or pickled, because it writes one file")

    def __repr__(self) -> str:
        return f"Writer({self._where!r}, {self._count} segments)"


class Reader:
    """Reads a file of `Writer`.

    A file at a path is mapped; a file object is read into memory whole. Opening checks that the
    file is complete and undamaged, and that its model is the expected one.

    A reader can be copied and pickled. A pickled reader of a path opens it again, and raises
    `ValueError` if it finds another file; other readers are pickled with all bytes of their file.

    Args:
        file: A path, or a file object to read bytes from, up to its end.
        model_id: The identifier that the file was written with.
        max_values: The most values that a segment may have, at most 2^40. It protects against
            untrusted files: a few bytes can stand for any number of equal values, which would
            exhaust the memory.
        recover: Whether to open a damaged or incomplete file, with the segments before the damage.
        verify: "open" checks all bytes when the file is opened; "read" checks each segment when it
            is read, so reading a few segments of a large file is fast. Damage elsewhere, in other
            segments and in what `segments` says of them, is then not detected.

    Attributes:
        segments: The segments of the file, each with its name, shape, size in bytes, and how it is
            stored.
        damage: What is wrong after the segments, in words; None if the file is as it was written.

    Raises:
        TypeError: `file` is neither, or `model_id` is not bytes.
        CorruptStreamError: The file is not one of `Writer`, is incomplete, or is damaged. The
            message names the segment.
        ValueError: The file was written with another `model_id`; `verify` is neither "open" nor
            "read"; or `recover` is combined with "read".
        OSError: The file cannot be read.

    Example:
        See `Writer`. A truncated file:

        >>> import io, torch, torchac
        >>> file = io.BytesIO()
        >>> with torchac.Writer(file) as writer:
        ...     for _ in range(3):
        ...         writer.write(torchac.Normal(0.0, 2.0), torch.arange(4))
        >>> reader = torchac.Reader(io.BytesIO(file.getvalue()[:33]), recover=True)
        >>> len(reader.segments), reader.damage
        (2, 'the file ends within segment 2: it is not complete, or damaged there')
    """

    segments: Sequence[Segment]
    damage: str | None

    def __init__(
        self,
        file: File,
        *,
        model_id: bytes = b"",
        max_values: int = 1 << 30,
        recover: bool = False,
        verify: Literal["open", "read"] = "open",
    ) -> None:
        expected = _check_model_id(model_id)
        self._max_values = _check_max_values(max_values)
        recover = _checks.check_flag("recover", recover)
        if verify not in ("open", "read"):
            raise ValueError(f"verify is {verify!r}: expected 'open' or 'read'")
        if recover and verify == "read":
            raise ValueError("recover=True looks for damage at once: expected verify='open'")
        self._options = {
            "model_id": expected,
            "max_values": self._max_values,
            "recover": recover,
            "verify": verify,
        }
        self._verified = verify == "open"
        data, self._path = _storage.read(file)
        self._data: memoryview | None = data
        self._contents = _file_format.Contents(data, verify=self._verified, recover=recover)
        if self._contents.model_id != expected:
            raise ValueError(
                f"the file was written with model_id {self._contents.model_id!r}, and model_id is "
                f"{expected!r}: another model cannot read it"
            )
        self.segments, self.damage = self._contents.segments, self._contents.damage
        self._next = 0
        self._lock = _core.Lock()

    def read(
        self,
        model: Any,
        *,
        index: Array | None = None,
        name: str | None = None,
        num_threads: int | None = None,
    ) -> Any:
        """Reads the next segment, or the one with a name.

        Args:
            model: The model that it was written with, of a shape that broadcasts to the segment's.
            index: As it was for writing.
            name: The segment's name; the next call continues after it. None is the next segment,
                whatever its name.
            num_threads: As for `Writer.write`.

        Returns:
            int32, of the segment's shape, on the model's device; an array if the model has arrays.

        Raises:
            TypeError: The model has an unsupported type.
            CorruptStreamError: The decoded values differ from those written, so the model differs;
                there are more than `max_values`; or, with `verify="read"`, the segment is damaged.
                The reader stays where it is.
            ValueError: The model's shape does not broadcast to that of the segment, its parameters
                are not allowed, or there is no such segment.
            RuntimeError: The reader is closed.
        """
        threads = check_threads(num_threads)
        _check_name(name)
        with self._lock:
            data = self._check_open()
            number = self._number(name)
            header = self._contents.header(number)
            where = f"segment {number}" + (f" ({header.name!r})" if header.name else "")
            shape = tuple(header.shape)
            if math.prod(shape) > self._max_values:
                raise CorruptStreamError(
                    f"{where} has shape {shape}, more values than {self._max_values}: "
                    "if that is right, open the file with a larger max_values"
                )
            if _file_format.extent(shape) > _MOST_VALUES:  # possible if another size is 0
                raise CorruptStreamError(f"{where} has shape {shape}, which no array can have")
            if _storage.was_cut(data):
                raise CorruptStreamError(
                    f"{where} is damaged: the file was cut after it was opened"
                )
            if not self._verified and self._contents.is_damaged(data, number):
                raise CorruptStreamError(f"{where} is damaged, or the CRC of what is before it")
            payload = self._contents.payload(data, number, header)
            try:
                result = _decode(to_model(model), header, payload, index, threads)
            except CorruptStreamError as error:
                raise CorruptStreamError(f"{where} {error}") from None
            except ValueError as error:
                raise ValueError(f"{where}: {error}") from None
            self._next = number + 1
        return result

    def close(self) -> None:
        """Releases the file; `segments` stays. Does nothing if it is closed already."""
        with self._lock:
            self._data = None

    def _number(self, name: str | None) -> int:
        if name is None:
            if self._next == len(self.segments):
                raise ValueError(f"the file has {len(self.segments)} segments: all have been read")
            return self._next
        number = self._contents.find(name)
        if number is None:
            named = [segment.name for segment in self.segments[:1000] if segment.name]
            more = ", …" if len(named) > 10 else ""
            raise ValueError(
                f"no segment is named {name!r}: expected one of {named[:10] or 'none'}{more}"
            )
        return number

    def _check_open(self) -> memoryview:
        if self._data is None:
            raise RuntimeError("the file is closed: open it with a new Reader")
        return self._data

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __copy__(self) -> Reader:
        with self._lock:
            self._check_open()
            result = object.__new__(type(self))
            result.__dict__.update(self.__dict__)
            result._lock = _core.Lock()
        return result

    def __deepcopy__(self, _: object) -> Reader:
        return copy.copy(self)

    def __reduce__(self) -> tuple[Any, ...]:
        with self._lock:
            data = self._check_open()
            file = bytes(data) if self._path is None else self._path
            state = self._options, self._next, self._contents.identity
        return _reopened, (type(self), file, *state)

    def __repr__(self) -> str:
        return f"Reader({len(self.segments)} segments, the next one is {self._next})"


def _reopened(
    kind: type[Reader],
    file: str | bytes,
    options: dict[str, Any],
    position: int,
    identity: tuple[int, ...],
) -> Reader:
    """Rebuilds a pickled reader."""
    reader = kind(io.BytesIO(file) if isinstance(file, bytes) else file, **options)
    if reader._contents.identity != identity:
        raise ValueError(f"the file at {file!r} is not the one whose Reader was pickled")
    reader._next = position
    return reader


def _encode(item: Item, values: Array, name: str | None, threads: int) -> list[bytes | memoryview]:
    """The parts of a segment, except its CRC."""
    shape = tuple(values.shape)
    most = _file_format.most_streams(math.prod(shape))
    streams = _coding.encode_chunks(item, most, threads)
    fewer = _file_format.fewer_streams(most, len(streams.data))
    if fewer < most:
        streams = _coding.encode_chunks(item, fewer, threads)
    flat = _tensors.view(values.float() if values.dtype is torch.bfloat16 else values).reshape(-1)
    extremes = [(int(run.min()), int(run.max())) for run in _runs(flat)] or [(0, 0)]
    least, most = min(low for low, _ in extremes), max(high for _, high in extremes)
    if least == most:
        return [_file_format.title(Kind.CONSTANT, name, shape), _file_format.signed(least)]
    width = (most - least).bit_length()
    fixed = _file_format.signed(least) + bytes([width])
    check = _file_format.checksum(_core.checksum(_tensors.view(flat)))
    coded = _file_format.stream_lengths(len(flat), streams.lengths.tolist())
    coded += check.to_bytes(_file_format.CHECKSUM_BYTES, "little")
    if len(fixed) + -(-len(flat) * width // 8) >= len(coded) + len(streams.data):
        return [_file_format.title(Kind.CODED, name, shape), coded, streams.data.data]
    del streams  # they may take as much memory as the values
    offset = np.uint32(least % (1 << 32))
    packed = (_file_format.pack_bits(run.view(np.uint32) - offset, width) for run in _runs(flat))
    return [_file_format.title(Kind.FIXED, name, shape), fixed, *packed]


def _runs(flat: NDArray) -> Iterator[NDArray]:
    """The values as int32, in runs of at most `AT_ONCE`."""
    for start in range(0, len(flat), _file_format.AT_ONCE):
        yield flat[start : start + _file_format.AT_ONCE].astype(np.int32, copy=False)


def _decode(
    model: Model,
    header: _core.SegmentHeader,
    payload: memoryview,
    index: Array | None,
    threads: int,
) -> Any:
    """The values of a segment. The message of a CorruptStreamError continues "the segment"."""
    shape = tuple(header.shape)
    if header.kind != Kind.CODED:
        model.broadcast_to(shape, model.check_index(index))  # raises if it cannot
        try:
            return model.like_parameters(_file_format.stored(header, payload))
        except CorruptStreamError as error:
            raise CorruptStreamError(f"is damaged: {error}") from None
    lengths = np.array(header.lengths, np.int64)
    packed = _core.Packed(np.frombuffer(payload, np.uint8), lengths)
    try:
        item = _coding.to_decode(model, index, shape)
        values = _coding.decode_chunks(item, packed, threads)
        found = _file_format.checksum(_core.checksum(_tensors.view(values)))
    except CorruptStreamError:
        found = None
    if found != header.checksum:
        raise CorruptStreamError(
            "decodes to values other than those encoded: the model differs (other weights, another "
            "GPU, library or batch size, one float)"
        )
    return model.like_parameters(values.astype(np.int32, copy=False))


def _check_model_id(model_id: Any) -> bytes:
    if not isinstance(model_id, (bytes, bytearray)):
        raise TypeError(f"model_id is of type {type(model_id).__name__}: expected bytes")
    if len(model_id) > _file_format.MAX_ID:
        raise ValueError(
            f"model_id has {len(model_id)} bytes: expected {_file_format.MAX_ID} or fewer; "
            "torchac.fingerprint gives 8 bytes of a state_dict"
        )
    return bytes(model_id)


def _check_name(name: Any) -> None:
    if name is None:
        return
    if not isinstance(name, str):
        raise TypeError(f"name is of type {type(name).__name__}: expected a str")
    try:
        size = len(name.encode())
    except UnicodeEncodeError:
        raise ValueError(f"name is {name!r}, not valid in UTF-8: expected no surrogates") from None
    if not 1 <= size <= _file_format.MAX_NAME:
        raise ValueError(f"name has {size} bytes: expected 1 to {_file_format.MAX_NAME}")


def _check_shape(shape: tuple[int, ...]) -> None:
    if len(shape) > _file_format.MAX_NDIM:
        raise ValueError(
            f"values has {len(shape)} dimensions: expected {_file_format.MAX_NDIM} or fewer"
        )
    if _file_format.extent(shape) >= _file_format.LIMIT:
        raise ValueError(f"values has shape {shape}: expected sizes whose product is below 2^62")


def _check_max_values(max_values: int) -> int:
    try:
        result = operator.index(max_values)
    except TypeError:
        raise TypeError(
            f"max_values is of type {type(max_values).__name__}: expected an int"
        ) from None
    if not 0 <= result <= _MOST_VALUES:
        raise ValueError(f"max_values is {result}: expected an integer from 0 to {_MOST_VALUES}")
    return result


_MOST_VALUES = 1 << 40  # NumPy can hold this many, even with a row for each value
