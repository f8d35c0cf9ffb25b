"""Batches give the streams of single calls, whatever the threads do."""

import os
import subprocess
import sys
import threading
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from test_tables import decode, encode, tables

import torchac

THREADS = [1, 2, 5]


def random_batch(seed: int, kind: str, shapes: list[tuple[int, ...]], lp: int) -> Any:
    rng = np.random.default_rng(seed)
    cdfs = [tables(rng, kind, int(np.prod(shape)), lp).view(*shape, lp) for shape in shapes]
    return cdfs, [torch.from_numpy(rng.integers(0, lp - 1, shape)) for shape in shapes]


@pytest.mark.parametrize("kind", ["float32", "bfloat16", "int16"])
@given(
    shapes=st.lists(st.lists(st.integers(0, 30), max_size=2).map(tuple), max_size=9),
    lp=st.sampled_from([2, 3, 17, 257]),
    threads=st.sampled_from(THREADS),
    seed=st.integers(0, 2**32 - 1),
)
def test_items_that_differ_in_shape(
    kind: str, shapes: list[tuple[int, ...]], lp: int, threads: int, seed: int
) -> None:
    cdfs, syms = random_batch(seed, kind, shapes, lp)
    streams = torchac.encode_batch(cdfs, syms, check=True, num_threads=threads)
    assert streams == [encode(cdf, sym) for cdf, sym in zip(cdfs, syms, strict=True)]
    decoded = torchac.decode_batch(cdfs, streams, num_threads=threads)
    assert isinstance(decoded, list)
    assert all(a.long().equal(b) for a, b in zip(decoded, syms, strict=True))


@pytest.mark.parametrize("threads", THREADS)
@pytest.mark.parametrize("kind", ["float32", "int16"])
def test_32_images(kind: str, threads: int) -> None:
    cdf = tables(np.random.default_rng(1), kind, 32 * 24 * 24, 257).view(32, 24, 24, 257)
    sym = torch.randint(256, (32, 24, 24))
    streams = torchac.encode_batch(cdf, sym, num_threads=threads)
    assert streams == [encode(c, s) for c, s in zip(cdf, sym, strict=True)]
    decoded = torchac.decode_batch(cdf, streams, num_threads=threads)
    assert decoded.dtype is torch.int16
    assert decoded.long().equal(sym)


@pytest.mark.parametrize("threads", THREADS)
@pytest.mark.parametrize("kind", ["float32", "int16"])
def test_tables_with_an_index(kind: str, threads: int) -> None:
    cdf = tables(np.random.default_rng(2), kind, 64, 257)
    index = torch.randint(64, (24, 5000))
    sym = torch.randint(256, index.shape)
    streams = torchac.encode_batch(cdf, sym, index=index, num_threads=threads)
    assert streams == [encode(cdf, s, i) for s, i in zip(sym, index, strict=True)]
    decoded = torchac.decode_batch(cdf, streams, index=index, num_threads=threads)
    assert decoded.long().equal(sym)


@pytest.mark.parametrize("shared", [False, True])
def test_items_that_lie_backwards_and_among_each_other(shared: bool) -> None:
    rng = np.random.default_rng(4)
    sym = rng.integers(0, 17, (6, 10, 4)).transpose(2, 0, 1)[:, ::-1]
    rows = tables(rng, "float32", 240, 18).numpy().reshape(10, 6, 4, 18).transpose(2, 1, 0, 3)[::-1]
    index = rng.integers(0, 3, (10, 4, 6)).transpose(1, 2, 0)[::-1]
    cdf = rows[0, 0, :3] if shared else rows
    options: dict[str, Any] = {"index": index} if shared else {}
    streams = torchac.encode_batch(cdf, sym, **options)
    expanded = cdf[index] if shared else cdf
    assert streams == [
        torchac.encode_float_cdf(its_cdf.copy(), its_sym.copy())
        for its_cdf, its_sym in zip(expanded, sym, strict=True)
    ]
    np.testing.assert_array_equal(torchac.decode_batch(cdf, streams, **options), sym)


