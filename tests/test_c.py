"""The C interface gives the bytes, the values and the messages of Python.

Needs the library, shared: `bash .ci/run c` builds it and says where it is by TORCHAC_C.
"""

from __future__ import annotations

import ctypes
import io
import os
import re
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
from c_library import CORRUPT, INVALID, CBytes, CError, FileInfo, Library, array
from every_model import EVERY, make, values_of

import torchac
from torchac.models._from_argument import to_model

PROGRAMS = os.environ.get("TORCHAC_C_PROGRAMS")
PREFIX = os.environ.get("TORCHAC_C")
pytestmark = pytest.mark.skipif(PREFIX is None, reason="needs the C library: bash .ci/run c")
COUNT = 600


@pytest.fixture(scope="module")
def c() -> Library:
    [path] = Path(str(PREFIX)).glob("lib*/libtorchac.so")
    return Library(path)


@pytest.mark.parametrize("name", EVERY)
def test_every_model_gives_the_bytes_of_python(name: str, c: Library) -> None:
    model = to_model(make(name, COUNT))
    values = values_of(make(name, COUNT), COUNT)
    stream = torchac.encode(model, values)
    assert c.encode(model, values) == stream
    assert np.array_equal(c.decode(model, stream, values.shape), values)
    assert np.array_equal(c.measure(model, values), torchac.estimate_bits(model, values))
    with pytest.raises(CError, match="the stream ends before its") as caught:
        c.decode(model, stream[:-3], values.shape)
    assert caught.value.code == CORRUPT


@pytest.mark.parametrize("name", EVERY)
def test_an_index_selects_elements(name: str, c: Library) -> None:
    model = to_model(make(name, 7))
    index = torch.arange(COUNT, dtype=torch.int64).flip(0) % 7
    values = torch.zeros(COUNT, dtype=torch.int32)
    stream = torchac.encode(model, values, index=index)
    assert c.encode(model, values, index) == stream
    assert np.array_equal(c.decode(model, stream, values.shape, index), values)
    index[5] = 7
    with pytest.raises(CError) as caught:
        c.encode(model, values, index)
    with pytest.raises(ValueError, match=re.escape(str(caught.value))):
        torchac.encode(model, values, index=index)


@pytest.mark.parametrize("name", EVERY)
def test_a_model_broadcasts_and_may_have_any_strides(name: str, c: Library) -> None:
    model = to_model(make(name, 3, 1))
    values = torch.zeros(5, 3, 4, dtype=torch.int16).transpose(0, 2).contiguous().transpose(0, 2)
    stream = torchac.encode(model, values)
    assert c.encode(model, values) == stream
    assert np.array_equal(c.decode(model, stream, values.shape), values)


@pytest.mark.parametrize("name", EVERY)
def test_steps_in_lockstep_with_marks(name: str, c: Library) -> None:
    of = to_model(make(name, 6, 5))
    values = values_of(make(name, 6, 5), 6, 5)
    for active in (None, [True] * 6, [True, False] * 3, [True, False, True, True, False, False]):
        chosen = None if active is None else torch.tensor(active)
        encoder, there = torchac.BatchEncoder(6), c.encoder(6)
        marked = None if active is None else bytes(active)
        drained = [b""] * 6
        for _ in range(3):
            encoder.encode(of, values, active=chosen)
            c.call("encoder_encode", there, c.model(of), None, array(values), marked)
            encoder.mark(active=chosen)
            c.call("encoder_mark", there, marked)
            more = c.finished(there, 6, "drain")
            drained = [a + b for a, b in zip(drained, more, strict=True)]
        bits = (ctypes.c_uint64 * 6)()
        c.call("encoder_num_bits", there, bits)
        assert list(bits) == encoder.num_bits
        streams = encoder.finish()
        assert [a + b for a, b in zip(drained, c.finished(there, 6), strict=True)] == streams
        with pytest.raises(CError, match="this encoder has finished"):
            c.call("encoder_mark", there, None)

        decoder = c.decoder([stream[:3] for stream in streams])
        for k, stream in enumerate(streams):
            c.call("decoder_feed", decoder, ctypes.c_size_t(k), stream[3:], len(stream[3:]))
        expected = values * (1 if chosen is None else chosen[:, None])
        for _ in range(3):
            found = np.full((6, 5), -1, np.int32)
            c.call("decoder_decode", decoder, c.model(of), None, array(found), marked)
            assert np.array_equal(found, expected)
            c.call("decoder_mark", decoder, marked)
        c.call("decoder_finish", decoder)


def test_another_model_is_found_by_a_mark(c: Library) -> None:
    encoder = torchac.Encoder()
    encoder.encode(torchac.Normal(np.zeros(50), 3.0), np.arange(50) % 5)
    encoder.mark()
    encoder.encode(torchac.Normal(np.zeros(50), 3.0), np.arange(50) % 5)
    decoder = c.decoder([encoder.finish()])
    found = np.empty(50, np.int32)
    model = c.model(torchac.Normal(np.zeros(50), 3.1))
    c.call("decoder_decode", decoder, model, None, array(found), None)
    with pytest.raises(CError, match="the values between the start and mark 1 differ") as caught:
        c.call("decoder_mark", decoder, None)
    assert caught.value.code == CORRUPT


