"""Models: rows, streams and costs as docs/format.md defines them, whatever holds the numbers."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import reference_models as reference
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from reference_zones import Zones

import torchac

KINDS = {"Normal": torchac.Normal, "Laplace": torchac.Laplace, "Logistic": torchac.Logistic}
INT32 = st.integers(reference.INT32_MIN, reference.INT32_MAX)

locs = st.one_of(
    st.floats(-1000, 1000, width=32),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from([0.5, -2.5, 2.0**31, -(2.0**31), 1e-310]),
)
scales = st.one_of(
    st.floats(0, 50, width=32),
    st.floats(0, 2.0**24),
    st.sampled_from([0.0, 1e-310, 2.0**-20, 8.0, 15.999999, 16.0, 2.0**24]),
)
weights = st.one_of(st.floats(0, 10), st.sampled_from([0.0, 1.0, 1e-310, 2.0**-126, 1e-6, 1e30]))
bounds = st.sampled_from([(None, None), (0, 255), (-5, None), (None, 3), (7, 7), (-3, 4)])


@st.composite
def elements(draw: st.DrawFn) -> list[reference.Element]:
    """Models of values that form one model: with the same kinds of components and bounds."""
    mixture = draw(st.booleans())
    kinds = draw(st.lists(st.sampled_from(list(KINDS)), min_size=1, max_size=6 if mixture else 1))
    low, high = draw(bounds)
    result = []
    for _ in range(draw(st.integers(1, 5))):
        parts = [
            reference.Component(kind, draw(locs), draw(scales), draw(weights)) for kind in kinds
        ]
        if all(part.weight < 2.0**-126 for part in parts):
            parts[0].weight = 1.0
        low_, high_ = (
            reference.INT32_MIN if low is None else low,
            reference.INT32_MAX if high is None else high,
        )
        result.append(reference.Element(parts, mixture, low_, high_))
    return result


def model_of(elements: list[reference.Element]) -> torchac.models.Model:
    first = elements[0]
    parts = [
        KINDS[part.kind](
            np.array([e.components[k].loc for e in elements]),
            np.array([e.components[k].scale for e in elements]),
            low=first.low,
            high=first.high,
        )
        for k, part in enumerate(first.components)
    ]
    if not first.mixture:
        return parts[0]
    each = [[part.weight for part in e.components] for e in elements]
    return torchac.Mixture(np.array(each), parts)


@st.composite
def values_of(draw: st.DrawFn, elements: list[reference.Element]) -> list[int]:
    """A value for each model: near its loc, or anywhere within the bounds."""
    result = []
    for e in elements:
        part = draw(st.sampled_from(e.components))
        reach = round(min(part.scale, 1e6) * 12) + 2
        center = round(min(max(part.loc, e.low), e.high))
        value = draw(st.one_of(INT32, st.integers(center - reach, center + reach)))
        result.append(min(max(value, e.low), e.high))
    return result


@given(st.data(), elements())
@settings(max_examples=300)
def test_models_are_those_of_the_definition(
    data: st.DataObject, elements: list[reference.Element]
) -> None:
    model, rows = model_of(elements), [reference.row(e) for e in elements]
    ways = [model]
    if with_zones(rows):
        at = next(i for i, row in enumerate(rows) if isinstance(row, Zones))
        with pytest.raises(ValueError, match=rf"the mixture at index \({at},\) is coded by zones"):
            model.tabulate()
    else:
        ways.append(model.tabulate())
        check_tables(ways[1], rows)
    values = data.draw(values_of(elements))
    stream = reference.encode(rows, values)
    for each in ways:
        assert torchac.encode(each, np.array(values)) == stream
        assert torchac.decode(each, stream).tolist() == values
        bits = torchac.estimate_bits(each, np.array(values))
        costs = [reference.bits(r, v) for r, v in zip(rows, values, strict=True)]
        assert bits.tolist() == pytest.approx(costs, abs=1e-9)


def with_zones(rows: list[Any]) -> bool:
    return any(isinstance(row, Zones) for row in rows)


def check_tables(tables: Any, rows: list[Any]) -> None:
    for i, row in enumerate(rows):
        length = int(tables.lengths[i])
        cdf = np.asarray(tables.cdf)[i, :length].astype(np.uint16).tolist()
        assert ([*cdf, 65536], tables.low[i], tables.shift[i]) == (row.cdf, row.first, row.shift)
        assert all(a < b for a, b in zip(row.cdf, row.cdf[1:], strict=False))


def component(kind: str, loc: float, scale: float, weight: float = 1.0) -> reference.Component:
    return reference.Component(kind, loc, scale, weight)


@pytest.mark.parametrize(
    "element",
    [
        # The least scale matters only if a loc is close to a half.
        reference.Element([component("Normal", 0.5 - 3 * 2.0**-20, 0.0)]),
        reference.Element([component("Laplace", 0.5 + 3 * 2.0**-20, 2.0**-21)]),
        # The longest row.
        reference.Element([component("Normal", 0, 1), component("Normal", 339, 1)], mixture=True),
        # A component of the weight 0 does not count.
        reference.Element(
            [component("Normal", 0, 1), component("Normal", 340, 1, 1e-6)], mixture=True
        ),
        # Bounds make rows short.
        reference.Element(
            [component("Laplace", 0, 0.5, 3), component("Normal", -(2.0**21), 2.0**20)],
            mixture=True,
            low=0,
            high=351,
        ),
    ],
)
def test_limits_of_the_definition(element: reference.Element) -> None:
    check_tables(model_of([element]).tabulate(), [reference.row(element)])


def test_usual_mixtures_have_rows() -> None:
    random = torch.Generator().manual_seed(0)
    scale = (0.8 * torch.randn(20_000, 4, generator=random) - 0.3).exp().clamp(0.11, 40)
    loc = 3 * torch.randn(20_000, 4, generator=random)
    latents = torchac.Mixture(torch.rand(20_000, 4, generator=random), torchac.Normal(loc, scale))
    assert latents.tabulate().lengths.max() <= 352
    scale = 4 * torch.randn(20_000, 10, generator=random).exp()
    loc = torch.rand(20_000, 1, generator=random) * 255 + scale
    logistics = torchac.Logistic(loc, scale, low=0, high=255)
    pixels = torchac.Mixture(torch.rand(20_000, 10, generator=random), logistics)
    assert pixels.tabulate().lengths.max() == 256


APART = [component("Normal", 0, 1), component("Normal", 340, 1)]


@pytest.mark.parametrize(
    "element",
    [
        reference.Element(APART, mixture=True),
        reference.Element([APART[0], component("Normal", 360, 1)], True, 0, 352),
        # Values beyond the bounds become these.
        reference.Element(
            [component("Normal", -50, 1), component("Normal", 1e6, 300)], True, 0, 65535
        ),
        reference.Element([component("Normal", 5e5, 2.0**-20), component("Laplace", 0, 2e5)], True),
        # All values lie beyond a bound, or many, which would take bits that are left out.
        reference.Element([component("Logistic", 300, 1)] * 2, True, 0, 255),
        reference.Element([component("Laplace", -20, 16)] * 2, True, 0, 255),
        reference.Element([component("Normal", 3, 1)] * 2, True, 7, 7),
        # All values lie between the components.
        reference.Element(
            [component("Normal", -1e6, 1), component("Normal", 1e6, 3)], True, -500, 500
        ),
        # The ends of all integers, and the widest components.
        reference.Element(
            [component("Logistic", -1e300, 2.0**24), component("Laplace", 2.0**31, 0)], True
        ),
        # Only 1024 components have windows.
        reference.Element([component("Normal", 9000 * k, 1) for k in range(1026)], True),
    ],
)
def test_zones(element: reference.Element) -> None:
    zones = reference.row(element)
    assert isinstance(zones, Zones)
    model = model_of([element])
    parts = element.components[:3] + element.components[-3:]
    near = [part.loc + part.scale * z for part in parts for z in (-9, -1, 0, 1)]
    numbers = [-(2**31), 2**31 - 1, *near, 1e4]
    for value in {round(min(max(x, element.low), element.high)) for x in numbers}:
        stream = torchac.encode(model, np.array([value]))
        assert stream == reference.encode([zones], [value])
        assert torchac.decode(model, stream).tolist() == [value]


@pytest.mark.parametrize("value", [2**31 - 1, 2**31 - 2, 0, -(2**31)])
def test_the_longest_escape(value: int) -> None:
    """The escape has 32 zeros, from one end of all integers to the other."""
    for low in (-(2**31), 2**31 - 1):
        model = torchac.Tables(torch.tensor([0.0, 1.0]), low=low)
        stream = torchac.encode(model, value)
        assert stream == reference.encode([reference.Row(low, 0, [0, 65536])], [value])
        assert torchac.decode(model, stream).item() == value


@st.composite
def rows_of_tables(draw: st.DrawFn) -> list[reference.Row]:
    """Rows that form one model, with everything that tables may have."""
    low, high = draw(
        st.sampled_from([(reference.INT32_MIN, reference.INT32_MAX), (-5, 1 << 30), (0, 255)])
    )
    rows = []
    for _ in range(draw(st.integers(1, 5))):
        shift = draw(st.sampled_from([0, 0, 3, 16, 17, 24]))
        least, most = low >> shift, high >> shift
        symbols = draw(st.integers(1, min(most - least + 1, 4)))
        first = draw(st.one_of(st.just(least), st.integers(least, most - symbols + 1)))
        cdf = draw(st.lists(st.integers(0, 65535), min_size=symbols, max_size=symbols, unique=True))
        rows.append(reference.Row(first, shift, [*sorted(cdf), 65536], low, high))
    return rows


def tables_of(rows: list[reference.Row]) -> torchac.Tables:
    cdf = np.zeros((len(rows), 5), np.uint16)
    for i, row in enumerate(rows):
        cdf[i, : len(row.cdf) - 1] = row.cdf[:-1]
    return torchac.Tables(
        cdf,
        low=np.array([row.first for row in rows]),
        lengths=np.array([len(row.cdf) - 1 for row in rows]),
        shift=np.array([row.shift for row in rows]),
        bounds=(rows[0].low, rows[0].high),
    )


@given(st.data(), rows_of_tables())
@settings(max_examples=300)
def test_tables_are_those_of_the_definition(data: st.DataObject, rows: list[reference.Row]) -> None:
    model = tables_of(rows)
    any_value = st.integers(rows[0].low, rows[0].high)
    values = [data.draw(any_value | st.just(max(row.first << row.shift, row.low))) for row in rows]
    stream = torchac.encode(model, np.array(values))
    assert stream == reference.encode(rows, values)
    assert torchac.decode(model, stream).tolist() == values
    costs = [reference.bits(row, value) for row, value in zip(rows, values, strict=True)]
    bits = torchac.estimate_bits(model, np.array(values))
    assert bits.tolist() == pytest.approx(costs, abs=1e-9)


GOLDEN = json.loads((Path(__file__).parent / "data/models.json").read_text())


def golden_model(case: dict[str, Any]) -> torchac.models.Model:
    parts = [
        [reference.Component(kind, *map(float.fromhex, numbers)) for kind, *numbers in element]
        for element in case["elements"]
    ]
    return model_of([reference.Element(p, case["mixture"], *case["bounds"]) for p in parts])


@pytest.mark.parametrize("case", GOLDEN, ids=[case["name"] for case in GOLDEN])
def test_golden_streams(case: dict[str, Any]) -> None:
    """Every release writes and reads these streams of the first release."""
    model, stream = golden_model(case), bytes.fromhex(case["stream"])
    assert torchac.encode(model, np.array(case["values"])) == stream
    assert torchac.decode(model, stream).tolist() == case["values"]


@given(
    st.lists(st.integers(-(2**63), 2**63 - 1), min_size=2, max_size=2),
    st.lists(st.integers(0, 2**24), min_size=2, max_size=2),
    st.lists(st.integers(0, 2**63 - 1), min_size=2, max_size=2).filter(any),
)
@example([2**24 + 1, -(2**30) - 1], [2**24, 2**24 - 1], [2**53 + 1, 2**54 + 3])
def test_integers_are_rounded_to_float64(
    loc: list[int], scale: list[int], weights: list[int]
) -> None:
    parts = [reference.Component("Normal", *each) for each in zip(loc, scale, weights, strict=True)]
    row = reference.row(reference.Element(parts, mixture=True))
    ends = [reference.INT32_MIN, reference.INT32_MAX]
    values = [*ends, 0, *(min(max(round(x), ends[0]), ends[1]) for x in loc)]
    stream = reference.encode([row] * len(values), values)
    arrays = torch.tensor(loc), torch.tensor(scale), torch.tensor(weights)
    for loc_, scale_, weights_ in (arrays, tuple(array.numpy() for array in arrays)):
        model = torchac.Mixture(weights_, torchac.Normal(loc_, scale_)).expand(len(values))
        assert torchac.encode(model, np.array(values)) == stream


def test_shared_elements_make_lookup_tables() -> None:
    model = torchac.Normal(0.0, torch.linspace(0.1, 60, 16))
    index = torch.arange(9600).view(24, 400) % 16
    values = (torch.randn(24, 400, generator=torch.Generator().manual_seed(4)) * 9).round()
    own = torchac.Normal(0.0, model.scale[index])
    before = torchac._core.paths()["decode lookup table"]
    streams = torchac.encode_batch(model, values, index=index)
    assert torchac.decode_batch(model, streams, index=index).equal(values.int())
    assert torchac._core.paths()["decode lookup table"] == before + 1
    assert streams == torchac.encode_batch(own, values)


def test_distributions_of_torch() -> None:
    loc, scale = torch.tensor([0.3, -7.0]), torch.tensor([2.0, 5.0])
    values = torch.tensor([1, -9])
    d = torch.distributions
    for other, mine in (
        (d.Normal(loc, scale), torchac.Normal(loc, scale)),
        (d.Laplace(loc, scale), torchac.Laplace(loc, scale)),
    ):
        assert torchac.encode(other, values) == torchac.encode(mine, values)
        assert torchac.decode(other, torchac.encode(mine, values)).tolist() == values.tolist()
    probs = torch.tensor([0.25, 0.75])
    mixture = d.MixtureSameFamily(d.Categorical(probs), d.Normal(loc, scale))
    own = torchac.Mixture(probs, torchac.Normal(loc, scale))
    assert torchac.encode(mixture, 1) == torchac.encode(own, 1)
    tables = torchac.tabulate(d.Exponential(torch.tensor([1.0, 0.2])), 0, 20)
    assert torchac.decode(tables, torchac.encode(tables, torch.tensor([0, 7]))).tolist() == [0, 7]
    with pytest.raises(ValueError, match=r"^value 21 at index \(1,\): .* from 0 to 20$"):
        torchac.encode(tables, torch.tensor([0, 21]))


def test_tables_with_lengths() -> None:
    """Each row is the same as alone; values outside are escaped."""
    rows = torch.tensor([[0.0, 0.5, 1.0, 7.0], [0.0, 0.1, 0.2, 1.0]])
    model = torchac.Tables(rows, low=torch.tensor([10, -1]), lengths=torch.tensor([2, 3]))
    assert model.cdf[0, :3].tolist() == torchac.quantize_cdf(rows[0, :3]).tolist()
    assert model.cdf[1].tolist() == torchac.quantize_cdf(rows[1]).tolist()
    values = torch.tensor([[11, 0], [9, 500], [2**31 - 1, -(2**31)]])
    stream = torchac.encode(model, values)
    assert torchac.decode(model.expand(3, 2), stream).equal(values.int())
    one = torchac.Tables(torch.tensor([0.0, 1.0]), low=5).expand(3)
    values = torch.tensor([5, -1000, 1000])
    assert torchac.decode(one, torchac.encode(one, values)).equal(values.int())
    closed = torchac.Tables(torch.tensor([0.0, 0.5, 1.0]), bounds=(0, 1))
    assert torchac.estimate_bits(closed, torch.tensor([0, 1])).tolist() == [1, 1]


@pytest.mark.parametrize("kind", ["Normal", "Laplace", "Logistic"])
@pytest.mark.parametrize("scale", [0.05, 0.3, 1, 4, 15.9, 16, 31.9, 100, 3000, 60000])
def test_the_rate_is_close_to_ideal(kind: str, scale: float) -> None:
    """The cost exceeds the entropy of the true distribution by at most 0.001 bit and 0.03 %."""
    for loc in (0.0, 0.21, 0.5, -0.37):
        bits, entropy = rate(kind, loc, scale)
        assert bits - entropy <= 0.001 + 0.0003 * entropy


def rate(kind: str, loc: float, scale: float) -> tuple[float, float]:
    """The mean bits a value, and the entropy, exactly: over all integers that matter."""
    reach = math.ceil((9 if kind == "Normal" else 40) * scale) + 3
    values = torch.arange(-reach, reach + 1)
    lower = (values - 0.5 - loc).double() / scale
    tail = lower.clone()
    tail[values > loc] = -(values[values > loc] + 0.5 - loc).double() / scale  # from the other end
    width = 1 / scale
    cdf = {
        "Normal": torch.special.ndtr,
        "Laplace": lambda z: torch.where(
            z < 0, 0.5 * z.clamp(max=0).exp(), 1 - 0.5 * (-z.clamp(min=0)).exp()
        ),
        "Logistic": torch.sigmoid,
    }[kind]
    p = cdf(tail + width) - cdf(tail)
    bits = torchac.estimate_bits(KINDS[kind](loc, scale), values)
    possible = p > 0
    return (p * bits).sum().item(), -(p * p.log2())[possible].sum().item()


def test_a_mixture_is_close_to_ideal() -> None:
    random = torch.Generator().manual_seed(5)
    weights = torch.rand(200, 4, generator=random)
    loc = torch.randn(200, 4, generator=random) * 2
    scale = (torch.randn(200, 4, generator=random) * 0.8 - 0.3).exp().clamp(0.11, 256)
    values = torch.arange(-150, 151)
    edges = (values.double() - 0.5)[:, None, None]
    z = (edges - loc) / scale.double()
    p = torch.special.ndtr(z + 1 / scale.double()) - torch.special.ndtr(z)
    p = (p * weights).sum(-1) / weights.sum(-1)
    model = torchac.Mixture(weights, torchac.Normal(loc, scale)).expand(301, 200)
    bits = torchac.estimate_bits(model, values[:, None].expand(301, 200))
    entropy = -(p * p.clamp(min=1e-300).log2()).sum(0)
    assert ((p * bits).sum(0) - entropy).mean() <= 0.001 + 0.001 * entropy.mean()


def test_an_escape_is_bounded() -> None:
    """The zeros do not end, but an escape has at most 32."""
    encoder = torchac.Encoder()
    model = torchac.Normal(0.0, 1.0)
    first, zero = model.tabulate().cdf, torch.tensor([0.0, 0.5, 1.0])
    encoder.encode(first, torch.tensor(0))
    encoder.encode(zero.expand(1000, 3), torch.zeros(1000, dtype=torch.int16))
    with pytest.raises(torchac.CorruptStreamError, match="contradicts the model"):
        torchac.Decoder(encoder.finish()).decode(model)


def test_flushing_subnormals_takes_none_of_them_for_zero() -> None:
    zero, one, tiny = torch.tensor([[0.0], [1.0], [1e-40]])
    minus = -tiny
    two = torch.cat([minus, one])
    normal = torchac.Normal(zero, one)
    stream = torchac.encode(normal, zero)
    try:
        torch.set_flush_denormal(True)
        negative = torchac.Normal(zero, minus)
        for call in (
            lambda: torchac.encode(negative, zero),
            lambda: torchac.decode(negative, stream),
            lambda: torchac.estimate_bits(negative, zero),
            lambda: negative.tabulate(),
            lambda: torchac.encode(normal, tiny),
            lambda: torchac.encode(torchac.Categorical(probs=two), one[0]),
            lambda: torchac.encode(torchac.Bernoulli(probs=minus), one),
            lambda: torchac.encode(torchac.Mixture(two[None], [normal] * 2), zero),
        ):
            with pytest.raises(ValueError, match=r"expected .*numbers"):
                call()
    finally:
        torch.set_flush_denormal(False)


NAN = torch.tensor([1.0, math.nan])
ONE = torchac.Normal(torch.zeros(2), 1.0)
BAD = {
    "loc infinite": (lambda: torchac.Laplace(math.inf, 1.0), r"^loc is inf at index \(\): "),
    "scale NaN": (lambda: torchac.Normal(0.0, NAN), r"^scale is nan at index \(1,\): expected "),
    "scale infinite": (lambda: torchac.Normal(0.0, math.inf), r"^scale is inf at index \(\): "),
    "scale too large": (
        lambda: torchac.Normal(0.0, 2.0**25),
        "expected numbers from 0 to 16777216",
    ),
    "shapes": (
        lambda: torchac.Normal(torch.zeros(2), torch.ones(3)),
        r"^shapes do not broadcast: loc has \(2,\) and scale has \(3,\)$",
    ),
    "bounds": (lambda: torchac.Normal(0.0, 1.0, low=3, high=2), "^low is 3 and high is 2: "),
    "bound beyond": (lambda: torchac.Normal(0.0, 1.0, low=-(2**31) - 1), "^low is -2147483649: "),
    "weights zero": (
        lambda: torchac.Mixture(torch.zeros(2), ONE),
        r"^weights are all 0 at index \(\): expected one above 0$",
    ),
    "weights NaN": (lambda: torchac.Mixture(NAN, ONE), r"^weights is nan at index \(1,\): "),
    "number of components": (
        lambda: torchac.Mixture(torch.ones(3), [ONE, ONE]),
        "^there are 2 components: expected 3, one a weight$",
    ),
    "bounds of components": (
        lambda: torchac.Mixture(torch.ones(2), [ONE, torchac.Normal(0.0, 1.0, low=0)]),
        "^components have the bounds .*: expected the same$",
    ),
    "length beyond": (
        lambda: torchac.Tables(torch.tensor([0.0, 0.5, 1.0]), lengths=3),
        r"^lengths is 3 at index \(\): expected integers from 1 to 2$",
    ),
    "window beyond the bounds": (
        lambda: torchac.Tables(torch.tensor([0.0, 0.5, 1.0]), low=3, bounds=(0, 3)),
        r"^the row at index \(\) is for 3 to 4: expected 0 to 3, the bounds$",
    ),
    "decreasing rows": (
        lambda: torchac.Tables(torch.tensor([[0.0, 0.5, 0.6, 1.0], [0.0, 0.9, 0.5, 1.0]])),
        r"^cdf decreases from .* at index \(.*\): expected rows from 0 to 1 that do not decrease$",
    ),
    "empty interval": (
        lambda: torchac.encode(torchac.Tables(torch.tensor([0, 9, 9, 0], dtype=torch.int16)), 1),
        r"^symbol 1 of the row at index \(\) has an empty interval: expected rows that increase$",
    ),
    "clamp": (
        lambda: torchac.Encoder().encode(ONE, torch.zeros(2), clamp=True),
        "^clamp is for symbols of a CDF",
    ),
}


@pytest.mark.parametrize("case", BAD.values(), ids=BAD.keys())
def test_bad_input(case: Any) -> None:
    call, message = case
    with pytest.raises(ValueError, match=message):
        call()


INDEX = torch.tensor([[0, 1, 0], [2, 1, 2]])


def test_a_message_names_the_shared_element() -> None:
    """The message does not name the value that uses it first, which is at (1, 0)."""
    probs, rows = torch.ones(3, 4), torch.tensor([0, 9, 20, 0], dtype=torch.int16).repeat(3, 1)
    probs[2, 1], rows[2, 1] = math.nan, 20
    each = [
        (torchac.Categorical(probs=probs), r"^probs is nan at index \(2, 1\): "),
        (torchac.Categorical(probs=probs.repeat(1, 99)), r"^probs is nan at index \(2, 1\): "),
        (torchac.Tables(rows), r"^symbol 1 of the row at index \(2,\) has an empty interval: "),
    ]
    values = torch.ones(2, 3)
    for model, message in each:
        for call in (torchac.encode, torchac.estimate_bits):
            with pytest.raises(ValueError, match=message):
                call(model, values, index=INDEX)
        with pytest.raises(ValueError, match="^item 1: " + message[1:]):
            torchac.encode_batch(model, values, index=INDEX)


def test_another_distribution_is_advised() -> None:
    with pytest.raises(TypeError, match=r"Exponential: .*; torchac.tabulate"):
        torchac.encode(torch.distributions.Exponential(1.0), 3)


def test_parameters_that_change_are_looked_at_again() -> None:
    model = torchac.Normal(torch.zeros(3), torch.ones(3))
    model.scale[1] = math.nan
    encoder = torchac.Encoder()
    with pytest.raises(ValueError, match=r"^scale is nan at index \(1,\): expected numbers from 0"):
        encoder.encode(model, torch.zeros(3))
    assert encoder.finish() == torchac.Encoder().finish()
