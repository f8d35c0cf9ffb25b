"""Rows from probabilities: valid whatever the arguments, and holding what they should."""

import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import torchac
from torchac import cdf

INF, NAN = math.inf, math.nan

needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU here")
DEVICES = ["cpu", pytest.param("cuda", marks=needs_cuda)]


def check(rows: torch.Tensor, shape: tuple[int, ...], symbols: int, dtype: torch.dtype) -> None:
    """The rows are what was promised, and every symbol of every row can be coded."""
    assert rows.shape == (*shape, symbols + 1)
    assert rows.dtype is (torch.float64 if dtype is torch.float64 else torch.float32)
    assert (rows[..., 0] == 0).all()
    assert (rows[..., -1] == 1).all()
    assert (rows.diff() >= 0).all()
    sym = torch.arange(symbols, dtype=torch.int16).expand(*shape, symbols)
    each = rows[..., None, :].expand(*sym.shape, -1)
    stream = torchac.encode_float_cdf(each, sym, check_input_bounds=True)
    assert torchac.decode_float_cdf(each, stream).equal(sym)


# Whatever the parameters

DTYPES = st.sampled_from([torch.float16, torch.bfloat16, torch.float32, torch.float64])
WILD = st.one_of(
    st.floats(allow_nan=False),
    st.floats(-20, 20),
    st.integers(-9, 9).map(lambda i: i / 2),
    st.sampled_from([0.0, -0.0, INF, -INF, 5e-324, 1e-45, 1e30, -1e300]),
)
MASSES = st.one_of(
    st.floats(0, allow_nan=False, allow_infinity=False),
    st.floats(0, 1),
    st.sampled_from([0.0, -0.0, 5e-324, 1e-45, 1e308]),
)


def tensor(values: list[Any], dtype: torch.dtype) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64).to(dtype)


def not_inf(values: list[float], dtype: torch.dtype) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64).clamp(max=torch.finfo(dtype).max).to(dtype)


@given(st.lists(MASSES, min_size=1, max_size=40), DTYPES)
def test_any_masses(values: list[float], dtype: torch.dtype) -> None:
    masses = not_inf(values, dtype)
    for function in (cdf.from_pmf, cdf.from_counts):
        if masses.double().any():
            check(function(masses), (), len(values), dtype)
        else:
            with pytest.raises(ValueError, match=r"is -?0\.0 at index \(\)"):
                function(masses)


@given(st.lists(WILD.filter(lambda x: x < INF), min_size=1, max_size=40), DTYPES)
def test_any_logits(values: list[float], dtype: torch.dtype) -> None:
    logits = not_inf(values, dtype)
    if (logits.double() > -INF).any():
        check(cdf.from_logits(logits), (), len(values), dtype)
    else:
        with pytest.raises(ValueError, match="is -inf at index"):
            cdf.from_logits(logits)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=9), DTYPES)
def test_any_probability(values: list[float], dtype: torch.dtype) -> None:
    check(cdf.bernoulli(tensor(values, dtype)), (len(values),), 2, dtype)


