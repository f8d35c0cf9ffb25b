"""Models: distributions of integers, given by parameters or by rows, for `torchac.encode`.

A model says how likely each integer is, for each value of a tensor. `Normal`, `Laplace`, `Logistic`
and `Mixture` take what a network gives; `Tables` takes rows. Values are coded as they are: no
symbols, no range, no minimum to shift by. The probability of the integer `k` is that of
`[k - 0.5, k + 0.5]`.

Around `loc`, as far as `scale` asks for, a row of 16-bit integers is computed when a value is
coded; what is further out is written with an escape. `docs/format.md` defines both, to the bit: the
same numbers in the parameters give the same bytes, whatever their dtype, on every machine and in
every release. So a decoder needs the parameters' exact numbers, and nothing else.

    >>> import torch, torchac
    >>> loc, scale = torch.tensor([0.2, -3.7, 1000.5]), torch.tensor([1.0, 0.3, 20.0])
    >>> model = torchac.Normal(loc, scale)
    >>> stream = torchac.encode(model, torch.tensor([1, -4, 987]))
    >>> torchac.decode(model, stream)
    tensor([  1,  -4, 987], dtype=torch.int32)
"""

from __future__ import annotations

import math
import operator
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, TypeVar

import numpy as np
import torch
from torch.distributions import Distribution

from torchac import _checks, _core, _tensors
from torchac._core import Kind
from torchac._distributions import cdf_rows
from torchac._rows import check_cdf
from torchac._tensors import (
    CPU,
    FLOAT_ROWS,
    INT32_MAX,
    INT32_MIN,
    INTEGERS,
    NUMBERS,
    Array,
    NDArray,
    as_tensor,
    like,
)
from torchac.quantize import quantize_cdf

__all__ = ["Laplace", "Logistic", "Mixture", "Model", "Normal", "Tables", "tabulate"]

MAX_SCALE = 1 << 24
M = TypeVar("M", bound="Model")


class Model(ABC):
    """What all models have.

    Attributes:
        shape: The shape of the values that it is for.
        bounds: The least and the largest integer that can be coded.
    """

    shape: tuple[int, ...]
    bounds: tuple[int, int]

    def expand(self: M, *shape: int | Sequence[int]) -> M:
        """The same model for values of another shape.

        Args:
            shape: Sizes that the model's shape broadcasts to, one by one or together; -1 keeps one.
                Nothing is copied, and coding costs what it does with `index`.

        Returns:
            The model for values of that shape.

        Raises:
            TypeError: `shape` has something else than integers.
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

        They take memory for each symbol of each element. Coding with them gives the same streams.

        Returns:
            The rows.

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
        model, count = self._view(), math.prod(self.shape)
        first, symbols = np.empty(count, np.int32), np.empty(count, np.int32)
        shifts = np.empty(count, np.uint8)
        self._check(_core.tabulate(model, first, symbols, shifts, None))
        rows = np.zeros((count, int(symbols.max(initial=0)) + 1), np.int16)
        self._check(_core.tabulate(model, first, symbols, shifts, rows))
        made: list[Array] = [rows, first, symbols, shifts]
        arrays = [self._like(a.reshape(self.shape + a.shape[1:])) for a in made]
        return Tables._of(*arrays, bounds=self.bounds)

    def _check(self, report: _core.Report | None) -> None:
        if report is not None:
            if report.problem is _core.Problem.INDEX:  # a row has grown
                raise ValueError("the model was changed while it was tabulated")
            position = np.unravel_index(report.position, self.shape) if self.shape else ()
            raise ValueError(self._blame(report.problem, tuple(map(int, position)), report.column))

    @property
    @abstractmethod
    def _parts(self) -> list[Array]:
        """All that the model is made of: arrays whose first dimensions are the model's."""

    @abstractmethod
    def _of_parts(self: M, parts: list[Array]) -> M:
        """The same model of other arrays."""

    def _map(self: M, of: Callable[[Array], Array]) -> M:
        """The same model of arrays that are made of its own."""
        return self._of_parts([of(array) for array in self._parts])

    def _once(self: M) -> M:
        """The elements without those that are there again, as the model is expanded."""
        slices = _tensors.slices_once(self._parts, len(self.shape))
        return self if slices is None else self._map(lambda array: array[slices])

    def _take(self: M, numbers: torch.Tensor) -> M:
        """Some elements of the first dimension."""
        return self._map(lambda array: take(array, numbers))

    @property
    @abstractmethod
    def _arrays(self) -> list[Array]:
        """Arrays that say where results go, and whether they are arrays."""

    def _like(self, result: Array) -> Any:
        """The result as an array, or on a device, as the model's arrays are."""
        arrays: list[Any] = self._arrays
        return like(result, *arrays)

    @abstractmethod
    def _view(self, index: Array | None = None) -> _core.ValueModel:
        """What the core codes with: an element for each value, or those of an index."""

    @abstractmethod
    def _blame(self, problem: _core.Problem, position: tuple[int, ...], column: int) -> str:
        """Says what is wrong with an element."""

    def _for_values(
        self, shape: tuple[int, ...], index: Array | None
    ) -> tuple[Model, Array | None]:
        """The model of values of that shape."""
        if index is not None:
            if len(self.shape) != 1:
                raise ValueError(
                    f"the model has shape {self.shape}: expected (K,), K elements, with index"
                )
            return self, broadcast("index", index, shape)
        return (self if self.shape == shape else self.expand(shape)), None


