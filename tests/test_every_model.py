"""What every model does: the same bytes however it is coded and held, or a clear error."""

from __future__ import annotations

import copy
import io
import math
import pickle
import re
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from every_model import EVERY, Parameters, check_all_ways, draw, equal, make, values_of
from hypothesis import given, settings
from hypothesis import strategies as st
from test_devices import DEVICES, as_another_device

import torchac
from torchac.models import _from_argument
from torchac.models._from_argument import to_model

every_model = pytest.mark.parametrize("name", EVERY)
every_array_model = pytest.mark.parametrize(
    "name", [name for name, entry in EVERY.items() if entry.takes_arrays]
)
every_refusal = pytest.mark.parametrize(
    ("name", "parameter"), [(name, p) for name, entry in EVERY.items() for p in entry.refused]
)
NOTHING = torchac.Encoder().finish()
COUNT = 600  # more than one block of values
SAME = {
    torch.float32: [torch.float16, torch.bfloat16, torch.float32, torch.float64],
    torch.int64: [torch.int8, torch.uint8, torch.int16, torch.int32, torch.int64],
    torch.int16: [torch.int16, *([torch.uint16] if hasattr(torch, "uint16") else [])],
}
"""The dtypes that hold what is drawn in these."""


def test_every_public_model_is_here() -> None:
    here = {type(make(name, 2)) for name in EVERY}
    public = [getattr(torchac.models, name) for name in torchac.models.__all__]
    assert here >= {each for each in public if isinstance(each, type)} - {torchac.models.Model}
    assert here >= set(_from_argument._TAKEN)


def changed(parameters: Parameters, of: Callable[..., Any]) -> dict[str, Any]:
    return {name: of(array) for name, array in parameters.items()}


@every_model
def test_however_it_is_coded_the_bytes_are_the_same(name: str) -> None:
    """In one call, in pieces, in a batch or in lockstep, with numbers of its own or an index."""
    of, parameters = EVERY[name].make, draw(name, COUNT)
    model, values = of(**parameters), values_of(make(name, COUNT), COUNT)
    stream = torchac.encode(model, values)
    assert equal(torchac.decode(model, stream), values)

    numbers, pieces = torch.arange(COUNT), [1, 300, 11, COUNT - 312]
    encoder, decoder = torchac.Encoder(), torchac.Decoder(stream)
    for its in torch.split(numbers, pieces):
        encoder.encode(model, values[its], index=its)
    assert encoder.finish() == stream
    for its in torch.split(numbers, pieces[::-1]):
        assert equal(decoder.decode(of(**changed(parameters, lambda p, i=its: p[i]))), values[its])

    order = torch.randperm(COUNT, generator=torch.Generator().manual_seed(2)).view(15, 40)
    whole = torchac.encode(model, values[order.flatten()], index=order.flatten())
    each = [torchac.encode(model, values[its], index=its) for its in order]
    own = of(**changed(parameters, lambda p: p[order]))
    check_all_ways(model, values[order], whole, each, index=order)
    check_all_ways(own, values[order], whole, each)
    if isinstance(own, torch.Tensor):  # a CDF for items in a list
        assert torchac.encode_batch(own, list(values[order])) == each
    models = [of(**changed(parameters, lambda p, i=its: p[i])) for its in order]
    assert torchac.encode_batch(models, list(values[order])) == each
    assert equal(torch.stack(torchac.decode_batch(models, each)), values[order])
    lists: dict[str, Any] = {"index": list(order)}
    assert torchac.encode_batch(model, list(values[order]), **lists) == each
    assert equal(torch.stack(torchac.decode_batch(model, each, **lists)), values[order])


