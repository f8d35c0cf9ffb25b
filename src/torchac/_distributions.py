"""CDF rows of any object of `torch.distributions` that has a `cdf`."""

from __future__ import annotations

import math

import torch
from torch.distributions import Distribution, MixtureSameFamily

from torchac._checks import check_integer, check_values
from torchac._tensors import CPU, MAX_LP


def cdf_rows(distribution: Distribution, low: int, high: int) -> torch.Tensor:
    """Rows for the integers from `low` to `high`, which begin with 0, end with 1, do not decrease.

    Args:
        distribution: Distributions of numbers, of batch shape `(…)`.
        low: The least integer.
        high: The largest integer.

    Returns:
        Rows of shape `(…, high - low + 2)`: `row[s] = distribution.cdf(low + s - 0.5)` between the
        ends; float64 if `distribution.cdf` is, else float32, on its device.
    """
    kind = type(distribution).__name__
    if not isinstance(distribution, Distribution):
        raise TypeError(
            f"distribution is of type {kind}: expected a torch.distributions.Distribution"
        )
    low, high = _check_range(low, high)
    with torch.no_grad():
        rows = torch.nn.functional.pad(_between(distribution, low, high).clamp(0, 1), (1, 1))
    rows[..., -1] = 1
    check_values(f"the cdf of {kind}", rows, ~rows.isnan(), "numbers")
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
    if isinstance(distribution, MixtureSameFamily):
        # Its own cdf asks components for values that may be outside of their supports.
        components = _between(distribution.component_distribution, low, high)
        return (distribution.mixture_distribution.probs[..., None] * components).sum(-2)
    # A tensor of one number goes with every device and dtype, and shows those of the result.
    number = _cdf_at(distribution, torch.tensor(low + 0.5, dtype=torch.float32, device=CPU))
    dtype = torch.float64 if number.dtype is torch.float64 else torch.float32
    points = torch.arange(low, high, dtype=dtype, device=number.device) + 0.5
    values = _cdf_at(distribution, points.view(-1, *(1 for _ in distribution.batch_shape)))
    return values.to(dtype).movedim(0, -1)


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
