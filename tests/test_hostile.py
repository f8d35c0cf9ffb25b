"""Any arguments of any function give a clear exception or a proper result."""

import contextlib
import copy
import inspect
import io
import re
import threading
import warnings
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch._subclasses.fake_tensor import FakeTensorMode

import torchac
from torchac import _coding, _core
from torchac.models._from_argument import to_model

CDF = torch.tensor([[0.0, 0.25, 0.5, 1.0], [0.0, 0.1, 0.9, 1.0], [0.0, 0.0, 0.0, 1.0]])
SYM = torch.tensor([0, 1, 2])
INTEGERS = torchac.quantize_cdf(CDF)
STREAM = torchac.encode_float_cdf(CDF, SYM)
STREAMS = torchac.encode_batch(CDF, SYM)


class Call(NamedTuple):
    """A public function, arguments that it accepts, and a check of its results."""

    function: Callable[..., Any]
    arguments: dict[str, Any]
    check: Callable[..., None]  # of the result and the arguments


def check_stream(stream: Any, **arguments: Any) -> None:
    assert type(stream) is bytes
    assert len(stream) > 0


def check_streams(streams: Any, packed: Any = False, **arguments: Any) -> None:
    if packed:
        data, lengths = streams
        assert lengths.sum() == len(data)
        return
    for stream in streams:
        check_stream(stream)


def check_symbols(symbols: Any, cdf: Any, index: Any = None, **arguments: Any) -> None:
    if isinstance(symbols, list):
        for item, its_symbols in enumerate(symbols):
            its_cdf = cdf[item] if isinstance(cdf, (list, tuple)) or index is None else cdf
            check_symbols(its_symbols, its_cdf, None if index is None else index[item])
        return
    assert isinstance(symbols, torch.Tensor) == isinstance(cdf, torch.Tensor)
    assert symbols.dtype in (torch.int16, np.int16)
    assert tuple(symbols.shape) == tuple(cdf.shape[:-1] if index is None else index.shape)
    assert ((symbols >= 0) & (symbols <= cdf.shape[-1] - 2)).all()


def check_float_symbols(symbols: Any, cdf_float: Any, **arguments: Any) -> None:
    check_symbols(symbols, cdf_float, arguments.get("index"))


def check_int_symbols(symbols: Any, cdf_int: Any, **arguments: Any) -> None:
    check_symbols(symbols, cdf_int, arguments.get("index"))


def check_integers(integers: Any, cdf_float: Any, **arguments: Any) -> None:
    assert integers.dtype in (torch.int16, np.int16)
    assert integers.shape == cdf_float.shape


def check_bits(bits: Any, sym: Any, **arguments: Any) -> None:
    assert tuple(bits.shape) == tuple(sym.shape)
    assert ((bits >= 0) & (bits <= 16)).all()


def check_model(model: Any, **arguments: Any) -> None:
    values = torch.zeros(model.shape).clamp(*model.bounds)
    stream = outcome(torchac.encode, model=model, values=values)
    if isinstance(stream, ValueError):
        assert re.search("has an empty interval|^(probs|logits) (is|are) ", str(stream))
        return
    assert (np.asarray(torchac.decode(model, stream)) == values.numpy()).all()
    tables = outcome(model.tabulate)
    assert "fit one row" in str(tables) or tables.shape == model.shape


def check_values(values: Any, **arguments: Any) -> None:
    assert values.dtype in (torch.int32, np.int32)


def check_settled(result: Any, x: Any, **arguments: Any) -> None:
    numbers, shifts = result
    check_numbers(numbers, x)
    assert shifts.dtype in (torch.uint8, np.uint8)
    check_numbers(torchac.settled(x, shifts, arguments["step"]), x)


def check_numbers(numbers: Any, x: Any, **arguments: Any) -> None:
    assert numbers.dtype in (torch.int32, np.int32)
    assert tuple(numbers.shape) == tuple(x.shape)


def encode_step(**arguments: Any) -> bytes:
    """A failed step leaves no trace."""
    encoder = torchac.Encoder()
    encoder.encode(CDF, SYM)
    fork = copy.copy(encoder)
    try:
        encoder.encode(**arguments)
    except Exception:
        assert encoder.finish() == fork.finish()
        raise
    return encoder.finish()


