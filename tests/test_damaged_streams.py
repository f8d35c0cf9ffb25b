"""The streams of the torchac 0.9.3 release, cut off at every byte and changed in every byte."""

from typing import Any

import numpy as np
import pytest
import torch
from test_reference import CASES, VECTORS, load

import torchac
from torchac import CorruptStreamError


def stream_of(case: dict[str, Any]) -> bytes:
    return bytes(VECTORS[case["name"] + "/stream"].tobytes())


def short(cases: list[dict[str, Any]], most: int) -> list[dict[str, Any]]:
    return [case for case in cases if len(stream_of(case)) <= most]


def decoded(cdf: torch.Tensor, stream: bytes) -> torch.Tensor | None:
    """The symbols, or None if the stream is corrupt. Any other exception is a failure."""
    try:
        return torchac.decode_int16_normalized_cdf(cdf, stream)
    except CorruptStreamError:
        return None


@pytest.mark.parametrize("case", short(CASES, 300), ids=lambda case: case["name"])
def test_a_cut_is_noticed(case: dict[str, Any]) -> None:
    """A cut stream is refused, unless the rest has everything that the symbols need."""
    cdf, sym, stream = load(case, "cdf_int16"), load(case, "sym"), stream_of(case)
    for length in range(len(stream)):
        symbols = decoded(cdf, stream[:length])
        assert symbols is None or symbols.equal(sym)


@pytest.mark.parametrize("pmf", [[1 / 256] * 256, [0.005, 0.99, 0.005]])
def test_a_lost_byte_is_noticed(pmf: list[float]) -> None:
    """A lost byte is noticed even if many symbols are likely enough to fit the rest."""
    rng = np.random.default_rng(1)
    cdf = np.cumsum([0.0, *pmf]).clip(max=1)
    rows = torchac.quantize_cdf(torch.from_numpy(cdf).expand(1000, 500, -1))
    symbols = torch.from_numpy(np.searchsorted(cdf[1:], rng.random((1000, 500))))
    streams = torchac.encode_batch(rows, symbols)
    for i, stream in enumerate(streams):
        for decode in (decoded, batch_decoded):
            found = decode(rows[i], stream[:-1])
            assert found is None or found.equal(symbols[i].short())


def batch_decoded(cdf: torch.Tensor, stream: bytes) -> torch.Tensor | None:
    """Decodes like `decoded`, but with SIMD, in a batch of twelve equal streams."""
    try:
        return torchac.decode_batch(cdf.expand(12, *cdf.shape), [stream] * 12)[0]
    except CorruptStreamError:
        return None


@pytest.mark.parametrize("case", short(CASES, 300), ids=lambda case: case["name"])
def test_unused_bits_and_bytes_after_them_change_nothing(case: dict[str, Any]) -> None:
    cdf, sym, stream = load(case, "cdf_int16"), load(case, "sym"), stream_of(case)
    decoder = torchac.Decoder(stream)
    assert decoder.decode(cdf).equal(sym)
    unused = 8 * len(stream) - decoder.num_bits_consumed
    assert 0 <= unused < 8
    changed = bytearray(stream)
    changed[-1] ^= (1 << unused) - 1
    for end in (b"", b"\xff", b"\0" * 9):
        symbols = decoded(cdf, bytes(changed) + end)
        assert symbols is not None
        assert symbols.equal(sym)


@pytest.mark.parametrize("case", short(CASES, 30), ids=lambda case: case["name"])
def test_a_changed_byte_is_noticed_or_gives_symbols(case: dict[str, Any]) -> None:
    cdf, stream = load(case, "cdf_int16"), stream_of(case)
    for position in range(len(stream)):
        changed = bytearray(stream)
        for change in range(1, 256):
            changed[position] = stream[position] ^ change
            symbols = decoded(cdf, bytes(changed))
            if symbols is not None and symbols.numel() > 0:
                assert symbols.min() >= 0
                assert symbols.max() <= cdf.shape[-1] - 2
