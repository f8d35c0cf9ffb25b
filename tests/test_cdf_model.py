"""Arguments become models: a CDF too, which test_every_model.py tests as all others."""

from typing import Any

import pytest
import torch

import torchac
from torchac.models._from_argument import to_model

CDF = torch.linspace(0, 1, 10).expand(3, 4, 10)
CDFS: list[Any] = [CDF, CDF.half(), torchac.quantize_cdf(CDF), CDF.numpy()]


@pytest.mark.parametrize("cdf", CDFS, ids=["floats", "float16", "integers", "arrays"])
def test_a_cdf_is_a_model(cdf: Any) -> None:
    model = to_model(cdf)
    assert isinstance(model, torchac.models.Model)
    assert (model.shape, model.bounds) == ((3, 4), (0, 8))
    assert repr(model) == "CdfModel(shape=(3, 4))"


def test_models_of_all_kinds_have_one_way_to_be_coded() -> None:
    """The model of an argument is never None."""
    normal = torchac.Normal(0.0, 1.0)
    assert to_model(normal) is normal
    assert isinstance(to_model(torch.distributions.Normal(0.0, 1.0)), torchac.Normal)
    with pytest.raises(TypeError, match=r"^the model is of type NoneType: expected a model of "):
        to_model(None)


@pytest.mark.parametrize("name", torchac.models.__all__)
def test_models_are_pickled_by_their_public_name(name: str) -> None:
    assert getattr(torchac.models, name).__module__ == "torchac.models"