@every_model
@given(data=st.data())
@settings(max_examples=15)
def test_however_values_share_the_bytes_are_the_same(name: str, data: st.DataObject) -> None:
    """Elements may be expanded, broadcast, or chosen by an index."""
    first, last = data.draw(st.integers(1, 4)), data.draw(st.sampled_from([1, 3, 700]))
    sizes = (first, *data.draw(st.sampled_from([(), (1,), (3,), (2, 3)])), last)
    own = tuple(data.draw(st.sampled_from([1, size])) if size < 99 else 1 for size in sizes)
    own = own[data.draw(st.integers(0, len(own) - 1)) :]
    of, parameters = EVERY[name].make, draw(name, *own, seed=data.draw(st.integers(0, 9)))
    model, values = of(**parameters), values_of(make(name, *own), *sizes)
    large = changed(parameters, lambda p: p.expand(*sizes, *p.shape[len(own) :]))
    copied = of(**changed(large, lambda p: p.clone(memory_format=torch.contiguous_format)))
    flat = of(**changed(parameters, lambda p: p.flatten(0, len(own) - 1)))
    index = torch.arange(math.prod(own)).view(own).expand(sizes)

    stream, streams = torchac.encode(copied, values), torchac.encode_batch(copied, values)
    bits = torchac.estimate_bits(copied, values)
    assert torchac.encode(model, values) == stream
    ways: list[tuple[Any, Any]] = [(of(**large), None), (to_model(model).expand(sizes), None)]
    if EVERY[name].takes_arrays:
        arrays = of(**changed(large, lambda p: p.numpy()))
        assert torchac.encode(arrays, values.numpy()) == stream
        assert equal(torchac.decode(arrays, stream), values)
    for its, numbers in [*ways, (flat, index)]:
        assert torchac.encode(its, values, index=numbers) == stream
        assert torchac.estimate_bits(its, values, index=numbers).equal(bits)
        assert equal(torchac.decode(its, stream, index=numbers), values)
        assert torchac.encode_batch(its, values, index=numbers) == streams
        assert equal(torchac.decode_batch(its, streams, index=numbers), values)
    unbound = [of(**changed(large, lambda p, k=k: p[k])) for k in range(len(values))]
    assert torchac.encode_batch(unbound, list(values)) == streams
    encoder = torchac.BatchEncoder(len(values))
    encoder.encode(ways[1][0], values)
    assert encoder.finish() == streams
    files = []
    for its in (copied, ways[1][0]):
        files.append(io.BytesIO())
        with torchac.Writer(files[-1]) as writer:
            writer.write(its, values)
    assert files[0].getvalue() == files[1].getvalue()
    if EVERY[name].has_tables:
        tables: Any = to_model(of(**large)).tabulate()
        assert tables.cdf.equal(to_model(copied).tabulate().cdf)


def check(model: Any, values: Any, stream: bytes) -> None:
    """The values give this stream, and back."""
    assert torchac.encode(model, values) == stream
    assert equal(torchac.decode(model, stream), values)


def held(array: torch.Tensor) -> Iterator[torch.Tensor]:
    """The same numbers in every dtype that holds them."""
    for dtype in SAME[array.dtype]:
        same = array.view(dtype) if array.dtype is torch.int16 else array.to(dtype)
        if array.dtype is torch.float32:
            assert same.to(array.dtype).equal(array)
        if array.dtype is torch.int16 or same.to(array.dtype).equal(array):
            yield same


@every_array_model
def test_dtypes_hold_the_same_numbers(name: str) -> None:
    of, parameters = EVERY[name].make, draw(name, 40)
    model = of(**parameters)
    values = values_of(model, 40)
    stream, bits = torchac.encode(model, values), torchac.encode(model, values % 2)
    for parameter, array in parameters.items():
        for same in held(array):
            others = parameters | {parameter: same}
            check(of(**others), values, stream)
            if same.dtype is not torch.bfloat16:
                check(of(**changed(others, lambda p: p.numpy())), values.numpy(), stream)
    for dtype in (torch.int64, torch.float64):
        check(model, values.to(dtype), stream)
    for dtype in [torch.bool, *SAME[torch.int64], *SAME[torch.float32]]:
        check(model, (values % 2).to(dtype), bits)
        if dtype is not torch.bfloat16:
            assert torchac.encode(model, (values % 2).to(dtype).numpy()) == bits


