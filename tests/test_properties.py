"""Any shape, kind of row and Lp gives the bytes of the slow coder, and the symbols again."""

from collections.abc import Callable

import numpy as np
import pytest
import reference_coder
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

import torchac

SHAPES = st.lists(st.integers(0, 4), max_size=4).map(tuple)
LP = st.one_of(st.integers(2, 40), st.sampled_from([256, 257, 300, 1000, 32768, 32769]))
FEW_ROWS = 64
SEEDS = st.integers(0, 2**32 - 1)
FLOATS = st.sampled_from([torch.float32, torch.float64, torch.float16, torch.bfloat16])


def random_cdf(rng: np.random.Generator, shape: tuple[int, ...], lp: int) -> torch.Tensor:
    """Float64 rows that do not decrease, sharp ones among them, not all from 0 to 1."""
    sharpness = rng.choice([0.1, 1.0, 30.0])
    mass = rng.random((*shape, lp)) ** sharpness * (rng.random((*shape, lp)) < rng.random())
    total = mass.sum(-1, keepdims=True) + 1e-9
    return torch.from_numpy(np.minimum(np.cumsum(mass, -1) / total, 1.0))


def random_symbols(rng: np.random.Generator, cdf: torch.Tensor) -> torch.Tensor:
    return torch.from_numpy(rng.integers(0, cdf.shape[-1] - 1, cdf.shape[:-1]))


def slow_rows(cdf: torch.Tensor, normalize: bool) -> list[list[int]]:
    values = cdf.float() if cdf.dtype is torch.bfloat16 else cdf
    flat = values.numpy().reshape(-1, cdf.shape[-1])
    return [reference_coder.convert(row, normalize) for row in flat]


