"""Rows from distributions: they are valid whatever the parameters, and hold what they should."""

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

D: Any = torch.distributions
INF, NAN = math.inf, math.nan

needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU here")
DEVICES = ["cpu", pytest.param("cuda", marks=needs_cuda)]

Standard = Callable[[float], float]


def logistic_cdf(z: float) -> float:
    return 1 / (1 + math.exp(-z)) if z > -700 else 0.0


def laplace_cdf(z: float) -> float:
    return math.exp(z) / 2 if z < 0 else 1 - math.exp(-z) / 2


def normal_cdf(z: float) -> float:
    return math.erfc(-z / math.sqrt(2)) / 2


FAMILIES: list[tuple[Any, Standard]] = [
    (cdf.normal, normal_cdf),
    (cdf.laplace, laplace_cdf),
    (cdf.logistic, logistic_cdf),
]
families = pytest.mark.parametrize(("family", "standard"), FAMILIES)


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


@families
@given(st.lists(WILD, min_size=1, max_size=3), WILD, DTYPES, st.data())
def test_any_location_and_scale(
    family: Any,
    standard: Standard,
    locs: list[float],
    scale: float,
    dtype: torch.dtype,
    data: st.DataObject,
) -> None:
    low = data.draw(st.one_of(st.integers(-20, 20), st.integers(-(2**52), 2**52 - 40)))
    symbols = data.draw(st.integers(1, 40))
    loc = tensor(locs, dtype)
    rows = family(loc, tensor([abs(scale)], dtype), low, low + symbols - 1)
    check(rows, loc.shape, symbols, dtype)


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


@given(st.integers(1, 5), st.integers(1, 20), DTYPES, st.data())
def test_any_mixture(
    components: int, symbols: int, dtype: torch.dtype, data: st.DataObject
) -> None:
    """Rows need not be valid themselves: here they may even decrease."""

    def some(values: st.SearchStrategy[Any], count: int) -> st.SearchStrategy[list[Any]]:
        return st.lists(values, min_size=count, max_size=count)

    weights = not_inf(data.draw(some(MASSES, components)), dtype)
    weights[0] = 1
    rows = tensor(data.draw(some(some(st.floats(0, 1), symbols + 1), components)), dtype)
    check(cdf.mixture(weights, rows), (), symbols, dtype)


