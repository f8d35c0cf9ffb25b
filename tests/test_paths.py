"""Fast paths are taken wherever possible, and all paths give the same bytes."""

import os
import platform
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch

import torchac
from torchac import _core

SYM = torch.arange(20_000) % 40
ROW = torch.linspace(0, 1, 41)  # searched linearly
TABLES, INDEX = ROW.expand(3, 41), SYM % 3
needs_avx2 = pytest.mark.skipif(
    _core.cpu() == "baseline", reason="this processor, or its compiler, has no AVX2"
)
needs_simd = pytest.mark.skipif(
    _core.cpu() == "baseline" and platform.machine() not in {"aarch64", "arm64"},
    reason="this processor, or its compiler, has neither AVX2 nor NEON",
)


@contextmanager
def taken(*paths: str) -> Iterator[None]:
    """Checks that exactly these paths are taken."""
    before = _core.paths()
    yield
    after = _core.paths()
    assert {path for path in after if after[path] > before[path]} == set(paths)


def test_tables_are_prepared() -> None:
    with taken("encode lookup table"):
        stream = torchac.encode_float_cdf(TABLES, SYM, index=INDEX)
    with taken("decode lookup table"):
        torchac.decode_float_cdf(TABLES, stream, index=INDEX)


def test_few_symbols_need_no_tables() -> None:
    with taken():
        stream = torchac.encode_float_cdf(TABLES, SYM[:3], index=INDEX[:3])
        torchac.decode_float_cdf(TABLES, stream, index=INDEX[:3])


def test_trees_are_prepared_for_values_that_share_them() -> None:
    """Trees are made as soon as they pay, but not of elements that overlap, or of too many."""
    logits = np.zeros(10**6, np.float32)
    windows = np.lib.stride_tricks.sliding_window_view(logits, 300)
    for numbers, index, paths in (
        (logits[:300][None], [0] * 3, ["trees"]),
        (logits[:300][None], [0] * 2, []),
        (logits[:600].reshape(2, 300), [0, 0, 0, 1, 1], []),
        (logits[:600].reshape(2, 300), [0] * 5 + [1], ["trees"]),
        (logits[:600].reshape(300, 2).T, [0] * 5 + [1], ["trees"]),
        (logits[:300][None].repeat(9, 0), [8] * 3, ["trees"]),
        (np.broadcast_to(logits[:300], (2**40, 300)), [2**31] * 3, ["trees"]),
        (np.broadcast_to(logits[:300], (2**40, 300)), [0, 1, 2**31], ["trees"]),
        (windows, [0] * 100, []),
        (windows, [0] * 30_000, ["trees"]),
        (windows[:9000], list(range(9000)) * 3, []),
    ):
        model, values = torchac.Categorical(logits=numbers), np.zeros(len(index))
        with taken(*paths):
            stream = torchac.encode(model, values, index=np.array(index))
        with taken(*paths):
            torchac.decode(model, stream, index=np.array(index))
        with taken(*paths):
            torchac.estimate_bits(model, values, index=np.array(index))


def test_trees_of_a_model_that_is_broadcast() -> None:
    """Trees are made of an expanded array, whoever expanded it."""
    for shape in ((1, 300), (4, 1, 300), (300,)):
        model = torchac.Categorical(logits=torch.zeros(shape))
        with taken("trees"):
            torchac.encode(model, torch.zeros(4, 9))
        expanded = torchac.Categorical(logits=torch.zeros(shape).expand(4, 9, 300))
        with taken("trees"):
            torchac.encode(expanded, torch.zeros(4, 9))


def test_trees_in_a_batch_of_models_that_share_nothing_otherwise() -> None:
    models = [torchac.Categorical(logits=torch.zeros(n, 300)) for n in (1, 9)]
    with taken("trees"):
        streams = torchac.encode_batch([models[0].expand(9), models[1]], [torch.zeros(9)] * 2)
    with taken("trees"):
        torchac.decode_batch([models[0].expand(9), models[1]], streams)


