"""One tensor of values to one stream, and back, with any model."""

from __future__ import annotations

from typing import Any

import numpy as np

from torchac import _checks, _coding, _core
from torchac._tensors import Array, Stream
from torchac.models._from_argument import to_model

__all__ = ["decode", "encode"]


def encode(model: Any, values: Any, *, index: Array | None = None) -> bytes:
    """Encodes integers.

    Args:
        model: How likely each integer is: a model of torchac, such as `torchac.Normal(loc, scale)`;
            a `Normal`, `Laplace`, `MixtureSameFamily`, `Categorical` or `Bernoulli` of
            `torch.distributions`; or a CDF of floats or of 16-bit integers, of shape `(…, Lp)`. It
            broadcasts to the shape of the values.
        values: Whole numbers of any dtype: a tensor, an array, or a number. With a model they are
            from -2^31 to 2^31 - 1, or within its bounds; with a CDF, from 0 to `Lp - 2`.
        index: The number of each value's element, if values share the model's elements: any integer
            dtype, of a shape that broadcasts to that of the values. The model must then have the
            shape `(K,)`, or a CDF the shape `(K, Lp)`.

    Returns:
        The stream. `torchac.decode` with the same model gives the values back.

    Raises:
        TypeError: The model or the values have an unsupported type.
        ValueError: Shapes that do not broadcast; a value that is not whole, or that the model
            cannot code; parameters that are not allowed. The message gives the value and its
            position.

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
    _coding.encode(encoder, to_model(model).fit(values, index))
    [stream] = encoder.finish()
    return stream


def decode(model: Any, byte_stream: Stream, *, index: Array | None = None) -> Any:
    """Decodes a whole stream of `encode`.

    Args:
        model: The model that the values were encoded with, of their shape, as
            `model.expand(*shape)` is.
        byte_stream: The stream: bytes, or another buffer or array of them.
        index: As it was for encoding, of the shape of the values.

    Returns:
        int32, of the shape of the model or of `index`, on the model's device; an array if the model
        has arrays.

    Raises:
        TypeError: The model has an unsupported type, or `byte_stream` is not bytes-like.
        CorruptStreamError: The stream ends early, has bytes left over, or contradicts the model.
        ValueError: Parameters that are not allowed.

    Example:
        See `encode`.
    """
    item = _coding.to_decode(to_model(model), index)
    decoder = _core.Decoder([_checks.check_stream(byte_stream)])
    values = _coding.decode(decoder, item)
    _coding.check_end(decoder)
    return item.model.like_parameters(values.astype(np.int32, copy=False))
