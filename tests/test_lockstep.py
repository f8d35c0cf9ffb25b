"""Many streams in lockstep: each is the same as from a single encoder."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest
import torch
from every_model import EVERY, draw, make, values_of
from test_devices import DEVICES

import torchac

B = 40
RANDOM = torch.Generator().manual_seed(0)


def draws(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=RANDOM)


CDF = torch.rand(B, 3, 17, generator=RANDOM).cumsum(-1)
CDF = (CDF - CDF[..., :1]) / (CDF - CDF[..., :1])[..., -1:]
MODELS: dict[str, Any] = {name: make(name, B, 3) for name in EVERY}


def values_for(name: str, seed: int = 0) -> torch.Tensor:
    return values_of(MODELS[name], B, 3, seed=seed)


def parts_of(name: str) -> list[Any]:
    """The model of each stream."""
    parameters = draw(name, B, 3)
    return [EVERY[name].make(**{p: array[b] for p, array in parameters.items()}) for b in range(B)]


ACTIVE = [None, torch.arange(B) % 3 > 0, torch.arange(B) == 7, torch.zeros(B, dtype=torch.bool)]


@pytest.mark.parametrize("name", MODELS)
def test_streams_are_those_of_encoders(name: str) -> None:
    """This holds whichever streams are active, with marks, copies and pickles on the way."""
    model, batch = MODELS[name], torchac.BatchEncoder(B)
    alone, parts = [torchac.Encoder() for _ in range(B)], parts_of(name)
    values = [values_for(name, seed) for seed in range(len(ACTIVE))]
    for v, active in zip(values, ACTIVE, strict=True):
        batch.encode(model, v, active=active)
        batch.mark(active=active)
        for b in range(B) if active is None else active.nonzero().flatten().tolist():
            alone[b].encode(parts[b], v[b])
            alone[b].mark()
        batch = pickle.loads(pickle.dumps(copy.copy(batch)))
    assert batch.num_bits == [encoder.num_bits for encoder in alone]
    streams = batch.finish()
    assert streams == [encoder.finish() for encoder in alone]

    decoder = torchac.BatchDecoder(streams)
    for v, active in zip(values, ACTIVE, strict=True):
        expected = v if active is None else torch.where(active[:, None], v, 0)
        found = decoder.decode(model, active=active)
        assert found.dtype is torch.int32
        assert found.equal(expected)
        decoder.mark(active=active)
        decoder = pickle.loads(pickle.dumps(copy.copy(decoder)))
    decoder.finish()


def test_an_index_and_shared_models() -> None:
    model, index = torchac.Normal(0.0, torch.tensor([1.0, 9.0])), torch.arange(B * 3).view(B, 3) % 2
    values, active = values_for("torch Normal") % 20, ACTIVE[1]
    encoder = torchac.BatchEncoder(B)
    encoder.encode(model, values, index=index)
    encoder.encode(model, values, index=index, active=active)
    encoder.encode(torchac.Normal(0.0, 4.0), values)
    tables = torchac.quantize_cdf(torch.linspace(0, 1, 9).expand(2, 9))
    symbols = values.clamp(0, 7)
    encoder.encode(tables, symbols, index=index, active=active)
    decoder = torchac.BatchDecoder(encoder.finish())
    assert decoder.decode(model, index=index).equal(values)
    assert decoder.decode(model, index=index, active=active)[active].equal(values[active])
    assert decoder.decode(torchac.Normal(0.0, 4.0).expand(B, 3)).equal(values)
    found = decoder.decode(tables, index=index, active=active)
    assert found[active].equal(symbols[active])


def test_a_call_that_fails_changes_nothing() -> None:
    encoder, model = torchac.BatchEncoder(B), MODELS["few Categories"]
    encoder.encode(model, values_for("few Categories"))
    before = copy.copy(encoder)
    bad = values_for("few Categories")
    bad[31, 1] = 30
    with pytest.raises(ValueError, match=r"^stream 31: value 30 at index \(31, 1\): expected "):
        encoder.encode(model, bad)
    rows = torchac.quantize_cdf(CDF)
    with pytest.raises(ValueError, match=r"^stream 31: symbol 99 at index \(31, 1\) is outside"):
        encoder.encode(rows, torch.where(bad == 30, 99, 0))
    with pytest.raises(ValueError, match=r"^stream 31, number 20 of the active ones: value 30 "):
        encoder.encode(model, bad, active=ACTIVE[1])
    streams = encoder.finish()
    assert streams == before.finish()

    streams[5], streams[6] = streams[5][:1], streams[6] + b"\0"
    decoder = torchac.BatchDecoder(streams)
    with pytest.raises(torchac.CorruptStreamError, match=r"^stream 5: the stream ends before its"):
        decoder.decode(model.expand(B, 3))
    active = torch.arange(B) != 5
    assert decoder.decode(model, active=active)[5].tolist() == [0, 0, 0]
    with pytest.raises(torchac.CorruptStreamError, match=r"^stream 6 has \d bytes and its values "):
        decoder.finish()


@pytest.mark.parametrize("name", EVERY)
def test_a_stream_that_is_cut_is_found_whichever_it_is(name: str) -> None:
    """It gives the same as alone: an error that names it, or values that need fewer bits."""
    model, values, alone = MODELS[name], values_for(name), parts_of(name)[1]
    encoder = torchac.BatchEncoder(B)
    encoder.encode(model, values)
    streams = encoder.finish()
    two = torch.arange(B) < 2
    for size in range(len(streams[1])):
        cut = streams[1][:size]
        decoder = torchac.BatchDecoder([streams[0], cut, *streams[2:]])
        try:
            expected = torchac.Decoder(cut).decode(alone)
        except torchac.CorruptStreamError:
            with pytest.raises(torchac.CorruptStreamError, match=r"^stream 1"):
                decoder.decode(model)
            with pytest.raises(torchac.CorruptStreamError, match=r"^stream 1"):
                decoder.decode(model, active=two)
        else:
            assert decoder.decode(model)[1].equal(expected.int())


def test_numpy_gives_numpy() -> None:
    model = torchac.Normal(np.zeros((2, 3)), 2.0)
    encoder = torchac.BatchEncoder(2)
    encoder.encode(model, np.ones((2, 3)), active=np.array([True, False]))
    decoder = torchac.BatchDecoder(encoder.finish())
    found = decoder.decode(model, active=np.array([True, False]))
    assert isinstance(found, np.ndarray)
    assert found.tolist() == [[1, 1, 1], [0, 0, 0]]


@pytest.mark.parametrize("device", DEVICES)
def test_models_on_another_device(device: str) -> None:
    """Only the bounds of a large CDF's symbols are copied, and marks still check the symbols."""
    cdf, symbols = CDF.repeat(1, 40, 1), torch.randint(16, (B, 120), generator=RANDOM)
    loc, active = draws(B, 3), torch.arange(B) % 3 > 0
    here, there = torchac.BatchEncoder(B), torchac.BatchEncoder(B)
    for encoder, to in ((here, "cpu"), (there, device)):
        encoder.encode(cdf.to(to), symbols.to(to))
        encoder.encode(torchac.Normal(loc.to(to), 2.0), loc.round().to(to), active=active.to(to))
        encoder.mark()
    streams = here.finish()
    assert there.finish() == streams
    decoder = torchac.BatchDecoder(streams)
    found = decoder.decode(cdf.to(device))
    assert found.device.type == torch.device(device).type
    assert found.cpu().equal(symbols.int())
    decoder.decode(torchac.Normal(loc.to(device), 2.0), active=active.to(device))
    decoder.mark()
    decoder.finish()