def take(array: Array, numbers: torch.Tensor) -> Array:
    """Some elements of the first dimension, which stay expanded where they are."""
    its = _tensors.once(array)
    if len(its) == len(array):
        its = like(as_tensor(its)[numbers.to(_tensors.device_of(array))], array)
    return broadcast("the elements", its, (len(numbers), *array.shape[1:]))


def broadcast(name: str, array: Array, shape: tuple[int, ...]) -> Array:
    try:
        return (
            array.expand(shape)
            if isinstance(array, torch.Tensor)
            else np.broadcast_to(array, shape)
        )
    except (RuntimeError, ValueError):
        raise ValueError(
            f"{name} has shape {tuple(array.shape)}: expected one that broadcasts to {shape}"
        ) from None


def _joint_shape(**arrays: Array | Model) -> tuple[int, ...]:
    try:
        return np.broadcast_shapes(*(tuple(a.shape) for a in arrays.values()))
    except ValueError:
        shapes = " and ".join(f"{name} has {tuple(a.shape)}" for name, a in arrays.items())
        raise ValueError(f"shapes do not broadcast: {shapes}") from None


def as_array(name: str, value: Any, others: Sequence[Any]) -> Array:
    """A parameter as an array: a number becomes one of no dimensions, as the others are.

    Integers become float64. On devices that have none they stay what they are, as the core, which
    reads them on the host, rounds them in the same way.
    """
    if type(value) is not torch.Tensor and isinstance(
        value, (bool, int, float, np.integer, np.floating)
    ):
        device = next((o.device for o in others if isinstance(o, torch.Tensor)), CPU)
        value = _checks.check_number(name, value)
        if any(isinstance(o, np.ndarray) for o in others):
            return np.array(value, np.float64)
        if _tensors.widest_float(device) is not torch.float64:
            device = CPU
        return torch.tensor(value, dtype=torch.float64, device=device)
    _checks.check_array(name, value)
    _checks.check_elements(name, value)
    _checks.check_ndim(name, value)
    _checks.check_dtype(name, value, NUMBERS)
    wide = _tensors.widest_float(_tensors.device_of(value)) is torch.float64
    if value.dtype not in FLOAT_ROWS and wide:
        floats = like(as_tensor(_tensors.once(value)).double(), value)
        value = broadcast(name, floats, tuple(value.shape))
    plain: Array = _tensors.plain(value.detach() if isinstance(value, torch.Tensor) else value)
    return plain


def _check_range(name: str, array: Array, low: float, high: float, expected: str) -> float:
    """Raises if a number is not from low to high; NaN is not. Returns the least."""
    tensor = _comparable(_tensors.once(array))
    if tensor.numel() == 0:
        return math.inf
    least, most = tensor.aminmax()
    if not (low <= least.item() and most.item() <= high):
        wide = _tensors.widest_float(tensor.device)
        exact = tensor.to(wide if tensor.is_floating_point() else torch.int64)
        good = (exact >= low) & (exact <= high)
        _checks.check_values(name, tensor, good, expected)
    return float(least.item())


