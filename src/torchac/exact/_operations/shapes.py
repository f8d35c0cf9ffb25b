"""Operations that move values and do not compute."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import torch
from torch.nn import functional

from torchac.exact._grid import Grid, check_shape, lowest_bit
from torchac.exact._operations.base import (
    Expression,
    Operation,
    are_integers,
    expect,
    is_integer,
    is_number,
)

_MOST = 1 << 30


def _apply(x: Grid, change: Callable[[torch.Tensor], torch.Tensor]) -> Grid:
    return Grid(change(x.step), change(x.bound))


class Concatenate(Operation):
    """Concatenates values in a dimension; `sizes` are their sizes there, or null for any."""

    kind: ClassVar[str] = "concatenate"
    inputs = None

    def check(self, attributes: set[str], tensors: set[str]) -> None:
        expect(attributes == {"dim", "sizes"} and not tensors, "it has a dimension and sizes")
        expect(is_integer(self.attributes["dim"], 0, 16), "it has a dimension")
        sizes = self.attributes["sizes"]
        expect(sizes is None or are_integers(sizes, 1, _MOST), "it has sizes")

    def prove(self, *grids: Grid) -> Grid:
        dim, sizes = self.attributes["dim"], self.attributes["sizes"]
        expect(all(x.ndim == grids[0].ndim for x in grids), "it takes values of equal dimensions")
        expect(dim < grids[0].ndim, "it has a dimension that the values have not")
        if sizes is None:
            grids = tuple(x.collapse([dim]) for x in grids)
            sizes = [1 for _ in grids]
        expect(len(sizes) == len(grids), "it has a size for each value")
        others = [x.collapse([dim]).step.shape for x in grids]
        shape = [max(n) for n in zip(*others, strict=True)]
        check_shape(*shape, sum(sizes))
        steps, bounds = [], []
        for x, size in zip(grids, sizes, strict=True):
            shape[dim] = size
            pairs = list(zip(x.step.shape, shape, strict=True))
            expect(all(n in (1, m) for n, m in pairs), "it takes values of other sizes")
            steps.append(x.step.expand(shape))
            bounds.append(x.bound.expand(shape))
        joined = Grid(torch.cat(steps, dim), torch.cat(bounds, dim))
        return joined if self.attributes["sizes"] else joined.collapse([dim])

    def forward(self, *values: torch.Tensor, sizes: Sequence[int | None] = ()) -> torch.Tensor:
        dim, expected = self.attributes["dim"], self.attributes["sizes"]
        found = [x.shape[dim] for x in values]
        if expected is not None and found != expected:
            raise ValueError(
                f"values have the sizes {found} in dimension {dim}: expected {expected}"
            )
        return torch.cat(values, dim)

    def follow(
        self, at: Sequence[int | None], ndims: Sequence[int], lengths: Sequence[bool]
    ) -> int | None:
        expect(len(set(at)) == 1, "only some of its values depend on time")
        expect(at[0] != self.attributes["dim"], "it joins what comes at different times")
        return at[0]


class Split(Operation):
    """One of the parts of a value in a dimension: of a number of equal `parts`, or of the sizes."""

    kind: ClassVar[str] = "split"

    def check(self, attributes: set[str], tensors: set[str]) -> None:
        expect(attributes == {"dim", "parts", "at"} and not tensors, "it has a dimension and parts")
        parts = self.attributes["parts"]
        expect(is_integer(self.attributes["dim"], 0, 16), "it has a dimension")
        expect(is_integer(parts, 1, _MOST) or are_integers(parts, 0, _MOST), "it has parts")
        count = len(parts) if isinstance(parts, list) else parts
        expect(is_integer(self.attributes["at"], 0, count - 1), "it has one of them")

    def prove(self, *grids: Grid) -> Grid:
        (x,) = grids
        dim = self.attributes["dim"]
        expect(dim < x.ndim, "it has a dimension that the value has not")
        return x if x.step.shape[dim] == 1 else _apply(x, self.forward)

    def forward(self, *values: torch.Tensor, sizes: Sequence[int | None] = ()) -> torch.Tensor:
        (x,) = values
        dim, parts, at = (self.attributes[name] for name in ("dim", "parts", "at"))
        split: Any = x.split if isinstance(parts, list) else x.chunk
        found: list[torch.Tensor] = split(parts, dim)
        if at >= len(found):
            raise ValueError(f"a value has shape {tuple(x.shape)}: too small for {parts} parts")
        part: torch.Tensor = found[at]
        return part

    def follow(
        self, at: Sequence[int | None], ndims: Sequence[int], lengths: Sequence[bool]
    ) -> int | None:
        expect(at[0] is None or at[0] != self.attributes["dim"], "it splits time")
        return at[0]


class Reshape(Operation):
    """Changes the shape; one size may be -1, and the first `kept` sizes stay."""

    kind: ClassVar[str] = "reshape"

    def check(self, attributes: set[str], tensors: set[str]) -> None:
        expect(attributes == {"shape", "kept"} and not tensors, "it has a shape")
        shape = self.attributes["shape"]
        expect(isinstance(shape, list) and len(shape) <= 16, "it has a shape")
        expect(is_integer(self.attributes["kept"], 0, len(shape)), "it keeps some sizes")

    @property
    def sizes(self) -> Sequence[Expression | None]:
        return list(self.attributes["shape"])

    def prove(self, *grids: Grid) -> Grid:
        (x,) = grids
        kept, ndim = self.attributes["kept"], len(self.attributes["shape"])
        expect(kept <= x.ndim, "it keeps dimensions that the value has not")
        x = x.collapse(range(kept, x.ndim))
        return _apply(x, lambda t: t.reshape(*t.shape[:kept], *(1 for _ in range(ndim - kept))))

    def forward(self, *values: torch.Tensor, sizes: Sequence[int | None] = ()) -> torch.Tensor:
        (x,) = values
        kept, shape = self.attributes["kept"], [size for size in sizes if size is not None]
        y = x.reshape(shape)
        if y.shape[:kept] != x.shape[:kept]:
            raise ValueError(f"a value has shape {tuple(x.shape)}: it cannot become {shape}")
        return y

    def follow(
        self, at: Sequence[int | None], ndims: Sequence[int], lengths: Sequence[bool]
    ) -> int | None:
        if at[0] is None:
            expect(not any(lengths), "it has the length of time")
            return None
        kept = self.attributes["kept"] >= at[0] and at[0] < len(lengths) and lengths[at[0]]
        expect(kept and sum(lengths) == 1, "it mixes time with other dimensions")
        return at[0]


class Permute(Operation):
    """The dimensions in another order."""

    kind: ClassVar[str] = "permute"

    def check(self, attributes: set[str], tensors: set[str]) -> None:
        expect(attributes == {"dims"} and not tensors, "it has dimensions")
        dims = self.attributes["dims"]
        expect(are_integers(dims, 0, 15), "it has dimensions")
        expect(sorted(dims) == list(range(len(dims))), "it has each dimension once")

    def prove(self, *grids: Grid) -> Grid:
        (x,) = grids
        expect(x.ndim == len(self.attributes["dims"]), "it takes values of other dimensions")
        return _apply(x, self.forward)

    def forward(self, *values: torch.Tensor, sizes: Sequence[int | None] = ()) -> torch.Tensor:
        return values[0].permute(self.attributes["dims"])

    def follow(
        self, at: Sequence[int | None], ndims: Sequence[int], lengths: Sequence[bool]
    ) -> int | None:
        return None if at[0] is None else self.attributes["dims"].index(at[0])


class Index(Operation):
    """For each dimension a slice, as `[start, stop, step]`, or a place; "new" adds a dimension."""

    kind: ClassVar[str] = "index"

    def check(self, attributes: set[str], tensors: set[str]) -> None:
        expect(attributes == {"items"} and not tensors, "it has items")
        items = self.attributes["items"]
        expect(isinstance(items, list) and len(items) <= 32, "it has items")
        for item in items:
            if isinstance(item, list):
                expect(len(item) == 3 and is_integer(item[2], 1, _MOST), f"a slice {item}")
            else:
                expect(item == "new" or is_integer(item, -_MOST, _MOST), f"an item {item}")

    @property
    def sizes(self) -> Sequence[Expression | None]:
        slices = [item for item in self.attributes["items"] if isinstance(item, list)]
        return [end for item in slices for end in item[:2]]

    def prove(self, *grids: Grid) -> Grid:
        (x,) = grids
        items = [item for item in self.attributes["items"] if item != "new"]
        expect(len(items) == x.ndim, "it takes values of other dimensions")
        fixed = [not isinstance(i, list) or all(_is_fixed(end) for end in i[:2]) for i in items]
        x = x.collapse([d for d in range(x.ndim) if not fixed[d]])

        def change(t: torch.Tensor) -> torch.Tensor:
            places: list[Any] = []
            dim = 0
            for item in self.attributes["items"]:
                if item == "new":
                    places.append(None)
                    continue
                if t.shape[dim] == 1:
                    places.append(slice(None) if isinstance(item, list) else 0)
                else:
                    places.append(slice(*item) if isinstance(item, list) else item)
                dim += 1
            return t[tuple(places)]

        try:
            return _apply(x, change)
        except IndexError as error:
            raise ValueError(str(error)) from None

    def forward(self, *values: torch.Tensor, sizes: Sequence[int | None] = ()) -> torch.Tensor:
        ends = iter(sizes)
        places: list[Any] = []
        for item in self.attributes["items"]:
            if isinstance(item, list):
                places.append(slice(next(ends), next(ends), item[2]))
            else:
                places.append(None if item == "new" else item)
        return values[0][tuple(places)]

    def follow(
        self, at: Sequence[int | None], ndims: Sequence[int], lengths: Sequence[bool]
    ) -> int | None:
        items, ends = self.attributes["items"], iter(lengths)
        found, dim = [], 0
        for place, item in enumerate(items):
            long = [next(ends), next(ends)] if isinstance(item, list) else [False]
            if item != "new":
                if dim == at[0]:
                    expect(item in ([None, None, 1], [0, None, 1]), "it takes a part of time")
                    found.append(place)
                elif any(long):
                    expect(at[0] is None and long == [False, True], "it takes a part of time")
                    expect(item[0] in (None, 0) and item[2] == 1, "it takes a part of time")
                    found.append(place)
                dim += 1
        expect(len(found) < 2, "it has time twice")
        gone = [i for i, item in enumerate(items) if isinstance(item, int)]
        return found[0] - sum(i < found[0] for i in gone) if found else None


def _is_fixed(end: Expression | None) -> bool:
    return end is None or isinstance(end, int)


class PixelShuffle(Operation):
    """Moves channels to places, as `torch.nn.PixelShuffle` does."""

    kind: ClassVar[str] = "pixel_shuffle"

    def check(self, attributes: set[str], tensors: set[str]) -> None:
        expect(attributes == {"factor"} and not tensors, "it has a factor")
        expect(is_integer(self.attributes["factor"], 1, 1 << 10), "it has a factor")

    def prove(self, *grids: Grid) -> Grid:
        (x,) = grids
        expect(x.ndim == 4, "it takes four dimensions")
        x = x.collapse([0, 2, 3])
        return x if x.step.shape[1] == 1 else self._channels(x, self.attributes["factor"] ** 2)

    def _channels(self, x: Grid, cells: int) -> Grid:
        """Of the output, given those of the input, and the places that a channel is for."""
        expect(x.step.shape[1] % cells == 0, f"it takes a multiple of {cells} channels")
        x = _apply(x, lambda t: t.view(-1, cells)).collapse([1])
        return _apply(x, lambda t: t.view(1, -1, 1, 1))

    def forward(self, *values: torch.Tensor, sizes: Sequence[int | None] = ()) -> torch.Tensor:
        return functional.pixel_shuffle(values[0], self.attributes["factor"])


class PixelUnshuffle(PixelShuffle):
    """Moves places to channels, as `torch.nn.PixelUnshuffle` does."""

    kind: ClassVar[str] = "pixel_unshuffle"

    def _channels(self, x: Grid, cells: int) -> Grid:
        check_shape(x.step.shape[1], cells)
        return _apply(x, lambda t: t.repeat_interleave(cells, 1))

    def forward(self, *values: torch.Tensor, sizes: Sequence[int | None] = ()) -> torch.Tensor:
        return functional.pixel_unshuffle(values[0], self.attributes["factor"])


class Repeat(Operation):
    """Each value several times in each of the last dimensions, as nearest upsampling does."""

    kind: ClassVar[str] = "repeat"

    def check(self, attributes: set[str], tensors: set[str]) -> None:
        expect(attributes == {"factors"} and not tensors, "it has factors")
        expect(are_integers(self.attributes["factors"], 1, 1 << 10), "it has factors")

    def prove(self, *grids: Grid) -> Grid:
        (x,) = grids
        count = len(self.attributes["factors"])
        expect(count <= x.ndim, "it has more factors than the value has dimensions")
        return x.collapse(range(x.ndim - count, x.ndim))

    def forward(self, *values: torch.Tensor, sizes: Sequence[int | None] = ()) -> torch.Tensor:
        (x,) = values
        for dim, factor in enumerate(reversed(self.attributes["factors"])):
            x = x.repeat_interleave(factor, x.ndim - 1 - dim)
        return x


class Pad(Operation):
    """More values at the ends of the last dimensions, as `torch.nn.functional.pad` adds them."""

    kind: ClassVar[str] = "pad"

    def check(self, attributes: set[str], tensors: set[str]) -> None:
        expect(attributes == {"amounts", "mode", "value"} and not tensors, "it has amounts")
        amounts, mode = self.attributes["amounts"], self.attributes["mode"]
        expect(are_integers(amounts, -(1 << 16), 1 << 16), "it has amounts")
        expect(len(amounts) % 2 == 0 and len(amounts) > 0, "it has amounts at both ends")
        expect(mode in ("constant", "reflect", "replicate", "circular"), f"mode {mode}")
        expect(is_number(self.attributes["value"]), "it has a value")

    def prove(self, *grids: Grid) -> Grid:
        (x,) = grids
        count, value = len(self.attributes["amounts"]) // 2, self.attributes["value"]
        expect(count <= x.ndim, "it has more amounts than the value has dimensions")
        x = x.collapse(range(x.ndim - count, x.ndim))
        if self.attributes["mode"] != "constant":
            return x
        whole = lowest_bit(torch.tensor([value], dtype=torch.float64))
        return Grid(torch.minimum(x.step, whole), x.bound.clamp(min=abs(value))).exact()

    def forward(self, *values: torch.Tensor, sizes: Sequence[int | None] = ()) -> torch.Tensor:
        amounts, mode = self.attributes["amounts"], self.attributes["mode"]
        if mode == "constant":
            return functional.pad(values[0], amounts, mode, self.attributes["value"])
        return functional.pad(values[0], amounts, mode)
