"""The model of a CDF: stored rows, one for each symbol, or tables that symbols share."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np
import torch

from torchac import _checks, _core, _tensors
from torchac._core import Problem
from torchac._tensors import (
    ANY_ROWS,
    CPU,
    FLOAT_ROWS,
    INTEGERS,
    MAX_TABLES,
    SYMBOLS,
    Array,
    NDArray,
    Symbols,
    as_tensor,
    broadcast,
    like,
)
from torchac.models._base import Fault, Item, Model, Tables
from torchac.quantize import TOTAL, not_finite, quantize_cdf, quantize_columns, scale_cdf


class CdfModel(Model):
    """Rows of a CDF, without escapes: symbols count from 0, and decoded ones are int16.

    Attributes:
        cdf: The rows, of shape `(…, Lp)`.
        normalize: Whether floats are converted so that each symbol has a part of the probability.
        check: Whether coding checks all rows, not only those that it reads.
        clamp: Whether a symbol out of range is replaced by the nearest one in range.
        strict: Whether symbols must have the shape of the rows; otherwise the rows are broadcast.
        name: The name of the user's argument.
    """

    __slots__ = (
        "_copy",
        "cdf",
        "check",
        "clamp",
        "name",
        "normalize",
        "shape",
        "strict",
    )
    decoded_dtype: ClassVar = np.int16

    def __init__(
        self,
        cdf: Array,
        normalize: bool = False,
        check: bool = False,
        clamp: bool = False,
        strict: bool = False,
        name: str = "cdf",
    ) -> None:
        self.cdf, self.normalize, self.name = cdf, normalize, name
        self.check, self.clamp, self.strict = check, clamp, strict
        self.shape = tuple(cdf.shape)[:-1]
        self._copy: NDArray | None = None

    @property
    def bounds(self) -> tuple[int, int]:  # type: ignore[override]  # it is read-only here
        return 0, int(self.cdf.shape[-1]) - 2

    @property
    def on_host(self) -> bool:  # type: ignore[override]
        return _tensors.on_host(self.cdf)

    @property
    def symbols(self) -> int:
        """The size of the alphabet."""
        return self.bounds[1] + 1

    @property
    def is_float(self) -> bool:
        return self.cdf.dtype in FLOAT_ROWS

    def of_rows(self, cdf: Array) -> CdfModel:
        """A model of other rows, with the same options."""
        options = self.normalize, self.check, self.clamp, self.strict, self.name
        return CdfModel(cdf, *options)

    def tabulate(self) -> Tables:
        """The rows as integers, without escapes."""
        cdf: Any = self.cdf
        rows = quantize_cdf(cdf, self.normalize) if self.is_float else cdf
        return Tables(rows, bounds=self.bounds)

    def like_parameters(self, result: Array) -> Any:
        return like(result, self.cdf)

    def check_index(self, index: Any) -> Array | None:
        if index is None:
            return None
        numbers = _checks.check_integers("index", index, self.name, self.cdf, INTEGERS)
        shape = tuple(self.cdf.shape)
        if len(shape) != 2:
            raise ValueError(
                f"{self.name} has shape {shape}: expected (K, Lp), K tables, with index"
            )
        if shape[0] > MAX_TABLES:
            raise ValueError(f"{self.name} has {shape[0]} tables: expected {MAX_TABLES} or fewer")
        return numbers

    def broadcast_to(
        self, shape: tuple[int, ...], index: Array | None
    ) -> tuple[CdfModel, Array | None]:
        if index is not None:
            return self, broadcast("index", index, shape)
        if self.shape == shape:
            return self, None
        return self._map(lambda cdf: broadcast(self.name, cdf, (*shape, cdf.shape[-1]))), None

    def fit(self, values: Any, index: Any, checked: bool = False) -> Item:
        if self.strict:
            index = self.check_index(index)
            if isinstance(values, (torch.Tensor, np.ndarray)) and values.dtype in FLOAT_ROWS:
                values = _checks.check_array("sym", values)
                _checks.check_elements("sym", values)
                values = _integers(values)
            return Item(self, index, self.check_symbols(values, index))
        if not checked:
            values = _checks.check_values(values)
        _checks.check_device("sym", values, "the CDF", self.cdf)
        model, index = self.broadcast_to(tuple(values.shape), self.check_index(index))
        symbols = like(as_tensor(values), self.cdf)
        return Item(model, index, _integers(symbols) if symbols.dtype in FLOAT_ROWS else symbols)

    def check_symbols(self, sym: Symbols, index: Array | None) -> Array:
        """Symbols of an integer dtype and the model's shape. Coding checks their range."""
        shape = self.shape if index is None else tuple(index.shape)
        if not isinstance(sym, torch.Tensor) and shape == () and isinstance(sym, _INTEGERS):
            sym = self._single_symbol(int(sym))
        symbols = _checks.check_integers("sym", sym, "the CDF", self.cdf, SYMBOLS)
        if symbols.shape != shape:
            what = "rows of the CDF" if index is None else "index"
            raise ValueError(
                f"shape of sym {tuple(symbols.shape)} must match the {what}: expected {shape}"
            )
        return symbols

    def _single_symbol(self, symbol: int) -> Array:
        try:
            array = np.array(symbol, np.uint64 if symbol >= 1 << 63 else np.int64)
        except OverflowError:
            raise ValueError(f"symbol {symbol} is outside the alphabet: {self._alphabet}") from None
        return array if self.on_host else like(array, self.cdf)

    def fit_batch(self, values: Any, index: Any) -> Item:
        _checks.check_batch("sym", values, self.batch_shape(self.check_index(index))[0])
        return self.fit(values, index)

    def batch_shape(self, index: Array | None) -> tuple[int, ...]:
        if index is not None and index.ndim == 0:
            raise ValueError("index has shape (): expected (B, …), the items of a batch")
        if index is None and not self.shape:
            raise ValueError(
                f"cdf has shape {tuple(self.cdf.shape)}: expected (B, …, Lp), the items of a batch"
            )
        return self.shape if index is None else tuple(index.shape)

    def split(self, count: int, index: Any) -> list[Model]:
        if index is not None:
            return [self] * count
        [size, *_] = self.batch_shape(None)
        if count != size:
            raise ValueError(f"sym has {count} items: expected {size}, as many as the others")
        return [self._of_parts([self.cdf[item, ...]]) for item in range(count)]

    def to_core(self, index: Array | None = None) -> _core.Model:
        if self._copy is None:  # a view, or a copy from a device that items of a batch share
            self._copy = _tensors.view(self.cdf)
        numbers = None if index is None else _tensors.view(index)
        return _core.Model.of_cdf(self._copy, self.normalize, numbers, self.check, self.clamp)

    def describe_fault(self, fault: Fault) -> str:
        problem, column = fault.problem, fault.column
        if problem is Problem.TRUNCATED:
            found = f"{fault.number} of {math.prod(fault.shape)} symbols"
            return f"the stream ends before its symbols do: {found} are in it"
        if problem is Problem.INVALID_CODE:
            return (
                f"the stream contradicts the CDF {fault.at}: no symbol of that row can have been "
                "written there, so it is damaged or was written with another CDF"
            )
        if problem is Problem.SYMBOL:
            return f"symbol {fault.value} {fault.at} is outside the alphabet: {self._alphabet}"
        if problem is Problem.INDEX:
            tables = self.cdf.shape[0]
            return (
                f"index {fault.element[0]} {fault.at} is out of range: {tables} tables allow "
                f"0 … {tables - 1}"
            )
        row = _Row(self, fault)
        if problem is Problem.INTERVAL:  # the column is the symbol, or the nearest one in range
            low, high = row.quantized(column), row.quantized(column + 1)
            return (
                f"symbol {column} {fault.at} has an empty interval, from {low} to {high} of 65536, "
                "so it cannot be coded: its row is not normalized. Expected values that increase"
                + row.advice
            )
        if problem is Problem.NOT_FINITE:
            return not_finite(row.name(column))
        if problem is Problem.OUT_OF_BOUNDS:
            return f"{row.name(column)} is outside [0, 1]"
        return (
            f"{row.name(column)} converts to {row.quantized(column)} of 65536, less than the value "
            f"before it, {row.value(column - 1)}, which converts to {row.quantized(column - 1)}: "
            f"expected rows that do not decrease{row.advice}{row.sum_advice}"
        )

    def describe_change(self) -> str:
        return "the CDF, the symbols or their index were changed while they were coded"

    @property
    def _alphabet(self) -> str:
        return f"rows of {self.symbols + 1} values allow symbols 0 … {self.symbols - 1}"

    @property
    def _parts(self) -> list[Array]:
        return [self.cdf]

    def _of_parts(self, parts: list[Array]) -> CdfModel:
        return self.of_rows(*parts)


