"""Means and maxima of neighbouring values."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from torchac.exact._layers.registry import (
    FUNCTIONS,
    MODULES,
    Converter,
    Rule,
    Value,
    each,
    register,
)
from torchac.exact._operations import pooling


def _window(
    c: Converter, x: Value, dims: int, how: dict[str, Any], **named: Any
) -> dict[str, list[int]]:
    """The attributes of a window; `how` are settings that must not be given."""
    given = [name for name, value in how.items() if value]
    if given:
        raise c.refused(f"it has {' and '.join(given)}: leave them as they are by default")
    if x.ndim != dims + 2:
        raise c.refused(f"its input has {x.ndim} dimensions: expected {dims + 2}, with a batch")
    named["stride"] = named["stride"] or named["kernel"]
    return {name: each(value, dims) for name, value in named.items()}


def _average_pool(dims: int) -> Rule:
    def rule(
        c: Converter,
        input: Value,  # noqa: A002, as torch names it
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> Value:
        how = {"ceil_mode": ceil_mode, "divisor_override": divisor_override}
        window = _window(c, input, dims, how, kernel=kernel_size, stride=stride, padding=padding)
        x = c.round(input, pooling.bits_for(math.prod(window["kernel"])), range(2, input.ndim))
        return c.emit(pooling.AveragePool({**window, "outside": count_include_pad}), x)

    return rule


def _largest_pool(dims: int) -> Rule:
    def rule(
        c: Converter,
        input: Value,  # noqa: A002, as torch names it
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        dilation: Any = 1,
        ceil_mode: bool = False,
        return_indices: bool = False,
    ) -> Value:
        how = {"ceil_mode": ceil_mode, "return_indices": return_indices}
        sizes = {"kernel": kernel_size, "stride": stride, "padding": padding}
        window = _window(c, input, dims, how, **sizes, dilation=dilation)
        return c.emit(pooling.MaxPool(window), input)

    return rule


def _mean_of_all(c: Converter, input: Value, output_size: Any) -> Value:  # noqa: A002
    if set(output_size if isinstance(output_size, (tuple, list)) else [output_size]) != {1}:
        raise c.refused("it has an output size other than 1: pool with a kernel_size")
    return mean(c, input, list(range(2, input.ndim)), keepdim=True)


@register("mean", functions=[torch.mean])
def mean(
    c: Converter,
    input: Value,  # noqa: A002, as torch names it
    dim: Any = None,
    keepdim: bool = False,
) -> Value:
    """The mean along some dimensions."""
    dims = range(input.ndim) if dim is None else [dim] if isinstance(dim, int) else dim
    found = sorted({d % input.ndim for d in dims})
    x = c.round(input, pooling.bits_for(pooling.MOST_VALUES), found)
    return c.emit(pooling.Mean({"dims": found, "keep": keepdim}), x)


def _module(rule: Rule, *names: str) -> Rule:
    """A rule for a module, by the rule for a function. A module may lack some of its settings."""

    def of_module(c: Converter, module: Any, x: Value) -> Any:
        return rule(c, x, **{n: getattr(module, n) for n in names if hasattr(module, n)})

    return of_module


_WINDOW = ("kernel_size", "stride", "padding", "ceil_mode")

for _dims, _classes in enumerate(
    (
        (nn.AvgPool1d, nn.MaxPool1d, nn.AdaptiveAvgPool1d),
        (nn.AvgPool2d, nn.MaxPool2d, nn.AdaptiveAvgPool2d),
        (nn.AvgPool3d, nn.MaxPool3d, nn.AdaptiveAvgPool3d),
    ),
    1,
):
    FUNCTIONS[getattr(functional, f"avg_pool{_dims}d")] = _average_pool(_dims)
    FUNCTIONS[getattr(functional, f"max_pool{_dims}d")] = _largest_pool(_dims)
    FUNCTIONS[getattr(functional, f"adaptive_avg_pool{_dims}d")] = _mean_of_all

    MODULES[_classes[0]] = _module(
        _average_pool(_dims), *_WINDOW, "count_include_pad", "divisor_override"
    )
    MODULES[_classes[1]] = _module(_largest_pool(_dims), *_WINDOW, "dilation", "return_indices")
    MODULES[_classes[2]] = lambda c, module, x: _mean_of_all(c, x, module.output_size)
