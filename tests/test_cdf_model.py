"""A CDF is a model: what other models do, its model does with the same streams and errors."""

import copy
import pickle
from typing import Any

import numpy as np
import pytest
import torch

import torchac
from torchac.models._from_argument import to_model

CDF = torch.rand(3, 4, 9, generator=torch.Generator().manual_seed(1)).cumsum(-1)
CDF = torch.nn.functional.pad(CDF / CDF[..., -1:], (1, 0))
SYM = torch.arange(12).view(3, 4) % 9
CDFS: dict[str, Any] = {
    "floats": CDF,
    "float16": CDF.half(),
    "integers": torchac.quantize_cdf(CDF),
    "arrays": CDF.numpy(),
}


@pytest.mark.parametrize("name", CDFS)
def test_a_cdf_is_a_model(name: str) -> None:
    cdf = CDFS[name]
    model = to_model(cdf)
    assert isinstance(model, torchac.models.Model)
    assert (model.shape, model.bounds) == ((3, 4), (0, 8))
    assert repr(model) == "CdfModel(shape=(3, 4))"
    stream = torchac.encode(cdf, SYM)
    again = pickle.loads(pickle.dumps(model))
    for same in (model, model.tabulate(), copy.deepcopy(model), again):
        assert torchac.encode(same, SYM) == stream
        decoded = torchac.decode(same, stream)
        assert isinstance(decoded, type(cdf))
        assert np.array_equal(decoded, SYM)
    expanded, more = model.expand(2, 3, 4), SYM.expand(2, 3, 4)
    assert torchac.decode(expanded, torchac.encode(model, more)).tolist() == more.tolist()
    some = torch.tensor([2, 0])
    assert torchac.encode(model.select(some), SYM[some]) == torchac.encode(cdf[some], SYM[some])


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