def backwards(array: torch.Tensor) -> Any:
    return np.flip(np.flip(array.numpy()).copy())


def unaligned(array: torch.Tensor) -> Any:
    """Read-only, too."""
    memory = np.frombuffer(b"." + array.numpy().tobytes(), np.uint8)[1:]
    return memory.view(array.numpy().dtype).reshape(array.shape)


def packed(array: torch.Tensor) -> Any:
    """Strides are no multiples of the size of a number."""
    records = np.zeros(tuple(array.shape), [("odd", "u1"), ("numbers", array.numpy().dtype)])
    records["numbers"] = array.numpy()
    return records["numbers"]


LAYOUTS: dict[str, Callable[[torch.Tensor], Any]] = {
    "transposed": lambda array: array.transpose(0, 1).contiguous().transpose(0, 1),
    "apart": lambda array: array.repeat_interleave(3, -1)[..., 1::3],
    "arrays": lambda array: array.numpy(),
    "transposed array": lambda array: np.asfortranarray(array.numpy()),
    "backwards": backwards,
    "unaligned": unaligned,
    "packed": packed,
}


@pytest.mark.parametrize("layout", LAYOUTS)
@every_array_model
def test_layouts_do_not_matter(name: str, layout: str) -> None:
    of, parameters, there = EVERY[name].make, draw(name, 6, 8), LAYOUTS[layout]
    values = values_of(of(**parameters), 6, 8)
    streams = torchac.encode_batch(of(**parameters), values)
    stream = torchac.encode(of(**parameters), values)
    check_all_ways(of(**changed(parameters, there)), there(values), stream, streams)

    elements = changed(parameters, lambda p: p.flatten(0, 1))
    index = torch.arange(48).view(8, 6).T * 5 % 48
    own = of(**changed(elements, lambda p: p[index]))
    stream, streams = torchac.encode(own, values), torchac.encode_batch(own, values)
    shared = of(**changed(parameters, lambda p: there(p).reshape(48, *p.shape[2:])))
    check_all_ways(shared, there(values), stream, streams, index=there(index))


@pytest.mark.parametrize("device", DEVICES)
@every_model
def test_another_device_changes_nothing(name: str, device: str) -> None:
    of, parameters, index = EVERY[name].make, draw(name, 40), torch.arange(120).view(4, 30) % 40
    own = of(**changed(parameters, lambda p: p[index]))
    values = values_of(own, 4, 30)
    stream, streams = torchac.encode(own, values), torchac.encode_batch(own, values)
    with as_another_device(device):
        there = of(**changed(parameters, lambda p: p.to(device)))
        check_all_ways(there, values.to(device), stream, streams, index=index.to(device))
        own = of(**changed(parameters, lambda p: p[index].to(device)))
        check_all_ways(own, values.to(device), stream, streams)
        decoded = torchac.decode(own, stream)
        assert decoded.device.type == torch.device(device).type
        assert torchac.estimate_bits(own, values.to(device)).device == decoded.device
        if EVERY[name].has_tables:
            tables = to_model(there).tabulate()
            assert tables.cdf.device == decoded.device
            assert torchac.encode(tables, values.to(device), index=index.to(device)) == stream


@every_model
def test_tables_give_the_same_streams(name: str) -> None:
    argument = make(name, 4, 10)
    model = to_model(argument)
    if not EVERY[name].has_tables:
        with pytest.raises(
            ValueError, match=r"expected 257 or fewer, which fit one row|coded by zones"
        ):
            model.tabulate()
        return
    values = values_of(argument, 4, 10)
    tables = model.tabulate()
    assert (tables.shape, tables.bounds) == (model.shape, model.bounds)
    check_all_ways(
        tables,
        values,
        torchac.encode(argument, values),
        torchac.encode_batch(argument, values),
    )
    bits = torchac.estimate_bits(argument, values)
    assert torchac.estimate_bits(tables, values).equal(bits)


