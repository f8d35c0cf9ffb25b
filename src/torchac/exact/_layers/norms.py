"""BatchNorm and generalized divisive normalization."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import fx, nn
from torch.nn import functional

from torchac.exact._grid import power_of_two
from torchac.exact._layers.arithmetic import limited
from torchac.exact._layers.products import convolve
from torchac.exact._layers.registry import MODULES, Converter, Value, value_of
from torchac.exact._operations import elementwise
from torchac.exact._trace import CONVOLUTIONS, norm_of


def normalize(c: Converter, module: nn.Module, x: Value) -> Value:
    """A generalized divisive normalization, or its inverse."""
    norm = norm_of(module)
    assert norm is not None
    beta, gamma = norm["beta"], norm["gamma"][..., None, None]
    least = beta.min().item()
    if not least > 0 and not norm["inverse"]:
        raise c.refused(f"it divides by what may be 0: its beta is {least}, expected more than 0")
    inputs = c.floats_of(x)
    assert inputs is not None
    if norm["squares"]:
        powers, seen = c.emit(elementwise.Multiply({}), x, x), [t.square() for t in inputs]
    else:
        powers, seen = c.emit(elementwise.Absolute({}), x), [t.abs() for t in inputs]
    sums = [functional.conv2d(t, gamma, beta) for t in seen]
    y = convolve(c, powers, gamma, beta, floats=sums)
    if norm["squares"]:
        y, least = c.emit(elementwise.SquareRoot({}), y), math.sqrt(max(least, 0.0))
    if norm["inverse"]:
        return limited(c, c.emit(elementwise.Multiply({}), x, y))
    smallest = power_of_two(torch.tensor([least], dtype=torch.float64), above=False).item()
    return limited(c, c.emit(elementwise.Divide({"least": smallest}), x, y))


def batch_norm(c: Converter, module: Any, x: Value) -> Value:
    """Multiplies by a factor and adds a term, for each channel."""
    scale, shift = scale_and_shift(module)
    shape = (-1, *(1 for _ in range(x.ndim - 2)))
    y = c.emit(elementwise.Multiply({}), x, value_of(c, scale.view(shape)))
    return c.emit(elementwise.Add({}), y, value_of(c, shift.view(shape)))


def scale_and_shift(module: Any) -> tuple[torch.Tensor, torch.Tensor]:
    """The factors and terms of a BatchNorm in evaluation mode."""
    if module.running_mean is None:
        raise ValueError("it has no running mean, so its output depends on the whole batch")
    scale = (module.running_var + module.eps).rsqrt()
    scale = scale if module.weight is None else scale * module.weight
    shift = -module.running_mean * scale
    return scale.detach(), (shift if module.bias is None else shift + module.bias).detach()


for _kind in (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d):
    MODULES[_kind] = batch_norm


def fold_norms(traced: fx.GraphModule) -> None:
    """Puts each BatchNorm that follows a convolution or a Linear into its weights."""
    calls = [n for n in traced.graph.nodes if n.op == "call_module"]
    for node in calls:
        norm, before = traced.get_submodule(str(node.target)), node.args[0]
        if not isinstance(norm, nn.modules.batchnorm._BatchNorm) or norm.running_mean is None:
            continue
        if not isinstance(before, fx.Node) or before.op != "call_module" or len(before.users) > 1:
            continue
        layer: Any = traced.get_submodule(str(before.target))
        once = sum(n.target == before.target for n in calls) == 1
        if not once or type(layer) not in (*CONVOLUTIONS, nn.Linear):
            continue
        scale, shift = scale_and_shift(norm)
        weight, transposed = layer.weight, getattr(layer, "transposed", False)
        if transposed:
            by_group = weight.reshape(layer.groups, -1, *weight.shape[1:])
            factor = scale.view(layer.groups, 1, -1, *(1 for _ in weight.shape[2:]))
            weight = (by_group * factor).reshape(weight.shape)
        else:
            weight = weight * scale.view(-1, *(1 for _ in weight.shape[1:]))
        bias = shift if layer.bias is None else layer.bias * scale + shift
        layer.weight, layer.bias = (
            nn.Parameter(t.detach(), requires_grad=False) for t in (weight, bias)
        )
        node.replace_all_uses_with(before)
        traced.graph.erase_node(node)
