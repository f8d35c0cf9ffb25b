"""What symbols cost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, overload

import numpy as np
import torch
from torch.distributions import Distribution

from torchac import _core, _gather, _tensors, _values, errors
from torchac._as_model import as_model
from torchac._rows import check_cdf, check_whole
from torchac._tensors import CPU, Array, ArrayT, NDArray, as_tensor
from torchac.models import Model


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
    """Tells the exact cost of each symbol or value, without coding.

    The cost of symbol `s` is `16 - log2(C[s + 1] - C[s])` bits, its ideal code length under the row
    `C` of 16-bit integers that coding works with. Streams are as long as the sum of it, within 16
    bits and 0.01 %. The cost of a value is that of its symbol and of what comes behind that.

    Args:
        cdf: CDF of floats or of 16-bit integers, as for `encode_float_cdf` and
            `encode_int16_normalized_cdf`, on any device; or a model, as for `torchac.encode`.
        sym: Symbols, as for `encode_float_cdf`, or floats that are whole numbers; values, with a
            model.
        needs_normalization: As for `encode_float_cdf`; without effect on integers and models.
        index: As for `encode_float_cdf`, or for `torchac.encode` with a model.

    Returns:
        Bits, of the symbols' shape, on the CDF's or the model's device: float64, or float32 where a
        device has no float64.

    Raises:
        TypeError: An argument is neither a tensor nor an array.
        ValueError: What `encode_float_cdf` refuses, it refuses in the same words.

    Example:
        >>> import torch, torchac
        >>> cdf = torch.tensor([0.0, 0.5, 0.75, 1.0]).expand(3, 4)
        >>> torchac.estimate_bits(cdf, torch.tensor([0, 1, 2])).round(decimals=3)
        tensor([1., 2., 2.], dtype=torch.float64)
    """
    model = as_model(cdf)
    if model is not None:
        return _like(_values.measure(model, sym, index), model._arrays)
    rows = check_cdf(cdf, needs_normalization, index)
    sym = check_whole(sym, rows)
    sizes = None if _tensors.on_host(rows.cdf) else _gather.sizes(rows, sym)
    if sizes is not None:
        return _tensors.like(_like(_core.costs(), [as_tensor(rows.cdf)])[sizes.long()], cdf)
    result = np.empty(rows.shape)
    report = _core.measure(rows.view(), _tensors.view(sym), result)
    if report is not None:
        raise errors.explain(report, rows, sym)
    return _like(result, [cdf])


def _like(bits: NDArray, arrays: Sequence[Array]) -> Any:
    """The bits as `_tensors.like`, in a dtype that the device has."""
    device = next((d for a in arrays if (d := _tensors.device_of(a)) != CPU), CPU)
    if _tensors.widest_float(device) is not torch.float64:
        bits = bits.astype(np.float32)
    them: list[Any] = list(arrays)
    return _tensors.like(bits, *them)
