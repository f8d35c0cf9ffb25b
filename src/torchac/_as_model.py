"""The model that an argument is or stands for, and what is decoded with it."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch.distributions import Distribution

from torchac._tensors import Array, NDArray, like
from torchac.categorical import Bernoulli, Categorical
from torchac.models import Laplace, Mixture, Model, Normal


def as_model(model: Any) -> Model | None:
    """The model that an argument is or stands for; None if it is a CDF."""
    if isinstance(model, Model):
        return model
    if isinstance(model, (torch.Tensor, np.ndarray)):
        return None
    if isinstance(model, torch.distributions.Normal):
        return Normal(model.loc, model.scale)
    if isinstance(model, torch.distributions.Laplace):
        return Laplace(model.loc, model.scale)
    if isinstance(model, torch.distributions.MixtureSameFamily):
        components = as_model(model.component_distribution)
        assert components is not None
        return Mixture(model.mixture_distribution.probs, components)
    if isinstance(model, torch.distributions.Categorical):
        return Categorical(**_given(model))
    if isinstance(model, torch.distributions.Bernoulli):
        return Bernoulli(**_given(model))
    advice = (
        "; torchac.tabulate(distribution, low, high) makes one of it"
        if isinstance(model, Distribution)
        else ""
    )
    raise TypeError(
        f"the model is of type {type(model).__name__}: expected a model of torchac, a CDF, or a "
        "Normal, Laplace, MixtureSameFamily, Categorical or Bernoulli of torch.distributions"
        f"{advice}"
    )


def model_or_cdf(model: Any) -> Model | Array:
    """The model that an argument is or stands for, or the CDF that it is."""
    its_model = as_model(model)
    cdf: Array = model
    return cdf if its_model is None else its_model


def as_decoded(model: Model | Array, values: NDArray) -> Any:
    """Decoded values or symbols as int32, where the arrays of the model or the CDF are."""
    values = values.astype(np.int32, copy=False)
    return model._like(values) if isinstance(model, Model) else like(values, model)


def _given(distribution: Any) -> dict[str, torch.Tensor]:
    """What it was made of. The other one is computed, and not the same on every machine."""
    parameter = distribution._param
    return {"logits" if parameter is vars(distribution).get("logits") else "probs": parameter}
