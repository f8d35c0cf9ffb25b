"""The order of steps in coding values with models."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import torch

from torchac import _checks, _core, _tensors, errors
from torchac._tensors import BOOLS, NUMBERS, Array, NDArray
from torchac.models import Model

if TYPE_CHECKING:
    from typing_extensions import Buffer

Item: TypeAlias = tuple[Model, Array | None]
"""A model, and an index if its elements are chosen."""

_NUMBERS_AND_BOOLS = NUMBERS | BOOLS


def check_values(values: Any) -> Array:
    """Values of any number type; that they are whole is seen when they are coded."""
    if type(values) is not torch.Tensor and isinstance(
        values, (bool, int, float, np.integer, np.floating, np.bool_)
    ):
        values = np.array(values)
        if values.dtype.kind == "O":  # beyond 64 bits
            values = np.array(_checks.check_number("values", values))
    _checks.check_array("values", values)
    _checks.check_elements("values", values)
    _checks.check_ndim("values", values)
    _checks.check_dtype("values", values, _NUMBERS_AND_BOOLS)
    plain: Array = _tensors.plain(values)
    bits = BOOLS.get(plain.dtype)
    return plain if bits is None else plain.view(bits)


def check_index(index: Any) -> Array | None:
    """An index of any integer type."""
    if index is None:
        return None
    _checks.check_array("index", index)
    _checks.check_elements("index", index)
    _checks.check_dtype("index", index, _tensors.INTEGERS)
    plain: Array = _tensors.plain(index)
    return plain


def check_no_clamp(clamp: bool) -> None:
    """Values that a model cannot code are refused."""
    if clamp:
        raise ValueError("clamp is for symbols of a CDF: clamp the values before, with a model")


def decoded_shape(model: Model, index: Array | None) -> tuple[int, ...]:
    """The shape of what is decoded."""
    return model.shape if index is None else tuple(index.shape)


def encode(encoder: _core.Encoder, model: Model, values: Any, index: Any) -> None:
    """Codes the values; where that fails, raises and leaves the encoder as it was."""
    values, index = check_values(values), check_index(index)
    its, numbered = model._for_values(tuple(values.shape), index)
    report = encoder.encode_values(its._view(numbered), _tensors.numbers(values))
    if report is not None:
        raise explain(report, its, numbered, values)


def decode(decoder: _core.Decoder, model: Model, index: Any) -> NDArray:
    """Decodes a value for each element; where that fails, leaves the decoder as it was."""
    index = check_index(index)
    result = np.empty(decoded_shape(model, index), np.int32)
    its, numbered = model._for_values(result.shape, index)
    report = decoder.decode_values(its._view(numbered), result)
    if report is not None:
        raise explain(report, its, numbered, None, result.shape)
    return result


def measure(model: Model, values: Any, index: Any) -> NDArray:
    """What each value costs."""
    values, index = check_values(values), check_index(index)
    its, numbered = model._for_values(tuple(values.shape), index)
    result = np.empty(tuple(values.shape))
    report = _core.measure_values(its._view(numbered), _tensors.numbers(values), result)
    if report is not None:
        raise explain(report, its, numbered, values)
    return result


def encode_batch(
    model: Model, values: Any, index: Any, packed: bool, threads: int
) -> list[bytes] | _core.Packed:
    """Codes the items of one array, each into a stream of its own."""
    values, index = check_values(values), check_index(index)
    if not values.ndim:
        raise ValueError("values has shape (): expected (B, …), the items of a batch")
    its, numbered = model._for_values(tuple(values.shape), index)
    numbers = _tensors.numbers(values)
    streams = _core.encode_value_batch(its._view(numbered), numbers, packed, threads)
    if isinstance(streams, _core.Report):
        raise explain(streams, its, numbered, values, batch=True)
    return streams


def encode_items(
    items: list[Item], values: list[Any], packed: bool, threads: int
) -> list[bytes] | _core.Packed:
    """The same of items that differ in their shapes or models."""
    with errors.with_item_name(values) as each_value:
        each = [check_values(v) for v in each_value]
    with errors.with_item_name(zip(items, each, strict=True)) as pairs:
        items = [m._for_values(tuple(v.shape), i) for (m, i), v in pairs]
    views, numbers = [m._view(i) for m, i in items], [_tensors.numbers(v) for v in each]
    streams = _core.encode_value_items(views, numbers, packed, threads)
    if isinstance(streams, _core.Report):
        item = streams.item
        raise explain(streams, *items[item], each[item], item=errors.item_name(item))
    return streams


def decode_batch(
    model: Model, streams: Sequence[Buffer] | _core.Packed, index: Array | None, threads: int
) -> Any:
    """Decodes items to one array."""
    result = np.empty(decoded_shape(model, index), np.int32)
    its, numbered = model._for_values(result.shape, index)
    report = _core.decode_value_batch(its._view(numbered), streams, result, threads)
    if report is not None:
        raise explain(report, its, numbered, None, result.shape, batch=True)
    return model._like(result)


def decode_items(
    items: list[Item], streams: Sequence[Buffer] | _core.Packed, threads: int
) -> list[Any]:
    """Decodes items to arrays of their own."""
    results = [np.empty(decoded_shape(m, i), np.int32) for m, i in items]
    with errors.with_item_name(zip(items, results, strict=True)) as pairs:
        coded = [m._for_values(result.shape, i) for (m, i), result in pairs]
    views = [m._view(i) for m, i in coded]
    report = _core.decode_value_items(views, streams, results, threads)
    if report is not None:
        item = report.item
        name = errors.item_name(item)
        raise explain(report, *coded[item], None, results[item].shape, item=name)
    return [m._like(result) for (m, _), result in zip(items, results, strict=True)]


def explain(
    report: _core.Report,
    model: Model,
    index: Array | None,
    values: Array | None,
    shape: tuple[int, ...] | None = None,
    *,
    item: str = "",
    batch: bool = False,
) -> ValueError:
    """Turns the core's report into an exception: on one of the items of a batch, or on all."""
    shape = tuple(values.shape) if values is not None else shape or ()
    first: tuple[int, ...] = ()
    if batch:
        first, shape, item = (report.item,), shape[1:], f"item {report.item}: "
    position = tuple(map(int, np.unravel_index(report.position, shape))) if shape else ()
    whole = (*first, *position)
    problem = report.problem
    if problem is _core.Problem.TRUNCATED:
        return errors.CorruptStreamError(
            f"{item}the stream ends before its values do: {report.position} of {math.prod(shape)} "
            "are in it"
        )
    if problem is _core.Problem.CONTRADICTED:
        return errors.CorruptStreamError(
            f"{item}the stream contradicts the model at index {position}: no value can have been "
            "written there, so it is damaged or was written with another model"
        )
    if problem is _core.Problem.VALUE and values is not None:
        low, high = model.bounds
        return ValueError(
            f"{item}value {values[whole].item()} at index {position}: expected whole numbers from "
            f"{low} to {high}"
        )
    if problem is _core.Problem.INDEX and index is not None:
        return ValueError(
            f"{item}index {index[whole].item()} at index {position} is out of range: expected 0 to "
            f"{model.shape[0] - 1}"
        )
    try:
        element = whole if index is None else (int(index[whole].item()),)
        return ValueError(item + model._blame(problem, element, report.column))
    except IndexError:  # what was wrong is no longer there
        return ValueError(
            f"{item}the model, the values or their index were changed while they were coded"
        )
