"""A CDF on another device: as little of it as coding needs, on the host."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import TypeAlias

import torch

from torchac._convert import WHOLE, scale_cdf, to_uint16
from torchac._rows import Rows, int16_rows
from torchac._tensors import CPU, Array, as_tensor

Item: TypeAlias = tuple[Rows, Array]
"""Rows, and the symbols to be coded with them."""

# Rows as few as this, or as one for so many symbols, are looked at whole by the core, which finds
# what is wrong with them: its kFewRows. They are not worth gathering either.
FEW_ROWS = 64


def gather(items: Sequence[Item], check: bool, clamp: bool) -> list[Item] | None:
    """Less than the items' rows, on the host, that gives the streams that they give.

    Of tables, those that are used, where there are fewer symbols. Of large tensors of rows, the
    bounds of each symbol's interval.

    Returns:
        Rows and symbols for each item; or None where few rows are to be coded, or something is
        wrong or unusual with any. The host then takes them whole, and says what is wrong, where.
    """
    if _has_few_rows(items):
        return None
    sharing = Counter[int]()  # symbols, by the tables that they share
    for rows, _ in items:
        sharing[id(rows.cdf)] += math.prod(rows.shape)
    parts = []
    for rows, sym in items:
        if rows.table is None:
            part = _bounds_only(rows, sym, clamp)
        else:
            part = _used_tables(rows, sym, sharing[id(rows.cdf)])
        if part is None or (check and not _is_valid_cdf(as_tensor(rows.cdf), rows)):
            return None
        parts.append(part)
    return parts


def sizes(rows: Rows, sym: Array) -> torch.Tensor | None:
    """The size of each symbol's interval, in parts of 65536, on the CDF's device.

    Returns:
        int32 of the symbols' shape; or None as `gather`, and for tables.
    """
    if rows.table is not None or _has_few_rows([(rows, sym)]):
        return None
    parts = _bounds(rows, _own_integers(sym))
    return None if parts is None else parts[..., 1] - parts[..., 0]


def _bounds(rows: Rows, symbols: torch.Tensor) -> torch.Tensor | None:
    """Where the interval of each symbol begins and ends, in parts of 65536.

    Returns:
        int32 of shape `(*symbols.shape, 2)`, on the CDF's device; or None where a symbol or a CDF
        value cannot be used, or an interval is empty.
    """
    last = rows.symbols - 1
    if not ((symbols >= 0) & (symbols <= last)).all():
        return None
    is_last = symbols == last
    # The last value of a row is never read.
    columns = torch.stack([symbols, torch.where(is_last, symbols, symbols + 1)], dim=-1)
    values = _gatherable(rows).gather(-1, columns)
    if rows.is_float:
        product = scale_cdf(values, rows)
        if not torch.isfinite(product).all():
            return None
        parts = to_uint16(product, columns.int(), rows)
    else:
        parts = values.int() & (WHOLE - 1)
    parts[..., 1][is_last] = WHOLE
    return parts if (parts[..., 1] > parts[..., 0]).all() else None


def _has_few_rows(items: Sequence[Item]) -> bool:
    count = symbols = 0
    for rows, _ in items:
        if rows.table is not None:
            return False
        steps = zip(rows.shape, as_tensor(rows.cdf).stride(), strict=False)
        count += math.prod(size for size, step in steps if step != 0)
        symbols += math.prod(rows.shape)
    return count <= max(FEW_ROWS, symbols // FEW_ROWS)


def _used_tables(rows: Rows, sym: Array, sharing: int) -> Item | None:
    """The table of each symbol, if there are more tables than symbols that share them."""
    assert rows.table is not None
    index = _own_integers(rows.table)
    if sharing >= rows.cdf.shape[0] or not _are_tables(index, rows):
        return None
    used = _gatherable(rows)[index.flatten()]
    numbers = torch.arange(len(used), device=CPU).view(rows.shape)
    return rows._replace(cdf=used, table=numbers), sym


def _bounds_only(rows: Rows, sym: Array, clamp: bool) -> Item | None:
    """The interval [low, high) of each symbol, as a row of its own, of two symbols.

    They are low, high, and an end that is not read, with the symbol 0. Where high is 65536 and does
    not fit, it becomes symbol 1 of a row that has its low in the middle.
    """
    symbols = _own_integers(sym)
    if clamp and "uint64" in str(sym.dtype) and (symbols < 0).any():
        return None  # they are large, not negative
    if clamp:
        symbols = symbols.clamp(0, rows.symbols - 1)
    parts = _bounds(rows, symbols)
    if parts is None:
        return None
    low, high = parts.to(torch.int16).unbind(-1)
    nothing = torch.zeros_like(low)
    is_last = parts[..., 1] == WHOLE
    first, second = torch.where(is_last, nothing, low), torch.where(is_last, low, high)
    pairs = torch.stack([first, second, nothing], dim=-1).cpu()
    return int16_rows(pairs, None), is_last.to(torch.uint8).cpu()


def _own_integers(array: Array) -> torch.Tensor:
    """A copy, so that what was checked stays as it is."""
    return as_tensor(array).to(torch.int64, copy=True)


def _are_tables(index: torch.Tensor, rows: Rows) -> bool:
    return bool(((index >= 0) & (index < rows.cdf.shape[0])).all())


def _gatherable(rows: Rows) -> torch.Tensor:
    """The CDF; integers as int16, as torch cannot gather uint16."""
    cdf = as_tensor(rows.cdf)
    return cdf if rows.is_float or cdf.element_size() != 2 else cdf.view(torch.int16)


def _is_valid_cdf(cdf: torch.Tensor, rows: Rows) -> bool:
    """Whether rows lie in [0, 1] and do not decrease, neither as floats nor converted."""
    if not rows.is_float:
        values = cdf[..., :-1].int() & (WHOLE - 1)  # the last one is never read
        return bool((values[..., 1:] >= values[..., :-1]).all())
    increases = (cdf[..., 1:] >= cdf[..., :-1]).all()
    bounded = (cdf[..., 0] >= 0).all() & (cdf[..., -1] <= 1).all()
    # Without normalization a value before the end that is rounded up to 1 would wrap to 0.
    wraps = not rows.normalize and bool((scale_cdf(cdf[..., -2], rows).round() >= WHOLE).any())
    return bool(increases & bounded) and not wraps
