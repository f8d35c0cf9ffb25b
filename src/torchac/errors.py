"""What goes wrong while coding, in words: the value, its position, and what was expected."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import numpy as np

from torchac._core import Problem, Report
from torchac._model import Model, Row
from torchac._tensors import Array

T = TypeVar("T")


class CorruptStreamError(ValueError):
    """The bytes cannot be what was encoded: they end too early, or contradict the CDF.

    A raw arithmetic-coded stream carries no checksum, so not every damage is noticed: a stream with
    a changed byte may decode to other symbols. Files of `Writer` have checksums, and `mark` puts
    some into a stream.
    """


def explain(report: Report, model: Model, sym: Array | None = None, item: str = "") -> ValueError:
    """Turns the core's report on coding `sym` (None when decoding) with `model` into an exception.

    `item` names the stream where there are several.
    """
    error = CorruptStreamError if report.problem in _CORRUPT else ValueError
    try:
        sentence = _SENTENCES[report.problem](_Situation(report, model, sym))
    except IndexError:  # what was wrong is no longer there
        sentence = "the CDF, the symbols or their index were changed while they were coded"
    return error(item + sentence)


def clamped(report: Report, model: Model, sym: Array) -> str:
    """Tells that a symbol is taken as another one."""
    situation = _Situation(report, model, sym)
    nearest = 0 if situation.symbol < 0 else model.symbols - 1
    return (
        f"{_symbol(situation)}. With check_input_bounds=False it is coded as the nearest of them, "
        f"{nearest}, and so are others like it: decoding gives that. "
        "Without check_input_bounds=False it is refused"
    )


def item_name(item: int) -> str:
    """How a message on an item of a batch begins."""
    return f"item {item}: "


@contextmanager
def with_item_name(items: Iterable[T]) -> Iterator[Iterator[T]]:
    """Gives the items one by one, and names the one that something is raised about."""
    number = -1

    def each() -> Iterator[T]:
        nonlocal number
        for item in items:
            number += 1
            yield item

    try:
        yield each()
    except (TypeError, ValueError) as error:
        raise type(error)(item_name(number) + str(error)) from None


def wrong_mark(report: Report, stream: str = "") -> CorruptStreamError:
    """Tells that a mark cannot be read, or does not fit what was decoded."""
    before, number = report.position, report.position + 1
    if report.problem is Problem.TRUNCATED:
        return CorruptStreamError(f"{stream}the stream ends before mark {number} does")
    where = f"between {f'mark {before}' if before else 'the start'} and mark {number}"
    return CorruptStreamError(
        f"{stream}the values {where} differ from those encoded: the model differs (other weights, "
        "another GPU, library or batch size, one float), or the stream is damaged"
    )


class _Situation:
    """What the sentences below speak of."""

    def __init__(self, report: Report, model: Model, sym: Array | None) -> None:
        self.report, self.model, self.sym = report, model, sym

    @property
    def position(self) -> tuple[int, ...]:
        """The symbol's, where the report is on one."""
        shape = self.model.shape
        return tuple(map(int, np.unravel_index(self.report.position, shape))) if shape else ()

    @property
    def at(self) -> str:
        return f"at index {self.position}"

    @property
    def symbol(self) -> int:
        return int(self.report.column if self.sym is None else self.sym[self.position].item())

    @property
    def row(self) -> Row:
        table = self.report.table
        return self.model.shared_row(table) if table >= 0 else self.model.row(self.position)


def _symbol(s: _Situation) -> str:
    return f"symbol {s.symbol} {s.at} is outside the alphabet: {s.model.alphabet}"


def _index(s: _Situation) -> str:
    return f"index {s.row.place[0]} {s.at} is out of range: {s.model.tables}"


def _interval(s: _Situation) -> str:
    symbol = s.report.column  # which is the nearest one where the user's is out of range
    low, high = s.row.quantized(symbol), s.row.quantized(symbol + 1)
    return (
        f"symbol {symbol} {s.at} has an empty interval, from {low} to {high} of 65536, so it "
        f"cannot be coded: its row is not normalized. Expected values that increase" + s.row.advice
    )


def _not_finite(s: _Situation) -> str:
    value = s.row.name(s.report.column)
    return f"{value} cannot be converted: expected finite numbers in [0, 1]"


def _out_of_bounds(s: _Situation) -> str:
    return f"{s.row.name(s.report.column)} is outside [0, 1]"


def _decreasing(s: _Situation) -> str:
    row, column = s.row, s.report.column
    return (
        f"{row.name(column)} converts to {row.quantized(column)} of 65536, less than the value "
        f"before it, {row.value(column - 1)}, which converts to {row.quantized(column - 1)}: "
        f"expected rows that do not decrease" + row.advice + row.sum_advice
    )


def _truncated(s: _Situation) -> str:
    found = f"{s.report.position} of {math.prod(s.model.shape)} symbols"
    return f"the stream ends before its symbols do: {found} are in it"


def _contradicted(s: _Situation) -> str:
    return (
        f"the stream contradicts the CDF {s.at}: no symbol of that row can have been written "
        f"there, so it is damaged or was written with another CDF"
    )


_SENTENCES = {
    Problem.SYMBOL: _symbol,
    Problem.INDEX: _index,
    Problem.INTERVAL: _interval,
    Problem.NOT_FINITE: _not_finite,
    Problem.OUT_OF_BOUNDS: _out_of_bounds,
    Problem.DECREASING: _decreasing,
    Problem.TRUNCATED: _truncated,
    Problem.CONTRADICTED: _contradicted,
}
_CORRUPT = {Problem.TRUNCATED, Problem.CONTRADICTED}
