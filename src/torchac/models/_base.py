"""The base class of all models, and `Tables`, the rows that any model can become."""

from __future__ import annotations

import inspect
import math
import operator
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from types import WrapperDescriptorType
from typing import Any, ClassVar, NamedTuple, TypeVar

import numpy as np
import torch

from torchac import _checks, _core, _tensors
from torchac._core import Problem
from torchac._tensors import (
    ANY_ROWS,
    FLOAT_ROWS,
    INT32_MAX,
    INT32_MIN,
    INTEGERS,
    Array,
    NDArray,
    as_tensor,
    broadcast,
    like,
    take,
)
from torchac.quantize import quantize_cdf

M = TypeVar("M", bound="Model")


class Item(NamedTuple):
    """Checked values, or room for values, with their model.

    Attributes:
        model: The model.
        elements: The number of each value's element, if values share elements.
        values: A tensor or an array; for decoding, an array of the model's dtype.
    """

    model: Model
    elements: Array | None
    values: Any


class Fault:
    """A fault that the core found in an item, or in one item of a batch in one array.

    Attributes:
        problem: The kind of fault.
        column: The number of a parameter, a category, a CDF value or a symbol.
        table: The number of a shared row, or -1.
        shape: The shape of the values; in a batch, of the values of one item.
        number: The number of the value in that shape.
        index: The numbers of elements, if values share elements.
    """

    def __init__(self, report: _core.Report, item: Item, batch: bool = False) -> None:
        self.problem, self.number = report.problem, report.position
        self.column, self.table = report.column, report.table
        shape = tuple(item.values.shape)
        self.index = item.elements
        self._values = item.values
        self._batch: tuple[int, ...] = (report.item,) if batch else ()
        self.shape = shape[1:] if batch else shape

    @property
    def position(self) -> tuple[int, ...]:
        """The position of the value."""
        if not self.shape:
            return ()
        return tuple(map(int, np.unravel_index(self.number, self.shape)))

    @property
    def at(self) -> str:
        """The position in words, with which most messages end."""
        return f"at index {self.position}"

    @property
    def value(self) -> Any:
        """The value as the user gave it."""
        return self._values[(*self._batch, *self.position)].item()

    @property
    def element(self) -> tuple[int, ...]:
        """The position of the value's element in the model."""
        position = (*self._batch, *self.position)
        return position if self.index is None else (int(self.index[position].item()),)


class Signature:
    """The signature of a class: that of `_make`, unless a subclass has a constructor in Python."""

    def __get__(self, _: object, owner: Any) -> inspect.Signature:
        if not isinstance(owner.__init__, WrapperDescriptorType):
            raise AttributeError
        signature = inspect.signature(owner._make)
        return signature.replace(parameters=list(signature.parameters.values())[1:])


