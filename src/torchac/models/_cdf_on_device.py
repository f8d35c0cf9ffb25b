"""Copies as little of a CDF on another device as coding needs."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import torch

from torchac._tensors import CPU, Array, as_tensor
from torchac.models._base import Item
from torchac.models._cdf import CdfModel
from torchac.quantize import TOTAL, quantize_columns, scale_cdf

# The core checks all rows if there are at most this many, or at most one for this many symbols: its
# kFewRows. So few rows are not worth gathering either.
FEW_ROWS = 64


def reduce_for_host(items: Sequence[Item]) -> list[Item] | None:
    """Items on the host with fewer rows, which give the same streams.

    Of tables, only the used ones are copied, if there are fewer symbols than tables. Of a large
    tensor of rows, the bounds of each symbol's interval are copied.

    Returns:
        An item for each; or None if there are few rows, or something is wrong or unusual with any.
        The host then takes all rows, and reports what is wrong.
    """
    if _has_few_rows(items):
        return None
    sharing = Counter[int]()  # symbols, by the tables that they share
    for item in items:
        sharing[id(_cdf_of(item).cdf)] += math.prod(item.values.shape)
    reduced = []
    for item in items:
        model = _cdf_of(item)
        if item.elements is None:
            less = _bounds_only(model, item.values)
        else:
            less = _used_tables(model, item.elements, item.values, sharing[id(model.cdf)])
        if less is None or (model.check and not _is_valid(model)):
            return None
        reduced.append(less)
    return reduced


def interval_sizes(item: Item) -> torch.Tensor | None:
    """The size of each symbol's interval, in parts of 65536, on the CDF's device.

    Returns:
        int32 of the symbols' shape; or None for tables, and in the cases of `reduce_for_host`.
    """
    if item.elements is not None or _has_few_rows([item]):
        return None
    parts = _bounds(_cdf_of(item), _own_integers(item.values))
    return None if parts is None else parts[..., 1] - parts[..., 0]


def _cdf_of(item: Item) -> CdfModel:
    assert isinstance(item.model, CdfModel)  # other models are copied to the host whole
    return item.model


def _bounds(model: CdfModel, symbols: torch.Tensor) -> torch.Tensor | None:
    """The beginning and end of each symbol's interval, in parts of 65536.

    Returns:
        int32 of shape `(*symbols.shape, 2)`, on the CDF's device; or None if a symbol or a CDF
        value cannot be used, or an interval is empty.
    """
    last = model.symbols - 1
    if not ((symbols >= 0) & (symbols <= last)).all():
        return None
    is_last = symbols == last
    # The last value of a row is never read.
    columns = torch.stack([symbols, torch.where(is_last, symbols, symbols + 1)], dim=-1)
    values = _gatherable(model).gather(-1, columns)
    if model.is_float:
        product = scale_cdf(values, model.symbols, model.normalize)
        if not torch.isfinite(product).all():
            return None
        parts = quantize_columns(product, columns.int(), model.normalize)
    else:
        parts = values.int() & (TOTAL - 1)
    parts[..., 1][is_last] = TOTAL
    return parts if (parts[..., 1] > parts[..., 0]).all() else None


def _has_few_rows(items: Sequence[Item]) -> bool:
    count = symbols = 0
    for model, elements, values in items:
        if elements is not None:
            return False
        steps = zip(model.shape, as_tensor(model.parameters[0]).stride(), strict=False)
        count += math.prod(size for size, step in steps if step != 0)
        symbols += math.prod(values.shape)
    return count <= max(FEW_ROWS, symbols // FEW_ROWS)


def _used_tables(model: CdfModel, index: Array, sym: Array, sharing: int) -> Item | None:
    """The table of each symbol, if there are more tables than symbols that share them."""
    numbers = _own_integers(index)
    tables = model.shape[0]
    if sharing >= tables or not ((numbers >= 0) & (numbers < tables)).all():
        return None
    used = _gatherable(model)[numbers.flatten()]
    return Item(model.of_rows(used), torch.arange(len(used), device=CPU).view(numbers.shape), sym)


def _bounds_only(model: CdfModel, sym: Array) -> Item | None:
    """The interval [low, high) of each symbol, as a separate row of two symbols.

    Symbol 0 codes it in the row low, high, and an end that is not read. If high is 65536, which
    does not fit, symbol 1 codes it in the row 0, low, and that end.
    """
    symbols = _own_integers(sym)
    if model.clamp and "uint64" in str(sym.dtype) and (symbols < 0).any():
        return None  # they are large, not negative
    if model.clamp:
        symbols = symbols.clamp(*model.bounds)
    parts = _bounds(model, symbols)
    if parts is None:
        return None
    low, high = parts.to(torch.int16).unbind(-1)
    nothing = torch.zeros_like(low)
    is_last = parts[..., 1] == TOTAL
    first, second = torch.where(is_last, nothing, low), torch.where(is_last, low, high)
    pairs = torch.stack([first, second, nothing], dim=-1).cpu()
    rows = CdfModel(pairs, check=model.check, clamp=model.clamp)
    return Item(rows, None, is_last.to(torch.uint8).cpu())


def _own_integers(array: Array) -> torch.Tensor:
    """A copy, so that no one changes the numbers after they were checked."""
    return as_tensor(array).to(torch.int64, copy=True)


def _gatherable(model: CdfModel) -> torch.Tensor:
    """The CDF; integers as int16, as torch cannot gather uint16."""
    cdf = as_tensor(model.cdf)
    return cdf if model.is_float or cdf.element_size() != 2 else cdf.view(torch.int16)


def _is_valid(model: CdfModel) -> bool:
    """Whether rows lie in [0, 1] and do not decrease, neither as floats nor converted."""
    cdf = as_tensor(model.cdf)
    if not model.is_float:
        values = cdf[..., :-1].int() & (TOTAL - 1)  # the last one is never read
        return bool((values[..., 1:] >= values[..., :-1]).all())
    increases = (cdf[..., 1:] >= cdf[..., :-1]).all()
    bounded = (cdf[..., 0] >= 0).all() & (cdf[..., -1] <= 1).all()
    # Without normalization, a value before the end that is rounded up to 1 would wrap to 0.
    product = scale_cdf(cdf[..., -2], model.symbols, model.normalize)
    wraps = not model.normalize and bool((product.round() >= TOTAL).any())
    return bool(increases & bounded) and not wraps
