"""A CDF on another device gives the same bytes, symbols, bits and errors as on the host.

Without a GPU, host memory stands in for that of another device.
"""

import io
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from test_hostile import CALLS
from torch.utils._python_dispatch import TorchDispatchMode

import torchac
import torchac.compressai
import torchac.testing
from torchac import _tensors
from torchac.compressai import ans
from torchac.models._cdf_on_device import reduce_for_host
from torchac.models._from_argument import to_model

needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU here")
DEVICES = ["cpu", pytest.param("cuda", marks=needs_cuda)]
DTYPES = [torch.float32, torch.float64, torch.float16, torch.bfloat16]
SYMBOLS = 50
SHAPE = (20, 30)  # more rows than are checked completely
WHERE = (7, 3)  # the position of the fault


@contextmanager
def as_another_device(device: str) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        if device == "cpu":
            patch.setattr(_tensors, "on_host", lambda array: False)
        yield


def moved(value: Any, device: str) -> Any:
    if isinstance(value, list):
        return [moved(item, device) for item in value]
    if not isinstance(value, torch.Tensor):
        return value
    # Expanded tensors stay expanded.
    once = value[tuple(slice(1) if step == 0 else slice(None) for step in value.stride())]
    return once.to(device).expand_as(value)


def outcome(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """The result or the exception, and the warnings."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            result = function(*args, **kwargs)
            if isinstance(result, torchac.models.Model):
                result = result.tabulate()
        except (TypeError, ValueError) as error:
            result = (type(error), str(error))
    if isinstance(result, torchac.Tables):
        arrays = [result.cdf, result.low, result.lengths, result.shift]
        result = [array.tolist() for array in arrays]
    if isinstance(result, tuple) and isinstance(result[0], torch.Tensor):
        result = [tensor.tolist() for tensor in result]
    if isinstance(result, torch.Tensor):
        result = result.tolist()
    return result, [str(warning.message) for warning in caught]


def same(device: str, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """The outcome, which must be the same as on the host."""
    expected = outcome(function, *args, **kwargs)
    with as_another_device(device):
        there = {name: moved(value, device) for name, value in kwargs.items()}
        assert outcome(function, *moved(list(args), device), **there) == expected
    return expected[0]


def logistic(*shape: int, symbols: int = SYMBOLS) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    means = torch.rand(*shape, 1, generator=generator) * symbols
    return torch.sigmoid((torch.arange(symbols + 1) - 0.5 - means) / 3) * 0.99


def draw(shape: tuple[int, ...], end: int) -> torch.Tensor:
    return torch.randint(end, shape, generator=torch.Generator().manual_seed(2))


def step(cdf: torch.Tensor, sym: torch.Tensor, **kwargs: Any) -> bytes:
    encoder = torchac.Encoder()
    encoder.encode(cdf, sym, **kwargs)
    return encoder.finish()


def batch_of_arrays(cdf: torch.Tensor, sym: torch.Tensor, **kwargs: Any) -> list[bytes]:
    if "index" in kwargs:
        kwargs["index"] = list(kwargs["index"])
        return list(torchac.encode_batch(cdf, list(sym), **kwargs))
    return list(torchac.encode_batch(list(cdf), list(sym), **kwargs))


def old(cdf: torch.Tensor, sym: torch.Tensor, **kwargs: Any) -> bytes:
    """The functions of the old package."""
    if kwargs.pop("check", False):
        kwargs["check_input_bounds"] = True
    if kwargs.pop("clamp", False):
        kwargs["check_input_bounds"] = False
    if cdf.is_floating_point():
        return torchac.encode_float_cdf(cdf, sym, **kwargs)
    kwargs.pop("needs_normalization", None)
    return torchac.encode_int16_normalized_cdf(cdf, sym, **kwargs)


ENCODERS = [old, step, torchac.encode_batch, batch_of_arrays]
CLAMP = {"clamp": True}
CHECK = {"check": True}


class Rows(NamedTuple):
    """A CDF, symbols and an index."""

    cdf: torch.Tensor
    sym: torch.Tensor
    kwargs: dict[str, Any]

    def row(self) -> torch.Tensor:
        """The row of the symbol with the fault."""
        index = self.kwargs.get("index")
        row: torch.Tensor = self.cdf[WHERE if index is None else index[WHERE]]
        return row


def rows_of_their_own() -> Rows:
    return Rows(logistic(*SHAPE), draw(SHAPE, SYMBOLS), {})


def few_rows() -> Rows:
    return Rows(logistic(8, 5), draw((8, 5), SYMBOLS), {})


def one_row() -> Rows:
    return Rows(logistic().expand(*SHAPE, -1), draw(SHAPE, SYMBOLS), {})


def tables() -> Rows:
    return Rows(logistic(9), draw(SHAPE, SYMBOLS), {"index": draw(SHAPE, 9)})


def more_tables_than_symbols() -> Rows:
    return Rows(logistic(700), draw(SHAPE, SYMBOLS), {"index": draw(SHAPE, 700)})


KINDS = [rows_of_their_own, few_rows, one_row, tables, more_tables_than_symbols]
GATHERED = [rows_of_their_own, more_tables_than_symbols]


@pytest.mark.parametrize("encode", ENCODERS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("device", DEVICES)
def test_encoding(device: str, kind: Callable[[], Rows], encode: Callable[..., Any]) -> None:
    cdf, sym, kwargs = kind()
    integers = torchac.quantize_cdf(cdf)
    stream = same(device, encode, cdf, sym, **kwargs)
    assert isinstance(stream, (bytes, list))
    assert same(device, encode, integers, sym, **kwargs) == stream
    for extra in (CHECK, CLAMP):
        assert same(device, encode, cdf, sym, **kwargs, **extra) == stream
        assert same(device, encode, integers, sym, **kwargs, **extra) == stream


@pytest.mark.parametrize("normalize", [True, False])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("device", DEVICES)
def test_all_floats(device: str, dtype: torch.dtype, normalize: bool) -> None:
    cdf = logistic(*SHAPE).to(dtype)
    values = torchac.quantize_cdf(cdf, normalize).int() & 0xFFFF
    values[..., -1] = 1 << 16
    usable = (values.diff() > 0).flatten(0, 1).float()
    sym = torch.multinomial(usable, 1, generator=torch.Generator().manual_seed(3)).view(SHAPE)
    for check in (None, True):
        encode = torchac.encode_float_cdf
        assert isinstance(same(device, encode, cdf, sym, normalize, check), bytes)
    same(device, torchac.estimate_bits, cdf, sym, needs_normalization=normalize)


@pytest.mark.parametrize("device", DEVICES)
def test_uint16_rows(device: str) -> None:
    if not hasattr(torch, "uint16"):
        pytest.skip("this release of torch has no uint16")
    for kind in GATHERED:
        cdf, sym, kwargs = kind()
        integers = torchac.quantize_cdf(cdf).view(torch.uint16)
        for function in (torchac.encode_batch, torchac.estimate_bits):
            same(device, function, integers, sym, **kwargs)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("device", DEVICES)
def test_decoding_and_bits(device: str, kind: Callable[[], Rows]) -> None:
    cdf, sym, kwargs = kind()
    stream = torchac.encode_float_cdf(cdf, sym, **kwargs)
    same(device, torchac.decode_float_cdf, cdf, stream, **kwargs)
    same(device, lambda c, **k: torchac.Decoder(stream).decode(c, **k), cdf, **kwargs)
    streams = torchac.encode_batch(cdf, sym, **kwargs)
    same(device, torchac.decode_batch, cdf, streams, **kwargs)
    same(device, torchac.estimate_bits, cdf, sym, **kwargs)
    same(device, torchac.quantize_cdf, cdf)
    same(device, torchac.decode_float_cdf, cdf, stream[:-9], **kwargs)
    bools, row = sym > 25, torch.tensor([0.0, 0.25, 1.0])
    same(device, torchac.encode_float_cdf, row.expand(*sym.shape, 3), bools)
    for function in (torchac.encode_float_cdf, torchac.estimate_bits):
        same(device, function, row, 1)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("device", DEVICES)
def test_settling(device: str, dtype: torch.dtype) -> None:
    x = 30 * torch.randn(100, 90, generator=torch.Generator().manual_seed(4))
    x = x.to(dtype)
    for tolerance in (0.001, 0.01, 0.1):
        numbers, shifts = same(device, torchac.settle, x, 0.4, tolerance)
        there = torchac.testing.perturb(x, tolerance)
        assert same(device, torchac.settled, there, torch.tensor(shifts), 0.4) == numbers
        host_shifts = torch.tensor(shifts, dtype=torch.uint8)
        assert torchac.settled(there.to(device), host_shifts, 0.4).tolist() == numbers
    x[99, 80] = torch.nan
    same(device, torchac.settle, x, 0.4, 0.01)
    same(device, torchac.settled, x, torch.tensor(shifts), 0.4)


@pytest.mark.parametrize("device", DEVICES)
def test_settling_with_deterministic_algorithms(device: str) -> None:
    x = torch.randn(9000, device=device)
    numbers, shifts = torchac.settle(x, 0.4, 0.01)
    torch.use_deterministic_algorithms(True)
    try:
        again = torchac.settle(x, 0.4, 0.01)
    finally:
        torch.use_deterministic_algorithms(False)
    assert again[0].equal(numbers)
    assert again[1].equal(shifts)


def symbol_too_large(rows: Rows) -> dict[str, Any]:
    rows.sym[WHERE] = SYMBOLS
    return {}


def negative_symbol(rows: Rows) -> dict[str, Any]:
    rows.sym[WHERE] = -1
    return {}


def checked_negative_symbol(rows: Rows) -> dict[str, Any]:
    rows.sym[WHERE] = -1
    return CHECK


def not_a_number(rows: Rows) -> dict[str, Any]:
    rows.row()[rows.sym[WHERE]] = torch.nan
    return {}


def empty_interval(rows: Rows) -> dict[str, Any]:
    rows.cdf[...] = torch.linspace(0, 0.9, SYMBOLS + 1)
    symbol = rows.sym[WHERE]
    rows.row()[symbol + 1] = rows.row()[symbol]
    return {"needs_normalization": False}


def decreasing_row(rows: Rows) -> dict[str, Any]:
    rows.sym[WHERE] = 0
    rows.row()[20] = 0
    return CHECK


def value_outside_0_and_1(rows: Rows) -> dict[str, Any]:
    rows.sym[WHERE] = 0
    rows.row()[-1] = 1.5
    return CHECK


def row_that_wraps(rows: Rows) -> dict[str, Any]:
    rows.cdf[...] = torch.linspace(0, 0.9, SYMBOLS + 1)
    rows.sym[WHERE] = 0
    rows.row()[-2:] = 1
    return {"needs_normalization": False, **CHECK}


FAULTS = [symbol_too_large, negative_symbol, not_a_number, empty_interval]
CHECKED_FAULTS = [
    checked_negative_symbol,
    decreasing_row,
    value_outside_0_and_1,
    row_that_wraps,
]


@pytest.mark.parametrize("encode", ENCODERS)
@pytest.mark.parametrize("fault", FAULTS + CHECKED_FAULTS)
@pytest.mark.parametrize("kind", [rows_of_their_own, tables, more_tables_than_symbols])
@pytest.mark.parametrize("device", DEVICES)
def test_errors(
    device: str,
    kind: Callable[[], Rows],
    fault: Callable[[Rows], dict[str, Any]],
    encode: Callable[..., Any],
) -> None:
    rows = kind()
    kwargs = fault(rows) | rows.kwargs
    exception, message = same(device, encode, rows.cdf, rows.sym, **kwargs)
    assert exception is ValueError
    if kind is rows_of_their_own:
        is_batch = encode in (torchac.encode_batch, batch_of_arrays)
        assert message.startswith("item 7: ") == is_batch


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("kind", [rows_of_their_own, tables, more_tables_than_symbols])
@pytest.mark.parametrize("device", DEVICES)
def test_errors_of_bits(
    device: str, kind: Callable[[], Rows], fault: Callable[[Rows], dict[str, Any]]
) -> None:
    rows = kind()
    kwargs = fault(rows) | rows.kwargs
    exception, _ = same(device, torchac.estimate_bits, rows.cdf, rows.sym, **kwargs)
    assert exception is ValueError


@pytest.mark.parametrize("encode", ENCODERS)
@pytest.mark.parametrize("device", DEVICES)
def test_an_index_out_of_range(device: str, encode: Callable[..., Any]) -> None:
    for kind in (tables, more_tables_than_symbols):
        for number in (-1, 700):
            cdf, sym, kwargs = kind()
            kwargs["index"][WHERE] = number
            _, message = same(device, encode, cdf, sym, **kwargs)
            assert f"index {number} at index" in message
            same(device, torchac.estimate_bits, cdf, sym, **kwargs)


@pytest.mark.parametrize("encode", ENCODERS)
@pytest.mark.parametrize("device", DEVICES)
def test_integer_rows_that_decrease_where_no_symbol_is(
    device: str, encode: Callable[..., Any]
) -> None:
    cdf, sym, _ = rows_of_their_own()
    integers = torchac.quantize_cdf(cdf)
    sym[WHERE] = 0
    integers[(*WHERE, 20)] = 0
    same(device, encode, integers, sym, **CHECK)
    assert isinstance(same(device, encode, integers, sym), (bytes, list))


@pytest.mark.parametrize("decreases", [True, False])
def test_integer_rows_are_gathered_if_they_are_good(decreases: bool) -> None:
    integers, sym = torchac.quantize_cdf(logistic(*SHAPE)), draw(SHAPE, 20)
    if decreases:
        integers[(*WHERE, 40)] = 0
    item = to_model(integers, check=True).fit(sym, None)
    assert (reduce_for_host([item]) is None) == decreases


@pytest.mark.parametrize("encode", ENCODERS)
@pytest.mark.parametrize("kind", [few_rows, one_row, tables, more_tables_than_symbols])
@pytest.mark.parametrize("device", DEVICES)
def test_rows_that_decrease_where_all_are_looked_at(
    device: str, kind: Callable[[], Rows], encode: Callable[..., Any]
) -> None:
    rows = kind()
    rows.sym[...] = 0
    rows.row()[20] = 0
    same(device, encode, rows.cdf, rows.sym, **rows.kwargs)


@pytest.mark.parametrize("encode", ENCODERS)
@pytest.mark.parametrize("device", DEVICES)
def test_rows_that_decrease_by_an_ulp(device: str, encode: Callable[..., Any]) -> None:
    """Sums of floats may decrease by an ulp; they pass even if all rows are checked."""
    cdf, sym, _ = rows_of_their_own()
    row = cdf[WHERE]
    row[21] = row[20].nextafter(torch.tensor(0.0))
    assert isinstance(same(device, encode, cdf, sym, **CHECK), (bytes, list))


@pytest.mark.parametrize("encode", ENCODERS)
@pytest.mark.parametrize("device", DEVICES)
def test_clamping(device: str, encode: Callable[..., Any]) -> None:
    for kind in KINDS:
        cdf, sym, kwargs = kind()
        sym[7], sym[6] = 99, -99
        assert isinstance(same(device, encode, cdf, sym, **kwargs, **CLAMP), (bytes, list))


@pytest.fixture
def travelled(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A list that grows by the size of each array that goes to the core."""
    sizes: list[int] = []
    view = _tensors.view

    def counting(array: Any) -> Any:
        sizes.append(array.numel() if isinstance(array, torch.Tensor) else array.size)
        return view(array)

    monkeypatch.setattr(_tensors, "view", counting)
    return sizes


@pytest.mark.parametrize("kwargs", [{}, CHECK, CLAMP])
@pytest.mark.parametrize("encode", [step, torchac.encode_batch, batch_of_arrays])
@pytest.mark.parametrize("kind", GATHERED)
@pytest.mark.parametrize("device", DEVICES)
def test_only_what_is_needed_travels(
    device: str,
    kind: Callable[[], Rows],
    encode: Callable[..., Any],
    kwargs: dict[str, Any],
    travelled: list[int],
) -> None:
    """Only three values for each symbol, or the tables that are used, are copied to the host."""
    cdf, sym, shared = kind()
    if kwargs is CLAMP:
        sym[WHERE] = 99
    with as_another_device(device):
        there = moved(list(shared.values()), device)
        encode(cdf.to(device), sym.to(device), **dict(zip(shared, there, strict=True)), **kwargs)
    assert 0 < max(travelled) <= sym.numel() * (SYMBOLS + 1 if shared else 3)


@pytest.mark.parametrize("device", DEVICES)
def test_what_is_expanded_travels_once(device: str) -> None:
    # A view that is negated is copied like one on another device.
    cdf = torch._neg_view(-logistic().to(device)).expand(*SHAPE, -1)
    with as_another_device(device):
        seen = _tensors.view(cdf)
    assert seen.shape == (*SHAPE, SYMBOLS + 1)
    assert seen.strides[:2] == (0, 0)
    assert (seen == logistic().numpy()).all()


@pytest.mark.parametrize("device", [pytest.param("cuda", marks=needs_cuda), "meta"])
def test_results_are_where_the_cdf_is(device: str) -> None:
    cdf = torch.empty(3, 4, device=device)
    assert _tensors.like(np.zeros(3, np.int16), cdf).device == cdf.device


@pytest.mark.parametrize("model", [torchac.Normal, torchac.Categorical, None])
@pytest.mark.parametrize("device", DEVICES)
def test_files_are_the_same(device: str, model: Any) -> None:
    numbers, values = logistic(*SHAPE), draw(SHAPE, SYMBOLS)

    def of(device: str) -> Any:
        if model is torchac.Normal:
            return model(torch.zeros(SHAPE, device=device), 20.0)
        return numbers.to(device) if model is None else model(probs=numbers.to(device))

    here, there = io.BytesIO(), io.BytesIO()
    with torchac.Writer(here) as writer:
        writer.write(of("cpu"), values)
    with as_another_device(device):
        with torchac.Writer(there) as writer:
            writer.write(of(device), values.to(device))
        there.seek(0)
        found = torchac.Reader(there).read(of(device))
    assert here.getvalue() == there.getvalue()
    assert found.device.type == device
    assert found.cpu().equal(values.int())


@pytest.mark.parametrize("device", DEVICES)
def test_packed_streams_are_on_the_host(device: str) -> None:
    cdf, sym = logistic(*SHAPE), draw(SHAPE, SYMBOLS)
    with as_another_device(device):
        there = torchac.encode_batch(cdf.to(device), sym.to(device), packed=True)
    assert [tensor.device.type for tensor in there] == ["cpu", "cpu"]
    here = torchac.encode_batch(cdf, sym, packed=True)
    assert all(a.equal(b) for a, b in zip(here, there, strict=True))
    streams = tuple(tensor.to(device) for tensor in here)
    with as_another_device(device):
        assert torchac.decode_batch(cdf.to(device), streams).cpu().equal(sym.short())


@pytest.mark.parametrize("device", [pytest.param("cuda", marks=needs_cuda)])
def test_all_results_are_on_the_device(device: str) -> None:
    cdf, sym = logistic(*SHAPE).to(device), draw(SHAPE, SYMBOLS).to(device)
    stream = torchac.encode_float_cdf(cdf, sym)
    for result in (
        torchac.decode_float_cdf(cdf, stream),
        torchac.Decoder(stream).decode(cdf),
        torchac.decode_batch(cdf[None], [stream]),
        torchac.estimate_bits(cdf, sym),
        torchac.quantize_cdf(cdf),
        torchac.Categorical(probs=cdf).tabulate().cdf,
    ):
        assert result.device == cdf.device


# Calls that make tensors by themselves, whatever the default device is.
INDEX, ACTIVE, VALUES = (
    torch.tensor([1, 0, 1]),
    torch.tensor([True, False, True]),
    torch.arange(3) % 2,
)
OWN_ROWS = torch.tensor([0.0, 0.5, 1.0]).expand(3, 3)
TABLES = [[0, 9, 65536, 0], [0, 9, 99, 65536]], [3, 4], [0, -1]
SHARED: dict[str, Any] = {
    "a CDF": torch.tensor([[0.0, 0.5, 1.0], [0.0, 0.9, 1.0]]),
    "Normal": torchac.Normal(torch.tensor([0.0, 9.0]), 2.0),
    "Categorical": torchac.Categorical(logits=torch.tensor([[0.0, 2.0], [0.0, -2.0]])),
    "Tables": torchac.Tables(torch.tensor([[0.0, 0.5, 1.0], [0.0, 0.9, 1.0]])),
}
NETWORK, IMAGES = torch.nn.Linear(4, 3).eval().requires_grad_(False), torch.ones(2, 4)


def in_lockstep(model: Any, **index: Any) -> Any:
    encoder = torchac.BatchEncoder(3)
    encoder.encode(model, VALUES, active=ACTIVE, **index)
    encoder.mark(active=ACTIVE)
    streams = encoder.finish()
    decoder = torchac.BatchDecoder(streams)
    values = decoder.decode(model, active=ACTIVE, **index)
    decoder.mark(active=ACTIVE)
    return streams, values.tolist()


def as_compressai() -> Any:
    stream = ans.RansEncoder().encode_with_indexes([0, 5, -9], [0, 1, 1], *TABLES)
    return stream, ans.RansDecoder().decode_with_indexes(stream, [0, 1, 1], *TABLES)


def of_index(model: Any) -> Any:
    stream = torchac.encode(model, VALUES, index=INDEX)
    bits = torchac.estimate_bits(model, VALUES, index=INDEX)
    return stream, torchac.decode(model, stream, index=INDEX).tolist(), bits.tolist()


PLACES: dict[str, Callable[[], Any]] = {
    **{f"index of {n}": partial(of_index, model) for n, model in SHARED.items()},
    **{f"lockstep, index of {n}": partial(in_lockstep, m, index=INDEX) for n, m in SHARED.items()},
    "lockstep, Laplace": lambda: in_lockstep(torchac.Laplace(VALUES / 2, 3.0)),
    "lockstep, CDF": lambda: in_lockstep(OWN_ROWS),
    "ans": as_compressai,
    "as_tables": lambda: torchac.compressai.as_tables(*TABLES),
    "as_tables, none": lambda: torchac.compressai.as_tables([], [], []),
    "as_tables, wrong": lambda: torchac.compressai.as_tables([[0, 9, 8, 65536]], [4], [0]),
    "drift": lambda: torchac.testing.drift(NETWORK, IMAGES),
    "perturb": lambda: torchac.testing.perturb(IMAGES, 0.1).shape,
    "Poisson": lambda: torchac.tabulate(torch.distributions.Poisson(INDEX + 1.0), 3, 9),
    "Bernoulli": lambda: torchac.encode(torch.distributions.Bernoulli(VALUES / 2), VALUES),
}
PLACES |= {name: partial(call.function, **call.arguments) for name, call in CALLS.items()}


@pytest.mark.parametrize("name", PLACES)
def test_the_default_device_changes_nothing(name: str) -> None:
    expected = outcome(PLACES[name])
    torch.set_default_device("meta")
    try:
        assert outcome(PLACES[name]) == expected
    finally:
        torch.set_default_device(None)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("device", DEVICES)
def test_the_default_device_changes_nothing_elsewhere(
    device: str, kind: Callable[[], Rows]
) -> None:
    cdf, sym, kwargs = kind()
    stream = torchac.encode_float_cdf(cdf, sym, **kwargs)
    there = {name: moved(value, device) for name, value in kwargs.items()}
    there_cdf, there_sym = cdf.to(device), sym.to(device)
    with as_another_device(device), torch.device("meta"):
        assert torchac.encode_float_cdf(there_cdf, there_sym, **there) == stream
        assert torchac.decode_float_cdf(there_cdf, stream, **there).equal(there_sym.short())


def test_the_default_device_changes_no_message() -> None:
    cdf = logistic(3)
    cdf[1, 20] = 0
    arguments: dict[str, Any] = {"check_input_bounds": True}
    expected = outcome(torchac.encode_float_cdf, cdf, torch.zeros(3).long(), **arguments)
    sym = torch.zeros(3).long()
    with torch.device("meta"):
        assert outcome(torchac.encode_float_cdf, cdf, sym, **arguments) == expected


@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_distributions_with_a_support_on_any_default_device(device: str) -> None:
    rates = torch.tensor([1.0, 2.0])
    distribution = torch.distributions.Exponential(rates)
    expected = torchac.tabulate(distribution, 0, 3)
    with torch.device(device):
        assert np.array_equal(torchac.tabulate(distribution, 0, 3).cdf, expected.cdf)


class WithoutFloat64(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Makes the CPU a device that has no float64."""

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        if isinstance(result, torch.Tensor) and result.dtype is torch.float64:
            raise TypeError("this device has no float64")
        return result


@pytest.fixture
def without_float64() -> Iterator[None]:
    _tensors.widest_float.cache_clear()
    try:
        with WithoutFloat64(), as_another_device("cpu"):  # type: ignore[no-untyped-call]
            yield
    finally:
        _tensors.widest_float.cache_clear()


@pytest.mark.parametrize("name", ["estimate_bits", "quantize_cdf"])
@pytest.mark.usefixtures("without_float64")
def test_devices_without_float64(name: str) -> None:
    call = CALLS[name]
    result = call.function(**call.arguments)
    assert result.dtype in (torch.float32, torch.int16)
    call.check(result, **call.arguments)


@pytest.mark.usefixtures("without_float64")
def test_settling_without_float64() -> None:
    message = r"^x is on cpu, which has no float64: expected x\.cpu\(\)$"
    with pytest.raises(ValueError, match=message):
        torchac.settle(torch.ones(3), 0.5, 0.01)


@pytest.mark.usefixtures("without_float64")
def test_tabulating_without_float64() -> None:
    distribution = torch.distributions.Exponential(torch.tensor([1.0, 0.5]))
    tables = torchac.tabulate(distribution, 0, 3)
    expected = torch.tensor([[0.3935, 0.7769, 0.9179], [0.2212, 0.5276, 0.7135]])
    inner = torch.as_tensor(tables.cdf)[:, 1:-1].int() % 65536
    assert (inner / 65536 - expected).abs().max() < 1e-4


def integer_models() -> list[Any]:
    """Models of integers that float32 rounds, some of them differently than after float64."""
    large = torch.tensor([2**24 + 1, 929815467757449652, 1950160274757517311])
    scale = torch.tensor([0.25, 0.5, 9.0])
    return [
        torchac.Normal(large, scale),
        torchac.Mixture(large.expand(3, 3), torchac.Laplace(large, scale[:, None])),
        torchac.Categorical(probs=large),
        torchac.Categorical(logits=-large),
        torchac.Bernoulli(logits=-large),
    ]


def rows_of(model: Any) -> list[list[int]]:
    tables = model.tabulate()
    each = (tables.cdf, tables.low, tables.lengths, tables.shift)
    return [np.asarray(array).tolist() for array in each]


def test_integers_are_the_same_without_float64(request: pytest.FixtureRequest) -> None:
    expected = [rows_of(model) for model in integer_models()]
    assert expected[0][1][0] == 2**24 + 1 - 3
    request.getfixturevalue("without_float64")
    assert [rows_of(model) for model in integer_models()] == expected


@pytest.mark.usefixtures("without_float64")
def test_bad_integers_without_float64() -> None:
    message = r"^weights is -1 at index \(1,\): expected finite numbers that are not negative$"
    with pytest.raises(ValueError, match=message):
        torchac.Mixture(torch.tensor([1, -1]), torchac.Normal(torch.zeros(2), torch.ones(2)))
    with pytest.raises(
        ValueError, match=r"^weights are all 0 at index \(\): expected one above 0$"
    ):
        torchac.Mixture(torch.tensor([0, 0]), torchac.Normal(torch.zeros(2), torch.ones(2)))
    with pytest.raises(ValueError, match=r"^scale is 16777217 at index \(0,\): expected numbers"):
        torchac.Normal(torch.zeros(1), torch.tensor([2**24 + 1]))


@pytest.mark.usefixtures("without_float64")
def test_bits_in_float32() -> None:
    cdf = torch.tensor([0.0, 0.5, 0.75, 1.0]).expand(3, 4)
    bits = torchac.estimate_bits(cdf, torch.tensor([0, 1, 2]))
    assert bits.dtype is torch.float32
    assert bits.sub(torch.tensor([1, 2, 2])).abs().max() < 0.001


def test_what_a_device_has_is_asked_once() -> None:
    _tensors.widest_float.cache_clear()
    assert _tensors.widest_float(torch.device("cpu")) is torch.float64
    with WithoutFloat64():  # type: ignore[no-untyped-call]
        assert _tensors.widest_float(torch.device("cpu")) is torch.float64


def test_a_device_that_fails_for_another_reason_is_asked_again() -> None:
    """A temporary lack of memory must not change rows permanently."""
    _tensors.widest_float.cache_clear()

    class OutOfMemory(TorchDispatchMode):  # type: ignore[no-untyped-call]
        def __torch_dispatch__(self, *args: Any, **kwargs: Any) -> Any:
            raise RuntimeError("out of memory")

    with (
        OutOfMemory(),  # type: ignore[no-untyped-call]
        pytest.raises(RuntimeError, match="out of memory"),
    ):
        _tensors.widest_float(torch.device("cpu"))
    assert _tensors.widest_float(torch.device("cpu")) is torch.float64


@pytest.mark.skipif(not hasattr(torch, "uint64"), reason="this release of torch has no uint64")
@pytest.mark.parametrize("encode", ENCODERS)
@pytest.mark.parametrize("device", DEVICES)
def test_very_large_symbols_are_not_negative(device: str, encode: Callable[..., Any]) -> None:
    sym = torch.from_numpy(np.full(SHAPE, 2**63 + 3, np.uint64))
    same(device, encode, logistic(*SHAPE), sym, **CLAMP)


@pytest.mark.parametrize("device", DEVICES)
def test_items_that_share_tables_count_together(device: str) -> None:
    """The last of 100 tables is unused, but all are checked, because there are 120 symbols."""
    cdf, index = logistic(100), [draw((60,), 99), draw((60,), 99)]
    cdf[99, 20] = 0
    expected = outcome(torchac.encode_batch, cdf, [draw((60,), 9)] * 2, index=index)
    there = [moved(item, device) for item in index]
    with as_another_device(device):
        sym = [moved(draw((60,), 9), device)] * 2
        assert outcome(torchac.encode_batch, moved(cdf, device), sym, index=there) == expected
    assert "expected rows that do not decrease" in expected[0][1]
