"""What symbols cost."""

from __future__ import annotations

import numpy as np
import torch

from torchac import _coding, _core, _gather, _tensors, errors
from torchac._convert import PRECISION
from torchac._tensors import Array, ArrayT


def estimate_bits(
    cdf: ArrayT, sym: Array, *, needs_normalization: bool = True, index: Array | None = None
) -> ArrayT:
    """Tells the exact cost of each symbol, without coding.

    The cost of symbol `s` is `16 - log2(C[s + 1] - C[s])` bits, its ideal code length under the row
    `C` of 16-bit integers that coding works with. Streams are as long as the sum of it, within 16
    bits and 0.01 %.

    Args:
        cdf: CDF of floats or of 16-bit integers, as for `encode_float_cdf` and
            `encode_int16_normalized_cdf`, on any device.
        sym: Symbols of shape `(N1, …, Nm)`, any integer dtype, on the CDF's device.
        needs_normalization: As for `encode_float_cdf`; without effect on integers.
        index: As for `encode_float_cdf`.

    Returns:
        Bits, float64, of the symbols' shape, on the CDF's device.

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
    _tensors.check_symbols(sym, rows)
    if _tensors.on_host(rows.cdf):
        result = np.empty(rows.shape)
        report = _core.measure(rows.view(), _tensors.view(sym), result)
        if report is not None:
            raise errors.explain(report, rows, sym)
        return _tensors.like(result, cdf)
    parts = _gather.bounds(rows, _tensors.as_tensor(sym).long())
    if parts is None or not (parts[..., 1] > parts[..., 0]).all():
        _coding.encode(_core.Encoder(), rows, sym, False, False)  # says what is wrong
        raise AssertionError("what has no bounds cannot be coded")
    bits = PRECISION - torch.log2((parts[..., 1] - parts[..., 0]).double())
    if isinstance(cdf, np.ndarray):
        return bits.numpy()
    return bits
