"""Streams that are sent and received piece by piece, with marks in them."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

import torchac

MODEL = torchac.Normal(torch.zeros(20), 3.0)
RANDOM = torch.Generator().manual_seed(0)
VALUES = [(3 * torch.randn(20, generator=RANDOM)).round().int() for _ in range(60)]
# The symbol in the middle defers 15 bits: a carry may come to all of them, or none.
ACROSS = torch.tensor([0, 32767, 32769 - 2**16, 0], dtype=torch.int16)


def encoded() -> torchac.Encoder:
    encoder = torchac.Encoder()
    for values in VALUES:
        encoder.encode(MODEL, values)
    return encoder


STREAM = encoded().finish()


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 40), st.booleans()), max_size=30))
@example([(0, 5, False), (1, 3, True), (1, 1, True), (2, 1, True)])
def test_drained_bytes_never_change(pieces: list[tuple[int, int, bool]]) -> None:
    whole, drained, taken = torchac.Encoder(), torchac.Encoder(), b""
    for symbol, count, drain in pieces:
        for encoder in (whole, drained):
            encoder.encode(ACROSS.expand(count, 4), torch.full((count,), symbol))
        if drain:
            taken += drained.drain()
            drained = pickle.loads(pickle.dumps(copy.copy(drained)))
        assert drained.num_bits == whole.num_bits
    assert taken + drained.finish() == whole.finish()


def test_draining_keeps_few_bytes() -> None:
    encoder = torchac.Encoder()
    for values in VALUES:
        encoder.encode(MODEL, values)
        encoder.drain()
    assert len(encoder.finish()) <= 4


def test_a_failed_call_after_draining_changes_nothing() -> None:
    encoder = torchac.Encoder()
    encoder.encode(MODEL, VALUES[0])
    first = encoder.drain()
    with pytest.raises(ValueError, match="expected whole numbers"):
        encoder.encode(MODEL, VALUES[0] + 0.5)
    encoder.encode(MODEL, VALUES[1])
    assert torchac.Decoder(first + encoder.finish()).decode(MODEL).equal(VALUES[0])
    with pytest.raises(RuntimeError, match="finished"):
        encoder.drain()


@given(st.lists(st.integers(0, 40), min_size=1, max_size=60))
def test_feeding_piece_by_piece_decodes_the_same(sizes: list[int]) -> None:
    """No symbol comes before the bytes leave no choice, whatever the pieces."""
    decoder, at, found = torchac.Decoder(b""), 0, 0
    for size in [*sizes, len(STREAM)]:
        decoder.feed(STREAM[at : at + size])
        decoder = pickle.loads(pickle.dumps(copy.copy(decoder)))
        at = min(at + size, len(STREAM))
        while found < len(VALUES):
            before = decoder.num_bits_consumed
            try:
                assert decoder.decode(MODEL).equal(VALUES[found])
            except torchac.CorruptStreamError:
                assert decoder.num_bits_consumed == before
                break
            found += 1
    assert found == len(VALUES)
    assert decoder.num_bits_consumed == encoded().num_bits
    decoder.finish()
    decoder.feed(b"\0")
    with pytest.raises(torchac.CorruptStreamError, match="its values take"):
        decoder.finish()


def test_copies_are_fed_by_themselves() -> None:
    decoder = torchac.Decoder(STREAM[:1])
    decoder.feed(STREAM[1:40])
    forks = [copy.copy(decoder) for _ in range(3)]
    for piece, fork in zip((b"", b"\xff" * 900, STREAM[40:]), forks, strict=True):
        for at in range(0, len(piece), 7):
            fork.feed(piece[at : at + 7])
    decoder.feed(STREAM[40:])
    forks[0].feed(STREAM[40:])
    for each in (decoder, forks[0], forks[2]):
        assert all(each.decode(MODEL).equal(values) for values in VALUES)
        each.finish()


def test_a_mark_is_read_when_all_of_it_is_there() -> None:
    """Zeros instead of the bytes to come would give other marks, or the right one by chance."""
    for count in range(40):
        encoder = torchac.Encoder()
        encoder.encode(torchac.Normal(torch.zeros(count), 3.0), VALUES[0].repeat(2)[:count])
        encoder.mark()
        stream = encoder.finish()
        for size in range(len(stream)):
            decoder = torchac.Decoder(stream[:size])
            try:
                found = decoder.decode(torchac.Normal(torch.zeros(count), 3.0))
            except torchac.CorruptStreamError:
                continue
            if not found.equal(VALUES[0].repeat(2)[:count]):
                continue  # other values, which need fewer bits
            with pytest.raises(torchac.CorruptStreamError, match=r"^the stream ends before mark 1"):
                decoder.mark()
            decoder.feed(stream[size:])
            decoder.mark()
            assert decoder.num_bits_consumed == encoder.num_bits


MARKED = (
    ("model", MODEL, VALUES[0]),
    ("scalar", torchac.Normal(torch.zeros(()), 1.0), torch.tensor(2)),
    ("float CDF", torch.tensor([0.0, 0.25, 1.0]).expand(20, 3), VALUES[0].clamp(0, 1)),
    ("categories", torchac.Categorical(logits=torch.zeros(20, 300)), VALUES[0].abs()),
)


@pytest.mark.parametrize("case", MARKED, ids=[name for name, *_ in MARKED])
def test_marks_are_two_symbols_of_uniform_rows(case: tuple[str, Any, torch.Tensor]) -> None:
    """They hold the checksum that docs/format.md defines, however values are divided into calls."""
    _, model, values = case
    encoder, legal = torchac.Encoder(), torchac.Encoder()
    uniform = torch.arange(257) / 256
    for _ in range(3):
        total = sums = 0
        for each in (values, values):
            encoder.encode(model, each)
            legal.encode(model, each)
            for value in each.flatten().tolist():
                total = (total + value + 1) % 2**32
                sums = (sums + total) % 2**32
        encoder.mark()
        bits = (total * 0x9E3779B1 + sums * 0x85EBCA77) % 2**32 >> 16
        legal.encode(uniform.expand(2, 257), torch.tensor([bits >> 8, bits & 255]))
    stream = encoder.finish()
    assert stream == legal.finish()
    decoder = torchac.Decoder(stream)
    for _ in range(3):
        decoder.decode(model)
        decoder.decode(model)
        decoder.mark()
    decoder.finish()


def test_clamped_symbols_are_marked_as_they_are_coded() -> None:
    encoder, cdf = torchac.Encoder(), torch.tensor([0.0, 0.25, 1.0]).expand(3, 3)
    encoder.encode(cdf, torch.tensor([-5, 0, 2**40]), clamp=True)
    encoder.mark()
    decoder = torchac.Decoder(encoder.finish())
    assert decoder.decode(cdf).tolist() == [0, 0, 1]
    decoder.mark()


def test_a_model_that_differs_is_noticed_at_the_first_mark() -> None:
    encoder = torchac.Encoder()
    for values in VALUES[:5]:
        encoder.encode(MODEL, values)
        encoder.mark()
    stream = encoder.finish()
    decoder = torchac.Decoder(stream)
    for _ in range(3):
        decoder.decode(MODEL)
        decoder.mark()
    shifted = torchac.Normal(torch.ones(20), 3.0)  # other values, but no byte reveals it
    assert decoder.decode(shifted).equal(VALUES[3] + 1)
    before = decoder.num_bits_consumed
    message = "^the values between mark 3 and mark 4 differ from those encoded: the model differs"
    for _ in range(2):
        with pytest.raises(torchac.CorruptStreamError, match=message):
            decoder.mark()
    assert decoder.num_bits_consumed == before
    decoder = torchac.Decoder(stream)
    decoder.decode(torchac.Normal(torch.zeros(20), 3.1))
    with pytest.raises(torchac.CorruptStreamError, match="between the start and mark 1 differ"):
        decoder.mark()
    decoder = torchac.Decoder(stream[:1])
    with pytest.raises(torchac.CorruptStreamError, match=r"^the stream ends before mark 1 does"):
        decoder.mark()


def test_marks_of_streams_in_lockstep_name_the_stream() -> None:
    encoder, model = torchac.BatchEncoder(3), torchac.Normal(torch.zeros(3, 20), 3.0)
    encoder.encode(model, torch.stack(VALUES[:3]))
    encoder.mark()
    decoder = torchac.BatchDecoder(encoder.finish())
    decoder.decode(torchac.Normal(torch.tensor([[0.0], [1.0], [0.0]]).expand(3, 20), 3.0))
    with pytest.raises(
        torchac.CorruptStreamError, match=r"^stream 1: the values between the start"
    ):
        decoder.mark()
    decoder.mark(active=torch.tensor([True, False, True]))
