"""Reading a file gives what was written, or an error that says why not."""

import copy
import errno
import io
import json
import mmap
import os
import pickle
import re
import socket
import stat
import subprocess
import sys
import threading
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import reference_files
import torch
from hypothesis import given
from hypothesis import strategies as st

import torchac
from torchac import CorruptStreamError, _file_format

MODEL = torchac.Normal(0.0, 2.0)
DATA = Path(__file__).parent / "data"


def written(*tensors: Any, model_id: bytes = b"", model: Any = MODEL, **options: Any) -> bytes:
    file = io.BytesIO()
    with torchac.Writer(file, model_id=model_id) as writer:
        for tensor in tensors:
            writer.write(model, tensor, **options)
    return file.getvalue()


def reader(data: bytes, **options: Any) -> torchac.Reader:
    return torchac.Reader(io.BytesIO(data), **options)


def values_of(*shape: int, seed: int = 0, scale: float = 2.0) -> torch.Tensor:
    rng = np.random.default_rng(seed)
    values = rng.normal(0, scale, shape).round().clip(-(2**31), 2**31 - 1)
    return torch.as_tensor(values, dtype=torch.int32)


# Files that are written and read


@given(
    shape=st.lists(st.integers(0, 9), max_size=4).map(tuple),
    scale=st.sampled_from([0.0, 0.3, 2.0, 50.0, 1e9]),
    name=st.none() | st.text(min_size=1, max_size=60),
    model_id=st.binary(max_size=255),
    dtype=st.sampled_from([torch.int32, torch.int64, torch.float64]),
    seed=st.integers(0, 99),
)
def test_round_trip(
    shape: tuple[int, ...], scale: float, name: Any, model_id: bytes, dtype: Any, seed: int
) -> None:
    values = values_of(*shape, seed=seed, scale=scale)
    tensors = [values.to(dtype), values_of(3)]
    file = io.BytesIO()
    with torchac.Writer(file, model_id=model_id) as writer:
        writer.write(MODEL, tensors[0], name=name)
        writer.write(MODEL, tensors[1])
    data = file.getvalue()
    found = reader(data, model_id=model_id)
    assert [(s.name, s.shape) for s in found.segments] == [(name, shape), (None, (3,))]
    assert sum(s.bytes for s in found.segments) + len(model_id) + 15 == len(data)
    for tensor in tensors:
        assert found.read(MODEL).equal(tensor.int())

    def decode(low: int, high: int, stream: bytes) -> Any:
        return torchac.decode(MODEL.expand(high - low), stream)

    expected = reference_files.read(data, model_id, [decode, decode])
    assert [n for n, _ in expected] == [name, None]
    assert all((v == t.numpy()).all() for (_, v), t in zip(expected, tensors, strict=True))


CDF = torch.rand(4, 5, 11, generator=torch.Generator().manual_seed(0)).cumsum(-1) / 12
EVERY: dict[str, tuple[Any, Any]] = {
    "a CDF": (CDF, None),
    "a CDF that broadcasts": (CDF[0, 0], None),
    "a CDF and an index": (CDF[0], torch.arange(20).view(4, 5) % 5),
    "arrays": (torchac.Laplace(np.zeros((4, 5)), np.float64(3)), None),
    "torch": (torch.distributions.Normal(torch.zeros(5), 2.0), None),
    "an index": (torchac.Normal(0.0, torch.tensor([1.0, 3.0])), torch.arange(20).view(4, 5) % 2),
    "Categorical": (torchac.Categorical(logits=torch.zeros(5, 300)), None),
    "Tables": (torchac.Logistic(torch.zeros(4, 5), 1.0).tabulate(), None),
}


@pytest.mark.parametrize("name", EVERY)
def test_every_model(name: str) -> None:
    model, index = EVERY[name]
    values: Any = torch.from_numpy(np.random.default_rng(1).integers(0, 10, (4, 5)))
    values = values.numpy() if name == "arrays" else values
    data = written(values, model=model, index=index)
    result = reader(data).read(model, index=index)
    assert type(result) is type(values)
    assert str(result.dtype).removeprefix("torch.") == "int32"
    assert (result == values).all()


