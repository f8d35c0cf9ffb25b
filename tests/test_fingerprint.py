"""Fingerprints of everything that a state_dict holds; `test_files.py` has those of files."""

import copy
import hashlib
import math
import os
import subprocess
import sys
import tracemalloc
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from test_hostile import HOSTILE, check_error, outcome

import torchac

pytestmark = pytest.mark.filterwarnings("ignore")  # torch warns that many of these are new or old

LOOP: list[Any] = []
LOOP.append(LOOP)


def distinct(values: list[Any]) -> bool:
    """Whether all fingerprints differ; copies must have the same ones."""
    each = [torchac.fingerprint({"a": value}) for value in values]
    assert each == [torchac.fingerprint({"a": copy.deepcopy(value)}) for value in values]
    return len(set(each)) == len(values)


DTYPES = {dtype for dtype in vars(torch).values() if isinstance(dtype, torch.dtype)}
QUANTIZED = {dtype for dtype in DTYPES if str(dtype).startswith(("torch.qint", "torch.quint"))}


@pytest.mark.parametrize("dtype", sorted(DTYPES - QUANTIZED, key=str), ids=str)
def test_fingerprint_of_every_dtype(dtype: torch.dtype) -> None:
    """Each bit and the shape matter; strides do not."""
    size = torch.empty(0, dtype=dtype).element_size()
    memory = torch.zeros(3, 12 * size, dtype=torch.uint8)
    memory[1, 5 * size], memory[2, -1] = 1, 0x80
    tensors = [each.view(dtype).view(3, 4) for each in memory]
    assert distinct_numbers([*tensors, tensors[1].T, tensors[1][1, 1], torch.zeros(12 * size)])
    gaps = torch.full((3, 4, 2, size), 7, dtype=torch.uint8)
    gaps[:, :, 0] = memory[1].view(3, 4, size)
    apart = gaps.view(-1).view(dtype).view(3, 8)[:, ::2]
    assert torchac.fingerprint({"a": apart}) == torchac.fingerprint({"a": tensors[1]})


def distinct_numbers(values: list[Any]) -> bool:
    return len({torchac.fingerprint({"a": value}) for value in values}) == len(values)


X = torch.tensor([[1.0, 0.0, 0.0, 2.0], [0.0, 0.0, 3.0, 0.0]])
SCALES, ZEROS = torch.tensor([0.5, 0.25]), torch.tensor([1, 2])


def quantized(dtype: torch.dtype, x: torch.Tensor = X, scales: torch.Tensor = SCALES) -> Any:
    zeros = ZEROS.float() if dtype in (torch.quint4x2, torch.quint2x4) else ZEROS
    return torch.quantize_per_channel(x, scales, zeros, 0, dtype)


def test_fingerprint_of_quantized_tensors() -> None:
    per_tensor = [
        torch.quantize_per_tensor(x, scale, zero, dtype)
        for dtype in (torch.quint8, torch.qint8, torch.qint32)
        for x, scale, zero in ((X, 0.5, 1), (X / 2, 0.25, 1), (X - 0.5, 0.5, 2), (X + 1, 0.5, 1))
    ]
    per_channel = [
        quantized(dtype, *changed)
        for dtype in (torch.quint8, torch.qint8, torch.quint4x2)
        for changed in ((), (X + 1,), (X / 2, SCALES / 2), (X[:, :2],))
    ]
    one, zero_point = torch.ones(1), torch.zeros(1)
    packed = [
        torch.quantize_per_channel(torch.zeros(1, n), one, zero_point, 0, torch.quint4x2)
        for n in (7, 8)
    ]
    assert distinct([*per_tensor, *per_channel, *packed, X])


def test_fingerprint_of_layouts() -> None:
    layouts: list[Callable[[torch.Tensor], torch.Tensor]] = [
        torch.Tensor.to_sparse,
        torch.Tensor.to_sparse_csr,
        torch.Tensor.to_sparse_csc,
        lambda x: x.to_sparse_bsr((1, 2)),
        lambda x: x.to_sparse_bsc((1, 2)),
        torch.Tensor.to_mkldnn,
        lambda x: torch.nested.nested_tensor([x, x[:1]]),
    ]
    each = [layout(x) for layout in layouts for x in (X, X + 1, torch.nn.functional.pad(X, (0, 2)))]
    each.append(torch.nested.nested_tensor([X[:1], X]))
    assert distinct_numbers(each)
    twice = torch.sparse_coo_tensor(
        torch.tensor([[0, 0], [1, 1]]), torch.tensor([1.0, 2.0]), (2, 2)
    )
    assert torchac.fingerprint({"a": twice}) == torchac.fingerprint({"a": twice.coalesce()})


