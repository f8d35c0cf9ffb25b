"""Operations of language models: tokens, embeddings, norms of the last dimension, attention."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import ClassVar

import torch

from torchac.exact._grid import LARGEST, Grid, is_power_of_two, lowest_bit, prove_sum
from torchac.exact._operations.base import Operation, by_items, expect, is_integer, is_number
from torchac.exact._operations.elementwise import root
from torchac.exact._operations.rounding import round_to

_MOST_TOKENS = 1 << 31


class Tokens(Operation):
    """An input of whole numbers from 0 to `count - 1`."""

    kind: ClassVar[str] = "tokens"
    inputs = 0

    def check(self, attributes: set[str], tensors: set[str]) -> None:
        expect(attributes == {"ndim", "count"} and not tensors, "it has a number of dimensions")
        expect(is_integer(self.attributes["ndim"], 0, 16), "it has at most 16 dimensions")
        expect(is_integer(self.attributes["count"], 1, _MOST_TOKENS), "it has a count of tokens")

    def prove(self, *grids: Grid) -> Grid:
        one = torch.ones((1,) * self.attributes["ndim"], dtype=torch.float64)
        return Grid(one, one * (self.attributes["count"] - 1))

    def forward(self, *values: torch.Tensor, sizes: Sequence[int | None] = ()) -> torch.Tensor:
        (x,) = values
        if not isinstance(x, torch.Tensor):
            raise TypeError(f"an input is of type {type(x).__name__}: expected a torch.Tensor")
        ndim, count = self.attributes["ndim"], self.attributes["count"]
        if x.ndim != ndim or x.is_floating_point() or x.is_complex() or x.dtype == torch.bool:
            raise ValueError(
                f"an input has shape {tuple(x.shape)} and dtype {x.dtype}: expected integers in "
                f"{ndim} dimensions, as in the batch it was converted with"
            )
        outside = (x < 0) | (x >= count)
        if bool(outside.any()):
            where = tuple(torch.nonzero(outside)[0].tolist())
            raise ValueError(
                f"a token is {x[where].item()} at index {where}: expected 0 to {count - 1}"
            )
        return x.to(torch.float64)


class Embedding(Operation):
    """A row of `weight` for each value, in a new last dimension."""

    kind: ClassVar[str] = "embedding"
    weight: torch.Tensor

    def check(self, attributes: set[str], tensors: set[str]) -> None:
        expect(not attributes and tensors == {"weight"}, "it has a weight")
        expect(self.weight.ndim == 2 and self.weight.numel() > 0, "a weight has two dimensions")

    def prove(self, *grids: Grid) -> Grid:
        (x,) = grids
        whole = bool((x.step >= 1).all()) and bool((x.bound <= len(self.weight) - 1).all())
        expect(whole, f"it takes whole numbers below {len(self.weight)}")
        shape = (*(1 for _ in range(x.ndim)), -1)
        step = lowest_bit(self.weight).amin(0).clamp(max=LARGEST)
        return Grid(step.view(shape), self.weight.abs().amax(0).view(shape))

    def forward(self, *values: torch.Tensor, sizes: Sequence[int | None] = ()) -> torch.Tensor:
        (x,) = values
        rows = self.weight.index_select(0, x.reshape(-1).to(torch.int64))
        return rows.view(*x.shape, self.weight.shape[1])

    def follow(
        self, at: Sequence[int | None], ndims: Sequence[int], lengths: Sequence[bool]
    ) -> int | None:
        return at[0]


class Norm(Operation):
    """Values of the last dimension, of size `size`, over the root of the mean of their squares.

    If `centered`, their mean is subtracted. The squares are those of multiples of `coarse`.
    """

    kind: ClassVar[str] = "norm"
    in_parts = True
    weight: torch.Tensor
    bias: torch.Tensor

    def check(self, attributes: set[str], tensors: set[str]) -> None:
        expect(attributes == {"size", "centered", "coarse", "eps"}, "it has a size and steps")
        expect(tensors <= {"weight", "bias"}, "it may have a weight and a bias")
        a = self.attributes
        expect(is_integer(a["size"], 1, 1 << 22), f"it has the size {a['size']}")
        expect(isinstance(a["centered"], bool), "it is centered or not")
        expect(is_number(a["coarse"]) and is_power_of_two(a["coarse"]), "it has a coarse step")
        expect(is_number(a["eps"]) and 1e-30 <= a["eps"] <= 1e30, f"it has an eps of {a['eps']}")
        for name in tensors:
            expect(getattr(self, name).shape == (a["size"],), f"{name} has a number for each")

    def prove(self, *grids: Grid) -> Grid:
        (x,) = grids
        size, coarse = self.attributes["size"], self.attributes["coarse"]
        expect(x.ndim >= 1, "it takes one dimension or more")
        expect(x.step.shape[-1] in (1, size), f"it takes {size} numbers")
        ndim, x = x.ndim, x.collapse(range(x.ndim))
        step, bound = x.step.flatten(), x.bound.flatten()
        prove_sum(size * bound, step)
        # Squares about their mean add up to no more than about 0; rounding adds half a step.
        squares = size * (bound + coarse).square()
        self.proved = prove_sum(squares, torch.full_like(step, coarse).square())
        most = math.sqrt(size) + coarse / math.sqrt(self.attributes["eps"])
        bounds = torch.full((size,), most * (1 + 2.0**-20), dtype=torch.float64)
        if hasattr(self, "weight"):
            bounds = bounds * self.weight.abs()
        if hasattr(self, "bias"):
            bounds = bounds + self.bias.abs()
        bounds = bounds.view(*(1 for _ in range(ndim - 1)), size)
        return Grid(torch.zeros_like(bounds), bounds)

    def forward(
        self,
        *values: torch.Tensor,
        sizes: Sequence[int | None] = (),
        then: Callable[[torch.Tensor], torch.Tensor] = lambda y: y,
    ) -> torch.Tensor:
        (x,) = values
        size = self.attributes["size"]
        if x.shape[-1] != size:
            raise ValueError(f"a value has shape {tuple(x.shape)}: expected {size} numbers")
        return by_items(lambda x: then(self._normalized(x)), x, size)

    def _normalized(self, x: torch.Tensor) -> torch.Tensor:
        size, coarse = self.attributes["size"], self.attributes["coarse"]
        if self.attributes["centered"]:
            x = x - x.sum(-1, keepdim=True).div_(size)
        squares = round_to(x, coarse).square_().sum(-1, keepdim=True)
        variance = squares.div_(size).add_(self.attributes["eps"])
        y = x * root(variance).reciprocal_()
        if hasattr(self, "weight"):
            y *= self.weight
        return y.add_(self.bias) if hasattr(self, "bias") else y

    def follow(
        self, at: Sequence[int | None], ndims: Sequence[int], lengths: Sequence[bool]
    ) -> int | None:
        expect(at[0] is None or at[0] < ndims[0] - 1, "it sums over time")
        return at[0]


WEIGHT_STEP = 2.0**-20
"""Of the weights of attention, before they are divided by their sum."""

PLACES = 1 << 10
"""Of a table of attention, in each 1."""

_ROWS = 64
_AT_ONCE = 1 << 15


class Attention(Operation):
    """Means of values `v`, weighted by a table of how far scores `q @ k` are below the largest.

    All have the dimensions (..., places, numbers), and `q` and `k` have `size` numbers in the last.
    If `causal`, the last place of `q` sees all places of `k`, the one before it all but the last,
    and so on. There are at most `keys` places in `k`.
    """

    kind: ClassVar[str] = "attention"
    inputs = 3
    table: torch.Tensor

    def check(self, attributes: set[str], tensors: set[str]) -> None:
        expect(attributes == {"size", "keys", "causal"}, "it has sizes, and is causal or not")
        expect(tensors == {"table"}, "it has a table")
        expect(is_integer(self.attributes["size"], 1, 1 << 20), "it has a size")
        expect(is_integer(self.attributes["keys"], 1, 1 << 30), "it has a number of keys")
        expect(isinstance(self.attributes["causal"], bool), "it is causal or not")
        expect(self.table.ndim == 1 and 2 <= len(self.table) <= 1 << 24, "it has a table")
        whole = self.table / WEIGHT_STEP
        expect(bool((whole == whole.round()).all()), "a table has multiples of 2^-20")
        expect(bool(((self.table >= 0) & (self.table <= 1)).all()), "a table is from 0 to 1")
        expect(self.table[0].item() == 1, "a table begins with 1")

    def prove(self, *grids: Grid) -> Grid:
        size, keys = self.attributes["size"], self.attributes["keys"]
        expect(all(x.ndim == grids[0].ndim >= 2 for x in grids), "it takes equal dimensions")
        q, k = (x.collapse(range(x.ndim)) for x in grids[:2])
        expect(all(x.step.shape[-1] in (1, size) for x in grids[:2]), f"it takes {size} numbers")
        scores = prove_sum(size * q.bound * k.bound, q.step * k.step)
        v = grids[2].collapse([grids[2].ndim - 2])
        self.proved = max(scores, prove_sum(keys * v.bound, v.step * WEIGHT_STEP))
        return Grid(torch.zeros_like(v.step), v.bound * (1 + 2.0**-30))

    def forward(self, *values: torch.Tensor, sizes: Sequence[int | None] = ()) -> torch.Tensor:
        q, k, v = values
        lead = self._check_shapes(q, k, v)
        n, m = q.shape[-2], k.shape[-2]
        items = math.prod(lead)
        q, k, v = (x.expand(*lead, -1, -1).reshape(items, *x.shape[-2:]) for x in (q, k, v))
        result = q.new_empty((items, n, v.shape[-1]))
        most = len(self.table) - 1
        for first in range(0, n, _ROWS):
            rows = slice(first, min(first + _ROWS, n))
            seen = m - n + rows.stop if self.attributes["causal"] else m
            hidden = self._hidden(rows.stop - first, q.device)
            together = max(1, _AT_ONCE // ((rows.stop - first) * seen))
            for at in range(0, len(q), together):
                part = slice(at, at + together)
                scores = q[part, rows] @ k[part, :seen].transpose(1, 2)
                if hidden is not None:
                    scores[:, :, seen - len(hidden) :].masked_fill_(hidden, -LARGEST)
                place = scores.amax(2, keepdim=True).add_(0.5) - scores
                place = place.clamp_(max=most).to(torch.int32)  # rounds down
                weights = self.table.index_select(0, place.view(-1)).view(place.shape)
                sums = weights @ v[part, :seen]  # exact, as are the scores and the divisor
                result[part, rows] = sums.div_(weights.sum(2, keepdim=True))
        return result.view(*lead, n, v.shape[-1])

    def _hidden(self, rows: int, device: torch.device) -> torch.Tensor | None:
        """The last places, which rows must not see."""
        if not self.attributes["causal"] or rows == 1:
            return None
        return torch.ones((rows, rows), dtype=torch.bool, device=device).triu_(1)

    def _check_shapes(self, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> list[int]:
        """The sizes of all dimensions except the last two, to which values are broadcast."""
        size, keys = self.attributes["size"], self.attributes["keys"]
        n, m = q.shape[-2], k.shape[-2]
        shapes = f"values have the shapes {', '.join(str(tuple(x.shape)) for x in (q, k, v))}"
        sizes = [set(n) - {1} for n in zip(*(x.shape[:-2] for x in (q, k, v)), strict=True)]
        same = all(len(n) <= 1 for n in sizes) and m == v.shape[-2]
        if not same or q.shape[-1] != size or k.shape[-1] != size:
            raise ValueError(f"{shapes}: expected equal ones except for places, and {size} numbers")
        if not 1 <= m <= keys or (self.attributes["causal"] and n > m):
            raise ValueError(f"{shapes}: expected 1 to {keys} places, as many in each")
        return [n.pop() if n else 1 for n in sizes]

    def follow(
        self, at: Sequence[int | None], ndims: Sequence[int], lengths: Sequence[bool]
    ) -> int | None:
        expect(self.attributes["causal"], "it sees what comes later: take is_causal=True")
        expect(
            all(d == n - 2 for d, n in zip(at, ndims, strict=True)),
            "its places are not those of time",
        )
        return at[0]


def tabulate_weights() -> torch.Tensor:
    """The table of attention: exp(-x), up to the first 0."""
    x = torch.arange(14 * PLACES + 1, dtype=torch.float64) / PLACES
    y = (torch.exp(-x) / WEIGHT_STEP).round_() * WEIGHT_STEP
    y[-1] = 0
    return y
