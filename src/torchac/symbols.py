"""Integers that are not symbols yet, such as latents with negative values, and back.

Coding takes the symbols `0 … L-1`. Whole numbers from `low` to `high` become symbols by taking
`low` away, and the decoder, which needs `low` and `high` too, adds it again:

    >>> import torch, torchac
    >>> from torchac.symbols import shift_symbols, unshift_symbols
    >>> latents = torch.tensor([-2.0, 0.0, 0.0, 3.0, -1.0])
    >>> low, high = int(latents.min()), int(latents.max())  # goes into the file, with the stream
    >>> rows = torchac.cdf.normal(torch.zeros(5), 1.5, low, high)
    >>> stream = torchac.encode_float_cdf(rows, shift_symbols(latents, low, high))
    >>> unshift_symbols(torchac.decode_float_cdf(rows, stream), low)
    tensor([-2,  0,  0,  3, -1])
"""

from __future__ import annotations

import operator

import numpy as np
import torch

from torchac import _tensors
from torchac._tensors import FLOAT_ROWS, INTEGERS, MAX_LP, ArrayT

__all__ = ["shift_symbols", "unshift_symbols"]

_FARTHEST = 1 << 52  # up to here a float64 can tell k from k + 0.5
_NUMBERS = FLOAT_ROWS | INTEGERS


def shift_symbols(x: ArrayT, low: int, high: int) -> ArrayT:
    """Turns integers from `low` to `high` into the symbols from 0 to `high - low`.

    Args:
        x: Integers of any shape, on any device; of any integer dtype, or floats that are whole.
        low: The integer that becomes symbol 0.
        high: The largest integer, `low <= high <= low + 32767`.

    Returns:
        `x - low`: int16, of the same shape and on the same device.

    Raises:
        TypeError: `x` is neither a tensor nor an array, `low` or `high` is no integer.
        ValueError: A value below `low` or above `high`, a fraction, NaN, an infinity, another
            dtype, or a range that is not allowed. The message names value and position.

    Example:
        >>> import torch
        >>> shift_symbols(torch.tensor([-3.0, 0.0, 4.0]), -3, 4)
        tensor([0, 3, 7], dtype=torch.int16)
    """
    low, high = check_range(low, high)
    _tensors.check_numbers("x", x, _NUMBERS)
    values = _tensors.as_tensor(x)
    # Integers as int64, which neither bounds nor differences overflow. Floats far out of any range
    # are brought into int64; NaN becomes anything.
    whole = values.clamp(-(2.0**62), 2.0**62) if values.is_floating_point() else values
    integers = whole.long()
    least = low if values.dtype.is_signed else max(low, 0)  # above int64, uint64 turns negative
    good = (integers >= least) & (integers <= high) & (integers == whole)
    _tensors.check_values("x", values, good, f"an integer from {low} to {high}")
    return _like((integers - low).to(torch.int16), x)


def unshift_symbols(symbols: ArrayT, low: int) -> ArrayT:
    """Turns symbols back into the integers that `shift_symbols` made them from.

    Args:
        symbols: Symbols of any shape and any integer dtype, on any device, for example decoded.
        low: As it was for `shift_symbols`.

    Returns:
        `symbols + low`: int64, of the same shape and on the same device.

    Raises:
        TypeError: `symbols` is neither a tensor nor an array, `low` is no integer.
        ValueError: Another dtype, or a `low` that is not allowed.

    Example:
        >>> import torch
        >>> unshift_symbols(torch.tensor([0, 3, 7], dtype=torch.int16), -3)
        tensor([-3,  0,  4])
    """
    low, _ = check_range(low, low)
    _tensors.check_numbers("symbols", symbols, INTEGERS)
    return _like(_tensors.as_tensor(symbols).long() + low, symbols)