@pytest.mark.parametrize("dtype", [torch.complex32, torch.complex64, torch.bfloat16, torch.float32])
def test_fingerprint_of_what_is_negated_lazily(dtype: torch.dtype) -> None:
    x = torch.view_as_complex(torch.randn(3, 2)).to(dtype) if dtype.is_complex else X.to(dtype)
    lazy = x.conj() if dtype.is_complex else torch._neg_view(x)
    assert distinct_numbers([x, lazy])
    resolved = lazy.resolve_conj().resolve_neg()
    assert torchac.fingerprint({"a": lazy}) == torchac.fingerprint({"a": resolved})


OBJECTS: list[Any] = [
    None,
    True,
    1,
    -1,
    10**5000,
    1.0,
    -0.0,
    0.0,
    math.nan,
    math.inf,
    1j,
    "",
    "None",
    "?",
    "\ud800",
    b"",
    b"None",
    [],
    [[]],
    [1],
    [1, 1],
    [[1], 1],
    [1, [1]],
    {},
    {1: 2},
    {2: 1},
    {"1": 2},
    {1: {2: 3}},
    {1: [2, 3]},
    {None: 1, (1, "a"): 2},
    {None: 2, (1, "a"): 1},
    {1, 2},
    {1, 2, 3},
    {"1", "2"},
    torch.float32,
    torch.float64,
    "torch.float32",
    torch.device("cpu"),
    torch.per_tensor_affine,
    np.float64(1),
    torch.tensor(1.0),
    [torch.tensor(1.0), {"a": torch.tensor(2.0)}],
    [torch.tensor(1.0), {"a": torch.tensor(3.0)}],
]


def test_fingerprint_of_what_else_a_state_dict_holds() -> None:
    assert distinct(OBJECTS)
    assert distinct([[value] for value in OBJECTS])
    same: list[tuple[Any, Any]] = [
        ((1, 2), [1, 2]),
        (torch.Size((1, 2)), (1, 2)),
        (OrderedDict(a=1, b=2), {"b": 2, "a": 1}),
        ({"a", "b", "c", 4}, frozenset({4, "c", "b", "a"})),
    ]
    for one, other in same:
        assert torchac.fingerprint({"a": one}) == torchac.fingerprint({"a": other})


def test_fingerprints_of_objects_stay_as_they_are() -> None:
    state = {
        "a": [None, True, 3, 0.1, 2j, "é", b"x", {"k": 1, 2: {3}}, torch.float16],
        "b": X.half(),
    }
    assert torchac.fingerprint(state).hex() == "6b88014a223ab9d4"


def test_fingerprint_does_not_depend_on_the_process() -> None:
    """Addresses and the order of sets depend on the process."""
    code = "import torchac; print(torchac.fingerprint({'a': {'x', 'y', 'z', None, (1, 2)}}).hex())"
    environments = [{**os.environ, "PYTHONHASHSEED": str(seed)} for seed in range(1, 4)]
    outputs = {
        subprocess.run([sys.executable, "-c", code], env=e, capture_output=True, check=True).stdout
        for e in environments
    }
    assert len(outputs) == 1


class WithState(torch.nn.Module):
    """A module with extra state, which torch allows to be anything."""

    def __init__(self, state: Any) -> None:
        super().__init__()
        self.weight, self.state = torch.nn.Parameter(torch.ones(2)), state

    def get_extra_state(self) -> Any:
        return self.state

    def set_extra_state(self, state: Any) -> None:
        self.state = state


def test_fingerprint_of_modules() -> None:
    states = [WithState({"steps": steps, "names": ("a", None)}).state_dict() for steps in (1, 2)]
    assert distinct_numbers([dict(state) for state in states])
    if not torch.backends.quantized.supported_engines:
        return
    quantize: Any = torch.ao.quantization.quantize_dynamic
    recurrent: Any = torch.nn.LSTM(3, 2)
    network = torch.nn.Sequential(torch.nn.Linear(3, 2), recurrent)
    dynamic = quantize(network)
    state = dynamic.state_dict()
    assert any(isinstance(value, torch.ScriptObject) for value in state.values())
    known = torchac.fingerprint(state)
    assert torchac.fingerprint(copy.deepcopy(dynamic).state_dict()) == known
    with torch.no_grad():
        recurrent.weight_hh_l0[0, 0] += 5
    assert torchac.fingerprint(quantize(network).state_dict()) != known