def _comparable(array: Array) -> torch.Tensor:
    """The elements as torch can compare them, which it cannot do with most unsigned integers."""
    tensor = as_tensor(array)
    if str(tensor.dtype) in ("torch.uint16", "torch.uint32", "torch.uint64"):
        return tensor.to(CPU, torch.float64)
    return tensor


def _check_bounds(low: int | None, high: int | None) -> tuple[int, int]:
    ends = []
    for name, end, default in (("low", low, INT32_MIN), ("high", high, INT32_MAX)):
        ends.append(default if end is None else _checks.check_integer(name, end))
    if ends[0] > ends[1]:
        raise ValueError(f"low is {ends[0]} and high is {ends[1]}: expected low <= high")
    return ends[0], ends[1]


class _Parametric(Model):
    """Models whose rows are computed from parameters."""

    @property
    @abstractmethod
    def _components(self) -> list[tuple[Kind, Array, Array]]:
        """Kind, loc and scale of each component."""

    @property
    def _weights(self) -> list[Array]:
        return []

    @property
    def _arrays(self) -> list[Array]:
        return [array for _, *arrays in self._components for array in arrays] + self._weights

    def _view(self, index: Array | None = None) -> _core.ValueModel:
        kinds, locs, scales = zip(*self._components, strict=True)
        return _core.ValueModel.of_parameters(
            kinds,
            [_tensors.numbers(array) for array in locs],
            [_tensors.numbers(array) for array in scales],
            [_tensors.numbers(array) for array in self._weights],
            *self.bounds,
            None if index is None else _tensors.view(index),
        )

    def _blame(self, problem: _core.Problem, position: tuple[int, ...], column: int) -> str:
        if problem is _core.Problem.WEIGHT:
            weights = [float(array[position].item()) for array in self._weights]
            if column < 0:
                return f"weights are {weights} at index {position}: expected a finite sum above 0"
            name, value, expected = "weights", weights[column], _WEIGHT
        else:
            _, loc, scale = self._components[column]
            if problem is _core.Problem.LOC:
                name, value, expected = "loc", loc[position].item(), _LOC
            else:
                name, value, expected = "scale", scale[position].item(), _SCALE
        place = (*position, column) if self._weights else position
        return f"{name} is {value} at index {place}: expected {expected}"


_MIN_WEIGHT = 2.0**-126  # smaller ones count as 0
_LOC = "finite numbers"
_SCALE = f"numbers from 0 to {MAX_SCALE}"
_WEIGHT = "finite numbers that are not negative"


def _sizes_of(shape: tuple[Any, ...], own: tuple[int, ...]) -> tuple[int, ...]:
    """Sizes, given one by one or together, that a model's own shape broadcasts to."""
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


class _LocationScale(_Parametric):
    _kind: ClassVar[Kind]

    def __init__(
        self,
        loc: Array | float,
        scale: Array | float,
        *,
        low: int | None = None,
        high: int | None = None,
    ) -> None:
        self.bounds = _check_bounds(low, high)
        loc, scale = as_array("loc", loc, [scale]), as_array("scale", scale, [loc])
        _same_device(loc=loc, scale=scale)
        _check_range("loc", loc, -_LARGEST, _LARGEST, _LOC)
        _check_range("scale", scale, 0, MAX_SCALE, _SCALE)
        self.shape = _joint_shape(loc=loc, scale=scale)
        self.loc = broadcast("loc", loc, self.shape)
        self.scale = broadcast("scale", scale, self.shape)

    @property
    def _components(self) -> list[tuple[Kind, Array, Array]]:
        return [(self._kind, self.loc, self.scale)]

    @property
    def _parts(self) -> list[Array]:
        return [self.loc, self.scale]

    def _of_parts(self: L, parts: list[Array]) -> L:
        other = object.__new__(type(self))
        other.loc, other.scale = parts
        other.bounds, other.shape = self.bounds, tuple(other.loc.shape)
        return other

    def __repr__(self) -> str:
        return f"{type(self).__name__}(shape={self.shape})"


L = TypeVar("L", bound=_LocationScale)
_LARGEST = float(np.finfo(np.float64).max)


def _same_device(**arrays: Array) -> None:
    """Raises if arrays lie on different devices; single numbers go with any."""
    devices = {name: _tensors.device_of(array) for name, array in arrays.items() if array.ndim}
    if len(set(devices.values())) > 1:
        where = " and ".join(f"{name} on {device}" for name, device in devices.items())
        raise ValueError(f"{where}: expected one device")


