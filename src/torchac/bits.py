"""What symbols cost."""

from __future__ import annotations

import numpy as np
import torch

from torchac import _core, _gather, _tensors, errors
from torchac._rows import check_cdf, check_symbols
from torchac._tensors import Array, ArrayT, NDArray, Symbols, as_tensor


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
    rows = check_cdf(cdf, needs_normalization, index)
    sym = check_symbols(sym, rows)
    sizes = None if _tensors.on_host(rows.cdf) else _gather.sizes(rows, sym)
    if sizes is not None:
        return _tensors.like(_like(_core.costs(), as_tensor(rows.cdf))[sizes.long()], cdf)
    result = np.empty(rows.shape)
    report = _core.measure(rows.view(), _tensors.view(sym), result)
    if report is not None:
        raise errors.explain(report, rows, sym)
    return _like(result, cdf)


def _like(bits: NDArray, cdf: ArrayT) -> ArrayT:
    """The bits as `_tensors.like`, in a dtype that the CDF's device has."""
    if isinstance(cdf, torch.Tensor):
        float64 = _tensors.widest_float(cdf.device) is torch.float64
        bits = bits.astype(np.float64 if float64 else np.float32, copy=False)
    return _tensors.like(bits, cdf)
