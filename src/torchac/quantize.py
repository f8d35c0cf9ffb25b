"""From CDF values to the 16-bit integers that coding works with."""

from __future__ import annotations

import numpy as np
import torch

from torchac import _core, _tensors, errors
from torchac._convert import scale_cdf, to_uint16
from torchac._rows import float_rows
from torchac._tensors import ArrayT


def quantize_cdf(cdf_float: ArrayT, needs_normalization: bool = True) -> ArrayT:
    """Converts a CDF of floats to the 16-bit integers that the float functions code with.

    Value `j` of a row of `Lp` becomes `round(cdf_float[j] * 65536)` modulo 65536, or with
    normalization `round(cdf_float[j] * (65536 - (Lp - 1))) + j`, which makes every row increase
    that did not decrease. Halves are rounded to even. The result is the same on every device,
    so it may be computed once, where the model runs, and kept or sent. On the CPU, rows are read in
    place, and the result is all the memory that is taken.

    Args:
        cdf_float: CDF of shape `(N1, …, Nm, Lp)`, float16, bfloat16, float32 or float64, on any
            device.
        needs_normalization: Whether to keep one of the 65536 parts for each symbol.

    Returns:
        The CDF for `encode_int16_normalized_cdf` and `decode_int16_normalized_cdf`: int16, of the
        same shape and on the same device. Read as unsigned numbers: 40000 is stored as -25536, and
        65536, at the end of a row, as 0.

    Raises:
        TypeError: `cdf_float` is neither a tensor nor an array.
        ValueError: A dtype or `Lp` that is not allowed, NaN or an infinity.

    Example:
        >>> import torch, torchac
        >>> torchac.quantize_cdf(torch.tensor([0.0, 0.25, 1.0]))
        tensor([    0, 16385,     0], dtype=torch.int16)
    """
    rows = float_rows(cdf_float, needs_normalization, None)
    if not _tensors.on_host(cdf_float):
        product = scale_cdf(_tensors.as_tensor(cdf_float), rows)
        if torch.isfinite(product).all():  # else the core says where it is not
            columns = torch.arange(rows.symbols + 1, dtype=torch.int32, device=product.device)
            return _tensors.like(to_uint16(product, columns, rows).to(torch.int16), cdf_float)
    integers = np.empty(cdf_float.shape, np.int16)
    report = _core.quantize(rows.view(), integers)
    if report is not None:
        raise errors.explain(report, rows)
    return _tensors.like(integers, cdf_float)
