"""Many streams at once, on several threads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeVar, overload

import numpy as np
import torch
from torch.distributions import Distribution

from torchac import _checks, _core, _gather, _tensors, _values, errors
from torchac._as_model import as_model
from torchac._gather import Item
from torchac._rows import Rows, check_cdf, check_whole, views
from torchac._tensors import BYTES, INTEGERS, Array, ArrayT, Stream, Symbols
from torchac.models import Model
from torchac.threads import check_threads

if TYPE_CHECKING:
    from typing_extensions import Buffer

T = TypeVar("T")
Streams: TypeAlias = list[bytes] | _core.Packed


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
    """Encodes a batch, each item into a stream of its own.

    A stream is the one that `encode_float_cdf` or `encode_int16_normalized_cdf` gives for the item
    alone. Threads share the items, and each thread works on several of them in turn, so that
    a batch is faster than its items one by one on a single thread too.

    Args:
        cdf: CDF of shape `(B, N1, …, Nm, Lp)`, of floats or of 16-bit integers; or a sequence of
            `B` CDFs of one dtype, where items differ in shape. With `index`, tables of shape
            `(K, Lp)` for all items, or a sequence of such tables. Or a model, as for
            `torchac.encode`, that broadcasts to the shape of `sym`; or a sequence of `B` models.
        sym: Symbols, or values with a model, of shape `(B, N1, …, Nm)`, or a sequence of `B`
            tensors. Floats that are whole numbers will do.
        needs_normalization: As for `encode_float_cdf`; without effect on integers.
        index: The table of each symbol, of the shape of `sym`, or a sequence of `B` tensors.
        check: Whether to check the whole CDF, as `check_input_bounds=True` does for
            `encode_float_cdf`. Without it, rows are few or not for all items together.
        clamp: As for `Encoder.encode`.
        packed: Whether the streams go into one tensor: better for thousands of small ones, of
            which each is an object otherwise.
        num_threads: The most threads to code on; by default as `set_num_threads` says. Few symbols
            take fewer, as threads take longer to start. None outlives the call.

    Returns:
        `B` streams. With `packed`, two tensors on the host, or arrays if `cdf` or the model has
        arrays: the bytes of all streams one after the other, uint8 of shape `(N,)`, and how many
        each has, int64 of shape `(B,)`.

    Raises:
        TypeError: As `encode_float_cdf`.
        ValueError: As `encode_float_cdf`; the message names the item. Or items that do not match.

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
    how = check, clamp, packed, check_threads(num_threads)
    model = _as_models(cdf)
    if model is not None:
        _values.check_no_clamp(clamp)
        return _unpacked(_values.encode_batch(model, sym, index, *how[2:]), model)
    batch = _batch_rows(cdf, index, needs_normalization)
    if batch and not isinstance(sym, Sequence):
        _check_batch("sym", sym, batch.shape[0])
        items = [(batch, check_whole(sym, batch))]
        encode = _encode_batch
    else:
        items = _checked_items(cdf, sym, index, needs_normalization)
        encode = _encode_items
    parts = None
    if not all(_tensors.on_host(rows.cdf) for rows, _ in items):
        parts = _gather.gather(items, check, clamp)
    streams = encode(parts or items, *how)
    if isinstance(streams, _core.Report) and parts:
        streams = encode(items, *how)
    if isinstance(streams, _core.Report):
        item = streams.item
        rows = _item_rows(cdf, index, needs_normalization)[item]
        its_symbols = check_whole(_items("sym", sym)[item], rows)
        raise errors.explain(streams, rows, its_symbols, _name(item))
    return _unpacked(streams, cdf)


def _encode_batch(
    items: Sequence[Item], check: bool, clamp: bool, packed: bool, threads: int
) -> Streams | _core.Report:
    """Items that are one array each of rows and symbols."""
    [(rows, sym)] = items
    return _core.encode_batch(rows.view(), _tensors.view(sym), check, clamp, packed, threads)


def _encode_items(
    items: Sequence[Item], check: bool, clamp: bool, packed: bool, threads: int
) -> Streams | _core.Report:
    cdfs, symbols = views([rows for rows, _ in items]), [_tensors.view(sym) for _, sym in items]
    return _core.encode_items(cdfs, symbols, check, clamp, packed, threads)


