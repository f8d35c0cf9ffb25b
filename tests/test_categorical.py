"""Categories: rows, streams and costs as docs/format.md defines them, however numbers are held."""

from __future__ import annotations

import copy
import json
import math
import pickle
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import reference_categories as reference
import torch
from every_model import check_all_ways
from hypothesis import example, given, settings
from hypothesis import strategies as st

import torchac
from torchac import Bernoulli, Categorical
from torchac._tensors import as_tensor

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
        numbers = np.exp(numbers - numbers.max(-1, keepdims=True))
    values = [data.draw(st.integers(0, categories - 1)) for _ in range(2)]
    model: Any = Categorical(**{"logits" if logits else "probs": numbers})
    stream = torchac.encode(model, np.array(values))
    rows = numbers.tolist()
    assert stream == reference.encode(rows, values, logits=logits)
    assert torchac.decode(model, stream).tolist() == values
    steps = [reference.steps(r, v, logits=logits) for r, v in zip(rows, values, strict=True)]
    costs = [sum(16 - math.log2(high - low) for low, high in each) for each in steps]
    assert torchac.estimate_bits(model, np.array(values)).tolist() == pytest.approx(costs, abs=1e-9)
    if categories <= reference.ONE_ROW:
        tables = model.tabulate()
        expected = [reference.row(reference.weights(r, logits=logits)) for r in rows]
        assert (tables.cdf == np.array(expected).astype(np.uint16).view(np.int16)).all()
        assert torchac.encode(tables, np.array(values)) == stream
        assert torchac.decode(tables, stream).tolist() == values


@given(st.lists(st.integers(0, 2**63 - 1), min_size=2, max_size=5).filter(any))
@example([1950160274757517311, 929815467757449652])
def test_integers_are_rounded_to_float64_and_then_to_float32(numbers: list[int]) -> None:
    values = [len(numbers) - 1]
    expected = reference.encode([numbers], values, logits=False)
    for dtype in (np.int64, np.uint64):
        array = np.array([numbers], dtype)
        assert torchac.encode(Categorical(probs=array), np.array(values)) == expected
        assert torchac.encode(Categorical(probs=as_tensor(array)), torch.tensor(values)) == expected
    expected = reference.encode([[-n for n in numbers]], values, logits=True)
    logits = -torch.tensor([numbers])
    assert torchac.encode(Categorical(logits=logits), torch.tensor(values)) == expected


@pytest.mark.parametrize("logits", [True, False])
@given(st.lists(st.one_of(st.floats(0, 1), st.sampled_from([0.0, 1.0, 2.0**-60])), min_size=1))
def test_bernoulli_is_that_of_the_definition(logits: bool, numbers: list[float]) -> None:
    values = [i % 2 for i in range(len(numbers))]
    if logits:
        numbers = [20 * number - 10 for number in numbers]
    rows = [reference.bernoulli(number, logits=logits) for number in numbers]
    model: Any = Bernoulli(
        **{"logits" if logits else "probs": torch.tensor(numbers, dtype=torch.float64)}
    )
    stream = torchac.encode(model, torch.tensor(values, dtype=torch.bool))
    assert stream == reference.encode(rows, values, logits=logits)
    assert torchac.decode(model, stream).tolist() == values


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_bernoulli_of_many_probabilities(dtype: torch.dtype) -> None:
    probs = torch.rand(3000, dtype=dtype, generator=torch.Generator().manual_seed(7))
    values = torch.arange(3000) % 2
    rows = [reference.bernoulli(p, logits=False) for p in probs.tolist()]
    stream = torchac.encode(Bernoulli(probs=probs), values)
    assert stream == reference.encode(rows, values.tolist(), logits=False)


GOLDEN = json.loads((Path(__file__).parent / "data/categories.json").read_text())