class _Row:
    """A faulty row of a CDF, in the words of messages."""

    def __init__(self, model: CdfModel, fault: Fault) -> None:
        key = fault.element if fault.table < 0 else (fault.table,)
        self._model = model
        self._row: Any = model.cdf[key]
        self._place = fault.position if fault.index is None else key

    def value(self, column: int) -> Any:
        """A value as stored."""
        return self._row[column].item()

    def name(self, column: int) -> str:
        """The value and its position, in words."""
        return f"CDF value {self.value(column)} at index {(*self._place, column)}"

    def quantized(self, column: int) -> int:
        """The value in parts of 65536."""
        model = self._model
        if column == model.symbols:
            return TOTAL
        if not model.is_float:
            return int(self.value(column)) % TOTAL
        product = scale_cdf(as_tensor(self._row)[column].cpu(), model.symbols, model.normalize)
        return int(quantize_columns(product, torch.tensor(column, device=CPU), model.normalize))

    @property
    def advice(self) -> str:
        """How to make rows increase, as the end of a sentence."""
        if self._model.is_float and not self._model.normalize:
            return ", or needs_normalization=True, which gives every symbol an interval"
        return ""

    @property
    def sum_advice(self) -> str:
        """A sentence for rows that sum to 1, as users often pass probabilities for a CDF."""
        row = as_tensor(self._row)
        if self._model.is_float and abs(float(row.float().sum()) - 1) < 0.01:
            return ". It sums to 1: if it holds probabilities, torchac.Categorical takes them"
        return ""


_INTEGERS = (int, np.integer, np.bool_)


def _integers(values: Array) -> Array:
    """Floats, which must be whole numbers, as int64."""
    numbers = as_tensor(values)
    numbers = numbers.to(_tensors.widest_float(numbers.device))
    good = (numbers == numbers.trunc()) & (numbers.abs() < 2.0**63)
    _checks.require_all("symbol", numbers, good, "a whole number")
    return like(numbers.long(), values)


def cdf_model(cdf: Any, normalize: Any, check: bool, clamp: bool, strict: bool) -> CdfModel:
    """The model of a CDF. Its dtype and shape are checked here, its values by coding."""
    normalize = _checks.check_flag("needs_normalization", normalize)
    return CdfModel(_checks.check_rows("cdf", cdf, ANY_ROWS), normalize, check, clamp, strict)
