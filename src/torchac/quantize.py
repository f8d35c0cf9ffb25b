"""Conversion of CDF values to the 16-bit integers that coding works with.

The core converts CDFs on the host. For other devices the same steps are torch operations, which
give the same integers, bit for bit.
"""

from __future__ import annotations

import numpy as np
import torch

from torchac import _checks, _core, _tensors
from torchac._tensors import FLOAT_ROWS, Array, ArrayT

PRECISION = 16
"""Bits of a converted CDF value: a row's probability is 2 ** PRECISION = 65536 parts."""

TOTAL = 1 << PRECISION


def quantize_cdf(cdf_float: ArrayT, needs_normalization: bool = True) -> ArrayT:
    """Converts a CDF of floats to the 16-bit integers that the float functions code with.

    Value `j` of a row of `Lp` becomes `round(cdf_float[j] * 65536)` modulo 65536, or with
    normalization `round(cdf_float[j] * (65536 - (Lp - 1))) + j`. With normalization, a row that
    does not decrease becomes one that increases. Halves are rounded to even. The result is the same
    on every device, so it can be computed once, where the model runs, and then stored or sent. On
    the CPU, rows are read in place, and no memory is used besides the result.

    Args:
        cdf_float: CDF of shape `(N1, …, Nm, Lp)`, float16, bfloat16, float32 or float64, on any
            device.
        needs_normalization: Whether to reserve one of the 65536 parts for each symbol.

    Returns:
        The CDF for `encode_int16_normalized_cdf` and `decode_int16_normalized_cdf`: int16, of the
        same shape and on the same device. It is to be read as unsigned: 40000 is stored as -25536,
        and 65536, at the end of a row, as 0.

    Raises:
        TypeError: `cdf_float` is neither a tensor nor an array.
        ValueError: A dtype or `Lp` that is not allowed, NaN or an infinity.

    Example:
        >>> import torch, torchac
        >>> torchac.quantize_cdf(torch.tensor([0.0, 0.25, 1.0]))
        tensor([    0, 16385,     0], dtype=torch.int16)
    """
    cdf = _checks.check_rows("cdf_float", cdf_float, FLOAT_ROWS)
    normalize = _checks.check_flag("needs_normalization", needs_normalization)
    if not _tensors.on_host(cdf):
        product = scale_cdf(_tensors.as_tensor(cdf), cdf.shape[-1] - 1, normalize)
        if torch.isfinite(product).all():  # otherwise the core finds the position
            columns = torch.arange(cdf.shape[-1], dtype=torch.int32, device=product.device)
            on_device = quantize_columns(product, columns, normalize).to(torch.int16)
            return _tensors.like(on_device, cdf_float)
    integers = np.empty(cdf.shape, np.int16)
    rows = _core.Model.of_cdf(_tensors.view(cdf), normalize, None, False, False)
    report = _core.quantize(rows, integers)
    if report is not None:
        raise _explain(report, cdf)
    return _tensors.like(integers, cdf_float)


def _explain(report: _core.Report, cdf: Array) -> ValueError:
    shape = tuple(cdf.shape[:-1])
    row = map(int, np.unravel_index(report.position, shape)) if shape else ()
    place = (*row, report.column)
    return ValueError(not_finite(f"CDF value {cdf[place].item()} at index {place}"))


def not_finite(value: str) -> str:
    """Says that a CDF value is not a number."""
    return f"{value} cannot be converted: expected finite numbers in [0, 1]"


def scale_cdf(values: torch.Tensor, symbols: int, normalize: bool) -> torch.Tensor:
    """CDF values times 65536, or times the parts left when each symbol has one."""
    if values.dtype in (torch.float16, torch.bfloat16):
        values = values.float()
    return values * (TOTAL - symbols if normalize else TOTAL)


def quantize_columns(product: torch.Tensor, columns: torch.Tensor, normalize: bool) -> torch.Tensor:
    """Rounds finite results of `scale_cdf` in the given columns to parts: int32, 0 … 65535."""
    # fmod is exact, and brings any float into the range of an int32.
    rounded = torch.fmod(torch.round(product), TOTAL).to(torch.int32)
    return (rounded + columns if normalize else rounded) & (TOTAL - 1)
