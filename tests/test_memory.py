"""Memory that coding takes besides its inputs and outputs."""

import subprocess
import sys
from pathlib import Path

import pytest

CODE = """
import torch, torchac
{setup}
def peak():
    return next(int(line.split()[1]) for line in open("/proc/self/status") if "VmHWM" in line)
{warm}                                             # everything is loaded and allocated once
open("/proc/self/clear_refs", "w").write("5")      # the peak from here on
before = peak()
result = {call}
print(peak() - before - {result} * 1_000_000 // 1024)  # less the result
"""
TABLES = """
cdf = torch.linspace(0, 1, 257).expand(64, 257).contiguous()
index = torch.randint(64, {shape}, dtype=torch.int16)
sym = torch.randint(256, {shape}, dtype=torch.int16)
"""
CASES = {
    "tables": (
        TABLES.format(shape="(1_000_000,)")
        + "stream = torchac.encode_float_cdf(cdf, sym, index=index)",
        "torchac.decode_float_cdf(cdf, stream, index=index)",
    ),
    "batch": (
        TABLES.format(shape="(8, 125_000)")
        + "streams = torchac.encode_batch(cdf, sym, index=index)",
        "torchac.decode_batch(cdf, streams, index=index, num_threads=2)",
    ),
}


needs_peaks = pytest.mark.skipif(
    not Path("/proc/self/clear_refs").exists(), reason="this system does not tell peaks of memory"
)


@needs_peaks
@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_decoding_a_million_symbols_takes_under_a_megabyte(case: tuple[str, str]) -> None:
    assert kilobytes(*case, result=2) < 1024  # int16


MODEL = """
torch.manual_seed(0)
loc, scale = torch.randn(1_000_000), torch.rand(1_000_000) * 4
values = (loc + scale * torch.randn(1_000_000)).round()
model = torchac.Normal(loc, scale)
stream = torchac.encode(model, values)
"""


@needs_peaks
@pytest.mark.parametrize(
    ("call", "result"), [("torchac.encode(model, values)", 0), ("torchac.decode(model, stream)", 4)]
)
def test_a_million_values_take_under_four_megabytes(call: str, result: int) -> None:
    assert kilobytes(MODEL, call, result) < 4096


MASK = """
torch.manual_seed(0)
probs = torch.rand(1_000_000)
values = torch.rand(1_000_000) < probs
model = torchac.Bernoulli(probs=probs)
stream = torchac.encode(model, values)
"""
CLASSES = """
torch.manual_seed(0)
values = torch.randint(256, (20_000,))
model = torchac.Categorical(logits=torch.randn(20_000, 256))
stream = torchac.encode(model, values)
"""


@needs_peaks
@pytest.mark.parametrize("setup", [MASK, CLASSES], ids=["a million bits", "20,000 pixels"])
def test_categories_take_under_four_megabytes(setup: str) -> None:
    assert kilobytes(setup, "torchac.encode(model, values)", result=0) < 4096
    bytes_a_value = 4 if setup is MASK else 0
    assert kilobytes(setup, "torchac.decode(model, stream)", bytes_a_value) < 4096


BYTES = """
import os
torch.manual_seed(0)
values = torch.randint(256, (10_000_000,), dtype=torch.uint8)
narrow = torchac.Categorical(probs=torch.ones(256))  # 8 bits each
wide = torchac.Tables(torch.linspace(0, 1, 513), bounds=(0, 511))  # 9 bits, so 8 bits are stored
null = open(os.devnull, "wb", buffering=0)
def write(model, values):
    with torchac.Writer(null) as writer:
        writer.write(model, values)
"""


@needs_peaks
@pytest.mark.parametrize("model", ["narrow", "wide"])
def test_writing_ten_million_bytes_takes_under_forty_megabytes(model: str) -> None:
    warm, call = (f"write({model}, values{part})" for part in ("[:100_000]", ""))
    assert kilobytes(BYTES, call, result=0, warm=warm) < 40_000


SEGMENTS = r"""
import struct, tempfile, zlib
def file_of(count, title):
    data, crc = bytearray(), 0
    for part in (b"\x89tac\1\0", *(title(i) + b"\2" for i in range(count)), b"\0"):
        crc = zlib.crc32(part, crc)
        data += part + struct.pack("<I", crc)
    file = tempfile.NamedTemporaryFile()
    file.write(data)
    file.flush()
    return file
few, many = (file_of(count, {title}) for count in (1000, 1_000_000))
def count(file):
    return len(torchac.Reader(file.name).segments)
"""


@needs_peaks
@pytest.mark.parametrize(
    "title", [r'lambda i: b"\1"', r'lambda i: b"\5\7%07d" % i'], ids=["bare", "named"]
)
def test_a_million_segments_take_under_a_hundred_megabytes(title: str) -> None:
    setup = SEGMENTS.replace("{title}", title)
    assert kilobytes(setup, "count(many)", result=0, warm="count(few)") < 100_000


SHARED = {
    "tables": "torchac.Tables(torch.linspace(0, 1, 257), bounds=(0, 255))",
    "expanded rows": "torchac.Tables(torch.linspace(0, 1, 257).expand(1000, 1, 257))",
    "normal": "torchac.Normal(torch.zeros(1000, 1), 3.0)",
    "mixture": "torchac.Mixture(torch.ones(5), torchac.Normal(torch.zeros(1000, 1, 5), 3.0))",
    "counts": "torchac.Categorical(probs=torch.ones(200, dtype=torch.int64).expand(1000, 1, 200))",
    "many categories": "torchac.Categorical(logits=torch.zeros(1, 1, 300))",
}
SHARE = """
model = {model}.expand(1000, {count})
values = torch.arange(1000 * {count}, dtype=torch.int32).view(1000, {count}) % 7
stream = torchac.encode(model, values)
active = torch.arange(1000) > 2
"""


@needs_peaks
@pytest.mark.parametrize("name", SHARED)
def test_nothing_is_copied_of_what_a_million_values_share(name: str) -> None:
    count = 20 if name == "many categories" else 1000
    setup = SHARE.format(model=SHARED[name], count=count)
    step = "torchac.BatchEncoder(1000).encode(model, values, active=active)"
    calls = f"(torchac.encode(model, values), torchac.decode(model, stream), {step})"
    result = 8 * count // 1000  # what is decoded, and the values of a step
    assert kilobytes(setup, calls, result) < 6144


def kilobytes(setup: str, call: str, result: int, warm: str | None = None) -> int:
    """The peak memory of the call, besides its result, of `result` bytes a symbol."""
    code = CODE.format(setup=setup, call=call, result=result, warm=warm or call)
    run = [sys.executable, "-c", code]
    return int(subprocess.run(run, check=True, capture_output=True, text=True).stdout)
