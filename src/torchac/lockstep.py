"""Many streams step by step: texts that a language model writes together, images pixel by pixel."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from torchac import _checks, _coding, _core, _tensors, _values, errors
from torchac._as_model import as_decoded, as_model
from torchac._rows import Rows, check_cdf, check_whole
from torchac._tensors import BOOLS, CPU, Array, NDArray, Stream, as_tensor, like
from torchac.codec import rows_for
from torchac.models import Model, take

__all__ = ["BatchDecoder", "BatchEncoder"]


class BatchEncoder:
    """Encodes into many streams in lockstep: each call adds as much to each of them.

    A stream is the one that an `Encoder` of its own would give. `copy.copy` forks all of them. A
    call that raises, whatever the reason, encodes nothing.

    Args:
        batch_size: How many streams, B.

    Raises:
        TypeError: `batch_size` is no integer.
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
        self._core = _core.Encoder(size, marked=True)

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
            active: Which streams take part, bool of shape `(B,)`. The values of the others do not
                matter.

        Raises:
            TypeError: As `torchac.encode`.
            ValueError: As `torchac.encode`; the message names the stream.
            RuntimeError: As `Encoder.encode`.
        """
        values = _values.check_values(values)
        _check_batch("values", tuple(values.shape), self._size)
        part = _Part.of(active, self._size)
        its_model = as_model(model)
        if its_model is None:
            rows = part.rows(rows_for(model, tuple(values.shape), index))
            its = check_whole(part.array(like(as_tensor(values), rows.cdf)), rows)
            with_report = _coding.attempt(self._core, rows, its, False, False, part.chosen)
            part.check(with_report, lambda report, name: errors.explain(report, rows, its, name))
            return
        numbered = _values.check_index(index)
        coded, numbered = its_model._for_values(tuple(values.shape), numbered)
        coded, numbered = part.model(coded, numbered)
        chosen = part.array(values)
        report = self._core.encode_values(
            coded._view(numbered), _tensors.numbers(chosen), part.chosen
        )
        part.check(report, lambda r, name: _values.explain(r, coded, numbered, chosen, item=name))

    def mark(self, *, active: Array | None = None) -> None:
        """Encodes a mark, as `Encoder.mark`, into each stream.

        Args:
            active: As for `encode`.

        Raises:
            RuntimeError: As `Encoder.encode`.
        """
        self._core.mark(_Part.of(active, self._size).chosen)

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
        """As `Encoder.num_bits`, of each stream."""
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
        TypeError: They are no sequence, or one of them is no bytes.

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
        self._core = _core.Decoder([_checks.check_stream(s) for s in streams], marked=True)

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
        part = _Part.of(active, self._size)
        its_model = as_model(model)
        if its_model is None:
            whole = check_cdf(model, True, index)
            _check_batch("the model", whole.shape, self._size)
            rows = part.rows(whole)
            symbols = np.empty(rows.shape, np.int16)
            report = self._core.decode(rows.view(), symbols, part.chosen)
            part.check(report, lambda r, name: errors.explain(r, rows, None, name))
            return as_decoded(model, part.whole(symbols, whole.shape))
        numbered = _values.check_index(index)
        shape = _values.decoded_shape(its_model, numbered)
        _check_batch("the model", shape, self._size)
        coded, numbered = its_model._for_values(shape, numbered)
        coded, numbered = part.model(coded, numbered)
        result = np.empty(part.shape(shape), np.int32)
        report = self._core.decode_values(coded._view(numbered), result, part.chosen)
        part.check(
            report,
            lambda r, name: _values.explain(r, coded, numbered, None, result.shape, item=name),
        )
        return as_decoded(its_model, part.whole(result, shape))

    def mark(self, *, active: Array | None = None) -> None:
        """Reads a mark of each stream, as `Decoder.mark`.

        Args:
            active: As it was for encoding.

        Raises:
            CorruptStreamError: As `Decoder.mark`; the message names the stream.
            RuntimeError: As `Decoder.decode`.
        """
        part = _Part.of(active, self._size)
        report = self._core.mark(part.chosen)
        if report is not None:
            raise errors.wrong_mark(report, part.name(report.item))

    def finish(self) -> None:
        """Says that all is decoded.

        Raises:
            CorruptStreamError: A stream has more bytes than what was decoded takes.
        """
        _coding.check_end(self._core)

    def __copy__(self) -> BatchDecoder:
        other = BatchDecoder.__new__(type(self))
        other.__dict__.update(self.__dict__, _core=copy.copy(self._core))
        return other


def _check_batch(name: str, shape: tuple[int, ...], size: int) -> None:
    if not shape or shape[0] != size:
        raise ValueError(f"{name} has shape {shape}: expected ({size}, …), one part a stream")


class _Part:
    """The streams that take part in a call."""

    def __init__(self, chosen: list[int] | None) -> None:
        self.chosen = chosen

    @classmethod
    def of(cls, active: Array | None, size: int) -> _Part:
        """Those that are active."""
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

    @property
    def _numbers(self) -> torch.Tensor:
        return torch.tensor(self.chosen, dtype=torch.int64, device=CPU)

    def array(self, array: Array) -> Array:
        """Its elements of the first dimension."""
        return array if self.chosen is None else take(array, self._numbers)

    def shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The shape of these."""
        return shape if self.chosen is None else (len(self.chosen), *shape[1:])

    def rows(self, rows: Rows) -> Rows:
        """Their rows."""
        if rows.table is None:
            return rows._replace(cdf=self.array(rows.cdf), shape=self.shape(rows.shape))
        return rows._replace(table=self.array(rows.table), shape=self.shape(rows.shape))

    def model(self, model: Model, index: Array | None) -> tuple[Model, Array | None]:
        """Their model and index."""
        if self.chosen is None:
            return model, index
        if index is not None:
            return model, self.array(index)
        return model._take(self._numbers), None

    def whole(self, part: NDArray, shape: tuple[int, ...]) -> NDArray:
        """A result for all streams."""
        if self.chosen is None:
            return part
        result = np.zeros(shape, part.dtype)
        result[self.chosen] = part
        return result

    def name(self, number: int) -> str:
        """How messages begin."""
        if self.chosen is None:
            return f"stream {number}: "
        return f"stream {self.chosen[number]}, number {number} of the active ones: "

    def check(
        self,
        report: _core.Report | None,
        explain: Callable[[_core.Report, str], ValueError],
    ) -> None:
        """Raises what a report says."""
        if report is None:
            return
        name = self.name(report.item)
        if report.problem is _core.Problem.TRUNCATED:
            raise errors.CorruptStreamError(f"{name}the stream ends before its values do")
        raise explain(report, name)
