"""What all public functions code with: the order of steps, and what to say if the core refuses."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from torchac import _core, _tensors
from torchac._core import Packed, Problem, Report
from torchac._tensors import NDArray
from torchac.errors import CorruptStreamError, item_prefix
from torchac.models._base import Fault, Item, Model
from torchac.models._cdf import CdfModel
from torchac.models._cdf_on_device import interval_sizes, reduce_for_host

if TYPE_CHECKING:
    from typing_extensions import Buffer

Streams: TypeAlias = list[bytes] | Packed
Encoded: TypeAlias = "Sequence[Buffer] | Packed"


def to_decode(model: Model, index: Any, shape: tuple[int, ...] | None = None) -> Item:
    """Room for values: of the shape of the model or its index, unless another one is given."""
    index = model.check_index(index)
    if shape is None:
        if index is None:
            return Item(model, None, np.empty(model.shape, model.decoded_dtype))
        shape = tuple(index.shape)
    return Item(*model.broadcast_to(shape, index), np.empty(shape, model.decoded_dtype))


# One stream, or several in lockstep


def encode(encoder: _core.Encoder, item: Item) -> None:
    """Encodes values; where that fails, raises and leaves the encoder as it was."""
    report = try_encode(encoder, item)
    if report is not None:
        raise explain(report, item)


def try_encode(
    encoder: _core.Encoder,
    item: Item,
    streams: list[int] | None = None,
    original: Item | None = None,
) -> Report | None:
    """Encodes values into these streams, or all; tells why not.

    `original` is the item that this one stands for, on the host. Marks check its values.
    """
    model, elements, values = item
    if type(model) is not CdfModel:
        core: Any = model.to_core(elements)
        return encoder.encode_values(core, _tensors.numbers(values), streams)
    if not model.on_host and original is None:
        for less in reduce_for_host([item]) or []:
            if try_encode(encoder, less, streams, item) is None:
                return None
    rows, noted = model.to_core(elements), None
    if original is not None:
        noted = _tensors.view(original.values), original.model.bounds[1] + 1
    symbols = _tensors.view(values)
    return encoder.encode(rows, symbols, model.check, model.clamp, noted, streams)


def decode(decoder: _core.Decoder, item: Item) -> NDArray:
    """Decodes values; where that fails, raises and leaves the decoder as it was."""
    report = try_decode(decoder, item)
    if report is not None:
        raise explain(report, item)
    values: NDArray = item.values
    return values


def try_decode(
    decoder: _core.Decoder, item: Item, streams: list[int] | None = None
) -> Report | None:
    """Decodes values of these streams, or all; tells why not."""
    core: Any = item.model.to_core(item.elements)
    if type(item.model) is CdfModel:
        return decoder.decode(core, item.values, streams)
    return decoder.decode_values(core, item.values, streams)


def check_end(decoder: _core.Decoder) -> None:
    """Raises if streams have more bytes than what was decoded takes."""
    ends = zip(decoder.num_bits(), decoder.sizes(), strict=True)
    for stream, (bits, size) in enumerate(ends):
        used = (bits + 7) // 8
        if used != size:
            name = "the stream" if len(decoder.sizes()) == 1 else f"stream {stream}"
            raise CorruptStreamError(
                f"{name} has {size} bytes and its values take {used}: it is damaged, or was "
                "written with another model or for more values"
            )


def measure(item: Item) -> Any:
    """What each value costs, where the model's parameters are."""
    model = item.model
    if not model.on_host:
        sizes = interval_sizes(item)
        if sizes is not None:
            costs = _tensors.like(_core.costs(), _tensors.as_tensor(model.parameters[0]))
            return model.like_parameters(costs[sizes.long()])
    bits = np.empty(tuple(item.values.shape))
    [core], [values] = _to_core([item])
    report = _for([item], _core.measure, _core.measure_values)(core, values, bits)
    if report is not None:
        raise explain(report, item)
    return model.like_parameters(bits)


# Many streams, on several threads


def encode_items(items: list[Item], packed: bool, threads: int) -> Streams:
    """Encodes items, each into a stream of its own."""
    encode = _for(items, _core.encode_items, _core.encode_value_items)
    for some in _attempts(items):
        models, values = _to_core(some)
        streams: Streams | Report = encode(models, values, *_options(some), packed, threads)
        if not isinstance(streams, Report):
            return streams
        report = streams
    raise explain(report, items[report.item], item_prefix(report.item))