def test_tables_with_indices_of_different_shapes() -> None:
    """Tables for all items, and tables for each item, one of which is a part of another."""
    cdf = tables(np.random.default_rng(3), "float32", 4, 18)
    indices = [torch.randint(4, (n,)) for n in (100, 0, 7)]
    syms = [torch.randint(8, index.shape) for index in indices]
    for cdfs in (cdf, [cdf, cdf[..., :10], cdf]):
        each = [cdf] * 3 if isinstance(cdfs, torch.Tensor) else cdfs
        streams = torchac.encode_batch(cdfs, syms, index=indices)
        assert streams == [encode(*item) for item in zip(each, syms, indices, strict=True)]
        decoded = torchac.decode_batch(cdfs, streams, index=indices)
        assert all(a.long().equal(b) for a, b in zip(decoded, syms, strict=True))


def test_no_items() -> None:
    assert torchac.encode_batch([], []) == []
    assert torchac.decode_batch([], []) == []
    empty = torch.zeros(0, 7, 5)
    assert torchac.encode_batch(empty, torch.zeros(0, 7, dtype=torch.int16)) == []
    assert torchac.decode_batch(empty, []).shape == (0, 7)
    for no_rows in (torch.zeros(0), torch.zeros(0, 1), torch.zeros(0, 5, dtype=torch.int32)):
        with pytest.raises(ValueError, match=r"^cdf has (shape|dtype) "):
            torchac.decode_batch(no_rows, [])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_threads_end_with_the_call() -> None:
    """A child forked after a call works, because the call leaves no threads."""
    code = (
        "import os, torch, torchac\n"
        "cdf = torch.linspace(0, 1, 257).expand(8, 20000, 257)\n"
        "sym = torch.zeros(8, 20000, dtype=torch.int16)\n"
        "streams = torchac.encode_batch(cdf, sym, num_threads=4)\n"
        "child = os.fork()\n"
        "if child == 0:\n"
        "    symbols = torchac.decode_batch(cdf.numpy(), streams, num_threads=4)\n"
        "    os._exit(0 if (symbols == 0).all() else 1)\n"
        "assert os.waitpid(child, 0)[1] == 0\n"
    )
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True, timeout=120)


