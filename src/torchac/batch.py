"""Many streams at once, on several threads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, overload

import numpy as np
import torch
from torch.distributions import Distribution

from torchac import _checks, _coding, _core, _tensors
from torchac._coding import Encoded, Streams
from torchac._tensors import BYTES, INTEGERS, Array, ArrayT, Stream
from torchac.errors import CorruptStreamError, naming_items
from torchac.models import Model
from torchac.models._from_argument import to_models
from torchac.threads import check_threads


@overload
def encode_batch(
    cdf: Any,
    sym: Any,
    *,
    needs_normalization: bool = True,
    index: Array | Sequence[Array] | None = None,
    check: bool = False,
    clamp: bool = False,
    packed: Literal[False] = False,
    num_threads: int | None = None,
) -> list[bytes]: ...


@overload
def encode_batch(
    cdf: Any,
    sym: Any,
    *,
    needs_normalization: bool = True,
    index: Array | Sequence[Array] | None = None,
    check: bool = False,
    clamp: bool = False,
    packed: Literal[True],
    num_threads: int | None = None,
) -> tuple[Any, Any]: ...


def encode_batch(
    cdf: Any,
    sym: Any,
    *,
    needs_normalization: bool = True,
    index: Array | Sequence[Array] | None = None,
    check: bool = False,
    clamp: bool = False,
    packed: bool = False,
    num_threads: int | None = None,
) -> Any:  # as the overloads say
    """Encodes a batch, each item into its own stream.

    Each stream is the one that `encode_float_cdf` or `encode_int16_normalized_cdf` gives for the
    item alone. Threads share the items, and each thread interleaves several of them, so a batch is
    faster than separate calls even on a single thread.

    Args:
        cdf: CDF of shape `(B, N1, …, Nm, Lp)`, of floats or of 16-bit integers; or a sequence of
            `B` CDFs of one dtype, if items differ in shape. With `index`, tables of shape `(K, Lp)`
            for all items, or a sequence of such tables. Or a model, as for `torchac.encode`, that
            broadcasts to the shape of `sym`; or a sequence of `B` models.
        sym: Symbols, or values with a model, of shape `(B, N1, …, Nm)`, or a sequence of `B`
            tensors. Floats that are whole numbers are accepted.
        needs_normalization: As for `encode_float_cdf`; ignored for integers.
        index: The table of each symbol, of the shape of `sym`, or a sequence of `B` tensors.
        check: Whether to check the whole CDF, as `check_input_bounds=True` does for
            `encode_float_cdf`. Otherwise rows are checked only if the whole batch has few of them.
        clamp: As for `Encoder.encode`.
        packed: Whether to return the streams in one tensor, which is faster for thousands of small
            streams than one object for each.
        num_threads: The most threads to use; by default as `set_num_threads` says. Short calls use
            fewer threads. All are joined before the call returns.

    Returns:
        `B` streams. With `packed`, two tensors on the host, or arrays if `cdf` or the model has
        arrays: the concatenated bytes of all streams, uint8 of shape `(N,)`, and the length of
        each, int64 of shape `(B,)`.

    Raises:
        TypeError: As `encode_float_cdf`.
        ValueError: As `encode_float_cdf`, with the item in the message; or items that do not match.

    Example:
        >>> import torch, torchac
        >>> cdf = torch.linspace(0, 1, 11).expand(4, 100, 11)  # 4 items of 100 symbols
        >>> sym = torch.arange(400).view(4, 100) % 10
        >>> streams = torchac.encode_batch(cdf, sym)
        >>> len(streams)
        4
        >>> torchac.decode_batch(cdf, streams).equal(sym.short())
        True
        >>> data, lengths = torchac.encode_batch(cdf, sym, packed=True)
        >>> lengths.sum() == len(data)
        tensor(True)
        >>> torchac.decode_batch(cdf, (data, lengths)).equal(sym.short())
        True
    """
    packed = _checks.check_flag("packed", packed)
    check, clamp = _checks.check_flag("check", check), _checks.check_flag("clamp", clamp)
    threads = check_threads(num_threads)
    model = to_models(cdf, needs_normalization, check, clamp)
    if isinstance(model, list) or isinstance(sym, Sequence) or isinstance(index, Sequence):
        symbols = _split_batch("sym", sym)
        models = _split_model(model, index, len(symbols))
        with naming_items(zip(models, symbols, strict=True)) as each:
            items = [one.fit(values, elements) for (one, elements), values in each]
        return _unpacked(_coding.encode_items(items, packed, threads), model)
    return _unpacked(_coding.encode_batch(model.fit_batch(sym, index), packed, threads), model)


def _unpacked(streams: Streams, model: Model | list[Model]) -> list[bytes] | tuple[Array, Array]:
    """The streams for the user. Packed ones become tensors, unless the model has arrays."""
    if not isinstance(streams, _core.Packed):
        return streams
    first = [model] if isinstance(model, Model) else model[:1]
    if any(isinstance(array, np.ndarray) for one in first for array in one.parameters):
        return streams.data, streams.lengths
    return torch.from_numpy(streams.data), torch.from_numpy(streams.lengths)


def _is_packed(streams: Any) -> bool:
    """Whether it is a pair of bytes and lengths. No stream has the dtype of lengths."""
    return (
        isinstance(streams, tuple)
        and len(streams) == 2
        and isinstance(streams[1], (torch.Tensor, np.ndarray))
        and streams[1].dtype in INTEGERS
        and streams[1].dtype not in BYTES
    )


def _check_packed(streams: tuple[Array, Array], count: int) -> _core.Packed:
    data = np.frombuffer(memoryview(_checks.check_stream(streams[0])), np.uint8)
    _checks.check_elements("lengths", streams[1])
    lengths = _tensors.view(streams[1]).astype(np.int64, order="C")
    if lengths.shape != (count,):
        raise ValueError(f"lengths has shape {lengths.shape}: expected ({count},), one for each")
    if ((lengths < 0) | (lengths > len(data))).any() or int(lengths.sum()) != len(data):
        raise CorruptStreamError(
            f"lengths add up to {sum(lengths.tolist())}, and the least is {lengths.min(initial=0)}:"
            f" expected none below 0, and a sum of {len(data)}, the number of bytes"
        )
    return _core.Packed(data, lengths)


@overload
def decode_batch(
    cdf: ArrayT,
    byte_streams: Array | Sequence[Stream] | tuple[Array, Array],
    *,
    needs_normalization: bool = True,
    index: Array | None = None,
    num_threads: int | None = None,
) -> ArrayT: ...


@overload
def decode_batch(
    cdf: Sequence[ArrayT],
    byte_streams: Array | Sequence[Stream] | tuple[Array, Array],
    *,
    needs_normalization: bool = True,
    index: Sequence[Array] | None = None,
    num_threads: int | None = None,
) -> list[ArrayT]: ...


@overload
def decode_batch(
    cdf: ArrayT,
    byte_streams: Array | Sequence[Stream] | tuple[Array, Array],
    *,
    needs_normalization: bool = True,
    index: Sequence[Array],
    num_threads: int | None = None,
) -> list[ArrayT]: ...


@overload
def decode_batch(
    cdf: Model | Distribution | Sequence[Model | Distribution],
    byte_streams: Array | Sequence[Stream] | tuple[Array, Array],
    *,
    needs_normalization: bool = True,
    index: Array | Sequence[Array] | None = None,
    num_threads: int | None = None,
) -> Any: ...


def decode_batch(
    cdf: Any,
    byte_streams: Array | Sequence[Stream] | tuple[Array, Array],
    *,
    needs_normalization: bool = True,
    index: Array | Sequence[Array] | None = None,
    num_threads: int | None = None,
) -> Any:  # as the overloads say
    """Decodes what `encode_batch` encoded.

    Args:
        cdf: As for `encode_batch`.
        byte_streams: `B` streams, each as for `decode_float_cdf`; or the tuple that `encode_batch`
            returned with `packed=True`, with lengths of any integer dtype except uint8.
        needs_normalization: As it was for encoding.
        index: As it was for encoding.
        num_threads: As for `encode_batch`.

    Returns:
        int16 symbols of shape `(B, N1, …, Nm)`, on the CDF's device, or int32 values with a model;
        or a list of `B` tensors if `cdf` or `index` is a sequence.

    Raises:
        TypeError: As `decode_float_cdf`.
        CorruptStreamError: As `decode_float_cdf`, with the item in the message.
        ValueError: As `decode_float_cdf`, with the item in the message; or items that do not match.

    Example:
        See `encode_batch`.
    """
    model, threads = to_models(cdf, needs_normalization), check_threads(num_threads)
    if isinstance(model, list) or isinstance(index, Sequence):
        count = len(model if isinstance(model, list) else index or ())
        with naming_items(_split_model(model, index, count)) as each:
            items = [_coding.to_decode(*pair) for pair in each]
        streams = _check_streams(byte_streams, [item.values.shape for item in items])
        return _coding.decode_items(items, streams, threads)
    shape = model.batch_shape(model.check_index(index))
    streams = _check_streams(byte_streams, [shape[1:]] * shape[0])
    return _coding.decode_batch(_coding.to_decode(model, index), streams, threads)


def _check_streams(byte_streams: Any, shapes: list[tuple[int, ...]]) -> Encoded:
    """The streams of items of these shapes."""
    if _is_packed(byte_streams):
        return _check_packed(byte_streams, len(shapes))
    each = zip(_split_batch("byte_streams", byte_streams, len(shapes)), shapes, strict=True)
    with naming_items(each) as pairs:
        return [_checks.check_stream(stream, shape) for stream, shape in pairs]


def _split_model(
    model: Model | list[Model], index: Any, count: int
) -> list[tuple[Model, Array | None]]:
    """The model and the index of each item of a batch."""
    models = (
        model.split(count, index) if isinstance(model, Model) else _split_batch("cdf", model, count)
    )
    indices = [None] * count if index is None else _split_batch("index", index, count)
    return list(zip(models, indices, strict=True))


def _split_batch(name: str, batch: Any, count: int | None = None) -> list[Any]:
    """The items of a batch. There must be `count` of them, if that is given."""
    _checks.check_batch(name, batch, count)
    if isinstance(batch, Sequence):
        return list(batch)
    array = _checks.check_array(name, batch)
    return [array[item, ...] for item in range(len(array))]