def decode_step(byte_stream: Any, **arguments: Any) -> Any:
    decoder = torchac.Decoder(byte_stream)
    before = decoder.num_bits_consumed
    try:
        return decoder.decode(**arguments)
    except Exception:
        assert decoder.num_bits_consumed == before
        raise


def encode_in_lockstep(batch_size: Any, **arguments: Any) -> list[bytes]:
    """Like `encode_step`, in all streams."""
    encoder = torchac.BatchEncoder(batch_size)
    fork = copy.copy(encoder)
    try:
        encoder.encode(**arguments)
    except Exception:
        assert encoder.finish() == fork.finish()
        raise
    return encoder.finish()


def decode_in_lockstep(byte_streams: Any, **arguments: Any) -> Any:
    return torchac.BatchDecoder(byte_streams).decode(**arguments)


def write_file(file: Any = None, model_id: Any = b"", **arguments: Any) -> bytes:
    """A failed call leaves no trace."""
    target = io.BytesIO()
    with torchac.Writer(file or target, model_id=model_id) as writer:
        before = target.getvalue()
        try:
            writer.write(**arguments)
        except Exception:
            assert target.getvalue() == before
            raise
    return target.getvalue()


def read_file(file: Any, model_id: Any, max_values: Any, **arguments: Any) -> Any:
    if isinstance(file, bytes):
        file = io.BytesIO(file)
    try:
        reader = torchac.Reader(file, model_id=model_id, max_values=max_values)
    except OSError as error:  # no file has that name
        raise ValueError(str(error)) from None
    return reader.read(**arguments)


def set_threads(num_threads: Any) -> None:
    torchac.set_num_threads(num_threads)
    torchac.set_num_threads(None)


class Wrong(torch.distributions.Distribution):
    """Has no support and no cdf."""


FLAGS = {"needs_normalization": True}
ENCODE = {"sym": SYM, "index": None, "check": True, "clamp": False}
DECODE = {"index": None}
BATCH = {"num_threads": 2}
MODEL = torchac.Normal(torch.zeros(3), torch.ones(3))
VALUES = torchac.encode(MODEL, SYM)
PARAMETERS = {"loc": torch.zeros(3), "scale": torch.ones(3), "low": -9, "high": 9}
FILE = write_file(model=MODEL, values=SYM, name="a")
CALLS = {
    "encode_float_cdf": Call(
        torchac.encode_float_cdf,
        {"cdf_float": CDF, "sym": SYM, "index": None, "check_input_bounds": None, **FLAGS},
        check_stream,
    ),
    "decode_float_cdf": Call(
        torchac.decode_float_cdf,
        {"cdf_float": CDF, "byte_stream": STREAM, **DECODE, **FLAGS},
        check_float_symbols,
    ),
    "encode_int16_normalized_cdf": Call(
        torchac.encode_int16_normalized_cdf,
        {"cdf_int": INTEGERS, "sym": SYM, "index": None, "check_input_bounds": True},
        check_stream,
    ),
    "decode_int16_normalized_cdf": Call(
        torchac.decode_int16_normalized_cdf,
        {"cdf_int": INTEGERS, "byte_stream": STREAM, **DECODE},
        check_int_symbols,
    ),
    "encode_batch": Call(
        torchac.encode_batch,
        {"cdf": CDF, **ENCODE, **FLAGS, "packed": False, **BATCH},
        check_streams,
    ),
    "Writer": Call(
        write_file,
        {"model_id": b"", "model": MODEL, "values": SYM, "index": None, "name": "a", **BATCH},
        check_stream,
    ),
    "Reader": Call(
        read_file,
        {"file": FILE, "model_id": b"", "max_values": 9, "model": MODEL, "index": None}
        | {"name": "a", **BATCH},
        check_values,
    ),
    "fingerprint": Call(torchac.fingerprint, {"state_dict": {"a": CDF}}, check_stream),
    "decode_batch": Call(
        torchac.decode_batch,
        {"cdf": CDF, "byte_streams": STREAMS, **DECODE, **FLAGS, **BATCH},
        check_symbols,
    ),
    "Encoder": Call(encode_step, {"cdf": CDF, **ENCODE, **FLAGS}, check_stream),
    "Decoder": Call(
        decode_step, {"byte_stream": STREAM, "cdf": CDF, **DECODE, **FLAGS}, check_symbols
    ),
    "BatchEncoder": Call(
        encode_in_lockstep,
        {"batch_size": 3, "model": CDF, "values": SYM, "index": None, "active": None},
        check_streams,
    ),
    "BatchDecoder": Call(
        decode_in_lockstep,
        {"byte_streams": STREAMS, "model": CDF, "index": None, "active": None},
        check_values,
    ),
    "estimate_bits": Call(
        torchac.estimate_bits, {"cdf": CDF, "sym": SYM, "index": None, **FLAGS}, check_bits
    ),
    "encode": Call(torchac.encode, {"model": MODEL, "values": SYM, "index": None}, check_stream),
    "decode": Call(
        torchac.decode, {"model": MODEL, "byte_stream": VALUES, "index": None}, check_values
    ),
    "Normal": Call(torchac.Normal, PARAMETERS, check_model),
    "Laplace": Call(torchac.Laplace, PARAMETERS, check_model),
    "Logistic": Call(torchac.Logistic, PARAMETERS, check_model),
    "Mixture": Call(
        torchac.Mixture,
        {"weights": torch.ones(2, 3), "components": torchac.Normal(torch.zeros(2, 3), 1.0)},
        check_model,
    ),
    "Categorical": Call(
        torchac.Categorical, {"probs": torch.ones(2, 3), "logits": None}, check_model
    ),
    "Bernoulli": Call(torchac.Bernoulli, {"probs": None, "logits": torch.ones(2)}, check_model),
    "Tables": Call(
        torchac.Tables,
        {"cdf": CDF, "low": -1, "lengths": None, "shift": 0, "bounds": (None, None)},
        check_model,
    ),
    "tabulate": Call(
        torchac.tabulate,
        {"distribution": torch.distributions.Normal(0.0, 1.0), "low": -1, "high": 2},
        check_model,
    ),
    "set_num_threads": Call(set_threads, {"num_threads": 3}, lambda *_, **__: None),
    "quantize_cdf": Call(torchac.quantize_cdf, {"cdf_float": CDF, **FLAGS}, check_integers),
    "settle": Call(torchac.settle, {"x": CDF, "step": 0.5, "tolerance": 0.01}, check_settled),
    "settled": Call(
        torchac.settled,
        {"x": CDF, "shifts": torch.full((1,), 128, dtype=torch.uint8), "step": 0.5},
        check_numbers,
    ),
}