class Normal(_LocationScale):
    """Normal distributions, rounded to integers.

    Args:
        loc: Means: a tensor, an array or a number, finite, of any float dtype, on any device.
        scale: Standard deviations, from 0, which is a point, to 2^24; of a shape that broadcasts
            with that of `loc`.
        low: The least integer, if there is one; it takes the probability of what lies below.
        high: The largest integer, in the same way.

    Raises:
        TypeError: A parameter is no tensor, array or number; `low` or `high` is no integer.
        ValueError: NaN, an infinity, a scale that is negative or too large, `low > high`, shapes
            that do not broadcast, two devices. The message names value and position.

    Example:
        >>> import torch, torchac
        >>> model = torchac.Normal(torch.tensor([0.5, -20.0]), 2.0)
        >>> stream = torchac.encode(model, torch.tensor([3, -18]))
        >>> torchac.decode(model, stream)
        tensor([  3, -18], dtype=torch.int32)
    """

    _kind = Kind.NORMAL


class Laplace(_LocationScale):
    """Laplace distributions, rounded to integers: the density is `exp(-|x - loc| / scale)`.

    Args:
        loc: As for `Normal`.
        scale: As for `Normal`.
        low: As for `Normal`.
        high: As for `Normal`.

    Raises:
        TypeError: As `Normal`.
        ValueError: As `Normal`.

    Example:
        See `Normal`.
    """

    _kind = Kind.LAPLACE


class Logistic(_LocationScale):
    """Logistic distributions, rounded to integers: the CDF is `sigmoid((x - loc) / scale)`.

    Args:
        loc: As for `Normal`.
        scale: As for `Normal`.
        low: As for `Normal`.
        high: As for `Normal`.

    Raises:
        TypeError: As `Normal`.
        ValueError: As `Normal`.

    Example:
        See `Normal`.
    """

    _kind = Kind.LOGISTIC


class Mixture(_Parametric):
    """Mixtures of distributions, rounded to integers.

    Values cost about their entropy if the components have similar scales, and means within 2048 of
    the component with the largest weight. A value further away costs twice as many bits as its
    distance has binary digits; where a wide component lies beside a narrow one, values cost up to
    half as much again. `docs/models.md` has figures, and code for such mixtures.

    Args:
        weights: How much each component has, of shape `(…, K)`: not negative, one at least above 0.
            They need not sum to 1.
        components: A `Normal`, `Laplace` or `Logistic` of shape `(…, K)`; or a sequence of K of
            them, of shape `(…)`, of any kinds. All must have the same `low` and `high`, which
            become the mixture's. Shapes broadcast.

    Raises:
        TypeError: `weights` is no tensor or array, or a component is something else.
        ValueError: Weights that are negative, NaN, or all 0; shapes that do not broadcast; bounds
            that differ.

    Example:
        >>> import torch, torchac
        >>> parts = [torchac.Normal(-3.0, 1.0), torchac.Laplace(4.0, 0.5)]
        >>> model = torchac.Mixture(torch.tensor([1.0, 2.0]), parts).expand(3)
        >>> stream = torchac.encode(model, torch.tensor([4, -2, 5]))
        >>> torchac.decode(model, stream)
        tensor([ 4, -2,  5], dtype=torch.int32)
    """

    def __init__(self, weights: Array, components: Model | Sequence[Model]) -> None:
        weights = as_array("weights", weights, [])
        if weights.ndim == 0 or weights.shape[-1] == 0:
            raise ValueError(
                f"weights have shape {tuple(weights.shape)}: expected (…, K), K at least 1"
            )
        least = _check_range("weights", weights, 0, _LARGEST, _WEIGHT)
        count = weights.shape[-1]
        parts = _components_of(components, count)
        bounds = {part.bounds for part in parts}
        if len(bounds) > 1:
            raise ValueError(f"components have the bounds {sorted(bounds)}: expected the same")
        self.bounds = parts[0].bounds
        _same_device(weights=weights, components=parts[0].loc)
        each = [weights[..., k] for k in range(count)]
        self.shape = _joint_shape(
            weights=each[0], **{f"component {k}": part for k, part in enumerate(parts)}
        )
        self.weights = broadcast("weights", weights, (*self.shape, count))
        self.components = [part.expand(*self.shape) for part in parts]
        if least < _MIN_WEIGHT:
            _check_largest(weights)

    @property
    def _components(self) -> list[tuple[Kind, Array, Array]]:
        return [(part._kind, part.loc, part.scale) for part in self.components]

    @property
    def _weights(self) -> list[Array]:
        return [self.weights[..., k] for k in range(self.weights.shape[-1])]

    @property
    def _parts(self) -> list[Array]:
        return [self.weights, *(array for part in self.components for array in part._parts)]

    def _of_parts(self, parts: list[Array]) -> Mixture:
        other = object.__new__(type(self))
        other.weights = parts[0]
        pairs = zip(self.components, parts[1::2], parts[2::2], strict=True)
        other.components = [part._of_parts([loc, scale]) for part, loc, scale in pairs]
        other.bounds, other.shape = self.bounds, other.components[0].shape
        return other

    def __repr__(self) -> str:
        return f"Mixture(shape={self.shape}, components={len(self.components)})"