class Model(ABC):
    """The base class of all models.

    Attributes:
        shape: The shape of the values that the model is for.
        bounds: The least and the largest integer that can be coded.

    These, `expand` and `tabulate` are for users. The other members are the contract between models
    and the coding functions of this package, and may change with any release. Subclasses cannot
    define models of their own, because the core computes all rows.
    """

    __slots__ = ()
    shape: tuple[int, ...]
    bounds: tuple[int, int]

    def expand(self: M, *shape: int | Sequence[int]) -> M:
        """The same model for values of another shape.

        Args:
            shape: Sizes that the model's shape broadcasts to, as separate arguments or a sequence;
                -1 keeps a size. Nothing is copied, and coding is as fast as with `index`.

        Returns:
            The model for values of that shape.

        Raises:
            TypeError: `shape` has anything but integers.
            ValueError: The model's shape does not broadcast to it.

        Example:
            >>> import torchac
            >>> torchac.Normal(0.0, 1.0).expand(2, 3).shape
            (2, 3)
        """
        sizes, own = _sizes_of(shape, self.shape), len(self.shape)
        return self._map(lambda array: broadcast("the model", array, (*sizes, *array.shape[own:])))

    def tabulate(self) -> Tables:
        """The rows of the model, in integers: one for each element.

        They need memory for each symbol of each element. Coding with them gives the same streams.

        Returns:
            The rows.

        Raises:
            ValueError: A mixture has no row, because its components lie far apart, or some are wide
                and others narrow; or coding would raise.

        Example:
            >>> import torchac
            >>> tables = torchac.Normal(0.0, 0.1).tabulate()
            >>> tables.low.item(), tables.lengths.item()
            (-2, 5)
            >>> tables.cdf
            tensor([ 0,  1,  2, -3, -2,  0], dtype=torch.int16)
        """
        once = self._once()
        if once.shape != self.shape:
            return once.tabulate().expand(self.shape)
        model: Any = self.to_core()
        count = math.prod(self.shape)
        first, symbols = np.empty(count, np.int32), np.empty(count, np.int32)
        shifts = np.empty(count, np.uint8)
        self._check(_core.tabulate(model, first, symbols, shifts, None))
        rows = np.zeros((count, int(symbols.max(initial=0)) + 1), np.int16)
        self._check(_core.tabulate(model, first, symbols, shifts, rows))
        made: list[Array] = [rows, first, symbols, shifts]
        arrays = [self.like_parameters(a.reshape(self.shape + a.shape[1:])) for a in made]
        return Tables._of(*arrays, bounds=self.bounds)

    def _check(self, report: _core.Report | None) -> None:
        if report is not None:
            if report.problem is Problem.INDEX:  # a row has grown
                raise ValueError("the model was changed while it was tabulated")
            position = np.unravel_index(report.position, self.shape) if self.shape else ()
            element = tuple(map(int, position))
            raise ValueError(self._describe_element(report.problem, element, report.column))

    def __repr__(self) -> str:
        return f"{type(self).__name__}(shape={self.shape})"

    # The contract with the coding functions

    decoded_dtype: ClassVar[type[np.integer[Any]]] = np.int32
    """The dtype of decoded values."""

    on_host: bool = True
    """False if the parameters are on a device, and as few as possible should be copied."""

    @property
    def parameters(self) -> list[Array]:
        """The arrays that decide whether results are arrays or tensors, and on which device."""
        return self._parts

    def like_parameters(self, result: Array) -> Any:
        """The result as an array or a tensor, and on the same device, as the parameters."""
        parameters: list[Any] = self.parameters
        return like(result, *parameters)

    def check_index(self, index: Any) -> Array | None:
        """The checked number of each value's element. Coding checks the range."""
        return None if index is None else _checks.check_index(index)

    def broadcast_to(
        self, shape: tuple[int, ...], index: Array | None
    ) -> tuple[Model, Array | None]:
        """The model and the index for values of that shape."""
        if index is not None:
            if len(self.shape) != 1:
                raise ValueError(
                    f"the model has shape {self.shape}: expected (K,), K elements, with index"
                )
            return self, broadcast("index", index, shape)
        return (self if self.shape == shape else self.expand(shape)), None

    def fit(self, values: Any, index: Any, checked: bool = False) -> Item:
        """The values with a model of their shape. `checked` values have passed `check_values`."""
        if not checked:
            values = _checks.check_values(values)
        model, index = self.broadcast_to(tuple(values.shape), self.check_index(index))
        return Item(model, index, values)

    def fit_batch(self, values: Any, index: Any) -> Item:
        """Does the same as `fit` for values whose first dimension counts the items of a batch."""
        values = _checks.check_values(values)
        if not values.ndim:
            raise ValueError("values has shape (): expected (B, …), the items of a batch")
        return self.fit(values, index, checked=True)

    def batch_shape(self, index: Array | None) -> tuple[int, ...]:
        """The shape of the values, whose first dimension counts the items of a batch."""
        shape = self.shape if index is None else tuple(index.shape)
        if not shape:
            raise ValueError("the model has shape (): expected (B, …), the items of a batch")
        return shape

    def split(self, count: int, index: Any) -> list[Model]:
        """A model for each item of a batch that is a sequence."""
        return [self] * count

    def select(self: M, numbers: torch.Tensor) -> M:
        """Some elements of the first dimension."""
        return self._map(lambda array: take(array, numbers))

    @abstractmethod
    def to_core(self, index: Array | None = None) -> _core.Model:
        """The model for the core, with an element for each value, or shared ones with an index."""

    def describe_fault(self, fault: Fault) -> str:
        """The message for a fault: the value, its position, and what was expected."""
        problem = fault.problem
        if problem is Problem.TRUNCATED:
            return (
                f"the stream ends before its values do: {fault.number} of "
                f"{math.prod(fault.shape)} are in it"
            )
        if problem is Problem.INVALID_CODE:
            return (
                f"the stream contradicts the model {fault.at}: no value can have been "
                "written there, so it is damaged or was written with another model"
            )
        if problem is Problem.VALUE:
            low, high = self.bounds
            return f"value {fault.value} {fault.at}: expected whole numbers from {low} to {high}"
        if problem is Problem.INDEX:
            return (
                f"index {fault.element[0]} {fault.at} is out of range: expected 0 to "
                f"{self.shape[0] - 1}"
            )
        return self._describe_element(problem, fault.element, fault.column)

    def describe_change(self) -> str:
        """The message if another thread changed the arguments, so the fault is gone."""
        return "the model, the values or their index were changed while they were coded"

    # For subclasses

    @property
    @abstractmethod
    def _parts(self) -> list[Array]:
        """All arrays of the model. Their first dimensions are the model's."""

    @abstractmethod
    def _of_parts(self: M, parts: list[Array]) -> M:
        """The same kind of model with other arrays."""

    def _map(self: M, of: Callable[[Array], Array]) -> M:
        """The model with each of its arrays replaced by the result of a function."""
        return self._of_parts([of(array) for array in self._parts])

    def _once(self: M) -> M:
        """The model without the repetitions of expanded dimensions."""
        slices = _tensors.slices_once(self._parts, len(self.shape))
        return self if slices is None else self._map(lambda array: array[slices])

    def _describe_element(self, problem: Problem, position: tuple[int, ...], column: int) -> str:
        """The message for a fault in an element."""
        raise NotImplementedError


