"""Tables of torch's distributions have the rows of their cdf, whatever their support."""

import math
import re
from typing import Any

import pytest
import torch

import torchac
from torchac.models._distributions import REACH

D: Any = torch.distributions
NAN = math.nan

needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU here")
DEVICES = ["cpu", pytest.param("cuda", marks=needs_cuda)]


def integers(tables: torchac.Tables) -> torch.Tensor:
    """The rows in units of 1/65536."""
    return torch.as_tensor(tables.cdf).cpu().int() % 65536


def check(tables: torchac.Tables, inner: Any, low: int, high: int) -> None:
    """The rows are those of a CDF with these values between its ends, and code all integers."""
    inner = torch.as_tensor(inner).double().expand(*tables.shape, high - low)
    rows = torch.nn.functional.pad(inner, (1, 1))
    rows[..., -1] = 1
    exact = torchac.quantize_cdf(rows).int() % 65536
    difference = (integers(tables) - exact).abs()
    assert difference.max() <= 1  # of 65536, because a cdf in float32 rounds differently
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
    """Values of the cdf of positive numbers, which is 0 between -1 and 0."""
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


OWN = (
    "compute the probability of each integer, for torchac.Categorical(probs=...), or the cdf "
    "between them, for torchac.Tables(cdf, low=low)"
)
ONE_BY_ONE = "code the numbers one by one, each with its own model, given those before it"
TABULATE = "torchac.tabulate({}, low, high) makes a model of it"
TWO, THREE = torch.ones(2), torch.ones(3)


class Truncated(D.Normal):  # type: ignore[misc]
    """A subclass that is another distribution than its base class."""

    def cdf(self, value: torch.Tensor) -> torch.Tensor:
        whole: torch.Tensor = super().cdf(value)
        return 2 * whole - 1