def encode_batch(item: Item, packed: bool, threads: int) -> Streams:
    """Encodes one array, of which each item of the batch is a part of the first dimension."""
    encode = _for([item], _core.encode_batch, _core.encode_value_batch)
    for some in _attempts([item]):
        [model], [values] = _to_core(some)
        streams: Streams | Report = encode(model, values, *_options(some), packed, threads)
        if not isinstance(streams, Report):
            return streams
        report = streams
    raise explain(report, item, batch=True)


def encode_chunks(item: Item, threads: int) -> Packed:
    """Encodes one array in several streams, which threads share: runs of values, of one length."""
    encode = _for([item], _core.encode_parts, _core.encode_value_parts)
    for some in _attempts([item]):
        [model], [values] = _to_core(some)
        streams: Packed | Report = encode(model, values, _values_per_stream(item), threads)
        if isinstance(streams, Packed):
            return streams
        report = streams
    raise explain(report, item)


def decode_items(items: list[Item], streams: Encoded, threads: int) -> list[Any]:
    """Decodes items, and gives each where the parameters of its model are."""
    decode = _for(items, _core.decode_items, _core.decode_value_items)
    models = [item.model.to_core(item.elements) for item in items]
    report: Report | None = decode(models, streams, [item.values for item in items], threads)
    if report is not None:
        raise explain(report, items[report.item], item_prefix(report.item))
    return [item.model.like_parameters(item.values) for item in items]


def decode_batch(item: Item, streams: Encoded, threads: int) -> Any:
    """Decodes what `encode_batch` encoded, and gives it where the model's parameters are."""
    decode = _for([item], _core.decode_batch, _core.decode_value_batch)
    model = item.model.to_core(item.elements)
    report: Report | None = decode(model, streams, item.values, threads)
    if report is not None:
        raise explain(report, item, batch=True)
    return item.model.like_parameters(item.values)


def decode_chunks(item: Item, streams: Packed, threads: int) -> NDArray:
    """Decodes what `encode_chunks` encoded."""
    decode = _for([item], _core.decode_parts, _core.decode_value_parts)
    model, size = item.model.to_core(item.elements), _values_per_stream(item)
    report: Report | None = decode(model, streams, item.values, size, threads)
    if report is not None:
        raise explain(report, item)
    values: NDArray = item.values
    return values


def _attempts(items: list[Item]) -> list[list[Item]]:
    """What to encode: less of items that are on a device; and all of them, if that is refused."""
    if all(item.model.on_host for item in items):
        return [items]
    less = reduce_for_host(items)
    return [items] if less is None else [less, items]


def _values_per_stream(item: Item) -> int:
    return _core.values_per_stream(math.prod(item.values.shape))


# What the core refuses


def explain(report: Report, item: Item, prefix: str = "", *, batch: bool = False) -> ValueError:
    """Turns a report into an exception: on an item, or on a part of one that is a batch."""
    fault = Fault(report, item, batch)
    try:
        sentence = item.model.describe_fault(fault)
    except IndexError:  # what was wrong is no longer there
        sentence = item.model.describe_change()
    corrupt = report.problem in (Problem.TRUNCATED, Problem.CONTRADICTED)
    error = CorruptStreamError if corrupt else ValueError
    return error((item_prefix(report.item) if batch else prefix) + sentence)


def explain_mark(report: Report, prefix: str = "") -> CorruptStreamError:
    """Says that a mark cannot be read, or that other values were decoded than encoded."""
    before, number = report.position, report.position + 1
    if report.problem is Problem.TRUNCATED:
        return CorruptStreamError(f"{prefix}the stream ends before mark {number} does")
    where = f"between {f'mark {before}' if before else 'the start'} and mark {number}"
    return CorruptStreamError(
        f"{prefix}the values {where} differ from those encoded: the model differs (other weights, "
        "another GPU, library or batch size, one float), or the stream is damaged"
    )


# The core has its functions twice: for CDFs, and for all other models


def _for(items: list[Item], of_cdfs: Any, of_values: Any) -> Any:
    return of_cdfs if items and type(items[0].model) is CdfModel else of_values


def _to_core(items: list[Item]) -> tuple[list[Any], list[Any]]:
    view = _for(items, _tensors.view, _tensors.numbers)
    models = [model.to_core(elements) for model, elements, _ in items]
    return models, [view(values) for _, _, values in items]


def _options(items: list[Item]) -> tuple[bool, ...]:
    model = items[0].model if items else None
    return (model.check, model.clamp) if isinstance(model, CdfModel) else ()
