"""Sums, products and comparisons of elements, and integers computed from sizes."""

from __future__ import annotations

import operator
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from torchac.exact._layers.registry import (
    FUNCTIONS,
    MODULES,
    Attending,
    Converter,
    Rule,
    Size,
    Value,
    largest,
    register,
    value_of,
)
from torchac.exact._operations import elementwise
from torchac.exact._operations.base import Operation


def limited(c: Converter, y: Value) -> Value:
    """Limits a product, whose bound may be far above its values in the batches."""
    bound = y.grid.bound
    seen = largest(c.floats(), [d for d, n in enumerate(bound.shape) if n > 1])
    most = torch.where(seen > 0, c.headroom**2 * seen, bound)
    return c.limit(y, most, seen.max().item())


SCORES: dict[str, Rule] = {}
"""What arithmetic does with scores of attention."""


def _arithmetic(name: str, operation: type[Operation]) -> Rule:
    def rule(c: Converter, input: Any, other: Any, alpha: float = 1) -> Any:  # noqa: A002
        if isinstance(other, Attending) and not isinstance(input, Value):
            input, other = other, input  # noqa: A001
        if isinstance(input, Attending) and name in SCORES:
            return SCORES[name](c, input, other)
        if any(isinstance(x, Size) for x in (input, other)):
            return _of_sizes(name)(c, input, other)
        if alpha != 1:
            raise c.refused("it has an alpha: multiply the second term by it before")
        y = c.emit(operation({}), value_of(c, input), value_of(c, other))
        gate = name == "multiply" and isinstance(input, Value) and isinstance(other, Value)
        return limited(c, y) if gate else y

    return rule


def _of_sizes(name: str) -> Rule:
    def rule(c: Converter, a: Any, b: Any) -> Size:
        if any(not isinstance(x, (Size, int)) for x in (a, b)):
            raise c.refused(
                "it rounds down, or computes with sizes: expected sizes and whole numbers alone"
            )
        pair = (x.expression if isinstance(x, Size) else x for x in (a, b))
        return Size([name, *pair])

    return rule


add = _arithmetic("add", elementwise.Add)
subtract = _arithmetic("subtract", elementwise.Subtract)
multiply = _arithmetic("multiply", elementwise.Multiply)
register("add", "add_", functions=[operator.add, operator.iadd, torch.add])(add)
register("sub", "sub_", functions=[operator.sub, operator.isub, torch.sub])(subtract)
register("mul", "mul_", functions=[operator.mul, operator.imul, torch.mul])(multiply)


@register("div", "div_", functions=[operator.truediv, operator.itruediv, torch.div])
def divide(c: Converter, input: Any, other: Any) -> Any:  # noqa: A002, as torch names it
    """Multiplies by the reciprocal of a constant."""
    if isinstance(input, Attending):
        return SCORES["divide"](c, input, other)
    if isinstance(input, Size) or isinstance(other, (Value, Size)):
        raise c.refused("it divides by a value, which may be 0: divide by a constant")
    return multiply(c, input, 1 / other)


FUNCTIONS[operator.floordiv] = _of_sizes("divide")
FUNCTIONS[operator.mod] = _of_sizes("modulo")


@register("neg", functions=[operator.neg, torch.neg])
def negate(c: Converter, input: Any) -> Any:  # noqa: A002, as torch names it
    """Changes the sign."""
    return multiply(c, input, -1)


@register("square", functions=[torch.square])
def square(c: Converter, input: Value) -> Value:  # noqa: A002, as torch names it
    """The product of a value with itself."""
    return limited(c, c.emit(elementwise.Multiply({}), input, input))


@register("pow", functions=[operator.pow, torch.pow])
def power(c: Converter, input: Any, exponent: Any) -> Value:  # noqa: A002
    """A square."""
    if exponent != 2 or not isinstance(input, Value):
        raise c.refused("it is a power other than 2: write it as products")
    return square(c, input)


@register("abs", functions=[torch.abs, operator.abs])
def absolute(c: Converter, input: Value) -> Value:  # noqa: A002, as torch names it
    """The absolute value."""
    return c.emit(elementwise.Absolute({}), input)


@register("relu", "relu_", functions=[functional.relu, torch.relu], modules=[nn.ReLU])
def relu(c: Converter, input: Value, inplace: bool = False) -> Value:  # noqa: A002
    """Replaces negative values by 0."""
    return c.emit(elementwise.Leaky({"slope": 0.0}), input)


@register(functions=[functional.leaky_relu])
def leaky_relu(
    c: Converter,
    input: Value,  # noqa: A002, as torch names it
    negative_slope: float = 0.01,
    inplace: bool = False,
) -> Value:
    """Multiplies negative values by a slope."""
    return c.emit(elementwise.Leaky({"slope": float(negative_slope)}), input)


MODULES[nn.LeakyReLU] = lambda c, module, x: leaky_relu(c, x, module.negative_slope)


@register("clamp", "clamp_", "clip", functions=[torch.clamp, torch.clip])
def clamp(
    c: Converter,
    input: Value,  # noqa: A002, as torch names it
    min: Any = None,  # noqa: A002
    max: Any = None,  # noqa: A002
) -> Value:
    """Limits values."""
    if any(not (x is None or isinstance(x, (int, float))) for x in (min, max)):
        raise c.refused("its limits are not numbers: expected constants")
    least, most = (None if x is None else float(x) for x in (min, max))
    return c.emit(elementwise.Clamp({"least": least, "most": most}), input)


@register(functions=[functional.hardtanh])
def hardtanh(
    c: Converter,
    input: Value,  # noqa: A002, as torch names it
    min_val: float = -1.0,
    max_val: float = 1.0,
    inplace: bool = False,
) -> Value:
    """Limits values, as `clamp` does."""
    return clamp(c, input, min_val, max_val)


@register(functions=[functional.relu6], modules=[nn.ReLU6])
def relu6(c: Converter, input: Value, inplace: bool = False) -> Value:  # noqa: A002
    """Limits values to the range from 0 to 6."""
    return clamp(c, input, 0, 6)


MODULES[nn.Hardtanh] = lambda c, module, x: hardtanh(c, x, module.min_val, module.max_val)