@pytest.mark.parametrize("symbols", [1, 2, 256, 257, 32768])
def test_any_size_of_the_alphabet(symbols: int) -> None:
    pmf = torch.rand(symbols, generator=torch.Generator().manual_seed(0))
    low = -symbols // 2
    high = low + symbols - 1
    components = cdf.laplace(torch.tensor([0.0, 3.0]), 5.0, low, high)
    for rows in (
        cdf.from_pmf(pmf),
        cdf.from_logits(pmf),
        cdf.from_counts((pmf * 1000).long() + 1),
        cdf.normal(0, 30, low, high),
        cdf.mixture(torch.ones(2), components),
        cdf.from_distribution(D.Cauchy(0.0, 1.0), low, high),
    ):
        assert rows.shape == (symbols + 1,)
        sym = torch.tensor([0, symbols - 1, symbols // 2], dtype=torch.int16)
        stream = torchac.encode_float_cdf(rows.expand(3, -1), sym, check_input_bounds=True)
        assert torchac.decode_float_cdf(rows.expand(3, -1), stream).equal(sym)
        assert rows[0] == 0
        assert rows[-1] == 1


# What the rows hold


@families
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_values_of_a_family(family: Any, standard: Standard, dtype: torch.dtype) -> None:
    loc = torch.tensor([0.0, -3.7, 12.25, -80.0], dtype=dtype)
    scale = torch.tensor([[0.01], [0.6], [5.0], [300.0]], dtype=dtype)
    low, high = -30, 40
    rows = family(loc, scale, low, high)
    for i, s in enumerate(scale[:, 0].tolist()):
        for j, m in enumerate(loc.tolist()):
            inner = [standard((k - 0.5 - m) / s) for k in range(low + 1, high + 1)]
            expected = torch.tensor([0.0, *inner, 1.0], dtype=torch.float64)
            atol = 2**-24 if dtype is torch.float32 else 1e-15
            torch.testing.assert_close(rows[i, j].double(), expected, rtol=0, atol=atol)


@families
@pytest.mark.parametrize("scale", [0.0, -0.0, 5e-324])
def test_scale_zero_is_a_step(family: Any, standard: Standard, scale: float) -> None:
    loc = torch.tensor([-INF, -9, -1, 0.25, 0.49, 0.5, 0.75, 9, INF])
    rows = family(loc, scale, -1, 1)
    assert rows[:, 1].tolist() == [1, 1, 1, 0, 0, 0, 0, 0, 0]
    assert rows[:, 2].tolist() == [1, 1, 1, 1, 1, 0.5, 0, 0, 0]


@families
def test_scale_infinite_leaves_the_ends(family: Any, standard: Standard) -> None:
    rows = family(torch.tensor([-INF, 0.0, 3.0, INF]), INF, -1, 1)
    assert rows.tolist() == [[0, 0.5, 0.5, 1]] * 4


@families
def test_infinite_location_is_an_end(family: Any, standard: Standard) -> None:
    rows = family(torch.tensor([-INF, INF]), 2.0, -1, 1)
    assert rows.tolist() == [[0, 1, 1, 1], [0, 0, 0, 1]]


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


def test_mixture_is_the_weighted_mean() -> None:
    generator = torch.Generator().manual_seed(0)
    weights = torch.rand(4, 1, 3, dtype=torch.float64, generator=generator)
    locs = torch.rand(5, 3, dtype=torch.float64, generator=generator) * 20
    components = cdf.logistic(locs, 2.0, 0, 20)
    rows = cdf.mixture(weights, components)
    share = weights / weights.sum(-1, keepdim=True)
    torch.testing.assert_close(rows, (share[..., None] * components).sum(-2), rtol=0, atol=1e-14)


def test_mixture_of_rows_that_do_not_reach_0_and_1() -> None:
    rows = torch.tensor([[0.25, 0.5, 0.75, 0.875], [0.0, 0.5, 0.25, 1.0]])
    assert cdf.mixture(torch.tensor([2.0, 2.0]), rows).tolist() == [0, 0.5, 0.5, 1]


# torch.distributions


@pytest.mark.parametrize(("name", "family"), [("Normal", cdf.normal), ("Laplace", cdf.laplace)])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32, torch.float64])
def test_distributions_that_have_a_function(name: str, family: Any, dtype: torch.dtype) -> None:
    loc = torch.tensor([[-2.5], [0.0], [7.0]], dtype=dtype)
    scale = torch.tensor([0.5, 3.0], dtype=dtype)
    rows = cdf.from_distribution(getattr(D, name)(loc, scale), -5, 5)
    check(rows, (3, 2), 11, dtype)
    atol = 1e-2 if dtype is torch.bfloat16 else 1e-6
    torch.testing.assert_close(rows, family(loc, scale, -5, 5), rtol=0, atol=atol)


def logistic_distribution() -> Any:
    transforms = [D.SigmoidTransform().inv, D.AffineTransform(torch.tensor([1.0, 2.0]), 0.5)]
    return D.TransformedDistribution(D.Uniform(0.0, 1.0), transforms)


def test_transformed_distribution() -> None:
    rows = cdf.from_distribution(logistic_distribution(), -3, 6)
    expected = cdf.logistic(torch.tensor([1.0, 2.0]), 0.5, -3, 6)
    torch.testing.assert_close(rows, expected, rtol=0, atol=1e-6)


def after(*values: float) -> list[float]:
    """Of a distribution of positive numbers: between -1 and 0 there is nothing below."""
    return [0.0, *values]


@pytest.mark.parametrize(
    ("distribution", "inner"),
    [
        (D.Uniform(0.75, 2.75), after(0, 0.375, 0.875)),
        (
            D.Uniform(torch.tensor([-1.5, 9]), 10.0),
            [[1 / 11.5, 2 / 11.5, 3 / 11.5, 4 / 11.5], [0] * 4],
        ),
        (D.Exponential(2.0), after(*(1 - math.exp(-2 * x) for x in (0.5, 1.5, 2.5)))),
        (D.Gamma(1.0, 2.0), after(*(1 - math.exp(-2 * x) for x in (0.5, 1.5, 2.5)))),
        (D.Gamma(0.01, 1.0), after(0.99437, 0.99899, 0.99975)),
        (D.LogNormal(0.0, 1.0), after(*(normal_cdf(math.log(x)) for x in (0.5, 1.5, 2.5)))),
        (D.HalfNormal(1.0), after(*(2 * normal_cdf(x) - 1 for x in (0.5, 1.5, 2.5)))),
        (D.Kumaraswamy(torch.tensor(2.0), 1.0), after(0.25, 1, 1)),
        (D.Gumbel(0.0, 1.0), [math.exp(-math.exp(-x)) for x in (-0.5, 0.5, 1.5, 2.5)]),
    ],
    ids=lambda value: type(value).__name__,
)
def test_supports(distribution: Any, inner: Any) -> None:
    rows = cdf.from_distribution(distribution, -1, 3)
    check(rows, distribution.batch_shape, 5, torch.float32)
    torch.testing.assert_close(rows[..., 1:-1], torch.tensor(inner).float(), rtol=0, atol=1e-5)


