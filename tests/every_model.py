"""Every model, and whatever stands for one: an entry is all that `test_every_model.py` needs."""

from __future__ import annotations

import copy
import io
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch

import torchac
from torchac import Bernoulli, Categorical, Mixture, Tables, quantize_cdf
from torchac.models._from_argument import to_model

D: Any = torch.distributions
Parameters = dict[str, torch.Tensor]
Draw = Callable[[tuple[int, ...], torch.Generator], Parameters]


class Entry(NamedTuple):
    """A model, its parameters, and which of these it refuses.

    Attributes:
        make: The model of parameters.
        draw: Parameters of elements of a shape. Floats must be exact in bfloat16 and float16; int64
            means that any integers do, and int16 means rows of a CDF.
        refused: For some parameters, a number that is refused, and the message, in which `{at}` is
            the position.
        has_tables: Whether it can be tabulated.
        takes_arrays: Whether parameters may be arrays, and give the same in any dtype.
    """

    make: Callable[..., Any]
    draw: Draw
    refused: dict[str, tuple[float, str]]
    has_tables: bool = True
    takes_arrays: bool = True


def integers(low: int, high: int, *shape: int, by: torch.Generator) -> torch.Tensor:
    """Random integers, the ends of the range included."""
    return torch.randint(low, high + 1, shape, generator=by)


def loc_and_scale(shape: tuple[int, ...], random: torch.Generator) -> Parameters:
    """Points, and scales for which rows leave bits out, are among them."""
    powers = torch.exp2(integers(-6, 4, *shape, by=random))
    scale = integers(0, 127, *shape, by=random) * powers
    return {"loc": integers(-255, 255, *shape, by=random) / 8, "scale": scale}


def above_zero(shape: tuple[int, ...], random: torch.Generator) -> Parameters:
    """For torch, which has no points."""
    return {name: array + (name == "scale") for name, array in narrow(shape, random).items()}


def narrow(shape: tuple[int, ...], random: torch.Generator) -> Parameters:
    return {
        "loc": integers(-255, 255, *shape, by=random) / 8,
        "scale": integers(0, 31, *shape, by=random) / 4,
    }


def of_integers(shape: tuple[int, ...], random: torch.Generator) -> Parameters:
    return {
        "loc": integers(-99, 99, *shape, by=random),
        "scale": integers(0, 127, *shape, by=random),
    }


def weighted(components: int, draw: Draw = loc_and_scale) -> Draw:
    def drawn(shape: tuple[int, ...], random: torch.Generator) -> Parameters:
        weights = integers(0, 9, *shape, components, by=random) / 4
        weights[..., 0] += 1
        return {"weights": weights, **draw((*shape, components), random)}

    return drawn


def mixture_of_kinds(weights: Any, loc: Any, scale: Any) -> Mixture:
    kinds = (torchac.Normal, torchac.Laplace, torchac.Logistic)
    parts = [kind(loc[..., k], scale[..., k]) for k, kind in enumerate(kinds)]
    return Mixture(weights, parts)


def counts(categories: int) -> Draw:
    def drawn(shape: tuple[int, ...], random: torch.Generator) -> Parameters:
        probs = integers(0, 100, *shape, categories, by=random)
        probs[..., 0] += 1
        return {"probs": probs}

    return drawn


def logits(categories: int, least: float = -math.inf) -> Draw:
    def drawn(shape: tuple[int, ...], random: torch.Generator) -> Parameters:
        numbers = integers(-40, 40, *shape, categories, by=random) / 8
        numbers[..., 1:][numbers[..., 1:] < -4.5] = least
        return {"logits": numbers}

    return drawn


def floats_of_counts(categories: int) -> Draw:
    draw = counts(categories)
    return lambda shape, random: {"probs": draw(shape, random)["probs"] / 64}


def rows(symbols: int) -> Draw:
    def drawn(shape: tuple[int, ...], random: torch.Generator) -> Parameters:
        inner = integers(0, 128, *shape, symbols - 1, by=random) / 128
        cdf = torch.nn.functional.pad(inner.sort(-1).values, (1, 1))
        cdf[..., -1] = 1
        return {"cdf": cdf}

    return drawn


