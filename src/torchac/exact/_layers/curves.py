"""Rules for functions that are computed by tables."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from torchac.exact._layers.registry import FUNCTIONS, METHODS, MODULES, Converter, Rule, Value
from torchac.exact._operations.tables import tabulate


def curve(function: Callable[..., torch.Tensor], *, ramp: bool) -> Rule:
    """A rule for a function by its table."""

    def rule(c: Converter, input: Value, *args: Any, **kwargs: Any) -> Value:  # noqa: A002
        kwargs.pop("inplace", None)
        ends = torch.tensor([-16.0, 16.0], dtype=torch.float64)
        far = ends * 4
        y, there = function(ends, *args, **kwargs), function(far, *args, **kwargs)
        straight = far.clamp(min=0) - ends.clamp(min=0) if ramp else 0.0
        if not bool(((there - y - straight).abs() < 1e-5).all()):
            raise c.refused("it is not straight beyond -16 and 16: take its default settings")
        return c.emit(tabulate(lambda x: function(x, *args, **kwargs), ramp=ramp), input)

    return rule


for _name, _function, _ramp, _class in (
    ("sigmoid", torch.sigmoid, False, nn.Sigmoid),
    ("tanh", torch.tanh, False, nn.Tanh),
    ("silu", functional.silu, True, nn.SiLU),
    ("gelu", functional.gelu, True, nn.GELU),
    ("softplus", functional.softplus, True, nn.Softplus),
):
    _rule = curve(_function, ramp=_ramp)
    FUNCTIONS[_function] = FUNCTIONS[getattr(functional, _name)] = _rule
    METHODS[_name] = METHODS[f"{_name}_"] = _rule
    MODULES[_class] = lambda c, module, x, ramp=_ramp: curve(module, ramp=ramp)(c, x)
