"""CDFs from distributions: rows for the float functions and for `quantize_cdf`.

Each function takes the parameters of a batch of distributions, of shapes that broadcast to
`(N1, …, Nm)`, and gives a CDF of shape `(N1, …, Nm, Lp)`: each row begins with 0, ends with exactly
1 and never decreases, whatever the parameters. A symbol far in a tail may have no probability left
in its row; with `needs_normalization=True`, the default, the coding functions give it 1/65536.

Rows are float64 if one of the tensors or arrays is, else float32; they lie on the same device, and
carry no gradient. Arrays give arrays. A Python number may stand for a tensor of shape `()`.

All is computed in float64 and rounded at the end, so that a row does not depend on the batch that
it is computed in, and hardly ever on the machine. `from_pmf`, `from_counts`, `bernoulli` and
`mixture` give the same bits everywhere, unless subnormal numbers are flushed to zero
(`torch.set_flush_denormal`). The others need `exp` or `erf`, which machines round in
different ways; so once in a long time two machines disagree about a row, and then one decodes
garbage. It does not help to send the parameters, or to quantize the rows on each machine. Compute
the rows on one of them, quantize them with `torchac.quantize_cdf`, and share the integers, a table.

Apple's MPS and some GPUs of Intel have no float64: there, float32 takes its place, and rows depend
on the machine.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import reduce
from typing import Any

import numpy as np
import torch
from torch.distributions import Distribution, MixtureSameFamily

from torchac._checks import (
    check_arrays,
    check_ndim,
    check_number,
    check_range,
    check_values,
)
from torchac._tensors import CPU, FLOATS, MAX_LP, NUMBERS, Array, ArrayT, like, widest_float

__all__ = [
    "bernoulli",
    "from_counts",
    "from_distribution",
    "from_logits",
    "from_pmf",
    "laplace",
    "logistic",
    "mixture",
    "normal",
]

_NUMBER = (int, float, np.integer, np.floating)

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
    dtype, (values,) = _floats(pmf=pmf)
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
    dtype, (values,) = _floats(logits=logits)
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
    dtype, (values,) = _floats(NUMBERS, counts=counts)
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
    dtype, (values,) = _floats(probs=probs)
    _check_probabilities("probs", values)
    wide = values.to(widest_float(values.device))[..., None]
    return like(_rows(lambda p: 1 - p, dtype, 2, wide), probs)


def normal(loc: ArrayT | float, scale: ArrayT | float, low: int, high: int) -> ArrayT:
    """Rows of normal distributions, rounded to the integers from `low` to `high`.

    Symbol `s` is the integer `k = low + s` and has the probability of `[k - 0.5, k + 0.5]`; the
    first and the last one also have what is below and above.

    Args:
        loc: Mean of any shape, in units of the integers; float16, bfloat16, float32, float64 or a
            number. It may lie outside of the range, and be infinite.
        scale: Standard deviation, 0 or larger, of a shape that broadcasts with `loc`. With 0 the
            integer next to `loc` has all probability; halfway between two, each has half of it.
        low: The integer of symbol 0.
        high: The integer of the last symbol, `low <= high <= low + 32767`.

    Returns:
        Rows of shape `(…, high - low + 2)`: `row[s] = F(low + s - 0.5)` between 0 and 1 at its
        ends, with `F(x) = (1 + erf((x - loc) / (scale * sqrt(2)))) / 2` (Abramowitz and Stegun,
        Handbook of Mathematical Functions, 26.2.2 and 7.1.1).

    Raises:
        TypeError: `loc` or `scale` is neither a tensor nor an array nor a number, or `low` or
            `high` no integer.
        ValueError: Shapes, dtypes or devices that do not fit, a range that is not allowed, NaN, or
            a negative scale. The message names value and position.

    Example:
        >>> import torch, torchac
        >>> torchac.cdf.normal(torch.tensor([0.0, 0.5]), 1.0, -1, 1)
        tensor([[0.0000, 0.3085, 0.6915, 1.0000],
                [0.0000, 0.1587, 0.5000, 1.0000]])
    """

    def standard(x: torch.Tensor) -> torch.Tensor:
        return x.mul_(math.sqrt(0.5)).erf_().add_(1).div_(2)

    return like(_from_standard(standard, loc, scale, low, high), loc, scale)


def laplace(loc: ArrayT | float, scale: ArrayT | float, low: int, high: int) -> ArrayT:
    """Rows of Laplace distributions, rounded to the integers from `low` to `high`.

    Args:
        loc: As for `normal`.
        scale: Mean distance from `loc`, which is the standard deviation over `sqrt(2)`, as for
            `normal` otherwise.
        low: As for `normal`.
        high: As for `normal`.

    Returns:
        Rows as of `normal`, with `F(x) = (1 + sign(z) * (1 - exp(-|z|))) / 2` and
        `z = (x - loc) / scale` (Johnson, Kotz and Balakrishnan, Continuous Univariate
        Distributions, chapter 24).

    Raises:
        TypeError: As for `normal`.
        ValueError: As for `normal`.

    Example:
        >>> import torch, torchac
        >>> torchac.cdf.laplace(torch.tensor(0.0), 1.0, -1, 1)
        tensor([0.0000, 0.3033, 0.6967, 1.0000])
    """

    def standard(x: torch.Tensor) -> torch.Tensor:
        return x.abs().neg_().expm1_().copysign_(x).add_(1).div_(2)

    return like(_from_standard(standard, loc, scale, low, high), loc, scale)


def logistic(loc: ArrayT | float, scale: ArrayT | float, low: int, high: int) -> ArrayT:
    """Rows of logistic distributions, rounded to the integers from `low` to `high`.

    Args:
        loc: As for `normal`.
        scale: The standard deviation times `sqrt(3) / pi`, as for `normal` otherwise.
        low: As for `normal`.
        high: As for `normal`.

    Returns:
        Rows as of `normal`, with `F(x) = 1 / (1 + exp(-(x - loc) / scale))` (Johnson, Kotz and
        Balakrishnan, Continuous Univariate Distributions, chapter 23).

    Raises:
        TypeError: As for `normal`.
        ValueError: As for `normal`.

    Example:
        >>> import torch, torchac
        >>> torchac.cdf.logistic(torch.tensor(0.0), 1.0, -1, 1)
        tensor([0.0000, 0.3775, 0.6225, 1.0000])
    """

    def standard(x: torch.Tensor) -> torch.Tensor:
        # Not torch.sigmoid, which rounds in another way at the end of a batch.
        return x.neg_().exp_().add_(1).reciprocal_()

    return like(_from_standard(standard, loc, scale, low, high), loc, scale)


def mixture(weights: ArrayT, cdfs: ArrayT) -> ArrayT:
    """Rows of mixtures, from the rows of their M components.

    Args:
        weights: Weights of the components, of shape `(…, M)`, float16, bfloat16, float32 or
            float64: finite, not negative, and not all 0. They need not sum to 1.
        cdfs: Rows of the components, of shape `(…, M, Lp)` and the same dtypes, with values in
            [0, 1]; for example from `normal` with parameters of shape `(…, M)`.

    Returns:
        Rows of shape `(…, Lp)`: `sum(weights * cdfs) / sum(weights)`, summed over M. Probability
        that the rows leave below their first or above their last value goes to the symbol there.

    Raises:
        TypeError: An argument is neither a tensor nor an array.
        ValueError: Shapes, dtypes or devices that do not fit; a weight that is negative, infinite
            or NaN; weights that are all 0; a value of `cdfs` outside [0, 1]. The message names
            value and position.

    Example:
        >>> import torch, torchac
        >>> components = torchac.cdf.logistic(torch.tensor([-5.0, 5.0]), 1.0, -1, 1)
        >>> torchac.cdf.mixture(torch.tensor([0.5, 0.5]), components)
        tensor([0.0000, 0.4965, 0.5035, 1.0000])
    """
    dtype, (masses, rows) = _floats(weights=weights, cdfs=cdfs)
    if not (
        rows.ndim >= 2
        and 2 <= rows.shape[-1] <= MAX_LP
        and masses.shape[-1:] == rows.shape[-2:-1] != (0,)
        and _broadcast(masses.shape, rows.shape[:-1])
    ):
        raise ValueError(
            f"weights has shape {tuple(masses.shape)} and cdfs {tuple(rows.shape)}: "
            f"expected (…, M) and (…, M, Lp) with 2 <= Lp <= {MAX_LP}"
        )
    largest = _largest("weights", masses, 0, "finite numbers that are not negative")
    _check_probabilities("cdfs", rows)
    shares = (masses / largest)[..., None].unbind(-2)

    def inner(*parts: torch.Tensor) -> torch.Tensor:
        # Added one after the other, so that the order is the same everywhere, for every batch.
        shares, cdfs = parts[: len(parts) // 2], parts[len(parts) // 2 :]
        return reduce(torch.add, map(torch.mul, shares, cdfs)) / reduce(torch.add, shares)

    components = rows[..., 1:-1].unbind(-2)
    result = _rows(inner, dtype, rows.shape[-1] - 1, *shares, *components)
    return like(result, weights, cdfs)


def from_distribution(distribution: Distribution, low: int, high: int) -> torch.Tensor:
    """Rows of any `torch.distributions` object that has a `cdf`, rounded to integers.

    The computation is that of `distribution.cdf`, in the dtype of the distribution. Where `normal`,
    `laplace` or `logistic` fit, prefer them: in float32, this one depends on the machine.

    Args:
        distribution: Distributions of numbers, of batch shape `(…)`. A `MixtureSameFamily` becomes
            the `mixture` of its components.
        low: As for `normal`.
        high: As for `normal`.

    Returns:
        Rows of shape `(…, high - low + 2)`: `row[s] = distribution.cdf(low + s - 0.5)` between 0
        and 1 at its ends; float64 if `distribution.cdf` is, else float32, on its device.

    Raises:
        TypeError: `distribution` is no `torch.distributions.Distribution` or has no `cdf`, or
            `low` or `high` is no integer.
        ValueError: A range that is not allowed, or a `cdf` that is NaN.

    Example:
        >>> import torch, torchac
        >>> exponential = torch.distributions.Exponential(torch.tensor([1.0, 2.0]))
        >>> torchac.cdf.from_distribution(exponential, 0, 2)
        tensor([[0.0000, 0.3935, 0.7769, 1.0000],
                [0.0000, 0.6321, 0.9502, 1.0000]])
    """
    kind = type(distribution).__name__
    if not isinstance(distribution, Distribution):
        raise TypeError(
            f"distribution is of type {kind}: expected a torch.distributions.Distribution"
        )
    low, high = check_range(low, high)
    if isinstance(distribution, MixtureSameFamily):
        components = from_distribution(distribution.component_distribution, low, high)
        return mixture(distribution.mixture_distribution.probs, components)
    with torch.no_grad():
        # A tensor of one number goes with every device and dtype, and shows those of the result.
        middle = torch.tensor(low + 0.5, dtype=torch.float32, device=CPU)
        number = _cdf_at(distribution, middle)
        dtype = torch.float64 if number.dtype is torch.float64 else torch.float32
        edges = _edges(low, high, number.device).to(dtype)
        values = _cdf_at(distribution, edges.view(-1, *(1 for _ in distribution.batch_shape)))
    rows = _rows(lambda v: v, dtype, high - low + 1, values.movedim(0, -1))
    check_values(f"the cdf of {kind}", rows, ~rows.isnan(), "numbers")
    return rows


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
        *parameters: Each of shape `(…, k)` with any k and leading dimensions that broadcast.

    Returns:
        The rows, which are in order even if the CDF, by an ulp, is not.
    """
    shape = np.broadcast_shapes(*(parameter.shape[:-1] for parameter in parameters))
    count = math.prod(shape)
    flat = [p.expand(*shape, -1).reshape(count, p.shape[-1]) for p in parameters]
    rows = flat[0].new_zeros(count, symbols + 1, dtype=dtype)
    at_once = max(1, (_IN_CACHE if rows.is_cpu else _ON_DEVICE) // symbols)
    for start in range(0, count, at_once):
        part = slice(start, start + at_once)
        block = rows[part]
        block[:, 1:-1] = inner(*(p[part] for p in flat))
        block[:, -1] = 1
        block.clamp_(0, 1)
        if (block[:, 1:] < block[:, :-1]).any():
            block.copy_(block.cummax(-1).values)
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


def _from_standard(
    cdf: Callable[[torch.Tensor], torch.Tensor],
    loc: Array | float,
    scale: Array | float,
    low: int,
    high: int,
) -> torch.Tensor:
    """Rows of the distributions whose CDF is `cdf`, which works in place, at (x - loc) / scale."""
    low, high = check_range(low, high)
    dtype, (center, width) = _floats(loc=loc, scale=scale)
    if not _broadcast(center.shape, width.shape):
        raise ValueError(
            f"loc has shape {tuple(center.shape)} and scale {tuple(width.shape)}: "
            "expected shapes that broadcast"
        )
    check_values("loc", center, ~center.isnan(), "numbers")
    check_values("scale", width, width >= 0, "numbers that are not negative")
    edges = _edges(low, high, center.device)

    def inner(center: torch.Tensor, width: torch.Tensor) -> torch.Tensor:
        x = (edges - center).div_(width.abs())  # no -0
        return cdf(x.nan_to_num_(0, math.inf, -math.inf))  # 0 / 0 and inf / inf are halfway

    return _rows(inner, dtype, high - low + 1, center[..., None], width[..., None])


def _edges(low: int, high: int, device: torch.device) -> torch.Tensor:
    """The numbers halfway between the integers from `low` to `high`."""
    return torch.arange(high - low, dtype=widest_float(device), device=device) + (low + 0.5)


def _cdf_at(distribution: Distribution, points: torch.Tensor) -> torch.Tensor:
    """The CDF at points of which some may be outside of the support, where it is not defined."""
    try:
        support = distribution.support
    except NotImplementedError:
        support = None
    lower = _as_tensor(getattr(support, "lower_bound", -math.inf), points.dtype)
    upper = _as_tensor(getattr(support, "upper_bound", math.inf), points.dtype)
    inside = points.maximum(lower.nextafter(torch.full_like(lower, math.inf)))
    inside = inside.minimum(upper.nextafter(torch.full_like(upper, -math.inf)))
    try:
        values = distribution.cdf(inside)
    except NotImplementedError:
        raise TypeError(
            f"{type(distribution).__name__} has no cdf: expected a distribution with one"
        ) from None
    return values.where(points > lower, 0).where(points < upper, 1)


def _as_tensor(value: torch.Tensor | float, dtype: torch.dtype) -> torch.Tensor:
    if isinstance(value, torch.Tensor):
        return value.to(dtype)
    return torch.tensor(value, dtype=dtype, device=CPU)  # goes with every device


def _floats(
    allowed: dict[Any, Any] = FLOATS, **arguments: Array | float
) -> tuple[torch.dtype, list[torch.Tensor]]:
    """Checks arguments; gives the dtype of the rows, and the arguments as tensors."""
    arrays = {n: value for n, value in arguments.items() if not isinstance(value, _NUMBER)}
    tensors = check_arrays(allowed, **arrays)
    for name, tensor in tensors.items():
        check_ndim(name, tensor)
    is_double = any(tensor.dtype is torch.float64 for tensor in tensors.values())
    device = next((tensor.device for tensor in tensors.values()), CPU)
    for name in arguments.keys() - arrays.keys():
        tensors[name] = _scalar(name, arguments[name], device)
    dtype = torch.float64 if is_double else torch.float32
    ordered = (tensors[name] for name in arguments)
    # Half precision lacks operations in old releases of torch.
    return dtype, [tensor.float() if tensor.element_size() == 2 else tensor for tensor in ordered]


def _scalar(name: str, number: Any, device: torch.device) -> torch.Tensor:
    return torch.tensor(check_number(name, number), dtype=widest_float(device), device=device)


def _broadcast(*shapes: torch.Size) -> bool:
    try:
        np.broadcast_shapes(*shapes)
    except ValueError:
        return False
    return True


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


def _check_probabilities(name: str, values: torch.Tensor) -> None:
    check_values(name, values, (values >= 0) & (values <= 1), "numbers in [0, 1]")