def golden_model(case: dict[str, Any]) -> Any:
    if case["model"] == "Bernoulli":
        numbers = np.array([float.fromhex(x) for x in case["rows"]])
        return Bernoulli(**{case["parameter"]: numbers})
    rows = [np.resize([float.fromhex(x) for x in r], case["categories"]) for r in case["rows"]]
    return Categorical(**{case["parameter"]: np.array(rows)})


@pytest.mark.parametrize("case", GOLDEN, ids=[case["name"] for case in GOLDEN])
def test_golden_streams(case: dict[str, Any]) -> None:
    """Every release writes and reads these streams of the first release."""
    model, stream = golden_model(case), bytes.fromhex(case["stream"])
    assert torchac.encode(model, np.array(case["values"])) == stream
    assert torchac.decode(model, stream).tolist() == case["values"]


def random_logits(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape))) * 3


def some_values(model: Any) -> torch.Tensor:
    end = model.bounds[1] + 1
    return torch.randint(end, model.shape, generator=torch.Generator().manual_seed(1)).int()


@given(
    st.sampled_from([256, 257, 258, 320, 321, 4096, 4097, 65536]),
    st.integers(1, 5),
    st.sampled_from([1, 2, 20]),
    st.sampled_from(["probs", "logits"]),
    st.sampled_from(["f2", "f4", "f8"]),
    st.integers(0, 2**32),
)
def test_values_that_share_elements(
    categories: int, elements: int, columns: int, parameter: str, dtype: str, seed: int
) -> None:
    """Values that share numbers in any way give the bytes of values with their own numbers."""
    rng = np.random.default_rng(seed)
    numbers = (rng.random((elements, categories)) * 9).astype(dtype)
    index = rng.integers(0, elements, (2, columns))
    values = rng.integers(0, categories, (2, columns))
    values[0, 0], values[1, 0] = 0, categories - 1
    model, own = (Categorical(**{parameter: x}) for x in (numbers, numbers[index]))
    streams = torchac.encode_batch(own, values)
    check_all_ways(model, values, torchac.encode(own, values), streams, index=index)
    if categories <= 321:
        rows = numbers[index.ravel()].tolist()
        expected = reference.encode(rows, values.ravel().tolist(), logits=parameter == "logits")
        assert torchac.encode(model, values, index=index) == expected
    for first, rows in ((0, numbers[0]), (elements - 1, numbers[-1:])):
        one: Any = Categorical(**{parameter: rows})
        own = Categorical(**{parameter: numbers[np.full((2, columns), first)]})
        assert torchac.encode(one, values) == torchac.encode(own, values)
        stream, streams = torchac.encode(own, values), torchac.encode_batch(own, values)
        check_all_ways(one.expand(2, columns), values, stream, streams)


def test_items_share_elements_with_one_another_or_not() -> None:
    """Models of the same and of other arrays and sizes, for values that share numbers or do not."""
    numbers = random_logits(3, 300)
    models: list[Any] = [
        Categorical(logits=numbers[0]).expand(50),
        Categorical(logits=numbers[0, :299]).expand(50),
        Categorical(logits=numbers).expand(20, 3),
        Categorical(logits=random_logits(4100)).expand(40),
        Categorical(logits=numbers[0]).expand(7),
        Categorical(logits=numbers[:, None]).expand(3, 20),
    ]
    own = [Categorical(logits=model.logits.contiguous()) for model in models]
    for count in (len(models), len(models) + 1):
        items, same = [*models, own[1]][:count], [*own, own[1]][:count]
        values = [some_values(model) for model in items]
        streams = [torchac.encode(m, v) for m, v in zip(same, values, strict=True)]
        for threads in (1, 2):
            assert torchac.encode_batch(items, values, num_threads=threads) == streams
            decoded = torchac.decode_batch(items, streams, num_threads=threads)
            assert all(a.equal(b) for a, b in zip(decoded, values, strict=True))