def _sizes_of(shape: tuple[Any, ...], own: tuple[int, ...]) -> tuple[int, ...]:
    """The sizes that a model is to be expanded to, checked against its own shape."""
    if len(shape) == 1 and isinstance(shape[0], Sequence):
        shape = tuple(shape[0])
    try:
        sizes = [operator.index(size) for size in shape]
    except TypeError:
        raise TypeError(f"the shape to expand to is {shape}: expected integers") from None
    before = len(sizes) - len(own)
    for d, size in enumerate(own, before):
        if d >= 0 and sizes[d] == -1:
            sizes[d] = size
    if before < 0 or any(
        size < 0 or (d >= before and own[d - before] not in (1, size))
        for d, size in enumerate(sizes)
    ):
        raise ValueError(
            f"the model has shape {own}: expected one that broadcasts to {tuple(sizes)}"
        )
    return tuple(sizes)


class Tables(Model):
    """Rows of a CDF whose symbols are integers; integers outside a row are escaped.

    Args:
        cdf: Rows of shape `(…, Lp)`: floats, which are quantized as by `quantize_cdf`, or 16-bit
            integers.
        low: The integer that symbol 0 stands for, one for all rows or one for each.
        lengths: The number of symbols of each row, if they differ: a row has `length + 1` values.
            By default `Lp - 1`.
        shift: The number of lowest bits that are not part of the rows, and are coded as they are:
            symbol `s` stands for the `2^shift` integers from `(low + s) * 2^shift` on.
        bounds: The least and the largest integer that can be coded; None is no bound. A row that
            ends at a bound has no escape on that side.

    Attributes:
        cdf: The rows as 16-bit integers.
        low: The integer of symbol 0, for each row.
        lengths: The size of each row's alphabet.
        shift: The number of bits that are not part of each row.

    Raises:
        TypeError: `cdf` is not a tensor or an array.
        ValueError: Shapes, dtypes, or numbers that are not allowed.

    Example:
        >>> import torch, torchac
        >>> rows = torch.tensor([[0.0, 0.1, 0.9, 1.0], [0.0, 0.5, 0.8, 1.0]])
        >>> model = torchac.Tables(rows, low=-1)
        >>> stream = torchac.encode(model, torch.tensor([0, 7]))
        >>> torchac.decode(model, stream)
        tensor([0, 7], dtype=torch.int32)
    """

    def __init__(
        self,
        cdf: Array,
        *,
        low: Array | int = 0,
        lengths: Array | int | None = None,
        shift: Array | int = 0,
        bounds: tuple[int | None, int | None] = (None, None),
    ) -> None:
        rows = _checks.check_rows("cdf", cdf, ANY_ROWS)
        _checks.check_ndim("cdf", rows)
        pair: Any = bounds
        if not isinstance(pair, tuple) or len(pair) != 2:
            raise TypeError(
                f"bounds is of type {type(bounds).__name__}: expected a tuple, (low, high)"
            )
        self.bounds = _checks.check_bounds(*bounds)
        self.shape, most = tuple(rows.shape[:-1]), rows.shape[-1] - 1
        self.low = self._per_row("low", low, INT32_MIN, INT32_MAX, cdf)
        self.shift = self._per_row("shift", shift, 0, _MAX_SHIFT, cdf)
        self.lengths = self._per_row("lengths", most if lengths is None else lengths, 1, most, cdf)
        once = _tensors.slices_once([rows, self.lengths], len(self.shape)) or ...
        stored, sizes = rows[once], as_tensor(self.lengths[once])
        if rows.dtype in FLOAT_ROWS:
            floats = as_tensor(stored)
            integers = quantize_cdf(floats) if lengths is None else _quantize_each(floats, sizes)
            stored = like(integers, cdf)
        _check_rows(stored, sizes)
        self.cdf = broadcast("cdf", stored, tuple(rows.shape))
        self._check_windows()

    def _check_windows(self) -> None:
        """Raises if a row has symbols outside the bounds."""
        arrays = [self.low, self.lengths, self.shift]
        once = _tensors.slices_once(arrays, len(self.shape)) or ...
        low, length, shift = (as_tensor(array[once]).long() for array in arrays)
        high = low + length - 1
        least, most = (torch.full_like(shift, bound) >> shift for bound in self.bounds)
        bad = (low < least) | (high > most)
        if bad.any():
            where = tuple(torch.nonzero(bad)[0].tolist())
            raise ValueError(
                f"the row at index {where} is for {low[where].item()} to {high[where].item()}: "
                f"expected {least[where].item()} to {most[where].item()}, the bounds"
            )

    def _per_row(self, name: str, value: Any, low: int, high: int, other: Array) -> Array:
        """An integer for each row."""
        if isinstance(value, (int, np.integer)):
            value = like(np.array(operator.index(value)), other)
        _checks.check_array(name, value)
        _checks.check_elements(name, value)
        _checks.check_dtype(name, value, INTEGERS)
        _checks.check_range(name, value, low, high, f"integers from {low} to {high}")
        return broadcast(name, value, self.shape)

    @classmethod
    def _of(
        cls, cdf: Array, low: Array, lengths: Array, shift: Array, *, bounds: tuple[int, int]
    ) -> Tables:
        """Tables of rows that are known to be valid."""
        tables = object.__new__(cls)
        tables.cdf, tables.low, tables.lengths, tables.shift = cdf, low, lengths, shift
        tables.bounds, tables.shape = bounds, tuple(low.shape)
        return tables

    @property
    def _parts(self) -> list[Array]:
        return [self.cdf, self.low, self.lengths, self.shift]

    def _of_parts(self, parts: list[Array]) -> Tables:
        return Tables._of(*parts, bounds=self.bounds)

    def tabulate(self) -> Tables:
        """These tables."""
        return self

    @property
    def parameters(self) -> list[Array]:
        return [self.cdf]

    def to_core(self, index: Array | None = None) -> _core.Model:
        model = self._map(_tensors.view)  # NumPy slices more quickly than torch
        if index is None:
            model = model._once()
            if model.shape != self.shape:
                index = numbers_of(model.shape, self.shape)
        once = _tensors.slices_once([model.cdf], len(model.shape))
        rows = model.cdf if once is None else model.cdf[once]  # which may differ in windows only
        return _core.Model.of_tables(
            np.ascontiguousarray(rows.reshape(-1, rows.shape[-1])).view(np.int16),
            np.ascontiguousarray(model.low, np.int32).reshape(-1),
            np.ascontiguousarray(model.lengths, np.int32).reshape(-1),
            np.ascontiguousarray(model.shift, np.uint8).reshape(-1),
            *self.bounds,
            None if index is None else _tensors.view(index),
            list(self.shape),
            None if rows.shape[:-1] == model.shape else numbers_of(rows.shape[:-1], model.shape),
        )

    def _describe_element(self, problem: Problem, position: tuple[int, ...], column: int) -> str:
        return (
            f"symbol {column} of the row at index {position} has an empty interval: "
            "expected rows that increase"
        )

    def __repr__(self) -> str:
        return f"Tables(shape={self.shape}, Lp={self.cdf.shape[-1]})"