def rows_of_integers(symbols: int) -> Draw:
    draw = rows(symbols)
    return lambda shape, random: {"cdf": quantize_cdf(draw(shape, random)["cdf"])}


def tables(shape: tuple[int, ...], random: torch.Generator) -> Parameters:
    return {**rows(9)(shape, random), "low": integers(-9, 9, *shape, by=random)}


def bounded_tables(shape: tuple[int, ...], random: torch.Generator) -> Parameters:
    return {
        **rows_of_integers(9)(shape, random),
        "low": integers(-9, 9, *shape, by=random),
        "lengths": integers(1, 9, *shape, by=random),
        "shift": integers(0, 2, *shape, by=random),
    }


BAD_LOC = (math.nan, r"loc is nan at index {at}: expected finite numbers")
BAD_SCALE = (-0.5, r"scale is -0\.5 at index {at}: expected numbers from 0 to 16777216")
LOC_SCALE = {"loc": BAD_LOC, "scale": BAD_SCALE}
MIXTURE = {
    "weights": (-0.5, r"weights is -0\.5 at index {at}: expected finite numbers that are not neg"),
}
PROBS: dict[str, tuple[float, str]] = {
    "probs": (-2, r"probs is -2(\.0)? at index {at}: expected numbers below 3\.4e38 that are")
}
LOGITS = {"logits": (math.nan, r"logits is nan at index {at}: expected numbers below 3\.4e38, or")}
CDF = {"cdf": (math.nan, r"CDF value nan at index {at} cannot be converted")}

EVERY: dict[str, Entry] = {
    "Normal": Entry(torchac.Normal, loc_and_scale, LOC_SCALE),
    "Laplace": Entry(torchac.Laplace, loc_and_scale, LOC_SCALE),
    "Logistic": Entry(torchac.Logistic, loc_and_scale, LOC_SCALE),
    "Normal of integers": Entry(torchac.Normal, of_integers, {}),
    "bounded Laplace": Entry(
        lambda loc, scale: torchac.Laplace(loc, scale, low=-5, high=300), loc_and_scale, LOC_SCALE
    ),
    "Mixture": Entry(
        lambda weights, loc, scale: Mixture(weights, torchac.Logistic(loc, scale)),
        weighted(5, narrow),
        MIXTURE | LOC_SCALE,
    ),
    "Mixture of kinds": Entry(mixture_of_kinds, weighted(3, narrow), MIXTURE),
    "Mixture in zones": Entry(mixture_of_kinds, weighted(3), MIXTURE, has_tables=False),
    "two Categories": Entry(Categorical, logits(2), LOGITS),
    "few Categories": Entry(Categorical, floats_of_counts(30), PROBS),
    "counts of Categories": Entry(Categorical, counts(9), PROBS),
    "a row of Categories": Entry(Categorical, logits(257), LOGITS),
    "Categories in two steps": Entry(Categorical, floats_of_counts(258), PROBS, has_tables=False),
    "Categories in three steps": Entry(Categorical, logits(4100), LOGITS, has_tables=False),
    "Bernoulli": Entry(
        Bernoulli,
        lambda shape, random: {"probs": integers(0, 128, *shape, by=random) / 128},
        {"probs": (1.5, r"probs is 1\.5 at index {at}: expected numbers from 0 to 1")},
    ),
    "logits of Bernoulli": Entry(
        Bernoulli,
        lambda shape, random: {"logits": logits(2)(shape, random)["logits"][..., 1]},
        LOGITS,
    ),
    "Tables": Entry(Tables, tables, {}),
    "bounded Tables": Entry(
        lambda **arrays: Tables(**arrays, bounds=(-64, 1000)),
        bounded_tables,
        {"shift": (25, r"shift is 25 at index {at}: expected integers from 0 to 24")},
    ),
    "CDF": Entry(lambda cdf: cdf, rows(16), CDF),
    "long CDF": Entry(lambda cdf: cdf, rows(300), CDF),
    "CDF of integers": Entry(lambda cdf: cdf, rows_of_integers(16), {}),
    "torch Normal": Entry(D.Normal, above_zero, {}, takes_arrays=False),
    "torch Laplace": Entry(D.Laplace, above_zero, {}, takes_arrays=False),
    "torch MixtureSameFamily": Entry(
        lambda weights, loc, scale: D.MixtureSameFamily(
            D.Categorical(weights), D.Normal(loc, scale)
        ),
        weighted(3, above_zero),
        {},
        takes_arrays=False,
    ),
    "torch Categorical": Entry(D.Categorical, logits(9, least=-9), {}, takes_arrays=False),
    "torch Bernoulli": Entry(
        D.Bernoulli,
        lambda shape, random: {"probs": integers(0, 128, *shape, by=random) / 128},
        {},
        takes_arrays=False,
    ),
}


