"""What symbols cost."""

from __future__ import annotations

import numpy as np
import torch

from torchac import _coding, _core, _gather, _tensors
from torchac._tensors import Array, ArrayT, Symbols
from torchac.quantize import PRECISION


def estimate_bits(
    cdf: ArrayT, sym: Symbols, *, needs_normalization: bool = True, index: Array | None = None
) -> ArrayT:
    """Tells the exact cost of each symbol, without coding.

    The cost of symbol `s` is `16 - log2(C[s + 1] - C[s])` bits, its ideal code length under the row
    `C` of 16-bit integers that coding works with. Streams are as long as the sum of it, within 16
    bits and 0.01 %.

    Args:
        cdf: CDF of floats or of 16-bit integers, as for `encode_float_cdf` and
            `encode_int16_normalized_cdf`, on any device.
        sym: Symbols, as for `encode_float_cdf`.
        needs_normalization: As for `encode_float_cdf`; without effect on integers.
        index: As for `encode_float_cdf`.

    Returns:
        Bits, of the symbols' shape, on the CDF's device: float64, or float32 where a device has no
        float64.

    Raises:
        TypeError: An argument is neither a tensor nor an array.
        ValueError: What `encode_float_cdf` refuses, it refuses in the same words.

    Example:
        >>> import torch, torchac
        >>> cdf = torch.tensor([0.0, 0.5, 0.75, 1.0]).expand(3, 4)
        >>> torchac.estimate_bits(cdf, torch.tensor([0, 1, 2])).round(decimals=3)
        tensor([1., 2., 2.], dtype=torch.float64)
    """
    rows = _tensors.any_rows(cdf, needs_normalization, index)
    sym = _tensors.check_symbols(sym, rows)
    symbols = _tensors.as_tensor(sym).to(torch.int64, copy=True)
    parts = _gather.bounds(rows, symbols)
    if parts is None:
        _coding.encode(_core.Encoder(), rows, sym, False, False)  # says what is wrong
        raise ValueError("the CDF, the symbols or their index were changed meanwhile")
    sizes = (parts[..., 1] - parts[..., 0]).to(_tensors.widest_float(parts.device))
    bits = PRECISION - torch.log2(sizes)
    if isinstance(cdf, np.ndarray):
        return bits.numpy()
    return bits
