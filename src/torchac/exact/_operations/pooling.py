"""Means and maxima of neighbouring values."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import ClassVar

import torch
from torch.nn import functional

from torchac.exact._grid import MOST_STEPS, Grid, prove_sum
from torchac.exact._operations.base import Operation, are_integers, expect

MOST_VALUES = 1 << 22
"""How many values a mean may have that is taken all along a dimension."""


def _check_windows(attributes: dict[str, list[int]], *names: str) -> None:
    lists = [attributes[name] for name in names]
    expect(all(are_integers(x, 0, 1 << 12) for x in lists), f"it has {', '.join(names)}")
    expect(1 <= len(lists[0]) <= 3, "it has one to three dimensions")
    expect(all(len(x) == len(lists[0]) for x in lists), f"it has {', '.join(names)} in each")
    expect(all(min(attributes[n]) > 0 for n in names if n != "padding"), "they are positive")


class AveragePool(Operation):
    """The sum of the values in a window, divided by their number, with zeros outside."""

    kind: ClassVar[str] = "average_pool"

    def check(self, attributes: set[str], tensors: set[str]) -> None:
        expect(attributes == {"kernel", "stride", "padding", "outside"}, "it has a window")
        expect(not tensors, "it has no tensors")
        _check_windows(self.attributes, "kernel", "stride", "padding")
        expect(isinstance(self.attributes["outside"], bool), "zeros outside count or not")

    def prove(self, *grids: Grid) -> Grid:
        (x,) = grids
        kernel = self.attributes["kernel"]
        expect(x.ndim == len(kernel) + 2, f"it takes {len(kernel) + 2} dimensions")
        x = x.collapse(range(2, x.ndim))
        self.proved = prove_sum(x.bound * math.prod(kernel), x.step)
        return Grid(torch.zeros_like(x.step), x.bound)

    def forward(self, *values: torch.Tensor, sizes: Sequence[int | None] = ()) -> torch.Tensor:
        (x,) = values
        if not self.attributes["outside"]:
            return self._sum(x).div_(self._sum(torch.ones_like(x[:1, :1])))
        return self._sum(x).div_(math.prod(self.attributes["kernel"]))

    def _sum(self, x: torch.Tensor) -> torch.Tensor:
        kernel, stride = self.attributes["kernel"], self.attributes["stride"]
        padding = [p for p in reversed(self.attributes["padding"]) for _ in range(2)]
        x = functional.pad(x, padding)
        counts = [(n - k) // s + 1 for n, k, s in zip(x.shape[2:], kernel, stride, strict=True)]
        if min(counts) < 1:
            raise ValueError(f"a value has shape {tuple(x.shape)}: too small for its window")
        total = torch.zeros((*x.shape[:2], *counts), dtype=x.dtype, device=x.device)
        for place in itertools.product(*map(range, kernel)):
            seen = zip(place, counts, stride, strict=True)
            places = [slice(i, i + (n - 1) * s + 1, s) for i, n, s in seen]
            total += x[(slice(None), slice(None), *places)]
        return total


class Mean(Operation):
    """The mean along some dimensions: the sum, divided by the number of values."""

    kind: ClassVar[str] = "mean"

    def check(self, attributes: set[str], tensors: set[str]) -> None:
        expect(attributes == {"dims", "keep"} and not tensors, "it has dimensions")
        dims = self.attributes["dims"]
        expect(are_integers(dims, 0, 16) and sorted(set(dims)) == dims != [], "it has dimensions")
        expect(isinstance(self.attributes["keep"], bool), "it keeps dimensions or not")

    def prove(self, *grids: Grid) -> Grid:
        (x,) = grids
        dims, keep = self.attributes["dims"], self.attributes["keep"]
        expect(dims[-1] < x.ndim, "it has a dimension that the value has not")
        x = x.collapse(dims)
        self.proved = prove_sum(x.bound * MOST_VALUES, x.step)
        bound = x.bound
        if not keep:
            bound = bound.view([n for d, n in enumerate(bound.shape) if d not in dims])
        return Grid(torch.zeros_like(bound), bound)

    def forward(self, *values: torch.Tensor, sizes: Sequence[int | None] = ()) -> torch.Tensor:
        (x,) = values
        dims, keep = self.attributes["dims"], self.attributes["keep"]
        count = math.prod(x.shape[d] for d in dims)
        if not 0 < count <= MOST_VALUES:
            raise ValueError(f"a mean of {count} values: expected 1 to {MOST_VALUES}")
        return x.sum(dims, keepdim=keep).div_(count)

    def follow(
        self, at: Sequence[int | None], ndims: Sequence[int], lengths: Sequence[bool]
    ) -> int | None:
        (dim,), dims = at, self.attributes["dims"]
        expect(dim not in dims, "it is a mean over time")
        return dim if dim is None or self.attributes["keep"] else dim - sum(d < dim for d in dims)


class MaxPool(Operation):
    """The largest of the values in a window."""

    kind: ClassVar[str] = "max_pool"

    def check(self, attributes: set[str], tensors: set[str]) -> None:
        expect(attributes == {"kernel", "stride", "padding", "dilation"}, "it has a window")
        expect(not tensors, "it has no tensors")
        _check_windows(self.attributes, "kernel", "stride", "padding", "dilation")

    def prove(self, *grids: Grid) -> Grid:
        (x,) = grids
        dims = len(self.attributes["kernel"])
        expect(x.ndim == dims + 2, f"it takes {dims + 2} dimensions")
        return x.collapse(range(2, x.ndim))

    def forward(self, *values: torch.Tensor, sizes: Sequence[int | None] = ()) -> torch.Tensor:
        (x,) = values
        names = ("kernel", "stride", "padding", "dilation")
        kernel, stride, padding, dilation = (self.attributes[n] for n in names)
        pool = (functional.max_pool1d, functional.max_pool2d, functional.max_pool3d)
        result = pool[len(kernel) - 1](x, kernel, stride, padding, dilation)
        assert isinstance(result, torch.Tensor)
        return result


def bits_for(terms: int) -> int:
    """The bits that values may have if a number of them are summed."""
    return math.floor(math.log2(MOST_STEPS) - math.log2(terms)) - 1


__all__ = ["MOST_VALUES", "AveragePool", "MaxPool", "Mean", "bits_for"]
