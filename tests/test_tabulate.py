"""Tables of distributions of torch: rows of what their cdf says, whatever their support."""

import math
import re
from typing import Any

import pytest
import torch

import torchac

D: Any = torch.distributions
NAN = math.nan

needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU here")
DEVICES = ["cpu", pytest.param("cuda", marks=needs_cuda)]


def integers(tables: torchac.Tables) -> torch.Tensor:
    """The rows in parts of 65536."""
    return torch.as_tensor(tables.cdf).cpu().int() % 65536


def check(tables: torchac.Tables, inner: Any, low: int, high: int) -> None:
    """The rows are those of a CDF with these values between its ends, and code all integers."""
    inner = torch.as_tensor(inner).double().expand(*tables.shape, high - low)
    rows = torch.nn.functional.pad(inner, (1, 1))
    rows[..., -1] = 1
    exact = torchac.quantize_cdf(rows).int() % 65536
    difference = (integers(tables) - exact).abs()
    assert difference.max() <= 1  # of 65536, as a cdf in float32 rounds in another way
    assert tables.bounds == (low, high)
    each = torch.arange(low, high + 1).expand(*tables.shape, -1).movedim(-1, 0)
    stream = torchac.encode(tables, each)
    assert torchac.decode(tables.expand(*each.shape), stream).equal(each.int())


def normal_cdf(z: float) -> float:
    return math.erfc(-z / math.sqrt(2)) / 2


def laplace_cdf(z: float) -> float:
    return math.exp(z) / 2 if z < 0 else 1 - math.exp(-z) / 2


@pytest.mark.parametrize(("name", "cdf"), [("Normal", normal_cdf), ("Laplace", laplace_cdf)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_location_and_scale(name: str, cdf: Any, dtype: torch.dtype) -> None:
    locs, scales = [-2.5, 0.0, 7.0], [0.5, 3.0]
    distribution = getattr(D, name)(
        torch.tensor(locs, dtype=dtype)[:, None], torch.tensor(scales, dtype=dtype)
    )
    inner = [[[cdf((k - 0.5 - m) / s) for k in range(-4, 6)] for s in scales] for m in locs]
    check(torchac.tabulate(distribution, -5, 5), inner, -5, 5)


def test_bfloat16() -> None:
    loc = torch.tensor([0.5, 1.0], dtype=torch.bfloat16)
    tables = torchac.tabulate(D.Normal(loc, 1.0), -5, 5)
    expected = torchac.tabulate(D.Normal(loc.float(), 1.0), -5, 5)
    assert (integers(tables) - integers(expected)).abs().max() < 0.01 * 65536


def test_transformed_distribution() -> None:
    transforms = [D.SigmoidTransform().inv, D.AffineTransform(torch.tensor([1.0, 2.0]), 0.5)]
    logistic = D.TransformedDistribution(D.Uniform(0.0, 1.0), transforms)
    edges = torch.arange(-2, 7) - 0.5
    inner = torch.sigmoid((edges - torch.tensor([[1.0], [2.0]])).double() / 0.5)
    check(torchac.tabulate(logistic, -3, 6), inner, -3, 6)


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
        (D.LogNormal(0.0, 1.0), after(*(normal_cdf(math.log(x)) for x in (0.5, 1.5, 2.5)))),
        (D.HalfNormal(1.0), after(*(2 * normal_cdf(x) - 1 for x in (0.5, 1.5, 2.5)))),
        (D.Kumaraswamy(torch.tensor(2.0), 1.0), after(0.25, 1, 1)),
        (D.Gumbel(0.0, 1.0), [math.exp(-math.exp(-x)) for x in (-0.5, 0.5, 1.5, 2.5)]),
        (D.Cauchy(0.0, 1.0), [0.5 + math.atan(x) / math.pi for x in (-0.5, 0.5, 1.5, 2.5)]),
    ],
    ids=lambda value: type(value).__name__,
)
def test_supports(distribution: Any, inner: Any) -> None:
    check(torchac.tabulate(distribution, -1, 3), inner, -1, 3)


def test_mixture_of_components_of_narrower_support() -> None:
    lows = torch.tensor([[0.0, 0.6, 2.0], [-5.0, 0.0, 1.0]], dtype=torch.float64)
    weights = torch.tensor([0.5, 0.25, 0.25], dtype=torch.float64)
    components = D.Uniform(lows, lows + 1)
    mixture = D.MixtureSameFamily(D.Categorical(weights.expand(2, 3)), components)
    edges = torch.tensor([-0.5, 0.5, 1.5, 2.5])
    inner = ((edges - lows[..., None]).clamp(0, 1) * weights[:, None]).sum(-2)
    check(torchac.tabulate(mixture, -1, 3), inner, -1, 3)


