"""One tensor of values to one stream, and back, with any model."""

from __future__ import annotations

from typing import Any

from torchac import _checks, _coding, _core, _values
from torchac._as_model import as_decoded, as_model
from torchac._rows import Rows, check_cdf, check_whole
from torchac._tensors import Array, Stream, as_tensor, like

__all__ = ["decode", "encode"]


def encode(model: Any, values: Any, *, index: Array | None = None) -> bytes:
    """Encodes integers.

    Args:
        model: How likely each integer is: a model of torchac, such as `torchac.Normal(loc, scale)`;
            a `Normal`, `Laplace`, `MixtureSameFamily`, `Categorical` or `Bernoulli` of
            `torch.distributions`; or a CDF of floats or of 16-bit integers, of shape `(…, Lp)`. It
            broadcasts to the shape of the values.
        values: Whole numbers of any dtype: a tensor, an array, or a number. Those of models are
            from -2^31 to 2^31 - 1, or within the model's bounds; those of a CDF from 0 to
            `Lp - 2`.
        index: Where values share the model's elements: the number of each value's element, any
            integer dtype, of a shape that broadcasts to that of the values. The model's shape is
            `(K,)` then, or `(K, Lp)` that of a CDF.

    Returns:
        The stream. `torchac.decode` with the same model gives the values back.

    Raises:
        TypeError: The model or the values are of a type that cannot be.
        ValueError: Shapes that do not broadcast; a value that is not whole, or outside of what the
            model can code; parameters that are not allowed. The message names value and position.

    Example:
        >>> import torch, torchac
        >>> scales = torch.tensor([0.5, 8.0])  # shared
        >>> which = torch.tensor([0, 1, 1, 0])
        >>> model = torchac.Normal(0.0, scales)
        >>> stream = torchac.encode(model, torch.tensor([0, -11, 5, 1]), index=which)
        >>> torchac.decode(model, stream, index=which)
        tensor([  0, -11,   5,   1], dtype=torch.int32)
    """
    encoder = _core.Encoder()
    its_model = as_model(model)
    if its_model is None:
        values = _values.check_values(values)
        rows = rows_for(model, tuple(values.shape), index)
        symbols = check_whole(like(as_tensor(values), rows.cdf), rows)
        _coding.encode(encoder, rows, symbols, check=False, clamp=False)
    else:
        _values.encode(encoder, its_model, values, index)
    [stream] = encoder.finish()
    return stream


def decode(model: Any, byte_stream: Stream, *, index: Array | None = None) -> Any:
    """Decodes what `encode` encoded, all of it.

    Args:
        model: The model that the values were encoded with, of their shape: `model.expand(*shape)`
            has it.
        byte_stream: The stream: bytes, or another buffer or array of them.
        index: As it was for encoding, of the shape of the values.

    Returns:
        int32, of the shape of the model or of `index`, on the model's device; an array if the model
        has arrays.

    Raises:
        TypeError: The model is of a type that cannot be, or `byte_stream` is no bytes.
        CorruptStreamError: The stream ends early, has bytes left over, or contradicts the model.
        ValueError: Parameters that are not allowed.

    Example:
        See `encode`.
    """
    its_model = as_model(model)
    rows = check_cdf(model, True, index) if its_model is None else None
    stream = _checks.check_stream(byte_stream)
    decoder = _core.Decoder([stream])
    if its_model is None:
        assert rows is not None
        values = _coding.decode(decoder, rows)
    else:
        values = _values.decode(decoder, its_model, index)
    _coding.check_end(decoder)
    return as_decoded(model if its_model is None else its_model, values)


def rows_for(cdf: Array, shape: tuple[int, ...], index: Array | None) -> Rows:
    """Rows that broadcast to the shape of the symbols."""
    rows = check_cdf(cdf, True, index)
    if rows.shape == shape:
        return rows
    name, array, wanted = ("cdf", rows.cdf, (*shape, rows.symbols + 1))
    if rows.table is not None:
        name, array, wanted = ("index", rows.table, shape)
    try:
        expanded = like(as_tensor(array).expand(wanted), array)
    except RuntimeError:
        raise ValueError(
            f"{name} has shape {tuple(array.shape)}: expected one that broadcasts to {wanted}"
        ) from None
    if rows.table is not None:
        return rows._replace(table=expanded, shape=shape)
    return rows._replace(cdf=expanded, shape=shape)
