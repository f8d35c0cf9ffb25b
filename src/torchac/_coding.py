"""The order of steps in encoding and decoding, whatever is coded and however."""

from __future__ import annotations

import numpy as np

from torchac import _core, _gather, _tensors, errors
from torchac._tensors import Array, NDArray, Rows


def host_views(rows: Rows, sym: Array, check: bool, clamp: bool) -> tuple[_core.Cdf, NDArray]:
    """What the core codes: rows and symbols as they are, or what another device makes of them."""
    _tensors.check_symbols(sym, rows)
    if not _tensors.on_host(rows.cdf):
        rows, sym = _gather.gather(rows, sym, check, clamp) or (rows, sym)
    return rows.view(), _tensors.view(sym)


def encode(encoder: _core.Encoder, rows: Rows, sym: Array, check: bool, clamp: bool) -> None:
    """Codes `sym`; where that fails, raises and leaves the encoder as it was."""
    check = _tensors.check_flag("check", check)
    clamp = _tensors.check_flag("clamp", clamp)
    report = encoder.encode(*host_views(rows, sym, check, clamp), check, clamp)
    if report is not None:
        raise errors.explain(report, rows, sym)


def decode(decoder: _core.Decoder, rows: Rows) -> NDArray:
    """Decodes a symbol for each row; where that fails, raises and leaves the decoder as it was."""
    symbols = np.empty(rows.shape, np.int16)
    report = decoder.decode(rows.view(), symbols)
    if report is not None:
        raise errors.explain(report, rows)
    return symbols