@pytest.mark.parametrize("symbols", [1, 2, 257, 32768])
def test_size_of_the_range(symbols: int) -> None:
    low = -(symbols // 2)
    high = low + symbols - 1
    tables = torchac.tabulate(D.Cauchy(0.0, 1.0), low, high)
    assert tables.cdf.shape == (symbols + 1,)
    values = torch.tensor([low, 0, high])
    stream = torchac.encode(tables, values)
    assert torchac.decode(tables.expand(3), stream).equal(values.int())


def test_range_far_out() -> None:
    tables = torchac.tabulate(D.Normal(2.0**31, 1.0), 2**31 - 3, 2**31 - 1)
    stream = torchac.encode(tables, 2**31 - 2)
    assert torchac.decode(tables, stream) == 2**31 - 2


@pytest.mark.parametrize("device", DEVICES)
def test_tables_are_where_the_distribution_is(device: str) -> None:
    loc = torch.tensor([0.0, 3.0], device=device)
    probs = torch.ones(2, device=device)
    for distribution in (
        D.Normal(loc, 2.0),
        D.MixtureSameFamily(D.Categorical(probs), D.Normal(loc, 2.0)),
    ):
        tables = torchac.tabulate(distribution, -5, 5)
        assert {a.device for a in (tables.cdf, tables.low, tables.lengths)} == {loc.device}


def test_parameters_in_a_graph() -> None:
    loc, weights = torch.zeros(2, requires_grad=True), torch.ones(2, requires_grad=True)
    for distribution in (
        D.Normal(loc, weights),
        D.MixtureSameFamily(D.Categorical(weights), D.Normal(loc, weights)),
    ):
        tables = torchac.tabulate(distribution, -1, 1)
        assert torchac.decode(tables, torchac.encode(tables, torch.zeros(tables.shape))).sum() == 0


class Custom(torch.distributions.Distribution):
    """A distribution without support or validation, as users write them."""

    arg_constraints: Any = {}  # noqa: RUF012

    def __init__(self, *values: float) -> None:
        super().__init__()
        self.values = torch.tensor(values)

    def cdf(self, value: torch.Tensor) -> torch.Tensor:
        return self.values[: value.numel()].view(value.shape)


def test_cdf_that_decreases_and_leaves_0_and_1() -> None:
    tables = torchac.tabulate(Custom(0.25, 0.5, 0.375, -1.0, 1.5), 0, 5)
    check(tables, [0.25, 0.5, 0.5, 0.5, 1], 0, 5)


def refused(
    kind: type[Exception], message: str, distribution: Any, low: Any = -1, high: Any = 1
) -> None:
    with pytest.raises(kind, match=f"^{re.escape(message)}$") as caught:
        torchac.tabulate(distribution, low, high)
    assert caught.type is kind


@pytest.mark.parametrize(
    "distribution",
    [D.Poisson(3.0), D.Beta(1.0, 1.0), D.Independent(D.Normal(torch.zeros(2), 1.0), 1)],
    ids=lambda distribution: type(distribution).__name__,
)
def test_distribution_without_cdf(distribution: Any) -> None:
    message = f"{type(distribution).__name__} has no cdf: expected a distribution with one"
    refused(TypeError, message, distribution)


def test_no_distribution() -> None:
    message = "distribution is of type Tensor: expected a torch.distributions.Distribution"
    refused(TypeError, message, torch.ones(2))


def test_cdf_that_is_no_number() -> None:
    message = "the cdf of Custom is nan at index (2,): expected numbers"
    refused(ValueError, message, Custom(0.5, NAN, 0.75), 0, 3)


@pytest.mark.parametrize("end", [1.0, "1", None, torch.tensor(1.0)])
def test_ends_that_are_no_integers(end: Any) -> None:
    kind = type(end).__name__
    refused(TypeError, f"low is of type {kind}: expected an int", D.Normal(0.0, 1.0), low=end)
    refused(TypeError, f"high is of type {kind}: expected an int", D.Normal(0.0, 1.0), high=end)


@pytest.mark.parametrize("end", [-(2**31) - 1, 2**31, 2**70])
def test_ends_that_are_far_out(end: int) -> None:
    message = f"high is {end}: expected an integer from {-(2**31)} to {2**31 - 1}"
    refused(ValueError, message, D.Normal(0.0, 1.0), high=end)


@pytest.mark.parametrize(("low", "high"), [(1, 0), (-16384, 16384)])
def test_ends_that_are_no_range(low: int, high: int) -> None:
    message = f"low is {low} and high is {high}: expected low <= high and at most 32768 integers"
    refused(ValueError, message, D.Normal(0.0, 1.0), low, high)
