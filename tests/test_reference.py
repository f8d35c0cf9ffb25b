"""The 146 streams that the torchac 0.9.3 release wrote: the same bytes, the same symbols."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import reference_coder
import torch

import torchac

VECTORS = np.load(Path(__file__).parent / "data" / "reference.npz")
CASES = json.loads(VECTORS["index"].tobytes().decode())


def load(case: dict[str, Any], part: str) -> torch.Tensor:
    """`cdf`, `cdf_int16` or `sym` of a case; rows that are shared are expanded."""
    tensor = torch.from_numpy(VECTORS[f"{case['name']}/{part}"])
    if part == "sym" or not case["shared_row"]:
        return tensor
    shape = VECTORS[f"{case['name']}/sym"].shape
    return tensor[0].expand(*shape, tensor.shape[-1])


def test_there_are_146_cases() -> None:
    assert len(CASES) == 146


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_bytes_and_symbols(case: dict[str, Any]) -> None:
    cdf, sym = load(case, "cdf"), load(case, "sym")
    stream = VECTORS[case["name"] + "/stream"].tobytes()
    if case["kind"] == "float":
        normalize = case["needs_normalization"]
        assert torchac.encode_float_cdf(cdf, sym, normalize, check_input_bounds=True) == stream
        assert torch.equal(torchac.decode_float_cdf(cdf, stream, normalize), sym)
    integers = load(case, "cdf_int16")
    assert torchac.encode_int16_normalized_cdf(integers, sym) == stream
    assert torch.equal(torchac.decode_int16_normalized_cdf(integers, stream), sym)


@pytest.mark.parametrize(
    "case", [c for c in CASES if c["kind"] == "float"], ids=lambda c: c["name"]
)
def test_converted_rows(case: dict[str, Any]) -> None:
    converted = torchac.quantize_cdf(load(case, "cdf"), case["needs_normalization"])
    assert torch.equal(converted, load(case, "cdf_int16"))


@pytest.mark.parametrize("case", CASES[::7], ids=lambda case: case["name"])
def test_the_slow_coder_agrees(case: dict[str, Any]) -> None:
    rows = load(case, "cdf_int16").numpy().view(np.uint16)
    flat = rows.reshape(-1, rows.shape[-1]).tolist()
    symbols = load(case, "sym").flatten().tolist()
    stream = VECTORS[case["name"] + "/stream"].tobytes()
    assert reference_coder.encode(flat, symbols) == stream
    assert reference_coder.decode(flat, stream) == symbols