def test_large_tensors_are_cut_into_streams() -> None:
    count = 3 * 2**17 + 5
    model = torchac.Normal(torch.linspace(-5, 5, 100), 0.3)  # 0.7 bits
    values = (torch.linspace(-5, 5, 100) + 0.3 * values_of(count // 99, 100, scale=1)).round()
    file = [written(values, model=model, num_threads=threads) for threads in (1, 2, 5)]
    assert file[0] == file[1] == file[2]
    assert reader(file[0]).segments[0].how == "24 streams"
    whole = len(torchac.encode(model, values))
    assert len(file[0]) - 31 <= 1.0025 * whole
    for threads in (1, 2):
        assert reader(file[0]).read(model, num_threads=threads).equal(values.int())
    loc = torch.linspace(-5, 5, 100).repeat(len(values))

    def decode(low: int, high: int, stream: bytes) -> Any:
        return torchac.decode(torchac.Normal(loc[low:high], 0.3), stream)

    [(_, expected)] = reference_files.read(file[0], b"", [decode])
    assert (expected == values.numpy()).all()


def test_overhead() -> None:
    assert len(written()) <= 16
    values = values_of(4, 2, 30, 40)
    stream = torchac.encode(MODEL, values)
    [segment] = reader(written(values)).segments
    assert segment.bytes - len(stream) <= 17


@pytest.mark.parametrize("value", [0, 1, -1, 2**31 - 1, -(2**31)])
def test_equal_values_take_a_few_bytes(value: int) -> None:
    values = torch.full((100, 100), value)
    [segment] = reader(data := written(values, model=torchac.Laplace(value, 1.0))).segments
    assert segment.bytes <= 12
    assert reader(data).read(MODEL).equal(values.int())


@pytest.mark.parametrize("least", [0, -1, -200, -(2**31)])
@pytest.mark.parametrize("width", [1, 7, 8, 13, 31, 32])
def test_values_take_no_more_than_their_width(width: int, least: int) -> None:
    low = min(least, 2**31 - 2**width)
    rng = np.random.default_rng(width)
    values = torch.from_numpy(rng.integers(low, low + 2**width, 70_001))
    values[0], values[-1] = low, low + 2**width - 1
    data = written(values, model=torchac.Normal(3.0, 0.1))
    [segment] = reader(data).segments
    assert segment.bytes <= np.ceil(70_001 * width / 8) + 16
    assert f"{width} bits" in segment.how
    assert reader(data).read(MODEL).equal(values.int())


def test_names_and_order() -> None:
    file = io.BytesIO()
    with torchac.Writer(file) as writer:
        for name, size in (("a", 1), (None, 2), ("z", 3)):
            writer.write(MODEL, values_of(size), name=name)
    found = reader(file.getvalue())
    assert found.read(MODEL, name="z").shape == (3,)
    with pytest.raises(ValueError, match="the file has 3 segments: all have been read"):
        found.read(MODEL)
    assert found.read(MODEL, name="a").shape == (1,)
    assert found.read(MODEL).shape == (2,)
    with pytest.raises(ValueError, match=r"no segment is named 'b': expected one of \['a', 'z'\]"):
        found.read(MODEL, name="b")
    assert found.read(MODEL).shape == (3,)


GOLDEN = json.loads((DATA / "files.json").read_text())


@pytest.mark.parametrize("name", GOLDEN)
def test_golden_files(name: str) -> None:
    golden = GOLDEN[name]
    loc, scale = (torch.tensor(golden[key]) for key in ("loc", "scale"))
    model, values = torchac.Laplace(loc, scale), torch.tensor(golden["values"], dtype=torch.int32)
    data = bytes.fromhex(golden["file"])
    options: dict[str, Any] = {"model_id": golden["model_id"].encode()}
    assert written(values, values, model=model, **options) == data
    found = reader(data, **options)
    assert found.read(model).equal(values)
    assert found.read(model).equal(values)

    def decode(low: int, high: int, stream: bytes) -> Any:
        return torchac.decode(model.expand(*values.shape), stream).flatten()[low:high]

    segments = reference_files.read(data, options["model_id"], [decode, decode])
    assert all((v == values.numpy()).all() for _, v in segments)


# Damage


SET = [
    written(),
    written(values_of(7), model_id=b"id"),
    written(values_of(2, 3), values_of(3), values_of(3) + 1000, torch.zeros(9)),
    written(values_of(11), name="a name"),
]


def read_all(data: bytes, model_id: bytes = b"") -> list[torch.Tensor]:
    found = reader(data, model_id=model_id, max_values=10**5)
    return [found.read(MODEL) for _ in found.segments]


@pytest.mark.parametrize("data", SET)
def test_every_changed_byte_is_noticed(data: bytes) -> None:
    for i in range(len(data)):
        for change in range(1, 256):
            damaged = data[:i] + bytes([data[i] ^ change]) + data[i + 1 :]
            with pytest.raises(CorruptStreamError):
                read_all(damaged, b"id")


@pytest.mark.parametrize("data", SET)
def test_every_cut_is_noticed(data: bytes) -> None:
    for length in range(len(data)):
        with pytest.raises(CorruptStreamError):
            read_all(data[:length], b"id")
    with pytest.raises(CorruptStreamError, match="1 bytes are after the end"):
        read_all(data + b"\0", b"id")


def test_file_format_cannot_be_taken_out_or_swapped() -> None:
    data = written(values_of(5), values_of(5, seed=1))
    first, second = (s.bytes for s in reader(data).segments)
    at = len(written()) - 5
    a, b = data[at : at + first], data[at + first : at + first + second]
    for changed in (data[:at] + b + data[at + first + second :], data[:at] + b + a + data[-5:]):
        with pytest.raises(CorruptStreamError, match="segment 0 is damaged"):
            reader(changed)


def test_damage_and_another_model_are_told_apart() -> None:
    y = values_of(100)
    data = written(values_of(4), y)
    damaged = bytearray(data)
    damaged[-20] ^= 1
    with pytest.raises(CorruptStreamError, match=r"^segment 1 is damaged$"):
        reader(bytes(damaged))
    with pytest.raises(CorruptStreamError, match=r"^the file ends within segment 1"):
        reader(data[:-20])
    found = reader(data)
    found.read(MODEL)
    for scale in (1.9, 0.1, 80.0):
        with pytest.raises(
            CorruptStreamError, match="segment 1 decodes to values other than those encoded"
        ):
            found.read(torchac.Normal(0.0, scale))
    assert found.read(MODEL).equal(y)  # its position did not change


def sealed(*parts: bytes) -> bytes:
    """A file of such segments, with matching CRCs."""
    data, crc = b"", 0
    for part in (_file_format.head(b""), *parts, b"\0"):
        crc = zlib.crc32(part, crc)
        data += part + crc.to_bytes(4, "little")
    return data


BIG = b"\x80" * 4 + b"\x08"  # 2^31
HOSTILE = {
    "a kind of version 1": (b"\x08\x01", "segment 1 is damaged: a kind that no version has"),
    "a kind of version 0": (b"\x04\x00", "segment 1 is damaged: a kind that no version has"),
    "a further kind": (b"\x08\x02\x07", "segment 1 needs version 2 of the file format, this rel"),
    "another kind": (b"\xfc\xff", "segment 1 needs version 255 of the file format, this release"),
    "no streams": (b"\x0b\x80\x20\x00" + bytes(9), "no streams, or more than values"),
    "4097 streams": (b"\x0b\x80\x20\x81\x20" + bytes(9000), "no streams, or more than values"),
    "an empty name": (b"\x05\x00\x00", "an empty name"),
    "2^62 values": (b"\x11" + BIG + BIG + b"\x00", "a shape of 2\\^62 values or more"),
    "no values, of 2^62": (b"\x19" + BIG + BIG + b"\x00\x00", "a shape of 2\\^62 values or more"),
    "no values, then 2^62": (b"\x19\x00" + BIG + BIG + b"\x00", "a shape of 2\\^62 values or more"),
    "2^62 times 2": (b"\x19\x02" + BIG + BIG + b"\x00", "a shape of 2\\^62 values or more"),
    "a long number": (b"\x09" + b"\xff" * 9 + b"\x00", "a number of more than 63 bits"),
    "a padded size": (b"\x09\x83\x00\x02", "a number that is padded with zeros"),
    "a padded size of 0": (b"\x09\x80\x00\x00", "a number that is padded with zeros"),
    "a padded value": (b"\x09\x03\x82\x80\x00", "a number that is padded with zeros"),
    "a padded least value": (b"\x0a\x01\x82\x00\x08\x01", "a number that is padded with zeros"),
    "a padded length": (b"\x0b\x01\x81\x00" + bytes(5), "a number that is padded with zeros"),
    "a value of none": (b"\x09\x00\x02", "a value, and a shape without values"),
    "a width of 0": (b"\x0a\x01\x00\x00", "a width that is not from 1 to 32 bits"),
    "a width of 33": (b"\x0a\x01\x00\x21" + bytes(5), "a width that is not from 1 to 32 bits"),
    "a value of 33 bits": (b"\x09\x01" + b"\x80" * 4 + b"\x10", "a value of more than 32 bits"),
    "a value below": (b"\x09\x01\x81\x80\x80\x80\x10", "a value of more than 32 bits"),
    "a stream of 2^62 bytes": (b"\x0b\x01" + b"\x80" * 8 + b"\x40" + bytes(4), "ends within"),
    "streams of 2^64 bytes": (
        b"\x0b" + b"\x80" * 2 + b"\x10" + b"\x02" + (b"\xff" * 8 + b"\x7f") * 2 + bytes(9),
        "ends within",
    ),
    "2^61 streams": (b"\x0b" + (b"\x80" * 8 + b"\x20") * 2 + bytes(90), "ends within"),
    "2^61 values of a bit": (b"\x0a" + b"\x80" * 8 + b"\x20\x00\x01", "ends within"),
    "2^62 - 1 values of 32 bits": (b"\x0a" + b"\xff" * 8 + b"\x3f\x00\x20", "ends within"),
    **{
        f"a name that is {text!r}": (
            b"\x05" + bytes([len(text)]) + text + b"\0",
            "a name that is not UTF-8",
        )
        for text in (
            *(b"\xff", b"\x80", b"a\xc3", b"\xc0\x80", b"\xc1\xbf", b"\xe0\x9f\xbf", b"\xe2\x82"),
            *(b"\xed\xa0\x80", b"\xe2\x82a", b"\xf0\x8f\xbf\xbf", b"\xf4\x90\x80\x80"),
            *(b"\xf5\x80\x80\x80", b"\xf0\x9f\x98a", b"\xc3\xc3"),
        )
    },
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_with_crcs_that_fit(name: str) -> None:
    part, message = HOSTILE[name]
    good = b"\x09\x03\x02"
    for verify in ("open", "read"):
        with pytest.raises(CorruptStreamError, match=message) as raised:
            reader(sealed(good, part, good), verify=verify)
        assert "segment 1" in str(raised.value)
    with pytest.raises(AssertionError):
        reference_files.read(sealed(part), b"", [lambda low, high, stream: np.zeros(high - low)])


def test_names_that_are_there_twice() -> None:
    named = [b"\x05\x01" + name + b"\x02" for name in (b"c", b"a", b"b", b"a", b"c")]
    with pytest.raises(CorruptStreamError, match="segment 3 is damaged: a name that another seg"):
        reader(sealed(*named))
    with pytest.raises(AssertionError):
        reference_files.read(sealed(*named), b"", [])
    found = reader(sealed(*named), recover=True)
    assert [segment.name for segment in found.segments] == ["c", "a", "b"]


BAD_VALUES = {
    "bits after the last value": (b"\x0a\x03\x00\x01\xb0", "bits after the last value are not 0"),
    "values above 32 bits": (
        b"\x0a\x01" + _file_format.signed(2**31 - 1) + b"\x08\x01",
        r"there are values above 2\^31 - 1",
    ),
}


@pytest.mark.parametrize("name", BAD_VALUES)
def test_values_that_no_encoder_writes(name: str) -> None:
    """The error says that the file is damaged, not that the model differs."""
    part, message = BAD_VALUES[name]
    with pytest.raises(CorruptStreamError, match=f"^segment 0 is damaged: {message}$"):
        reader(sealed(part)).read(MODEL)
    with pytest.raises(AssertionError):
        reference_files.read(sealed(part), b"", [])


@pytest.mark.parametrize("last", [2**60, 2**61, 2**62 - 1, 2**41, 2**31])
@pytest.mark.parametrize("kind", [1, 2, 3])
def test_shapes_that_no_array_has(kind: int, last: int) -> None:
    """These shapes have no values, and so take no memory."""
    rest = {1: b"\0", 2: b"\0\x07", 3: bytes(4)}[kind]
    data = sealed(_file_format.title(_file_format.Kind(kind), None, (0, last)) + rest)
    arrays = torchac.Normal(np.zeros(()), np.ones(()))
    for model in (MODEL, arrays, torch.linspace(0, 1, 32769), np.linspace(0, 1, 5)):
        if last <= 2**40:
            assert reader(data).read(model).shape == (0, last)
        else:
            with pytest.raises(CorruptStreamError, match="which no array can have"):
                reader(data, max_values=2**40).read(model)


def test_few_bytes_cannot_ask_for_much_memory() -> None:
    huge = sealed(_file_format.title(_file_format.Kind.CONSTANT, None, (1 << 40, 1 << 20)) + b"\0")
    with pytest.raises(CorruptStreamError, match="more values than 1073741824: if that is right"):
        reader(huge).read(MODEL)
    assert reader(huge).segments[0].shape == (1 << 40, 1 << 20)
    with pytest.raises(CorruptStreamError, match="more values than 5"):
        reader(written(values_of(6)), max_values=5).read(MODEL)


@given(
    data=st.sampled_from(SET),
    changes=st.lists(st.tuples(st.integers(0, 200), st.binary(max_size=4)), min_size=1, max_size=4),
)
def test_mutated_files(data: bytes, changes: list[tuple[int, bytes]]) -> None:
    expected = read_all(data, b"id" if b"id" in data else b"")
    mutated = data
    for at, new in changes:
        mutated = mutated[:at] + new + mutated[at + len(new) :]
    try:
        found = read_all(mutated, b"id" if b"id" in data else b"")
    except CorruptStreamError:
        return
    assert all(a.equal(b) for a, b in zip(found, expected, strict=True))


@given(
    parts=st.lists(
        st.binary(max_size=40)
        | st.tuples(
            st.sampled_from([1, 2, 3, 5, 6, 7, 9, 10, 11, 13, 17, 18, 19]),
            st.lists(st.sampled_from([0, 1, 2, 3, 8, 97, 128, 255]), max_size=9),
        ).map(lambda both: bytes([both[0], *both[1]])),
        max_size=3,
    )
)
def test_invented_file_format_are_read_as_the_page_says(parts: list[bytes]) -> None:
    data = sealed(*parts)

    def decode(low: int, high: int, stream: bytes) -> Any:
        return torchac.decode(MODEL.expand(high - low), stream)

    try:
        expected = reference_files.read(data, b"", [decode] * len(parts), 10**5)
    except (AssertionError, CorruptStreamError):
        with pytest.raises(CorruptStreamError):
            read_all(data)
        return
    found = reader(data)
    assert [(s.name, s.shape) for s in found.segments] == [(n, v.shape) for n, v in expected]
    assert all((found.read(MODEL).numpy() == v).all() for _, v in expected)


# Bad input


MISTAKES: dict[str, tuple[type[Exception], str, Callable[[], object]]] = {
    "no file to write": (TypeError, "file is of type int", lambda: torchac.Writer(3)),  # type: ignore[arg-type]
    "no file to read": (TypeError, "file is of type int", lambda: torchac.Reader(3)),  # type: ignore[arg-type]
    "a file of text": (
        TypeError,
        "file.read returns str: expected a file in binary mode",
        lambda: torchac.Reader(io.StringIO("tac")),  # type: ignore[arg-type]
    ),
    "another file": (
        CorruptStreamError,
        r"this is not a torchac file: it begins with b'\\x89PNG'",
        lambda: reader(b"\x89PNG\r\n"),
    ),
    "an empty file": (CorruptStreamError, "not a torchac file", lambda: reader(b"")),
    "a later version": (
        CorruptStreamError,
        "the file has version 2, this release of torchac reads 1",
        lambda: reader(b"\x89tac\x02"),
    ),
    "an id of text": (TypeError, "model_id is of type str", lambda: written(model_id="id")),  # type: ignore[arg-type]
    "a long id": (
        ValueError,
        "model_id has 256 bytes: expected 255 or fewer; torchac.fingerprint",
        lambda: written(model_id=bytes(256)),
    ),
    "another id": (
        ValueError,
        "written with model_id b'b', and model_id is b'a'",
        lambda: reader(written(model_id=b"b"), model_id=b"a"),
    ),
    "a name of bytes": (
        TypeError,
        "name is of type bytes",
        lambda: written(values_of(1), name=b""),
    ),
    "an empty name": (ValueError, "name has 0 bytes", lambda: written(values_of(1), name="")),
    "a long name": (
        ValueError,
        "name has 256 bytes: expected 1 to 255",
        lambda: written(values_of(1), name="ä" * 128),
    ),
    "a name twice": (
        ValueError,
        "the file already has a segment named 'y'",
        lambda: written(values_of(1), values_of(1), name="y"),
    ),
    "32 dimensions": (
        ValueError,
        "values has 32 dimensions: expected 31 or fewer",
        lambda: written(np.zeros([1] * 32)),
    ),
    "no whole number": (
        ValueError,
        r"value 0.5 at index \(1,\)",
        lambda: written(torch.tensor([0.0, 0.5])),
    ),
    "a symbol outside": (
        ValueError,
        r"symbol 3 at index \(1,\) is outside",
        lambda: written(torch.tensor([0, 3]), model=torch.linspace(0, 1, 4)),
    ),
    "no model": (TypeError, "the model is of type int", lambda: written(values_of(1), model=3)),
    "a model of another shape": (
        ValueError,
        r"segment 0: the model has shape \(3,\): expected one that broadcasts to \(2,\)",
        lambda: reader(written(values_of(2))).read(torchac.Normal(torch.zeros(3), 1.0)),
    ),
    "a model of another shape, of one value": (
        ValueError,
        r"segment 0: the model has shape \(3,\)",
        lambda: reader(written(torch.zeros(2))).read(torchac.Normal(torch.zeros(3), 1.0)),
    ),
    "an index of another shape": (
        ValueError,
        r"segment 0: index has shape \(3,\)",
        lambda: reader(written(values_of(2))).read(
            torchac.Normal(torch.zeros(3), 1.0), index=torch.zeros(3, dtype=torch.int8)
        ),
    ),
    "no threads": (
        ValueError,
        "num_threads is 0",
        lambda: written(values_of(1), num_threads=0),
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_bad_input(name: str) -> None:
    error, message, call = MISTAKES[name]
    with pytest.raises(error, match=message):
        call()


def test_a_write_that_raises_writes_nothing() -> None:
    file = io.BytesIO()
    with torchac.Writer(file) as writer:
        writer.write(MODEL, values_of(3), name="a")
        before = file.getvalue()
        for bad in ([0.5], [float("nan")]):
            with pytest.raises(ValueError, match="expected whole numbers"):
                writer.write(MODEL, torch.tensor(bad), name="b")
        assert file.getvalue() == before
        writer.write(MODEL, values_of(4), name="b")
    assert [s.name for s in reader(file.getvalue()).segments] == ["a", "b"]


# Paths


def test_a_path_has_the_whole_file_or_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "y.tac"
    path.write_bytes(b"old")
    with torchac.Writer(path) as writer:
        writer.write(MODEL, values_of(3))
        assert path.read_bytes() == b"old"
        assert len(list(tmp_path.iterdir())) == 2
    assert path.read_bytes() == written(values_of(3))
    with pytest.raises(ValueError, match="whole"), torchac.Writer(str(path)) as writer:
        writer.write(MODEL, torch.tensor(0.5))
    writer = torchac.Writer(path)
    del writer  # never closed
    assert path.read_bytes() == written(values_of(3))
    assert list(tmp_path.iterdir()) == [path]
    assert torchac.Reader(path).read(MODEL).equal(values_of(3))


def test_a_link_goes_on_leading_there(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "file")
    with torchac.Writer(tmp_path / "link"):
        pass
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "file").read_bytes() == written()


@pytest.mark.parametrize("opens", [torchac.Writer, torchac.Reader])
def test_a_path_is_what_open_takes_for_one(tmp_path: Path, opens: Any) -> None:
    with pytest.raises(FileNotFoundError, match="''"):
        opens("")
    with pytest.raises(IsADirectoryError, match=r"y.tac/"):
        opens(f"{tmp_path}/y.tac/")
    assert not list(tmp_path.iterdir())


def test_errors_name_the_path(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"nowhere.*y.tac"):
        torchac.Writer(tmp_path / "nowhere" / "y.tac")
    with pytest.raises(IsADirectoryError, match=tmp_path.name):
        torchac.Writer(tmp_path)


def test_a_closed_writer() -> None:
    file = io.BytesIO()
    writer = torchac.Writer(file)
    writer.close()
    writer.close()
    assert file.getvalue() == written()
    with pytest.raises(RuntimeError, match="the file is closed"):
        writer.write(MODEL, values_of(1))
    with pytest.raises(RuntimeError, match="the file is closed"), writer:
        pass


def test_a_file_that_cannot_be_written_to() -> None:
    class Full(io.BytesIO):
        def write(self, data: Any) -> int:
            if self.tell() > 20:
                raise OSError("no space left")
            return super().write(data)

    writer = torchac.Writer(Full())
    writer.write(MODEL, values_of(50))
    with pytest.raises(OSError, match="no space"):
        writer.write(MODEL, values_of(1))
    with pytest.raises(RuntimeError, match="the file is closed"):
        writer.write(MODEL, values_of(1))
    with pytest.raises(RuntimeError, match="writing to the file failed before"):
        writer.close()


def test_a_file_that_takes_a_part_at_a_time() -> None:
    class Short(io.BytesIO):
        def write(self, data: Any) -> int:
            return super().write(data[:7])

    file = Short()
    with torchac.Writer(file) as writer:
        writer.write(MODEL, values_of(50))
    assert file.getvalue() == written(values_of(50))


def test_a_file_that_says_nothing() -> None:
    parts: list[bytes] = []
    file: Any = SimpleNamespace(write=parts.append)
    with torchac.Writer(file) as writer:
        writer.write(MODEL, values_of(50))
    assert b"".join(parts) == written(values_of(50))


@pytest.mark.parametrize(
    ("taken", "error", "message"),
    [
        (0, OSError, r"the file took 0 of 10 bytes"),
        (11, OSError, r"the file took 11 of 10 bytes"),
        (-1, OSError, r"the file took -1 of 10 bytes"),
        (True, TypeError, "file.write returns bool: expected the number of bytes, or None"),
        ("10", TypeError, "file.write returns str"),
    ],
)
def test_a_file_that_says_nonsense(taken: Any, error: type[Exception], message: str) -> None:
    file: Any = SimpleNamespace(write=lambda _: taken)
    with pytest.raises(error, match=message):
        torchac.Writer(file)


@pytest.mark.skipif(sys.platform == "win32", reason="pipes of Windows are not set so")
def test_a_pipe_that_does_not_wait() -> None:
    read, write = os.pipe()
    os.set_blocking(write, False)
    os.set_blocking(read, False)
    with os.fdopen(read, "rb", 0) as source, os.fdopen(write, "wb", 0) as file:
        with pytest.raises(BlockingIOError, match="the file is non-blocking, and gives no bytes"):
            torchac.Reader(source)
        writer = torchac.Writer(file)
        with pytest.raises(BlockingIOError, match="the file is non-blocking, and takes no bytes"):
            writer.write(MODEL, values_of(5_000_000, scale=1e9))  # more bytes than pipes hold
        with pytest.raises(RuntimeError, match="writing to the file failed before"):
            writer.close()


def test_a_socket() -> None:
    """A socket takes and gives a part at a time."""
    one, other = socket.socketpair()
    values = values_of(1_500_000, scale=1e9)
    found: list[torch.Tensor] = []
    source: Any = other.makefile("rb", buffering=0)
    file: Any = one.makefile("wb", buffering=0)
    with one, other, source:
        thread = threading.Thread(target=lambda: found.append(torchac.Reader(source).read(MODEL)))
        thread.start()
        with file, torchac.Writer(file) as writer:
            writer.write(torchac.Normal(0.0, 1e6), values)
        one.shutdown(socket.SHUT_WR)
        thread.join()
    assert found[0].equal(values)


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_a_file_that_gives_a_part_at_a_time(kind: type) -> None:
    data = written(values_of(50))
    parts = [kind(data[i : i + 7]) for i in range(0, len(data), 7)]
    file: Any = SimpleNamespace(read=lambda: parts.pop(0) if parts else kind(b""))
    assert torchac.Reader(file).read(MODEL).equal(values_of(50))


# Paths to files that are not regular


def write_to(path: Path) -> None:
    with torchac.Writer(path) as writer:
        writer.write(MODEL, values_of(3))


needs_posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such files")


@needs_posix
def test_a_pipe_at_a_path(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    found: list[torchac.Reader] = []
    thread = threading.Thread(target=lambda: found.append(torchac.Reader(path)))
    thread.start()
    with torchac.Writer(path) as writer:
        writer.write(MODEL, values_of(50))
    thread.join()
    assert stat.S_ISFIFO(path.stat().st_mode)
    assert pickle.loads(pickle.dumps(found[0])).read(MODEL).equal(values_of(50))
    assert list(tmp_path.iterdir()) == [path]


@needs_posix
def test_a_device_at_a_path(tmp_path: Path) -> None:
    """The device is a terminal, reached through a link."""
    import tty

    controller, device = os.openpty()
    tty.setraw(device)
    path = tmp_path / "link"
    path.symlink_to(os.ttyname(device))
    with torchac.Writer(path) as writer:
        writer.write(MODEL, values_of(50))
    assert stat.S_ISCHR(path.stat().st_mode)
    data = written(values_of(50))
    with os.fdopen(controller, "rb") as other:
        assert other.read(len(data)) == data
    os.close(device)


@needs_posix
@pytest.mark.parametrize("name", ["/dev/fd", "/proc/self/fd"])
def test_open_files_by_name(tmp_path: Path, name: str) -> None:
    """Both pipes and regular files are written to, and stay what they are."""
    if not Path(name).exists():
        pytest.skip("this system has no such folder")
    read, write = os.pipe()
    write_to(Path(name, str(write)))
    assert os.read(read, 1000) == written(values_of(3))
    os.close(read)
    os.close(write)
    with (tmp_path / "file").open("w+b") as file:
        (tmp_path / "link").symlink_to(f"{name}/{file.fileno()}")
        write_to(tmp_path / "link")
        assert file.read() == written(values_of(3))
    assert {path.name for path in tmp_path.iterdir()} == {"file", "link"}


@needs_posix
def test_a_socket_at_a_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # paths of sockets must be short
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket")
        with pytest.raises(OSError, match=r"it is a socket: .*'.*socket'"):
            torchac.Writer("socket")
    assert stat.S_ISSOCK(Path("socket").stat().st_mode)


# Files that are replaced


@needs_posix
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o666, 0o755, 0o200])
def test_a_file_keeps_its_mode(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: int) -> None:
    path = tmp_path / "file"
    path.touch()
    path.chmod(mode)
    made, real = [], os.fchmod

    def fchmod(descriptor: int, new: int) -> None:
        made.append(os.fstat(descriptor).st_mode & 0o777)
        real(descriptor, new)

    monkeypatch.setattr(os, "fchmod", fchmod)
    with torchac.Writer(path):
        modes = {other.stat().st_mode & 0o777 for other in tmp_path.iterdir()}
        assert modes == {mode}  # while it is written, too
    assert path.stat().st_mode & 0o777 == mode
    assert not made[0] & ~mode  # nobody else could open it before


@needs_posix
def test_a_new_file_has_the_mode_of_others(tmp_path: Path) -> None:
    write_to(tmp_path / "file")
    (tmp_path / "other").touch()
    assert (tmp_path / "file").stat().st_mode == (tmp_path / "other").stat().st_mode


@needs_posix
def test_another_group_may_do_what_all_may(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the group cannot be kept, the new one gets the permissions of all others."""
    path = tmp_path / "file"
    path.touch()
    path.chmod(0o664)
    groups: list[int] = []

    def fchown(_: int, user: int, group: int) -> None:
        groups.append(group)
        raise PermissionError

    real = os.fstat
    monkeypatch.setattr(os, "fchown", fchown)
    monkeypatch.setattr(
        os, "fstat", lambda d: os.stat_result([*real(d)[:5], real(d).st_gid + 1, *real(d)[6:]])
    )
    write_to(path)
    assert groups[0] == path.stat().st_gid
    assert path.stat().st_mode & 0o777 == 0o644


def refused(path: Path, error: type[OSError], message: str) -> None:
    """Opening raises this error at once, and the file has not changed."""
    path.write_bytes(b"old")
    with pytest.raises(error, match=message) as raised:
        torchac.Writer(path)
    assert raised.value.filename == str(path)
    assert path.read_bytes() == b"old"
    assert list(path.parent.iterdir()) == [path]


def test_a_file_that_open_refuses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.open

    def denied(path: Any, flags: int, *mode: int) -> int:
        """Fails as for normal users if the file is read-only."""
        if flags == os.O_WRONLY:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return real(path, flags, *mode)

    monkeypatch.setattr(os, "open", denied)
    refused(tmp_path / "file", PermissionError, "Permission denied")


ADVICE = r".*pass a file object, such as open\(path, 'wb'\)"


def test_a_mounted_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mounts = tmp_path / "mounts"
    folder = tmp_path / "a folder"
    folder.mkdir()
    escaped = str(folder / "file").replace(" ", "\\040")
    mounts.write_text(
        f"22 1 0:2 / /proc rw - proc proc rw\n23 1 8:1 / {escaped} rw - ext4 sda rw\n"
    )
    monkeypatch.setattr("torchac._storage._MOUNTS", mounts)
    refused(folder / "file", OSError, "it is mounted as a single file" + ADVICE)
    write_to(folder / "other")
    monkeypatch.setattr("torchac._storage._MOUNTS", tmp_path / "none")  # as on other systems
    monkeypatch.setattr(os.path, "ismount", lambda path: Path(path).name == "other")
    with pytest.raises(OSError, match="it is mounted as a single file"):
        torchac.Writer(folder / "other")


@needs_posix
def test_the_file_of_another_in_a_sticky_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tmp_path.chmod(0o1777)
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    refused(tmp_path / "file", PermissionError, "only owners can replace files" + ADVICE)


def test_a_folder_that_takes_no_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.open

    def denied(path: Any, flags: int, *mode: int) -> int:
        if flags & os.O_CREAT:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return real(path, flags, *mode)

    monkeypatch.setattr(os, "open", denied)
    refused(tmp_path / "file", PermissionError, "Permission denied" + ADVICE)


def test_a_rename_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def busy(path: Path, target: Path) -> None:
        raise OSError(errno.EBUSY, "busy", str(path), None, str(target))

    path = tmp_path / "file"
    path.write_bytes(b"old")
    monkeypatch.setattr(Path, "replace", busy)
    with pytest.raises(OSError, match="busy" + ADVICE) as raised, torchac.Writer(path):
        pass
    assert raised.value.filename == str(path)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@needs_posix
@pytest.mark.parametrize("error", [None, errno.EINVAL, errno.ENOTSUP, errno.EIO])
def test_files_and_folders_are_synced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: int | None
) -> None:
    """The file is synced before it gets its name, the folder after that, if the system can."""
    path = tmp_path / "file"
    steps: list[tuple[str, bool]] = []

    def fsync(descriptor: int) -> None:
        kind = "folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file"
        steps.append((kind, path.exists()))
        if error is not None:
            raise OSError(error, "not here")

    monkeypatch.setattr(os, "fsync", fsync)
    if error == errno.EIO:
        with pytest.raises(OSError, match="not here"):
            write_to(path)
        assert list(tmp_path.iterdir()) == []
        return
    write_to(path)
    assert steps == [("file", False), ("folder", True)]
    assert path.read_bytes() == written(values_of(3))


# Damaged, large and growing files


FOUR = [values_of(9), values_of(3) + 1000, torch.zeros(9), values_of(20, 30)]


def places(data: bytes) -> list[int]:
    """The places where the segments begin and end."""
    sizes = [segment.bytes for segment in reader(data, recover=True).segments]
    return [sum(sizes[:i]) + len(written()) - 5 for i in range(len(sizes) + 1)]


def test_what_precedes_the_first_damage_is_recovered() -> None:
    data = written(*FOUR)
    begins = places(data)
    whole = reader(data, recover=True)
    assert whole.damage is None
    for i in range(len(data)):
        changed = data[:i] + bytes([data[i] ^ 64]) + data[i + 1 :]
        for damaged in (data[:i], changed):
            if i < begins[0]:
                with pytest.raises(CorruptStreamError):
                    reader(damaged, recover=True)
                continue
            found = reader(damaged, recover=True)
            count = sum(i >= end for end in begins[1:])
            assert list(found.segments) == list(whole.segments)[:count]
            assert all(found.read(MODEL).equal(tensor.int()) for tensor in FOUR[:count])
            with pytest.raises(ValueError, match="all have been read"):
                found.read(MODEL)
            with pytest.raises(CorruptStreamError) as raised:
                reader(damaged)
            assert str(raised.value) == found.damage
            assert re.search(f"segment {count}|^the end of the file", found.damage or "")
    longer = reader(data + b"abc", recover=True)
    assert (len(longer.segments), longer.damage) == (4, "3 bytes are after the end of the file")


def test_names_after_the_damage_are_not_found() -> None:
    data = sealed(*(b"\x05\x01" + name + b"\x02" for name in (b"a", b"b")))
    found = reader(data[:21] + b"x" + data[22:], recover=True)
    assert found.damage == "segment 1 is damaged"
    assert found.read(MODEL, name="a") == 1
    with pytest.raises(ValueError, match=r"no segment is named 'b': expected one of \['a'\]"):
        found.read(MODEL, name="b")


def test_each_segment_is_checked_when_it_is_read() -> None:
    data = written(*FOUR)
    begins = places(data)
    for i in range(begins[0], begins[-1]):
        damaged = data[:i] + bytes([data[i] ^ 1]) + data[i + 1 :]
        own = sum(i >= end for end in begins[1:])
        before = [own + 1] if i >= begins[own + 1] - 4 else []  # its CRC continues from that one
        try:
            found = reader(damaged, verify="read")
        except CorruptStreamError:
            assert i < begins[own + 1] - 4 or own == 3
            continue
        for number, tensor in enumerate(FOUR):
            found._next = number
            if number == own or number in before:
                with pytest.raises(
                    CorruptStreamError, match=f"segment {number} is damaged, or the"
                ):
                    found.read(MODEL)
            elif begins[own] + 4 <= i:  # its size and the later ones are unchanged
                assert found.read(MODEL).equal(tensor.int())


def test_what_is_not_noticed_by_checks_when_reading() -> None:
    """A segment that replaces another after the same CRC is noticed only by the next one."""
    first, second = written(*FOUR[:2]), written(FOUR[3], FOUR[1])
    a, b = places(first), places(second)
    data = first[: a[0]] + second[b[0] : b[1]] + first[a[1] :]
    with pytest.raises(CorruptStreamError, match="segment 1 is damaged"):
        reader(data)
    found = reader(data, verify="read")
    assert found.read(MODEL).equal(FOUR[3])
    with pytest.raises(CorruptStreamError, match="segment 1 is damaged, or the CRC of what is be"):
        found.read(MODEL)


def test_file_format_taken_out_or_swapped_are_noticed_when_they_are_read() -> None:
    data = written(*FOUR)
    at = places(data)
    each = [data[at[i] : at[i + 1]] for i in range(4)]
    for order, good in (([1, 0, 2, 3], [3]), ([0, 2, 3], [0, 2]), ([0, 0, 1, 2, 3], [0, 2, 3, 4])):
        mixed = data[: at[0]] + b"".join(each[i] for i in order) + data[at[4] :]
        found = reader(mixed, verify="read")
        for number, i in enumerate(order):
            found._next = number
            if number in good:
                assert found.read(MODEL).equal(FOUR[i].int())
            else:
                with pytest.raises(CorruptStreamError, match="is damaged"):
                    found.read(MODEL)
    with pytest.raises(CorruptStreamError, match="the end of the file is damaged"):
        reader(data[: at[3]] + data[at[4] :], verify="read")


@pytest.fixture
def mapped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Maps small files like large ones."""
    monkeypatch.setattr("torchac._storage._LEAST_TO_MAP", 1)


@pytest.mark.usefixtures("mapped")
@pytest.mark.parametrize("verify", ["open", "read"])
def test_mapped_files(tmp_path: Path, verify: Any) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"")
    with pytest.raises(CorruptStreamError, match="not a torchac file"):
        torchac.Reader(path)
    path.write_bytes(written(*FOUR))
    with torchac.Reader(path, verify=verify) as found:
        assert isinstance(found._data, memoryview)
        assert isinstance(found._data.obj, mmap.mmap)
        assert all(found.read(MODEL).equal(tensor.int()) for tensor in FOUR)
    assert [segment.shape for segment in found.segments] == [tuple(t.shape) for t in FOUR]
    with pytest.raises(RuntimeError, match="the file is closed: open it with a new Reader"):
        found.read(MODEL)
    found.close()


@needs_posix
@pytest.mark.usefixtures("mapped")
def test_a_mapped_file_that_is_cut(tmp_path: Path) -> None:
    """The system ends a process that reads bytes which are no longer there."""
    path = tmp_path / "file"
    path.write_bytes(written(values_of(50_000), values_of(3)))
    found = torchac.Reader(path)
    os.truncate(path, 100)
    with pytest.raises(CorruptStreamError, match="segment 0 is damaged: the file was cut after"):
        found.read(MODEL)


def test_many_names() -> None:
    names = [f"name {i}" for i in range(3000)]
    data = sealed(
        *(
            _file_format.title(_file_format.Kind.CONSTANT, name, ()) + _file_format.signed(i)
            for i, name in enumerate(names)
        )
    )
    found = reader(data)
    for i in (0, 2999, *range(5, 3000, 100)):
        assert found.read(MODEL, name=names[i]) == i
    with pytest.raises(ValueError, match=r"expected one of \['name 0', .*'name 9'\], …"):
        found.read(MODEL, name="name 3000")


def test_file_format_are_a_sequence() -> None:
    found = reader(written(*FOUR[:3], name=None), max_values=100)
    first, *_, last = found.segments
    assert found.segments == [first, found.segments[1], found.segments[-1]]
    assert found.segments != [first]
    assert found.segments[1:] == list(found.segments)[1:]
    assert repr(found.segments) == repr(list(found.segments))
    assert pickle.loads(pickle.dumps(found.segments)) == found.segments
    assert last == torchac.Segment(None, (9,), 7, "one value")
    with pytest.raises(IndexError):
        found.segments[3]


def test_a_segment_is_a_value() -> None:
    segment = torchac.Segment("y", (2, 3), 20, "1 stream")
    assert segment == copy.deepcopy(segment) == pickle.loads(pickle.dumps(segment))
    others = [
        torchac.Segment("z", (2, 3), 20, "1 stream"),
        torchac.Segment("y", (3, 2), 20, "1 stream"),
        torchac.Segment("y", (2, 3), 21, "1 stream"),
        torchac.Segment("y", (2, 3), 20, "2 streams"),
    ]
    assert len({segment, copy.copy(segment), *others}) == 5
    assert segment.values == 6
    with pytest.raises(AttributeError):
        segment.name = "z"  # type: ignore[misc]


@pytest.mark.parametrize("where", ["path", "object"])
@pytest.mark.parametrize(
    "copied",
    [copy.copy, copy.deepcopy, lambda found: pickle.loads(pickle.dumps(found))],
    ids=["copy", "deepcopy", "pickle"],
)
def test_readers_can_be_copied(tmp_path: Path, where: str, copied: Callable[[Any], Any]) -> None:
    """Copies start at the position of the original, and do not move it."""
    data = written(*FOUR, model_id=b"id")
    path = tmp_path / "file"
    path.write_bytes(data[:-3])
    options: dict[str, Any] = {"model_id": b"id", "recover": True, "max_values": 10}
    found = torchac.Reader(path if where == "path" else io.BytesIO(data[:-3]), **options)
    found.read(MODEL)
    other = copied(found)
    for each in (other, found):
        assert each.read(MODEL).equal(FOUR[1])
        assert each.damage == found.damage
        assert each.segments == found.segments
        assert each.read(MODEL, name=None).equal(FOUR[2].int())
        with pytest.raises(CorruptStreamError, match="more values than 10"):
            each.read(MODEL)
    other.close()
    assert found._data is not None


def test_a_pickled_reader_knows_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file").write_bytes(written(*FOUR))
    kept = pickle.dumps(torchac.Reader("file", verify="read"))
    assert len(kept) < 1000
    monkeypatch.chdir("/")
    assert pickle.loads(kept).read(MODEL).equal(FOUR[0])
    (tmp_path / "file").write_bytes(written(FOUR[0] + 1, *FOUR[1:]))
    with pytest.raises(ValueError, match="is not the one whose Reader was pickled"):
        pickle.loads(kept)


def test_writers_cannot_be_copied(tmp_path: Path) -> None:
    with torchac.Writer(tmp_path / "file") as writer:
        for copied in (copy.copy, copy.deepcopy, pickle.dumps):
            with pytest.raises(TypeError, match="a Writer cannot be copied or pickled"):
                copied(writer)


# How tensors are stored


SKEWED = torch.tensor([0, 0.9, 1])


@pytest.mark.parametrize(
    ("count", "scale", "streams"),
    [
        (2**14 - 1, 1e6, 1),
        (2**14, 1e6, 8),
        (2**16, 0.2, 1),  # fewer than 10,000 bytes
        (2**16, 1.0, 8),
        (2**17 - 1, 1e3, 8),
        (2**17, 0.2, 1),
        (2**17, 0.4, 8),  # fewer than 30,000 bytes
        (2**17, 2.0, 24),
        (300_000, 0.5, 24),
        (2**20 - 1, 1.0, 24),
        (2**20, 0.26, 24),  # fewer than 60,000 bytes
        (2**20, 1.0, 48),
    ],
)
def test_how_many_streams_a_tensor_has(count: int, scale: float, streams: int) -> None:
    """As docs/format.md says, and all but one add at most 0.25 %."""
    model = torchac.Normal(0.0, scale)
    values = (torch.randn(count, generator=torch.Generator().manual_seed(0)) * scale).round()
    data = written(values, model=model)
    found = reader(data)
    assert found.segments[0].how == (f"{streams} streams" if streams > 1 else "1 stream")
    assert found.read(model).equal(values.int())
    whole = torchac.encode(model, values)
    assert len(data) - 31 <= 1.0025 * len(whole)
    parts = [torchac.encode(model, part) for part in torch.tensor_split(values, streams)]
    assert b"".join(parts) in data


@pytest.mark.parametrize(("count", "streams"), [(4096, 1), (4096, 4096), (4099, 7)])
def test_any_number_of_streams_is_read(count: int, streams: int) -> None:
    values = values_of(count)
    parts = [torchac.encode(MODEL, part) for part in torch.tensor_split(values, streams)]
    check = _file_format.checksum(torchac._core.checksum(values.int().numpy()))
    title = _file_format.title(_file_format.Kind.CODED, None, (count,))
    lengths = _file_format.stream_lengths(count, [len(part) for part in parts])
    data = sealed(title + lengths + check.to_bytes(4, "little") + b"".join(parts))
    assert reader(data).read(MODEL).equal(values.int())
    expanded = MODEL.expand(count)
    [(_, found)] = reference_files.read(
        data,
        b"",
        [
            lambda low, high, stream: torchac.decode(
                expanded.select(torch.arange(low, high)), stream
            )
        ],
    )
    assert torch.from_numpy(found).equal(values.long())


def test_values_are_coded_unless_their_width_takes_fewer_bytes() -> None:
    differences = []
    for count in range(2, 200):
        values = (torch.arange(count) % 12 == 0).int()
        [segment] = reader(written(values, model=SKEWED)).segments
        coded = 1 + 4 + len(torchac.encode(SKEWED, values))
        fixed = 1 + 1 + -(-count // 8)
        differences.append(coded - fixed)
        assert ("bits each" in segment.how) == (fixed < coded)
    assert {-1, 0, 1} <= set(differences)


@pytest.mark.parametrize(
    "dtype",
    ["int8", "uint8", "int16", "int64", "float16", "bfloat16", "float32", "float64", "bool"],
)
@pytest.mark.parametrize("scale", [1.0, 30.0])
def test_bytes_depend_on_the_values_alone(dtype: str, scale: float) -> None:
    """This holds for coded and fixed-width values, in any dtype and layout."""
    values = values_of(300, 301, scale=scale).clamp(0, 1 if dtype == "bool" else 100)
    typed: Any = values.to(getattr(torch, dtype))
    expected = written(values)
    assert written(typed) == expected
    assert written(typed.T.contiguous().T) == expected
    if dtype != "bfloat16":
        assert written(np.asfortranarray(typed.numpy())) == expected


# Forks, signal handlers, threads


needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on Windows")
FORK = """
import contextlib, json, os, sys, torch, torchac
model, values = torchac.Normal(0.0, 2.0), torch.arange(50) % 5
def refused(call):
    try: call()
    except RuntimeError as error:
        os._exit(3 if "a fork of it: write and close there" in str(error) else 4)
for name, (code, status) in json.loads(sys.argv[1]).items():
    for where in ("path", "object"):
        path = f"{name} {where}"
        opened = open(path, "wb") if where == "object" else contextlib.nullcontext(path)
        with opened as file, torchac.Writer(file) as writer:
            writer.write(model, values)
            if os.fork() == 0:
                exec(code)
                os._exit(5)
            assert os.WEXITSTATUS(os.wait()[1]) == status, path
            writer.write(model, values)
"""
CHILDREN = {
    "ends": ("sys.exit(0)", 0),
    "raises": ("raise ValueError", 1),
    "drops it": ("del writer; sys.exit(0)", 0),
    "leaves the block": ("writer.__exit__(None, None, None); sys.exit(0)", 0),
    "fails in the block": ("writer.__exit__(ValueError, None, None); sys.exit(0)", 0),
    "writes": ("refused(lambda: writer.write(model, values))", 3),
    "closes": ("refused(writer.close)", 3),
    "enters it": ("refused(writer.__enter__)", 3),
    "forks again": ("if os.fork() > 0: os.wait()\nsys.exit(0)", 0),
}


@needs_fork
def test_a_fork_cannot_touch_the_file(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-W", "ignore:This process", "-c", FORK, json.dumps(CHILDREN)],
        check=True,
        cwd=tmp_path,
        stderr=subprocess.DEVNULL,
    )
    values = torch.arange(50) % 5
    files = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    expected = written(values, values)
    assert files == {f"{n} {w}": expected for n in CHILDREN for w in ("path", "object")}


@needs_fork
def test_a_fork_in_the_middle_of_a_write(tmp_path: Path) -> None:
    """A signal handler, for example, may fork at that moment."""
    code = """
import os, sys, torch, torchac
forks = 0
class File:
    def write(self, data):
        global forks
        forks += 1
        if forks == 2:  # a segment
            child = os.fork()
            if child == 0: return 5
            os.waitpid(child, 0)
        return os.write(descriptor, data)
descriptor = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT)
writer = torchac.Writer(File())
writer.write(torchac.Normal(0.0, 2.0), torch.arange(50) % 5)
writer.close()
"""
    subprocess.run(
        [sys.executable, "-c", code, tmp_path / "file"], check=True, stderr=subprocess.DEVNULL
    )
    assert (tmp_path / "file").read_bytes() == written(torch.arange(50) % 5)


@needs_fork
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # it has threads
def test_a_reader_that_was_at_work_when_the_process_forked() -> None:
    """It raises in the child, where another one works."""
    busy, idle = reader(written(values_of(9))), reader(written(values_of(9)))
    entered, over = threading.Event(), threading.Event()

    def hold() -> None:
        with busy._lock:
            entered.set()
            over.wait()

    thread = threading.Thread(target=hold)
    thread.start()
    entered.wait()
    child = os.fork()
    if child == 0:
        try:
            idle.read(MODEL)
            busy.read(MODEL)
        except RuntimeError as error:
            os._exit(0 if "when the process forked: use a new one" in str(error) else 1)
        os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    over.set()
    thread.join()
    assert busy.read(MODEL).equal(values_of(9))


def test_a_signal_handler_cannot_read_while_read_is_at_work() -> None:
    found = reader(written(values_of(3), values_of(4)))

    class Interrupting(torchac.Normal):
        def broadcast_to(self, *arguments: Any) -> Any:
            with pytest.raises(RuntimeError, match="at work in the call that the signal handler"):
                found.read(MODEL)
            return super().broadcast_to(*arguments)

    assert found.read(Interrupting(0.0, 2.0)).equal(values_of(3))
    assert found.read(MODEL).equal(values_of(4))


def test_threads_share_readers_and_writers() -> None:
    file = io.BytesIO()
    tensors = [values_of(100 + i, seed=i) for i in range(40)]
    with torchac.Writer(file) as writer, ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda tensor: writer.write(MODEL, tensor), tensors))
    found = reader(file.getvalue())
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda _: found.read(MODEL), tensors))
    assert {len(r): r.tolist() for r in results} == {len(t): t.tolist() for t in tensors}


