"""The cost of symbols in bits."""

from __future__ import annotations

from typing import Any, overload

from torch.distributions import Distribution

from torchac import _coding
from torchac._tensors import Array, ArrayT
from torchac.models import Model
from torchac.models._from_argument import to_model


@overload
def estimate_bits(
    cdf: ArrayT, sym: Any, *, needs_normalization: bool = True, index: Array | None = None
) -> ArrayT: ...


@overload
def estimate_bits(
    cdf: Model | Distribution,
    sym: Any,
    *,
    needs_normalization: bool = True,
    index: Array | None = None,
) -> Any: ...


def estimate_bits(
    cdf: Any, sym: Any, *, needs_normalization: bool = True, index: Array | None = None
) -> Any:
    """Returns the exact cost of each symbol or value, without coding.

    The cost of symbol `s` is `16 - log2(C[s + 1] - C[s])` bits, its ideal code length under the row
    `C` of 16-bit integers that coding works with. The length of a stream is the sum of the costs,
    within 16 bits and 0.01 %. The cost of a value is that of its symbol plus the bits after it.

    Args:
        cdf: CDF of floats or of 16-bit integers, as for `encode_float_cdf` and
            `encode_int16_normalized_cdf`, on any device; or a model, as for `torchac.encode`.
        sym: Symbols, as for `encode_float_cdf`, or floats that are whole numbers; values, with a
            model.
        needs_normalization: As for `encode_float_cdf`; ignored for integers and models.
        index: As for `encode_float_cdf`, or for `torchac.encode` with a model.

    Returns:
        Bits, of the symbols' shape, on the device of the CDF or model: float64, or float32 if the
        device has no float64.

    Raises:
        TypeError: An argument is neither a tensor nor an array.
        ValueError: As `encode_float_cdf`.

    Example:
        >>> import torch, torchac
        >>> cdf = torch.tensor([0.0, 0.5, 0.75, 1.0]).expand(3, 4)
        >>> torchac.estimate_bits(cdf, torch.tensor([0, 1, 2])).round(decimals=3)
        tensor([1., 2., 2.], dtype=torch.float64)
    """
    model = to_model(cdf, needs_normalization, strict=True)
    return _coding.measure(model.fit(sym, index))
