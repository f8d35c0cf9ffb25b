"""The steps of coding that all public functions share, and the errors if the core refuses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from torchac import _core, _tensors
from torchac._core import Packed, Problem, Report
from torchac._tensors import NDArray
from torchac.errors import CorruptStreamError, item_prefix
from torchac.models._base import Fault, Item, Model
from torchac.models._cdf_on_device import interval_sizes, reduce_for_host

if TYPE_CHECKING:
    from typing_extensions import Buffer

Streams: TypeAlias = list[bytes] | Packed
Encoded: TypeAlias = "Sequence[Buffer] | Packed"


def to_decode(model: Model, index: Any, shape: tuple[int, ...] | None = None) -> Item:
    """Room for values, by default of the shape of the model or its index."""
    index = model.check_index(index)
    if shape is None:
        if index is None:
            return Item(model, None, np.empty(model.shape, model.decoded_dtype))
        shape = tuple(index.shape)
    return Item(*model.broadcast_to(shape, index), np.empty(shape, model.decoded_dtype))


# One stream, or several in lockstep


def encode(encoder: _core.Encoder, item: Item) -> None:
    """Encodes values. If that fails, raises and leaves the encoder as it was."""
    report = try_encode(encoder, item)
    if report is not None:
        raise explain(report, item)


def try_encode(
    encoder: _core.Encoder,
    item: Item,
    streams: list[int] | None = None,
    original: Item | None = None,
) -> Report | None:
    """Encodes values into these streams, or all; if that fails, returns why.

    `original` is the item that this one stands for on the host. Marks check its values.
    """
    if original is not None:
        symbols = _tensors.view(original.values), original.model.bounds[1] + 1
        return encoder.encode(*_to_core(item), symbols, streams)
    if not item.model.on_host:
        for less in reduce_for_host([item]) or []:
            if try_encode(encoder, less, streams, item) is None:
                return None
    return encoder.encode(*_to_core(item), None, streams)


def decode(decoder: _core.Decoder, item: Item) -> NDArray:
    """Decodes values. If that fails, raises and leaves the decoder as it was."""
    report = try_decode(decoder, item)
    if report is not None:
        raise explain(report, item)
    values: NDArray = item.values
    return values


def try_decode(
    decoder: _core.Decoder, item: Item, streams: list[int] | None = None
) -> Report | None:
    """Decodes values of these streams, or all; if that fails, returns why."""
    return decoder.decode(item.model.to_core(item.elements), item.values, streams)


def check_end(decoder: _core.Decoder) -> None:
    """Raises if streams have more bytes than the decoded values take."""
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
    """The cost of each value, on the device of the model's parameters."""
    model = item.model
    if not model.on_host:
        sizes = interval_sizes(item)
        if sizes is not None:
            costs = _tensors.like(_core.costs(), _tensors.as_tensor(model.parameters[0]))
            return model.like_parameters(costs[sizes.long()])
    bits = np.empty(tuple(item.values.shape))
    report = _core.measure(*_to_core(item), bits)
    if report is not None:
        raise explain(report, item)
    return model.like_parameters(bits)


# Many streams, on several threads


def encode_items(items: list[Item], packed: bool, threads: int) -> Streams:
    """Encodes each item into its own stream."""
    for some in _attempts(items):
        models = [model.to_core(elements) for model, elements, _ in some]
        values = [_tensors.view(values) for _, _, values in some]
        streams = _core.encode_items(models, values, packed, threads)
        if not isinstance(streams, Report):
            return streams
        report = streams
    raise explain(report, items[report.item], item_prefix(report.item))


def encode_batch(item: Item, packed: bool, threads: int) -> Streams:
    """Encodes one array whose first dimension counts the items of the batch."""
    for [some] in _attempts([item]):
        streams = _core.encode_batch(*_to_core(some), packed, threads)
        if not isinstance(streams, Report):
            return streams
        report = streams
    raise explain(report, item, batch=True)


def encode_chunks(item: Item, chunks: int, threads: int) -> Packed:
    """Encodes one array in this number of streams, which threads share.

    The numbers of their values differ by at most one.
    """
    for [some] in _attempts([item]):
        streams = _core.encode_chunks(*_to_core(some), chunks, threads)
        if isinstance(streams, Packed):
            return streams
        report = streams
    raise explain(report, item)


def decode_items(items: list[Item], streams: Encoded, threads: int) -> list[Any]:
    """Decodes items, each to the device of its model's parameters."""
    models = [item.model.to_core(item.elements) for item in items]
    report = _core.decode_items(models, streams, [item.values for item in items], threads)
    if report is not None:
        raise explain(report, items[report.item], item_prefix(report.item))
    return [item.model.like_parameters(item.values) for item in items]


def decode_batch(item: Item, streams: Encoded, threads: int) -> Any:
    """Decodes what `encode_batch` encoded, to the device of the model's parameters."""
    model = item.model.to_core(item.elements)
    report = _core.decode_batch(model, streams, item.values, threads)
    if report is not None:
        raise explain(report, item, batch=True)
    return item.model.like_parameters(item.values)


def decode_chunks(item: Item, streams: Packed, threads: int) -> NDArray:
    """Decodes what `encode_chunks` encoded."""
    model = item.model.to_core(item.elements)
    report = _core.decode_chunks(model, streams, item.values, threads)
    if report is not None:
        raise explain(report, item)
    values: NDArray = item.values
    return values


def _attempts(items: list[Item]) -> list[list[Item]]:
    """Items to try in turn: those on a device are first reduced, then taken whole if refused."""
    if all(item.model.on_host for item in items):
        return [items]
    less = reduce_for_host(items)
    return [items] if less is None else [less, items]


def _to_core(item: Item) -> tuple[_core.Model, NDArray]:
    return item.model.to_core(item.elements), _tensors.view(item.values)


# What the core refuses


def explain(report: Report, item: Item, prefix: str = "", *, batch: bool = False) -> ValueError:
    """Turns a report about an item, or about an item of a batch, into an exception."""
    fault = Fault(report, item, batch)
    try:
        sentence = item.model.describe_fault(fault)
    except IndexError:  # another thread has changed the arguments since
        sentence = item.model.describe_change()
    corrupt = report.problem in (Problem.TRUNCATED, Problem.INVALID_CODE)
    error = CorruptStreamError if corrupt else ValueError
    return error((item_prefix(report.item) if batch else prefix) + sentence)


def explain_mark(report: Report, prefix: str = "") -> CorruptStreamError:
    """Says that a mark cannot be read, or that the decoded values differ from the encoded ones."""
    before, number = report.position, report.position + 1
    if report.problem is Problem.TRUNCATED:
        return CorruptStreamError(f"{prefix}the stream ends before mark {number} does")
    where = f"between {f'mark {before}' if before else 'the start'} and mark {number}"
    return CorruptStreamError(
        f"{prefix}the values {where} differ from those encoded: the model differs (other weights, "
        "another GPU, library or batch size, one float), or the stream is damaged"
    )
