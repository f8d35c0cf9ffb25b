"""Tables of `torch.distributions` objects, from their `cdf` or their `log_prob`."""

from __future__ import annotations

import copy
import math
from typing import Any

import torch
from torch.distributions import (
    Distribution,
    Independent,
    MixtureSameFamily,
    OneHotCategorical,
    TransformedDistribution,
    constraints,
)

from torchac._checks import check_elements, check_integer, require_all
from torchac._tensors import CPU, MAX_LP, widest_float
from torchac.models._base import Tables

# Probabilities are summed from the least integer of a support, if it is at most this far below.
REACH = 1 << 20
STEP = 1 << 14  # integers at a time


def tabulate(distribution: Distribution, low: int, high: int) -> Tables:
    """Rows of a distribution of numbers, rounded to integers.

    They are computed by `distribution.cdf`, in its dtype. Distributions of integers without a
    `cdf`, such as `Poisson`, `Binomial`, `NegativeBinomial` and `Geometric`, are tabulated by sums
    of `exp(log_prob)`, in float64. Another machine may round either differently, so store the
    tables or send them. The first and the last integer get the probability of all beyond them; only
    integers from `low` to `high` can be coded.

    Sums begin at the least integer of the support. If there is none, or it is more than 2^20 below
    `low`, the probability below `low` is unknown, and all integers share it in proportion.

    Args:
        distribution: A `torch.distributions` object with a `cdf` or of integers, of batch shape
            `(…)`.
        low: The least integer.
        high: The largest integer, `low <= high <= low + 32767`.

    Returns:
        The rows, of shape `(…)`, on the distribution's device.

    Raises:
        TypeError: `distribution` has no `cdf` and is not of integers, in which case the message
            says what to do instead; or `low` or `high` is not an integer.
        ValueError: A range that is not allowed, a `cdf` or a `log_prob` that is NaN, or
            probabilities that are not from 0 to 1.

    Example:
        >>> import torch, torchac
        >>> exponential = torch.distributions.Exponential(torch.tensor([1.0, 0.2]))
        >>> model = torchac.tabulate(exponential, 0, 20)
        >>> stream = torchac.encode(model, torch.tensor([0, 7]))
        >>> torchac.decode(model, stream)
        tensor([0, 7], dtype=torch.int32)
    """
    kind = type(distribution).__name__
    if not isinstance(distribution, Distribution):
        raise TypeError(
            f"distribution is of type {kind}: expected a torch.distributions.Distribution"
        )
    low, high = _check_range(low, high)
    try:
        rows = _rows(distribution, low, high)
    except NotImplementedError:
        reason = "has no cdf, and its values are not integers"
        if distribution.event_shape:
            reason = f"has values of shape {tuple(distribution.event_shape)}, not single numbers"
        raise TypeError(f"{kind} {reason}: {way_out(distribution)}") from None
    return Tables(rows, low=low, bounds=(low, high))


def check_probs(distribution: Distribution) -> None:
    """Raises if `probs` is not from 0 to 1: torch would compute finite logits of any numbers."""
    probs = vars(distribution).get("probs")
    if probs is not None:
        check_elements("probs", probs)
        least, most = probs.aminmax() if probs.numel() else (probs, probs)
        if not ((least >= 0) & (most <= 1)).all():
            require_all("probs", probs, (probs >= 0) & (probs <= 1), "numbers from 0 to 1")


def way_out(distribution: Distribution) -> str:
    """Advice on how to code values with a distribution that is not supported directly."""
    name = "distribution"
    while isinstance(distribution, Independent):
        distribution, name = distribution.base_dist, f"{name}.base_dist"
    try:
        _rows(distribution, 0, 1)
    except (NotImplementedError, RuntimeError, TypeError, ValueError):
        pass
    else:
        return f"torchac.tabulate({name}, low, high) makes a model of it"
    if isinstance(distribution, OneHotCategorical):
        return f"torch.distributions.Categorical(logits={name}.logits) codes where the 1 is"
    if distribution.event_shape:
        return "code the numbers one by one, each with its own model, given those before it"
    return (
        "compute the probability of each integer, for torchac.Categorical(probs=...), or the cdf "
        "between them, for torchac.Tables(cdf, low=low)"
    )


def _rows(distribution: Distribution, low: int, high: int) -> torch.Tensor:
    """Rows for the integers from `low` to `high`, on the distribution's device.

    They have the shape `(…, high - low + 2)`, begin with 0, end with 1, and do not decrease.
    Between the ends, `row[s]` is `distribution.cdf(low + s - 0.5)`, in float64 if the cdf is, else
    in float32; or a sum of the probabilities of integers, in float64 if the device has it. Raises
    NotImplementedError if the distribution has neither.
    """
    if distribution.event_shape:
        raise NotImplementedError
    with torch.no_grad():
        rows = torch.nn.functional.pad(_between(distribution, low, high).clamp(0, 1), (1, 1))
    rows[..., -1] = 1
    require_all(f"the cdf of {type(distribution).__name__}", rows, ~rows.isnan(), "numbers")
    return rows.cummax(-1).values


def _check_range(low: int, high: int) -> tuple[int, int]:
    low, high = check_integer("low", low), check_integer("high", high)
    most = MAX_LP - 1
    if not low <= high < low + most:
        raise ValueError(
            f"low is {low} and high is {high}: expected low <= high and at most {most} integers"
        )
    return low, high


