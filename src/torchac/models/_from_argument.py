"""Turns an argument of a public function into a model."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch.distributions import Distribution, MixtureSameFamily

from torchac import _checks
from torchac._tensors import ANY_ROWS
from torchac.errors import naming_items
from torchac.models import _distributions
from torchac.models._base import Model
from torchac.models._categorical import Bernoulli, Categorical
from torchac.models._cdf import CdfModel, cdf_model
from torchac.models._parametric import Laplace, Mixture, Normal

# A subclass may be another distribution.
_LOCATION_SCALE: dict[Any, type[Normal | Laplace]] = {
    torch.distributions.Normal: Normal,
    torch.distributions.Laplace: Laplace,
}
_CATEGORIES: dict[Any, type[Categorical | Bernoulli]] = {
    torch.distributions.Categorical: Categorical,
    torch.distributions.Bernoulli: Bernoulli,
}
_TAKEN = (*_LOCATION_SCALE, MixtureSameFamily, *_CATEGORIES)


def to_model(
    argument: Any,
    normalize: Any = True,
    check: bool = False,
    clamp: bool = False,
    strict: bool = False,
) -> Model:
    """The model that an argument is or stands for. The options apply to a CDF."""
    if type(argument) is not torch.Tensor and not isinstance(argument, np.ndarray):
        model = argument if isinstance(argument, Model) else _of_torch(argument)
        if model is not None:
            if clamp:
                raise _no_clamp()
            return model
        if not isinstance(argument, torch.Tensor):
            raise _wrong_type(argument)
    return cdf_model(argument, normalize, check, clamp, strict)


def to_models(
    argument: Any, normalize: Any, check: bool = False, clamp: bool = False
) -> Model | list[Model]:
    """The model of a batch, or a list of models if the argument is a sequence."""
    if not isinstance(argument, Sequence):
        return to_model(argument, normalize, check, clamp, strict=True)
    _checks.check_batch("cdf", argument)
    each = list(argument)
    if any(isinstance(one, (Model, Distribution)) for one in each):
        if clamp:
            raise _no_clamp()
        with naming_items(each) as named:
            return [_no_cdf(one) for one in named]
    cdfs: dict[int, CdfModel] = {}  # items that share a CDF share its model
    with naming_items(each) as named:
        for cdf in named:
            model = cdfs.setdefault(id(cdf), cdf_model(cdf, normalize, check, clamp, strict=True))
            if ANY_ROWS[model.cdf.dtype] != ANY_ROWS[cdfs[id(each[0])].cdf.dtype]:
                raise ValueError(
                    f"cdf has dtype {cdf.dtype}: expected {each[0].dtype}, as item 0 has"
                )
    return [cdfs[id(cdf)] for cdf in each]


def _no_cdf(argument: Any) -> Model:
    if isinstance(argument, (torch.Tensor, np.ndarray)):
        raise TypeError(f"a CDF of type {type(argument).__name__} among models: use Tables")
    return to_model(argument)


def _no_clamp() -> ValueError:
    return ValueError("clamp is for symbols of a CDF: with a model, clamp the values yourself")


def _wrong_type(argument: Any) -> TypeError:
    kind, advice = type(argument).__name__, ""
    if isinstance(argument, Distribution):
        base = next((one for one in _TAKEN if isinstance(argument, one)), None)
        if base is not None and type(argument) is not base:
            kind += f", a subclass of {base.__name__}"
        advice = f"; {_way_out(argument)}"
    return TypeError(
        f"the model is of type {kind}: expected a model of torchac, a CDF, or a "
        "Normal, Laplace, MixtureSameFamily, Categorical or Bernoulli of torch.distributions"
        f"{advice}"
    )


def _of_torch(model: Any) -> Model | None:
    """The model of a distribution of torch, if it is supported."""
    kind = type(model)
    if kind in _LOCATION_SCALE:
        return _LOCATION_SCALE[kind](model.loc, model.scale)
    if kind in _CATEGORIES:
        return _CATEGORIES[kind](logits=_logits(model))
    if kind is MixtureSameFamily:
        weights, parts = model.mixture_distribution, model.component_distribution
        components = _of_torch(parts) if type(parts) in _LOCATION_SCALE else None
        if components is not None and type(weights) is torch.distributions.Categorical:
            # The same logits give the same probabilities, because softmax takes each row alone.
            return Mixture(copy.copy(weights).probs, components)
    return None


def _logits(distribution: Any) -> torch.Tensor:
    """The logits that it was given, or those that torch computes from its probabilities.

    Logits are always used: after it has computed both and was expanded, nothing tells which were
    given. Torch computes the same logits from the same probabilities, whatever their shape and
    layout.
    """
    _distributions.check_probs(distribution)
    logits: torch.Tensor = copy.copy(distribution).logits  # the copy keeps them
    return logits


def _way_out(distribution: Distribution) -> str:
    """Advice on what to code with instead."""
    base: Any = distribution
    name = "distribution"
    while isinstance(base, torch.distributions.Independent):
        base, name = base.base_dist, f"{name}.base_dist"
    if _of_torch(base) is not None:
        return f"{name} is one of them"
    return _distributions.way_out(distribution)