def test_every_public_function_is_called_with_all_its_arguments() -> None:
    assert CALLS.keys() == set(torchac.__all__) - {"CorruptStreamError", "Segment"}
    for name, call in CALLS.items():
        if name[0].islower():  # the others are wrapped
            assert call.arguments.keys() == inspect.signature(call.function).parameters.keys()


def tensors() -> Iterator[tuple[str, Any]]:
    """Tensors and arrays of every dtype, of many shapes, contents and layouts."""
    for name in sorted(
        name for name in dir(torch) if isinstance(getattr(torch, name), torch.dtype)
    ):
        dtype = getattr(torch, name)
        if name.startswith("q"):
            continue  # see below
        try:
            yield f"torch {name}", torch.zeros(3, 4).to(dtype)
        except (RuntimeError, TypeError):  # a dtype for storage only
            yield f"torch {name}", torch.empty(3, 4, dtype=dtype)
    for name in (
        "?",
        "i1",
        "u2",
        "u4",
        "i8",
        "f2",
        "f8",
        "g",
        "F",
        ">f4",
        ">i2",
        "O",
        "U3",
        "M8[s]",
    ):
        yield f"numpy {name}", np.zeros((3, 4), name)
    shapes: list[tuple[int, ...]] = [(), (0,), (1,), (3,), (4,), (0, 4), (3, 0), (1, 2), (3, 1)]
    shapes += [(2, 3, 4), (3, 0, 4), (3, 32769), (1,) * 40]
    for shape in shapes:
        yield f"floats {shape}", torch.rand(shape).cumsum(-1) if shape else torch.rand(shape)
        yield f"integers {shape}", torch.zeros(shape, dtype=torch.int16)
        yield f"array {shape}", np.zeros(shape[:32], np.float32)
    yield "Lp of 32770", torch.zeros(1).expand(3, 32770)
    for value in (np.nan, np.inf, -np.inf, -1.0, 0.5, 2.0, 65536.0, 1e30, -1e30, 3e38, 1e-40):
        yield f"full of {value}", torch.full((3, 4), value)
        yield f"vector of {value}", torch.full((3,), value)
    for value in (-1, 2, 3, 2**15, 2**31, 2**63 - 1, -(2**63)):
        yield f"vector of {value}", torch.full((3,), value)
    yield "vector of 2**64 - 1", np.full(3, 2**64 - 1, np.uint64)
    yield from layouts()