@needs_simd
@pytest.mark.parametrize(
    "symbols", [9, 32, *(pytest.param(n, marks=needs_avx2) for n in (48, 64)), 128, 256]
)
@pytest.mark.parametrize("quantize", [False, True])
def test_rows_are_searched_by_simd(symbols: int, quantize: bool) -> None:
    cdf = torch.linspace(0, 1, symbols + 1).repeat(100, 1)
    if quantize:
        cdf = torchac.quantize_cdf(cdf)
    streams = torchac.encode_batch(cdf[None], SYM[None, :100] % symbols)
    with taken("SIMD search"):
        torchac.decode_batch(cdf[None], streams)


@needs_avx2
def test_streams_with_tables_are_coded_by_simd() -> None:
    cdf, sym, index = TABLES, SYM.view(20, -1), INDEX.view(20, -1)
    with taken("encode lookup table", "SIMD across streams"):
        streams = torchac.encode_batch(cdf, sym, index=index, num_threads=1)
    with taken("decode lookup table", "SIMD across streams"):
        torchac.decode_batch(cdf, streams, index=index, num_threads=1)


@needs_avx2
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_streams_of_models_are_decoded_in_lanes(dtype: torch.dtype) -> None:
    sym = SYM.view(8, -1) % 8
    numbers = torch.linspace(0.5, 8, 8 * 2500 * 5).view(8, 2500, 5).to(dtype)
    loc, scale = numbers[..., 0], numbers[..., 1]
    for model in (
        torchac.Normal(loc, scale),
        torchac.Mixture(numbers[..., :3], torchac.Logistic(numbers[..., :3], numbers[..., 2:])),
    ):
        streams = torchac.encode_batch(model, sym, num_threads=1)
        with taken("lanes"):
            assert torch.equal(torchac.decode_batch(model, streams, num_threads=1).long(), sym)


@pytest.mark.parametrize("threads", [None, 2])
def test_threads_are_started(threads: int | None) -> None:
    """The default is torch's number of threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    cdf, sym = ROW.expand(2, 10_000, 41), SYM.view(2, -1)
    with taken("thread"):
        streams = torchac.encode_batch(cdf, sym, num_threads=threads)
    with taken("thread"):
        torchac.decode_batch(cdf, streams, num_threads=threads)
    with taken():
        torchac.encode_batch(cdf, sym, num_threads=1)
    torchac.set_num_threads(1)
    with taken(*[] if threads is None else ["thread"]):
        torchac.encode_batch(cdf, sym, num_threads=threads)
    torchac.set_num_threads(None)
    with taken("thread"):
        torchac.encode_batch(cdf, sym, num_threads=threads)
    torch.set_num_threads(before)


def test_a_batch_of_little_work_starts_no_threads() -> None:
    before = _core.paths()["thread"]
    torchac.encode_batch(TABLES, SYM.view(20, -1), index=INDEX.view(20, -1), num_threads=64)
    assert _core.paths()["thread"] == before
    tokens = torchac.Categorical(logits=torch.zeros(12, 30_000))
    torchac.encode_batch(tokens, SYM[:12], num_threads=2)
    assert _core.paths()["thread"] == before + 1


@pytest.mark.parametrize(
    ("cpu", "prefetch"),
    [("baseline", ""), ("avx2", "rows"), ("avx2", "pages"), ("avx512", "")],
)
def test_all_processors_give_the_same_bytes(cpu: str, prefetch: str) -> None:
    """The environment variable disables some instructions."""
    here = Path(__file__).parent
    programs = [str(here / name) for name in ("test_reference.py", "test_tables.py")]
    programs += [
        f"{here / module}::test_{n}"
        for module, n in (
            ("test_models.py", "golden_streams"),
            ("test_categorical.py", "golden_streams"),
            ("test_every_model.py", "however_it_is_coded_the_bytes_are_the_same"),
        )
    ]
    order = ["baseline", "avx2", "avx512"]
    expected = min(cpu, _core.cpu(), key=order.index)
    check = f"from torchac import _core; assert _core.cpu() == {expected!r}, _core.cpu()"
    for command in (["-c", check], ["-m", "pytest", "-q", "-p", "no:cacheprovider", *programs]):
        done = subprocess.run(
            [sys.executable, *command],
            env=os.environ | {"TORCHAC_CPU": cpu, "TORCHAC_PREFETCH": prefetch},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout + done.stderr