@every_array_model
def test_arrays_give_arrays(name: str) -> None:
    of, parameters = EVERY[name].make, draw(name, 2, 3)
    model, values = of(**changed(parameters, lambda p: p.numpy())), np.zeros((2, 3), np.int32)
    stream, streams = torchac.encode(model, values), torchac.encode_batch(model, values)
    file = io.BytesIO()
    with torchac.Writer(file) as writer:
        writer.write(model, values)
    file.seek(0)
    results = [
        torchac.decode(model, stream),
        torchac.Decoder(stream).decode(model),
        torchac.decode_batch(model, streams),
        torchac.decode_batch([to_model(model)], [stream])[0],
        torchac.BatchDecoder(streams).decode(model),
        torchac.Reader(file).read(model),
        torchac.estimate_bits(model, values),
    ]
    if EVERY[name].has_tables:
        results.append(to_model(model).tabulate().cdf)
    assert {type(result) for result in results} == {np.ndarray}


COPIES: list[Callable[[Any], Any]] = [
    copy.copy,
    copy.deepcopy,
    lambda model: pickle.loads(pickle.dumps(model)),
]


@every_model
def test_copies_pickles_and_parts_are_equal(name: str) -> None:
    of, parameters = EVERY[name].make, draw(name, 9)
    argument = of(**parameters)
    values = values_of(argument, 9)
    stream = torchac.encode(argument, values)
    for of_copy in COPIES:
        for same in (of_copy(argument), of_copy(to_model(argument))):
            check(same, values, stream)
    some, expanded = torch.tensor([7, 2, 2]), to_model(argument).expand(3, 9)
    part = of(**changed(parameters, lambda p: p[some]))
    check(to_model(argument).select(some), values[some], torchac.encode(part, values[some]))
    twice = values.expand(2, 9)
    check(expanded.select(torch.tensor([2, 0])), twice, torchac.encode(to_model(argument), twice))


@every_model
def test_single_values(name: str) -> None:
    model = make(name)
    stream = torchac.encode(model, torch.tensor(1))
    for one in (1, True, 1.0, np.int8(1), np.uint64(1), np.array(1)):
        assert torchac.encode(model, one) == stream
    assert equal(torchac.decode(model, stream), 1)
    assert torchac.encode(to_model(model).expand(1), torch.tensor([1])) == stream


@every_array_model
def test_no_values(name: str) -> None:
    for shape in ((0,), (2, 0), (0, 3)):
        model, values = make(name, *shape), torch.zeros(shape)
        check_all_ways(model, values.int(), NOTHING, [NOTHING] * shape[0])
        if EVERY[name].has_tables:
            assert to_model(model).tabulate().shape == shape


@every_model
def test_ways_to_say_a_shape(name: str) -> None:
    parameters = draw(name, 2, 1)
    models = [to_model(EVERY[name].make(**parameters))]
    if EVERY[name].takes_arrays:
        models.append(to_model(EVERY[name].make(**changed(parameters, lambda p: p.numpy()))))
    values = values_of(models[0], 3, 2, 5)
    stream = torchac.encode(models[0], values)
    for model in models:
        shapes: list[tuple[Any, ...]] = [(3, 2, 5), ((3, 2, 5),), ([3, 2, 5],), (3, -1, 5)]
        shapes += [(torch.Size([3, 2, 5]),), (np.int64(3), np.int8(-1), torch.tensor(5))]
        for shape in shapes:
            its = model.expand(*shape)
            assert its.shape == (3, 2, 5)
            assert all(type(size) is int for size in its.shape)
            check(its, values, stream)
        for wrong in ((2,), (3, 5), (-1, 2, 5), (2, -2)):
            message = f"the model has shape (2, 1): expected one that broadcasts to {wrong}"
            with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
                model.expand(*wrong)
        bad: Any
        for bad in ((2.0, 3), ("ab",), (None,), ((2, 3), 4)):
            with pytest.raises(TypeError, match=r"^the shape to expand to is .*: expected integ"):
                model.expand(*bad)


