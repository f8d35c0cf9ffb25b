"""Causal networks that are computed place by place."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import torch

from torchac.exact._errors import Refused
from torchac.exact._grid import Grid
from torchac.exact._operations.base import Expression, Operation, expect
from torchac.exact._operations.elementwise import Pair
from torchac.exact._operations.language import Attention, Tokens
from torchac.exact._operations.rounding import Input
from torchac.exact._operations.shapes import Index
from torchac.exact._program import Step

Compute: TypeAlias = Callable[
    [Step, int, Sequence[torch.Tensor], Sequence["int | None"]], torch.Tensor
]
"""What computes a step: the step, its number, the values that it takes, and its sizes."""

_TIME = 1
"""The dimension of inputs that is time."""


class Stream:
    """A causal network that is called with a few places in time after another.

    `Network.stream` makes them. Each call takes the next places, in dimension 1 of each input, and
    returns their outputs: the same, to the bit, as those of the network for all places at once.
    A call that raises changes nothing.
    """

    def __init__(
        self, steps: Sequence[Step], grids: Sequence[Grid], run: Callable[[Any, Compute], Any]
    ) -> None:
        self._run = run
        self._times = _times(steps, grids)
        self._past: dict[int, tuple[_Past, _Past]] = {}
        self._length = 0
        self._items = 0

    @property
    def length(self) -> int:
        """The number of places so far."""
        return self._length

    def __call__(self, *inputs: torch.Tensor) -> Any:
        """Computes the outputs of the next places.

        Args:
            inputs: The network's inputs, for the next places only. The number of items, in
                dimension 0, must be that of the first call.

        Returns:
            The network's outputs for these places.

        Raises:
            TypeError: There are more or fewer inputs, or one is not a tensor.
            ValueError: An input has no places, other items or dimensions, or values that the
                network does not take; or there are more places than the network has positions for.
        """
        shapes = [tuple(getattr(x, "shape", ()))[:2] for x in inputs]
        if len(set(shapes)) > 1 or any(len(shape) < 2 or shape[1] < 1 for shape in shapes):
            raise ValueError(
                f"inputs have the shapes {shapes}: expected equal items and places, at least one"
            )
        if self._length and shapes and shapes[0][0] != self._items:
            raise ValueError(f"inputs have {shapes[0][0]} items: expected {self._items} as before")
        result = self._run(inputs, self._compute)
        self._items, places = shapes[0]
        self._length += places
        return result

    def _compute(
        self, step: Step, i: int, values: Sequence[torch.Tensor], sizes: Sequence[int | None]
    ) -> torch.Tensor:
        """Computes a step of the network for the next places."""
        operation, time = step.operation, self._times[i]
        before = [self._times[j] for j in step.inputs]
        if isinstance(operation, Index) and before == [None] and time is not None:
            return self._rows(operation, values, sizes, time)
        if isinstance(operation, Attention):
            past = self._past.setdefault(i, (_Past(), _Past()))
            q, *new = values
            k, v = (p.extended(x, self._length) for p, x in zip(past, new, strict=True))
            values = q, k, v
        if isinstance(operation, Pair) and time is not None:
            ndim = max(x.ndim for x in values)
            for x, at in zip(values, before, strict=True):
                dim = time - ndim + x.ndim
                if at is None and dim >= 0 and x.shape[dim] != 1:
                    raise ValueError(
                        f"weights of shape {tuple(x.shape)} have a number for each place, of one "
                        "length: take as many as there are places, such as weights[: x.shape[1]]"
                    )
        y: torch.Tensor = operation(*values, sizes=sizes)
        return y

    def _rows(
        self, index: Index, values: Sequence[torch.Tensor], sizes: Sequence[int | None], time: int
    ) -> torch.Tensor:
        """The next rows of weights that have one for each place."""
        ends = list(sizes)
        at = _lengths(index, self._times).index(True)
        count = ends[at]
        assert count is not None
        ends[at - 1 : at + 1] = [self._length, self._length + count]
        y: torch.Tensor = index(*values, sizes=ends)
        if y.shape[time] != count:
            raise ValueError(
                f"there are {self._length + count} places: the network has positions for "
                f"{self._length + y.shape[time]}"
            )
        return y


class _Past:
    """The computed values of the places so far, with room for more."""

    def __init__(self) -> None:
        self._room: torch.Tensor | None = None

    def extended(self, x: torch.Tensor, length: int) -> torch.Tensor:
        """The values of the first places, followed by `x`."""
        end = length + x.shape[-2]
        room = self._room
        if room is None or not length or room.shape[-2] < end:
            room = x.new_empty((*x.shape[:-2], max(32, 2 * end), x.shape[-1]))
            if self._room is not None and length:
                room[..., :length, :] = self._room[..., :length, :]
            self._room = room
        room[..., length:end, :] = x
        return room[..., :end, :]


def _times(steps: Sequence[Step], grids: Sequence[Grid]) -> list[int | None]:
    """The dimension of each value that is time."""
    times: list[int | None] = []
    for i, step in enumerate(steps):
        operation = step.operation
        try:
            if isinstance(operation, (Input, Tokens)):
                expect(
                    grids[i].ndim > _TIME, "an input has one dimension: expected time as the second"
                )
                times.append(_TIME)
                continue
            at, ndims = [times[j] for j in step.inputs], [grids[j].ndim for j in step.inputs]
            times.append(operation.follow(at, ndims, _lengths(operation, times)))
        except ValueError as error:
            raise Refused(f"{step.name or step.layer}: {error}, so it has no stream") from None
    return times


def _lengths(operation: Operation, times: Sequence[int | None]) -> list[bool]:
    """For each size that an operation needs, whether it is the length of time."""
    return [_is_length(size, times) for size in operation.sizes]


def _is_length(size: Expression | None, times: Sequence[int | None]) -> bool:
    if not isinstance(size, list):
        return False
    kind, a, b = size
    if kind == "size":
        return times[a] is not None and times[a] == b
    expect(
        not (_is_length(a, times) or _is_length(b, times)), "it computes with the length of time"
    )
    return False
