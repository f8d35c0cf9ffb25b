"""CDF values as 16-bit integers in torch operations, for devices that the core cannot read.

They give the integers that the core gives, bit for bit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torchac._rows import Rows

PRECISION = 16
"""Bits of a converted CDF value: a row's probability is 2 ** PRECISION = 65536 parts."""

WHOLE = 1 << PRECISION


def scale_cdf(values: torch.Tensor, rows: Rows) -> torch.Tensor:
    """CDF values times the number of parts that a row shares out among its symbols."""
    if values.dtype in (torch.float16, torch.bfloat16):
        values = values.float()
    return values * (WHOLE - rows.symbols if rows.normalize else WHOLE)


def to_uint16(product: torch.Tensor, columns: torch.Tensor, rows: Rows) -> torch.Tensor:
    """`scale_cdf` values, which must be finite, of the given columns as parts: int32, 0 … 65535."""
    # fmod is exact, and brings any float into the range of an int32.
    rounded = torch.fmod(torch.round(product), WHOLE).to(torch.int32)
    return (rounded + columns if rows.normalize else rounded) & (WHOLE - 1)
