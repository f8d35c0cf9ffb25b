"""Stored rows of a CDF: checked, viewed by the core, described in messages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch

from torchac import _checks, _core, _tensors
from torchac._convert import WHOLE, scale_cdf, to_uint16
from torchac._core import RowType
from torchac._tensors import (
    ANY_ROWS,
    BOOLS,
    CPU,
    FLOAT_ROWS,
    INT16_ROWS,
    INTEGERS,
    MAX_LP,
    MAX_TABLES,
    MIN_LP,
    SYMBOLS,
    Array,
    NDArray,
    Symbols,
    as_tensor,
    like,
    plain,
)


class Rows(NamedTuple):
    """The model of stored rows: one for each symbol, or shared ones, tables."""

    cdf: Array
    normalize: bool
    table: Array | None  # where rows are shared: which one each symbol has
    shape: tuple[int, ...]  # of the symbols
    row_type: RowType

    @property
    def symbols(self) -> int:
        """Size of the alphabet."""
        return int(self.cdf.shape[-1]) - 1

    @property
    def is_float(self) -> bool:
        return self.row_type is not RowType.INT16

    @property
    def alphabet(self) -> str:
        """What symbols may be."""
        return f"rows of {self.symbols + 1} values allow symbols 0 … {self.symbols - 1}"

    @property
    def tables(self) -> str:
        """What an index may be."""
        tables = self.cdf.shape[0]
        return f"{tables} tables allow 0 … {tables - 1}"

    def row(self, position: tuple[int, ...]) -> Row:
        """The row of the symbol at a position."""
        if self.table is None:
            return Row(self, position)
        return self.shared_row(int(self.table[position].item()))

    def shared_row(self, number: int) -> Row:
        """The table of that number."""
        return Row(self, (number,))

    def view(self, on_host: NDArray | None = None) -> _core.Cdf:
        """The rows for the core; a CDF on another device is copied, unless a copy is given."""
        index = None if self.table is None else _tensors.view(self.table)
        cdf = _tensors.view(self.cdf) if on_host is None else on_host
        return _core.Cdf(cdf, self.row_type, self.normalize, index)


class Row(NamedTuple):
    """One of the rows, as messages speak of it."""

    rows: Rows
    place: tuple[int, ...]  # in the CDF

    def value(self, column: int) -> Any:
        """A value as it is stored."""
        return self.rows.cdf[(*self.place, column)].item()

    def name(self, column: int) -> str:
        """The value and where it is."""
        return f"CDF value {self.value(column)} at index {(*self.place, column)}"

    def quantized(self, column: int) -> int:
        """The value in parts of 65536."""
        if column == self.rows.symbols:
            return WHOLE
        if not self.rows.is_float:
            return int(self.value(column)) % WHOLE
        value = as_tensor(self.rows.cdf[self.place])[column].cpu()
        product = scale_cdf(value, self.rows)
        return int(to_uint16(product, torch.tensor(column, device=CPU), self.rows))

    @property
    def advice(self) -> str:
        """What makes rows increase."""
        if self.rows.is_float and not self.rows.normalize:
            return ", or needs_normalization=True, which gives every symbol an interval"
        return ""

    @property
    def sum_advice(self) -> str:
        """Probabilities are often taken for a CDF."""
        row = as_tensor(self.rows.cdf[self.place])
        if self.rows.is_float and abs(float(row.float().sum()) - 1) < 0.01:
            return ". It sums to 1: if it holds probabilities, torchac.Categorical takes them"
        return ""


def views(each: Sequence[Rows]) -> list[_core.Cdf]:
    """The views of several, for which a CDF that they share stays shared."""
    copies: dict[int, NDArray] = {}
    for rows in each:
        if id(rows.cdf) not in copies:
            copies[id(rows.cdf)] = _tensors.view(rows.cdf)
    return [rows.view(copies[id(rows.cdf)]) for rows in each]


def float_rows(cdf: Array, needs_normalization: bool, index: Array | None) -> Rows:
    """Checks a CDF of floats."""
    return _rows("cdf_float", cdf, needs_normalization, index, FLOAT_ROWS)


def int16_rows(cdf: Array, index: Array | None) -> Rows:
    """Checks a CDF of 16-bit integers."""
    return _rows("cdf_int", cdf, False, index, INT16_ROWS)


def check_cdf(cdf: Array, needs_normalization: bool, index: Array | None) -> Rows:
    """Checks a CDF of either."""
    return _rows("cdf", cdf, needs_normalization, index, ANY_ROWS)


def _rows(
    name: str, cdf: Array, normalize: bool, index: Array | None, allowed: dict[Any, RowType]
) -> Rows:
    _checks.check_array(name, cdf)
    _checks.check_elements(name, cdf)
    _checks.check_dtype(name, cdf, allowed)
    cdf = plain(cdf)
    normalize = _checks.check_flag("needs_normalization", normalize)
    row_type = allowed[cdf.dtype]
    shape = tuple(cdf.shape)
    if not shape or not MIN_LP <= shape[-1] <= MAX_LP:
        raise ValueError(
            f"{name} has shape {shape}: expected (N1, …, Nm, Lp) "
            f"with {MIN_LP} <= Lp <= {MAX_LP} values in each row"
        )
    if index is None:
        return Rows(cdf, normalize, None, shape[:-1], row_type)
    index = _checks.check_integers("index", index, name, cdf, INTEGERS)
    if len(shape) != 2:
        raise ValueError(f"{name} has shape {shape}: expected (K, Lp), K tables, with index")
    if shape[0] > MAX_TABLES:
        raise ValueError(f"{name} has {shape[0]} tables: expected {MAX_TABLES} or fewer")
    return Rows(cdf, normalize, index, tuple(index.shape), row_type)


def check_symbols(sym: Symbols, rows: Rows) -> Array:
    """The symbols to be coded with `rows`, checked, except that they are in the alphabet."""
    if (
        not isinstance(sym, torch.Tensor)
        and rows.shape == ()
        and isinstance(sym, (int, np.integer, np.bool_))
    ):
        sym = _single_symbol(int(sym), rows)
    symbols = _checks.check_integers("sym", sym, "the CDF", rows.cdf, SYMBOLS)
    if symbols.shape != rows.shape:
        whose = "rows of the CDF" if rows.table is None else "index"
        raise ValueError(
            f"shape of sym {tuple(symbols.shape)} must match the {whose}: expected {rows.shape}"
        )
    bits = BOOLS.get(symbols.dtype)
    return symbols if bits is None else symbols.view(bits)


def check_whole(sym: Symbols, rows: Rows) -> Array:
    """As `check_symbols`; the symbols may also be floats that are whole numbers."""
    if isinstance(sym, (torch.Tensor, np.ndarray)) and sym.dtype in FLOAT_ROWS:
        _checks.check_array("sym", sym)
        _checks.check_elements("sym", sym)
        numbers = as_tensor(plain(sym))
        numbers = numbers.to(_tensors.widest_float(numbers.device))
        good = (numbers == numbers.trunc()) & (numbers.abs() < 2.0**63)
        _checks.check_values("symbol", numbers, good, "a whole number")
        sym = like(numbers.long(), sym)
    return check_symbols(sym, rows)


def _single_symbol(symbol: int, rows: Rows) -> Array:
    try:
        array = np.array(symbol, np.uint64 if symbol >= 1 << 63 else np.int64)
    except OverflowError:
        raise ValueError(f"symbol {symbol} is outside the alphabet: {rows.alphabet}") from None
    return array if _tensors.on_host(rows.cdf) else like(array, rows.cdf)