def draw(name: str, *shape: int, seed: int = 0) -> Parameters:
    """Parameters of elements of this shape."""
    return EVERY[name].draw(shape, torch.Generator().manual_seed(seed))


def make(name: str, *shape: int) -> Any:
    """The model of random parameters."""
    return EVERY[name].make(**draw(name, *shape))


def values_of(model: Any, *shape: int, seed: int = 1) -> torch.Tensor:
    """Values that it can code: the ends of what it can, values near 0, and some anywhere."""
    low, high = to_model(model).bounds
    random = torch.Generator().manual_seed(seed)
    values = integers(max(low, -40), min(high, 40), math.prod(shape), by=random)
    values[5::17] = integers(low, high, len(values[5::17]), by=random)
    ends = torch.tensor([low, high])[: len(values)]
    values[: len(ends)] = ends
    return values.int().view(shape)


def on_host(array: Any) -> Any:
    """All numbers here are exact in float64."""
    return array.cpu().double().numpy() if isinstance(array, torch.Tensor) else array


def equal(found: Any, values: Any) -> bool:
    return np.array_equal(on_host(found), on_host(values))


def check_all_ways(
    model: Any, values: Any, stream: bytes, streams: list[bytes], **index: Any
) -> None:
    """Calls give this stream of all values and these of the items, and read them back."""
    count = len(values)
    assert torchac.encode(model, values, **index) == stream
    decoded = torchac.decode(model, stream, **index)
    assert equal(decoded, values)
    assert isinstance(decoded, np.ndarray) == isinstance(values, np.ndarray)
    bits = torchac.estimate_bits(model, values, **index)
    assert abs(float(bits.sum()) - 8 * len(stream)) < 16
    for threads in (1, 2):
        assert torchac.encode_batch(model, values, num_threads=threads, **index) == streams
        assert equal(torchac.decode_batch(model, streams, num_threads=threads, **index), values)
    data, lengths = torchac.encode_batch(model, values, packed=True, **index)
    assert bytes(np.asarray(data)) == b"".join(streams)
    assert lengths.tolist() == [len(each) for each in streams]

    active = torch.arange(count) % 3 != 1
    chosen = active.view(-1, *[1] * (values.ndim - 1)).numpy()
    active = active.to(getattr(values, "device", "cpu"))
    encoder = torchac.BatchEncoder(count)
    encoder.encode(model, values, **index)
    once = copy.copy(encoder)
    assert once.finish() == streams
    encoder.encode(model, values, active=active, **index)
    decoder = torchac.BatchDecoder(encoder.finish())
    assert equal(decoder.decode(model, **index), values)
    found = decoder.decode(model, active=active, **index)
    assert equal(found, np.where(chosen, on_host(values), 0))
    decoder.finish()

    file = io.BytesIO()
    with torchac.Writer(file) as writer:
        writer.write(model, values, name="values", **index)
    file.seek(0)
    assert equal(torchac.Reader(file).read(model, name="values", **index), values)