NAN = np.array([0.5, np.nan], np.float32)
REFUSED = {
    "loc": (torchac.Normal(np.zeros(2), 1.0), {"loc": NAN}),
    "scale": (torchac.Normal(np.zeros(2), 1.0), {"scale": np.array([1.0, -0.25])}),
    "probs": (torchac.Categorical(probs=np.ones((2, 3))), {"numbers": np.full((2, 3), -2.0)}),
    "no logits": (
        torchac.Categorical(logits=np.ones((1, 3))),
        {"numbers": np.full((1, 3), -np.inf)},
    ),
    "Bernoulli": (torchac.Bernoulli(probs=np.ones(2)), {"numbers": np.array([1.0, 1.5])}),
}


@pytest.mark.parametrize("name", REFUSED)
def test_messages_are_those_of_python(name: str, c: Library) -> None:
    model, changes = REFUSED[name]
    changed = {"numbers": "_numbers"}
    spec = c.model(model)
    for field, wrong in changes.items():
        setattr(model, changed.get(field, field), wrong)
    values = np.zeros(model.shape, np.int32)
    with pytest.raises(CError) as caught:
        c.encode(model, values)
    assert caught.value.code == INVALID
    with pytest.raises(ValueError, match=re.escape(str(caught.value))):
        torchac.encode(model, values)
    del spec


ROWS = np.array([[0.0, 0.5, 1.0], [0.0, 0.25, 1.0]])


@pytest.mark.parametrize(
    ("model", "values"),
    [
        (torchac.Normal(np.zeros(2), 1.0), [0.0, 0.5]),
        (torchac.Normal(np.zeros(2), 1.0, low=-1, high=7), [0, 8]),
        (torchac.Normal(np.zeros(2), 1.0), [0, 1 << 40]),
        (torchac.Categorical(probs=np.ones((2, 3))), [0, 3]),
        (to_model(ROWS), [0, 2]),
        (to_model(ROWS), [-1, 0]),
        (to_model(ROWS[:, ::-1]), [0, 0]),
        (to_model(np.array([0.0, np.inf, 1.0])), 0),
        (to_model(np.array([0.0, 0.75, 0.5, 1.0]), False), 1),
        (to_model(np.array([0.0, 0.5, 0.5, 1.0]), False), 1),
        (to_model(np.array([0.0, -0.5, 1.0]), False, True), 0),
    ],
)
def test_values_and_rows_are_refused_as_in_python(
    model: object, values: object, c: Library
) -> None:
    values = np.array(values)
    with pytest.raises(ValueError, match=r".+") as expected:
        torchac.encode(model, values)
    with pytest.raises(CError) as caught:
        c.encode(model, values)
    there = str(expected.value).split("needs_normalization=True")[0].split(". It sums")[0]
    assert str(caught.value).split("rows without TORCHAC_RAW")[0] == there


def files_of_python(model_id: bytes) -> tuple[bytes, list[tuple[str | None, object, torch.Tensor]]]:
    parts: list[tuple[str | None, object, torch.Tensor]] = [
        (None if k % 2 else name, to_model(make(name, 600)), values_of(make(name, 600), 600))
        for k, name in enumerate(EVERY)
    ]
    wide = torch.randint(-(1 << 31), 1 << 31, (1001,)).int()
    parts.append(("fixed", torchac.Normal(0.0, 1.0), wide))
    parts.append(("seven", torchac.Normal(0.0, 0.1), torch.randint(0, 100, (3, 67)).int()))
    parts.append(("constant", torchac.Normal(0.0, 1.0), torch.full((2, 3), -7).int()))
    parts.append(("none", torchac.Normal(0.0, 1.0), torch.empty(0, 3).int()))
    many = torch.randint(-9, 9, (300_001,)).int()
    parts.append(("n\u00e4me", torchac.Laplace(0.0, 3.0), many))
    file = io.BytesIO()
    with torchac.Writer(file, model_id=model_id) as writer:
        for name, model, values in parts:
            writer.write(model, values, name=name)
    return file.getvalue(), parts


def test_files_have_the_bytes_of_python(c: Library) -> None:
    file, parts = files_of_python(b"id")
    writer, reader = c.writer(b"id"), c.reader(file, b"id")
    for number, (name, model, values) in enumerate(parts):
        encoded = None if name is None else name.encode()
        there = c.model(model)
        c.call("writer_write", writer, encoded, there, None, array(values))
        segment = c.segment(reader, number)
        assert segment.shape[: segment.ndim] == list(values.shape)
        assert segment.name[: segment.name_size] == (encoded or b"")
        if encoded:
            assert c.segment(reader, 0, encoded).number == number
        found = np.full(tuple(values.shape), -1, np.int32)
        c.call("reader_read", reader, ctypes.c_uint64(number), there, None, array(found))
        assert np.array_equal(found, values)
    result = CBytes()
    c.call("writer_finish", writer, ctypes.byref(result))
    assert c.taken(result) == [file]
    info = FileInfo(ctypes.sizeof(FileInfo))
    c.call("reader_info", reader, ctypes.byref(info))
    assert info.segments == len(parts)
    assert info.damage is None