def test_a_signal_handler_cannot_write_into_a_segment() -> None:
    class Interrupted(io.BytesIO):
        def write(self, data: Any) -> int:
            if self.tell():
                with pytest.raises(RuntimeError, match="at work in the call that the signal"):
                    writer.write(MODEL, values_of(2))
            return super().write(data)

    file = Interrupted()
    writer = torchac.Writer(file)
    writer.write(MODEL, values_of(3))
    writer.close()
    assert file.getvalue() == written(values_of(3))


# The command


def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "torchac", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_command_lists_files(tmp_path: Path) -> None:
    path = tmp_path / "y.tac"
    with torchac.Writer(path, model_id=b"my codec 3") as writer:
        writer.write(MODEL, values_of(40, 50), name="y")
        writer.write(MODEL, torch.tensor(3))
        writer.write(MODEL, torch.zeros(0, 3))
    result = run(str(path))
    assert result.returncode == 0
    segments = torchac.Reader(path, model_id=b"my codec 3").segments
    lines = result.stdout.splitlines()
    assert lines[0] == f"{path}: {path.stat().st_size:,} bytes, model_id b'my codec 3'"
    size = segments[0].bytes
    assert lines[2].split() == [*f"0 y 40 x 50 {size:,} {8 * size / 2000:.3f} 1 stream".split()]
    assert lines[3].split()[:2] == ["1", "-"]
    assert lines[4].endswith("nothing")


