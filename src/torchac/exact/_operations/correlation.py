"""Convolutions of all kinds: plain, strided, dilated, grouped, masked, transposed."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, ClassVar

import torch

from torchac.exact._grid import Grid
from torchac.exact._operations.base import Operation, are_integers, expect, is_integer
from torchac.exact._operations.filtering import Filter, plan
from torchac.exact._operations.products import prove_products

_FARTHEST = 1 << 12
_FEWEST_CHANNELS = 32
_FEWEST_PLACES = 128
_COLUMNS = 1 << 10
_COLUMNS_OF_TILES = 1 << 11
_BYTES_OF_COLUMNS = 1 << 23
_BYTES_OF_TILES = 6 << 20
_BYTES_OF_CHANNELS = 1 << 19
_BYTES_TO_KEEP = 20 << 20


class Correlation(Operation):
    """Sums of products with values at fixed places, in one to three dimensions.

    `phases` are pairs of a place `at` and some `taps`, places too. With the weights and taps of a
    phase, `y[write * q + at] = bias + sum over taps of weight @ x[read * q + tap]`, where `x` is 0
    outside. The channels of `x` and `y` are in `groups`, and a phase's weight has the shape
    (groups, output channels of a group, taps, input channels of a group). A transposed convolution
    of stride 2 has the phases 0 and 1 in each dimension; others have one phase. In each dimension,
    the size is `(size * a + b) // c`.
    """

    kind: ClassVar[str] = "correlation"
    in_parts = True
    bias: torch.Tensor
    _proof: tuple[torch.Tensor, torch.Tensor]
    _filters: tuple[list[Filter | None], torch.Tensor] | None

    def check(self, attributes: set[str], tensors: set[str]) -> None:
        expect(
            attributes == {"groups", "read", "write", "size", "phases"},
            "it has groups, strides, a size and phases",
        )
        a = self.attributes
        dims = len(a["read"]) if are_integers(a["read"], 1, _FARTHEST) else 0
        expect(1 <= dims <= 3, "it reads in one to three dimensions")
        expect(
            are_integers(a["write"], 1, _FARTHEST) and len(a["write"]) == dims, "it writes there"
        )
        expect(isinstance(a["size"], list) and len(a["size"]) == dims, "it has a size there")
        for size in a["size"]:
            expect(are_integers(size, -(1 << 30), 1 << 30) and len(size) == 3, f"a size of {size}")
            expect(size[0] > 0 and size[2] > 0, f"a size of {size}")
        expect(is_integer(a["groups"], 1, 1 << 30), "it has groups")
        expect(isinstance(a["phases"], list), "it has phases")
        places = list(itertools.product(*map(range, a["write"])))
        expect(len(a["phases"]) == len(places), "it has a phase for each place it writes to")
        expect(
            tensors == {"bias", *(f"weight{i}" for i in range(len(places)))},
            "it has a bias, and weights for each phase",
        )
        expect(self.bias.ndim == 1 and len(self.bias) % a["groups"] == 0, "a bias for each channel")
        shape = (a["groups"], len(self.bias) // a["groups"])
        channels = self.weight(0).shape[-1]
        for i, (phase, place) in enumerate(zip(a["phases"], places, strict=True)):
            expect(isinstance(phase, list) and len(phase) == 2, "a phase is a place and taps")
            expect(phase[0] == list(place), "a phase for each place, in their order")
            expect(isinstance(phase[1], list), "a phase has taps")
            for tap in phase[1]:
                expect(are_integers(tap, -_FARTHEST, _FARTHEST) and len(tap) == dims, f"tap {tap}")
            expected = (*shape, len(phase[1]), channels)
            expect(tuple(self.weight(i).shape) == expected, f"weights of shape {expected}")

    def weight(self, phase: int) -> torch.Tensor:
        """The weights of a phase."""
        weight = getattr(self, f"weight{phase}")
        assert isinstance(weight, torch.Tensor)
        return weight

    @property
    def channels(self) -> int:
        """The channels of its input."""
        return int(self.attributes["groups"] * self.weight(0).shape[-1])

    def prove(self, *grids: Grid) -> Grid:
        a, (x,) = self.attributes, grids
        expect(x.ndim == len(a["read"]) + 2, f"it takes {len(a['read']) + 2} dimensions")
        x = x.along(1)
        expect(len(x.step) in (1, self.channels), f"it takes {self.channels} channels")
        weights = [self.weight(i) for i in range(len(a["phases"]))]
        self.proved, y = prove_products(weights, self.bias, x)
        self._proof, self._filters = (x.bound, y.step), None
        shape = (1, -1, *(1 for _ in a["read"]))
        return Grid(y.step.view(shape), y.bound.view(shape))

    def forward(
        self,
        *values: torch.Tensor,
        sizes: Sequence[int | None] = (),
        then: Callable[[torch.Tensor], torch.Tensor] = lambda y: y,
    ) -> torch.Tensor:
        """Computes the output box by box, and applies `then` to each box."""
        a, (x,) = self.attributes, values
        if x.shape[1] != self.channels:
            raise ValueError(
                f"a value has shape {tuple(x.shape)}: expected {self.channels} channels"
            )
        size = [
            (n * by + more) // over
            for n, (by, more, over) in zip(x.shape[2:], a["size"], strict=True)
        ]
        if min(size) < 1:
            raise ValueError(f"a value has shape {tuple(x.shape)}: too small for a convolution")
        phases = [
            _Phase(at, taps, a["write"], size, self.weight(i), known)
            for i, ((at, taps), known) in enumerate(
                zip(a["phases"], self._filters_for(x, size), strict=True)
            )
        ]
        low = [min(t[d] for p in phases for t in p.taps) for d in range(len(size))]
        high = [max(t[d] for p in phases for t in p.taps) for d in range(len(size))]
        result: torch.Tensor | None = None
        for images, box in self._boxes(len(x), phases):
            window = _window(x[images], _whole(box, phases), a["read"], low, high)
            for phase in phases:
                counts = [min(b.stop, n) - b.start for b, n in zip(box, phase.size, strict=True)]
                if min(counts) < 1:
                    continue
                y = then(self._products(window, phase, counts, low))
                if len(phases) == 1 and y.shape == (len(x), len(self.bias), *size):
                    return y
                if result is None:
                    shape = (len(x), len(self.bias), *size)
                    result = torch.empty(shape, dtype=y.dtype, device=y.device)
                result[(images, slice(None), *phase.places(box, counts))] = y
        if result is None:  # there are no images
            return then(x.new_zeros((len(x), len(self.bias), *size)))
        return result

    @property
    def _depthwise(self) -> bool:
        return bool(self.attributes["groups"] == len(self.bias) == self.channels)

    def _filters_for(self, x: torch.Tensor, size: list[int]) -> list[Filter | None]:
        """The filters that compute phases by fewer products, if that is faster and exact."""
        phases, groups = self.attributes["phases"], self.attributes["groups"]
        none: list[Filter | None] = [None] * len(phases)
        places = len(x) * math.prod(size) // len(phases)
        few = min(self.channels, len(self.bias)) < _FEWEST_CHANNELS or places < _FEWEST_PLACES
        if few or groups > 1 or max(self.attributes["read"]) > 1:
            return none
        if self._filters is None or self._filters[1].device != x.device:
            self._filters = self._planned()
        filters, most = self._filters
        over = [d for d in range(x.ndim) if d != 1]
        fits = (x.amin(over) >= -most) & (x.amax(over) <= most)
        return filters if bool(fits.all()) else none

    def _planned(self) -> tuple[list[Filter | None], torch.Tensor]:
        """Filters for phases that they make faster, and the inputs up to which they are exact."""
        bound, step = (t.to(self.bias.device) for t in self._proof)
        filters = [
            plan(taps, self.weight(i)[0], self.bias)
            for i, (_, taps) in enumerate(self.attributes["phases"])
        ]
        used = [f for f in filters if f is not None]
        share = min((f.share(bound.expand(self.channels), step) for f in used), default=0.0)
        if sum(f.bytes for f in used) <= _BYTES_TO_KEEP:
            for f in used:
                f.keep()
        return filters, share * bound

    def _boxes(self, images: int, phases: list[_Phase]) -> Iterator[tuple[slice, list[slice]]]:
        """Parts of the output that need little memory: images, and places in each dimension."""
        size = [max(n) for n in zip(*(p.size for p in phases), strict=True)]
        side = _side(phases)
        taps = max(p.width for p in phases)
        if self._depthwise:
            columns = _BYTES_OF_CHANNELS // (8 * self.channels)
        else:
            most, memory = _COLUMNS, _BYTES_OF_COLUMNS
            if side > 1:
                most, memory = _COLUMNS_OF_TILES, _BYTES_OF_TILES
            columns = min(most, int(memory / (8 * max(1, taps * self.channels))))
        steps = []
        for d in range(len(size) + 1):  # of images first, then of rows, up to the last but one
            inside = math.prod(size[d:])
            steps.append(max(1, columns // inside))
        steps[-1] = max(steps[-1], 64)
        steps[1:] = [-(-step // side) * side for step in steps[1:]]
        for first in range(0, images, steps[0]):
            for start in itertools.product(
                *(range(0, n, step) for n, step in zip(size, steps[1:], strict=True))
            ):
                ends = zip(start, size, steps[1:], strict=True)
                box = [slice(i, min(i + step, n)) for i, n, step in ends]
                yield slice(first, first + steps[0]), box

    def _products(
        self, window: torch.Tensor, phase: _Phase, counts: list[int], low: list[int]
    ) -> torch.Tensor:
        """The output of a phase in a box, from the window of its input."""
        read, bias, dims = self.attributes["read"], self.bias, len(counts)
        n, c, groups = len(window), self.channels, self.attributes["groups"]
        shape = (1, -1, *(1 for _ in counts))
        if phase.filter is not None:
            return phase.filter.apply(window, low, counts).transpose(0, 1)
        seen = [
            window[
                (
                    slice(None),
                    slice(None),
                    *(
                        slice(t - lowest, t - lowest + (count - 1) * r + 1, r)
                        for t, lowest, count, r in zip(tap, low, counts, read, strict=True)
                    ),
                )
            ]
            for tap in phase.taps
        ]
        if not seen:
            return bias.view(shape).expand(n, -1, *counts).clone()
        if self._depthwise:
            y = seen[0] * phase.weight[:, :, 0].view(shape)
            for i in range(1, len(seen)):
                y.addcmul_(seen[i], phase.weight[:, :, i].reshape(shape))
            return y.add_(bias.view(shape))
        order = (1, 2, 0, *range(3, dims + 3))
        columns = (
            torch.stack(
                [v.reshape(n, groups, c // groups, *counts).permute(order) for v in seen], 1
            )
            if len(seen) > 1 or n > 1
            else seen[0]
        )
        columns = columns.reshape(groups, len(seen) * (c // groups), -1)
        weight = phase.weight.flatten(2)
        y = torch.baddbmm(bias.view(groups, -1, 1), weight, columns)
        return y.view(len(bias), n, *counts).transpose(0, 1)


class _Phase:
    """A phase of a correlation, for an output of a size."""

    def __init__(
        self,
        at: list[int],
        taps: list[list[int]],
        write: list[int],
        size: list[int],
        weight: torch.Tensor,
        known: Filter | None,
    ) -> None:
        self.at, self.taps, self.write, self.weight = at, taps, write, weight
        self.filter = known
        self.width = len(taps) if known is None else known.width
        self.size = [-(-(n - a) // w) for n, a, w in zip(size, at, write, strict=True)]

    def places(self, box: list[slice], counts: list[int]) -> list[slice]:
        """The places of a box of the phase in the output."""
        found = []
        for b, count, at, write in zip(box, counts, self.at, self.write, strict=True):
            first = b.start * write + at
            found.append(slice(first, first + (count - 1) * write + 1, write))
        return found


def _side(phases: list[_Phase]) -> int:
    """The unit of the sizes of boxes: 1 unless some phases are filtered."""
    return math.lcm(*(p.filter.side for p in phases if p.filter is not None))


def _whole(box: list[slice], phases: list[_Phase]) -> list[slice]:
    """A box that extends beyond the end of the output to complete the last tile."""
    side = _side(phases)
    return [slice(b.start, b.start - (b.start - b.stop) // side * side) for b in box]


def _window(
    x: torch.Tensor, box: list[slice], read: list[int], low: list[int], high: list[int]
) -> torch.Tensor:
    """The input of a box of the output, with zeros outside."""
    inside: list[Any] = [slice(None), slice(None)]
    padding: list[int] = []
    for b, r, least, most, size in zip(box, read, low, high, x.shape[2:], strict=True):
        first, end = b.start * r + least, (b.stop - 1) * r + most + 1
        start, stop = min(max(first, 0), size), min(max(end, 0), size)
        inside.append(slice(start, max(start, stop)))
        before = min(max(-first, 0), end - first)
        padding = [before, end - first - before - max(0, stop - start), *padding]
    x = x[tuple(inside)]
    return torch.nn.functional.pad(x, padding) if any(padding) else x
