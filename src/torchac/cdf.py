"""CDF rows from probabilities, logits and counts, for the CDF functions and `quantize_cdf`.

Each row begins with 0, ends with exactly 1 and never decreases, whatever the arguments. A symbol
may have no probability left in its row; with `needs_normalization=True`, the default, the coding
functions give it 1/65536.

Rows are float64 if the argument is, else float32. They lie on the same device, and carry no
gradient. Arrays give arrays.

All is computed in float64 and rounded at the end, so that a row does not depend on the batch that
it is computed in. `from_pmf`, `from_counts` and `bernoulli` give the same bits on every machine,
unless subnormal numbers are flushed to zero (`torch.set_flush_denormal`). `from_logits` takes
`exp`, which machines may round in different ways: to decode on another machine, quantize its rows
once with `torchac.quantize_cdf` and share the integers.

Apple's MPS and some GPUs of Intel have no float64: there, float32 takes its place, and rows depend
on the machine.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from torchac._checks import (
    check_array,
    check_dtype,
    check_elements,
    check_ndim,
    check_number,
    check_values,
)
from torchac._tensors import (
    CPU,
    FLOATS,
    MAX_LP,
    NUMBERS,
    Array,
    ArrayT,
    as_tensor,
    like,
    widest_float,
)

__all__ = ["bernoulli", "from_counts", "from_logits", "from_pmf"]

# About so many values are computed at a time, to save memory: on the host, and on a device.
_IN_CACHE = 1 << 18
_ON_DEVICE = 1 << 24


def from_pmf(pmf: ArrayT) -> ArrayT:
    """Rows from the probabilities of the symbols, which need not sum to 1.

    Args:
        pmf: Probabilities of shape `(…, L)`, `1 <= L <= 32768`, float16, bfloat16, float32 or
            float64: finite, not negative, and not all 0 in a row.

    Returns:
        Rows of shape `(…, L + 1)`: `row[s] = sum(pmf[:s]) / sum(pmf)`.

    Raises:
        TypeError: `pmf` is neither a tensor nor an array.
        ValueError: A shape or dtype that is not allowed; a probability that is negative, infinite
            or NaN; a row without a positive one. The message names value and position.

    Example:
        >>> import torch, torchac
        >>> torchac.cdf.from_pmf(torch.tensor([0.5, 0.25, 0.25]))
        tensor([0.0000, 0.5000, 0.7500, 1.0000])
    """
    dtype, values = _floats("pmf", pmf)
    return like(_from_masses("pmf", values, dtype), pmf)


def from_logits(logits: ArrayT) -> ArrayT:
    """Rows from logits, as classifiers give them: the probabilities are their softmax.

    Args:
        logits: Logarithms of the probabilities, plus any constant, of shape `(…, L)`,
            `1 <= L <= 32768`, float16, bfloat16, float32 or float64. -inf is a probability of 0.

    Returns:
        Rows of shape `(…, L + 1)`: `row[s] = sum(exp(logits[:s])) / sum(exp(logits))`.

    Raises:
        TypeError: `logits` is neither a tensor nor an array.
        ValueError: A shape or dtype that is not allowed, NaN, inf, or a row of nothing but -inf.
            The message names value and position.

    Example:
        >>> import torch, torchac
        >>> torchac.cdf.from_logits(torch.tensor([1.0, 1.0, -torch.inf]))
        tensor([0.0000, 0.5000, 1.0000, 1.0000])
    """
    dtype, values = _floats("logits", logits)
    largest = _largest("logits", values, -math.inf, "numbers or -inf")
    rows = _rows(lambda v, most: _sums((v - most).exp_()), dtype, values.shape[-1], values, largest)
    return like(rows, logits)


def from_counts(counts: ArrayT) -> ArrayT:
    """Rows from how often each symbol was seen, a histogram.

    Args:
        counts: Counts of shape `(…, L)`, `1 <= L <= 32768`, of any integer or float dtype: finite,
            not negative, and not all 0 in a row. For contexts that may never have been seen, add 1
            to all counts.

    Returns:
        Rows of shape `(…, L + 1)`: `row[s] = sum(counts[:s]) / sum(counts)`; float32 for integers.

    Raises:
        TypeError: `counts` is neither a tensor nor an array.
        ValueError: A shape or dtype that is not allowed; a count that is negative, infinite or NaN;
            a row without a positive one. The message names value and position.

    Example:
        >>> import torch, torchac
        >>> sym = torch.tensor([0, 0, 2, 0])
        >>> torchac.cdf.from_counts(sym.bincount(minlength=3))
        tensor([0.0000, 0.7500, 0.7500, 1.0000])
    """
    dtype, values = _floats("counts", counts, NUMBERS)
    return like(_from_masses("counts", values.to(widest_float(values.device)), dtype), counts)


def bernoulli(probs: ArrayT | float) -> ArrayT:
    """Rows for the symbols 0 and 1.

    Args:
        probs: The probability of symbol 1, of shape `(…)`, from 0 to 1; float16, bfloat16, float32,
            float64 or a number.

    Returns:
        Rows of shape `(…, 3)`: 0, `1 - probs`, 1.

    Raises:
        TypeError: `probs` is neither a tensor nor an array nor a number.
        ValueError: A dtype that is not allowed, or a value outside [0, 1]. The message names value
            and position.

    Example:
        >>> import torch, torchac
        >>> torchac.cdf.bernoulli(torch.tensor([0.25, 1.0]))
        tensor([[0.0000, 0.7500, 1.0000],
                [0.0000, 0.0000, 1.0000]])
    """
    if isinstance(probs, (int, float, np.integer, np.floating)):
        dtype = torch.float32
        values = torch.tensor(check_number("probs", probs), dtype=torch.float64, device=CPU)
    else:
        dtype, values = _floats("probs", probs)
    check_values("probs", values, (values >= 0) & (values <= 1), "numbers in [0, 1]")
    wide = values.to(widest_float(values.device))[..., None]
    return like(_rows(lambda p: 1 - p, dtype, 2, wide), probs)


def _rows(
    inner: Callable[..., torch.Tensor],
    dtype: torch.dtype,
    symbols: int,
    *parameters: torch.Tensor,
) -> torch.Tensor:
    """Rows from a CDF between each two neighbouring symbols.

    Args:
        inner: Gives the CDF, of shape `(n, symbols - 1)`, for parameters of n rows.
        dtype: Of the rows.
        symbols: Size of the alphabet.
        *parameters: Each of shape `(…, k)` with any k and the same leading dimensions.
    """
    shape = parameters[0].shape[:-1]
    count = math.prod(shape)
    flat = [p.reshape(count, p.shape[-1]) for p in parameters]
    rows = flat[0].new_zeros(count, symbols + 1, dtype=dtype)
    rows[:, -1] = 1
    at_once = max(1, (_IN_CACHE if rows.is_cpu else _ON_DEVICE) // symbols)
    for start in range(0, count, at_once):
        part = slice(start, start + at_once)
        rows[part, 1:-1] = inner(*(p[part] for p in flat))
    return rows.view(*shape, symbols + 1)


def _sums(shares: torch.Tensor) -> torch.Tensor:
    """The CDF between symbols whose probabilities are parts of the largest one of the row.

    They become integers, whose sums are exact: whatever the order in which a device adds, they are
    the same, and never decrease.
    """
    unit = 2.0 ** (62 - (shares.shape[-1] - 1).bit_length())  # so that the sum fits into an int64
    sums = (shares * unit).long().cumsum_(-1)
    return sums[:, :-1] / sums[:, -1:].to(shares.dtype)


def _from_masses(name: str, values: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """Rows from probabilities in any unit."""
    largest = _largest(name, values, 0, "finite numbers that are not negative")
    return _rows(lambda v, most: _sums(v / most), dtype, values.shape[-1], values, largest)


def _floats(
    name: str, array: Array, allowed: dict[Any, Any] = FLOATS
) -> tuple[torch.dtype, torch.Tensor]:
    """Checks an argument; gives the dtype of its rows, and the argument as a tensor."""
    check_array(name, array)
    check_elements(name, array)
    check_dtype(name, array, allowed)
    check_ndim(name, array)
    values = as_tensor(array)
    dtype = torch.float64 if values.dtype is torch.float64 else torch.float32
    # Half precision lacks operations in old releases of torch.
    return dtype, values.float() if values.element_size() == 2 else values


def _largest(name: str, values: torch.Tensor, limit: float, expected: str) -> torch.Tensor:
    """The largest value of each row, checked: finite and above the limit, with none below it."""
    shape = tuple(values.shape)
    if not shape or not 1 <= shape[-1] < MAX_LP:
        raise ValueError(f"{name} has shape {shape}: expected (…, L) with 1 <= L <= {MAX_LP - 1}")
    least, largest = values.aminmax(dim=-1, keepdim=True)
    if not ((least >= limit) & (largest < math.inf)).all():
        check_values(name, values, (values >= limit) & (values < math.inf), expected)
    of_rows = largest[..., 0]
    check_values(f"the largest of a row of {name}", of_rows, of_rows > limit, f"more than {limit}")
    return largest.to(widest_float(values.device))