@every_model
def test_flushing_subnormals_changes_nothing(name: str) -> None:
    """Neither those that models take for zero, nor those that are not."""
    for dtype, least in ((torch.float32, 1e-40), (torch.float64, 1e-310)):
        if not EVERY[name].takes_arrays and dtype is torch.float64:
            continue  # torch computes with them

        parameters = draw(name, 40)
        for parameter, array in parameters.items():
            if array.is_floating_point():
                tiny = -least if parameter in ("loc", "logits") else least
                parameters[parameter] = torch.where(array == 0, tiny, array.to(dtype))
        model = EVERY[name].make(**parameters)
        values = values_of(model, 40)
        stream, bits = torchac.encode(model, values), torchac.estimate_bits(model, values)
        torch.set_flush_denormal(True)
        try:
            check(EVERY[name].make(**parameters), values, stream)
            check(model, values, stream)
            assert torchac.estimate_bits(model, values).equal(bits)
        finally:
            torch.set_flush_denormal(False)


DAMAGED = {name: make(name, 30) for name in EVERY}
STREAMS = {name: torchac.encode(model, values_of(model, 30)) for name, model in DAMAGED.items()}


def decode_or_refuse(argument: Any, stream: bytes) -> None:
    """Alone or in lockstep, after a stream that is whole."""
    model = to_model(argument)
    whole = torchac.encode(model, values_of(model, 30))
    try:
        values = torchac.Decoder(stream).decode(model)
    except torchac.CorruptStreamError:
        decoder = torchac.BatchDecoder([whole, stream])
        with pytest.raises(torchac.CorruptStreamError, match=r"^stream 1: the stream "):
            decoder.decode(model.expand(2, 30))
    else:
        low, high = model.bounds
        assert values.shape == (30,)
        assert ((values >= low) & (values <= high)).all()


@every_model
@given(stream=st.binary(max_size=60), seed=st.integers(0, 99))
@settings(max_examples=20)
def test_any_bytes_are_decoded_or_refused(name: str, stream: bytes, seed: int) -> None:
    decode_or_refuse(EVERY[name].make(**draw(name, 30, seed=seed)), stream)


@every_model
def test_streams_of_other_models_are_decoded_or_refused(name: str) -> None:
    for stream in STREAMS.values():
        decode_or_refuse(DAMAGED[name], stream)


@every_model
def test_a_stream_is_decoded_whole(name: str) -> None:
    model, stream = DAMAGED[name], STREAMS[name]
    with pytest.raises(torchac.CorruptStreamError, match=r"has \d+ bytes and its \w+ take \d+"):
        torchac.decode(model, stream + b"\0")
    items = to_model(model).expand(2, 30)
    for size in range(len(stream)):
        with pytest.raises(torchac.CorruptStreamError, match=r"ends before its|contradicts"):
            torchac.decode(model, stream[:size])
        with pytest.raises(torchac.CorruptStreamError, match=r"^item 1: the stream "):
            torchac.decode_batch(items, [stream, stream[:size]])
    with pytest.raises(torchac.CorruptStreamError, match=r"^item 1: the stream ends before its"):
        torchac.decode_batch(items, [stream, b""])


def append(model: Any, values: Any, **index: Any) -> None:
    encoder = torchac.Encoder()
    try:
        encoder.encode(model, values, **index)
    finally:
        assert encoder.finish() == NOTHING


def append_in_lockstep(model: Any, values: Any, **index: Any) -> None:
    encoder = torchac.BatchEncoder(len(values))
    try:
        encoder.encode(model, values, **index)
    finally:
        assert encoder.finish() == [NOTHING] * len(values)


def write(model: Any, values: Any, **index: Any) -> None:
    file = io.BytesIO()
    with torchac.Writer(file) as writer:
        before = file.getvalue()
        try:
            writer.write(model, values, **index)
        finally:
            assert file.getvalue() == before


