"""Reading a file of an exact network gives what was saved, or CorruptStreamError."""

import functools
import io
import json
import math
import operator
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import exact_networks
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

import torchac
from torchac import CorruptStreamError, exact
from torchac.exact._file import MAGIC


def saved(network: exact.Network) -> bytes:
    file = io.BytesIO()
    exact.save(network, file)
    return file.getvalue()


def loaded(data: bytes) -> exact.Network:
    return exact.load(io.BytesIO(data))


@pytest.fixture(scope="module")
def small() -> exact.Network:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv1d(1, 2, 2), nn.LeakyReLU(), nn.Conv1d(2, 1, 1)).eval()
    return exact.convert(module, [exact_networks.inputs((2, 1, 8))])


@pytest.mark.parametrize("name", exact_networks.NETWORKS)
def test_a_network_that_was_saved_is_the_same(name: str, tmp_path: Path) -> None:
    module, x = exact_networks.make(name)
    network = exact.convert(module, [x])
    path = tmp_path / "network.exact"
    exact.save(network, path)
    assert [p.name for p in tmp_path.iterdir()] == ["network.exact"]
    for again in (exact.load(path), exact.load(str(path)), loaded(path.read_bytes())):
        pairs = zip(
            exact_networks.tensors(again(*x)), exact_networks.tensors(network(*x)), strict=True
        )
        assert all(a.equal(b) for a, b in pairs)
        assert repr(again) == repr(network)
        assert torchac.fingerprint(again.state_dict()) == torchac.fingerprint(network.state_dict())
        assert saved(again) == path.read_bytes()


def test_equal_tables_are_in_a_file_once() -> None:
    x = exact_networks.inputs((2, 3))
    one = exact.convert(nn.Sequential(nn.SiLU()).eval(), [x])
    three = exact.convert(nn.Sequential(nn.SiLU(), nn.SiLU(), nn.SiLU()).eval(), [x])
    assert len(saved(three)) < len(saved(one)) + 2000
    assert loaded(saved(three))(x).equal(three(x))


def test_every_changed_byte_and_every_cut_is_noticed(small: exact.Network) -> None:
    data = saved(small)
    for i in range(len(data)):
        with pytest.raises(CorruptStreamError):
            loaded(data[:i])
        for change in (1, 128, 255):
            changed = bytearray(data)
            changed[i] ^= change
            with pytest.raises(CorruptStreamError):
                loaded(bytes(changed))
    with pytest.raises(CorruptStreamError):
        loaded(data + b"\0")


def test_other_files_are_told_apart(small: exact.Network) -> None:
    data = saved(small)
    with pytest.raises(CorruptStreamError, match=r"not a file of torchac.exact.save"):
        loaded(b"GIF89a")
    with pytest.raises(CorruptStreamError, match="version 2, this release of torchac reads 1"):
        loaded(data[:4] + b"\x02" + data[5:])
    with pytest.raises(CorruptStreamError, match="within its head"):
        loaded(data[:12])
    with pytest.raises(TypeError, match="expected a path or a file"):
        exact.load(3)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"expected what torchac\.exact\.convert gives"):
        exact.save(nn.ReLU(), io.BytesIO())  # type: ignore[arg-type]
    with pytest.raises(FileNotFoundError):
        exact.load("not there")


# Malicious files, whose CRC is right


def made(text: Any, tensors: bytes = b"", size: int | None = None) -> bytes:
    encoded = text if isinstance(text, bytes) else json.dumps(text).encode()
    length = (len(encoded) if size is None else size).to_bytes(8, "little")
    data = MAGIC + b"\x01" + length + encoded + tensors
    return data + zlib.crc32(data).to_bytes(4, "little")


def parts(data: bytes) -> tuple[dict[str, Any], dict[str, Any], bytes]:
    """The text, the program in it, and the bytes of the tensors."""
    size = int.from_bytes(data[5:13], "little")
    text = json.loads(data[13 : 13 + size])
    return text, json.loads(text["program"]), data[13 + size : -4]


def with_program(text: dict[str, Any], program: Any, tensors: bytes) -> bytes:
    return made({**text, "program": json.dumps(program)}, tensors)


def test_nothing_in_a_file_is_believed(small: exact.Network) -> None:
    text, program, tensors = parts(saved(small))
    assert repr(loaded(with_program(text, program, tensors))) == repr(small)
    huge = {"program": text["program"], "tensors": [["float64", [1 << 40, 1 << 40]]] * 8}
    deep = b"[" * 100_000
    wrong: list[bytes] = [
        made(b""),
        made(b"\xff"),
        made(deep),
        made([]),
        made({}),
        made(text, tensors, size=1 << 63),
        made(text, tensors[:-1]),
        made(text, tensors + b"\0"),
        made(huge, tensors),
        made({**text, "tensors": text["tensors"][:-1]}, tensors),
        made({**text, "tensors": [7] * len(text["tensors"])}, tensors),
        made({**text, "tensors": [["int8", [1]]] * len(text["tensors"])}, tensors),
        made({**text, "program": "[" * 100_000}, tensors),
        made({**text, "program": "NaN"}, tensors),
        made({**text, "program": 3}, tensors),
        with_program(text, {**program, "outputs": 0}, tensors),
        with_program(text, {**program, "outputs": {"tuple": [1000]}}, tensors),
        with_program(text, {**program, "outputs": {"set": [0]}}, tensors),
        with_program(text, {**program, "outputs": None}, tensors),
        with_program(text, {**program, "steps": 3}, tensors),
        with_program(text, {**program, "steps": []}, tensors),
        with_program(text, {**program, "more": 3}, tensors),
    ]
    for data in wrong:
        with pytest.raises(CorruptStreamError):
            loaded(data)


