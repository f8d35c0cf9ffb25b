"""The order of steps in encoding and decoding, whatever is coded and however."""

from __future__ import annotations

import warnings

import numpy as np

from torchac import _core, _gather, _tensors, errors
from torchac._rows import Rows
from torchac._tensors import Array, NDArray


def encode(encoder: _core.Encoder, rows: Rows, sym: Array, check: bool, clamp: bool) -> None:
    """Codes `sym`; where that fails, raises and leaves the encoder as it was."""
    report = attempt(encoder, rows, sym, check, clamp)
    if report is not None:
        raise errors.explain(report, rows, sym)


def encode_nearest(encoder: _core.Encoder, rows: Rows, sym: Array) -> None:
    """Codes `sym`; takes symbols that are out of range as the nearest in range, and warns."""
    report = attempt(encoder, rows, sym, check=False, clamp=False)
    if report is not None and report.problem is _core.Problem.SYMBOL:
        # At the caller of the function of the old package, which called _encode, which called this.
        warnings.warn(errors.clamped(report, rows, sym), stacklevel=4)
        report = attempt(encoder, rows, sym, check=False, clamp=True)
    if report is not None:
        raise errors.explain(report, rows, sym)


def attempt(
    encoder: _core.Encoder,
    rows: Rows,
    sym: Array,
    check: bool,
    clamp: bool,
    chosen: list[int] | None = None,
) -> _core.Report | None:
    """Codes symbols into the chosen streams, or all; tells why not."""
    symbols = _tensors.view(sym)
    if not _tensors.on_host(rows.cdf):
        noted = symbols, rows.symbols
        for less, its_sym in _gather.gather([(rows, sym)], check, clamp) or []:
            its = _tensors.view(its_sym)
            if encoder.encode(less.view(), its, check, clamp, noted, chosen) is None:
                return None
    return encoder.encode(rows.view(), symbols, check, clamp, None, chosen)


def decode(decoder: _core.Decoder, rows: Rows) -> NDArray:
    """Decodes a symbol for each row; where that fails, raises and leaves the decoder as it was."""
    symbols = np.empty(rows.shape, np.int16)
    report = decoder.decode(rows.view(), symbols)
    if report is not None:
        raise errors.explain(report, rows)
    return symbols


def check_end(decoder: _core.Decoder) -> None:
    """Raises if streams have more bytes than what was decoded takes."""
    ends = zip(decoder.num_bits(), decoder.sizes(), strict=True)
    for stream, (bits, size) in enumerate(ends):
        used = (bits + 7) // 8
        if used != size:
            name = "the stream" if len(decoder.sizes()) == 1 else f"stream {stream}"
            raise errors.CorruptStreamError(
                f"{name} has {size} bytes and its values take {used}: it is damaged, or was "
                "written with another model or for more values"
            )
