"""Shared tables give the bytes of gathered rows, without gathering them."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import torchac

KINDS = ["float32", "float64", "float16", "bfloat16", "int16"]


def tables(rng: np.random.Generator, kind: str, count: int, lp: int) -> torch.Tensor:
    """Rows from flat to sharp."""
    mass = rng.random((count, lp - 1)) ** rng.choice([1, 8, 40], (count, 1)) + 1e-9
    cdf = torch.zeros(count, lp, dtype=torch.float64)
    cdf[:, 1:] = torch.from_numpy(np.cumsum(mass / mass.sum(-1, keepdims=True), -1)).clamp(max=1)
    return torchac.quantize_cdf(cdf) if kind == "int16" else cdf.to(getattr(torch, kind))


def encode(cdf: torch.Tensor, sym: torch.Tensor, index: torch.Tensor | None = None) -> bytes:
    if cdf.dtype is torch.int16:
        return torchac.encode_int16_normalized_cdf(cdf, sym, index=index)
    return torchac.encode_float_cdf(cdf, sym, check_input_bounds=True, index=index)


def decode(cdf: torch.Tensor, stream: bytes, index: torch.Tensor | None = None) -> torch.Tensor:
    if cdf.dtype is torch.int16:
        return torchac.decode_int16_normalized_cdf(cdf, stream, index=index)
    return torchac.decode_float_cdf(cdf, stream, index=index)


@pytest.mark.parametrize("kind", KINDS)
@given(
    shape=st.lists(st.integers(0, 9), max_size=3).map(tuple),
    count=st.integers(1, 6),
    lp=st.one_of(st.integers(2, 20), st.sampled_from([257, 1001, 5000])),
    seed=st.integers(0, 2**32 - 1),
)
def test_bytes_of_gathered_rows(
    kind: str, shape: tuple[int, ...], count: int, lp: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    cdf = tables(rng, kind, count, lp)
    index = torch.from_numpy(rng.integers(0, count, shape))
    sym = torch.from_numpy(rng.integers(0, lp - 1, shape))
    stream = encode(cdf, sym, index)
    assert stream == encode(cdf[index], sym)
    for rows, its_index in ((cdf, index), (cdf[index], None)):
        decoded = decode(rows, stream, its_index)
        assert decoded.shape == shape
        assert decoded.long().equal(sym)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int16, torch.int32, torch.int64])
def test_indices_of_any_dtype_and_layout(dtype: torch.dtype) -> None:
    rng = np.random.default_rng(1)
    cdf = tables(rng, "float32", 5, 30)[:, ::2]
    index = torch.from_numpy(rng.integers(0, 5, (40, 30))).to(dtype).T
    sym = torch.from_numpy(rng.integers(0, 14, (30, 40)))
    stream = encode(cdf, sym, index)
    assert stream == encode(cdf[index.long()], sym)
    assert decode(cdf, stream, index).long().equal(sym)


def test_tables_that_decrease_are_refused() -> None:
    """Padding a shorter table with zeros makes one: its last symbol would overlap all others."""
    cdf = torch.tensor([[0, 9, 99, 0], [0, 20000, 0, 0]], dtype=torch.int16)
    message = r"^CDF value 0 at index \(1, 2\) converts to 0 of 65536, less than .* 20000, "
    for count in (1, 50):
        index = torch.ones(count, dtype=torch.int64)
        with pytest.raises(ValueError, match=message):
            encode(cdf, torch.zeros(count, dtype=torch.int64), index)
        with pytest.raises(ValueError, match=message):
            decode(cdf, b"\0" * 9, index)
        with pytest.raises(ValueError, match=message):
            torchac.estimate_bits(cdf, torch.zeros(count, dtype=torch.int64), index=index)


@pytest.mark.parametrize("count", [2, 1000])
def test_a_symbol_without_an_interval_is_named(count: int) -> None:
    """The symbol is named for few symbols, and for many, which prepare the tables."""
    cdf = torch.tensor([[0, 9, 99, 0], [0, 20000, 20000, 0]], dtype=torch.int16)
    sym = torch.zeros(count, dtype=torch.int64)
    sym[-1] = 1
    message = rf"^symbol 1 at index \({count - 1},\) has an empty interval, from 20000 to 20000 "
    with pytest.raises(ValueError, match=message):
        encode(cdf, sym, torch.ones_like(sym))


def test_tables_of_a_batch_that_share_memory_but_not_the_alphabet() -> None:
    """A valid table of three symbols may be invalid as a table of four."""
    cdf = torch.tensor([[0, 9, 99, 1, 0]], dtype=torch.int16).repeat(3, 1)
    sym = index = torch.zeros(20, dtype=torch.int64)
    tables, items = [cdf[:, :4], cdf], [sym, sym]
    for check in (False, True):
        with pytest.raises(ValueError, match=r"^item 1: CDF value 1 at index \(0, 3\)"):
            torchac.encode_batch(tables, items, index=[index, index], check=check)


def test_factorized_prior_with_a_table_per_channel() -> None:
    """Latents (B, C, H, W) of an image codec: one table for each channel."""
    rng = np.random.default_rng(2)
    channels, lp = 192, 65
    cdf = tables(rng, "float32", channels, lp)
    index = torch.arange(channels).view(1, -1, 1, 1).expand(2, channels, 32, 48)
    sym = torch.from_numpy(rng.binomial(lp - 2, 0.5, index.shape))
    stream = encode(cdf, sym, index)
    assert stream == encode(cdf[index], sym)
    assert decode(cdf, stream, index).long().equal(sym)


def test_gaussian_conditional_with_64_scales() -> None:
    """Latents whose scale is one of 64, known for each position."""
    scales = torch.logspace(-1, 1.8, 64)
    edges = torch.arange(-128.5, 128)
    cdf = torch.special.ndtr(edges / scales[:, None])
    cdf[:, 0], cdf[:, -1] = 0, 1
    index = torch.randint(64, (320, 16, 24))
    noise = torch.randn(index.shape) * scales[index]
    sym = noise.round().clamp(-128, 127).long() + 128
    stream = encode(cdf, sym, index)
    assert stream == encode(cdf[index], sym)
    assert decode(cdf, stream, index).long().equal(sym)


CDF = torch.linspace(0, 1, 5).expand(3, 5)
SYM = torch.tensor([0, 1])


@pytest.mark.parametrize("number", [3, -1])
def test_index_out_of_range(number: int) -> None:
    message = rf"^index {number} at index \(1,\) is out of range: 3 tables allow 0 … 2$"
    index = torch.tensor([0, number])
    with pytest.raises(ValueError, match=message):
        encode(CDF, SYM, index)
    with pytest.raises(ValueError, match=message):
        decode(CDF, b"stream", index)


def test_index_of_another_shape() -> None:
    message = r"^shape of sym \(2,\) must match the index: expected \(3,\)$"
    with pytest.raises(ValueError, match=message):
        encode(CDF, SYM, torch.tensor([0, 1, 2]))


def test_index_that_is_no_integer() -> None:
    with pytest.raises(ValueError, match=r"^index has dtype torch.float32: expected int8, "):
        encode(CDF, SYM, torch.zeros(2))


def test_tables_of_other_dimensions() -> None:
    message = r"^cdf_float has shape \(1, 3, 5\): expected \(K, Lp\), K tables, with index$"
    with pytest.raises(ValueError, match=message):
        encode(CDF[None], SYM, SYM)


def test_index_on_another_device() -> None:
    message = "^index is on meta and cdf_float on cpu: expected one device$"
    with pytest.raises(ValueError, match=message):
        encode(CDF, SYM, SYM.to("meta"))


def test_faults_of_tables_are_named() -> None:
    cdf = CDF.clone()
    cdf[2, 1] = torch.nan
    message = r"^CDF value nan at index \(2, 1\) cannot be converted"
    with pytest.raises(ValueError, match=message):
        torchac.encode_float_cdf(cdf, SYM, index=torch.tensor([0, 2]))
    assert torchac.encode_float_cdf(cdf, SYM, index=torch.tensor([0, 1]))  # not touched
    with pytest.raises(ValueError, match=message):
        torchac.encode_float_cdf(cdf, SYM, index=torch.tensor([0, 1]), check_input_bounds=True)


def test_many_symbols_in_one_bucket_of_a_lookup_table() -> None:
    """Each third symbol has 1 of 65536, so that its quantile is a border; the others have 0."""
    row = torch.zeros(302)
    row[1:-1] = torch.arange(5000, 5100).repeat_interleave(3)
    sym = torch.arange(3, 303, 3, dtype=torch.int16).repeat(40)
    index = torch.zeros(len(sym), dtype=torch.int16)
    before = torchac._core.paths()["decode lookup table"]
    tables = row.to(torch.int16)[None]
    assert decode(tables, encode(tables, sym, index), index).equal(sym)
    assert torchac._core.paths()["decode lookup table"] == before + 1
