"""The streams of the torchac 0.9.3 release, cut off at every byte and changed in every one."""

from typing import Any

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
    """The symbols, or None if the stream is found to be corrupt. Anything else is an error."""
    try:
        return torchac.decode_int16_normalized_cdf(cdf, stream)
    except CorruptStreamError:
        return None


def unnoticed_cuts(case: dict[str, Any]) -> int:
    """How many cuts leave a stream of other symbols: never one of these."""
    cdf, sym, stream = load(case, "cdf_int16"), load(case, "sym"), stream_of(case)
    unnoticed = 0
    for length in range(len(stream)):
        symbols = decoded(cdf, stream[:length])
        if symbols is None:
            continue
        unnoticed += 1
        assert not symbols.equal(sym)
        assert len(torchac.encode_int16_normalized_cdf(cdf, symbols)) <= length
    return unnoticed


def test_a_cut_is_noticed_or_leaves_a_stream_of_other_symbols() -> None:
    cases = short(CASES, 300)
    cuts = sum(len(stream_of(case)) for case in cases)
    assert (sum(map(unnoticed_cuts, cases)), cuts) == (43, 3250)  # docs/trust.md tells this


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
