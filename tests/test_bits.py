"""The cost of symbols, and the lengths of streams."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from test_tables import KINDS, encode, tables

import torchac


@pytest.mark.parametrize("kind", KINDS)
@given(st.integers(0, 3000), st.sampled_from([2, 3, 17, 257]), st.integers(0, 2**32 - 1))
def test_streams_are_as_long_as_estimated(kind: str, count: int, lp: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    cdf = tables(rng, kind, 20, lp)
    index = torch.from_numpy(rng.integers(0, 20, count))
    sym = torch.from_numpy(rng.integers(0, lp - 1, count))
    bits = torchac.estimate_bits(cdf, sym, index=index)
    assert bits.dtype is torch.float64
    assert bits.shape == sym.shape
    assert bits.equal(torchac.estimate_bits(cdf[index], sym))
    coded = 8 * len(encode(cdf, sym, index))
    assert abs(coded - bits.sum().item()) <= 16 + 1e-4 * bits.sum().item()


def test_the_formula() -> None:
    cdf = torch.tensor([[0, 100, 200 - 65536, -65536 + 65535, 0]], dtype=torch.int32).to(
        torch.int16
    )
    values = [0, 100, 200, 65535, 65536]
    for symbol in range(4):
        bits = torchac.estimate_bits(cdf, torch.tensor([symbol]))
        assert bits.item() == 16 - math.log2(values[symbol + 1] - values[symbol])


def test_uint16_rows_cost_what_int16_rows_cost() -> None:
    if not hasattr(torch, "uint16"):
        pytest.skip("this release of torch has no uint16")
    cdf = torchac.quantize_cdf(torch.linspace(0, 1, 9).expand(8, 9) ** 2)
    sym = torch.arange(8)
    for index in (None, 7 - sym):
        bits = torchac.estimate_bits(cdf.view(torch.uint16), sym, index=index)
        assert bits.equal(torchac.estimate_bits(cdf, sym, index=index))


def test_rows_without_normalization() -> None:
    cdf = torch.tensor([0.0, 0.125, 0.5, 1.0]).expand(3, 4)
    bits = torchac.estimate_bits(cdf, torch.tensor([0, 1, 2]), needs_normalization=False)
    assert bits.tolist() == [3, 16 - math.log2(24576), 1]


def test_what_cannot_be_coded_is_refused_in_the_same_words() -> None:
    cdf = torch.tensor([[0.0, 0.5, 0.5, 1.0]]).expand(2, 4)
    with pytest.raises(ValueError, match=r"^symbol 3 at index \(1,\) is outside the alphabet"):
        torchac.estimate_bits(cdf, torch.tensor([0, 3]))
    with pytest.raises(ValueError, match=r"^symbol 1 at index \(1,\) has an empty interval"):
        torchac.estimate_bits(cdf, torch.tensor([0, 1]), needs_normalization=False)
    with pytest.raises(ValueError, match=r"^shape of sym \(1,\) must match"):
        torchac.estimate_bits(cdf, torch.tensor([0]))
    with pytest.raises(ValueError, match=r"^index 5 at index \(0,\) is out of range"):
        torchac.estimate_bits(cdf, torch.tensor([0]), index=torch.tensor([5]))
