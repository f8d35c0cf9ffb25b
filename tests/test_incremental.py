"""Coding in pieces gives the stream of one call."""

import copy
import io
import math
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from test_tables import KINDS, encode, tables

import torchac


@pytest.mark.parametrize("kind", KINDS)
@given(st.lists(st.integers(0, 40), max_size=8), st.integers(0, 2**32 - 1))
def test_pieces_give_the_stream_of_one_call(kind: str, pieces: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    cdf = tables(rng, kind, sum(pieces), 40)
    sym = torch.from_numpy(rng.integers(0, 39, sum(pieces)))
    encoder = torchac.Encoder()
    for rows, symbols in zip(torch.split(cdf, pieces), torch.split(sym, pieces), strict=True):
        encoder.encode(rows, symbols)
    num_bits = encoder.num_bits
    stream = encoder.finish()
    assert stream == encode(cdf, sym)
    assert encoder.num_bits == num_bits
    assert len(stream) == math.ceil(num_bits / 8)

    decoder = torchac.Decoder(stream)
    other = pieces[::-1]
    for rows, symbols in zip(torch.split(cdf, other), torch.split(sym, other), strict=True):
        assert decoder.decode(rows).long().equal(symbols)
    assert decoder.num_bits_consumed == num_bits


def test_kinds_of_rows_may_be_mixed() -> None:
    rng = np.random.default_rng(1)
    encoder = torchac.Encoder()
    pieces = []
    for kind in KINDS:
        cdf = tables(rng, kind, 30, 20)
        index = torch.randint(30, (25,))
        sym, more = torch.randint(19, (30,)), torch.randint(19, (25,))
        encoder.encode(cdf, sym)
        encoder.encode(cdf, more, index=index)
        pieces.append((cdf, sym, index, more))
    decoder = torchac.Decoder(encoder.finish())
    for cdf, sym, index, more in pieces:
        assert decoder.decode(cdf).long().equal(sym)
        assert decoder.decode(cdf, index=index).long().equal(more)


def test_autoregressive_model_symbol_by_symbol() -> None:
    """Each row depends on the symbols before it: the decoder must go step by step."""
    generator = torch.Generator().manual_seed(1)
    weights = torch.randn(3, 32, 33, generator=generator)

    def row(context: list[int]) -> torch.Tensor:
        logits = sum(weights[age, symbol] for age, symbol in enumerate(context[-3:]))
        cdf = torch.softmax(torch.as_tensor(logits), -1).cumsum(-1)
        return cdf.clamp(max=1) - cdf[0]

    sent = [0, 0, 0]
    encoder = torchac.Encoder()
    rows = []
    for _ in range(3000):
        rows.append(row(sent))
        sent.append(int(torch.randint(32, (), generator=generator)))
        encoder.encode(rows[-1], torch.tensor(sent[-1]))
    stream = encoder.finish()
    assert stream == torchac.encode_float_cdf(torch.stack(rows), torch.tensor(sent[3:]))

    decoder = torchac.Decoder(stream)
    received = [0, 0, 0]
    for _ in range(3000):
        received.append(int(decoder.decode(row(received))))
    assert received == sent


CDF = torch.linspace(0, 1, 9)


def test_copies_fork() -> None:
    encoder = torchac.Encoder()
    encoder.encode(CDF.expand(100, 9), torch.arange(100) % 8)
    other = copy.copy(encoder)
    encoder.encode(CDF, torch.tensor(1))
    other.encode(CDF.expand(2, 9), torch.tensor([2, 3]))
    decoders = [torchac.Decoder(encoder.finish()), torchac.Decoder(other.finish())]
    for decoder in decoders:
        decoder.decode(CDF.expand(100, 9))
    fork = copy.copy(decoders[1])
    assert decoders[0].decode(CDF) == 1
    assert decoders[1].decode(CDF) == 2
    assert fork.decode(CDF.expand(2, 9)).tolist() == [2, 3]


COPIES: dict[str, Callable[[Any], Any]] = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "pickle": lambda coder: pickle.loads(pickle.dumps(coder)),
    "torch.save": lambda coder: saved_and_loaded(coder),
}


