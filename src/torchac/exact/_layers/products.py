"""Convolutions, and products with matrices of weights."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from torchac.exact._layers.registry import (
    FUNCTIONS,
    MODULES,
    Converter,
    Value,
    each,
    largest,
    register,
)
from torchac.exact._operations.base import Operation
from torchac.exact._operations.correlation import Correlation
from torchac.exact._operations.products import Linear, Weights, room, round_weights
from torchac.exact._trace import CONVOLUTIONS


def product(
    c: Converter,
    x: Value,
    dim: int,
    weights: Weights,
    bias: torch.Tensor,
    make: Callable[[list[torch.Tensor], torch.Tensor], Operation],
    floats: list[torch.Tensor],
) -> Value:
    """An operation with weights, whose input is rounded and whose output is limited."""
    if not all(bool(torch.isfinite(t).all()) for t in (*weights, bias)):
        raise c.refused("its weights are not all finite")
    bound = x.grid.along(dim).bound
    inputs_seen = c.floats_of(x)
    typical = (
        torch.zeros_like(bound) if inputs_seen is None else largest(inputs_seen, [dim]).flatten()
    )
    typical = torch.where(typical > 0, typical, bound / c.headroom)
    groups, inputs = weights[0].shape[0], weights[0].shape[3]
    typical = typical.expand(groups * inputs).view(groups, 1, 1, inputs)
    powers = [(w * typical).square().flatten(2).sum(2).flatten() for w in weights]
    likely = torch.stack(powers).amax(0).sqrt() + bias.abs()
    x = c.round(x, room(weights, bias, bound), [d for d in range(x.ndim) if d != dim])
    y = c.emit(make(*round_weights(weights, bias, x.grid.along(dim))), x)
    seen = largest(floats, [dim])
    most = c.headroom * torch.maximum(seen, likely.view(seen.shape))
    return c.limit(y, most, seen.max().item())


def convolve(
    c: Converter,
    input: Value,  # noqa: A002, as torch names it
    weight: torch.Tensor,
    bias: torch.Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
    floats: list[torch.Tensor] | None = None,
) -> Value:
    """A convolution of one to three dimensions."""
    x, weight, bias, dims = _check_convolution(c, input, weight, bias, len(weight))
    stride, dilation = each(stride, dims), each(dilation, dims)
    spans = [d * (k - 1) for d, k in zip(dilation, weight.shape[2:], strict=True)]
    if isinstance(padding, str):
        ends = [(s // 2, s - s // 2) if padding == "same" else (0, 0) for s in spans]
    else:
        ends = [(p, p) for p in each(padding, dims)]
    used = weight.abs().flatten(2).amax((0, 1)) > 0
    places = list(itertools.product(*map(range, weight.shape[2:])))
    kept = [i for i, u in enumerate(used.tolist()) if u] or [0]
    taps = [
        [i * d - before for i, d, (before, _) in zip(places[k], dilation, ends, strict=True)]
        for k in kept
    ]
    shape = (groups, len(weight) // groups, weight.shape[1], -1)
    matrices = [weight.reshape(shape).transpose(2, 3)[:, :, kept].contiguous()]
    size = [
        [1, sum(end) - span + s - 1, s] for end, span, s in zip(ends, spans, stride, strict=True)
    ]
    phases = [[[0] * dims, taps]]
    make = _maker(groups=groups, read=stride, write=[1] * dims, size=size, phases=phases)
    return product(c, x, 1, matrices, bias, make, c.floats() if floats is None else floats)


def convolve_transposed(
    c: Converter,
    input: Value,  # noqa: A002, as torch names it
    weight: torch.Tensor,
    bias: torch.Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    groups: int = 1,
    dilation: Any = 1,
) -> Value:
    """A transposed convolution: a convolution for each place of a stride."""
    x, weight, bias, dims = _check_convolution(c, input, weight, bias, weight.shape[1] * groups)
    stride, padding, output_padding, dilation = (
        each(n, dims) for n in (stride, padding, output_padding, dilation)
    )
    shape = (groups, weight.shape[0] // groups, weight.shape[1], -1)
    by_place = weight.reshape(shape).permute(0, 2, 3, 1)  # groups, outputs, places, inputs
    places = list(itertools.product(*map(range, weight.shape[2:])))
    phases, matrices = [], []
    for at in itertools.product(*map(range, stride)):
        kept, taps = [], []
        for k, place in enumerate(places):
            how = zip(at, place, stride, padding, dilation, strict=True)
            offsets = [divmod(a + p - i * d, s) for a, i, s, p, d in how]
            if not any(rest for _, rest in offsets):
                kept.append(k)
                taps.append([tap for tap, _ in offsets])
        phases.append([list(at), taps])
        matrices.append(by_place[:, :, kept].contiguous())
    how = zip(stride, padding, dilation, weight.shape[2:], output_padding, strict=True)
    size = [[s, d * (k - 1) + o + 1 - s - 2 * p, 1] for s, p, d, k, o in how]
    make = _maker(groups=groups, read=[1] * dims, write=stride, size=size, phases=phases)
    return product(c, x, 1, matrices, bias, make, c.floats())


def _maker(**attributes: Any) -> Callable[[list[torch.Tensor], torch.Tensor], Operation]:
    def make(weights: list[torch.Tensor], bias: torch.Tensor) -> Operation:
        tensors = {f"weight{i}": w for i, w in enumerate(weights)}
        return Correlation(attributes, {**tensors, "bias": bias})

    return make


def _check_convolution(
    c: Converter, x: Any, weight: Any, bias: Any, outputs: int
) -> tuple[Value, torch.Tensor, torch.Tensor, int]:
    x, weight, bias = _check_weights(c, x, weight, bias, outputs)
    if x.ndim != weight.ndim:
        raise c.refused(f"its input has {x.ndim} dimensions: expected {weight.ndim}, with a batch")
    return x, weight, bias, weight.ndim - 2


def _check_weights(
    c: Converter, x: Any, weight: Any, bias: Any, outputs: int
) -> tuple[Value, torch.Tensor, torch.Tensor]:
    if isinstance(weight, Value) or isinstance(bias, Value) or not isinstance(x, Value):
        raise c.refused(
            "its weights depend on the input, or its input does not: expected constant weights"
        )
    bias = torch.zeros(outputs, dtype=torch.float64) if bias is None else bias.detach()
    return x, weight.detach(), bias


def _convolution_module(c: Converter, module: Any, x: Value, *more: Any) -> Value:
    if more:
        raise c.refused("it has an output_size: give it output_padding")
    if module.padding_mode != "zeros":
        raise c.refused(
            f"it has padding_mode={module.padding_mode!r}: pad with torch.nn.functional.pad before"
        )
    rule = convolve_transposed if module.transposed else convolve
    names = ["stride", "padding", "dilation", "groups"]
    names += ["output_padding"] if module.transposed else []
    how = {name: getattr(module, name) for name in names}
    return rule(c, x, module.weight, module.bias, **how)


for _kind, _function in CONVOLUTIONS.items():
    MODULES[_kind] = _convolution_module
    FUNCTIONS[_function] = (
        convolve_transposed if "transpose" in _kind.__name__.lower() else convolve
    )


@register(functions=[functional.linear])
def linear(
    c: Converter,
    input: Value,  # noqa: A002, as torch names it
    weight: torch.Tensor,
    bias: torch.Tensor | None = None,
) -> Value:
    """A matrix product in the last dimension."""
    x, weight, bias = _check_weights(c, input, weight, bias, len(weight))

    def make(weights: list[torch.Tensor], bias: torch.Tensor) -> Operation:
        return Linear({}, {"weight": weights[0][0, :, 0], "bias": bias})

    return product(c, x, x.ndim - 1, [weight[None, :, None]], bias, make, c.floats())


MODULES[nn.Linear] = lambda c, module, x: linear(c, x, module.weight, module.bias)