def test_items_may_share_some_of_their_categories() -> None:
    """Elements of different sizes begin at the same place in memory."""
    numbers = random_logits(3, 300)
    models: list[Any] = [Categorical(logits=numbers[:, :end]) for end in (300, 299, 300, 298)]
    index = [torch.arange(40) % 3] * len(models)
    values = [some_values(model.expand(40, 3))[:, 0] for model in models]
    triples = list(zip(models, values, index, strict=True))
    streams = [torchac.encode(Categorical(logits=m.logits[i]), v) for m, v, i in triples]
    assert torchac.encode_batch(models, values, index=index) == streams
    decoded = torchac.decode_batch(models, streams, index=index)
    assert all(a.equal(b) for a, b in zip(decoded, values, strict=True))


@pytest.mark.parametrize("shared", [np.zeros(1), np.zeros((1, 300)), np.ones((5, 1))])
def test_elements_of_expanded_arrays(shared: np.ndarray) -> None:
    numbers = np.broadcast_to(shared, (5, 300))
    index, values = np.arange(60) % 5, np.arange(60) * 5
    stream = torchac.encode(Categorical(logits=numbers.copy()), values, index=index)
    for model in (Categorical(logits=numbers), Categorical(logits=np.asfortranarray(numbers))):
        assert torchac.encode(model, values, index=index) == stream
        assert np.array_equal(torchac.decode(model, stream, index=index), values)


def test_only_the_elements_that_are_used_are_looked_at() -> None:
    """An invalid element is reported at its first value, unless an index before that is invalid."""
    probs = torch.ones(4, 300)
    probs[1, 7], probs[2] = -1.0, 0.0
    model, index, values = (
        Categorical(probs=probs),
        torch.zeros(90, dtype=torch.int64),
        torch.ones(90),
    )
    index[60:] = 3
    stream = torchac.encode(model, values, index=index)
    assert torchac.decode(model, stream, index=index).equal(values.int())
    index[50:], index[70] = 1, 2
    calls: list[Callable[[], object]] = [
        lambda: torchac.encode(model, values, index=index),
        lambda: torchac.Decoder(stream).decode(model, index=index),
        lambda: torchac.estimate_bits(model, values, index=index),
    ]
    for place, message in (
        (80, r"^probs is -1.0 at index \(1, 7\): expected numbers below 3.4e38 that are not neg"),
        (20, r"^index 4 at index \(20,\) is out of range: expected 0 to 3$"),
        (10, r"^index 4 at index \(10,\) is out of range: expected 0 to 3$"),
    ):
        index[place] = 4
        for call in calls:
            with pytest.raises(ValueError, match=message):
                call()
    index[:] = 0
    index[30] = 2
    with pytest.raises(ValueError, match=r"^probs are all below 2\^-100 at index \(2,\): "):
        calls[0]()


def test_items_may_have_other_numbers_of_categories() -> None:
    models: list[Any] = [
        Categorical(logits=random_logits(50, categories)) for categories in (1, 3, 32, 2, 7)
    ]
    for others in ([], [33, 257], [258, 4097], [3, 40, 300]):
        items = models[: 5 - len(others)] + [
            Categorical(logits=random_logits(50, categories)) for categories in others
        ]
        values = [some_values(model) for model in items]
        streams = torchac.encode_batch(items, values)
        assert streams == [torchac.encode(m, v) for m, v in zip(items, values, strict=True)]
        decoded = torchac.decode_batch(items, streams)
        assert all(a.equal(b) for a, b in zip(decoded, values, strict=True))


D: Any = torch.distributions


@pytest.mark.parametrize("parameter", ["probs", "logits"])
def test_distributions_of_torch(parameter: str) -> None:
    """Distributions are coded by their logits, and get no new attributes."""
    numbers = random_logits(5, 9).sigmoid()
    for other, mine in ((D.Categorical, Categorical), (D.Bernoulli, Bernoulli)):
        distribution = other(**{parameter: numbers})
        before = set(vars(distribution))
        model = mine(logits=other(**{parameter: numbers}).logits)
        values = some_values(model)
        stream = torchac.encode(model, values)
        assert torchac.encode(distribution, values) == stream
        assert torchac.decode(distribution, stream).equal(values)
        assert set(vars(distribution)) == before