# A distribution of each class, and the advice in the error of `encode`; None if it encodes.
EVERY: dict[str, tuple[Any, str | None]] = {
    "Bernoulli": (D.Bernoulli(TWO / 2), None),
    "Beta": (D.Beta(1.0, 2.0), OWN),
    "Binomial": (D.Binomial(TWO, TWO / 3), TABULATE.format("distribution")),
    "Categorical": (D.Categorical(THREE), None),
    "Cauchy": (D.Cauchy(0.0, 1.0), TABULATE.format("distribution")),
    "Chi2": (D.Chi2(2.0), TABULATE.format("distribution")),
    "ContinuousBernoulli": (D.ContinuousBernoulli(0.3), TABULATE.format("distribution")),
    "Dirichlet": (D.Dirichlet(THREE), ONE_BY_ONE),
    "Exponential": (D.Exponential(1.0), TABULATE.format("distribution")),
    "FisherSnedecor": (D.FisherSnedecor(1.0, 2.0), OWN),
    "Gamma": (D.Gamma(1.0, 2.0), TABULATE.format("distribution")),
    "Geometric": (D.Geometric(0.3), TABULATE.format("distribution")),
    "Gumbel": (D.Gumbel(0.0, 1.0), TABULATE.format("distribution")),
    "HalfCauchy": (D.HalfCauchy(1.0), TABULATE.format("distribution")),
    "HalfNormal": (D.HalfNormal(1.0), TABULATE.format("distribution")),
    "Independent": (D.Independent(D.Normal(TWO, 1.0), 1), "distribution.base_dist is one of them"),
    "Independent of counts": (
        D.Independent(D.Independent(D.Poisson(torch.ones(2, 2)), 1), 1),
        TABULATE.format("distribution.base_dist.base_dist"),
    ),
    "Independent of what has no cdf": (D.Independent(D.StudentT(TWO), 1), OWN),
    "InverseGamma": (D.InverseGamma(1.0, 1.0), TABULATE.format("distribution")),
    "Kumaraswamy": (D.Kumaraswamy(1.0, 1.0), TABULATE.format("distribution")),
    "LKJCholesky": (D.LKJCholesky(3), ONE_BY_ONE),
    "Laplace": (D.Laplace(0.0, 1.0), None),
    "LogNormal": (D.LogNormal(0.0, 1.0), TABULATE.format("distribution")),
    "LogisticNormal": (D.LogisticNormal(THREE, THREE), ONE_BY_ONE),
    "LowRankMultivariateNormal": (
        D.LowRankMultivariateNormal(THREE, torch.ones(3, 1), THREE),
        ONE_BY_ONE,
    ),
    "MixtureSameFamily": (D.MixtureSameFamily(D.Categorical(TWO), D.Normal(TWO, 1.0)), None),
    "MixtureSameFamily of counts": (
        D.MixtureSameFamily(D.Categorical(TWO), D.Poisson(TWO)),
        TABULATE.format("distribution"),
    ),
    "MixtureSameFamily of a subclass": (
        D.MixtureSameFamily(D.Categorical(TWO), Truncated(TWO, 1.0)),
        TABULATE.format("distribution"),
    ),
    "MixtureSameFamily of masks": (
        D.MixtureSameFamily(D.Categorical(TWO), D.Bernoulli(TWO / 2)),
        TABULATE.format("distribution"),
    ),
    "MixtureSameFamily by weights of a subclass": (
        D.MixtureSameFamily(type("Others", (D.Categorical,), {})(TWO), D.Normal(TWO, 1.0)),
        TABULATE.format("distribution"),
    ),
    "MixtureSameFamily of what has no cdf": (
        D.MixtureSameFamily(D.Categorical(TWO), D.StudentT(TWO)),
        OWN,
    ),
    "Multinomial": (D.Multinomial(3, THREE), ONE_BY_ONE),
    "MultivariateNormal": (D.MultivariateNormal(THREE, torch.eye(3)), ONE_BY_ONE),
    "NegativeBinomial": (D.NegativeBinomial(3.0, 0.4), TABULATE.format("distribution")),
    "Normal": (D.Normal(0.0, 1.0), None),
    "OneHotCategorical": (
        D.OneHotCategorical(THREE),
        "torch.distributions.Categorical(logits=distribution.logits) codes where the 1 is",
    ),
    "OneHotCategoricalStraightThrough": (
        D.OneHotCategoricalStraightThrough(THREE),
        "torch.distributions.Categorical(logits=distribution.logits) codes where the 1 is",
    ),
    "Pareto": (D.Pareto(1.0, 2.0), TABULATE.format("distribution")),
    "Poisson": (D.Poisson(TWO), TABULATE.format("distribution")),
    "RelaxedBernoulli": (D.RelaxedBernoulli(torch.tensor(1.0), TWO / 2), OWN),
    "RelaxedOneHotCategorical": (
        D.RelaxedOneHotCategorical(torch.tensor(1.0), THREE),
        ONE_BY_ONE,
    ),
    "StudentT": (D.StudentT(3.0), OWN),
    "TransformedDistribution": (
        D.TransformedDistribution(D.Exponential(1.0), [D.AffineTransform(3.0, 2.0)]),
        TABULATE.format("distribution"),
    ),
    "TransformedDistribution of counts": (
        D.TransformedDistribution(D.Poisson(1.0), [D.AffineTransform(3.0, 2.0)]),
        OWN,
    ),
    "Uniform": (D.Uniform(0.0, 3.0), TABULATE.format("distribution")),
    "VonMises": (D.VonMises(0.0, 1.0), OWN),
    "Weibull": (D.Weibull(1.0, 2.0), TABULATE.format("distribution")),
    "Wishart": (D.Wishart(torch.tensor(4.0), torch.eye(3)), ONE_BY_ONE),
    "a subclass": (Truncated(TWO, 1.0), TABULATE.format("distribution")),
}
if hasattr(D, "GeneralizedPareto"):  # from torch 2.8 on
    EVERY["GeneralizedPareto"] = (
        D.GeneralizedPareto(0.0, 1.0, 0.1),
        TABULATE.format("distribution"),
    )


def test_every_class_of_torch_is_there() -> None:
    of_torch = {
        name
        for name in D.__all__
        if isinstance(getattr(D, name), type) and issubclass(getattr(D, name), D.Distribution)
    }
    assert of_torch - {"Distribution", "ExponentialFamily"} <= EVERY.keys()


@pytest.mark.parametrize("name", EVERY)
def test_advice_is_true(name: str) -> None:
    """Each distribution encodes, or the message names one that does."""
    distribution, advice = EVERY[name]
    if advice is None:
        values = torch.zeros(distribution.batch_shape)
        stream = torchac.encode(distribution, values)
        assert torchac.decode(distribution, stream).equal(values.int())
        torchac.tabulate(distribution, 0, 3)
        return
    with pytest.raises(TypeError, match=rf"^the model is of .*; {re.escape(advice)}$"):
        torchac.encode(distribution, torch.zeros(distribution.batch_shape))
    base: Any = distribution
    for _ in range(advice.count("base_dist")):
        base = base.base_dist
    if "is one of them" in advice:
        torchac.encode(base, torch.zeros(base.batch_shape))
        advice = TABULATE.format("distribution.base_dist")
    if "tabulate" in advice:
        tables = torchac.tabulate(base, 0, 3)
        values = torch.full(base.batch_shape, 2)
        assert torchac.decode(tables, torchac.encode(tables, values)).equal(values.int())
    if "logits" in advice:
        of_places = D.Categorical(logits=distribution.logits)
        assert torchac.decode(of_places, torchac.encode(of_places, 2)) == 2
    if base is not distribution or "tabulate" not in advice:
        kind = type(distribution).__name__
        with pytest.raises(TypeError, match=rf"^{kind} has .*: {re.escape(advice)}$"):
            torchac.tabulate(distribution, 0, 3)


