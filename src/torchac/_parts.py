"""One tensor in several streams, which threads share: runs of its values, of one length."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from torchac import _core, _gather, _tensors, _values, errors
from torchac._rows import Rows, check_whole
from torchac._tensors import Array, NDArray, as_tensor, like
from torchac.codec import rows_for
from torchac.models import Model

# A stream has 2^17 to 2^18 values, so that its length and its end, 5 bytes, are less than a
# thousandth of it from 0.3 bits a value on.
LOG2_OF_VALUES = 17


def size_of_part(values: int) -> int:
    """How many values of so many each stream has, but for the last one."""
    return max(1, -(-values // max(1, values >> LOG2_OF_VALUES)))


def encode(model: Model | Array, values: Array, index: Any, threads: int) -> _core.Packed:
    """The streams of values that were checked, but for whether the model can code them."""
    shape = tuple(values.shape)
    if not isinstance(model, Model):
        rows = rows_for(model, shape, index)
        return _encode_symbols(rows, like(as_tensor(values), rows.cdf), threads)
    its, numbered = model._for_values(shape, _values.check_index(index))
    streams = _core.encode_value_parts(
        its._view(numbered), _tensors.numbers(values), _size(shape), threads
    )
    if isinstance(streams, _core.Report):
        raise _values.explain(streams, its, numbered, values)
    return streams


def _encode_symbols(rows: Rows, symbols: Array, threads: int) -> _core.Packed:
    symbols = check_whole(symbols, rows)
    items = [(rows, symbols)]
    if not _tensors.on_host(rows.cdf):
        items = (_gather.gather(items, check=False, clamp=False) or []) + items
    for its_rows, its_symbols in items:  # what is gathered, if anything is, and all if that fails
        size = _size(rows.shape)
        streams = _core.encode_parts(its_rows.view(), _tensors.view(its_symbols), size, threads)
        if isinstance(streams, _core.Packed):
            return streams
        report = streams
    raise errors.explain(report, rows, symbols)


def decode(
    model: Model | Array, shape: tuple[int, ...], index: Any, streams: _core.Packed, threads: int
) -> NDArray:
    """Values of that shape, as int32 or int16."""
    if not isinstance(model, Model):
        rows = rows_for(model, shape, index)
        symbols = np.empty(shape, np.int16)
        report = _core.decode_parts(rows.view(), streams, symbols, _size(shape), threads)
        if report is not None:
            raise errors.explain(report, rows)
        return symbols
    its, numbered = model._for_values(shape, _values.check_index(index))
    values = np.empty(shape, np.int32)
    report = _core.decode_value_parts(its._view(numbered), streams, values, _size(shape), threads)
    if report is not None:
        raise _values.explain(report, its, numbered, None, shape)
    return values


def check_shape(model: Model | Array, shape: tuple[int, ...], index: Any) -> None:
    """Raises if the model is none for values of that shape."""
    if isinstance(model, Model):
        model._for_values(shape, _values.check_index(index))
    else:
        rows_for(model, shape, index)


def _size(shape: tuple[int, ...]) -> int:
    return size_of_part(math.prod(shape))