def of_torch(kind: str, parameter: str, dtype: torch.dtype) -> Any:
    """A distribution of four elements, the same for the same arguments."""
    logits = random_logits(4, 5).to(dtype)
    numbers = logits if parameter == "logits" else logits.sigmoid()
    if kind == "Bernoulli":
        return D.Bernoulli(**{parameter: numbers[:, 0]})
    # In 16 bits probabilities do not sum to 1 well enough for torch.
    categorical = D.Categorical(**{parameter: numbers}, validate_args=False)
    if kind == "Categorical":
        return categorical
    return D.MixtureSameFamily(categorical, D.Normal(9 * logits.float(), 2.0))


def expanded(distribution: Any) -> Any:
    return distribution.expand((2, *distribution.batch_shape))


# Uses of a distribution before coding with it. A distribution keeps what it computes.
USES: dict[str, Callable[[Any], Any]] = {
    "log_prob": lambda d: d.log_prob(torch.zeros(d.batch_shape)),
    "sample": lambda d: d.sample(),
    "mean": lambda d: d.mean,
    "entropy": lambda d: getattr(d, "mixture_distribution", d).entropy(),
    "probs": lambda d: getattr(d, "mixture_distribution", d).probs,
    "logits": lambda d: getattr(d, "mixture_distribution", d).logits,
    "encode": lambda d: torchac.encode(d, torch.zeros(d.batch_shape)),
}
COPIES: dict[str, Callable[[Any], Any]] = {
    "expand": expanded,
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "pickle": lambda d: pickle.loads(pickle.dumps(d)),
}


@given(
    st.sampled_from(["Categorical", "Bernoulli", "MixtureSameFamily"]),
    st.sampled_from(["probs", "logits"]),
    st.sampled_from([torch.float32, torch.float64, torch.bfloat16]),
    st.lists(st.sampled_from([*USES, *COPIES]), max_size=6),
)
@example("Categorical", "probs", torch.float32, ["log_prob", "expand"])
@example("Categorical", "logits", torch.float32, ["sample", "expand"])
@example("Bernoulli", "probs", torch.float32, ["entropy", "expand", "pickle"])
@settings(max_examples=300)
def test_equal_distributions_give_equal_streams(
    kind: str, parameter: str, dtype: torch.dtype, uses: list[str]
) -> None:
    distribution, other = (of_torch(kind, parameter, dtype) for _ in range(2))
    for use in uses:
        if use in USES:
            USES[use](distribution)
        else:
            distribution = COPIES[use](distribution)
            other = expanded(other) if use == "expand" else other
    many = (100, *distribution.batch_shape)
    values = some_values(torchac.Bernoulli(probs=0.5).expand(*many))
    stream = torchac.encode(other.expand(many), values)
    assert torchac.encode(distribution.expand(many), values) == stream
    assert torchac.decode(distribution.expand(many), stream).equal(values)


@pytest.mark.parametrize(
    ("distribution", "message"),
    [
        (D.Categorical(torch.tensor([-1.0, 3]), validate_args=False), "probs is -0.5 at index"),
        (D.Categorical(torch.tensor([math.nan, 3]), validate_args=False), "probs is nan at index"),
        (D.Categorical(torch.zeros(2, 2), validate_args=False), "probs is nan at index"),
        (D.Categorical(logits=torch.tensor([math.nan, 3]), validate_args=False), "logits is nan"),
        (D.Bernoulli(torch.tensor([0.5, 1.5]), validate_args=False), "probs is 1.5 at index"),
        (D.Bernoulli(torch.tensor([math.nan]), validate_args=False), "probs is nan at index"),
        (D.Bernoulli(logits=torch.tensor([math.inf]), validate_args=False), "logits is inf"),
        (D.Bernoulli(torch.zeros(2, device="meta"), validate_args=False), "probs is a"),
        (D.Normal(math.nan, 1.0, validate_args=False), "loc is nan"),
        (D.Laplace(0.0, -1.0, validate_args=False), "scale is -1.0"),
        (
            D.MixtureSameFamily(
                D.Categorical(torch.tensor([-1.0, 3]), validate_args=False),
                D.Normal(torch.zeros(2), 1.0),
                validate_args=False,
            ),
            "weights is -0.5 at index",
        ),
    ],
)
def test_distributions_of_torch_that_are_none(distribution: Any, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}"):
        torchac.encode(distribution, torch.zeros(distribution.batch_shape))


