"""Streams in one array: the streams of a batch, and those of the parts of one tensor."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import torchac
from torchac import _coding, _core
from torchac.models._from_argument import to_model

CDF = torch.linspace(0, 1, 12)
BATCHES: dict[str, Any] = {
    "rows": CDF.expand(5, 7, 12),
    "arrays": np.broadcast_to(CDF.numpy(), (5, 7, 12)),
    "a list of rows": [CDF.expand(n, 12) for n in (0, 3, 1)],
    "a model": torchac.Normal(torch.zeros(5, 7), 3.0),
    "models": [torchac.Laplace(torch.zeros(n), 3.0) for n in (0, 3, 1)],
    "models of two kinds": [
        torchac.Normal(torch.zeros(3), 3.0),
        torchac.Categorical(probs=torch.ones(2, 11)),
    ],
    "nothing": torchac.Normal(torch.zeros(0, 3), 1.0),
}


def values_of(batch: Any) -> Any:
    if isinstance(batch, list):
        return [values_of(one) for one in batch]
    return torch.from_numpy(np.random.default_rng(0).integers(0, 11, to_model(batch).shape))


def equal(a: Any, b: Any) -> bool:
    if isinstance(a, list):
        return len(a) == len(b) and all(map(equal, a, b))
    return torch.as_tensor(a).long().equal(torch.as_tensor(b).long())


@pytest.mark.parametrize("name", BATCHES)
def test_packed_batch(name: str) -> None:
    batch = BATCHES[name]
    values = values_of(batch)
    if name == "arrays":
        values = values.numpy()
    streams = torchac.encode_batch(batch, values)
    data, lengths = torchac.encode_batch(batch, values, packed=True)
    assert isinstance(data, np.ndarray if name == "arrays" else torch.Tensor)
    assert np.asarray(data).tobytes() == b"".join(streams)
    assert lengths.tolist() == [len(stream) for stream in streams]
    assert equal(torchac.decode_batch(batch, (data, lengths)), values)
    assert equal(torchac.decode_batch(batch, (np.asarray(data).tobytes(), lengths)), values)


@pytest.mark.parametrize("dtype", [torch.int32, torch.int16])
def test_lengths_of_other_integers(dtype: torch.dtype) -> None:
    values = values_of(CDF.expand(5, 7, 12))
    data, lengths = torchac.encode_batch(CDF.expand(5, 7, 12), values, packed=True)
    streams = data, lengths.to(dtype)
    assert torchac.decode_batch(CDF.expand(5, 7, 12), streams).equal(values.short())


@pytest.mark.parametrize(
    ("lengths", "message"),
    [
        ([1, 2], r"lengths has shape \(2,\): expected \(3,\)"),
        ([[1], [2], [3]], r"lengths has shape \(3, 1\)"),
        ([-1, 1, 0], "the least is -1"),
        ([1 << 62, 1 << 62, 0], "add up to 9223372036854775808"),
        ([(1 << 63) - 1, (1 << 63) - 1, 5], "add up to 18446744073709551619"),  # or 3, as int64
        ([9, 9, 9], "add up to 27"),
    ],
)
def test_lengths_that_do_not_fit(lengths: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        torchac.decode_batch(CDF.expand(3, 7, 12), (b"abc", torch.tensor(lengths)))


PARTS: dict[str, Any] = {
    "rows": torch.rand(3, 2, 31, 11).cumsum(-1) / 12,
    "expanded rows": CDF.expand(3, 2, 31, 12),
    "a gap": torch.rand(3, 2, 62, 11)[:, :, ::2].cumsum(-1) / 12,
    "Normal": torchac.Normal(torch.rand(2, 31), torch.rand(3, 1, 1)),
    "Mixture": torchac.Mixture(
        torch.rand(2, 1, 2), torchac.Normal(torch.rand(31, 2), torch.rand(3, 1, 1, 2))
    ),
    "Categorical": torchac.Categorical(probs=torch.rand(3, 1, 31, 11)),
    "many categories": torchac.Categorical(logits=torch.rand(2, 1, 300)),
    "Tables": torchac.Normal(torch.rand(3, 2, 31), 2.0).tabulate(),
    "Normal and an index": torchac.Normal(torch.rand(4), 2.0),
    "tables and an index": torchac.Normal(torch.rand(4), 2.0).tabulate(),
    "rows and an index": torch.rand(4, 11).cumsum(-1) / 12,
}


@pytest.mark.parametrize("name", PARTS)
@given(count=st.integers(1, 186), threads=st.sampled_from([1, 2, 5]))
def test_parts_are_streams_of_their_own(name: str, count: int, threads: int) -> None:
    shape = (3, 2, 31)
    rng = np.random.default_rng(0)
    values = torch.from_numpy(rng.integers(0, 10, shape, np.int32))
    index = torch.from_numpy(rng.integers(0, 4, shape)) if "index" in name else None
    model = to_model(PARTS[name])
    pieces = torch.tensor_split(values.flatten(), count)
    if index is None:
        whole = model.expand(*shape)._map(lambda array: torch.as_tensor(array).flatten(0, 2))
        parts = [whole.select(numbers) for numbers in torch.arange(186).tensor_split(count)]
        streams = [torchac.encode(*part) for part in zip(parts, pieces, strict=True)]
    else:
        indices = torch.tensor_split(index.flatten(), count)
        streams = [
            torchac.encode(model, piece, index=numbers)
            for piece, numbers in zip(pieces, indices, strict=True)
        ]
    packed = _coding.encode_chunks(model.fit(values, index), count, threads)
    room = _coding.to_decode(model, index, shape)
    decoded = _coding.decode_chunks(room, packed, threads)
    assert packed.lengths.tolist() == [len(stream) for stream in streams]
    assert packed.data.tobytes() == b"".join(streams)
    assert equal(decoded, values)


def test_messages_on_parts_are_on_the_whole() -> None:
    values = torch.zeros(3, 31)
    values[2, 5] = 0.5
    rows = to_model(CDF.expand(3, 31, 12))
    with pytest.raises(ValueError, match=r"^value 0\.5 at index \(2, 5\)"):
        _coding.encode_chunks(torchac.Normal(0.0, 1.0).fit(values, None), 10, 2)
    with pytest.raises(ValueError, match=r"^symbol 50 at index \(2, 5\)"):
        _coding.encode_chunks(rows.fit(values * 100, None), 10, 2)
    empty = _core.Packed(np.zeros(0, np.uint8), np.zeros(10, np.int64))
    with pytest.raises(torchac.CorruptStreamError, match="ends before its symbols do: 0 of 93"):
        _coding.decode_chunks(_coding.to_decode(rows, None), empty, 1)
