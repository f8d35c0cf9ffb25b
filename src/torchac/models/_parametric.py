"""Models whose rows are computed from parameters, such as the outputs of networks."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, TypeVar

import numpy as np
import torch

from torchac import _core, _tensors
from torchac._checks import check_bounds, check_parameter, check_range
from torchac._core import Problem
from torchac._tensors import Array, broadcast
from torchac.models._base import Model, Signature

MAX_SCALE = 1 << 24


def _joint_shape(**arrays: Array | Model) -> tuple[int, ...]:
    try:
        return np.broadcast_shapes(*(tuple(a.shape) for a in arrays.values()))
    except ValueError:
        shapes = " and ".join(f"{name} has {tuple(a.shape)}" for name, a in arrays.items())
        raise ValueError(f"shapes do not broadcast: {shapes}") from None


class _Parametric(Model):
    """Models whose rows are computed from parameters."""

    @property
    @abstractmethod
    def _components(self) -> list[tuple[str, dict[str, Array]]]:
        """The name of the family and the parameters of each component."""

    @property
    def _weights(self) -> list[Array]:
        return []

    def to_core(self, index: Array | None = None) -> _core.Model:
        components = [
            (family, {name: _tensors.view(array) for name, array in arrays.items()})
            for family, arrays in self._components
        ]
        numbers = None if index is None else _tensors.view(index)
        return _core.Model.of_parameters(components, *self.bounds, numbers)

    def _describe_element(self, problem: Problem, position: tuple[int, ...], column: int) -> str:
        if problem is Problem.ZONES:
            return f"the mixture at index {position} is coded by zones: expected one with a row"
        if problem is Problem.WEIGHT:
            weights = [float(array[position].item()) for array in self._weights]
            if column < 0:
                return f"weights are {weights} at index {position}: expected a finite sum above 0"
            name, value, expected = "weights", weights[column], _WEIGHT
        else:
            name, expected = ("loc", _LOC) if problem is Problem.LOC else ("scale", _SCALE)
            value = self._components[column][1][name][position].item()
        place = (*position, column) if self._weights else position
        return f"{name} is {value} at index {place}: expected {expected}"


_MIN_WEIGHT = 2.0**-126  # smaller ones count as 0
_LOC = "finite numbers"
_SCALE = f"numbers from 0 to {MAX_SCALE}"
_WEIGHT = "finite numbers that are not negative"


class _LocationScale(_core.LocationScale, _Parametric):
    _family: ClassVar[str]

    def __init__(
        self,
        loc: Array | float,
        scale: Array | float,
        *,
        low: int | None = None,
        high: int | None = None,
    ) -> None:
        self.bounds = check_bounds(low, high)
        loc, scale = check_parameter("loc", loc, [scale]), check_parameter("scale", scale, [loc])
        _same_device(loc=loc, scale=scale)
        check_range("loc", loc, -_LARGEST, _LARGEST, _LOC)
        check_range("scale", scale, 0, MAX_SCALE, _SCALE)
        self.shape = _joint_shape(loc=loc, scale=scale)
        self.loc = broadcast("loc", loc, self.shape)
        self.scale = broadcast("scale", scale, self.shape)

    if not TYPE_CHECKING:  # the constructor is the core's, which leaves to this what is not simple
        _make, __signature__ = __init__, Signature()
        del __init__

    @property
    def _components(self) -> list[tuple[str, dict[str, Array]]]:
        return [(self._family, {"loc": self.loc, "scale": self.scale})]

    @property
    def _parts(self) -> list[Array]:
        return [self.loc, self.scale]

    def _of_parts(self: L, parts: list[Array]) -> L:
        other = self.__new__(type(self))
        other.loc, other.scale = parts
        other.bounds, other.shape = self.bounds, tuple(other.loc.shape)
        return other


L = TypeVar("L", bound=_LocationScale)
_LARGEST = float(np.finfo(np.float64).max)


def _same_device(**arrays: Array) -> None:
    """Raises if arrays are on different devices. A single number may be on any."""
    devices = {name: _tensors.device_of(array) for name, array in arrays.items() if array.ndim}
    if len(set(devices.values())) > 1:
        where = " and ".join(f"{name} on {device}" for name, device in devices.items())
        raise ValueError(f"{where}: expected one device")


class Normal(_LocationScale):
    """Normal distributions, rounded to integers.

    Args:
        loc: Means: a tensor, an array or a number, finite, of any float dtype, on any device.
        scale: Standard deviations, from 0 (a single point) to 2^24; of a shape that broadcasts with
            that of `loc`.
        low: The least integer, if there is one; it gets the probability of all below it.
        high: The largest integer, if there is one; it gets the probability of all above it.

    Raises:
        TypeError: A parameter is not a tensor, an array or a number; `low` or `high` is not an
            integer.
        ValueError: NaN, an infinity, a scale that is negative or too large, `low > high`, shapes
            that do not broadcast, two devices. The message gives the value and its position.

    Example:
        >>> import torch, torchac
        >>> model = torchac.Normal(torch.tensor([0.5, -20.0]), 2.0)
        >>> stream = torchac.encode(model, torch.tensor([3, -18]))
        >>> torchac.decode(model, stream)
        tensor([  3, -18], dtype=torch.int32)
    """

    _family = "normal"


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

    _family = "laplace"


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

    _family = "logistic"


class Mixture(_core.Mixture, _Parametric):
    """Mixtures of distributions, rounded to integers.

    Values cost about their entropy, wherever the components lie. If these are far apart, or some
    are wide and others narrow, a value is coded in several steps, which takes longer:
    `docs/models.md` has figures.

    Args:
        weights: The weight of each component, of shape `(…, K)`: not negative, and at least one
            above 0. They need not sum to 1.
        components: A `Normal`, `Laplace` or `Logistic` of shape `(…, K)`; or a sequence of K of
            them, of shape `(…)`, of any kinds. All must have the same `low` and `high`, which
            become the mixture's. Shapes broadcast.

    Raises:
        TypeError: `weights` is not a tensor or an array, or a component is not one of these models.
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
        weights = check_parameter("weights", weights)
        if weights.ndim == 0 or weights.shape[-1] == 0:
            raise ValueError(
                f"weights have shape {tuple(weights.shape)}: expected (…, K), K at least 1"
            )
        least = check_range("weights", weights, 0, _LARGEST, _WEIGHT)
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

    if not TYPE_CHECKING:  # the constructor is the core's, which leaves to this what is not simple
        _make, __signature__ = __init__, Signature()
        del __init__

    @property
    def _components(self) -> list[tuple[str, dict[str, Array]]]:
        weights = self._weights
        return [
            (part._family, {"loc": part.loc, "scale": part.scale, "weight": weights[k]})
            for k, part in enumerate(self.components)
        ]

    @property
    def _weights(self) -> list[Array]:
        return [self.weights[..., k] for k in range(self.weights.shape[-1])]

    @property
    def _parts(self) -> list[Array]:
        return [self.weights, *(array for part in self.components for array in part._parts)]

    def _of_parts(self, parts: list[Array]) -> Mixture:
        other = self.__new__(type(self))
        other.weights = parts[0]
        pairs = zip(self.components, parts[1::2], parts[2::2], strict=True)
        other.components = [part._of_parts([loc, scale]) for part, loc, scale in pairs]
        other.bounds, other.shape = self.bounds, other.components[0].shape
        return other

    def __repr__(self) -> str:
        return f"Mixture(shape={self.shape}, components={len(self.components)})"


def _check_largest(weights: Array) -> None:
    """Raises if all weights of an element count as 0."""
    good = _tensors.comparable(_tensors.once(weights)).amax(-1) >= _MIN_WEIGHT
    if not good.all():
        where = tuple(torch.nonzero(~good)[0].tolist())
        raise ValueError(f"weights are all 0 at index {where}: expected one above 0")


def _components_of(components: Model | Sequence[Model], count: int) -> list[_LocationScale]:
    """The K components, each a model."""
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
        raise ValueError(f"there are {len(components)} components: expected {count}, one a weight")
    return list(components)  # type: ignore[arg-type]