def compile_it(module: Any) -> Any:
    return torch.compile(module, backend="eager")


def test_fingerprint_of_wrapped_networks() -> None:
    network: Any = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.BatchNorm1d(3))
    known = torchac.fingerprint(network.state_dict())
    compiled, parallel = compile_it(network), torch.nn.DataParallel(network)
    for wrapped in (compiled, parallel, torch.nn.DataParallel(compiled), compile_it(parallel)):
        assert wrapped.state_dict().keys() != network.state_dict().keys()
        assert torchac.fingerprint(wrapped.state_dict()) == known
    network[0] = compile_it(network[0])
    assert "0._orig_mod.weight" in network.state_dict()
    assert torchac.fingerprint(network.state_dict()) == known
    network[1](torch.ones(2, 3))
    assert torchac.fingerprint(network.state_dict()) != known  # running statistics count


@pytest.mark.parametrize(
    ("names", "same"),
    [
        (["module.a", "b"], ["module.a", "b"]),
        (["module.module.a", "module.b"], ["module.a", "b"]),
        (["module.module.a"], ["a"]),
        (["a.module.b"], ["a.module.b"]),
        (["modules.a"], ["modules.a"]),
        (["module"], ["module"]),
        (["_orig_mod.module.a", "_orig_mod.module.b"], ["a", "b"]),
        (["module._orig_mod.a", "module._orig_mod.b"], ["a", "b"]),
        (["a._orig_mod", "b._orig_mods.c"], ["a", "b._orig_mods.c"]),
        (["a._orig_mod.w", "a.w"], ["a._orig_mod.w", "a.w"]),
        ([], []),
    ],
)
def test_prefixes(names: list[str], same: list[str]) -> None:
    """If only some names begin with `module.`, all names are kept as they are."""

    def of(names: list[str]) -> bytes:
        lines = [
            f"{n!r} float32 (1,) 4\n".encode() + np.float32(i).tobytes() for n, i in numbered(names)
        ]
        return hashlib.blake2b(b"".join(sorted(lines)), digest_size=8).digest()

    def numbered(names: list[str]) -> list[tuple[str, int]]:
        return list(zip(names, range(9), strict=False))

    state = {name: torch.tensor([float(number)]) for name, number in numbered(names)}
    assert torchac.fingerprint(state) == of(same)


def test_fingerprint_of_a_large_view_takes_little_memory() -> None:
    large = np.broadcast_to(np.arange(1000.0)[:, None], (1000, 8000))  # 64 MB, if it were copied
    for array in (large, large.T, np.moveaxis(large.reshape(10, 100, 8000), 0, 2)):
        tracemalloc.start()
        known = torchac.fingerprint({"a": array})
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 8e6
        assert torchac.fingerprint({"a": torch.from_numpy(np.ascontiguousarray(array))}) == known


def test_hostile_values() -> None:
    results = [outcome(torchac.fingerprint, state_dict={"a": v}) for v in HOSTILE.values()]
    for result in results:
        if isinstance(result, Exception):
            check_error(result)
        else:
            assert len(result) == 8


@pytest.mark.parametrize(
    ("state", "error", "message"),
    [
        ({"a": object()}, TypeError, r"state_dict\['a'\] is of type object: .* or leave it out$"),
        ({"a": {1: [0, len]}}, TypeError, r"state_dict\['a'\]\[1\]\[1\] is of type builtin_fun"),
        (
            {"a": {(1, len): 2}},
            TypeError,
            r"a key of state_dict\['a'\]\[1\] is of type builtin_fun",
        ),
        ({"a": {len}}, TypeError, r"an element of state_dict\['a'\] is of type builtin_fun"),
        (
            {"a": np.array([object()])},
            TypeError,
            r"has dtype object.* state_dict\['a'\].tolist\(\)$",
        ),
        ({"a": LOOP}, ValueError, "that contain themselves$"),
    ],
)
def test_what_has_no_fingerprint(state: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        torchac.fingerprint(state)
