"""The model that an argument is or stands for."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch.distributions import Distribution

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


def _given(distribution: Any) -> dict[str, torch.Tensor]:
    """What it was made of. The other one is computed, and not the same on every machine."""
    parameter = distribution._param
    return {"logits" if parameter is vars(distribution).get("logits") else "probs": parameter}