def test_an_index_may_choose_of_many_elements_or_few() -> None:
    for elements in (5, 500):
        logits = random_logits(elements, 20)
        index = torch.arange(300, dtype=torch.int16) * 7 % elements
        model, own = Categorical(logits=logits), Categorical(logits=logits[index.long()])
        values = some_values(own)
        stream = torchac.encode(model, values, index=index)
        assert torchac.encode(own, values) == stream
        assert torchac.decode(model, stream, index=index).equal(values)


def test_one_category_costs_nothing() -> None:
    model = Categorical(logits=torch.full((1000, 1), -7.0))
    assert torchac.encode(model, torch.zeros(1000)) == torchac.Encoder().finish()


@pytest.mark.parametrize("categories", [2, 17, 256, 4096, 32000, 151936])
@pytest.mark.parametrize("spread", [0, 1, 3, 8])
def test_the_rate_is_close_to_ideal(categories: int, spread: float) -> None:
    """The cost exceeds the entropy by at most 0.8 % and 0.004 bit, exactly or in a sample."""
    random = torch.Generator().manual_seed(3)
    logits = torch.randn(categories, generator=random) * spread
    p = logits.double().softmax(0)
    values, weight = torch.arange(categories), p
    if categories > 4096:
        values, weight = torch.multinomial(p, 200, True, generator=random), torch.ones(200) / 200
    bits = torchac.estimate_bits(Categorical(logits=logits).expand(len(values)), values)
    excess = (weight * (bits + p[values].log2())).sum()
    entropy = -(p * p.log2()).sum()
    assert excess <= 0.004 + 0.008 * entropy


@pytest.mark.parametrize("categories", [2, 257, 4096])
def test_a_peak_costs_little(categories: int) -> None:
    """As above, from an entropy of 0.25 bits; below it, minimal probabilities cost 0.0058 bits."""
    for peak in range(20):
        logits = torch.zeros(categories)
        logits[1] = math.log(categories) + peak
        p = logits.double().softmax(0)
        bits = torchac.estimate_bits(Categorical(logits=logits).expand(2), torch.arange(2))
        excess = p[1] * (bits[1] + p[1].log2()) + (1 - p[1]) * (bits[0] + p[0].log2())
        entropy = -p[1] * p[1].log2() - (1 - p[1]) * p[0].log2()
        assert excess <= (0.004 + 0.008 * entropy if entropy >= 0.25 else 0.0058)


def ones(*shape: int, last: float) -> torch.Tensor:
    """Ones, except for the last number."""
    numbers = torch.ones(shape, dtype=torch.float64)
    numbers.view(-1)[-1] = last
    return numbers


def encode_zeros(model: Any) -> bytes:
    return torchac.encode(model, torch.zeros(model.shape))


