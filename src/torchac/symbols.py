"""Integers that are not symbols yet, such as latents with negative values, and back.

Coding takes the symbols `0 … L-1`. Integers from `low` to `high` become symbols when `low` is taken
away, and the decoder, which needs `low` and `high` for the rows anyway, adds it again:

    >>> import torch, torchac
    >>> from torchac.symbols import shift_symbols, unshift_symbols
    >>> latents = torch.tensor([-2.0, 0.0, 0.0, 3.0, -1.0])
    >>> low, high = int(latents.min()), int(latents.max())  # stored beside the stream
    >>> rows = torchac.cdf.normal(torch.zeros(5), 1.5, low, high)
    >>> stream = torchac.encode_float_cdf(rows, shift_symbols(latents, low, high))
    >>> unshift_symbols(torchac.decode_float_cdf(rows, stream), low)
    tensor([-2,  0,  0,  3, -1])
"""

from __future__ import annotations

import torch

from torchac._checks import check_arrays, check_integer, check_range, check_values
from torchac._tensors import INTEGERS, MAX_LP, NUMBERS, ArrayT, like

__all__ = ["shift_symbols", "unshift_symbols"]


def shift_symbols(x: ArrayT, low: int, high: int) -> ArrayT:
    """Turns integers from `low` to `high` into the symbols from 0 to `high - low`.

    Args:
        x: Integers of any shape, on any device: of an integer dtype, or floats that are whole.
        low: The integer that becomes symbol 0.
        high: The largest integer that may occur, `low <= high <= low + 32767`.

    Returns:
        `x - low`: int16, of the same shape and on the same device.

    Raises:
        TypeError: `x` is neither a tensor nor an array, or `low` or `high` no integer.
        ValueError: A value below `low` or above `high`, a fraction, NaN, an infinity, another
            dtype, or a range that is not allowed. The message names value and position.

    Example:
        >>> import torch
        >>> shift_symbols(torch.tensor([-3.0, 0.0, 4.0]), -3, 4)
        tensor([0, 3, 7], dtype=torch.int16)
    """
    low, high = check_range(low, high)
    values = check_arrays(NUMBERS, x=x)["x"]
    integers = values.long()
    least = low if values.dtype.is_signed else max(low, 0)  # large uint64 become negative int64
    good = (integers >= least) & (integers <= high)
    if values.is_floating_point():
        good &= integers == values
    check_values("x", values, good, f"integers from {low} to {high}")
    return like((integers - low).to(torch.int16), x)


def unshift_symbols(symbols: ArrayT, low: int) -> ArrayT:
    """Turns symbols back into the integers that `shift_symbols` made them of.

    Args:
        symbols: Symbols, 0 to 32767, of any shape and integer dtype, on any device.
        low: As it was for `shift_symbols`.

    Returns:
        `symbols + low`: int64, of the same shape and on the same device.

    Raises:
        TypeError: `symbols` is neither a tensor nor an array, or `low` no integer.
        ValueError: What is no symbol, another dtype, or a `low` that is not allowed.

    Example:
        >>> import torch
        >>> unshift_symbols(torch.tensor([0, 3, 7], dtype=torch.int16), -3)
        tensor([-3,  0,  4])
    """
    low = check_integer("low", low)
    values = check_arrays(INTEGERS, symbols=symbols)["symbols"]
    integers = values.long()
    good = (integers >= 0) & (integers < MAX_LP - 1)
    check_values("symbols", values, good, f"symbols from 0 to {MAX_LP - 2}")
    return like(integers + low, symbols)