def test_the_command_goes_on_after_a_bad_file(tmp_path: Path) -> None:
    (tmp_path / "bad").write_bytes(b"nothing")
    (tmp_path / "good").write_bytes(written())
    result = run(str(tmp_path / "bad"), str(tmp_path / "good"), str(tmp_path / "none"))
    assert result.returncode == 1
    assert "good: 15 bytes" in result.stdout
    assert "bad: this is not a torchac file" in result.stderr
    assert "No such file" in result.stderr


def test_the_command_shows_names_that_a_terminal_may_see(tmp_path: Path) -> None:
    path = tmp_path / "y"
    with torchac.Writer(path) as writer:
        for name in ("\x1b[31mred\n", "\u202eabc", "ä b"):
            writer.write(MODEL, torch.tensor(3), name=name)
    result = run(str(path))
    assert r"\x1b[31mred\n" in result.stdout
    assert r"\u202eabc" in result.stdout
    assert "ä b" in result.stdout
    assert "\x1b" not in result.stdout
    assert len(result.stdout.splitlines()) == 5


def test_the_command_recovers(tmp_path: Path) -> None:
    good, bad, out = tmp_path / "good", tmp_path / "bad", tmp_path / "out"
    data = written(*FOUR, model_id=b"id")
    good.write_bytes(data)
    size = len(data) - 9
    bad.write_bytes(data[:size])
    result = run("--recover", str(bad), str(out))
    kept = places(written(*FOUR))[3] + len(b"id")
    assert result.stderr == (
        f"{out}: 3 segments of {bad}, without the last {size - kept} of its {size} bytes: "
        "the file ends within segment 3: it is not complete, or damaged there\n"
    )
    assert result.returncode == 0
    assert out.read_bytes() == written(*FOUR[:3], model_id=b"id")
    again = run("--recover", str(good), str(out))
    assert again.stderr == f"{out}: the file exists already: expected a new name\n"
    assert (again.returncode, again.stdout) == (1, "")
    out.unlink()
    result = run("--recover", str(good), str(out))
    assert result.stderr == f"{out}: 4 segments of {good}, which is not damaged\n"
    assert out.read_bytes() == data
    bad.write_bytes(data[:5])
    result = run("--recover", str(bad), str(tmp_path / "new"))
    assert result.stderr == f"{bad}: the file ends within its head: it is not complete\n"
    assert result.returncode == 1
    assert sorted(tmp_path.iterdir()) == [bad, good, out]
    assert run().returncode == run("--recover", str(bad)).returncode == 2