@pytest.mark.parametrize("symbols", [1, 2, 256, 257, 32768])
def test_any_size_of_the_alphabet(symbols: int) -> None:
    pmf = torch.rand(symbols, generator=torch.Generator().manual_seed(0))
    for rows in (
        cdf.from_pmf(pmf),
        cdf.from_logits(pmf),
        cdf.from_counts((pmf * 1000).long() + 1),
    ):
        assert rows.shape == (symbols + 1,)
        sym = torch.tensor([0, symbols - 1, symbols // 2], dtype=torch.int16)
        stream = torchac.encode_float_cdf(rows.expand(3, -1), sym, check_input_bounds=True)
        assert torchac.decode_float_cdf(rows.expand(3, -1), stream).equal(sym)
        assert rows[0] == 0
        assert rows[-1] == 1


# What the rows hold


def exact_rows(masses: list[float]) -> list[float]:
    """What `from_pmf` computes, in Python's integers and floats."""
    unit = 2.0 ** (62 - (len(masses) - 1).bit_length())
    parts = [int(mass / max(masses) * unit) for mass in masses]
    return [float(sum(parts[:i])) / float(sum(parts)) for i in range(len(masses) + 1)]


@given(st.lists(MASSES, min_size=1, max_size=40).filter(any))
def test_bits_of_rows_from_masses(masses: list[float]) -> None:
    expected = exact_rows(masses)
    values = torch.tensor(masses, dtype=torch.float64)
    assert cdf.from_pmf(values).tolist() == expected
    assert cdf.from_counts(values).tolist() == expected
    if 0 < sum(masses) < INF:
        sums = np.cumsum(np.array(masses) / max(masses))
        np.testing.assert_allclose(expected[1:], sums / sums[-1], rtol=0, atol=1e-13)


@given(st.lists(st.integers(0, 2**40), min_size=1, max_size=40).filter(any))
def test_integer_counts(counts: list[int]) -> None:
    rows = cdf.from_counts(torch.tensor(counts))
    expected = [sum(counts[:i]) / sum(counts) for i in range(len(counts) + 1)]
    assert rows.dtype is torch.float32
    torch.testing.assert_close(rows, torch.tensor(expected), rtol=0, atol=2**-24)


@pytest.mark.parametrize(
    "name", ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"]
)
def test_counts_of_any_integer_dtype(name: str) -> None:
    dtype = getattr(torch, name, None)
    if dtype is None:
        pytest.skip(f"this release of torch has no {name}")
    counts = torch.tensor([1, 0, 3]).to(dtype)
    assert cdf.from_counts(counts).tolist() == [0, 0.25, 0.25, 1]


def test_probabilities_need_not_sum_to_1() -> None:
    pmf = torch.tensor([[0.25, 0.5, 0.25], [3.0, 0.0, 1.0]])
    assert cdf.from_pmf(pmf).tolist() == [[0, 0.25, 0.75, 1], [0, 0.75, 0.75, 1]]


def test_logits_are_what_softmax_takes() -> None:
    logits = torch.randn(5, 30, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    logits[:, 7] = -INF
    expected = logits.softmax(-1).cumsum(-1)
    for shift in (0, -1e4, 1e4):
        rows = cdf.from_logits(logits + shift)
        torch.testing.assert_close(rows[:, 1:], expected, rtol=0, atol=1e-10)


def test_bernoulli() -> None:
    probs = torch.tensor([[0.0, 0.25], [0.9, 1.0]], dtype=torch.float64)
    rows = cdf.bernoulli(probs)
    assert rows[..., 1].equal(1 - probs)


# How they are computed


def every_function(
    n: int, symbols: int, device: str = "cpu"
) -> list[Callable[[slice], torch.Tensor]]:
    """Functions of some of n rows, of the same numbers on every device."""
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(n, symbols, generator=generator)
    pmf, probs = logits.exp().to(device), logits[:, :7].sigmoid().to(device)
    logits = logits.to(device)
    return [
        lambda at: cdf.from_logits(logits[at]),
        lambda at: cdf.from_pmf(pmf[at]),
        lambda at: cdf.from_counts((logits[at] * 9).abs().long() + 1),
        lambda at: cdf.bernoulli(probs[at]),
    ]


@pytest.mark.parametrize("device", DEVICES)
def test_rows_do_not_depend_on_the_batch(device: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An autoregressive decoder computes them one by one, its encoder at once."""
    for function in every_function(70, 257, device):
        rows = function(slice(None))
        assert rows.device.type == device
        assert function(slice(7, None)).equal(rows[7:])
        assert torch.cat([function(slice(i, i + 1)) for i in range(70)]).equal(rows)
        with monkeypatch.context() as few:
            few.setattr(cdf, "_IN_CACHE", 257 * 9)
            few.setattr(cdf, "_ON_DEVICE", 257 * 9)
            assert function(slice(None)).equal(rows)


@needs_cuda
def test_rows_of_another_device() -> None:
    exact = [1, 2, 3]  # the other one may differ, and hardly ever does
    pairs = zip(every_function(300, 257), every_function(300, 257, "cuda"), strict=True)
    for i, (host, device) in enumerate(pairs):
        a, b = host(slice(None)), device(slice(None)).cpu()
        torch.testing.assert_close(a, b, rtol=0, atol=1e-6)
        if i in exact:
            assert a.equal(b)


def test_strided_values() -> None:
    logits = torch.randn(2, 5, 3, 4)
    last = logits.permute(0, 2, 3, 1)
    assert cdf.from_logits(last).equal(cdf.from_logits(last.contiguous()))


def test_dtype_of_the_rows() -> None:
    values = torch.tensor([0.5, 0.25])
    for function in (cdf.from_pmf, cdf.from_logits, cdf.from_counts, cdf.bernoulli):
        for dtype in (torch.float16, torch.bfloat16, torch.float32):
            assert function(values.to(dtype)).dtype is torch.float32
        assert function(values.double()).dtype is torch.float64
    assert cdf.bernoulli(0.1).dtype is torch.float32
    assert cdf.bernoulli(torch.tensor(0.1, dtype=torch.float64))[1] == 1 - 0.1


def test_arguments_are_left_as_they_are() -> None:
    values = torch.rand(2, 5, dtype=torch.float64)
    copy = values.clone()
    for function in (cdf.from_pmf, cdf.from_logits, cdf.from_counts, cdf.bernoulli):
        function(values)
        assert values.equal(copy)


def test_arrays() -> None:
    pmf = np.array([[0.5, 0.25, 0.25], [1, 2, 3]])
    uses: list[tuple[Any, Any]] = [
        (cdf.from_pmf, pmf),
        (cdf.from_logits, pmf.astype(np.float16)),
        (cdf.from_counts, (pmf * 4).astype(np.uint8)),
        (cdf.bernoulli, np.array(0.25, np.float32)),
    ]
    for function, array in uses:
        rows = function(array)
        assert isinstance(rows, np.ndarray)
        expected = function(torch.from_numpy(array))
        assert torch.from_numpy(rows).equal(expected)
        assert torch.from_numpy(rows).dtype is expected.dtype


def test_numbers() -> None:
    bernoulli: Any = cdf.bernoulli
    for number in (0.25, np.float64(0.25), np.float32(0.25)):
        assert bernoulli(number).tolist() == [0, 0.75, 1]
    assert bernoulli(1).tolist() == bernoulli(np.int8(1)).tolist() == [0, 0, 1]


def test_rows_carry_no_gradient() -> None:
    values = torch.ones(2, requires_grad=True)
    for function in (cdf.from_pmf, cdf.from_logits, cdf.from_counts, cdf.bernoulli):
        assert not function(values).requires_grad


# Wrong use


def refused(kind: type[Exception], message: str, function: Callable[..., Any], *args: Any) -> None:
    with pytest.raises(kind, match=f"^{re.escape(message)}$") as caught:
        function(*args)
    assert caught.type is kind


def changed(value: float, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    """Shape (2, 3), with one value changed."""
    values = torch.ones(2, 3, dtype=dtype) / 2
    values[1, 2] = value
    return values


@pytest.mark.parametrize("value", [-0.5, NAN, INF])
@pytest.mark.parametrize("name", ["pmf", "counts"])
def test_mass_that_is_none(name: str, value: float) -> None:
    message = f"{name} is {value} at index (1, 2): expected finite numbers that are not negative"
    refused(ValueError, message, getattr(cdf, f"from_{name}"), changed(value))


def test_count_that_is_negative() -> None:
    message = "counts is -1.0 at index (1,): expected finite numbers that are not negative"
    refused(ValueError, message, cdf.from_counts, torch.tensor([4, -1]))


@pytest.mark.parametrize("value", [NAN, INF])
def test_logit_that_is_none(value: float) -> None:
    message = f"logits is {value} at index (1, 2): expected numbers or -inf"
    refused(ValueError, message, cdf.from_logits, changed(value))


def test_row_without_a_positive_mass() -> None:
    message = "the largest of a row of {} is 0.0 at index (1,): expected more than 0"
    values = torch.tensor([[1.0, 0.0], [0.0, 0.0]])
    refused(ValueError, message.format("pmf"), cdf.from_pmf, values)
    refused(ValueError, message.format("counts"), cdf.from_counts, values.long())
    message = "the largest of a row of logits is -inf at index (1,): expected more than -inf"
    refused(ValueError, message, cdf.from_logits, values.log())


@pytest.mark.parametrize("shape", [(), (0,), (2, 0), (32769,)])
@pytest.mark.parametrize("name", ["pmf", "counts", "logits"])
def test_number_of_symbols(name: str, shape: tuple[int, ...]) -> None:
    message = f"{name} has shape {shape}: expected (…, L) with 1 <= L <= 32768"
    refused(ValueError, message, getattr(cdf, f"from_{name}"), torch.ones(shape))


@pytest.mark.parametrize("value", [-0.5, 1.5, NAN])
def test_probability_outside_0_and_1(value: float) -> None:
    message = f"probs is {value} at index (1, 2): expected numbers in [0, 1]"
    refused(ValueError, message, cdf.bernoulli, changed(value))


def test_number_that_is_no_probability() -> None:
    message = "probs is 1.5 at index (): expected numbers in [0, 1]"
    refused(ValueError, message, cdf.bernoulli, 1.5)


def test_dtypes() -> None:
    ints = torch.ones(2, dtype=torch.int16)
    message = "{} has dtype torch.int16: expected float32, float64, float16, bfloat16"
    refused(ValueError, message.format("pmf"), cdf.from_pmf, ints)
    refused(ValueError, message.format("logits"), cdf.from_logits, ints)
    refused(ValueError, message.format("probs"), cdf.bernoulli, ints)
    message = (
        "counts has dtype torch.bool: expected float32, float64, float16, bfloat16, "
        "int8, int16, int32, int64, uint8, uint16, uint32, uint64"
    )
    refused(ValueError, message, cdf.from_counts, torch.tensor([True]))


def test_arguments_that_are_no_tensors() -> None:
    message = "pmf is of type list: expected a torch.Tensor or a numpy.ndarray"
    refused(TypeError, message, cdf.from_pmf, [0.5, 0.5])


def test_tensors_without_data() -> None:
    message = "pmf is a torch.strided tensor on meta: expected a dense one with data"
    refused(ValueError, message, cdf.from_pmf, torch.ones(2, device="meta"))
