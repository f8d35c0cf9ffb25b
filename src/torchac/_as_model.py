"""The model that an argument is or stands for, and what is decoded with it."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import torch
from torch.distributions import Distribution, MixtureSameFamily

from torchac import _distributions
from torchac._tensors import Array, NDArray, like
from torchac.categorical import Bernoulli, Categorical
from torchac.models import Laplace, Mixture, Model, Normal

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


def as_model(model: Any) -> Model | None:
    """The model that an argument is or stands for; None if it is a CDF."""
    if isinstance(model, Model):
        return model
    if isinstance(model, (torch.Tensor, np.ndarray)):
        return None
    its_model = _of_torch(model)
    if its_model is not None:
        return its_model
    kind, advice = type(model).__name__, ""
    if isinstance(model, Distribution):
        base = next((one for one in _TAKEN if isinstance(model, one)), None)
        if base is not None and type(model) is not base:
            kind += f", a subclass of {base.__name__}"
        advice = f"; {_way_out(model)}"
    raise TypeError(
        f"the model is of type {kind}: expected a model of torchac, a CDF, or a "
        "Normal, Laplace, MixtureSameFamily, Categorical or Bernoulli of torch.distributions"
        f"{advice}"
    )


def _of_torch(model: Any) -> Model | None:
    """The model of a distribution of torch, if it is one of those that are taken."""
    kind = type(model)
    if kind in _LOCATION_SCALE:
        return _LOCATION_SCALE[kind](model.loc, model.scale)
    if kind in _CATEGORIES:
        return _CATEGORIES[kind](logits=_logits(model))
    if kind is MixtureSameFamily:
        weights, parts = model.mixture_distribution, model.component_distribution
        components = _of_torch(parts) if type(parts) in _LOCATION_SCALE else None
        if components is not None and type(weights) is torch.distributions.Categorical:
            # torch makes the same of the same logits, as softmax takes each row alone.
            return Mixture(copy.copy(weights).probs, components)
    return None


def _logits(distribution: Any) -> torch.Tensor:
    """The logits that it was given, or those that torch makes of its probabilities.

    They are always taken: once it has both, and was expanded, nobody can tell which were given. And
    torch makes the same logits of the same probabilities, whatever their shape and layout.
    """
    _distributions.check_probs(distribution)
    logits: torch.Tensor = copy.copy(distribution).logits  # the copy keeps them
    return logits


def _way_out(distribution: Distribution) -> str:
    """What to code with instead."""
    base: Any = distribution
    name = "distribution"
    while isinstance(base, torch.distributions.Independent):
        base, name = base.base_dist, f"{name}.base_dist"
    if _of_torch(base) is not None:
        return f"{name} is one of them"
    return _distributions.way_out(distribution)


def model_or_cdf(model: Any) -> Model | Array:
    """The model that an argument is or stands for, or the CDF that it is."""
    its_model = as_model(model)
    cdf: Array = model
    return cdf if its_model is None else its_model


def as_decoded(model: Model | Array, values: NDArray) -> Any:
    """Decoded values or symbols as int32, where the arrays of the model or the CDF are."""
    values = values.astype(np.int32, copy=False)
    return model._like(values) if isinstance(model, Model) else like(values, model)