def test_a_subclass_is_taken_by_its_own_cdf() -> None:
    tables = torchac.tabulate(Truncated(0.0, 1.0), -3, 3)
    check(tables, [max(0, 2 * normal_cdf(k + 0.5) - 1) for k in range(-3, 3)], -3, 3)
    with pytest.raises(TypeError, match="of type Truncated, a subclass of Normal: expected"):
        torchac.encode(Truncated(0.0, 1.0), 3)


# Distributions of integers, whose probabilities are known here, too.


def poisson(rate: float) -> Any:
    return lambda k: math.exp(k * math.log(rate) - rate - math.lgamma(k + 1)) if k >= 0 else 0.0


def binomial(count: int, p: float) -> Any:
    each = [math.comb(count, k) * p**k * (1 - p) ** (count - k) for k in range(count + 1)]
    return listed(*each)


def geometric(p: float) -> Any:
    return lambda k: p * (1 - p) ** k if k >= 0 else 0.0


def listed(*probabilities: float) -> Any:
    return lambda k: probabilities[k] if 0 <= k < len(probabilities) else 0.0


COUNTS = {
    "Poisson": (D.Poisson(4.0), poisson(4.0)),
    "large": (D.Poisson(1000.0), poisson(1000.0)),
    "Binomial": (D.Binomial(12, torch.tensor(0.3)), binomial(12, 0.3)),
    "many": (D.Binomial(1000, torch.tensor(0.5).double()), binomial(1000, 0.5)),
    "Geometric": (D.Geometric(0.2), geometric(0.2)),
    "NegativeBinomial": (D.NegativeBinomial(1.0, 0.75), geometric(0.25)),
    "Categorical": (D.Categorical(torch.tensor([2.0, 3.0, 5.0])), listed(0.2, 0.3, 0.5)),
    "Bernoulli": (D.Bernoulli(0.3), listed(0.7, 0.3)),
    "mixture": (
        D.MixtureSameFamily(
            D.Categorical(torch.tensor([1.0, 3.0])), D.Poisson(torch.tensor([2.0, 9.0]))
        ),
        lambda k: 0.25 * poisson(2.0)(k) + 0.75 * poisson(9.0)(k),
    ),
}
RANGES = [(0, 30), (-5, 12), (3, 9), (20, 50), (0, 0), (100, 120), (-9, -3), (490, 520)]


@pytest.mark.parametrize(("low", "high"), RANGES)
@pytest.mark.parametrize("name", COUNTS)
def test_counts(name: str, low: int, high: int) -> None:
    distribution, probability = COUNTS[name]
    inner = [math.fsum(map(probability, range(min(0, k), k + 1))) for k in range(low, high)]
    check(torchac.tabulate(distribution, low, high), inner, low, high)


def test_counts_in_a_batch() -> None:
    """Each distribution has its own end, where its sums reach 1."""
    counts, p = torch.tensor([[3.0], [9.0]]), torch.tensor([0.0, 0.25, 1.0])
    each = [[binomial(int(n), q) for q in p.tolist()] for [n] in counts.tolist()]
    inner = [[[sum(map(b, range(k + 1))) for k in range(-2, 11)] for b in row] for row in each]
    check(torchac.tabulate(D.Binomial(counts, p), -2, 11), inner, -2, 11)


@pytest.mark.parametrize("far", [REACH, REACH + 9])
def test_counts_far_from_the_least(far: int) -> None:
    """Beyond a million, the probability of lower values is unknown."""
    tables = torchac.tabulate(D.Geometric(torch.tensor(1e-6, dtype=torch.float64)), far, far + 3)
    bits = torchac.estimate_bits(tables.expand(4), torch.arange(far, far + 4))
    below = 1 - (1 - 1e-6) ** (far + 1)
    expected = [below, 1e-6, 1e-6, 1 - below] if far == REACH else [1 / 4] * 4
    assert torch.exp2(-bits).tolist() == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize(("count", "high"), [(30000, 30000), (20000, 10400)])
def test_counts_whose_sum_is_not_exact(count: int, high: int) -> None:
    """In float32 these sum to 0.997 and 1.009."""
    p = torch.tensor(0.5)
    tables, exact = (torchac.tabulate(D.Binomial(count, q), 0, high) for q in (p, p.double()))
    assert (integers(tables) - integers(exact)).abs().max() <= 2


