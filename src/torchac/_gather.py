"""The bounds of each symbol's interval, gathered from a CDF on whatever device it lies."""

from __future__ import annotations

import torch

from torchac import _tensors
from torchac._convert import WHOLE, scaled, to_parts
from torchac._tensors import Array, Rows, as_tensor


def bounds(rows: Rows, symbols: torch.Tensor) -> torch.Tensor | None:
    """Where the interval of each symbol begins and ends, in parts of 65536.

    Returns:
        int32 of shape `(*symbols.shape, 2)`, on the CDF's device; or None where a symbol, an index
        or a CDF value cannot be used.
    """
    last = rows.symbols - 1
    if not ((symbols >= 0) & (symbols <= last)).all():
        return None
    is_last = symbols == last
    # The last value of a row is never read.
    columns = torch.stack([symbols, torch.where(is_last, symbols, symbols + 1)], dim=-1)
    cdf = as_tensor(rows.cdf)
    if not rows.is_float and cdf.element_size() == 2:
        cdf = cdf.view(torch.int16)  # torch cannot gather uint16
    if rows.table is None:
        values = cdf.gather(-1, columns)
    else:
        tables = as_tensor(rows.table).long()
        if not ((tables >= 0) & (tables < cdf.shape[0])).all():
            return None
        values = cdf[tables[..., None], columns]
    if rows.is_float:
        product = scaled(values, rows)
        if not torch.isfinite(product).all():
            return None
        parts = to_parts(product, columns.int(), rows)
    else:
        parts = values.int() & (WHOLE - 1)
    parts[..., 1][is_last] = WHOLE
    return parts


def gather(rows: Rows, sym: Array, check: bool, clamp: bool) -> tuple[Rows, torch.Tensor] | None:
    """Rows and symbols on the host that give the stream that `rows` and `sym` give.

    Only bounds travel. The interval [low, high) of a symbol becomes a row of its own, of two
    symbols: low, high, and an end that is not read, with the symbol 0. Where high is 65536 and does
    not fit, it becomes symbol 1 of a row that has its low in the middle.

    Returns:
        The rows, of shape `(*rows.shape, 3)`, and the symbols; or None where something is wrong or
        unusual, which the code for the host then finds, and says where.
    """
    symbols = as_tensor(sym).long()
    if clamp:
        symbols = symbols.clamp(0, rows.symbols - 1)
    if check and rows.is_float and not _plainly_good(as_tensor(rows.cdf), rows):
        return None
    parts = bounds(rows, symbols)
    if parts is None:
        return None
    low, high = parts.to(torch.int16).unbind(-1)
    nothing = torch.zeros_like(low)
    is_last = parts[..., 1] == WHOLE
    first, second = torch.where(is_last, nothing, low), torch.where(is_last, low, high)
    pairs = torch.stack([first, second, nothing], dim=-1).cpu()
    return _tensors.int16_rows(pairs, None), is_last.to(torch.uint8).cpu()


def _plainly_good(cdf: torch.Tensor, rows: Rows) -> bool:
    """Whether rows lie in [0, 1] and do not decrease, neither as floats nor converted."""
    increases = (cdf[..., 1:] >= cdf[..., :-1]).all()
    bounded = (cdf[..., 0] >= 0).all() & (cdf[..., -1] <= 1).all()
    # Without normalization a value before the end that is rounded up to 1 would wrap to 0.
    wraps = not rows.normalize and bool((scaled(cdf[..., -2], rows).round() >= WHOLE).any())
    return bool(increases & bounded) and not wraps
