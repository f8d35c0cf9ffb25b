"""CompressAI's tables as a model of torchac."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from torchac import _checks
from torchac._tensors import CPU
from torchac.models import Tables

WHOLE = 1 << 16


def as_tables(cdfs: Any, cdfs_sizes: Any, offsets: Any) -> Tables:
    """The model equivalent to CompressAI's tables.

    Symbol `s` of row `k` is the value `s + offsets[k]`; the last symbol is an escape to values on
    both sides. The model gives each side half of its probability. An escape of 1/65536 cannot be
    halved, so it gets another 1/65536 from the likeliest value.

    Args:
        cdfs: Rows of integers from 0 to 65536, of shape `(K, Lp)`: an entropy model's
            `quantized_cdf`, or lists.
        cdfs_sizes: The number of values in each row, K integers: the entropy model's `cdf_length`.
        offsets: The least value of each row, K integers: the entropy model's `offset`.

    Returns:
        The tables, on the CPU, of shape `(K,)`. Coding with them needs the row of each value as
        `index`.

    Raises:
        TypeError: An argument does not hold integers.
        ValueError: Rows that do not go from 0 to 65536, or shapes that do not match.

    Example:
        >>> import torch, torchac.compressai
        >>> model = torchac.compressai.as_tables([[0, 20000, 65000, 65536]], [4], [-1])
        >>> which = torch.zeros(3, dtype=torch.int32)
        >>> stream = torchac.encode(model, torch.tensor([-1, 0, 1000]), index=which)
        >>> torchac.decode(model, stream, index=which)
        tensor([  -1,    0, 1000], dtype=torch.int32)
    """
    rows, sizes, lows = (
        _rows(cdfs),
        as_integers("cdfs_sizes", cdfs_sizes),
        as_integers("offsets", offsets),
    )
    matching = rows.ndim == 2 and sizes.shape == lows.shape == rows.shape[:1]
    if not matching or rows.shape[1] < 2:
        raise ValueError(
            f"cdfs, cdfs_sizes and offsets have shapes {tuple(rows.shape)}, {tuple(sizes.shape)} "
            f"and {tuple(lows.shape)}: expected (K, Lp), (K,) and (K,), Lp 2 or more"
        )
    _check_rows(rows, sizes)
    ends = sizes[:, None] - 1
    widths = rows.diff()
    escape = widths.gather(1, ends - 1)
    widths[torch.arange(widths.shape[1], device=CPU) >= ends - 1] = 0  # only those of values remain
    # There are at most 32768 symbols, so the likeliest one can spare what the escape lacks.
    missing = (2 - escape).clamp(min=0)
    widths.scatter_add_(1, widths.argmax(1, keepdim=True), -missing)
    escape += missing
    below = escape // 2
    cdf = torch.cat([torch.zeros_like(below), below, below + widths.cumsum(1)], 1)
    cdf[torch.arange(cdf.shape[1], device=CPU) > ends] = WHOLE
    return Tables(cdf.short(), low=lows - 1, lengths=sizes)


def _check_rows(rows: Tensor, sizes: Tensor) -> None:
    """Raises if rows do not go from 0 to 65536."""
    most = rows.shape[1]
    good = (sizes >= 2) & (sizes <= most)
    _checks.require_all("cdfs_sizes", sizes, good, f"2 to {most}, as many as a row has")
    column, size = torch.arange(most, device=CPU), sizes[:, None]
    good = ((column != 0) | (rows == 0)) & ((column != size - 1) | (rows == WHOLE))
    _checks.require_all("cdfs", rows, good, f"rows from 0 to {WHOLE}")
    good = torch.ones_like(good)
    good[:, 1:] = (rows.diff() >= 0) | (column[1:] >= size)
    _checks.require_all("cdfs", rows, good, "rows that do not decrease")


def _rows(cdfs: Any) -> Tensor:
    if isinstance(cdfs, (Tensor, np.ndarray)) or not isinstance(cdfs, Sequence):
        return as_integers("cdfs", cdfs)
    rows = [as_integers("cdfs", row) for row in cdfs]
    if not rows:
        return torch.empty(0, 0, dtype=torch.int64, device=CPU)
    return pad_sequence(rows, batch_first=True)


def as_integers(name: str, values: Any) -> Tensor:
    """The integers of a list, a tensor or an array, as int64 on the CPU."""
    try:
        if isinstance(values, (list, tuple)) and (array := np.array(values)).dtype.kind == "i":
            values = array  # torch takes several times as long to read lists
        tensor = torch.as_tensor(values, device=CPU)
    except (RuntimeError, TypeError, ValueError) as error:
        raise TypeError(f"{name} cannot be read as integers: {error}") from None
    if tensor.numel() and (tensor.is_floating_point() or tensor.is_complex()):
        raise TypeError(f"{name} has dtype {tensor.dtype}: expected integers")
    return tensor.long()