def test_many_python_threads_at_once() -> None:
    cdf = tables(np.random.default_rng(4), "float32", 8 * 2000, 65).view(8, 2000, 65)
    sym = torch.randint(64, (8, 2000))
    expected = [encode(c, s) for c, s in zip(cdf, sym, strict=True)]
    results: list[bool] = []

    def code() -> None:
        for _ in range(20):
            streams = torchac.encode_batch(cdf, sym, num_threads=2)
            decoded = torchac.decode_batch(cdf, streams, num_threads=2)
            results.append(streams == expected and decoded.long().equal(sym))

    workers = [threading.Thread(target=code) for _ in range(6)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert results == [True] * 120


CDF = torch.linspace(0, 1, 5).expand(3, 2, 5)
SYM = torch.tensor([[0, 1], [2, 3], [0, 0]])
STREAMS = torchac.encode_batch(CDF, SYM)


def test_symbol_out_of_range_names_the_first_item() -> None:
    sym = SYM.clone()
    sym[1, 1], sym[2, 0] = 4, 9
    message = (
        r"^item 1: symbol 4 at index \(1,\) is outside the alphabet: "
        r"rows of 5 values allow symbols 0 … 3$"
    )
    for threads in THREADS:
        with pytest.raises(ValueError, match=message):
            torchac.encode_batch(CDF, sym, num_threads=threads)


def test_a_cdf_value_is_named_by_its_place_in_the_item() -> None:
    cdf = torch.linspace(0, 1, 5).repeat(3, 2, 1)
    cdf[1, 0, 2] = torch.nan
    message = r"^item 1: CDF value nan at index \(0, 2\) cannot be converted: expected finite "
    with pytest.raises(ValueError, match=message):
        torchac.encode_batch(cdf, torch.ones(3, 2, dtype=torch.int64))


def test_damaged_stream_names_the_item() -> None:
    message = "^item 2: the stream ends before its symbols do: "
    with pytest.raises(torchac.CorruptStreamError, match=message):
        torchac.decode_batch(CDF, [*STREAMS[:2], b""])


def test_shapes_that_do_not_match() -> None:
    sym = torch.zeros(3, 1, dtype=torch.int16)
    message = r"^shape of sym \(3, 1\) must match the rows of the CDF: expected \(3, 2\)$"
    with pytest.raises(ValueError, match=message):
        torchac.encode_batch(CDF, sym)
    message = r"^item 0: shape of sym \(1,\) must match the rows of the CDF: expected \(2,\)$"
    with pytest.raises(ValueError, match=message):
        torchac.encode_batch(CDF, list(sym))


def test_stream_that_is_no_bytes_names_the_item() -> None:
    message = (
        "^item 1: byte_stream is of type str: expected bytes, or another buffer or array of them$"
    )
    with pytest.raises(TypeError, match=message):
        torchac.decode_batch(CDF, [STREAMS[0], "text", STREAMS[2]])  # type: ignore[list-item]


def test_another_number_of_items() -> None:
    message = "^byte_streams has 2 items: expected 3, as many as the others$"
    with pytest.raises(ValueError, match=message):
        torchac.decode_batch(CDF, STREAMS[:2])
    with pytest.raises(ValueError, match=r"^sym has 2 items: expected 3, as many as the others$"):
        torchac.encode_batch(CDF, SYM[:2])


def test_no_batch() -> None:
    message = r"^sym has shape \(\): expected \(B, …\), the items of a batch$"
    with pytest.raises(ValueError, match=message):
        torchac.encode_batch(CDF, torch.tensor(0))
    message = "^byte_streams is of type bytes: expected the items of a batch$"
    with pytest.raises(TypeError, match=message):
        torchac.decode_batch(CDF, STREAMS[0])  # type: ignore[arg-type]


def test_items_of_different_dtypes() -> None:
    message = "^item 1: cdf has dtype torch.float64: expected torch.float32, as item 0 has$"
    with pytest.raises(ValueError, match=message):
        torchac.encode_batch([CDF[0], CDF[1].double()], list(SYM[:2]))


def test_number_of_threads() -> None:
    with pytest.raises(ValueError, match=r"^num_threads is 0: expected 1 or more$"):
        torchac.encode_batch(CDF, SYM, num_threads=0)


def test_decode_matches_single_calls() -> None:
    for cdf, stream, sym in zip(CDF, STREAMS, SYM, strict=True):
        assert decode(cdf, stream).long().equal(sym)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(("where", "later"), [(0, 2999), (2999, 0)])
def test_the_first_item_is_named(where: int, later: int, threads: int) -> None:
    """The first item is reported even if a fault in a later one is found earlier."""
    cdf, sym = torch.linspace(0, 1, 9).expand(12, 3000, 9), torch.zeros(12, 3000, dtype=torch.int16)
    sym[1, where], sym[2, later], sym[3, later] = 99, 99, 99
    index = torch.zeros(12, 3000, dtype=torch.int16)
    for rows, its_index in ((cdf, None), (cdf[0, :1], index)):
        with pytest.raises(ValueError, match=rf"^item 1: symbol 99 at index \({where},\)"):
            torchac.encode_batch(rows, sym, index=its_index, num_threads=threads)
    streams = torchac.encode_batch(cdf, sym.clamp(max=7))
    streams[1] = streams[1][: where // 8 * 3]
    streams[2] = streams[3] = streams[3][: later // 8 * 3]
    with pytest.raises(torchac.CorruptStreamError, match=r"^item 1: the stream ends before"):
        torchac.decode_batch(cdf, streams, num_threads=threads)