def layouts() -> Iterator[tuple[str, Any]]:
    array = CDF.numpy()
    yield "reversed", array[::-1, ::-1]
    yield "reversed symbols", SYM.numpy()[::-1]
    yield "transposed", array.copy().T
    yield "transposed tensor", CDF.clone().T
    yield "values apart", torch.zeros(3, 8)[:, ::2]
    yield "overlapping", np.lib.stride_tricks.as_strided(np.zeros(6, np.float32), (3, 4), (4, 4))
    yield "overlapping tensor", torch.zeros(6).as_strided((3, 4), (1, 1))
    yield "unaligned", np.frombuffer(bytes(49), np.uint8)[1:].view(np.float32).reshape(3, 4)
    frozen = array.copy()
    frozen.flags.writeable = False
    yield "read-only", frozen
    yield "read-only symbols", np.frombuffer(bytes(24), np.int64)
    yield "masked", np.ma.masked_array(array, array > 0.5)
    yield "matrix", np.asmatrix(array) if hasattr(np, "asmatrix") else array
    yield "records", np.zeros(3, [("a", "f4"), ("b", "i2")])
    yield "parameter", torch.nn.Parameter(CDF.clone())
    yield "in a graph", CDF.clone().requires_grad_() * 1
    yield "negated lazily", torch._neg_view(CDF)
    yield "conjugate", torch.complex(CDF, CDF).conj().imag
    yield "on meta", CDF.to("meta")
    yield "sparse", CDF.to_sparse()
    yield "sparse rows", CDF.to_sparse_csr()
    if getattr(torch._C, "_has_mkldnn", False):  # torch 2.0 has another name for it
        yield "mkldnn", CDF.to_mkldnn()
    if hasattr(torch, "quantize_per_tensor"):
        yield "quantized", torch.quantize_per_tensor(CDF, 0.5, 0, torch.quint8)
    yield "nested", torch.nested.nested_tensor([CDF[0], CDF[0, :2]])
    yield "fake", FakeTensorMode().from_tensor(CDF)
    yield "zeros without memory", torch._efficientzerotensor((3, 4))
    yield "a view of zeros without memory", torch._efficientzerotensor((4, 4))[1:]
    yield "uninitialized", torch.nn.parameter.UninitializedParameter()
    for left in (0, 8):
        freed = CDF.clone()
        freed.untyped_storage().resize_(left)
        yield f"of which {left} bytes are left", freed
    yield "with a distribution", Wrong(validate_args=False)


def objects() -> Iterator[tuple[str, Any]]:
    values: list[Any] = [None, True, False, 0, -1, 5, 32767, 2**70, -(2**70), 10**400]
    values += [0.0, -0.5, 1.5, np.nan, np.inf, 1j, np.float16(0.5), np.complex64(1j), np.int8(-1)]
    values += ["", "text", [], [1, 2, 3], [[0.0, 1.0]], (), {}, {1: 2}, object(), torch, len]
    values += [[CDF[0]] * 3, [CDF] * 3, [SYM[0]] * 3, (SYM, None, 7), [None] * 3, [STREAM] * 3]
    values += [b"", b"\0", b"\xff" * 9, bytearray(), bytearray(b"\x40" * 9)]
    for number, value in enumerate(values):
        yield f"{type(value).__name__} {number}", value
    yield "memoryview of shorts", memoryview(b"\x55" * 8).cast("H")
    yield "memoryview with gaps", memoryview(b"\x55" * 9)[::-2]
    yield "memoryview of nothing", np.zeros((0, 3), np.uint8).data
    yield "memoryview of one", np.zeros((), np.float64).data
    yield "memoryview of a matrix", np.zeros((3, 4), ">f4").T.data
    released = memoryview(b"\x55")
    released.release()
    yield "memoryview of no more", released


with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # torch warns of its new and old features
    HOSTILE = dict([*tensors(), *objects()])


