"""Sizes that are known when a network runs, as files have them.

An expression is a whole number; `["size", v, d]`, the size of dimension `d` of value number `v`; or
`["add" | "subtract" | "multiply" | "divide" | "modulo", a, b]` of two expressions, where a quotient
is rounded down.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence

from torchac.exact._operations.base import Expression, expect, is_integer

ARITHMETIC: dict[str, Callable[[int, int], int]] = {
    "add": operator.add,
    "subtract": operator.sub,
    "multiply": operator.mul,
    "divide": operator.floordiv,
    "modulo": operator.mod,
}
LARGEST = 1 << 40


def evaluate(size: Expression, shapes: Sequence[Sequence[int]]) -> int:
    """The value of an expression, given the shapes of all values so far."""
    if isinstance(size, int):
        return size
    kind, a, b = size
    if kind == "size":
        return shapes[a][b]
    return ARITHMETIC[kind](evaluate(a, shapes), evaluate(b, shapes))


def check(size: Expression, ndims: Sequence[int], depth: int = 16) -> None:
    """Checks an expression, given the numbers of dimensions of all values so far."""
    if isinstance(size, list):
        expect(len(size) == 3 and depth > 0, f"{size} is not a size")
        kind, a, b = size
        if kind == "size":
            expect(is_integer(a, 0, len(ndims) - 1), f"{size} is the size of no value before")
            expect(is_integer(b, 0, ndims[a] - 1), f"{size} is the size of no dimension")
        else:
            expect(isinstance(kind, str) and kind in ARITHMETIC, f"{kind!r} is not arithmetic")
            check(a, ndims, depth - 1)
            check(b, ndims, depth - 1)
    else:
        expect(is_integer(size, -LARGEST, LARGEST), f"{size!r} is not a size")