def test_mixture_of_distributions() -> None:
    """Components of narrower support than the mixture's, weights that all rows share."""
    lows = torch.tensor([[0.0, 0.6, 2.0], [-5.0, 0.0, 1.0]], dtype=torch.float64)
    weights = torch.tensor([0.5, 0.25, 0.25], dtype=torch.float64)
    components = D.Uniform(lows, lows + 1)
    rows = cdf.from_distribution(
        D.MixtureSameFamily(D.Categorical(weights.expand(2, 3)), components), -1, 3
    )
    check(rows, (2,), 5, torch.float64)
    edges = torch.tensor([-0.5, 0.5, 1.5, 2.5])
    expected = ((edges - lows[..., None]).clamp(0, 1) * weights[:, None]).sum(-2)
    torch.testing.assert_close(rows[:, 1:-1], expected)


class Custom(torch.distributions.Distribution):
    """A distribution without support or validation, as users write them."""

    arg_constraints: Any = {}  # noqa: RUF012

    def __init__(self, *values: float) -> None:
        super().__init__()
        self.values = torch.tensor(values)

    def cdf(self, value: torch.Tensor) -> torch.Tensor:
        return self.values[: value.numel()].view(value.shape)


def test_cdf_that_decreases() -> None:
    rows = cdf.from_distribution(Custom(0.25, 0.5, 0.375, -1.0, 1.5), 0, 5)
    assert rows.tolist() == [0, 0.25, 0.5, 0.5, 0.5, 1, 1]


# How they are computed