def _check_largest(weights: Array) -> None:
    """Raises if all weights of an element count as 0."""
    good = _comparable(_tensors.once(weights)).amax(-1) >= _MIN_WEIGHT
    if not good.all():
        where = tuple(torch.nonzero(~good)[0].tolist())
        raise ValueError(f"weights are all 0 at index {where}: expected one above 0")


def _components_of(components: Model | Sequence[Model], count: int) -> list[_LocationScale]:
    """K models of the components."""
    if isinstance(components, _LocationScale):
        if not components.shape or components.shape[-1] not in (1, count):
            raise ValueError(
                f"components have shape {components.shape}: expected (…, {count}), as many as "
                "weights"
            )
        whole = components.expand(*components.shape[:-1], count)
        return [whole._map(lambda array, k=k: array[..., k]) for k in range(count)]  # type: ignore[misc]
    if not isinstance(components, Sequence) or isinstance(components, (str, bytes, memoryview)):
        raise TypeError(
            f"components is of type {type(components).__name__}: expected a Normal, Laplace or "
            "Logistic, or a sequence of them"
        )
    for part in components:
        if not isinstance(part, _LocationScale):
            raise TypeError(
                f"a component is of type {type(part).__name__}: expected Normal, Laplace or "
                "Logistic"
            )
    if len(components) != count:
        raise ValueError(f"components are {len(components)}: expected {count}, as many as weights")
    return list(components)  # type: ignore[arg-type]


