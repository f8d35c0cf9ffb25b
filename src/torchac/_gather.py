"""Encoding a CDF that lies on another device: only the bounds of each symbol travel."""

from __future__ import annotations

import torch

from torchac import _tensors
from torchac._tensors import Array, Rows, as_tensor
from torchac.quantize import WHOLE, scaled, to_parts


def gather(rows: Rows, sym: Array, check: bool, clamp: bool) -> tuple[Rows, torch.Tensor] | None:
    """Rows and symbols on the host that give the stream that `rows` and `sym` give.

    The interval [low, high) of a symbol becomes a row of its own, of two symbols: low, high, and
    an end that is not read, with the symbol 0. A last symbol, whose high is 65536 and does not fit,
    becomes symbol 1 of a row that has its low in the middle.

    Returns:
        The rows, of shape `rows.shape + (3,)`, and the symbols; or None where something is wrong or
        unusual, which the code for the host then finds, and says where.
    """
    last = rows.symbols - 1
    symbols = as_tensor(sym).long()
    if clamp:
        symbols = symbols.clamp(0, last)
    elif not ((symbols >= 0) & (symbols <= last)).all():
        return None
    cdf = as_tensor(rows.cdf)
    if check and rows.is_float and not _plainly_good(cdf, rows):
        return None

    columns = torch.stack([symbols, symbols + 1], dim=-1)
    if rows.table is None:
        bounds = cdf.gather(-1, columns)
    else:
        tables = as_tensor(rows.table).long()
        if not ((tables >= 0) & (tables < cdf.shape[0])).all():
            return None
        bounds = cdf[tables[..., None], columns]
    if rows.is_float:
        product = scaled(bounds, rows)
        if not torch.isfinite(product).all():
            return None
        bounds = to_parts(product, columns.int(), rows)

    low, high = bounds.to(torch.int16).unbind(-1)
    nothing = torch.zeros_like(low)
    is_last = symbols == last
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