# Fingerprints


STATE = {
    "weight": torch.arange(6.0).view(2, 3),
    "bias": torch.arange(3, dtype=torch.bfloat16),
    "count": torch.tensor(3),
}
OTHERS: dict[str, dict[str, Any]] = {
    "a name": {**{k: v for k, v in STATE.items() if k != "bias"}, "bia": STATE["bias"]},
    "a number": {**STATE, "count": torch.tensor(4)},
    "one bit": {**STATE, "weight": torch.arange(6.0).view(2, 3).nextafter(torch.tensor(9.0))},
    "a shape": {**STATE, "weight": torch.arange(6.0).view(3, 2)},
    "a dtype": {**STATE, "count": torch.tensor(3, dtype=torch.int32)},
    "bits of a dtype": {**STATE, "bias": STATE["bias"].view(torch.int16)},
    "one more": {**STATE, "more": torch.zeros(0)},
    "two exchanged": {**STATE, "weight": STATE["weight"].view(6)[[1, 0, 2, 3, 4, 5]].view(2, 3)},
}


def test_fingerprint() -> None:
    known = torchac.fingerprint(STATE)
    assert known == bytes.fromhex("cf945ff97d2c3848")
    assert torchac.fingerprint(copy.deepcopy(STATE)) == known
    assert torchac.fingerprint(dict(reversed(STATE.items()))) == known
    strided = {**STATE, "weight": STATE["weight"].T.contiguous().T}
    assert torchac.fingerprint(strided) == known
    each = {torchac.fingerprint(other) for other in OTHERS.values()}
    assert len(each | {known}) == len(OTHERS) + 1


@pytest.mark.parametrize(
    ("state", "error", "message"),
    [
        (torch.nn.Linear(1, 1), TypeError, "state_dict is of type Linear"),
        ({3: torch.zeros(1)}, TypeError, "the name 3: expected only str"),
        ({"a": torch.zeros(1, device="meta")}, ValueError, r"state_dict\['a'\] is a"),
    ],
)
def test_fingerprint_of_what_is_none(state: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        torchac.fingerprint(state)
