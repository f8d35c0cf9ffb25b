"""One operation of IEEE 754 for each element: none needs a proof, and some keep the steps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
import torch
from torch.nn import functional

from torchac.exact._grid import LARGEST, Grid, check_shape, lowest_bit, power_of_two
from torchac.exact._operations.base import Operation, expect, is_number


class Constant(Operation):
    """Numbers that do not depend on the input."""

    kind: ClassVar[str] = "constant"
    inputs = 0
    value: torch.Tensor

    def check(self, attributes: set[str], tensors: set[str]) -> None:
        expect(not attributes and tensors == {"value"}, "it has a value")

    def prove(self, *grids: Grid) -> Grid:
        x = Grid(lowest_bit(self.value).clamp(max=LARGEST), self.value.abs())
        if sum(n > 1 for n in self.value.shape) > 1:  # of channels, only one dimension is
            x = x.collapse(range(x.ndim))
        return x

    def forward(self, *values: torch.Tensor, sizes: Sequence[int | None] = ()) -> torch.Tensor:
        return self.value


class Pair(Operation):
    """Two values, one of which may be broadcast to the shape of the other."""

    inputs = 2

    def grids(self, a: Grid, b: Grid) -> tuple[torch.Tensor, ...]:
        """Steps and bounds of both, of one shape."""
        longest = max(a.ndim, b.ndim)
        shapes = [(1,) * (longest - x.ndim) + tuple(x.step.shape) for x in (a, b)]
        pairs = list(zip(*shapes, strict=True))
        expect(all(1 in p or p[0] == p[1] for p in pairs), f"it takes other channels: {shapes}")
        check_shape(*map(max, pairs))
        zero = torch.zeros_like(a.step) + torch.zeros_like(b.step)
        return zero + a.step, zero + a.bound, zero + b.step, zero + b.bound

    def follow(
        self, at: Sequence[int | None], ndims: Sequence[int], lengths: Sequence[bool]
    ) -> int | None:
        longest = max(ndims)
        found = {d + longest - n for d, n in zip(at, ndims, strict=True) if d is not None}
        expect(len(found) < 2, "its values have time in different dimensions")
        return found.pop() if found else None


class Add(Pair):
    """`a + b`."""

    kind: ClassVar[str] = "add"

    def prove(self, *grids: Grid) -> Grid:
        a, a_bound, b, b_bound = self.grids(*grids)
        return Grid(torch.minimum(a, b), a_bound + b_bound).exact()

    def forward(self, *values: torch.Tensor, sizes: Sequence[int | None] = ()) -> torch.Tensor:
        return values[0] + values[1]


class Subtract(Add):
    """`a - b`."""

    kind: ClassVar[str] = "subtract"

    def forward(self, *values: torch.Tensor, sizes: Sequence[int | None] = ()) -> torch.Tensor:
        return values[0] - values[1]


class Multiply(Pair):
    """`a * b`."""

    kind: ClassVar[str] = "multiply"

    def prove(self, *grids: Grid) -> Grid:
        a, a_bound, b, b_bound = self.grids(*grids)
        return Grid(a * b, a_bound * b_bound).exact()

    def forward(self, *values: torch.Tensor, sizes: Sequence[int | None] = ()) -> torch.Tensor:
        return values[0] * values[1]


class Divide(Pair):
    """`a / max(b, least)`, where `least` is positive."""

    kind: ClassVar[str] = "divide"

    def check(self, attributes: set[str], tensors: set[str]) -> None:
        expect(attributes == {"least"} and not tensors, "it has a least divisor")
        least = self.attributes["least"]
        expect(is_number(least) and least >= 1 / LARGEST, f"a least divisor of {least}")

    def prove(self, *grids: Grid) -> Grid:
        a, a_bound, _, _ = self.grids(*grids)
        return Grid(torch.zeros_like(a), a_bound / self.attributes["least"])

    def forward(self, *values: torch.Tensor, sizes: Sequence[int | None] = ()) -> torch.Tensor:
        return values[0] / values[1].clamp(min=self.attributes["least"])


class SquareRoot(Operation):
    """`sqrt(max(x, 0))`."""

    kind: ClassVar[str] = "square_root"
    pointwise = True

    def prove(self, *grids: Grid) -> Grid:
        (x,) = grids
        positive = x.bound.clamp(min=1 / LARGEST)  # the bound need not be tight
        return Grid(torch.zeros_like(x.step), power_of_two(positive.sqrt(), above=True))

    def forward(self, *values: torch.Tensor, sizes: Sequence[int | None] = ()) -> torch.Tensor:
        return root(values[0].clamp(min=0))


def root(x: torch.Tensor) -> torch.Tensor:
    """The square root as IEEE 754 rounds it; torch's own on CPUs rounds some differently."""
    return torch.from_numpy(np.sqrt(x.numpy())) if x.is_cpu else x.sqrt()


class Absolute(Operation):
    """`|x|`."""

    kind: ClassVar[str] = "absolute"
    pointwise = True

    def prove(self, *grids: Grid) -> Grid:
        return grids[0]

    def forward(self, *values: torch.Tensor, sizes: Sequence[int | None] = ()) -> torch.Tensor:
        return values[0].abs()


class Leaky(Operation):
    """`x` if it is above 0, else `slope * x`."""

    kind: ClassVar[str] = "leaky"
    pointwise = True

    def check(self, attributes: set[str], tensors: set[str]) -> None:
        expect(attributes == {"slope"} and not tensors, "it has a slope")
        slope = self.attributes["slope"]
        expect(is_number(slope) and (slope == 0 or 1e-30 <= abs(slope) <= 1e30), f"slope {slope}")

    def prove(self, *grids: Grid) -> Grid:
        slope, (x,) = self.attributes["slope"], grids
        if slope == 0:
            return x
        whole = float(lowest_bit(torch.tensor([slope], dtype=torch.float64)))
        bound = x.bound * max(1.0, abs(slope))
        return Grid(x.step * min(whole, 1.0), bound).exact()

    def forward(self, *values: torch.Tensor, sizes: Sequence[int | None] = ()) -> torch.Tensor:
        slope, (x,) = self.attributes["slope"], values
        return x.clamp(min=0) if slope == 0 else functional.leaky_relu(x, slope)


class Clamp(Operation):
    """`min(max(x, least), most)`."""

    kind: ClassVar[str] = "clamp"
    pointwise = True

    def check(self, attributes: set[str], tensors: set[str]) -> None:
        expect(attributes == {"least", "most"} and not tensors, "it has limits")
        least, most = self.attributes["least"], self.attributes["most"]
        expect(all(x is None or is_number(x) for x in (least, most)), "its limits are numbers")
        expect(least is not None or most is not None, "it has a limit")
        expect(least is None or most is None or least <= most, f"limits {least} and {most}")

    def prove(self, *grids: Grid) -> Grid:
        least, most, (x,) = self.attributes["least"], self.attributes["most"], grids
        ends = torch.tensor([v for v in (least, most) if v is not None], dtype=torch.float64)
        step = torch.minimum(x.step, lowest_bit(ends).min())
        lower, upper = -x.bound, x.bound
        if least is not None:
            lower, upper = lower.clamp(min=least), upper.clamp(min=least)
        if most is not None:
            lower, upper = lower.clamp(max=most), upper.clamp(max=most)
        return Grid(step, torch.maximum(lower.abs(), upper.abs())).exact()

    def forward(self, *values: torch.Tensor, sizes: Sequence[int | None] = ()) -> torch.Tensor:
        return values[0].clamp(self.attributes["least"], self.attributes["most"])