SHAPES = [(2, 5), (2, 257), (2, 300), (2, 4100)]
BAD_NUMBERS = {
    "probs": ([math.nan, math.inf, -0.5, 1e39], "numbers below 3.4e38 that are not negative"),
    "logits": ([math.nan, math.inf, 1e39], "numbers below 3.4e38, or -inf"),
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("parameter", BAD_NUMBERS)
def test_bad_numbers(parameter: str, shape: tuple[int, int]) -> None:
    numbers, expected = BAD_NUMBERS[parameter]
    place = re.escape(f"at index (1, {shape[1] - 1})")
    for number in numbers:
        model: Any = Categorical(**{parameter: ones(*shape, last=number)})
        message = f"^{parameter} is {re.escape(str(number))} {place}: expected {expected}$"
        calls: list[Any] = [
            lambda model=model: encode_zeros(model),
            lambda model=model: torchac.Decoder(bytes(99)).decode(model),
            lambda model=model: torchac.estimate_bits(model, torch.zeros(2)),
        ]
        if shape[1] <= 257:
            calls.append(model.tabulate)
        for call in calls:
            with pytest.raises(ValueError, match=message):
                call()


@pytest.mark.parametrize("shape", SHAPES)
def test_no_category_is_likely(shape: tuple[int, int]) -> None:
    for parameter, least, good in (
        ("probs", 0.0, 2.0**-100),
        ("probs", 2.0**-101, 2.0**-100),
        ("logits", -math.inf, -3e38),
    ):
        numbers = torch.full(shape, least)
        numbers[0, 0] = good
        what = "-inf" if parameter == "logits" else "below 2^-100"
        message = re.escape(f"{parameter} are all {what} at index (1,): expected one above that")
        with pytest.raises(ValueError, match=f"^{message}$"):
            encode_zeros(Categorical(**{parameter: numbers}))


def test_what_is_wrong_is_found_in_any_block() -> None:
    """The values before the fault are coded first, but the encoder does not change."""
    for categories in (5, 100, 300):
        logits = random_logits(700, categories)
        logits[650, 3] = math.nan
        encoder = torchac.Encoder()
        with pytest.raises(ValueError, match=r"^logits is nan at index \(650, 3\): "):
            encoder.encode(Categorical(logits=logits), torch.zeros(700))
        assert encoder.finish() == torchac.Encoder().finish()
        batch = Categorical(logits=logits.view(7, 100, categories))
        with pytest.raises(ValueError, match=r"^item 6: logits is nan at index \(6, 50, 3\): "):
            torchac.encode_batch(batch, torch.zeros(7, 100))


TWO = Categorical(probs=torch.ones(2, 3))
MANY = Categorical(probs=torch.ones(2, 300))
BAD = {
    "Bernoulli below 0": (
        lambda: encode_zeros(Bernoulli(probs=-0.5)),
        r"^probs is -0.5 at index \(\): expected numbers from 0 to 1$",
    ),
    "Bernoulli NaN": (
        lambda: encode_zeros(Bernoulli(probs=ones(2, last=math.nan))),
        r"^probs is nan at index \(1,\): ",
    ),
    "logits of Bernoulli": (
        lambda: encode_zeros(Bernoulli(logits=ones(2, last=math.inf))),
        r"^logits is inf at index \(1,\): expected numbers below 3.4e38, or -inf$",
    ),
    "no categories": (
        lambda: Categorical(probs=torch.ones(2, 0)),
        r"^probs has shape \(2, 0\): expected \(…, V\) with 1 <= V <= 1048576$",
    ),
    "too many categories": (
        lambda: Categorical(logits=torch.zeros(1).expand(2**20 + 1)),
        r"^logits has shape \(1048577,\): ",
    ),
    "no dimension": (lambda: Categorical(logits=torch.tensor(0.0)), r"^logits has shape \(\): "),
    "rows of many categories": (
        MANY.tabulate,
        "^the model has 300 categories: expected 257 or fewer, which fit one row$",
    ),
}


@pytest.mark.parametrize("case", BAD.values(), ids=BAD.keys())
def test_bad_input(case: Any) -> None:
    call, message = case
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize("kind", [Categorical, Bernoulli])
def test_one_of_probs_and_logits_is_given(kind: Any) -> None:
    with pytest.raises(TypeError, match=r"^both of probs and logits is given: expected one of "):
        kind(probs=torch.ones(2), logits=torch.ones(2))
    with pytest.raises(TypeError, match=r"^neither of probs and logits is given: "):
        kind()