def saved_and_loaded(coder: Any) -> Any:
    file = io.BytesIO()
    torch.save(coder, file)
    file.seek(0)
    return torch.load(file, weights_only=False)


class Counting(torchac.Encoder):
    """An encoder with its own attribute."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = [1]


@pytest.mark.parametrize("way", COPIES)
def test_ways_to_copy(way: str) -> None:
    encoder = Counting()
    encoder.encode(CDF.expand(100, 9), torch.arange(100) % 8)
    other = COPIES[way](encoder)
    assert other.calls == [1]
    assert (other.calls is encoder.calls) == (way == "copy")
    encoder.encode(CDF, torch.tensor(7))
    other.encode(CDF, torch.tensor(0))
    streams = [encoder.finish(), other.finish()]
    with pytest.raises(RuntimeError, match="has finished"):
        COPIES[way](other).finish()

    decoder = torchac.Decoder(memoryview(streams[1]))
    decoder.decode(CDF.expand(60, 9))
    other_decoder = COPIES[way](decoder)
    assert other_decoder.num_bits_consumed == decoder.num_bits_consumed
    for each in (decoder, other_decoder):
        assert each.decode(CDF.expand(41, 9)).tolist() == [*(i % 8 for i in range(60, 100)), 0]


def test_what_is_no_pickle() -> None:
    core = torchac.Encoder()._core
    for state in ((0, 0, 0, 8, b"", False), (0, 2**32, 0, 8, b"\1", False), (0, 2**32), "state"):
        with pytest.raises((RuntimeError, TypeError, ValueError)):
            type(core).__new__(type(core)).__setstate__(state)  # type: ignore[arg-type]


def test_a_failed_call_encodes_nothing() -> None:
    """It does not even leave a carry into earlier bytes."""
    middle = torch.tensor([0, 21845, -21845, 0], dtype=torch.int16)
    encoder = torchac.Encoder()
    encoder.encode(middle.expand(500, 4), torch.ones(500, dtype=torch.int16))
    fork = copy.copy(encoder)
    sym = torch.tensor([2] * 100 + [3])
    with pytest.raises(ValueError, match=r"^symbol 3 at index \(100,\)"):
        encoder.encode(middle.expand(101, 4), sym)
    assert encoder.num_bits == fork.num_bits
    assert encoder.finish() == fork.finish()


def test_a_failed_call_decodes_nothing() -> None:
    stream = torchac.encode_float_cdf(CDF.expand(10, 9), torch.arange(10) % 8)
    decoder = torchac.Decoder(stream)
    with pytest.raises(torchac.CorruptStreamError):
        decoder.decode(CDF.expand(1000, 9))
    assert decoder.decode(CDF.expand(10, 9)).tolist() == [i % 8 for i in range(10)]


def test_a_finished_encoder_is_of_no_more_use() -> None:
    encoder = torchac.Encoder()
    assert encoder.num_bits == 2
    assert encoder.finish() == b"\x40"
    message = "^this Encoder has finished its stream: use a new one$"
    for call in (encoder.finish, copy.copy(encoder).finish):
        with pytest.raises(RuntimeError, match=message):
            call()
    with pytest.raises(RuntimeError, match=message):
        encoder.encode(CDF, torch.tensor(0))


def test_decoder_of_no_bytes() -> None:
    message = "^byte_stream is of type list: expected bytes, or another buffer or array of them$"
    with pytest.raises(TypeError, match=message):
        torchac.Decoder([1, 2])  # type: ignore[arg-type]


@pytest.mark.parametrize("carries", [0, 2])
def test_a_carry_of_a_call_that_fails_is_undone(carries: int) -> None:
    """The first symbols keep the range around its middle, so that a carry can go far."""
    cdf = torch.tensor([0, 32767, 32769, 0]).to(torch.int16)
    for count in range(40):
        encoder = torchac.Encoder()
        encoder.encode(cdf.expand(count, 4), torch.ones(count, dtype=torch.int16))
        fork = copy.copy(encoder)
        with pytest.raises(ValueError, match="outside the alphabet"):
            encoder.encode(cdf.expand(9, 4), torch.tensor([carries] * 8 + [3]))
        assert encoder.finish() == fork.finish()
