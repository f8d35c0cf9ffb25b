"""Copies of functions in which global names stand for other objects."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from types import CellType, CodeType, FunctionType
from typing import Any

Swap = Callable[[Any], Any]  # returns the replacement of an object, or the object


def swapped(value: Any, swap: Swap) -> Any:
    """A copy of a function, static method or class method with its global names swapped.

    Functions without such names, and other objects, are returned as they are. Functions in closures
    are swapped too, to reach decorated methods.
    """
    if isinstance(value, (staticmethod, classmethod)):
        function = swapped(value.__func__, swap)
        return value if function is value.__func__ else type(value)(function)
    return _swapped(value, swap, ()) if isinstance(value, FunctionType) else value


def _swapped(function: FunctionType, swap: Swap, outer: tuple[FunctionType, ...]) -> FunctionType:
    outer = (*outer, function)
    names = {
        name: swap(function.__globals__[name])
        for name in _names(function.__code__)
        if name in function.__globals__
    }
    names = {n: other for n, other in names.items() if other is not function.__globals__[n]}
    before = function.__closure__ or ()
    cells = tuple(_swapped_cell(cell, swap, outer) for cell in before)
    if not names and cells == before:
        return function
    copy = FunctionType(
        function.__code__,
        {**function.__globals__, **names},
        function.__name__,
        function.__defaults__,
        cells or None,
    )
    copy.__kwdefaults__ = function.__kwdefaults__
    for attribute in functools.WRAPPER_ASSIGNMENTS:
        setattr(copy, attribute, getattr(function, attribute))
    copy.__dict__.update(function.__dict__)
    return copy


def _swapped_cell(cell: CellType, swap: Swap, outer: tuple[FunctionType, ...]) -> CellType:
    try:
        content = cell.cell_contents
    except ValueError:  # empty
        return cell
    if not isinstance(content, FunctionType) or content in outer:
        return cell
    other = _swapped(content, swap, outer)
    return cell if other is content else CellType(other)


def _names(code: CodeType) -> Iterator[str]:
    """The names in a function and in those that it defines."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)
