"""Convolutions by fewer products: Winograd's minimal filtering.

Two neighbouring outputs of three weights need four products, of sums of inputs and sums of weights,
instead of six; two outputs of two weights need three instead of four. In two dimensions, 16
products replace 36. With floats, this usually rounds differently from sums of products. Here
nothing is rounded as long as the sums, which are larger, stay below 2^53 steps: then the result is
the same. They do if inputs stay far enough below their bounds, as inputs do that leave the headroom
free, so the size of inputs is checked first.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch

from torchac.exact._grid import MOST_STEPS

_OUTPUTS_AT_ONCE = 128
_WEIGHTS_AT_ONCE = 64
_FARTHEST = 4
_WORTH = 0.8
_SLACK = 1 - 2.0**-20
"""For the rounding of the proof itself."""

Rows = tuple[tuple[float, ...], ...]


class _Scheme(NamedTuple):
    """Matrices by which outputs are `out @ ((weights @ w) * (inputs @ x))`."""

    inputs: Rows
    weights: Rows
    out: Rows


_SCHEMES = {
    1: _Scheme(((1,),), ((1,),), ((1,),)),
    2: _Scheme(
        ((1, -1, 0), (0, 1, 0), (0, 1, -1)),
        ((1, 0), (1, 1), (0, 1)),
        ((1, 1, 0), (0, 1, -1)),
    ),
    3: _Scheme(
        ((1, 0, -1, 0), (0, 0.5, 0.5, 0), (0, -0.5, 0.5, 0), (0, 1, 0, -1)),
        ((1, 0, 0), (1, 1, 1), (1, -1, 1), (0, 0, 1)),
        ((1, 1, 1, 0), (0, 1, -1, -1)),
    ),
}
"""By the number of weights: one output of one, and two of two or three."""


@dataclass(frozen=True)
class _Block:
    """Evenly spaced taps in a box: their least place, their counts, and their numbers."""

    first: tuple[int, ...]
    counts: tuple[int, ...]
    taps: list[int]

    @property
    def schemes(self) -> list[_Scheme]:
        """One for each dimension."""
        return [_SCHEMES[n] for n in self.counts]

    @property
    def sums(self) -> int:
        """The number of products of sums."""
        return math.prod(len(s.weights) for s in self.schemes)

    @property
    def outputs(self) -> int:
        """The number of outputs that they give."""
        return math.prod(len(s.out) for s in self.schemes)


class Filter:
    """The sums of products of a phase, block by block.

    Attributes:
        side: Outputs are computed for whole tiles, of this size in each dimension.
        width: The sums of inputs that are needed at once, for each place of the output.
    """

    def __init__(self, blocks: _Blocks, weight: torch.Tensor, bias: torch.Tensor) -> None:
        self._blocks, self._weight, self._bias = blocks.blocks, weight, bias
        self._far, self.side = blocks.far, 2 * blocks.far
        self.width = max(b.sums / len(b.schemes[0].weights) / b.outputs for b in self._blocks)
        self._kept: list[list[torch.Tensor]] | None = None

    @property
    def bytes(self) -> int:
        """The memory of the sums of all weights."""
        return 8 * sum(b.sums for b in self._blocks) * self._weight[:, 0].numel()

    def keep(self) -> None:
        """Keeps the sums of weights, which would otherwise be computed again in each call."""
        self._kept = [
            [_sums_of_weights(b, row, self._weight) for row in b.schemes[0].weights]
            for b in self._blocks
        ]

    def share(self, bound: torch.Tensor, step: torch.Tensor) -> float:
        """The part of their bounds up to which inputs may reach; 1 at most, and 0 for none.

        Args:
            bound: Of each input.
            step: Of which all terms of a sum are multiples, for each output.
        """
        totals: dict[tuple[int, ...], torch.Tensor] = {}
        for block in self._blocks:
            grows = itertools.product(*(map(_size, s.inputs) for s in block.schemes))
            sizes = [
                u.abs() @ bound * math.prod(next(grows))
                for row in block.schemes[0].weights
                for u in _sums_of_weights(block, row, self._weight)
            ]
            for at in itertools.product(range(2), repeat=len(block.schemes)):
                rows = [s.out[i % len(s.out)] for s, i in zip(block.schemes, at, strict=True)]
                for size, factors in zip(sizes, itertools.product(*rows), strict=True):
                    if all(factors):
                        totals[at] = totals.get(at, 0) + size
        halves = max(sum(n == 3 for n in block.counts) for block in self._blocks)
        most = (MOST_STEPS * _SLACK * 2.0**-halves * step - self._bias.abs()).clamp(min=0)
        return min(1.0, *(torch.where(t > 0, most / t, 1.0).min().item() for t in totals.values()))

    def apply(
        self, window: torch.Tensor, low: Sequence[int], counts: Sequence[int]
    ) -> torch.Tensor:
        """The sums of products and a bias, of shape (outputs, images, places).

        Args:
            window: The input, from tap `low` of the first place on, with what whole tiles read.
            low: A tap.
            counts: The number of places in each dimension.
        """
        tiles = [-(-n // self.side) for n in counts]
        window, outputs = window.transpose(0, 1), len(self._weight)
        whole = [n * self.side for n in tiles]
        bias = self._bias.view(-1, *(1 for _ in range(len(whole) + 1)))
        result = bias.expand(-1, window.shape[1], *whole).contiguous()
        some = min(outputs, _OUTPUTS_AT_ONCE)
        for b, block in enumerate(self._blocks):
            seen = self._pieces(window, 0, block, low, tiles)
            first, rest = block.schemes[0], block.sums // len(block.schemes[0].weights)
            weights = window.new_empty((rest, some, window.shape[0]))
            for i, row in enumerate(first.inputs):
                columns = self._sums_of_inputs(_combine(row, seen), block, low, tiles).flatten(2)
                products = columns.new_empty((rest, some, columns.shape[2]))
                for start in range(0, outputs, some):
                    part = slice(start, min(start + some, outputs))
                    these, those = (t[:, : part.stop - start] for t in (weights, products))
                    if self._kept is None:
                        _sums_of_weights(block, first.weights[i], self._weight[part], these)
                    else:
                        these = self._kept[b][i][:, part]
                    torch.bmm(these, columns, out=those)
                    self._add(block, [r[i] for r in first.out], those, result[part], tiles)
        return result[(slice(None), slice(None), *map(slice, counts))]

    def _sums_of_inputs(
        self, x: torch.Tensor, block: _Block, low: Sequence[int], tiles: list[int]
    ) -> torch.Tensor:
        """Of shape (sums, inputs, images, tiles), given one of the sums in the first dimension."""
        parts = [x]
        for d in range(1, len(tiles)):
            pieces = [self._pieces(p, d, block, low, tiles) for p in parts]
            pairs = list(itertools.product(pieces, block.schemes[d].inputs))
            if d < len(tiles) - 1:
                parts = [_combine(row, each) for each, row in pairs]
                continue
            result = x.new_empty((len(pairs), *pieces[0][0].shape))
            for (each, row), out in zip(pairs, result, strict=True):
                _combine(row, each, out)
            return result
        return x[None]

    def _pieces(
        self, x: torch.Tensor, d: int, block: _Block, low: Sequence[int], tiles: list[int]
    ) -> list[torch.Tensor]:
        """What the first, second, … input of each tile is in a dimension."""
        dim, far, at = d + 2, self._far, block.first[d] - low[d]
        if block.counts[d] == 1:
            return [x.narrow(dim, at, tiles[d] * self.side)]
        found = []
        for k in range(block.counts[d] + 1):
            y = x.narrow(dim, at + k * far, (tiles[d] - 1) * self.side + far)
            y = y.unfold(dim, far, self.side).movedim(-1, dim + 1)
            found.append(y.flatten(dim, dim + 1))
        return found

    def _add(
        self,
        block: _Block,
        factors: Sequence[float],
        products: torch.Tensor,
        result: torch.Tensor,
        tiles: list[int],
    ) -> None:
        """Adds products to the outputs that they are of, which the factors say in dimension 0."""
        far, schemes = self._far, block.schemes
        into, shape, dims = list(result.shape[:2]), list(result.shape[:2]), []
        for n, count in zip(tiles, block.counts, strict=True):
            dims.append(len(into) + (count > 1))
            into += [n * self.side] if count == 1 else [n, 2, far]
            shape += [n * self.side] if count == 1 else [n, far]
        parts = [products.reshape(*(len(s.weights) for s in schemes[1:]), *shape)]
        for scheme in schemes[1:]:
            parts = [_combine(row, list(p)) for p in parts for row in scheme.out]
        target = result.view(into)
        places = itertools.product(*(range(len(s.out)) for s in schemes))
        for place, (factor, y) in zip(places, itertools.product(factors, parts), strict=True):
            where = target
            for dim, count, i in reversed(list(zip(dims, block.counts, place, strict=True))):
                where = where if count == 1 else where.select(dim, i)
            if factor:
                where.add_(y) if factor > 0 else where.sub_(y)


def _size(row: Sequence[float]) -> float:
    return sum(map(abs, row))


def _combine(
    row: Sequence[float], parts: Sequence[torch.Tensor], out: torch.Tensor | None = None
) -> torch.Tensor:
    """The sum of parts times the numbers of a row, which differ only in their signs."""
    used = [(factor, x) for factor, x in zip(row, parts, strict=True) if factor]
    used.sort(key=lambda pair: pair[0] < 0)
    (size, y), *others = used
    if not others:
        return y if out is None else out.copy_(y)
    (factor, x), *others = others
    y = torch.add(y, x, out=out) if factor > 0 else torch.sub(y, x, out=out)
    for factor, x in others:
        y = y.add_(x) if factor > 0 else y.sub_(x)
    return y if size == 1 else y.mul_(size)


def _sums_of_weights(
    block: _Block, row: Sequence[float], weight: torch.Tensor, out: torch.Tensor | None = None
) -> torch.Tensor:
    """Of shape (sums, outputs, inputs), for a row of numbers in the first dimension."""
    outputs, _, inputs = weight.shape
    rest = len(block.taps) // block.counts[0]
    if out is None:
        out = weight.new_empty((block.sums // len(block.schemes[0].weights), outputs, inputs))
    for start in range(0, outputs, _WEIGHTS_AT_ONCE):
        some = slice(start, start + _WEIGHTS_AT_ONCE)
        given = [weight[some, tap] for tap in block.taps]
        parts = [_combine(row, given[k::rest]) for k in range(rest)]
        places = rest
        for scheme, count in zip(block.schemes[1:], block.counts[1:], strict=True):
            places //= count  # in the dimensions after this one
            span = places * count
            parts = [
                _combine(r, parts[first + k : first + span : places])
                for first in range(0, len(parts), span)
                for r in scheme.weights
                for k in range(places)
            ]
        for target, part in zip(out, parts, strict=True):
            target[some] = part
    return out


class _Blocks(NamedTuple):
    """Taps cut into boxes, of taps that are `far` apart in each dimension."""

    far: int
    blocks: list[_Block]


def plan(taps: Sequence[Sequence[int]], weight: torch.Tensor, bias: torch.Tensor) -> Filter | None:
    """Blocks of taps, if they save products that are worth the effort.

    Args:
        taps: The places of weights.
        weight: Of shape (outputs, taps, inputs).
        bias: Of each output.
    """
    numbers = {tuple(tap): i for i, tap in enumerate(taps)}
    if not numbers or len(numbers) < len(taps):  # a tap may be there twice
        return None
    found = [_Blocks(far, _blocks(numbers, far)) for far in range(1, _FARTHEST + 1)]
    costs = [sum(block.sums / block.outputs for block in each.blocks) for each in found]
    cost = min(costs)
    if cost > _WORTH * len(taps):
        return None
    return Filter(found[costs.index(cost)], weight, bias)


def _blocks(numbers: dict[tuple[int, ...], int], far: int) -> list[_Block]:
    made = []
    for box in _boxes(set(numbers), far):
        places = itertools.product(*(range(i, i + n * far, far) for i, n in box))
        first, counts = zip(*box, strict=True)
        made.append(_Block(first, counts, [numbers[p] for p in places]))
    return made


def _boxes(taps: Iterable[tuple[int, ...]], far: int) -> list[tuple[tuple[int, int], ...]]:
    """For each box, the first place and the number of places in each dimension."""
    rows: dict[int, set[tuple[int, ...]]] = {}
    for tap in taps:
        rows.setdefault(tap[0], set()).add(tap[1:])
    made = []
    while rows:
        first = min(rows)
        others, end = rows[first], first
        while rows.get(end) == others:
            end += far
        equal = (end - first) // far
        count = equal if equal < 4 else 2 if equal == 4 else 3
        for place in range(first, first + count * far, far):
            del rows[place]
        inside = [()] if others == {()} else _boxes(others, far)
        made += [((first, count), *rest) for rest in inside]
    return made