def check_refused(message: str, model: Any, values: Any, **index: Any) -> None:
    """All calls that code values say this of the value at (2, 1), and change nothing."""
    whole, item = message.format(at=r"\(2, 1\)"), message.format(at=r"\(1,\)")
    for call in (torchac.encode, torchac.estimate_bits, append, write):
        with pytest.raises(ValueError, match=f"^{whole}"):
            call(model, values, **index)
    with pytest.raises(ValueError, match=f"^stream 2: {whole}"):
        append_in_lockstep(model, values, **index)
    for threads in (1, 2):
        with pytest.raises(ValueError, match=f"^item 2: {item}"):
            torchac.encode_batch(model, values, num_threads=threads, **index)


@every_model
def test_values_that_cannot_be_coded_are_named(name: str) -> None:
    model, index = make(name, 4, 3), torch.arange(12).view(4, 3) % 4
    low, high = to_model(model).bounds
    bad: list[Any] = [high + 1, low - 1, 2**63 - 1]
    if not isinstance(model, torch.Tensor):  # a CDF refuses fractions before it knows of items
        bad += [0.5, math.nan, -math.inf]
    for value in bad:
        values = torch.zeros(4, 3, dtype=torch.int64 if type(value) is int else torch.float64)
        values[2, 1] = value
        message = f"value {value} at index {{at}}: expected whole numbers from {low} to {high}$"
        if isinstance(model, torch.Tensor):
            message = f"symbol {value} at index {{at}} is outside the alphabet: .* 0 … {high}$"
        check_refused(message, model, values)
        check_refused(message, make(name, 4), values, index=index)


@every_model
def test_an_index_that_is_out_of_range_is_named(name: str) -> None:
    model, values = make(name, 4), torch.zeros(4, 60, dtype=torch.int64)
    stream = torchac.encode(model, values, index=values)
    streams = torchac.encode_batch(model, values, index=values)
    for number in (4, -1, 2**40):
        index = values.clone()
        index[2, 1] = number
        message = f"index {number} at index {{at}} is out of range: "
        check_refused(message, model, values, index=index)
        whole = message.format(at=r"\(2, 1\)")
        with pytest.raises(ValueError, match=f"^{whole}"):
            torchac.Decoder(stream).decode(model, index=index)
        with pytest.raises(ValueError, match=f"^stream 2: {whole}"):
            torchac.BatchDecoder(streams).decode(model, index=index)
        with pytest.raises(ValueError, match=r"^item 2: index .* at index \(1,\) is out of range"):
            torchac.decode_batch(model, streams, index=index)


@every_model
def test_shapes_that_do_not_fit_are_named(name: str) -> None:
    model = make(name, 3)
    for call in (torchac.encode, torchac.estimate_bits):
        with pytest.raises(ValueError, match=r"shape (of sym )?\((3|5),.*: expected .*\((5|3),"):
            call(model, torch.zeros(5, dtype=torch.int64))
        with pytest.raises(ValueError, match=r"(index has|of sym) .*: expected .*\([35],\)$"):
            call(model, torch.zeros(5, dtype=torch.int64), index=torch.zeros(3, dtype=torch.int64))
        with pytest.raises(ValueError, match=r"^(the model|cdf) has shape \(2, 3.*, with index$"):
            call(make(name, 2, 3), torch.zeros(2).long(), index=torch.zeros(2).long())


@pytest.mark.parametrize("device", DEVICES)
@every_refusal
def test_parameters_that_are_refused_are_named(name: str, parameter: str, device: str) -> None:
    entry, parameters = EVERY[name], draw(name, 2, 3)
    number, message = entry.refused[parameter]
    array, values = parameters[parameter], torch.ones(2, 3, dtype=torch.int64)
    where = (1, 2, *[1] * (array.ndim - 2))
    array[where] = number
    at = re.escape(str(where))

    def check_all(numbers: dict[str, Any], values: Any) -> None:
        for call in (torchac.encode, torchac.estimate_bits, append, append_in_lockstep, write):
            with pytest.raises(ValueError, match=f"^(stream 1: )?{message.format(at=at)}"):
                call(entry.make(**numbers), values)

    check_all(parameters, values)
    check_all(changed(parameters, lambda p: p.numpy()), values.numpy())
    with as_another_device(device):
        check_all(changed(parameters, lambda p: p.to(device)), values.to(device))
