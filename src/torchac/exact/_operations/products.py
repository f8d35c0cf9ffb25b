"""Sums of products of values and weights: how weights are rounded, and the proof."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import ClassVar

import torch

from torchac.exact._grid import (
    MOST_STEPS,
    Grid,
    Unproved,
    lowest_bit,
    power_of_two,
    prove_sum,
)
from torchac.exact._operations.base import Operation, by_items, expect

WEIGHT_BITS = 15
"""Of the largest product of a weight and a bound in each sum, besides the sign."""

_MOST_STEPS = MOST_STEPS * 0.93
"""Of what is converted: so that a proof on another machine, which rounds otherwise, holds too."""

Weights = Sequence[torch.Tensor]
"""Of shape (groups, outputs of a group, terms, inputs of a group): sums of some outputs each."""


def room(weights: Weights, bias: torch.Tensor, bound: torch.Tensor) -> int:
    """The bits that inputs may have, if all of them are within bounds."""
    largest, total = _terms(weights, bias, bound)
    used = largest > 0
    if not bool(used.any()):
        return 50
    ratio = (total[used] / power_of_two(largest[used], above=False)).max().item()
    return min(50, math.floor(math.log2(_MOST_STEPS) - WEIGHT_BITS - math.log2(ratio)))


def round_weights(
    weights: Weights, bias: torch.Tensor, x: Grid
) -> tuple[list[torch.Tensor], torch.Tensor]:
    """Rounds weights and bias so that all terms of a sum are multiples of one step."""
    largest, _ = _terms(weights, bias, x.bound)
    groups, outputs, _, inputs = weights[0].shape
    bits = math.ceil(x.bits)
    step = torch.where(largest > 0, power_of_two(largest.clamp(min=1e-300), above=False), 1.0)
    step = step * 2.0 ** -(WEIGHT_BITS + bits)
    x_step = torch.where(x.bound > 0, x.step, 1.0).expand(groups * inputs)
    quantum = step.view(groups, outputs, 1, 1) / x_step.view(groups, 1, 1, inputs)
    rounded = [(w / quantum).round() * quantum for w in weights]
    return rounded, (bias / step.flatten()).round() * step.flatten()


def prove_products(weights: Weights, bias: torch.Tensor, x: Grid) -> tuple[float, Grid]:
    """Proves sums of products with inputs of a grid, and of a bias.

    Returns:
        The bits of the largest sum, and the grid of the outputs.
    """
    groups, inputs = weights[0].shape[0], weights[0].shape[3]
    x_step = x.step.expand(groups * inputs).view(groups, 1, 1, inputs)
    x_bound = x.bound.expand(groups * inputs).view(groups, 1, 1, inputs)
    size, step, nothing = bias.abs(), lowest_bit(bias), torch.tensor(math.inf, dtype=bias.dtype)
    bits = 0.0
    bounds, steps = [], []
    for weight in weights:
        counts = (weight != 0) & (x_bound > 0)
        if bool((counts & (x_step == 0)).any()):
            raise Unproved("it sums values that are not multiples of a step")
        terms = torch.where(counts, lowest_bit(weight) * x_step, nothing)
        least = torch.minimum(terms.flatten(2).amin(2).flatten(), step) if terms.numel() else step
        total = (weight.abs() * x_bound).flatten(2).sum(2).flatten() + size
        bits = max(bits, prove_sum(total, least))
        steps.append(torch.where(torch.isinf(least), 1.0, least))
        bounds.append(total)
    return bits, Grid(torch.stack(steps).amin(0), torch.stack(bounds).amax(0) * (1 + 2.0**-30))


def _terms(
    weights: Weights, bias: torch.Tensor, bound: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """The largest term of each output, and the largest sum of absolute values of its terms."""
    groups, outputs, _, inputs = weights[0].shape
    bound = bound.expand(groups * inputs).view(groups, 1, 1, inputs)
    sizes = [(w.abs() * bound).flatten(2) for w in weights if w.shape[2]]
    largest = torch.stack([s.amax(2) for s in sizes]).amax(0)
    total = torch.stack([s.sum(2) for s in sizes]).amax(0) + bias.abs().view(groups, outputs)
    return largest, total


class Linear(Operation):
    """`weight @ x + bias` in the last dimension."""

    kind: ClassVar[str] = "linear"
    in_parts = True
    weight: torch.Tensor
    bias: torch.Tensor

    def check(self, attributes: set[str], tensors: set[str]) -> None:
        expect(not attributes and tensors == {"weight", "bias"}, "it has a weight and a bias")
        expect(self.weight.ndim == 2 and self.weight.numel() > 0, "a weight has two dimensions")
        expect(self.bias.shape == self.weight.shape[:1], "a bias has a number for each output")

    def prove(self, *grids: Grid) -> Grid:
        (x,) = grids
        expect(x.ndim >= 1, "it takes one dimension or more")
        ndim, x = x.ndim, x.along(-1)
        expect(len(x.step) in (1, self.weight.shape[1]), f"it takes {self.weight.shape[1]} numbers")
        self.proved, y = prove_products([self.weight[None, :, None]], self.bias, x)
        shape = (*(1 for _ in range(ndim - 1)), -1)
        return Grid(y.step.view(shape), y.bound.view(shape))

    def forward(
        self,
        *values: torch.Tensor,
        sizes: Sequence[int | None] = (),
        then: Callable[[torch.Tensor], torch.Tensor] = lambda y: y,
    ) -> torch.Tensor:
        (x,) = values

        def compute(x: torch.Tensor) -> torch.Tensor:
            return then(torch.nn.functional.linear(x, self.weight, self.bias))

        return by_items(compute, x, max(self.weight.shape))

    def follow(
        self, at: Sequence[int | None], ndims: Sequence[int], lengths: Sequence[bool]
    ) -> int | None:
        expect(at[0] is None or at[0] < ndims[0] - 1, "it sums over time")
        return at[0]
