"""The order of steps in encoding and decoding, whatever is coded and however."""

from __future__ import annotations

from torchac import _core, _gather, _tensors, errors
from torchac._tensors import Array, NDArray, Rows


def encode(encoder: _core.Encoder, rows: Rows, sym: Array, check_input_bounds: bool | None) -> None:
    """Codes `sym`; where that fails, raises and leaves the encoder as it was."""
    _tensors.check_symbols(sym, rows)
    check, clamp = bool(check_input_bounds), check_input_bounds is False
    cdf, symbols = rows, sym
    if not _tensors.on_host(rows.cdf):
        cdf, symbols = _gather.gather(rows, sym, check, clamp) or (rows, sym)
    report = encoder.encode(cdf.view(), _tensors.view(symbols), check, clamp)
    if report is not None:
        raise errors.explain(report, rows, sym)


def decode(decoder: _core.Decoder, rows: Rows) -> NDArray:
    """Decodes a symbol for each row; where that fails, raises and leaves the decoder as it was."""
    symbols = _tensors.empty_symbols(rows)
    report = decoder.decode(rows.view(), symbols)
    if report is not None:
        raise errors.explain(report, rows)
    return symbols