def test_damaged_files_are_refused_as_in_python(c: Library) -> None:
    file = io.BytesIO()
    with torchac.Writer(file, model_id=b"a") as writer:
        writer.write(torchac.Normal(0.0, 2.0), torch.arange(40) % 3, name="x")
        writer.write(torchac.Normal(0.0, 2.0), torch.arange(4) * 0)
    whole = file.getvalue()
    damaged = [whole[:k] for k in range(len(whole))] + [b"PNG", whole + b"!"]
    damaged += [whole[:k] + bytes([whole[k] ^ 4]) + whole[k + 1 :] for k in range(len(whole))]
    for data in damaged:
        with pytest.raises(ValueError, match=r".+") as expected:
            torchac.Reader(io.BytesIO(data), model_id=b"a")
        with pytest.raises(CError) as caught:
            c.reader(data, b"a")
        if "begins with" not in str(expected.value):
            assert str(caught.value) == str(expected.value)
        try:
            there = torchac.Reader(io.BytesIO(data), model_id=b"a", recover=True)
        except ValueError:
            continue
        info, reader = FileInfo(ctypes.sizeof(FileInfo)), c.reader(data, b"a", flags=1)
        c.call("reader_info", reader, ctypes.byref(info))
        assert info.segments == len(there.segments)
        assert info.damage.decode() == there.damage


def test_another_model_or_identifier_is_refused(c: Library) -> None:
    file, _ = files_of_python(b"x'y")
    with pytest.raises(CError, match="the file was written with model_id") as caught:
        c.reader(file, b"other")
    assert caught.value.code == INVALID
    reader, found = c.reader(file, b"x'y"), np.empty(600, np.int32)
    other = c.model(torchac.Normal(np.zeros(600), 17.0))
    with pytest.raises(CError, match=r"segment 0 \('Normal'\) decodes to values other") as caught:
        c.call("reader_read", reader, ctypes.c_uint64(0), other, None, array(found))
    assert caught.value.code == CORRUPT


@pytest.mark.parametrize("tolerance", [1e-3, 0.02, 0.1])
def test_settled_parameters_are_those_of_python(tolerance: float, c: Library) -> None:
    x = torch.randn(3, 5000, generator=torch.Generator().manual_seed(1)) * 8
    numbers, shifts = torchac.settle(x, 0.5, tolerance)
    found, there = np.empty(x.shape, np.int32), CBytes()
    step = ctypes.c_double(0.5)
    into, view = ctypes.byref(there), array(x)
    c.call("settle", view, step, ctypes.c_double(tolerance), array(found), into)
    [bytes_] = c.taken(there)
    assert bytes_ == bytes(shifts.numpy())
    assert np.array_equal(found, numbers)
    other = x + tolerance * 0.9
    found[:] = -1
    size = ctypes.c_size_t(len(bytes_))
    c.call("settled", array(other), bytes_, size, step, array(found))
    assert np.array_equal(found, numbers)
    with pytest.raises(CError, match="shifts has") as caught:
        c.call(
            "settled", array(other), bytes_, ctypes.c_size_t(len(bytes_) - 1), step, array(found)
        )
    assert caught.value.code == CORRUPT


needs_programs = pytest.mark.skipif(PROGRAMS is None, reason="needs programs: bash .ci/run c")


def run(program: str, *arguments: Path | str) -> subprocess.CompletedProcess[str]:
    command = [str(Path(str(PROGRAMS)) / program), *map(str, arguments)]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)


@needs_programs
def test_a_program_decodes_what_python_wrote(tmp_path: Path) -> None:
    loc, scale = torch.randn(3, 40), torch.rand(3, 40) + 0.5
    values = (loc + scale * torch.randn(3, 40)).round().int()
    with torchac.Writer(tmp_path / "file.tac") as writer:
        writer.write(torchac.Laplace(0.0, 1.0), values, name="other")
        writer.write(torchac.Normal(loc, scale), values, name="y")
    torch.stack([loc, scale]).numpy().tofile(tmp_path / "parameters")
    arguments = tmp_path / "parameters", tmp_path / "values"
    done = run("decode", tmp_path / "file.tac", "y", *arguments)
    assert (done.returncode, done.stderr) == (0, "")
    assert np.array_equal(np.fromfile(tmp_path / "values", np.int32), values.flatten())
    done = run("decode", tmp_path / "file.tac", "z", *arguments)
    assert (done.returncode, done.stderr) == (1, "no segment is named 'z'\n")


@needs_programs
def test_python_decodes_what_a_program_encoded(tmp_path: Path) -> None:
    assert run("encode", tmp_path / "stream").returncode == 0
    decoder = torchac.Decoder((tmp_path / "stream").read_bytes())
    row = torch.zeros(64)
    for y in range(48):
        row = decoder.decode(torchac.Laplace(row.float(), 2.5, low=0, high=255))
        x = torch.arange(64)
        assert row.equal(((x * x + 3 * y * y + 5 * x * y) // 64 % 256).int())
    decoder.mark()
    decoder.finish()
