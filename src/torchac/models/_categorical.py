"""Models of categories: probabilities or logits, as classifiers and language models give them.

The numbers of a value are read once, when it is coded, without a softmax, sums or a row in memory.
Up to 257 categories make one row of 16-bit integers. More are coded in two or three steps, a group
and a place in it, so 16 bits are enough for any number of categories. `docs/format.md` defines
both, to the bit: the same numbers give the same bytes on every machine, whatever their dtype.

`torch.distributions.Categorical` is accepted too. It normalizes its numbers, which another machine
may round differently, so streams that are decoded elsewhere need these models.

    >>> import torch, torchac
    >>> logits = torch.tensor([[2.0, 0.0, -1.0], [0.5, 3.0, -torch.inf]])
    >>> model = torchac.Categorical(logits=logits)
    >>> stream = torchac.encode(model, torch.tensor([0, 1]))
    >>> torchac.decode(model, stream)
    tensor([0, 1], dtype=torch.int32)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, TypeVar

import numpy as np

from torchac import _core, _tensors
from torchac._checks import check_parameter
from torchac._core import CategoryNumbers, Problem
from torchac._tensors import FLOAT_ROWS, Array, like
from torchac.models._base import Model, Signature, Tables, numbers_of

MAX_CATEGORIES = 1 << 20
ONE_ROW = 257  # categories


class _Categories(_core.Categories, Model):
    """Models that are given by a number for each category."""

    _kinds: ClassVar[dict[str, CategoryNumbers]]
    _expected: ClassVar[dict[str, str]]
    _numbers: Array
    # Dimensions of the numbers after those of the values.
    _own_dimensions: ClassVar[int]

    def __init__(
        self, *, probs: Array | float | None = None, logits: Array | float | None = None
    ) -> None:
        if (probs is None) == (logits is None):
            given = "neither" if probs is None else "both"
            raise TypeError(f"{given} of probs and logits is given: expected one of them")
        self._name = "logits" if probs is None else "probs"
        numbers = check_parameter(self._name, logits if probs is None else probs)
        if numbers.dtype not in FLOAT_ROWS:  # integers on a device without float64
            rounded = _tensors.view(numbers).astype(np.float64).astype(np.float32)
            numbers = like(rounded, numbers)
        self._set(numbers)

    if not TYPE_CHECKING:  # the constructor is the core's, which leaves to this what is not simple
        _make, __signature__ = __init__, Signature()
        del __init__

    def _set(self, numbers: Array) -> None:
        raise NotImplementedError

    @property
    def _categories(self) -> int:
        return self.bounds[1] + 1

    @property
    def probs(self) -> Array | None:
        """The probabilities, if they were given."""
        return self._numbers if self._name == "probs" else None

    @property
    def logits(self) -> Array | None:
        """The logits, if they were given."""
        return self._numbers if self._name == "logits" else None

    @property
    def _parts(self) -> list[Array]:
        return [self._numbers]

    def _of_parts(self: C, parts: list[Array]) -> C:
        other = self.__new__(type(self))
        other._name = self._name
        other._set(parts[0])
        return other

    def to_core(self, index: Array | None = None) -> _core.Model:
        numbers = self._numbers
        if index is None and self._categories > ONE_ROW:
            once = self._once()
            if once.shape != self.shape:
                numbers = once._numbers.reshape(-1, self._categories)
                index = numbers_of(once.shape, self.shape)
        return _core.Model.of_categories(
            self._kinds[self._name],
            _tensors.view(numbers),
            None if index is None else _tensors.view(index),
        )

    def _describe_element(self, problem: Problem, position: tuple[int, ...], column: int) -> str:
        name, expected = self._name, self._expected[self._name]
        if column < 0:
            lowest = "-inf" if name == "logits" else "below 2^-100"
            return f"{name} are all {lowest} at index {position}: expected one above that"
        place = (*position, column)[: self._numbers.ndim]
        value = _tensors.as_tensor(self._numbers)[place].item()
        return f"{name} is {value} at index {place}: expected {expected}"


C = TypeVar("C", bound=_Categories)
_LOGITS = "numbers below 3.4e38, or -inf"


class Categorical(_Categories):
    """Distributions of the categories 0 … V-1.

    The numbers are checked when a value is coded, because that reads them anyway.

    Args:
        probs: Probabilities of shape `(…, V)`, `1 <= V <= 2^20`, of any float or integer dtype, on
            any device: not negative, and at least one above 2^-100. They need not sum to 1, so
            counts are fine.
        logits: Instead of `probs`, logarithms of the probabilities plus any constant: the model is
            their softmax. -inf is a probability of 0, which can still be coded: a category costs at
            most as if it had 2^-22 times the probability of the likeliest one.

    Raises:
        TypeError: Both or neither is given, or the argument is not a tensor or an array.
        ValueError: Shapes or dtypes that are not allowed. When coding: NaN, inf, a negative
            probability, or a value without a likely category. The message gives the value and its
            position.

    Example:
        >>> import torch, torchac
        >>> counts = torch.tensor([[5, 0, 1, 2], [1, 1, 1, 1]])
        >>> model = torchac.Categorical(probs=counts)
        >>> stream = torchac.encode(model, torch.tensor([0, 3]))
        >>> torchac.decode(model, stream)
        tensor([0, 3], dtype=torch.int32)
    """

    _kinds: ClassVar = {"probs": CategoryNumbers.PROBABILITIES, "logits": CategoryNumbers.LOGITS}
    _expected: ClassVar = {
        "probs": "numbers below 3.4e38 that are not negative",
        "logits": _LOGITS,
    }
    _own_dimensions = 1

    def _set(self, numbers: Array) -> None:
        shape = tuple(numbers.shape)
        if not shape or not 1 <= shape[-1] <= MAX_CATEGORIES:
            raise ValueError(
                f"{self._name} has shape {shape}: expected (…, V) with 1 <= V <= {MAX_CATEGORIES}"
            )
        self._numbers, self.shape, self.bounds = numbers, shape[:-1], (0, shape[-1] - 1)

    def tabulate(self) -> Tables:
        """The rows of the model, in integers, if its categories fit one row.

        Returns:
            The rows. Coding with them gives the same streams.

        Raises:
            ValueError: There are more than 257 categories, or coding would raise.

        Example:
            >>> import torch, torchac
            >>> torchac.Categorical(probs=torch.tensor([0.25, 0.5, 0.25])).tabulate().cdf
            tensor([     0,  16384, -16385,      0], dtype=torch.int16)
        """
        if self._categories > ONE_ROW:
            raise ValueError(
                f"the model has {self._categories} categories: expected {ONE_ROW} or fewer, which "
                "fit one row"
            )
        return super().tabulate()


class Bernoulli(_Categories):
    """Distributions of 0 and 1.

    The numbers are checked when a value is coded, because that reads them anyway.

    Args:
        probs: The probability of 1, from 0 to 1: a tensor or an array of any shape, any float
            dtype, on any device; or a number.
        logits: Instead of `probs`, its logits: the probability is `sigmoid(logits)`.

    Raises:
        TypeError: Both or neither is given, or the argument is not a tensor, an array or a number.
        ValueError: A dtype that is not allowed. When coding: NaN, a probability outside [0, 1], or
            a logit of inf. The message gives the value and its position.

    Example:
        >>> import torch, torchac
        >>> mask = torch.tensor([True, False, True])
        >>> model = torchac.Bernoulli(probs=torch.tensor([0.9, 0.2, 0.7]))
        >>> stream = torchac.encode(model, mask)
        >>> torchac.decode(model, stream)
        tensor([1, 0, 1], dtype=torch.int32)
    """

    _kinds: ClassVar = {
        "probs": CategoryNumbers.BERNOULLI_PROBABILITIES,
        "logits": CategoryNumbers.BERNOULLI_LOGITS,
    }
    _expected: ClassVar = {"probs": "numbers from 0 to 1", "logits": _LOGITS}
    _own_dimensions = 0

    def _set(self, numbers: Array) -> None:
        self._numbers, self.shape, self.bounds = numbers, tuple(numbers.shape), (0, 1)