class Even(torch.distributions.Distribution):
    """A distribution of even numbers, from the least integer to the largest."""

    arg_constraints: Any = {}  # noqa: RUF012

    class Evens(torch.distributions.constraints.Constraint):
        is_discrete = True

        def check(self, value: torch.Tensor) -> torch.Tensor:
            return value % 2 == 0

    support = Evens()

    def log_prob(self, value: torch.Tensor) -> torch.Tensor:
        if self._validate_args:
            self._validate_sample(value)
        return -value.abs() * math.log(2)


def test_a_support_with_gaps_and_no_ends() -> None:
    weights = [2.0 ** -abs(k) if k % 2 == 0 else 0.0 for k in range(-5, 4)]
    inner = [sum(weights[: k + 1]) / sum(weights) for k in range(8)]
    check(torchac.tabulate(Even(), -5, 3), inner, -5, 3)


class Rounded(Custom):
    """A distribution of integers, with a cdf that refuses all other numbers."""

    support = torch.distributions.constraints.nonnegative_integer

    def cdf(self, value: torch.Tensor) -> torch.Tensor:
        self._validate_sample(value)
        return 1 - 0.5 ** (value + 1)


def test_a_cdf_of_integers() -> None:
    check(torchac.tabulate(Rounded(), -2, 3), [0, 0, 0.5, 0.75, 0.875], -2, 3)


@pytest.mark.parametrize("device", ["cpu", "meta", *DEVICES[1:]])
def test_counts_on_any_default_device(device: str) -> None:
    rates = torch.tensor([1.0, 20.0])
    expected = torchac.tabulate(D.Poisson(rates), 3, 9)
    with torch.device(device):
        tables = torchac.tabulate(D.Poisson(rates), 3, 9)
    assert integers(tables).equal(integers(expected))


@pytest.mark.parametrize("device", DEVICES)
def test_counts_where_the_distribution_is(device: str) -> None:
    rates, logits = torch.tensor([1.0, 20.0], device=device), torch.zeros(2, 3, device=device)
    for distribution in (D.Poisson(rates), D.Categorical(logits=logits)):
        tables = torchac.tabulate(distribution, 0, 3)
        assert {a.device for a in (tables.cdf, tables.low, tables.lengths)} == {rates.device}


UNCHECKED = {"validate_args": False}
TENSOR = torch.tensor


@pytest.mark.parametrize(
    ("distribution", "message"),
    [
        (
            D.Poisson(TENSOR([1, NAN]), **UNCHECKED),
            "the log_prob of Poisson is nan at index (1, 0)",
        ),
        (D.Poisson(TENSOR([-1.0]), **UNCHECKED), "the log_prob of Poisson is nan at index (0, 1)"),
        (D.Binomial(TENSOR(NAN), TENSOR(0.3), **UNCHECKED), "the log_prob of Binomial is nan"),
        (D.Geometric(TENSOR([0.5, 1.5]), **UNCHECKED), "probs is 1.5 at index (1,): expected"),
        (D.Binomial(3, TENSOR([-0.5]), **UNCHECKED), "probs is -0.5 at index (0,): expected"),
        (D.NegativeBinomial(3.0, TENSOR(NAN), **UNCHECKED), "probs is nan at index (): expected"),
        (
            D.MixtureSameFamily(
                D.Categorical(TENSOR([-1.0, 2]), **UNCHECKED), D.Poisson(TWO), **UNCHECKED
            ),
            "probs is -1.0 at index (0,): expected numbers from 0 to 1",
        ),
    ],
)
def test_counts_that_are_none(distribution: Any, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        torchac.tabulate(distribution, 0, 3)


def test_no_probability_in_the_range() -> None:
    far = REACH + 9
    message = rf"^the largest log_prob of Poisson from {far} to {far} is -inf at index \(1,\)"
    with pytest.raises(ValueError, match=message):
        torchac.tabulate(D.Poisson(TENSOR([float(far), 0.0])), far, far)


class Shifted(D.MixtureSameFamily):  # type: ignore[misc]
    """A mixture that defines its own distribution."""

    def cdf(self, x: torch.Tensor) -> torch.Tensor:
        moved: torch.Tensor = super().cdf(x - 2)
        return moved


def test_a_subclass_of_mixtures_is_taken_by_its_own_cdf() -> None:
    tables = torchac.tabulate(Shifted(D.Categorical(TWO), D.Normal(0 * TWO, 1.0)), 0, 4)
    check(tables, [normal_cdf(k - 1.5) for k in range(4)], 0, 4)


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