_MAX_SHIFT = 24


def numbers_of(own: tuple[int, ...], shape: tuple[int, ...]) -> NDArray:
    """The number of each element in an array that was expanded from one shape to another."""
    numbers = np.arange(math.prod(own), dtype=np.uint32).reshape(own)
    sizes = zip(own, shape, numbers.strides, strict=True)
    strides = [step if size == whole else 0 for size, whole, step in sizes]
    return np.ndarray(shape, np.uint32, numbers, 0, strides)  # np.broadcast_to takes 5 us


def _check_rows(cdf: Array, lengths: torch.Tensor) -> None:
    """Raises if a row of integers decreases before its end."""
    values = as_tensor(cdf)
    unsigned = (values if values.element_size() != 2 else values.view(torch.int16)) ^ -(1 << 15)
    end = lengths[..., None]
    columns = torch.arange(1, values.shape[-1], device=values.device)
    bad = (unsigned[..., 1:] < unsigned[..., :-1]) & (columns < end.to(columns))
    if bad.any():
        *row, column = torch.nonzero(bad)[0].tolist()
        before, here = (int(values[(*row, c)]) % (1 << 16) for c in (column, column + 1))
        raise ValueError(
            f"cdf decreases from {before} to {here} of 65536 at index {(*row, column + 1)}: "
            "expected rows from 0 to 1 that do not decrease"
        )


def _quantize_each(cdf: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    """Quantizes each row by its own length."""
    rows, each = cdf.reshape(-1, cdf.shape[-1]), lengths.reshape(-1)
    result = torch.zeros(rows.shape, dtype=torch.int16, device=rows.device)
    for length in sorted(set(each.tolist())):
        those = each == length
        result[those, : length + 1] = quantize_cdf(rows[those, : length + 1])
    return result.view(cdf.shape)
