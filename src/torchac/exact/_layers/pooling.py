"""Means, and the largest of neighbours."""

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


def _window(kernel: Any, stride: Any, padding: Any, dims: int) -> dict[str, list[int]]:
    names = {"kernel": kernel, "stride": kernel if stride is None else stride, "padding": padding}
    return {name: each(x, dims) for name, x in names.items()}


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
        if ceil_mode or divisor_override is not None or input.ndim != dims + 2:
            raise c.refused("it has ceil_mode, a divisor of its own, or an input without a batch")
        attributes: dict[str, Any] = _window(kernel_size, stride or None, padding, dims)
        attributes["outside"] = count_include_pad
        bits = pooling.bits_for(math.prod(attributes["kernel"]))
        x = c.round(input, bits, range(2, input.ndim))
        return c.emit(pooling.AveragePool(attributes), x)

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
        if ceil_mode or return_indices or input.ndim != dims + 2:
            raise c.refused("it has ceil_mode, returns indices, or has an input without a batch")
        attributes: dict[str, Any] = _window(kernel_size, stride or None, padding, dims)
        attributes["dilation"] = each(dilation, dims)
        return c.emit(pooling.MaxPool(attributes), input)

    return rule


def _mean_of_all(c: Converter, input: Value, output_size: Any) -> Value:  # noqa: A002
    if set(output_size if isinstance(output_size, (tuple, list)) else [output_size]) != {1}:
        raise c.refused("it has an output size other than 1")
    return mean(c, input, list(range(2, input.ndim)), keepdim=True)


@register("mean", functions=[torch.mean])
def mean(
    c: Converter,
    input: Value,  # noqa: A002, as torch names it
    dim: Any = None,
    keepdim: bool = False,
) -> Value:
    """The mean all along some dimensions."""
    dims = range(input.ndim) if dim is None else [dim] if isinstance(dim, int) else dim
    found = sorted({d % input.ndim for d in dims})
    x = c.round(input, pooling.bits_for(pooling.MOST_VALUES), found)
    return c.emit(pooling.Mean({"dims": found, "keep": keepdim}), x)


def _average_module(rule: Rule) -> Rule:
    def of_module(c: Converter, m: Any, x: Value) -> Any:
        divisor = getattr(m, "divisor_override", None)
        how = (m.kernel_size, m.stride, m.padding, m.ceil_mode, m.count_include_pad, divisor)
        return rule(c, x, *how)

    return of_module


def _largest_module(rule: Rule) -> Rule:
    def of_module(c: Converter, m: Any, x: Value) -> Any:
        how = (m.kernel_size, m.stride, m.padding, m.dilation, m.ceil_mode, m.return_indices)
        return rule(c, x, *how)

    return of_module


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

    MODULES[_classes[0]] = _average_module(_average_pool(_dims))
    MODULES[_classes[1]] = _largest_module(_largest_pool(_dims))
    MODULES[_classes[2]] = lambda c, module, x: _mean_of_all(c, x, module.output_size)