class Tables(Model):
    """Rows of a CDF whose symbols are integers; what lies outside of a row is escaped.

    Args:
        cdf: Rows of shape `(…, Lp)`: floats, which are quantized as `quantize_cdf` does, or 16-bit
            integers.
        low: The integer that symbol 0 stands for: one for all rows, or one for each.
        lengths: How many symbols each row has, where they differ: a row's values are the first
            `length + 1`. By default `Lp - 1`.
        shift: The lowest bits that are left out of the rows and coded as they are: symbol `s`
            stands for the `2^shift` integers from `(low + s) * 2^shift` on.
        bounds: The least and the largest integer that can be coded. A row that ends there has no
            escape on that side; None is no bound.

    Attributes:
        cdf: The rows as 16-bit integers.
        low: The integer of symbol 0, for each row.
        lengths: The size of each row's alphabet.
        shift: The bits that are left out, for each row.

    Raises:
        TypeError: `cdf` is no tensor or array.
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
        rows = check_cdf(cdf, True, None)
        _checks.check_ndim("cdf", rows.cdf)
        pair: Any = bounds
        if not isinstance(pair, tuple) or len(pair) != 2:
            raise TypeError(
                f"bounds is of type {type(bounds).__name__}: expected a tuple, (low, high)"
            )
        self.bounds = _check_bounds(*bounds)
        self.shape, most = rows.shape, rows.symbols
        self.low = self._each("low", low, INT32_MIN, INT32_MAX, cdf)
        self.shift = self._each("shift", shift, 0, _MAX_SHIFT, cdf)
        self.lengths = self._each("lengths", most if lengths is None else lengths, 1, most, cdf)
        once = _tensors.slices_once([rows.cdf, self.lengths], len(self.shape)) or ...
        its, its_lengths = rows.cdf[once], as_tensor(self.lengths[once])
        if rows.is_float and lengths is None:
            its = like(quantize_cdf(as_tensor(its)), cdf)
        elif rows.is_float:
            its = like(_quantize_each(as_tensor(its), its_lengths), cdf)
        _check_rows(its, its_lengths)
        self.cdf = broadcast("cdf", its, tuple(rows.cdf.shape))
        self._check_windows()

    def _check_windows(self) -> None:
        """Raises if a row has symbols outside of the bounds."""
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

    def _each(self, name: str, value: Any, low: int, high: int, other: Array) -> Array:
        """An integer for each row."""
        if isinstance(value, (int, np.integer)):
            value = like(np.array(operator.index(value)), other)
        _checks.check_array(name, value)
        _checks.check_elements(name, value)
        _checks.check_dtype(name, value, INTEGERS)
        _check_range(name, value, low, high, f"integers from {low} to {high}")
        return broadcast(name, value, self.shape)

    @classmethod
    def _of(
        cls, cdf: Array, low: Array, lengths: Array, shift: Array, *, bounds: tuple[int, int]
    ) -> Tables:
        """Tables of rows that are known to be right."""
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
    def _arrays(self) -> list[Array]:
        return [self.cdf]

    def _view(self, index: Array | None = None) -> _core.ValueModel:
        its = self if index is not None else self._once()
        once = _tensors.slices_once([its.cdf], len(self.shape))
        rows = _tensors.view(its.cdf if once is None else its.cdf[once])
        if its.shape != self.shape:
            index = numbers_of(its.shape, self.shape)
        return _core.ValueModel.of_rows(
            np.ascontiguousarray(rows.reshape(-1, rows.shape[-1])).view(np.int16),
            np.ascontiguousarray(_tensors.view(its.low), np.int32).reshape(-1),
            np.ascontiguousarray(_tensors.view(its.lengths), np.int32).reshape(-1),
            np.ascontiguousarray(_tensors.view(its.shift), np.uint8).reshape(-1),
            *self.bounds,
            None if index is None else _tensors.view(index),
            list(self.shape),
            None if rows.shape[:-1] == its.shape else numbers_of(rows.shape[:-1], its.shape),
        )

    def _blame(self, problem: _core.Problem, position: tuple[int, ...], column: int) -> str:
        return (
            f"symbol {column} of the row at index {position} has an empty interval: "
            "expected rows that increase"
        )

    def __repr__(self) -> str:
        return f"Tables(shape={self.shape}, Lp={self.cdf.shape[-1]})"


_MAX_SHIFT = 24


def numbers_of(own: tuple[int, ...], shape: tuple[int, ...]) -> NDArray:
    """The number of each element of what was expanded from one shape to another."""
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


def tabulate(distribution: Distribution, low: int, high: int) -> Tables:
    """Rows of a distribution of numbers, rounded to integers.

    The computation is that of `distribution.cdf`, in its dtype. Distributions of integers that have
    none, such as `Poisson`, `Binomial`, `NegativeBinomial` and `Geometric`, are tabulated by sums
    of `exp(log_prob)`, in float64. Either may round in another way on another machine: store the
    tables, or send them. The first and the last integer take the probability of what lies beyond
    them, and nothing else can be coded.

    Sums begin at the least integer of the support. If there is none, or it is more than 2^20 below
    `low`, what lies beyond is not known, and the integers share that in proportion.

    Args:
        distribution: A `torch.distributions` object with a `cdf` or of integers, of batch shape
            `(…)`.
        low: The least integer.
        high: The largest integer, `low <= high <= low + 32767`.

    Returns:
        The rows, of shape `(…)`, on the distribution's device.

    Raises:
        TypeError: `distribution` has no `cdf` and is not of integers, and the message says what to
            do instead; or `low` or `high` is no integer.
        ValueError: A range that is not allowed, a `cdf` or a `log_prob` that is NaN, or
            probabilities that are not from 0 to 1.

    Example:
        >>> import torch, torchac
        >>> exponential = torch.distributions.Exponential(torch.tensor([1.0, 0.2]))
        >>> model = torchac.tabulate(exponential, 0, 20)
        >>> stream = torchac.encode(model, torch.tensor([0, 7]))
        >>> torchac.decode(model, stream)
        tensor([0, 7], dtype=torch.int32)
    """
    rows = cdf_rows(distribution, low, high)
    return Tables(rows, low=low, bounds=(low, high))
