"""The operations of exact networks, which have a name, attributes and tensors.

Each operation computes (`forward`) and proves what is known of its output (`prove`), both in
networks that were converted and in those that were read from files. A file may be malicious, so
each operation checks its attributes, and the proofs are made again.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, TypeAlias

import torch
from torch import nn

from torchac.exact._grid import Grid

Expression: TypeAlias = "int | list[Any]"
"""A size that is known when the network runs: see `_sizes`."""

_AT_ONCE = 1 << 15

KINDS: dict[str, type[Operation]] = {}
"""The operations by the names that they have in files."""


class Operation(nn.Module):
    """A step of a network.

    Attributes:
        kind: Its name in files.
        inputs: The number of its inputs; None for any number from one on.
        in_parts: Whether `forward` takes a function `then`, to apply to each part of the output.
        pointwise: Whether it has one input, and each output depends on the input at its own place.
        attributes: Its numbers, strings and lists of them, as files have them.
        proved: The bits of its largest sum, if it sums; set by `prove`.
    """

    kind: ClassVar[str]
    inputs: ClassVar[int | None] = 1
    in_parts: ClassVar[bool] = False
    pointwise: ClassVar[bool] = False

    def __init__(
        self, attributes: Mapping[str, Any], tensors: Mapping[str, torch.Tensor] | None = None
    ) -> None:
        super().__init__()
        self.attributes = dict(attributes)
        self.proved: float | None = None
        tensors = tensors or {}
        for name, tensor in tensors.items():
            if not bool(torch.isfinite(tensor).all()):
                raise ValueError(f"{name} has values that are not finite")
            self.register_buffer(name, tensor.to(torch.float64).contiguous())
        self.check(set(attributes), set(tensors))

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "kind" in vars(cls):
            KINDS[cls.kind] = cls

    def check(self, attributes: set[str], tensors: set[str]) -> None:
        """Checks attributes and tensors. There must be exactly those of the operation."""
        expect(not attributes, "it has no attributes")
        expect(not tensors, "it has no tensors")

    @property
    def sizes(self) -> Sequence[Expression | None]:
        """The sizes that the operation needs when it runs."""
        return ()

    def prove(self, *grids: Grid) -> Grid:
        """The grid of the output for grids of the inputs; raises Unproved."""
        raise NotImplementedError

    def follow(
        self, at: Sequence[int | None], ndims: Sequence[int], lengths: Sequence[bool]
    ) -> int | None:
        """The dimension of the output that is time, for networks that are streamed.

        Args:
            at: The dimension of each input that is time; None if it does not depend on time.
            ndims: The number of dimensions of each input.
            lengths: For each of `sizes`, whether it is the length of time.

        Raises:
            ValueError: A place in time depends on others in an unknown way.
        """
        if self.pointwise or all(dim is None for dim in at):
            return at[0] if at else None
        raise ValueError("it is not known to be causal")

    def forward(self, *values: torch.Tensor, sizes: Sequence[int | None] = ()) -> torch.Tensor:
        """Computes the output; `sizes` are those that it needs."""
        raise NotImplementedError


def by_items(
    compute: Callable[[torch.Tensor], torch.Tensor], x: torch.Tensor, numbers: int
) -> torch.Tensor:
    """Computes a few items at a time, so that they stay in the cache, and joins the results.

    Args:
        compute: The function, which may change only the size of the last dimension.
        x: The items, in the first dimension that has several.
        numbers: The larger size of the last dimension.
    """
    dim = next((d for d, n in enumerate(x.shape[:-1]) if n > 1), None)
    if dim is None:
        return compute(x)
    count = x.shape[dim]
    some = max(1, _AT_ONCE // max(1, math.prod(x.shape[dim + 1 : -1]) * numbers))
    if some >= count:
        return compute(x)
    result: torch.Tensor | None = None
    for start in range(0, count, some):
        y = compute(x.narrow(dim, start, min(some, count - start)))
        if result is None:
            result = y.new_empty((*y.shape[:dim], count, *y.shape[dim + 1 :]))
        result.narrow(dim, start, y.shape[dim]).copy_(y)
    assert result is not None
    return result


def expect(good: bool, what: str) -> None:
    """Raises if an attribute of an operation is invalid."""
    if not good:
        raise ValueError(what)


def is_integer(x: Any, least: int, most: int) -> bool:
    """Whether it is a whole number of that range."""
    return isinstance(x, int) and not isinstance(x, bool) and least <= x <= most


def are_integers(x: Any, least: int, most: int) -> bool:
    """Whether it is a list of whole numbers of that range."""
    return isinstance(x, list) and all(is_integer(item, least, most) for item in x)


def is_number(x: Any) -> bool:
    """Whether it is a finite float."""
    return isinstance(x, float) and math.isfinite(x)
