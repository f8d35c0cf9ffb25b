"""Streams in any kind of memory."""

import array
import mmap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import torchac
from torchac import _checks

CDF = torch.linspace(0, 1, 257).expand(30, 257)
SYM = torch.arange(30, dtype=torch.int16)
STREAM = torchac.encode_float_cdf(CDF, SYM)


def uint8(stream: bytes) -> np.ndarray[Any, Any]:
    return np.frombuffer(stream, np.uint8)


def in_a_map(stream: bytes) -> mmap.mmap:
    memory = mmap.mmap(-1, len(stream))
    memory[:] = stream
    return memory


def with_gaps(values: Any) -> Any:
    """The same values, as every second element of an array of twice the size."""
    return values.repeat(2)[::2]


KINDS: dict[str, Callable[[bytes], Any]] = {
    "bytes": bytes,
    "bytearray": bytearray,
    "memoryview": memoryview,
    "part of a memoryview": lambda stream: memoryview(b"." + stream)[1:],
    "memoryview with gaps": lambda stream: memoryview(with_gaps(uint8(stream)).data),
    "uint8 array": uint8,
    "uint8 array with gaps": lambda stream: with_gaps(uint8(stream)),
    "uint8 tensor": lambda stream: torch.frombuffer(bytearray(stream), dtype=torch.uint8),
    "uint8 tensor with gaps": lambda s: torch.tensor(with_gaps(uint8(s)).repeat(2))[::2],
    "map": in_a_map,
    "array": lambda stream: array.array("B", stream),
    "signed array": lambda stream: array.array("b", stream),
    "numpy.bytes_": lambda stream: np.array([stream])[0],
    "array of one stream": lambda stream: np.array(stream),
    "object array of one stream": lambda stream: np.array(stream, object),
}


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS.keys())
def test_kinds_of_streams(kind: Callable[[bytes], Any]) -> None:
    stream = kind(STREAM)
    assert torchac.decode_float_cdf(CDF, stream).equal(SYM)
    integers = torchac.quantize_cdf(CDF)
    assert torchac.decode_int16_normalized_cdf(integers, stream).equal(SYM)
    assert torchac.Decoder(stream).decode(CDF).equal(SYM)
    assert torchac.decode_batch(CDF[None], [stream])[0].equal(SYM)


@pytest.mark.parametrize("dtype", ["S", object])
def test_streams_of_a_batch_in_one_array(dtype: Any) -> None:
    sym = torch.stack([SYM, SYM.flip(0)])
    cdf = CDF.expand(2, *CDF.shape)
    streams = np.array(torchac.encode_batch(cdf, sym), dtype)
    assert torchac.decode_batch(cdf, streams).equal(sym)


def test_streams_in_files(tmp_path: Path) -> None:
    path = tmp_path / "stream"
    path.write_bytes(STREAM)
    assert torchac.decode_float_cdf(CDF, np.memmap(path, np.uint8, "r")).equal(SYM)
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as memory:
        assert torchac.decode_float_cdf(CDF, memory).equal(SYM)


@pytest.mark.parametrize("kind", ["bytearray", "memoryview", "uint8 array", "uint8 tensor", "map"])
def test_memory_is_read_in_place(kind: str) -> None:
    stream = KINDS[kind](STREAM)
    seen = np.asarray(memoryview(_checks.check_stream(stream)))
    assert np.shares_memory(seen, np.asarray(stream) if kind != "map" else uint8(stream))


def test_every_zero_byte_that_numpy_drops() -> None:
    """The range stays around its middle for long, so the stream ends in that many zero bits."""
    middle = torch.tensor([0.0, 0.25, 0.75, 1.0])
    end = torch.tensor([0.0, 0.3, 0.9, 1.0])
    for count in range(0, 4000, 97):
        sym = torch.ones(count + 1, dtype=torch.int16)
        cdf = torch.cat([middle.expand(count, 4), end[None]])
        stream = torchac.encode_float_cdf(cdf, sym, needs_normalization=False)
        lost = np.array([stream])[0]
        assert len(stream) - len(lost) >= count // 8
        assert torchac.decode_float_cdf(cdf, lost, needs_normalization=False).equal(sym)
        decoder = torchac.Decoder(lost)
        for row in cdf:
            assert decoder.decode(row, needs_normalization=False).item() == 1


def test_numpy_bytes_that_lost_nothing_are_padded_without_harm() -> None:
    generator = torch.Generator().manual_seed(1)
    for _ in range(300):
        sym = torch.randint(256, (3,), generator=generator)
        stream = torchac.encode_float_cdf(CDF[:3], sym)
        assert torchac.decode_float_cdf(CDF[:3], np.bytes_(stream)).equal(sym.short())


def test_no_bytes_are_no_stream_in_any_memory() -> None:
    for nothing in (b"", np.bytes_(b""), np.zeros(0, np.uint8), torch.zeros(0, dtype=torch.uint8)):
        with pytest.raises(torchac.CorruptStreamError, match=r"^the stream ends before"):
            torchac.decode_float_cdf(CDF, nothing)


@pytest.mark.parametrize(
    ("stream", "message"),
    [
        (np.zeros(3, np.int16), "dtype int16 and shape (3,)"),
        (np.zeros(3, bool), "dtype bool and shape (3,)"),
        (np.zeros((2, 3), np.uint8), "dtype uint8 and shape (2, 3)"),
        (torch.zeros(3), "dtype torch.float32 and shape (3,)"),
    ],
)
def test_arrays_that_are_no_bytes(stream: Any, message: str) -> None:
    with pytest.raises(ValueError, match=r"^byte_stream has ") as caught:
        torchac.decode_float_cdf(CDF, stream)
    assert str(caught.value) == f"byte_stream has {message}: expected uint8 in one dimension"


def test_buffers_that_are_no_bytes() -> None:
    shorts = array.array("h", [1, 2, 3, 4])
    message = (
        "^byte_stream is of type array, with items of format h: expected bytes, or a memoryview of"
    )
    with pytest.raises(ValueError, match=message):
        torchac.decode_float_cdf(CDF[:2], shorts)
    raw = torchac.decode_float_cdf(CDF[:2], memoryview(shorts))
    assert raw.equal(torchac.decode_float_cdf(CDF[:2], shorts.tobytes()))


def test_masked_streams_are_refused() -> None:
    with pytest.raises(
        TypeError, match=r"^byte_stream is a masked array, whose mask would be lost"
    ):
        torchac.decode_float_cdf(CDF, np.ma.masked_array(uint8(STREAM), uint8(STREAM) > 9))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU here")
def test_streams_on_a_gpu() -> None:
    stream = torch.frombuffer(bytearray(STREAM), dtype=torch.uint8).cuda()
    assert torchac.decode_float_cdf(CDF, stream).equal(SYM)
    assert torchac.decode_float_cdf(CDF, stream.repeat_interleave(2)[::2]).equal(SYM)
