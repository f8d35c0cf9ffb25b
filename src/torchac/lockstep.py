"""Many streams step by step, as for the texts of a language model or the pixels of images."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from torchac import _checks, _coding, _core, _tensors
from torchac._tensors import BOOLS, CPU, Array, NDArray, Stream
from torchac.errors import CorruptStreamError
from torchac.models._base import Item
from torchac.models._from_argument import to_model

__all__ = ["BatchDecoder", "BatchEncoder"]


class BatchEncoder:
    """Encodes into many streams in lockstep: each call adds the same number of values to each.

    Each stream is the one that a separate `Encoder` would give. `copy.copy` forks all of them. A
    call that raises encodes nothing.

    Args:
        batch_size: The number of streams, B.

    Raises:
        TypeError: `batch_size` is not an integer.
        ValueError: It is negative.

    Example:
        >>> import torch, torchac
        >>> encoder = torchac.BatchEncoder(3)
        >>> model = torchac.Categorical(logits=torch.tensor([[2.0, 0], [0, 1], [0, 0]]))
        >>> encoder.encode(model, torch.tensor([0, 1, 1]))
        >>> active = torch.tensor([True, False, True])
        >>> encoder.encode(model, torch.tensor([0, 0, 1]), active=active)
        >>> decoder = torchac.BatchDecoder(encoder.finish())
        >>> decoder.decode(model)
        tensor([0, 1, 1], dtype=torch.int32)
        >>> decoder.decode(model, active=active)
        tensor([0, 0, 1], dtype=torch.int32)
    """

    def __init__(self, batch_size: int) -> None:
        size = _checks.check_integer("batch_size", batch_size)
        if size < 0:
            raise ValueError(f"batch_size is {size}: expected 0 or more")
        self._size = size
        self._core = _core.Encoder(size, with_checksums=True)

    def encode(
        self,
        model: Any,
        values: Any,
        *,
        index: Array | None = None,
        active: Array | None = None,
    ) -> None:
        """Encodes values at the ends of the streams.

        Args:
            model: The model, or the CDF, of the values, as for `torchac.encode`.
            values: Values, or symbols with a CDF, of shape `(B, …)`: `values[b]` goes to stream b.
            index: As for `torchac.encode`.
            active: The streams that take part, bool of shape `(B,)`. The values of the others are
                ignored.

        Raises:
            TypeError: As `torchac.encode`.
            ValueError: As `torchac.encode`, with the stream in the message.
            RuntimeError: As `Encoder.encode`.
        """
        if index is None and active is None and self._core.quick_batch(model, values):
            return
        streams = _ActiveStreams.of(active, self._size)
        values = _checks.check_values(values)
        shape = tuple(values.shape)
        _check_batch("values", shape, self._size)
        model = to_model(model)
        model, elements = model.broadcast_to(shape, model.check_index(index))
        model, elements, values = streams.select(Item(model, elements, values))
        item = model.fit(values, elements, checked=True)
        streams.check(_coding.try_encode(self._core, item, streams.numbers), item)

    def mark(self, *, active: Array | None = None) -> None:
        """Encodes a mark, as `Encoder.mark`, into each stream.

        Args:
            active: As for `encode`.

        Raises:
            RuntimeError: As `Encoder.encode`.
        """
        self._core.mark(_ActiveStreams.of(active, self._size).numbers)

    def finish(self) -> list[bytes]:
        """Ends the streams, and the use of the encoder.

        Returns:
            The B streams.

        Raises:
            RuntimeError: As `Encoder.encode`.
        """
        return self._core.finish()

    @property
    def num_bits(self) -> list[int]:
        """`Encoder.num_bits` of each stream."""
        return self._core.num_bits()

    def __copy__(self) -> BatchEncoder:
        other = BatchEncoder.__new__(type(self))
        other.__dict__.update(self.__dict__, _core=copy.copy(self._core))
        return other


class BatchDecoder:
    """Decodes many streams in lockstep.

    `copy.copy` forks all of them. A call that raises leaves them where they were.

    Args:
        byte_streams: B streams, as for `Decoder`.

    Raises:
        TypeError: They are not a sequence, or one of them is not bytes-like.

    Example:
        See `BatchEncoder`.
    """

    def __init__(self, byte_streams: Sequence[Stream]) -> None:
        streams: Any = byte_streams
        if not isinstance(streams, Sequence) or isinstance(streams, (bytes, str, memoryview)):
            raise TypeError(
                f"byte_streams is of type {type(streams).__name__}: expected a sequence of streams"
            )
        self._size = len(streams)
        self._core = _core.Decoder([_checks.check_stream(s) for s in streams], with_checksums=True)

    def decode(self, model: Any, *, index: Array | None = None, active: Array | None = None) -> Any:
        """Decodes the next values of each stream.

        Args:
            model: The model, or the CDF, that they were encoded with, of shape `(B, …)`.
            index: As for `torchac.decode`, of shape `(B, …)`.
            active: As it was for encoding.

        Returns:
            int32 of that shape, on the model's device; 0 where streams are not active.

        Raises:
            TypeError: As `torchac.decode`.
            CorruptStreamError: A stream ends, or contradicts the model.
            ValueError: As `torchac.decode`.
            RuntimeError: As `Decoder.decode`.
        """
        if index is None and active is None:
            quick = self._core.quick_batch(model)
            if quick is not None:
                return quick
        streams = _ActiveStreams.of(active, self._size)
        whole = _coding.to_decode(to_model(model), index)
        _check_batch("the model", tuple(whole.values.shape), self._size)
        item = streams.select(whole)
        streams.check(_coding.try_decode(self._core, item, streams.numbers), item)
        values = streams.spread(item.values, whole.values)
        return whole.model.like_parameters(values.astype(np.int32, copy=False))

    def mark(self, *, active: Array | None = None) -> None:
        """Reads a mark of each stream, as `Decoder.mark`.

        Args:
            active: As it was for encoding.

        Raises:
            CorruptStreamError: As `Decoder.mark`, with the stream in the message.
            RuntimeError: As `Decoder.decode`.
        """
        streams = _ActiveStreams.of(active, self._size)
        report = self._core.mark(streams.numbers)
        if report is not None:
            raise _coding.explain_mark(report, streams.prefix(report.item))

    def finish(self) -> None:
        """Checks that all streams have been decoded whole.

        Raises:
            CorruptStreamError: A stream has more bytes than its decoded values take.
        """
        _coding.check_end(self._core)

    def __copy__(self) -> BatchDecoder:
        other = BatchDecoder.__new__(type(self))
        other.__dict__.update(self.__dict__, _core=copy.copy(self._core))
        return other


def _check_batch(name: str, shape: tuple[int, ...], size: int) -> None:
    if not shape or shape[0] != size:
        raise ValueError(f"{name} has shape {shape}: expected ({size}, …), one part a stream")


class _ActiveStreams:
    """The streams that take part in a call: those with these numbers, or all."""

    def __init__(self, numbers: list[int] | None) -> None:
        self.numbers = numbers

    @classmethod
    def of(cls, active: Array | None, size: int) -> _ActiveStreams:
        """The streams that `active` selects."""
        if active is None:
            return cls(None)
        _checks.check_array("active", active)
        _checks.check_elements("active", active)
        _checks.check_dtype("active", active, BOOLS)
        if tuple(active.shape) != (size,):
            raise ValueError(
                f"active has shape {tuple(active.shape)}: expected ({size},), one for each stream"
            )
        numbers = np.flatnonzero(_tensors.view(active)).tolist()
        return cls(None if len(numbers) == size else numbers)

    def select(self, item: Item) -> Item:
        """The values of these streams, and their part of the model."""
        if self.numbers is None:
            return item
        numbers = torch.tensor(self.numbers, dtype=torch.int64, device=CPU)
        values = _tensors.take(item.values, numbers)
        if item.elements is not None:
            return Item(item.model, _tensors.take(item.elements, numbers), values)
        return Item(item.model.select(numbers), None, values)

    def spread(self, values: NDArray, whole: NDArray) -> NDArray:
        """The values of all streams: 0 where they are not active."""
        if self.numbers is None:
            return values
        whole[...] = 0
        whole[self.numbers] = values
        return whole

    def prefix(self, number: int) -> str:
        """The beginning of a message about a stream."""
        if self.numbers is None:
            return f"stream {number}: "
        return f"stream {self.numbers[number]}, number {number} of the active ones: "

    def check(self, report: _core.Report | None, item: Item) -> None:
        """Raises the error that a report describes."""
        if report is None:
            return
        prefix = self.prefix(report.item)
        if report.problem is _core.Problem.TRUNCATED:
            raise CorruptStreamError(f"{prefix}the stream ends before its values do")
        raise _coding.explain(report, item, prefix)