def outcome(function: Callable[..., Any], **arguments: Any) -> Any:
    """The result, or the exception, which must be of one of two types."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            warnings.filterwarnings("ignore", r"symbol .* is coded as the nearest")
            return function(**arguments)
    except (TypeError, ValueError) as error:
        return error


def check_error(error: Exception) -> None:
    """The error must be written for users."""
    assert type(error) in (TypeError, ValueError, torchac.CorruptStreamError)
    assert len(str(error)) > 10
    assert "incompatible function arguments" not in str(error)
    assert "incompatible constructor arguments" not in str(error)


def run(call: Call, arguments: dict[str, Any]) -> None:
    result = outcome(call.function, **arguments)
    if isinstance(result, Exception):
        check_error(result)
    else:
        call.check(result, **arguments)


def failure(call: Call, arguments: dict[str, Any]) -> str | None:
    try:
        run(call, arguments)
    except Exception as error:
        return repr(error)
    return None


@pytest.mark.parametrize(
    ("name", "argument"), [(name, a) for name, call in CALLS.items() for a in call.arguments]
)
def test_one_hostile_argument(name: str, argument: str) -> None:
    call = CALLS[name]
    failures = {k: failure(call, call.arguments | {argument: v}) for k, v in HOSTILE.items()}
    assert {kind: text for kind, text in failures.items() if text} == {}


@given(st.data())
@settings(max_examples=1000)
def test_several_hostile_arguments(data: st.DataObject) -> None:
    call = CALLS[data.draw(st.sampled_from(sorted(CALLS)))]
    arguments = dict(call.arguments)
    for argument in data.draw(st.sets(st.sampled_from(sorted(arguments)))):
        arguments[argument] = HOSTILE[data.draw(st.sampled_from(sorted(HOSTILE)))]
    run(call, arguments)


@pytest.mark.parametrize("name", ["encode_float_cdf", "decode_int16_normalized_cdf", "Categorical"])
def test_rows_longer_than_memory(name: str) -> None:
    call = CALLS[name]
    argument = next(iter(call.arguments))
    rows = torch.zeros(1, dtype=call.arguments[argument].dtype).expand(3, 2**40)
    with pytest.raises(ValueError, match=rf"^{argument} has shape \(3, 1099511627776\): expected"):
        call.function(**call.arguments | {argument: rows})


def test_arguments_that_share_memory() -> None:
    """Arguments are never written to, so copies give the same result."""
    memory = np.arange(200, dtype=np.int16)
    cdf, sym = memory.reshape(20, 10), memory[:9]
    shared = torchac.encode_int16_normalized_cdf(cdf, sym, index=sym)
    assert shared == torchac.encode_int16_normalized_cdf(cdf.copy(), sym.copy(), index=sym.copy())
    decoded = torchac.decode_int16_normalized_cdf(cdf, memory.data)
    copies = torchac.decode_int16_normalized_cdf(cdf.copy(), memory.tobytes())
    assert (decoded == copies).all()


def test_a_stream_keeps_its_size_while_it_is_decoded() -> None:
    stream = bytearray(STREAM)
    decoder = torchac.Decoder(stream)
    with pytest.raises(BufferError):
        stream.clear()
    assert decoder.decode(CDF).tolist() == SYM.tolist()
    del decoder
    stream.clear()


@contextlib.contextmanager
def changing(target: npt.NDArray[Any], *others: npt.NDArray[Any]) -> Iterator[None]:
    """Another thread writes to an array: its contents, reversed ones, others, and mixtures."""
    contents = [target.copy(), target[::-1], *others]
    for other in contents[1:]:
        mixed = target.copy()
        mixed[..., ::7] = other[..., ::7]
        contents.append(mixed)
    # Each item is one whole set of contents: NumPy copies them to the same place, one after the
    # other, and releases the GIL if they have 500 elements or more.
    item = np.dtype((np.void, target.nbytes))
    shape = (max(500, 2**22 // target.nbytes) // len(contents) + 1, len(contents))
    source = np.broadcast_to(np.stack(contents).reshape(-1).view(item), shape)
    place = np.lib.stride_tricks.as_strided(target.reshape(-1).view(item), shape, (0, 0))
    done = threading.Event()

    def change() -> None:
        while not done.is_set():
            place[...] = source

    changer = threading.Thread(target=change)
    changer.start()
    try:
        yield
    finally:
        done.set()
        changer.join()


CHANGES = [("cdf", False), ("sym", False), ("stream", False)]
CHANGES += [("cdf", True), ("sym", True), ("stream", True), ("index", True)]


@pytest.mark.parametrize(("changed", "shared"), CHANGES)
def test_arguments_that_change_while_they_are_coded(changed: str, shared: bool) -> None:
    """Another thread writes to one of them: the result is undefined, but valid."""
    rng = np.random.default_rng(1)
    count, tables, symbols = 5000, 20, 16
    index = rng.integers(0, tables, count)
    cdf = np.sort(rng.random((tables if shared else count, symbols + 1)).astype(np.float32))
    sym = rng.integers(0, symbols, count)
    kwargs: dict[str, Any] = {"index": index} if shared else {}
    stream = bytearray(torchac.encode_float_cdf(cdf, sym, **kwargs))
    memory: dict[str, npt.NDArray[Any]] = {"cdf": cdf, "sym": sym, "index": index}
    memory["stream"] = np.frombuffer(stream, np.uint8)
    target = memory[changed]
    with changing(target, target + target.dtype.type(100)):
        for check in (None, True, False) * 10:
            encoded = outcome(
                torchac.encode_float_cdf, cdf_float=cdf, sym=sym, check_input_bounds=check, **kwargs
            )
            assert isinstance(encoded, (bytes, ValueError))
            decoded = outcome(torchac.decode_float_cdf, cdf_float=cdf, byte_stream=stream, **kwargs)
            if not isinstance(decoded, ValueError):
                check_symbols(decoded, cdf, **kwargs)


class Changed(NamedTuple):
    """A model of arrays, the arrays, and valid and invalid numbers for them."""

    model: Callable[..., Any]
    arrays: dict[str, npt.NDArray[Any]]
    allowed: dict[str, list[float]]
    refused: dict[str, list[float]]


SHARED = 16  # elements, of models that take an index
LOC, SCALE = {"loc": [0.0, 1e9]}, {"scale": [0.0, 1e7]}
BAD_LOC, BAD_SCALE = {"loc": [np.nan, np.inf]}, {"scale": [np.nan, -1.0, 1e9]}
NUMBERS: dict[str, tuple[list[float], list[float]]] = {
    "probs": ([1e-6, 0.25, 1.0], [0.0, np.nan, -1.0]),
    "logits": ([-20.0, 20.0], [-np.inf, np.nan]),
}


def changed_models() -> Iterator[tuple[str, Changed]]:
    """Models of each kind, with elements that values share, and with one for each value."""
    rng = np.random.default_rng(2)

    def floats(*shape: int) -> npt.NDArray[np.float32]:
        return rng.random(shape, np.float32) * 4

    for n in (SHARED, 2000):
        loc, scale = floats(n) * 100, floats(n)
        arrays: dict[str, npt.NDArray[Any]] = {"loc": loc, "scale": scale}
        normal = Changed(torchac.Normal, arrays, LOC | SCALE, BAD_LOC | BAD_SCALE)
        yield f"{n} Normal", normal
        pairs = {name: np.stack([array, array[::-1]], -1) for name, array in arrays.items()}
        allowed = normal.allowed | {"weights": [0.1, 1e30]}
        refused = normal.refused | {"weights": [0.0, np.nan, -1.0]}
        yield f"{n} Mixture", Changed(mixture, pairs | {"weights": floats(n, 2)}, allowed, refused)
        for name, (good, bad) in NUMBERS.items():
            yield (
                f"{n} Bernoulli of {name}",
                Changed(torchac.Bernoulli, {name: floats(n) / 4}, {name: good}, {name: bad}),
            )
            for categories in (9, 90, 300, 5000):
                few = min(n, 100_000 // categories // 4 * 4)
                numbers = floats(few, categories)
                yield (
                    f"{few} of {categories} {name}",
                    Changed(torchac.Categorical, {name: numbers}, {name: good}, {name: bad}),
                )
        rows = np.sort(rng.integers(0, 60_000, (n, 41)).astype(np.uint16)).view(np.int16)
        rows[:, 0] = 0
        tables: dict[str, npt.NDArray[Any]] = {"cdf": rows}
        for name, end, dtype in (("low", 99, "i4"), ("lengths", 40, "i4"), ("shift", 3, "u1")):
            tables[name] = rng.integers(1, end, n).astype(dtype)
        allowed = {"cdf": [0, -1], "low": [0, 5], "lengths": [1, 40], "shift": [0, 24]}
        refused = {"cdf": [9], "low": [-(2**31), 2**31 - 1], "shift": [25, 255]}
        refused["lengths"] = [0, 41, 10**6]
        yield f"{n} Tables", Changed(torchac.Tables, tables, allowed, refused)


def mixture(weights: Any, loc: Any, scale: Any) -> torchac.Mixture:
    return torchac.Mixture(weights, torchac.Normal(loc, scale))


CHANGED = dict(changed_models())


def calls(model: Any, values: Any, index: Any) -> Iterator[Callable[[], Any]]:
    """Everything that can be done with a model, as 4 items."""
    its: dict[str, Any] = {} if index is None else {"index": index}
    stream = torchac.encode(model, values, **its)
    streams = torchac.encode_batch(model, values, **its)
    yield lambda: torchac.encode(model, values, **its)
    yield lambda: torchac.decode(model, stream, **its)
    yield lambda: torchac.encode_batch(model, values, num_threads=2, **its)
    yield lambda: torchac.decode_batch(model, streams, num_threads=2, **its)
    yield lambda: torchac.BatchEncoder(4).encode(model, values, **its)
    yield lambda: torchac.BatchDecoder(streams).decode(model, **its)
    yield lambda: torchac.estimate_bits(model, values, **its)
    if model.bounds[0] != 0 or model.bounds[1] < 257:
        yield model.tabulate


CHANGED_ARGUMENTS = [
    (name, argument)
    for name, case in CHANGED.items()
    for argument in [*case.arrays, "values", "index"]
    if argument != "index" or name.startswith(f"{SHARED} ")
]


@pytest.mark.parametrize(("name", "changed"), CHANGED_ARGUMENTS)
def test_models_that_change_while_they_are_coded_with(name: str, changed: str) -> None:
    """As above, with all arguments of all models."""
    case = CHANGED[name]
    rng = np.random.default_rng(3)
    arrays = {name: array.copy() for name, array in case.arrays.items()}
    index: npt.NDArray[Any] | None = None
    if name.startswith(f"{SHARED} "):
        index = rng.integers(0, SHARED, (4, 250))
    else:
        arrays = {k: a.reshape(4, -1, *a.shape[1:]) for k, a in arrays.items()}
    model = case.model(**arrays)
    low, high = max(model.bounds[0], 0), min(model.bounds[1], 100)
    shape = model.shape if index is None else index.shape
    values = rng.integers(low, high + 1, shape).astype(np.float32)
    memory = arrays | {"values": values}
    allowed = case.allowed | {"values": [low, high]}
    refused = case.refused | {"values": [-1.0, 1e10, 0.5, np.nan]}
    if index is not None:
        memory["index"], allowed["index"], refused["index"] = index, [0, 1], [-1, 16, 10**6]
    target = memory[changed]
    each = list(calls(model, values, index))
    for others in (allowed[changed], allowed[changed] + refused[changed]):
        with changing(target, *(np.full_like(target, other) for other in others)):
            for call in each * 2:
                result = outcome(call)
                assert not isinstance(result, TypeError), result


def test_an_index_may_be_another_one_when_what_was_wrong_is_looked_at() -> None:
    model = torchac.Categorical(probs=np.array([[1.0, 2.0], [1.0, -1.0]]))
    index = np.array([1])
    item = model.fit(np.array([0]), index)
    report = _coding.try_encode(_core.Encoder(), item)
    assert report is not None
    for other in (7, -7):
        index[0] = other
        with pytest.raises(ValueError, match=r"were changed while they were coded$"):
            raise _coding.explain(report, item)


def test_rows_may_grow_while_they_are_made() -> None:
    model = torchac.Normal(0.0, 1.0)
    first, symbols, shifts = np.zeros(1, np.int32), np.zeros(1, np.int32), np.zeros(1, np.uint8)
    report = _core.tabulate(model.to_core(), first, symbols, shifts, np.zeros((1, 3), np.int16))
    with pytest.raises(ValueError, match=r"^the model was changed while it was tabulated$"):
        model._check(report)


def test_what_was_wrong_may_be_right_when_it_is_looked_at() -> None:
    cdf, index = np.zeros((2, 3), np.int16), np.array([1])
    item = to_model(cdf).fit(np.array([0]), index)
    report = _coding.try_encode(_core.Encoder(), item)
    assert report is not None
    index[0] = 7
    with pytest.raises(ValueError, match=r"were changed while they were coded$"):
        raise _coding.explain(report, item)