def changes(steps: list[dict[str, Any]]) -> Iterator[Callable[[], Any]]:
    """Replaces everything in a step by other values."""
    others: tuple[Any, ...] = (
        None,
        -1,
        0,
        3,
        1 << 70,
        1.5,
        1e308,
        "x",
        "reshape",
        [],
        [-1],
        [[]],
        {},
        True,
    )
    for step in steps:
        for name in [*step, "more"]:
            for other in others:
                yield functools.partial(operator.setitem, step, name, other)
        for name in [*step["attributes"], "more"]:
            for other in others:
                yield functools.partial(operator.setitem, step["attributes"], name, other)


def test_whatever_steps_say_there_is_no_other_error(small: exact.Network) -> None:
    text, program, tensors = parts(saved(small))
    x = exact_networks.inputs((2, 1, 8))
    accepted = 0
    for i in range(sum(1 for _ in changes(program["steps"]))):
        changed = json.loads(json.dumps(program))
        list(changes(changed["steps"]))[i]()
        try:
            network = loaded(with_program(text, changed, tensors))
        except CorruptStreamError:
            continue
        accepted += 1
        try:
            y = network(x)
        except (ValueError, RuntimeError):  # the network needs another input
            continue
        assert bool(torch.isfinite(y).all())
    assert 0 < accepted < 100  # other limits, slopes, or largest values seen


@given(st.data())
def test_tensors_are_proved_anew(data: st.DataObject) -> None:
    torch.manual_seed(0)
    layer = nn.Linear(3, 2)
    network = exact.convert(layer.eval(), [torch.ones(1, 3)])
    text, program, tensors = parts(saved(network))
    numbers = bytearray(tensors)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(numbers) - 1))
        numbers[at] = data.draw(st.integers(0, 255))
    try:
        found = loaded(with_program(text, program, bytes(numbers)))
    except CorruptStreamError:
        return
    for step in found._steps:
        if step.operation.proved is not None:
            assert step.operation.proved < 53


def test_a_file_cannot_claim_sums_that_are_not_exact() -> None:
    torch.manual_seed(0)
    network = exact.convert(nn.Linear(3, 2).eval(), [torch.ones(1, 3)])
    text, program, tensors = parts(saved(network))
    steps = program["steps"]
    assert [step["kind"] for step in steps] == ["input", "round", "linear", "output"]
    steps[0]["attributes"]["limit"] = 2.0**20
    with pytest.raises(CorruptStreamError, match=r"its sums may reach 2\^"):
        loaded(with_program(text, program, tensors))
    steps[2]["inputs"] = [0]  # past the rounding
    with pytest.raises(CorruptStreamError, match="not multiples of a step"):
        loaded(with_program(text, program, tensors))
    steps[0]["attributes"]["limit"] = math.inf
    with pytest.raises(CorruptStreamError, match="Infinity is not a number"):
        loaded(with_program(text, program, tensors))


def test_little_memory_is_asked_for(small: exact.Network) -> None:
    """The steps of this small file make more and more channels."""
    text, program, _ = parts(saved(small))
    first = program["steps"][0]
    bare: dict[str, Any] = {"tensors": [], "name": "", "layer": "", "seen": None}
    for n in (1 << 29, 3):
        steps = [first]
        for i in range(40):
            sizes = {"dim": 1, "sizes": [n << i, n << i] if n == 3 else [n, n]}
            again = {"kind": "concatenate", "inputs": [i, i], "attributes": sizes, **bare}
            steps.append(again)
        with pytest.raises(CorruptStreamError, match=r"channels|sizes"):
            loaded(with_program({**text, "tensors": []}, {**program, "steps": steps}, b""))


def test_a_file_at_a_path_is_whole_or_not_there(
    small: exact.Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "network.exact"
    path.write_bytes(b"before")

    def fail(*_: Any) -> None:
        raise OSError("no")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OSError, match="no"):
        exact.save(small, path)
    assert [p.read_bytes() for p in tmp_path.iterdir()] == [b"before"]
    with pytest.raises(IsADirectoryError):
        exact.save(small, tmp_path)

    class Short(io.BytesIO):
        def write(self, data: Any) -> int:
            return super().write(data[:10])

    short = Short()
    exact.save(small, short)  # continues after each
    whole = io.BytesIO()
    exact.save(small, whole)
    assert short.getvalue() == whole.getvalue()
