"""Many Python threads at once give the bytes of one, and none waits for another."""

import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import cast

import numpy as np
import pytest
import torch
from test_devices import DEVICES, as_another_device
from test_tables import decode, encode, tables

import torchac
from torchac import _core
from torchac._tensors import NDArray

WORKERS = 8


@pytest.fixture
def no_switching() -> Iterator[None]:
    """No thread is forced to release the GIL."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1000)
    yield
    sys.setswitchinterval(interval)


@pytest.mark.usefixtures("eager_switching")
@pytest.mark.parametrize("kind", ["float32", "float16", "int16"])
def test_threads_write_and_read_the_bytes_of_one(kind: str) -> None:
    rng = np.random.default_rng(1)
    cdf = tables(rng, kind, 40, 65)
    lengths = rng.integers(0, 900, 200)
    indices = [torch.from_numpy(rng.integers(0, 40, n)) for n in lengths]
    syms = [torch.from_numpy(rng.integers(0, 64, n)) for n in lengths]
    expected = [encode(cdf, *item) for item in zip(syms, indices, strict=True)]

    def rows(i: int) -> tuple[torch.Tensor, torch.Tensor | None]:
        return (cdf, indices[i]) if i % 2 else (cdf[indices[i]], None)

    def code(i: int) -> bool:
        its_cdf, index = rows(i)
        stream = encode(its_cdf, syms[i], index)
        return stream == expected[i] and decode(its_cdf, stream, index).long().equal(syms[i])

    with ThreadPoolExecutor(WORKERS) as pool:
        assert all(pool.map(code, range(len(syms))))


@pytest.mark.usefixtures("eager_switching")
def test_threads_may_share_an_encoder_and_a_decoder() -> None:
    """Pieces are coded in any order, but each as a whole."""
    cdf = tables(np.random.default_rng(2), "float32", 1, 65).expand(20_000, 65)
    pieces = torch.randint(64, (WORKERS, 20_000))  # long enough to overlap
    encoder = torchac.Encoder()
    with ThreadPoolExecutor(WORKERS) as pool:
        list(pool.map(lambda piece: encoder.encode(cdf, piece), pieces))
    decoder = torchac.Decoder(encoder.finish())
    with ThreadPoolExecutor(WORKERS) as pool:
        decoded = list(pool.map(lambda _: decoder.decode(cdf), range(WORKERS)))
    assert sorted(piece.tolist() for piece in decoded) == sorted(pieces.tolist())
    assert decoder.num_bits_consumed == encoder.num_bits


@pytest.mark.usefixtures("eager_switching")
@pytest.mark.parametrize("device", DEVICES)
def test_threads_may_share_an_encoder_where_cdfs_are_on_another_device(device: str) -> None:
    """Only bounds of intervals come to the host; marks still check the symbols.

    `bash tools/sanitize.sh gil` sees whether that counts references without the GIL.
    """
    cdf = tables(np.random.default_rng(3), "float32", 1, 65).expand(2000, 65)
    pieces = torch.randint(64, (100, 2000))
    encoder, batch = torchac.Encoder(), torchac.BatchEncoder(2)
    there = cdf[:1].to(device).expand(2000, 65)

    def code(piece: torch.Tensor) -> None:
        encoder.encode(there, piece.to(device))
        batch.encode(there.reshape(2, 1000, 65), piece.view(2, 1000).to(device))

    with as_another_device(device), ThreadPoolExecutor(WORKERS) as pool:
        list(pool.map(code, pieces))
    encoder.mark()
    batch.mark()
    decoder, others = torchac.Decoder(encoder.finish()), torchac.BatchDecoder(batch.finish())
    decoded = [decoder.decode(cdf).tolist() for _ in pieces]
    assert sorted(decoded) == sorted(pieces.tolist())
    decoder.mark()
    for _ in pieces:
        others.decode(cdf.view(2, 1000, 65))
    others.mark()


NAMES = ["Encoder", "Decoder", "encode_items", "decode_items", "encode_batch", "decode_batch"]


def core_call(name: str, sym: NDArray) -> Callable[[], object]:
    """Returns a call into the compiled module, and nothing else, that codes zeros in an array."""
    row = np.linspace(0, 1, 257, dtype=np.float32)
    cdf, batch = (
        _core.Model.of_cdf(np.broadcast_to(row, (*shape, 257)), True, None, False, False)
        for shape in (sym.shape, (1, *sym.shape))
    )
    (stream,) = cast(list[bytes], _core.encode_items([cdf], [sym], False, 1))
    return {
        "Encoder": lambda: _core.Encoder().encode(cdf, sym),
        "Decoder": lambda: _core.Decoder([stream]).decode(cdf, sym),
        "encode_items": lambda: _core.encode_items([cdf], [sym], False, 1),
        "decode_items": lambda: _core.decode_items([cdf], [stream], [sym], 1),
        "encode_batch": lambda: _core.encode_batch(batch, sym[np.newaxis], False, 1),
        "decode_batch": lambda: _core.decode_batch(batch, [stream], sym[np.newaxis], 1),
    }[name]


@pytest.mark.usefixtures("no_switching")
@pytest.mark.parametrize("name", NAMES)
def test_the_gil_is_released(name: str) -> None:
    """A thread that waits for the GIL gets it while another one does nothing but code."""
    call, most, stop = core_call(name, np.zeros(100_000, np.int16)), 1000, threading.Event()
    results: list[object] = []

    def code_until_stopped() -> None:
        while not stop.is_set() and len(results) < most:
            results.append(call())

    worker = threading.Thread(target=code_until_stopped)
    worker.start()
    stop.set()
    worker.join()
    assert len(results) < most


@pytest.mark.usefixtures("no_switching")
@pytest.mark.parametrize("name", NAMES)
def test_calls_overlap(name: str) -> None:
    """A whole call fits in while another thread is decoding."""
    sym = np.zeros(500_000, np.int16)
    decode_all, most, overlap = core_call("Decoder", sym), 50, threading.Event()
    call = core_call(name, np.zeros(1, np.int16))
    begun: list[None] = []

    def decode_until_overlap() -> None:
        while not overlap.is_set() and len(begun) < most:
            sym[:] = -1
            begun.append(None)
            decode_all()

    def in_the_middle() -> int:
        """Returns the number of the decoding that has a first symbol and no last one, or 0."""
        return len(begun) if sym[0] == 0 and sym[-1] == -1 else 0

    worker = threading.Thread(target=decode_until_overlap)
    worker.start()
    while worker.is_alive() and not overlap.is_set():
        time.sleep(0)  # releases the GIL, in case calls do not
        before = in_the_middle()
        call()
        if before and in_the_middle() == before:
            overlap.set()
    worker.join()
    assert overlap.is_set()
