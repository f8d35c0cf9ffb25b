"""Values that share elements give the same bytes in all ways, and the cheapest way is taken."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch

import torchac
from torchac import _coding, _core

ROWS, LUTS = {"shared rows"}, {"decode lookup table"}
BOTH, NOTHING = ROWS | LUTS, set[str]()


@contextmanager
def made(what: set[str]) -> Iterator[None]:
    """Checks that exactly this is made of the elements that values share."""
    before = _core.paths()
    yield
    after = _core.paths()
    assert {path for path in BOTH if after[path] > before[path]} == what


def test_items_have_rows_that_others_have_too() -> None:
    """The rows are expanded, but their least values are not."""
    rows = torch.rand(3, 1, 9, generator=torch.Generator().manual_seed(5)).cumsum(-1)
    cdf = torch.nn.functional.pad(rows / rows[..., -1:], (1, 0)).expand(3, 40, 10)
    low, values = torch.arange(120).view(3, 40) % 11, torch.arange(120).int().view(3, 40) % 19
    model, copied = torchac.Tables(cdf, low=low), torchac.Tables(cdf.contiguous(), low=low)
    streams = torchac.encode_batch(copied, values)
    assert torchac.encode_batch(model, values) == streams
    assert torchac.decode_batch(model, streams).equal(values)


def test_parts_share_what_the_whole_does() -> None:
    """The index of an expanded model is skipped with the values."""
    means = torch.tensor([0.0, 40.0])[:, None].expand(2, 10_000)
    model, values = torchac.Normal(means, 3.0), (means + torch.arange(10_000) % 7).int()
    with made(ROWS):
        packed = _coding.encode_chunks(model.fit(values, None), 7, 1)
    flat = torch.tensor_split(values.flatten(), 7)
    its = torch.tensor_split(means.flatten(), 7)
    parts = [torchac.encode(torchac.Normal(m, 3.0), v) for m, v in zip(its, flat, strict=True)]
    assert bytes(packed.data) == b"".join(parts)
    with made(BOTH):
        decoded = _coding.decode_chunks(_coding.to_decode(model, None), packed, 1)
    assert torch.from_numpy(decoded).equal(values)


MANY = torchac.Mixture(
    torch.ones(16), torchac.Normal(torch.arange(16) * 20.0 + torch.rand(64, 1), 3.0)
)
ROW = torch.linspace(0, 1, 4097)
# A model, how many values share it, and what is made for encoding and for decoding.
CHOICES: dict[str, tuple[Any, int, set[str], set[str]]] = {
    "a normal, a value": (torchac.Normal(torch.zeros(1), 2.0), 1, NOTHING, NOTHING),
    "a normal, few values": (torchac.Normal(torch.zeros(1), 2.0), 17, NOTHING, NOTHING),
    "a normal, some": (torchac.Normal(torch.zeros(1), 2.0), 1000, ROWS, BOTH),
    "a mixture, few": (MANY, 64 * 4, NOTHING, NOTHING),
    "a mixture, many": (MANY, 64 * 2000, ROWS, BOTH),
    "long rows, few": (torchac.Tables(ROW.repeat(64, 1)), 64 * 8, NOTHING, NOTHING),
    "a long row, many": (torchac.Tables(ROW[None]), 10_000, NOTHING, LUTS),
    "a short row": (torchac.Tables(ROW[None, ::256]), 500, NOTHING, LUTS),
    "bits": (torchac.Bernoulli(probs=torch.full((1,), 0.2)), 10_000, ROWS, NOTHING),
    "categories, few values": (
        torchac.Categorical(logits=torch.zeros(1, 256)),
        5,
        NOTHING,
        NOTHING,
    ),
    "categories, some": (torchac.Categorical(logits=torch.zeros(1, 256)), 100, ROWS, BOTH),
    "more than 4096 elements": (
        torchac.Categorical(logits=torch.zeros(5000, 100)),
        100_000,
        ROWS,
        ROWS,
    ),
}


@pytest.mark.parametrize("choice", CHOICES)
def test_what_is_made_follows_from_costs(choice: str) -> None:
    model, count, encoding, decoding = CHOICES[choice]
    (elements,) = model.shape
    index = torch.arange(count).view(-1, elements) % elements
    values = torch.zeros(count // elements, elements, dtype=torch.int32)
    for its, numbers in ((model, index), (model.expand(values.shape), None)):
        with made(encoding):
            stream = torchac.encode(its, values, index=numbers)
        with made(encoding):
            torchac.estimate_bits(its, values, index=numbers)
        with made(decoding):
            assert torchac.decode(its, stream, index=numbers).equal(values)
        with made(decoding):
            torchac.Decoder(stream).decode(its, index=numbers)
    with made(encoding):  # also where the model broadcasts
        torchac.encode(model, values)


def test_all_items_and_steps_share() -> None:
    model, values = torchac.Normal(0.0, 2.0), torch.zeros(8, 500, dtype=torch.int32)
    expanded = model.expand(8, 500)
    with made(ROWS):
        streams = torchac.encode_batch(expanded, values, num_threads=1)
    with made(BOTH):
        torchac.decode_batch(expanded, streams, num_threads=1)
    with made(BOTH):
        torchac.decode_batch([model.expand(500)] * 8, streams, num_threads=1)
    encoder = torchac.BatchEncoder(8)
    with made(ROWS):
        encoder.encode(expanded, values)
    active = torch.arange(8) > 0
    with made(ROWS):
        encoder.encode(expanded, values, active=active)
    decoder = torchac.BatchDecoder(encoder.finish())
    with made(BOTH):
        decoder.decode(expanded)
    with made(BOTH):
        decoder.decode(expanded, active=active)


def test_threads_that_share_the_values_save_less() -> None:
    model, values = MANY.expand(8, 16, 64), torch.zeros(8, 16, 64, dtype=torch.int32)
    with made(ROWS):
        streams = torchac.encode_batch(model, values, num_threads=1)
    with made(NOTHING):
        assert torchac.encode_batch(model, values, num_threads=4) == streams


def test_bad_numbers_matter_only_to_values_that_have_them() -> None:
    logits = torch.zeros(2, 5)
    logits[1, 3] = torch.nan
    model, index = torchac.Categorical(logits=logits), torch.zeros(5000, dtype=torch.int64)
    stream = torchac.encode(model, index, index=index)
    assert torchac.decode(model, stream, index=index).equal(index.int())
    index[4000] = 1
    with pytest.raises(ValueError, match=r"^logits is nan at index \(1, 3\): "):
        torchac.encode(model, index * 0, index=index)
    with pytest.raises(ValueError, match=r"^logits is nan at index \(1, 3\): "):
        torchac.decode(model, stream, index=index)


NORMAL, PARTS = torchac.Normal(0.0, 2.0), torchac.Mixture(torch.ones(1), [torchac.Normal(0.0, 1.0)])


def test_items_of_several_kinds_are_one_batch() -> None:
    models: list[Any] = [NORMAL, PARTS, torchac.Bernoulli(probs=0.5)] * 3
    values = [torch.full((k + 1,), k % 2) for k in range(9)]
    streams = torchac.encode_batch(models, values)
    assert streams == [torchac.encode(m, v) for m, v in zip(models, values, strict=True)]
    its = [m.expand(k + 1) for k, m in enumerate(models)]
    decoded = torchac.decode_batch(its, streams)
    assert all(a.equal(b.int()) for a, b in zip(decoded, values, strict=True))


def test_threads_share_items_of_several_kinds() -> None:
    values = torch.zeros(100_000)
    models = [torchac.Normal(torch.zeros(100_000), 1.0), PARTS.expand(100_000)] * 2
    before = _core.paths()["thread"]
    torchac.encode_batch(models, [values] * 4, num_threads=2)
    assert _core.paths()["thread"] > before


@pytest.mark.parametrize(
    ("message", "call"),
    [
        (
            r"^item 2: value 0\.5 at index \(1,\): ",
            lambda: torchac.encode_batch(
                [NORMAL, PARTS] * 3,
                [torch.tensor([0, 0.5 if k in (2, 5) else 1]) for k in range(6)],
            ),
        ),
        (
            r"^item 1: the model has shape \(2,\): expected one that broadcasts to \(3,\)$",
            lambda: torchac.encode_batch([NORMAL, NORMAL.expand(2)], [torch.zeros(3)] * 2),
        ),
        (
            r"^item 1: the model has shape \(\): expected \(K,\), K elements, with index$",
            lambda: torchac.decode_batch(
                [NORMAL.expand(1), NORMAL], [b""] * 2, index=[torch.zeros(1).long()] * 2
            ),
        ),
        (
            r"^index has 1 items: expected 2, as many as the others$",
            lambda: torchac.decode_batch([NORMAL] * 2, [b""] * 2, index=[torch.zeros(1).long()]),
        ),
        (
            r"^cdf has 3 items: expected 2, as many as the others$",
            lambda: torchac.encode_batch([NORMAL] * 3, [torch.zeros(1)] * 2),
        ),
        (
            r"^item 1: values has dtype torch\.complex64: ",
            lambda: torchac.encode_batch([NORMAL] * 2, [torch.zeros(1), torch.zeros(1) * 1j]),
        ),
    ],
)
def test_messages_on_lists_name_the_item(message: str, call: Callable[[], Any]) -> None:
    with pytest.raises(ValueError, match=message):
        call()
