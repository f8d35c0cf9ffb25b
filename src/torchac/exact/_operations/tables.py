"""Curves by tables, which replace functions such as `exp`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

import torch

from torchac.exact._grid import Grid
from torchac.exact._operations.base import Operation, expect

END = 16
"""Tables reach from -END to END."""

PLACES = 1 << 8
"""Of a table, in each 1."""

_STEP = 2.0**-20
_FAR = 1.5 * 2.0**52 * _STEP
_TABLE_STEP = 2.0**-24
_AT_ONCE = 1 << 15


class Curve(Operation):
    """A table with linear interpolation, plus `max(x, 0)` if the curve has a ramp.

    The table has a multiple of 2^-24 for each multiple of 2^-8 from -16 to 16, and repeats the last
    one. To look it up, `x` is limited to that range and rounded to a multiple of 2^-20.
    """

    kind: ClassVar[str] = "curve"
    pointwise = True
    table: torch.Tensor
    _rise: torch.Tensor

    def check(self, attributes: set[str], tensors: set[str]) -> None:
        expect(attributes == {"ramp"} and tensors == {"table"}, "it has a ramp and a table")
        expect(isinstance(self.attributes["ramp"], bool), "it has a ramp or not")
        expect(self.table.shape == (2 * END * PLACES + 2,), "a table of another length")
        whole = self.table / _TABLE_STEP
        expect(bool((whole == whole.round()).all()), "a table has multiples of 2^-24")
        expect(bool((self.table.abs() <= 2.0**10).all()), "a table with large values")
        self.register_buffer("_rise", self.table.diff(), persistent=False)

    def prove(self, *grids: Grid) -> Grid:
        (x,) = grids
        step = torch.full_like(x.step, _TABLE_STEP * _STEP * PLACES)
        bound = self.table.abs().max() + torch.zeros_like(x.bound)
        if not self.attributes["ramp"]:
            return Grid(step, bound)
        return Grid(torch.minimum(step, x.step), bound + x.bound).exact()

    def forward(self, *values: torch.Tensor, sizes: Sequence[int | None] = ()) -> torch.Tensor:
        (x,) = values
        if x.numel() <= _AT_ONCE:
            return self._look_up(x.reshape(-1)).view(x.shape)
        result = torch.empty(x.shape, dtype=x.dtype, device=x.device)
        flat, into = x.reshape(-1), result.view(-1)
        for start in range(0, len(flat), _AT_ONCE):
            part = slice(start, start + _AT_ONCE)
            into[part] = self._look_up(flat[part])
        return result

    def _look_up(self, x: torch.Tensor) -> torch.Tensor:
        at = x.clamp(-END, END).add_(_FAR).sub_(_FAR).add_(END).mul_(PLACES)
        place = at.to(torch.int32)  # rounds down what is not negative
        y = self._rise.index_select(0, place).mul_(at.sub_(place))  # all exact until here
        y += self.table.index_select(0, place)
        return y.add_(x.clamp(min=0)) if self.attributes["ramp"] else y


def tabulate(curve: Callable[[torch.Tensor], torch.Tensor], *, ramp: bool) -> Curve:
    """The table of a curve that is straight beyond its ends."""
    x = torch.arange(-END * PLACES, END * PLACES + 2, dtype=torch.float64) / PLACES
    x[-1] = END
    y = curve(x) - x.clamp(min=0) if ramp else curve(x)
    return Curve({"ramp": ramp}, {"table": (y / _TABLE_STEP).round() * _TABLE_STEP})