def test_no_streams() -> None:
    encoder = torchac.BatchEncoder(0)
    encoder.encode(torchac.Normal(torch.zeros(0), 1.0), torch.zeros(0))
    assert encoder.finish() == []
    torchac.BatchDecoder([]).finish()


BAD: dict[str, Any] = {
    "batch size": (lambda e: torchac.BatchEncoder(-1), ValueError, "^batch_size is -1: expected 0"),
    "values": (
        lambda e: e.encode(torchac.Normal(0.0, 1.0), torch.zeros(3)),
        ValueError,
        r"^values has shape \(3,\): expected \(2, …\), one part a stream$",
    ),
    "active": (
        lambda e: e.encode(torchac.Normal(0.0, 1.0), torch.zeros(2), active=torch.ones(2)),
        ValueError,
        "^active has dtype torch.float32: expected bool",
    ),
    "shape of active": (
        lambda e: e.mark(active=torch.ones(3, dtype=torch.bool)),
        ValueError,
        r"^active has shape \(3,\): expected \(2,\), one for each stream$",
    ),
    "model": (
        lambda e: torchac.BatchDecoder([b"", b""]).decode(torchac.Normal(0.0, 1.0)),
        ValueError,
        r"^the model has shape \(\): expected \(2, …\), one part a stream$",
    ),
    "streams": (
        lambda e: torchac.BatchDecoder(b"ab"),  # type: ignore[arg-type]
        TypeError,
        "^byte_streams is of type bytes: expected a sequence of streams$",
    ),
}


@pytest.mark.parametrize("case", BAD.values(), ids=BAD.keys())
def test_bad_input(case: Any) -> None:
    call, kind, message = case
    with pytest.raises(kind, match=message):
        call(torchac.BatchEncoder(2))


@pytest.mark.parametrize("name", ["few Categories", "CDF"])
def test_values_of_streams_that_are_not_active_do_not_matter(name: str) -> None:
    values, active = values_for(name), torch.arange(B) % 3 > 0
    others = torch.where(active[:, None], values, torch.nan)
    streams = []
    for each in (values, others):
        encoder = torchac.BatchEncoder(B)
        encoder.encode(MODELS[name], each, active=active)
        streams.append(encoder.finish())
    assert streams[0] == streams[1]
