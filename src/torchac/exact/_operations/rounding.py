"""Inputs, limits, rounding, and outputs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch

from torchac.exact._grid import (
    LARGEST,
    MOST_STEPS_TO_ROUND,
    Grid,
    Unproved,
    is_power_of_two,
    uniform,
)
from torchac.exact._operations.base import Operation, expect, is_integer, is_number

_TO_ROUND = 1.5 * 2.0**52


class Input(Operation):
    """An input of the network, as float64, within its limit."""

    kind: ClassVar[str] = "input"
    inputs = 0

    def check(self, attributes: set[str], tensors: set[str]) -> None:
        expect(attributes == {"ndim", "limit"} and not tensors, "it has a number of dimensions")
        expect(is_integer(self.attributes["ndim"], 0, 16), "it has at most 16 dimensions")
        limit = self.attributes["limit"]
        expect(is_number(limit) and 1 / LARGEST <= limit <= LARGEST, f"{limit} is not a limit")

    def prove(self, *grids: Grid) -> Grid:
        return uniform(self.attributes["ndim"], 0.0, self.attributes["limit"])

    def forward(self, *values: torch.Tensor, sizes: Sequence[int | None] = ()) -> torch.Tensor:
        (x,) = values
        if not isinstance(x, torch.Tensor):
            raise TypeError(f"an input is of type {type(x).__name__}: expected a torch.Tensor")
        if x.ndim != self.attributes["ndim"] or x.is_complex():
            raise ValueError(
                f"an input has shape {tuple(x.shape)} and dtype {x.dtype}: expected "
                f"{self.attributes['ndim']} dimensions, as in the batch it was converted with"
            )
        x = x.to(torch.float64)
        if not bool(torch.isfinite(x).all()):
            where = tuple(torch.nonzero(~torch.isfinite(x))[0].tolist())
            raise ValueError(
                f"an input is {x[where].item()} at index {where}: expected finite numbers"
            )
        return x.clamp(-self.attributes["limit"], self.attributes["limit"])


class Limit(Operation):
    """`min(max(x, -limit), limit)`, with a limit for each channel."""

    kind: ClassVar[str] = "limit"
    pointwise = True
    limit: torch.Tensor

    def check(self, attributes: set[str], tensors: set[str]) -> None:
        expect(not attributes and tensors == {"limit"}, "it has a limit")
        expect(bool((self.limit >= 0).all()), "limits are not negative")

    def prove(self, *grids: Grid) -> Grid:
        (x,) = grids
        limit = spread(self.limit, x)
        # A limit is a multiple of the step, or else the step is lost where it limits.
        divides = torch.remainder(limit, torch.where(x.step > 0, x.step, 1.0)) == 0
        kept = divides | (x.bound <= limit)
        return Grid(torch.where(kept, x.step, 0.0), torch.minimum(x.bound, limit))

    def forward(self, *values: torch.Tensor, sizes: Sequence[int | None] = ()) -> torch.Tensor:
        (x,) = values
        check_channels(x, self.limit)
        return x.clamp(-self.limit, self.limit)


class Round(Operation):
    """Rounds to the nearest multiple of a step, halves to even, with a step for each channel."""

    kind: ClassVar[str] = "round"
    pointwise = True
    step: torch.Tensor
    _far: torch.Tensor

    def check(self, attributes: set[str], tensors: set[str]) -> None:
        expect(not attributes and tensors == {"step"}, "it has a step")
        steps = self.step.flatten().tolist()
        expect(all(map(is_power_of_two, steps)), "steps are powers of two")
        expect(all(1 / LARGEST <= step <= LARGEST for step in steps), "steps are in range")
        self.register_buffer("_far", self.step * _TO_ROUND, persistent=False)

    def prove(self, *grids: Grid) -> Grid:
        (x,) = grids
        step = spread(self.step, x)
        if not bool((x.bound <= step * MOST_STEPS_TO_ROUND).all()):
            raise Unproved("it rounds values of more than 2^51 steps")
        return Grid(torch.maximum(step, x.step), torch.ceil(x.bound / step) * step)

    def forward(self, *values: torch.Tensor, sizes: Sequence[int | None] = ()) -> torch.Tensor:
        (x,) = values
        check_channels(x, self.step)
        return (x + self._far).sub_(self._far)


class Output(Operation):
    """Rounds to a multiple of a step, at most 2^23 of them, as float32. There is no -0.0."""

    kind: ClassVar[str] = "output"
    pointwise = True

    def check(self, attributes: set[str], tensors: set[str]) -> None:
        expect(attributes == {"step"} and not tensors, "it has a step")
        step = self.attributes["step"]
        expect(is_number(step) and is_power_of_two(step), f"{step} is not a power of two")
        expect(2.0**-100 <= step <= 2.0**100, f"a step of {step}")

    def prove(self, *grids: Grid) -> Grid:
        step, (x,) = self.attributes["step"], grids
        bound = torch.clamp(x.bound, max=2.0**23 * step)
        return Grid(torch.full_like(x.step, step), bound)

    def forward(self, *values: torch.Tensor, sizes: Sequence[int | None] = ()) -> torch.Tensor:
        step, (x,) = self.attributes["step"], values
        far = _TO_ROUND * step
        x = x.clamp(-(2.0**23) * step, 2.0**23 * step)
        return x.add_(far).sub_(far).to(torch.float32)


def round_to(x: torch.Tensor, step: float) -> torch.Tensor:
    """The nearest multiple of a step, halves to even, for at most 2^51 steps."""
    far = step * _TO_ROUND
    return (x + far).sub_(far)


def spread(numbers: torch.Tensor, grid: Grid) -> torch.Tensor:
    """Numbers for each channel, in a shape that matches the grid of their value."""
    expect(numbers.ndim == grid.ndim, "it has a number for each channel of another value")
    pairs = zip(numbers.shape, grid.step.shape, strict=True)
    expect(all(1 in pair or pair[0] == pair[1] for pair in pairs), "it has other channels")
    return numbers


def check_channels(x: torch.Tensor, numbers: torch.Tensor) -> None:
    """Checks that a value has as many channels as there are numbers."""
    for size, expected in zip(x.shape, numbers.shape, strict=True):
        if expected not in (1, size):
            raise ValueError(f"a value has shape {tuple(x.shape)}: expected {expected} channels")
