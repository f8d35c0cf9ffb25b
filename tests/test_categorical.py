"""Categories: rows, streams and costs as docs/format.md defines them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import reference_categories as reference
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import torchac

SIZES = st.one_of(
    st.integers(1, 40), st.sampled_from([255, 256, 257, 258, 321, 4096, 4097, 4161, 9000])
)


@given(SIZES, st.booleans(), st.sampled_from([0.1, 4.0, 60.0]), st.integers(0, 2**32), st.data())
@settings(max_examples=150)
def test_categories_are_those_of_the_definition(
    categories: int, logits: bool, spread: float, seed: int, data: st.DataObject
) -> None:
    random = np.random.default_rng(seed)
    numbers = random.normal(size=(2, categories)) * spread
    numbers[random.random(numbers.shape) < 0.1] = -np.inf
    numbers[:, random.integers(categories)] = spread
    if not logits:
        numbers = np.exp(numbers - numbers.max())
    values = [data.draw(st.integers(0, categories - 1)) for _ in range(2)]
    model: Any = torchac.Categorical(**{"logits" if logits else "probs": numbers})
    stream = torchac.encode(model, np.array(values))
    assert stream == reference.encode(numbers.tolist(), values, logits=logits)
    assert torchac.decode(model, stream).tolist() == values


@pytest.mark.parametrize("logits", [True, False])
@given(st.lists(st.one_of(st.floats(0, 1), st.sampled_from([0.0, 1.0, 2.0**-60])), min_size=1))
def test_bernoulli_is_that_of_the_definition(logits: bool, numbers: list[float]) -> None:
    values = [i % 2 for i in range(len(numbers))]
    if logits:
        numbers = [20 * number - 10 for number in numbers]
    rows = [reference.bernoulli(number, logits=logits) for number in numbers]
    model: Any = torchac.Bernoulli(
        **{"logits" if logits else "probs": torch.tensor(numbers).double()}
    )
    stream = torchac.encode(model, torch.tensor(values, dtype=torch.bool))
    assert stream == reference.encode(rows, values, logits=logits)
    assert torchac.decode(model, stream).tolist() == values