def _between(distribution: Distribution, low: int, high: int) -> torch.Tensor:
    """The CDF halfway between each two neighbouring integers, in the last dimension."""
    if type(distribution) is MixtureSameFamily:
        # Its own cdf calls those of the components with values that may be outside their supports.
        check_probs(distribution.mixture_distribution)
        components = _between(distribution.component_distribution, low, high)
        weights: torch.Tensor = distribution.mixture_distribution.probs
        return (weights[..., None] * components).sum(-2)
    try:
        # A tensor of one number is compatible with every device and dtype, so the result has those
        # of the distribution.
        number = _cdf_at(distribution, torch.tensor(low + 0.5, dtype=torch.float32, device=CPU))
    except NotImplementedError:
        return _sums(distribution, low, high)
    dtype = torch.float64 if number.dtype is torch.float64 else torch.float32
    points = torch.arange(low, high, dtype=dtype, device=number.device) + 0.5
    return _cdf_at(distribution, _column(points, distribution)).to(dtype).movedim(0, -1)


def _cdf_at(distribution: Distribution, points: torch.Tensor) -> torch.Tensor:
    """The CDF at points, some of which may be outside the support, where it is undefined."""
    lower, upper, discrete = _support(distribution, points.dtype)
    if discrete:
        inside = points.floor().maximum(lower).minimum(upper)
    else:
        inside = points.maximum(lower.nextafter(torch.full_like(lower, math.inf)))
        inside = inside.minimum(upper.nextafter(torch.full_like(upper, -math.inf)))
    values: torch.Tensor = _unchecked(distribution).cdf(inside)
    return values.where(points > lower, 0).where(points < upper, 1)


def _unchecked(distribution: Any) -> Any:
    """A copy that also accepts values outside its support; a transform may be inside."""
    other = copy.copy(distribution)
    other._validate_args = False
    if isinstance(distribution, TransformedDistribution):
        other.base_dist = _unchecked(distribution.base_dist)
    return other


def _sums(distribution: Distribution, low: int, high: int) -> torch.Tensor:
    """Does the same as `_between` for distributions of integers, by sums of probabilities."""
    tensors = (value for value in vars(distribution).values() if isinstance(value, torch.Tensor))
    device = next((tensor.device for tensor in tensors), CPU)
    dtype = widest_float(device)
    lower, upper, discrete = _support(distribution, dtype)
    if not discrete:
        raise NotImplementedError
    least = float(lower.amin()) if lower.numel() else math.inf
    check_probs(distribution)
    known = least >= low - REACH  # whether the probability below `low` is known
    start = int(max(least, low - REACH)) if least < low else low
    below: torch.Tensor | float = 0.0
    for first in range(start if known else low, low, STEP):
        end = min(first + STEP, low)
        points = torch.arange(first, end, dtype=dtype, device=device)
        below = below + _log_probs(distribution, points).exp().sum(0)
    logs = _log_probs(distribution, torch.arange(low, high + 1, dtype=dtype, device=device))
    if known:
        sums = below + logs.exp().cumsum(0)
        # The sum over the support is 1. A sum of many terms may exceed it by rounding.
        total = sums[-1].where(upper <= high, sums[-1].clamp(min=1))
    else:
        most = logs.amax(0)
        require_all(
            f"the largest log_prob of {type(distribution).__name__} from {low} to {high}",
            most,
            most > -math.inf,
            "more than that, as the probability below them is not known",
        )
        sums = (logs - most).exp().cumsum(0)
        total = sums[-1]
    return (sums[:-1] / total).movedim(0, -1)


def _log_probs(distribution: Distribution, points: torch.Tensor) -> torch.Tensor:
    """The logarithms of the probabilities of integers: -inf outside the support."""
    lower, upper, _ = _support(distribution, points.dtype)
    points = _column(points, distribution)
    inside = points.maximum(lower).minimum(upper)
    values: torch.Tensor = _unchecked(distribution).log_prob(inside).to(points.dtype)
    support: Any = distribution.support
    outside = ((inside != points) | ~support.check(inside)) & ~inside.isnan()
    logs = values.masked_fill(outside, -math.inf)
    name, each = f"the log_prob of {type(distribution).__name__}", logs.movedim(0, -1)
    require_all(name, each, each < math.inf, "numbers")
    return logs


def _column(points: torch.Tensor, distribution: Distribution) -> torch.Tensor:
    """The points in a dimension before those of the distribution."""
    return points.view(-1, *(1 for _ in distribution.batch_shape))


def _support(
    distribution: Distribution, dtype: torch.dtype
) -> tuple[torch.Tensor, torch.Tensor, bool]:
    """The least and the largest value, infinite if unknown, and whether all values are integers."""
    try:
        support: Any = distribution.support
        discrete = bool(support.is_discrete)
    except (AttributeError, NotImplementedError):
        support, discrete = None, False
    boolean = support is constraints.boolean
    lower = 0.0 if boolean else getattr(support, "lower_bound", -math.inf)
    upper = 1.0 if boolean else getattr(support, "upper_bound", math.inf)
    return _as_tensor(lower, dtype), _as_tensor(upper, dtype), discrete


def _as_tensor(value: torch.Tensor | float, dtype: torch.dtype) -> torch.Tensor:
    if isinstance(value, torch.Tensor):
        return value.to(dtype)
    return torch.tensor(value, dtype=dtype, device=CPU)  # compatible with every device
