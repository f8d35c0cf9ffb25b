"""New coding methods for CompressAI's entropy models, which code tensors directly.

Streams end with a mark (`Encoder.mark`), which detects decoded values that differ, for example
because the hyperprior gives other scales on another GPU.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from torchac._tensors import INT32_MAX, INT32_MIN, widest_float
from torchac.compressai import ans
from torchac.compressai.listening import decoded
from torchac.compressai.tables import as_tables
from torchac.incremental import Decoder, Encoder
from torchac.lockstep import BatchDecoder, BatchEncoder
from torchac.models import Mixture, Normal, Tables

SCALES = (0.11, 256.0)  # the range to which GaussianMixtureConditional clamps scales

_made: WeakKeyDictionary[nn.Module, tuple[list[Tensor], Tables]] = WeakKeyDictionary()


def tables_of(model: Any) -> Tables:
    """The tables of an entropy model, made again only if its buffers have changed."""
    model._check_cdf_size()
    model._check_cdf_length()
    model._check_offsets_size()
    buffers = [model._quantized_cdf, model._cdf_length, model._offset]
    before, tables = _made.get(model, (None, None))
    if tables is None or before is None or not all(map(_same, buffers, before)):
        tables = as_tables(*buffers)
        _made[model] = [buffer.clone() for buffer in buffers], tables
    return tables


def _same(a: Tensor, b: Tensor) -> bool:
    return a.device == b.device and a.equal(b)


def _coder(model: Any) -> SimpleNamespace:
    encoder, decoder = ans.RansEncoder(), ans.RansDecoder()
    return SimpleNamespace(
        name=model.__dict__["entropy_coder"].name,
        encode_with_indexes=encoder.encode_with_indexes,
        decode_with_indexes=decoder.decode_with_indexes,
        _encoder=encoder,
        _decoder=decoder,
    )


def _keep(model: Any, coder: Any) -> None:
    model.__dict__["entropy_coder"] = coder


# A coder of lists, for methods that call `entropy_coder`.
CODER = property(_coder, _keep)


# The methods that convert floats to 32-bit integers in the mode "symbols".
QUANTIZE = ("quantize", "quantize_variable")


def checked(quantize: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """One of these methods, which raises if a value does not fit 32 bits."""

    @functools.wraps(quantize)  # so TorchScript, which has no symbols, compiles the original
    def method(self: Any, inputs: Tensor, mode: str, *args: Any, **kwargs: Any) -> Tensor:
        if mode == "symbols":
            _check_symbols(inputs, *args, **kwargs)
        return quantize(self, inputs, mode, *args, **kwargs)

    return method


def _check_symbols(inputs: Tensor, means: Tensor | None = None, qs: Tensor | None = None) -> None:
    values = inputs if means is None else (inputs - means).to(inputs.dtype)
    values = (values if qs is None else values / qs).round()
    if values.numel() == 0 or all(INT32_MIN <= end.item() <= INT32_MAX for end in values.aminmax()):
        return
    exact = values.to(widest_float(values.device))
    where = tuple(torch.nonzero(~((exact >= INT32_MIN) & (exact < -INT32_MIN)))[0].tolist())
    raise ValueError(
        f"value {values[where].item()} at index {where}: expected whole numbers from "
        f"{INT32_MIN} to {INT32_MAX}"
    )


class EntropyModelVbr:
    """The coder for `compressai.entropy_models.EntropyModelVbr`, whose own methods call it."""

    entropy_coder = CODER


class EntropyModel:
    """Methods for `compressai.entropy_models.EntropyModel`."""

    def compress(
        self: Any, inputs: Tensor, indexes: Tensor, means: Tensor | None = None
    ) -> list[bytes]:
        """A stream for each item."""
        if inputs.ndim < 2 or inputs.shape != indexes.shape:
            raise ValueError(
                f"inputs and indexes have shapes {tuple(inputs.shape)} and {tuple(indexes.shape)}: "
                "expected the same, of two dimensions or more"
            )
        tables = tables_of(self)
        encoder = BatchEncoder(len(inputs))
        encoder.encode(tables, self.quantize(inputs, "symbols", means).cpu(), index=indexes.cpu())
        encoder.mark()
        return encoder.finish()

    def decompress(
        self: Any,
        strings: Sequence[bytes],
        indexes: Tensor,
        dtype: torch.dtype = torch.float,
        means: Tensor | None = None,
    ) -> Tensor:
        """The values of all items."""
        if not isinstance(strings, (list, tuple)):
            raise TypeError(
                f"strings is of type {type(strings).__name__}: expected a list of bytes"
            )
        if indexes.ndim < 2 or len(indexes) != len(strings):
            raise ValueError(
                f"indexes has shape {tuple(indexes.shape)}: expected ({len(strings)}, …), an item "
                "for each string"
            )
        _check_means(means, indexes)
        tables = tables_of(self)
        decoder = BatchDecoder(strings)
        values = decoder.decode(tables, index=indexes.cpu())
        decoder.mark()
        decoder.finish()
        decoded()
        result: Tensor = self.dequantize(values.to(self._quantized_cdf.device), means, dtype)
        return result

    entropy_coder = CODER


def _check_means(means: Tensor | None, indexes: Tensor) -> None:
    if means is None:
        return
    pairs = zip(means.shape[2:], indexes.shape[2:], strict=False)
    if (
        means.ndim != indexes.ndim
        or means.shape[:2] != indexes.shape[:2]
        or any(mean not in (1, size) for mean, size in pairs)
    ):
        raise ValueError(
            f"means has shape {tuple(means.shape)}: expected that of indexes, "
            f"{tuple(indexes.shape)}, or 1 in place of sizes from the third on"
        )


class GaussianConditional:
    """Methods for `compressai.entropy_models.GaussianConditional`."""

    def build_indexes(self: Any, scales: Tensor) -> Tensor:
        """For each scale the first entry of the sorted table that is not below it, or the last."""
        scales = self.lower_bound_scale(scales).contiguous()
        return torch.bucketize(scales, self.scale_table[:-1].to(scales), out_int32=True)


class GaussianMixtureConditional:
    """Methods for `compressai.entropy_models.GaussianMixtureConditional`."""

    def compress(
        self: Any, y: Tensor, scales: Tensor, means: Tensor, weights: Tensor
    ) -> tuple[tuple[bytes, int, Tensor], Tensor]:
        """A stream of the channels that are not all zero, with a bitmap of them; rounded values."""
        _check_symbols(y)
        values = y.round()
        largest = int(y.abs().max()) + 1
        used = (values != 0).flatten(2).any(2).any(0)
        encoder = Encoder()
        encoder.encode(_mixture(self.K, scales, means, weights, used), values[:, used])
        encoder.mark()
        return (encoder.finish(), largest, used.long()), values

    def decompress(
        self: Any,
        strings: bytes,
        abs_max: int,
        zero_bitmap: Tensor,
        scales: Tensor,
        means: Tensor,
        weights: Tensor,
    ) -> Tensor:
        """The values of all channels."""
        used = zero_bitmap.bool().to(scales.device)
        decoder = Decoder(strings)
        values = decoder.decode(_mixture(self.K, scales, means, weights, used))
        decoder.mark()
        decoder.finish()
        decoded()
        size, _, *rest = scales.shape
        result = scales.new_zeros(size, len(used), *rest)
        result[:, used] = values.to(result)
        return result


def _mixture(count: int, scales: Tensor, means: Tensor, weights: Tensor, used: Tensor) -> Mixture:
    """The mixture of each value of the used channels."""
    each = [a.reshape(len(a), count, -1, *a.shape[2:]) for a in (scales, means, weights)]
    scale, mean, weight = (a[:, :, used].movedim(1, -1) for a in each)
    return Mixture(weight, Normal(mean, scale.clamp(*SCALES)))


METHODS = (EntropyModel, EntropyModelVbr, GaussianConditional, GaussianMixtureConditional)
