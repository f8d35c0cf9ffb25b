"""What goes wrong while coding, in words: the value, its position, and what was expected."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch

from torchac._convert import WHOLE, scaled, to_parts
from torchac._core import Problem, Report
from torchac._tensors import CPU, Array, Rows, alphabet, as_tensor


class CorruptStreamError(ValueError):
    """The bytes cannot be what was encoded: they end too early, or contradict the CDF.

    A raw arithmetic-coded stream carries no checksum, so not every damage is noticed: a stream with
    a changed byte may decode to other symbols. Keep a checksum beside it where that matters.
    """


def explain(report: Report, rows: Rows, sym: Array | None = None, item: str = "") -> ValueError:
    """Turns the core's report on coding `sym` (None when decoding) with `rows` into an exception.

    `item` names the stream where there are several.
    """
    error = CorruptStreamError if report.problem in _CORRUPT else ValueError
    try:
        sentence = _SENTENCES[report.problem](_Situation(report, rows, sym))
    except IndexError:  # what was wrong is no longer there
        sentence = "the CDF, the symbols or their index were changed while they were coded"
    return error(item + sentence)


def clamped(report: Report, rows: Rows, sym: Array) -> str:
    """Tells that a symbol is taken as another one."""
    situation = _Situation(report, rows, sym)
    nearest = 0 if situation.symbol < 0 else rows.symbols - 1
    return (
        f"{_symbol(situation)}. With check_input_bounds=False it is coded as the nearest of them, "
        f"{nearest}, and so are others like it: decoding gives that. "
        "Without check_input_bounds=False it is refused"
    )


class _Situation:
    """What the sentences below speak of."""

    def __init__(self, report: Report, rows: Rows, sym: Array | None) -> None:
        self.report, self.rows, self.sym = report, rows, sym

    @property
    def position(self) -> tuple[int, ...]:
        """The symbol's, where the report is on one."""
        shape = self.rows.shape
        return tuple(map(int, np.unravel_index(self.report.position, shape))) if shape else ()

    @property
    def at(self) -> str:
        return f"at index {_tuple(self.position)}"

    @property
    def symbol(self) -> int:
        symbol = self.report.column if self.sym is None else _number(self.sym, self.position)
        return int(symbol)

    @property
    def row(self) -> tuple[int, ...]:
        """Where the symbol's row stands in the CDF."""
        table = self.rows.table
        if self.report.table >= 0:
            return (self.report.table,)
        return self.position if table is None else (_number(table, self.position),)

    def value(self, column: int) -> Any:
        return _number(self.rows.cdf, (*self.row, column))

    def converted(self, column: int) -> int:
        """The value in a column in parts of 65536."""
        if column == self.rows.symbols:
            return WHOLE
        if not self.rows.is_float:
            return int(self.value(column)) % WHOLE
        value = as_tensor(self.rows.cdf[self.row])[column].cpu()
        return int(to_parts(scaled(value, self.rows), torch.tensor(column, device=CPU), self.rows))

    @property
    def value_at(self) -> str:
        column = self.report.column
        return f"CDF value {self.value(column)} at index {_tuple((*self.row, column))}"


def _tuple(position: tuple[int, ...]) -> str:
    return "(" + ", ".join(map(str, position)) + ("," if len(position) == 1 else "") + ")"


def _number(array: Array, position: tuple[int, ...]) -> Any:
    return array[position].item()


def _advice(s: _Situation) -> str:
    if s.rows.is_float and not s.rows.normalize:
        return ", or needs_normalization=True, which gives every symbol an interval"
    return ""


def _sum_advice(s: _Situation) -> str:
    """Probabilities are often taken for a CDF."""
    if s.rows.is_float and abs(float(as_tensor(s.rows.cdf[s.row]).float().sum()) - 1) < 0.01:
        return ". It sums to 1: if it holds probabilities, torchac.cdf.from_pmf makes a CDF of them"
    return ""


def _symbol(s: _Situation) -> str:
    return f"symbol {s.symbol} {s.at} is outside the alphabet: {alphabet(s.rows)}"


def _index(s: _Situation) -> str:
    tables = s.rows.cdf.shape[0]
    return f"index {s.row[0]} {s.at} names no table: {tables} tables allow 0 … {tables - 1}"


def _interval(s: _Situation) -> str:
    symbol = s.report.column  # which is the nearest one where the user's is out of range
    low, high = s.converted(symbol), s.converted(symbol + 1)
    return (
        f"symbol {symbol} {s.at} has an empty interval, from {low} to {high} of 65536, so it "
        f"cannot be coded: its row is not normalized. Expected values that increase" + _advice(s)
    )


def _not_finite(s: _Situation) -> str:
    return f"{s.value_at} cannot be converted: expected finite numbers in [0, 1]"


def _out_of_bounds(s: _Situation) -> str:
    return f"{s.value_at} is outside [0, 1]"


def _decreasing(s: _Situation) -> str:
    column = s.report.column
    return (
        f"{s.value_at} converts to {s.converted(column)} of 65536, less than the value before it, "
        f"{s.value(column - 1)}, which converts to {s.converted(column - 1)}: "
        f"expected rows that do not decrease" + _advice(s) + _sum_advice(s)
    )


def _truncated(s: _Situation) -> str:
    found = f"{s.report.position} of {math.prod(s.rows.shape)} symbols"
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