@given(SHAPES, LP, FLOATS, SEEDS)
def test_normalized_float_rows(
    shape: tuple[int, ...], lp: int, dtype: torch.dtype, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    cdf = random_cdf(rng, shape, lp).to(dtype)
    sym = random_symbols(rng, cdf)
    stream = torchac.encode_float_cdf(cdf, sym)
    rows = slow_rows(cdf, normalize=True)
    assert stream == reference_coder.encode(rows, sym.flatten().tolist())
    decoded = torchac.decode_float_cdf(cdf, stream)
    assert decoded.dtype is torch.int16
    assert torch.equal(decoded.long(), sym)


@given(SHAPES, LP, SEEDS)
def test_integer_rows(shape: tuple[int, ...], lp: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    cdf = torchac.quantize_cdf(random_cdf(rng, shape, lp))
    sym = random_symbols(rng, cdf)
    stream = torchac.encode_int16_normalized_cdf(cdf, sym)
    rows = cdf.numpy().view(np.uint16).reshape(-1, lp).tolist()
    assert stream == reference_coder.encode(rows, sym.flatten().tolist())
    assert torch.equal(torchac.decode_int16_normalized_cdf(cdf, stream).long(), sym)


@given(SHAPES, LP, FLOATS, SEEDS)
def test_rows_without_normalization(
    shape: tuple[int, ...], lp: int, dtype: torch.dtype, seed: int
) -> None:
    """Only symbols that have an interval can be coded: each row takes one that has."""
    rng = np.random.default_rng(seed)
    cdf = random_cdf(rng, shape, lp).to(dtype) * 0.99  # 1 would wrap
    rows = slow_rows(cdf, normalize=False)
    sym = [rng.choice(np.flatnonzero(np.diff([*row[:-1], 65536]) > 0)) for row in rows]
    tensor = torch.tensor(np.array(sym), dtype=torch.int16).reshape(shape)
    stream = torchac.encode_float_cdf(cdf, tensor, needs_normalization=False)
    assert stream == reference_coder.encode(rows, sym)
    assert torch.equal(torchac.decode_float_cdf(cdf, stream, False), tensor)


@given(st.integers(2, 9), SEEDS)
def test_rows_that_no_one_should_use(lp: int, seed: int) -> None:
    """Rows that wrap, decrease and leave [0, 1] code by their intervals, as the format says.

    Calls with few rows refuse those that decrease; here are too many for a cheap check.
    """
    rng = np.random.default_rng(seed)
    scale = 10.0 ** rng.integers(-2, 12)
    cdf = torch.from_numpy(rng.normal(size=(100, lp)) * scale).float()
    rows = slow_rows(cdf, normalize=True)
    symbols = [owning_symbols(row) for row in rows]
    good = [i for i, owning in enumerate(symbols) if owning]
    assume(len(good) > FEW_ROWS)
    cdf, rows = cdf[good], [rows[i] for i in good]
    sym = [int(rng.choice(symbols[i])) for i in good]
    stream = torchac.encode_float_cdf(cdf, torch.tensor(sym))
    assert stream == reference_coder.encode(rows, sym)
    assert torchac.decode_float_cdf(cdf, stream).tolist() == sym


def owning_symbols(row: list[int]) -> list[int]:
    """The symbols that have an interval in which no later symbol starts."""
    intervals = [reference_coder.interval(row, s) for s in range(len(row) - 1)]
    starts = [low for low, _ in intervals]
    return [
        s
        for s, (low, high) in enumerate(intervals)
        if low < high and all(start >= high for start in starts[s + 1 :])
    ]


@given(st.integers(2, 9), SEEDS)
def test_a_row_that_decreases_is_refused_when_encoding_and_when_decoding(
    lp: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    cdf = torch.from_numpy(rng.uniform(size=(1, lp))).float()
    (row,) = slow_rows(cdf, normalize=True)
    decreases = any(np.diff(row[:-1]) < 0)
    first = torch.tensor([0])
    assert refused(lambda: torchac.encode_float_cdf(cdf, first)) == decreases
    assert refused(lambda: torchac.decode_float_cdf(cdf, b"\0" * 9)) == decreases
    assert refused(lambda: torchac.decode_float_cdf(cdf, b"\0" * 9, index=first)) == decreases
    assert refused(lambda: torchac.estimate_bits(cdf, first)) == decreases


def refused(call: Callable[[], object]) -> bool:
    """Whether the call is refused because a row decreases, and not because of a symbol."""
    try:
        call()
    except ValueError as error:
        return "expected rows that do not decrease" in str(error)
    return False


VIEWS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "permuted": lambda cdf: cdf.permute(2, 0, 1, 3),
    "sliced": lambda cdf: cdf[::2, 1:, ::3],
    "values apart": lambda cdf: cdf[..., ::2],
    "values far apart": lambda cdf: cdf.permute(3, 0, 1, 2).contiguous().permute(1, 2, 3, 0),
    "expanded outside": lambda cdf: cdf[:1].expand(7, 4, 5, 12),
    "expanded inside": lambda cdf: cdf[:, :, 2:3].expand(3, 4, 6, 12),
}


@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS.keys())
@given(SEEDS)
def test_layouts_are_read_in_place(view: Callable[[torch.Tensor], torch.Tensor], seed: int) -> None:
    """Views code as their contiguous copies do."""
    rng = np.random.default_rng(seed)
    cdf = random_cdf(rng, (3, 4, 5), 12).float()
    rows, integers = view(cdf), view(torchac.quantize_cdf(cdf))
    sym = random_symbols(rng, rows)
    apart = torch.stack([sym, sym], -1)[..., 0]

    stream = torchac.encode_float_cdf(rows, apart)
    assert stream == torchac.encode_float_cdf(rows.contiguous(), sym)
    assert torch.equal(torchac.decode_float_cdf(rows, stream).long(), sym)

    stream = torchac.encode_int16_normalized_cdf(integers, apart)
    assert stream == torchac.encode_int16_normalized_cdf(integers.contiguous(), sym)
    assert torch.equal(torchac.decode_int16_normalized_cdf(integers, stream).long(), sym)


@pytest.mark.parametrize(
    "name", ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"]
)
def test_symbols_of_any_integer_dtype(name: str) -> None:
    dtype = getattr(torch, name, None)
    if dtype is None:
        pytest.skip(f"this release of torch has no {name}")
    cdf = torch.linspace(0, 1, 101).expand(100, 101)
    sym = torch.arange(100)
    stream = torchac.encode_float_cdf(cdf, sym.to(dtype))
    assert torch.equal(torchac.decode_float_cdf(cdf, stream).long(), sym)


@given(SEEDS)
def test_a_prefix_decodes_from_a_longer_stream(seed: int) -> None:
    rng = np.random.default_rng(seed)
    cdf = random_cdf(rng, (12,), 20)
    sym = random_symbols(rng, cdf)
    stream = torchac.encode_float_cdf(cdf, sym)
    for n in range(13):
        assert torch.equal(torchac.decode_float_cdf(cdf[:n], stream + b"tail").long(), sym[:n])
