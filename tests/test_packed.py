"""Streams in one array: the streams of a batch, and those of the parts of one tensor."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import torchac
from torchac import _core, _tensors
from torchac._as_model import as_model
from torchac._rows import check_cdf

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
    shape = batch.shape if as_model(batch) else batch.shape[:-1]
    return torch.from_numpy(np.random.default_rng(0).integers(0, 11, shape))


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
@given(size=st.integers(1, 200), threads=st.sampled_from([1, 2, 5]))
def test_parts_are_streams_of_their_own(name: str, size: int, threads: int) -> None:
    shape = (3, 2, 31)
    rng = np.random.default_rng(0)
    values = torch.from_numpy(rng.integers(0, 10, shape, np.int32))
    index = torch.from_numpy(rng.integers(0, 4, shape)) if "index" in name else None
    model = as_model(PARTS[name])
    pieces = torch.split(values.flatten(), size)
    indices = [None] * len(pieces) if index is None else torch.split(index.flatten(), size)
    if model is None:
        cdf = PARTS[name]
        rows = check_cdf(cdf, True, index)
        packed = _core.encode_parts(rows.view(), values.numpy(), size, threads)
        parts = [cdf] * len(pieces) if index is not None else torch.split(cdf.flatten(0, -2), size)
        expected = [
            torchac.encode(part, piece, index=i)
            for part, piece, i in zip(parts, pieces, indices, strict=True)
        ]
        decoded: Any = np.empty(shape, np.int16)
        assert isinstance(packed, _core.Packed)
        report = _core.decode_parts(rows.view(), packed, decoded, size, threads)
    else:
        its, numbered = model._for_values(shape, index)
        packed = _core.encode_value_parts(
            its._view(numbered), _tensors.numbers(values), size, threads
        )
        flat = (
            model
            if index is not None
            else model.expand(*shape)._map(lambda a: torch.as_tensor(a).flatten(0, 2))
        )
        elements = (
            [None] * len(pieces) if index is not None else torch.split(torch.arange(186), size)
        )
        expected = [
            torchac.encode(flat if e is None else flat._take(e), piece, index=i)
            for e, piece, i in zip(elements, pieces, indices, strict=True)
        ]
        decoded = np.empty(shape, np.int32)
        assert isinstance(packed, _core.Packed)
        report = _core.decode_value_parts(its._view(numbered), packed, decoded, size, threads)
    assert report is None
    assert packed.lengths.tolist() == [len(stream) for stream in expected]
    assert packed.data.tobytes() == b"".join(expected)
    assert equal(decoded, values)


def test_reports_of_parts_are_on_the_whole() -> None:
    values = torch.zeros(3, 31)
    values[2, 5] = 0.5
    view = torchac.Normal(0.0, 1.0).expand(3, 31)._view()
    report = _core.encode_value_parts(view, _tensors.numbers(values), 10, 2)
    assert isinstance(report, _core.Report)
    assert (report.item, report.position) == (0, 67)
    rows = check_cdf(CDF.expand(3, 31, 12), True, None)
    report = _core.encode_parts(rows.view(), (values * 100).int().numpy(), 10, 2)
    assert isinstance(report, _core.Report)
    assert (report.item, report.position) == (0, 67)
    empty = _core.Packed(np.zeros(0, np.uint8), np.zeros(10, np.int64))
    missing = _core.decode_parts(rows.view(), empty, np.empty((3, 31), np.int16), 10, 1)
    assert missing is not None
    assert missing.problem is _core.Problem.TRUNCATED