def every_function(
    n: int, symbols: int, device: str = "cpu"
) -> list[Callable[[slice], torch.Tensor]]:
    """Functions of some of n rows, of the same numbers on every device."""
    generator = torch.Generator().manual_seed(0)
    low, high = -(symbols // 2), (symbols - 1) // 2
    loc = torch.randn(n, generator=generator) * 9
    scale = torch.rand(n, generator=generator) * 9
    logits = torch.randn(n, symbols, generator=generator)
    pairs = cdf.laplace(torch.stack([loc, -loc], -1), scale[:, None], low, high).to(device)
    pmf, probs = logits.exp().to(device), logits[:, :7].sigmoid().to(device)
    loc, scale, logits = loc.to(device), scale.to(device), logits.to(device)
    return [
        lambda at: cdf.normal(loc[at], scale[at], low, high),
        lambda at: cdf.laplace(loc[at], scale[at], low, high),
        lambda at: cdf.logistic(loc[at], scale[at], low, high),
        lambda at: cdf.from_logits(logits[at]),
        lambda at: cdf.from_pmf(pmf[at]),
        lambda at: cdf.from_counts((logits[at] * 9).abs().long() + 1),
        lambda at: cdf.mixture(scale[at, None].expand(-1, 2), pairs[at]),
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
    exact = [4, 5, 6, 7]  # the others may differ, and hardly ever do
    pairs = zip(every_function(300, 257), every_function(300, 257, "cuda"), strict=True)
    for i, (host, device) in enumerate(pairs):
        a, b = host(slice(None)), device(slice(None)).cpu()
        torch.testing.assert_close(a, b, rtol=0, atol=1e-6)
        if i in exact:
            assert a.equal(b)


@families
def test_shapes_broadcast(family: Any, standard: Standard) -> None:
    loc, scale = torch.randn(3, 1, 2), torch.rand(4, 1)
    rows = family(loc, scale, -2, 2)
    assert rows.shape == (3, 4, 2, 6)
    assert rows.is_contiguous()
    assert rows[2, 3, 1].equal(family(loc[2, 0, 1], scale[3, 0], -2, 2))
    assert family(torch.zeros(0, 3), 1.0, -2, 2).shape == (0, 3, 6)
    assert family(0, 1, -2, 2).shape == (6,)


def test_mixtures_broadcast() -> None:
    components = cdf.normal(torch.randn(3, 1, 2), 1.0, -2, 2)
    weights = torch.rand(4, 2)
    rows = cdf.mixture(weights, components)
    assert rows.shape == (3, 4, 6)
    assert rows[2, 1].equal(cdf.mixture(weights[1], components[2, 0]))


def test_strided_values() -> None:
    logits = torch.randn(2, 5, 3, 4)
    last = logits.permute(0, 2, 3, 1)
    assert cdf.from_logits(last).equal(cdf.from_logits(last.contiguous()))


@families
def test_dtype_of_the_rows(family: Any, standard: Standard) -> None:
    single, double = torch.tensor([0.5]), torch.tensor([2.0], dtype=torch.float64)
    assert family(0.5, 2.0, -1, 1).dtype is torch.float32
    assert family(single, 2.0, -1, 1).dtype is torch.float32
    assert family(single.half(), single.bfloat16(), -1, 1).dtype is torch.float32
    assert family(single, double, -1, 1).dtype is torch.float64
    assert family(0.1, double[0], -1, 1)[1] == pytest.approx(standard((-0.5 - 0.1) / 2), abs=1e-15)


def test_arguments_are_left_as_they_are() -> None:
    values = torch.rand(2, 5, dtype=torch.float64)
    copy = values.clone()
    for function in (cdf.from_pmf, cdf.from_logits, cdf.from_counts, cdf.bernoulli):
        function(values)
        cdf.mixture(values[:, 0], values)
        assert values.equal(copy)
    for family, _ in FAMILIES:
        family(values, values, 0, 3)
        assert values.equal(copy)


def test_arrays() -> None:
    pmf = np.array([[0.5, 0.25, 0.25], [1, 2, 3]])
    loc, scale = np.array([[0.0], [3.0]]), np.array([1.0, 2.0], np.float32)
    uses: list[tuple[Any, ...]] = [
        (cdf.from_pmf, pmf),
        (cdf.from_logits, pmf.astype(np.float16)),
        (cdf.from_counts, (pmf * 4).astype(np.uint8)),
        (cdf.bernoulli, np.array(0.25, np.float32)),
        (cdf.mixture, scale, cdf.normal(loc, scale, -2, 4)),
        *((family, loc, scale, -2, 4) for family, _ in FAMILIES),
        *((family, 0.5, scale, -2, 4) for family, _ in FAMILIES),
    ]
    for function, *arguments in uses:
        rows = function(*arguments)
        assert isinstance(rows, np.ndarray)
        tensors = (torch.from_numpy(a) if isinstance(a, np.ndarray) else a for a in arguments)
        expected = function(*tensors)
        assert torch.from_numpy(rows).equal(expected)
        assert torch.from_numpy(rows).dtype is expected.dtype


def test_numbers_of_numpy() -> None:
    normal: Any = cdf.normal
    rows = normal(np.float64(0.5), np.float32(2), np.int64(-1), np.int8(1))
    assert rows.equal(cdf.normal(0.5, 2.0, -1, 1))


def test_rows_carry_no_gradient() -> None:
    loc, weights = torch.zeros(2, requires_grad=True), torch.ones(2, requires_grad=True)
    rows = cdf.normal(loc, weights, -1, 1)
    for result in (
        rows,
        cdf.mixture(weights, rows),
        cdf.from_logits(loc),
        cdf.from_pmf(weights),
        cdf.bernoulli(weights),
        cdf.from_distribution(D.Normal(loc, weights), -1, 1),
        cdf.from_distribution(
            D.MixtureSameFamily(D.Categorical(weights), D.Normal(loc, weights)), -1, 1
        ),
    ):
        assert not result.requires_grad


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
    rows = torch.rand(2, 2, 5).sort().values
    refused(ValueError, message.format("weights"), cdf.mixture, values, rows)
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
    message = f"cdfs is {value} at index (1, 2): expected numbers in [0, 1]"
    refused(ValueError, message, cdf.mixture, torch.ones(2), changed(value))


def test_number_that_is_no_probability() -> None:
    message = "probs is 1.5 at index (): expected numbers in [0, 1]"
    refused(ValueError, message, cdf.bernoulli, 1.5)


@families
def test_location_that_is_no_number(family: Any, standard: Standard) -> None:
    message = "loc is nan at index (1, 2): expected numbers"
    refused(ValueError, message, family, changed(NAN), 1.0, -1, 1)


@families
@pytest.mark.parametrize("value", [-1.0, NAN, -INF])
def test_scale_that_is_none(family: Any, standard: Standard, value: float) -> None:
    message = f"scale is {value} at index (1, 2): expected numbers that are not negative"
    refused(ValueError, message, family, 0.0, changed(value), -1, 1)


@families
def test_range_that_is_none(family: Any, standard: Standard) -> None:
    """The other kinds are in test_symbols.py."""
    message = "low is 2 and high is 1: expected low <= high and at most 32768 integers"
    refused(ValueError, message, family, 0.0, 1.0, 2, 1)
    refused(ValueError, message, cdf.from_distribution, D.Normal(0.0, 1.0), 2, 1)
    message = "low is -16384 and high is 16384: expected low <= high and at most 32768 integers"
    refused(ValueError, message, family, 0.0, 1.0, -16384, 16384)
    message = "high is of type float: expected an int"
    refused(TypeError, message, family, 0.0, 1.0, 2, 3.0)


@families
def test_shapes_that_do_not_broadcast(family: Any, standard: Standard) -> None:
    message = "loc has shape (2, 3) and scale (2,): expected shapes that broadcast"
    refused(ValueError, message, family, torch.ones(2, 3), torch.ones(2), -1, 1)


@pytest.mark.parametrize(
    ("weights", "cdfs"),
    [
        ((3,), (2, 5)),  # other numbers of components
        ((1,), (2, 5)),
        ((4, 2), (3, 2, 5)),  # shapes that do not broadcast
        ((2,), (2,)),  # no components
        ((), (5,)),
        ((0,), (0, 5)),
        ((2,), (2, 1)),  # no symbols
        ((2,), (2, 32770)),  # too many
    ],
)
def test_weights_that_do_not_match(weights: tuple[int, ...], cdfs: tuple[int, ...]) -> None:
    message = (
        f"weights has shape {weights} and cdfs {cdfs}: "
        "expected (…, M) and (…, M, Lp) with 2 <= Lp <= 32769"
    )
    refused(ValueError, message, cdf.mixture, torch.ones(weights), torch.ones(cdfs))


@pytest.mark.parametrize("value", [-0.5, NAN, INF])
def test_weight_that_is_none(value: float) -> None:
    message = f"weights is {value} at index (1, 2): expected finite numbers that are not negative"
    refused(ValueError, message, cdf.mixture, changed(value), torch.ones(3, 5))


def test_dtypes() -> None:
    ints, floats = torch.ones(2, dtype=torch.int16), torch.ones(2)
    message = "{} has dtype torch.int16: expected float32, float64, float16, bfloat16"
    refused(ValueError, message.format("pmf"), cdf.from_pmf, ints)
    refused(ValueError, message.format("logits"), cdf.from_logits, ints)
    refused(ValueError, message.format("probs"), cdf.bernoulli, ints)
    refused(ValueError, message.format("weights"), cdf.mixture, ints, torch.ones(2, 3))
    refused(ValueError, message.format("cdfs"), cdf.mixture, floats, ints)
    for family, _ in FAMILIES:
        refused(ValueError, message.format("loc"), family, ints, 1.0, -1, 1)
        refused(ValueError, message.format("scale"), family, floats, ints, -1, 1)
    message = (
        "counts has dtype torch.bool: expected float32, float64, float16, bfloat16, "
        "int8, int16, int32, int64, uint8, uint16, uint32, uint64"
    )
    refused(ValueError, message, cdf.from_counts, torch.tensor([True]))


def test_arguments_that_are_no_tensors() -> None:
    message = "{} is of type list: expected a torch.Tensor or a numpy.ndarray"
    refused(TypeError, message.format("pmf"), cdf.from_pmf, [0.5, 0.5])
    refused(TypeError, message.format("scale"), cdf.normal, torch.ones(1), [1.0], -1, 1)


def test_tensors_on_different_devices() -> None:
    message = "loc on cpu and scale on meta: expected one device"
    refused(ValueError, message, cdf.normal, torch.ones(2), torch.ones(2, device="meta"), -1, 1)


def test_tensors_without_data() -> None:
    message = "pmf is a torch.strided tensor on meta: expected a dense one with data"
    refused(ValueError, message, cdf.from_pmf, torch.ones(2, device="meta"))


@pytest.mark.parametrize(
    "distribution",
    [D.Poisson(3.0), D.Beta(1.0, 1.0), D.Independent(D.Normal(torch.zeros(2), 1.0), 1)],
    ids=lambda distribution: type(distribution).__name__,
)
def test_distribution_without_cdf(distribution: Any) -> None:
    message = f"{type(distribution).__name__} has no cdf: expected a distribution with one"
    refused(TypeError, message, cdf.from_distribution, distribution, -1, 1)


def test_no_distribution() -> None:
    message = "distribution is of type Tensor: expected a torch.distributions.Distribution"
    refused(TypeError, message, cdf.from_distribution, torch.ones(2), -1, 1)


def test_cdf_that_is_no_number() -> None:
    message = "the cdf of Custom is nan at index (2,): expected numbers"
    refused(ValueError, message, cdf.from_distribution, Custom(0.5, NAN, 0.75), 0, 3)
