"""Grids: a value is known to be a multiple of a step, and within a bound.

Both are proved from weights and limits alone. If the terms of a sum are multiples of one step, and
their absolute values add up to less than 2^53 of these steps, the sum is exact in float64, and so
is every partial sum, in any order, with fused operations or without.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

MOST_STEPS = 2.0**53
MOST_STEPS_TO_ROUND = 2.0**51
"""Rounding adds 1.5 * 2^52 steps, next to which numbers of float64 are one step apart."""

LARGEST = 2.0**400
"""Bounds and steps stay within this and its reciprocal, so that nothing is ever subnormal."""

TINY = 2.0**-300
"""Takes the place of bounds of 0 where a power of two is asked for."""

_MOST_CHANNELS = 1 << 22

_SLACK = 1 + 2.0**-30
"""For the rounding of the proofs themselves, which add up to millions of positive numbers."""


class Unproved(ValueError):  # noqa: N818, a proof fails
    """A sum that may pass 2^53 steps, or a value without a bound."""


@dataclass(frozen=True)
class Grid:
    """Steps and bounds of a value, in float64 tensors with the same number of dimensions.

    A dimension has size 1 if they are the same along it, else the size of the value.

    Attributes:
        step: A power of two of which the value is a multiple, or 0 if there is none.
        bound: The largest absolute value that is possible.
    """

    step: torch.Tensor
    bound: torch.Tensor

    def __post_init__(self) -> None:
        assert self.step.shape == self.bound.shape
        if not bool((self.bound <= LARGEST).all()):
            raise Unproved("its values may pass 2^400: limit them before, with clamp")
        if bool(((self.step > 0) & (self.step < 1 / LARGEST)).any()):
            raise Unproved("its values have steps below 2^-400")

    @property
    def ndim(self) -> int:
        """The number of dimensions of the value."""
        return self.step.ndim

    @property
    def bits(self) -> float:
        """The bits of the largest number of steps; infinite if there is no step."""
        steps = torch.where(self.bound > 0, self.bound / self.step, 1.0)
        return math.log2(max(1.0, steps.max().item()))

    def collapse(self, dims: Sequence[int]) -> Grid:
        """A grid that is uniform along some dimensions: the finest step and the largest bound."""
        if all(self.step.shape[dim] == 1 for dim in dims):
            return self
        over = list(dims)
        return Grid(self.step.amin(over, keepdim=True), self.bound.amax(over, keepdim=True))

    def along(self, dim: int) -> Grid:
        """The grid along one dimension of the value, as a one-dimensional grid."""
        kept = self.collapse([d for d in range(self.ndim) if d != dim % self.ndim])
        return Grid(kept.step.flatten(), kept.bound.flatten())

    def exact(self) -> Grid:
        """The grid after one operation of float64, without a step where it may have rounded."""
        step = torch.where(self.bound <= self.step * MOST_STEPS, self.step, 0.0)
        return Grid(step, self.bound)


def uniform(ndim: int, step: float, bound: float) -> Grid:
    """The same everywhere."""
    shape = (1,) * ndim
    return Grid(
        torch.full(shape, step, dtype=torch.float64), torch.full(shape, bound, dtype=torch.float64)
    )


def check_shape(*shape: int) -> None:
    """Checks that a grid of a shape takes little memory, before any is allocated."""
    if math.prod(shape) > _MOST_CHANNELS:
        raise Unproved(f"it has {math.prod(shape)} channels: expected at most {_MOST_CHANNELS}")


def prove_sum(size: torch.Tensor, step: torch.Tensor) -> float:
    """Checks that absolute values that add up to `size` are fewer than 2^53 steps.

    Returns:
        The bits of the largest number of steps.
    """
    steps = (torch.where(size > 0, size / step, 0.0) * _SLACK).max().item()
    if not steps < MOST_STEPS:
        if math.isinf(steps):
            raise Unproved("it sums values that are not multiples of a step")
        raise Unproved(f"its sums may reach 2^{math.log2(steps):.1f} steps, and 2^53 are not exact")
    return math.log2(max(steps, 1.0))


def lowest_bit(x: torch.Tensor) -> torch.Tensor:
    """The largest power of two that divides each number; infinity for 0."""
    mantissa, exponent = np.frexp(np.abs(x.numpy()))
    whole = (mantissa * 2.0**53).astype(np.int64)
    low = np.ldexp((whole & -whole).astype(np.float64), exponent - 53)
    return torch.from_numpy(np.where(whole == 0, np.inf, low))


def power_of_two(x: torch.Tensor, *, above: bool) -> torch.Tensor:
    """The next power of two that is not below (or not above) each of the positive numbers."""
    mantissa, exponent = np.frexp(x.numpy())
    return torch.from_numpy(np.ldexp(1.0, exponent - (mantissa == 0.5 if above else 1)))


def is_power_of_two(x: float) -> bool:
    """Whether a number is a positive power of two."""
    return math.isfinite(x) and x > 0 and math.frexp(x)[0] == 0.5