def _unpacked(streams: Streams, like: Any) -> list[bytes] | tuple[Array, Array]:
    """The streams for the user: packed ones in tensors, or in arrays as those of the model."""
    if not isinstance(streams, _core.Packed):
        return streams
    if isinstance(like, Sequence):
        like = like[0] if like else None
    arrays = [like] if isinstance(like, np.ndarray) else getattr(like, "_arrays", [])
    if any(isinstance(array, np.ndarray) for array in arrays):
        return streams.data, streams.lengths
    return torch.from_numpy(streams.data), torch.from_numpy(streams.lengths)


def _is_packed(streams: Any) -> bool:
    """Whether it is streams in one array, and their lengths, which no stream can be."""
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
        raise errors.CorruptStreamError(
            f"lengths add up to {sum(lengths.tolist())}, and the least is {lengths.min(initial=0)}:"
            f" expected none below 0, and {len(data)}, as many as there are bytes"
        )
    return _core.Packed(data, lengths)


def _checked_items(
    cdf: Array | Sequence[Array],
    sym: Array | Sequence[Symbols],
    index: Array | Sequence[Array] | None,
    normalize: bool,
) -> list[Item]:
    """Rows and symbols, item by item."""
    rows = _item_rows(cdf, index, normalize)
    symbols = _items("sym", sym, len(rows))
    with _with_item_name(zip(rows, symbols, strict=True)) as each:
        return [(r, check_whole(s, r)) for r, s in each]


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
        byte_streams: `B` streams, each as for `decode_float_cdf`; or what `encode_batch` gave with
            `packed=True`, a tuple, with lengths of any integer dtype but uint8.
        needs_normalization: As it was for encoding.
        index: As it was for encoding.
        num_threads: As for `encode_batch`.

    Returns:
        int16 symbols of shape `(B, N1, …, Nm)`, on the CDF's device, or int32 values with a model;
        or a list of `B` tensors if `cdf` or `index` is a sequence.

    Raises:
        TypeError: As `decode_float_cdf`.
        CorruptStreamError: As `decode_float_cdf`; the message names the item.
        ValueError: As `decode_float_cdf`; the message names the item. Or items that do not match.

    Example:
        See `encode_batch`.
    """
    model = _as_models(cdf)
    if model is not None:
        return _decode_values(model, byte_streams, index, check_threads(num_threads))
    batch = _batch_rows(cdf, index, needs_normalization)
    rows = [] if batch else _item_rows(cdf, index, needs_normalization)
    count = batch.shape[0] if batch else len(rows)
    shapes = [batch.shape[1:]] * count if batch else [r.shape for r in rows]
    streams = _check_streams(byte_streams, shapes)
    threads = check_threads(num_threads)
    if batch:
        whole = np.empty(batch.shape, np.int16)
        report = _core.decode_batch(batch.view(), streams, whole, threads)
    else:
        symbols = [np.empty(r.shape, np.int16) for r in rows]
        report = _core.decode_items(views(rows), streams, symbols, threads)
    if report is not None:
        rows = rows or _item_rows(cdf, index, needs_normalization)
        raise errors.explain(report, rows[report.item], item=_name(report.item))
    if batch:
        return _tensors.like(whole, batch.cdf)
    return [_tensors.like(s, r.cdf) for s, r in zip(symbols, rows, strict=True)]


def _as_models(model: Any) -> Model | list[Model] | None:
    """A model or models; None for CDFs."""
    if isinstance(model, (str, bytes, bytearray, memoryview)):
        return None  # which says so in its own words
    if not isinstance(model, Sequence):
        return as_model(model)
    if not any(isinstance(one, (Model, Distribution)) for one in model):
        return None
    models = []
    with _with_item_name(model) as each:
        for one in each:
            its_model = as_model(one)
            if its_model is None:
                raise TypeError(f"a CDF of type {type(one).__name__} among models: use Tables")
            models.append(its_model)
    return models


def _decode_values(
    model: Model | list[Model],
    byte_streams: Any,
    index: Array | Sequence[Array] | None,
    threads: int,
) -> Any:
    if isinstance(model, list):
        shapes = [its.shape for its in model]
    elif isinstance(index, Sequence):
        shapes = [tuple(its.shape) for its in index]
    else:
        whole = model.shape if index is None else tuple(index.shape)
        if not whole:
            raise ValueError("the model has shape (): expected (B, …), the items of a batch")
        shapes = [whole[1:]] * whole[0]
    return _values.decode_batch(model, _check_streams(byte_streams, shapes), index, threads)


def _check_streams(
    byte_streams: Any, shapes: list[tuple[int, ...]]
) -> Sequence[Buffer] | _core.Packed:
    """The streams of items of these shapes."""
    if _is_packed(byte_streams):
        return _check_packed(byte_streams, len(shapes))
    items = _items("byte_streams", byte_streams, len(shapes))
    with _with_item_name(zip(items, shapes, strict=True)) as each:
        return [_checks.check_stream(stream, shape) for stream, shape in each]


def _batch_rows(
    cdf: Array | Sequence[Array], index: Array | Sequence[Array] | None, normalize: bool
) -> Rows | None:
    """The rows of all items, if they are one array, which is quicker than one by one."""
    if isinstance(cdf, Sequence) or isinstance(index, Sequence):
        return None
    rows = check_cdf(cdf, normalize, index)
    if not rows.shape:
        name, array, shape = (
            ("cdf", cdf, "(B, …, Lp)") if index is None else ("index", index, "(B, …)")
        )
        raise ValueError(
            f"{name} has shape {tuple(array.shape)}: expected {shape}, the items of a batch"
        )
    return rows


def _item_rows(
    cdf: Array | Sequence[Array], index: Array | Sequence[Array] | None, normalize: bool
) -> list[Rows]:
    """The rows of each item."""
    if index is None:
        cdfs = _items("cdf", cdf)
        indices: list[Array | None] = [None] * len(cdfs)
    else:
        indices = _items("index", index)
        cdfs = (
            _items("cdf", cdf, len(indices)) if isinstance(cdf, Sequence) else [cdf] * len(indices)
        )
    rows: list[Rows] = []
    with _with_item_name(zip(cdfs, indices, strict=True)) as each:
        for its_cdf, its_index in each:
            rows.append(check_cdf(its_cdf, normalize, its_index))
            if rows[-1].row_type is not rows[0].row_type:
                raise ValueError(
                    f"cdf has dtype {its_cdf.dtype}: expected {cdfs[0].dtype}, as item 0 has"
                )
    if not (rows or isinstance(cdf, Sequence) or isinstance(index, Sequence)):
        check_cdf(cdf, normalize, index)  # which no item did
    return rows


def _items(name: str, batch: Any, count: int | None = None) -> list[Any]:
    """The items of a batch, which are to be `count`."""
    _check_batch(name, batch, count)
    if isinstance(batch, Sequence):
        return list(batch)
    return [batch[item, ...] for item in range(len(batch))]


def _check_batch(name: str, batch: Any, count: int | None) -> None:
    if isinstance(batch, (torch.Tensor, np.ndarray)):
        _checks.check_elements(name, batch)
        if batch.ndim == 0:
            raise ValueError(f"{name} has shape (): expected (B, …), the items of a batch")
    elif not isinstance(batch, Sequence) or isinstance(batch, (str, bytes, bytearray, memoryview)):
        raise TypeError(f"{name} is of type {type(batch).__name__}: expected the items of a batch")
    if count is not None and len(batch) != count:
        raise ValueError(f"{name} has {len(batch)} items: expected {count}, as many as the others")


def _name(item: int) -> str:
    return f"item {item}: "


@contextmanager
def _with_item_name(items: Iterable[T]) -> Iterator[Iterator[T]]:
    """Gives the items one by one, and names the one that something is raised about."""
    number = -1

    def each() -> Iterator[T]:
        nonlocal number
        for item in items:
            number += 1
            yield item

    try:
        yield each()
    except (TypeError, ValueError) as error:
        raise type(error)(_name(number) + str(error)) from None
