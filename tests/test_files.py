"""Files: what is read is what was written, or it is said why not."""

import copy
import io
import json
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import reference_files
import torch
from hypothesis import given
from hypothesis import strategies as st

import torchac
from torchac import CorruptStreamError, _segments

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


# What is written is read


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
    assert "3 streams" in reader(file[0]).segments[0].how
    whole = len(torchac.encode(model, values))
    assert len(file[0]) - 31 <= 1.001 * whole
    for threads in (1, 2):
        assert reader(file[0]).read(model, num_threads=threads).equal(values.int())
    loc = torch.linspace(-5, 5, 100).repeat(len(values))

    def decode(low: int, high: int, stream: bytes) -> Any:
        return torchac.decode(torchac.Normal(loc[low:high], 0.3), stream)

    [(_, expected)] = reference_files.read(file[0], b"", [decode])
    assert (expected == values.numpy()).all()


def test_overhead() -> None:
    assert len(written()) <= 16
    values = values_of(4, 20, 30, 40)
    stream = torchac.encode(MODEL, values)
    [segment] = reader(written(values)).segments
    assert segment.bytes - len(stream) <= 16


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
    with pytest.raises(ValueError, match="the file has 3 segments: all are read"):
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
    with pytest.raises(CorruptStreamError, match="1 bytes are behind the end"):
        read_all(data + b"\0", b"id")


def test_segments_cannot_be_taken_out_or_swapped() -> None:
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
            CorruptStreamError, match="segment 1 decodes to other values than were encoded: the mod"
        ):
            found.read(torchac.Normal(0.0, scale))
    assert found.read(MODEL).equal(y)  # it stayed where it was


def sealed(*parts: bytes) -> bytes:
    """A file of such segments, with CRCs that fit."""
    data = _segments.head(b"")
    for part in (*parts, b"\0"):
        data += part + zlib.crc32(part, int.from_bytes(data[-4:], "little")).to_bytes(4, "little")
    return data


HOSTILE = {
    "an end with dimensions": (b"\x08\x01", "an end with a shape or a name"),
    "a name that is no text": (b"\x05\x01\xff\x00", "can't decode"),
    "2^62 values": (b"\x11" + b"\x80" * 4 + b"\x08" + b"\x80" * 4 + b"\x08\x00", "2\\^62"),
    "no values, of 2^62": (
        b"\x19" + b"\x80" * 4 + b"\x08" + b"\x80" * 4 + b"\x08\x00\x00",
        "2\\^62",
    ),
    "a long number": (b"\x09" + b"\xff" * 9 + b"\x00", "more than 63 bits"),
    "a width of 0": (b"\x0a\x01\x00\x00", "values of 0 bits"),
    "a width of 33": (b"\x0a\x01\x00\x21" + bytes(5), "values of 33 bits"),
    "a value of 33 bits": (b"\x09\x01" + b"\x80" * 4 + b"\x10", "more than 32 bits"),
    "a stream of 2^62 bytes": (b"\x0b\x01" + b"\x80" * 8 + b"\x40" + bytes(4), "ends within"),
    "2^61 values in streams": (b"\x0b" + b"\x80" * 8 + b"\x20" + bytes(90), "ends within"),
    "2^61 values of a bit": (b"\x0a" + b"\x80" * 8 + b"\x20\x00\x01", "ends within"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_with_crcs_that_fit(name: str) -> None:
    part, message = HOSTILE[name]
    with pytest.raises(CorruptStreamError, match=message):
        reader(sealed(part))


def test_values_above_32_bits_are_noticed() -> None:
    found = reader(sealed(b"\x0a\x01" + _segments.signed(2**31 - 1) + b"\x08\x01"))
    with pytest.raises(CorruptStreamError):
        found.read(MODEL)


def test_few_bytes_cannot_ask_for_much_memory() -> None:
    huge = sealed(_segments.title(_segments.Kind.CONSTANT, None, (1 << 40, 1 << 20)) + b"\0")
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


@given(st.lists(st.binary(max_size=40), max_size=3))
def test_invented_segments_with_crcs_that_fit(parts: list[bytes]) -> None:
    try:
        found = read_all(sealed(*parts))
    except CorruptStreamError:
        return
    assert all(tensor.dtype is torch.int32 for tensor in found)


# Bad input


MISTAKES: dict[str, tuple[type[Exception], str, Callable[[], object]]] = {
    "no file to write": (TypeError, "file is of type int", lambda: torchac.Writer(3)),  # type: ignore[arg-type]
    "no file to read": (TypeError, "file is of type int", lambda: torchac.Reader(3)),  # type: ignore[arg-type]
    "a file of text": (
        TypeError,
        "file gives str: expected one that is opened for bytes",
        lambda: torchac.Reader(io.StringIO("tac")),  # type: ignore[arg-type]
    ),
    "another file": (
        CorruptStreamError,
        r"no file of torchac.Writer: it begins with b'\\x89PNG'",
        lambda: reader(b"\x89PNG\r\n"),
    ),
    "an empty file": (CorruptStreamError, "no file of torchac", lambda: reader(b"")),
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
        "a segment named 'y' is there already",
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


def test_a_file_that_takes_a_part() -> None:
    class Short(io.BytesIO):
        def write(self, data: Any) -> int:
            return super().write(data[:20])

    writer = torchac.Writer(Short())
    with pytest.raises(OSError, match=r"the file took 20 of \d+ bytes"):
        writer.write(MODEL, values_of(50))


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
    assert "bad: this is no file of torchac.Writer" in result.stderr
    assert "No such file" in result.stderr


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
