"""The four functions of torchac 0.9.3, which give the same bytes.

They code one tensor of symbols into one stream, and back. Coding needs a cumulative
distribution (CDF) for each symbol: a row of `Lp = L + 1` values for an alphabet of `L` symbols,
where symbol `s` has the probability `row[s + 1] - row[s]`. Decoding needs the CDF of encoding, bit
for bit.
"""

from __future__ import annotations

import warnings
from typing import Any

from torchac import _checks, _coding, _core
from torchac._tensors import FLOAT_ROWS, INT16_ROWS, Array, ArrayT, Stream, Symbols
from torchac.models._base import Fault, Item
from torchac.models._cdf import CdfModel
from torchac.quantize import PRECISION, quantize_cdf

__all__ = [
    "PRECISION",
    "decode_float_cdf",
    "decode_int16_normalized_cdf",
    "encode_float_cdf",
    "encode_int16_normalized_cdf",
]

_convert_to_int_and_normalize = quantize_cdf  # the name in torchac 0.9.3, which projects call


def encode_float_cdf(
    cdf_float: Array,
    sym: Symbols,
    needs_normalization: bool = True,
    check_input_bounds: bool | None = None,
    *,
    index: Array | None = None,
) -> bytes:
    """Encodes symbols with a CDF of floats.

    Args:
        cdf_float: CDF of shape `(N1, …, Nm, Lp)`, float16, bfloat16, float32 or float64, with
            values in [0, 1] that do not decrease along a row; `2 <= Lp <= 32769`. Rows need not
            begin at 0 or end at 1, but the last value of a row counts as 1. Any strides are
            allowed: an expanded tensor is read in place. Rows are converted to 16 bits when needed.
        sym: Symbols of shape `(N1, …, Nm)`, bool or any integer dtype, on the CDF's device, from 0
            to `Lp - 2`; or an int, for a CDF of shape `(Lp,)`.
        needs_normalization: Whether to reserve a probability of 1/65536 for each symbol, so that
            every symbol can be coded. Without it, the CDF must give each coded symbol that much.
        check_input_bounds: None checks everything that coding reads, and that rows do not decrease
            if there are few rows: tables, at most 64 rows, or one row for every 64 symbols. True
            checks the whole CDF (finite, in [0, 1], not decreasing), which takes one pass over it.
            False is as None, but replaces symbols out of range by the nearest ones in range, with a
            warning.
        index: The number of each symbol's row, if symbols share rows: any integer dtype, of the
            symbols' shape. `cdf_float` must then be K tables, of shape `(K, Lp)`. The stream is the
            one that `cdf_float[index]` gives.

    Returns:
        The stream. Without symbols it has one byte.

    Raises:
        TypeError: An argument is neither a tensor nor an array.
        ValueError: Shapes, dtypes or devices that do not match; a symbol out of range or without
            probability; NaN or an infinity; a row that decreases, or with `check_input_bounds=True`
            a value outside [0, 1], if they are checked. The message gives the value and its
            position.

    Warns:
        UserWarning: A symbol is out of range, with `check_input_bounds=False`; once for each call.

    Example:
        >>> import torch, torchac
        >>> cdf = torch.tensor([0.0, 0.7, 0.9, 1.0]).expand(5, 4)  # three symbols
        >>> sym = torch.tensor([0, 0, 2, 1, 0], dtype=torch.int16)
        >>> stream = torchac.encode_float_cdf(cdf, sym)
        >>> len(stream)
        1
        >>> torchac.decode_float_cdf(cdf, stream)
        tensor([0, 0, 2, 1, 0], dtype=torch.int16)
    """
    if index is None and check_input_bounds is None:
        stream = _core.quick_encode(cdf_float, sym, needs_normalization, True)
        if stream is not None:
            return stream
    normalize = _checks.check_truth("needs_normalization", needs_normalization)
    rows = _checks.check_rows("cdf_float", cdf_float, FLOAT_ROWS)
    model = CdfModel(rows, normalize, name="cdf_float")
    return _encode(model, sym, index, check_input_bounds)


def decode_float_cdf(
    cdf_float: ArrayT,
    byte_stream: Stream,
    needs_normalization: bool = True,
    *,
    index: Array | None = None,
) -> ArrayT:
    """Decodes what `encode_float_cdf` encoded.

    Args:
        cdf_float: The CDF that the symbols were encoded with. With only the first rows of it, as
            many symbols are decoded.
        byte_stream: The stream: bytes, or another buffer or array of them, such as bytearray,
            memoryview, mmap, array, or one-dimensional uint8 of NumPy or torch.
        needs_normalization: As it was for encoding.
        index: As it was for encoding.

    Returns:
        int16 symbols of shape `cdf_float.shape[:-1]` or `index.shape`, on the CDF's device. The
        stream may be empty if there are no symbols.

    Raises:
        TypeError: `cdf_float` is neither a tensor nor an array, or `byte_stream` is not bytes-like.
        CorruptStreamError: The stream ends before its symbols do, or contradicts the CDF.
        ValueError: A dtype or `Lp` that is not allowed, NaN or an infinity, or a row that
            decreases, if there are few rows.

    Example:
        See `encode_float_cdf`.
    """
    if index is None:
        quick: ArrayT | None = _core.quick_decode(cdf_float, byte_stream, needs_normalization, True)
        if quick is not None:
            return quick
    normalize = _checks.check_truth("needs_normalization", needs_normalization)
    rows = _checks.check_rows("cdf_float", cdf_float, FLOAT_ROWS)
    model = CdfModel(rows, normalize, name="cdf_float")
    symbols: ArrayT = _decode(model, byte_stream, index)
    return symbols


def encode_int16_normalized_cdf(
    cdf_int: Array,
    sym: Symbols,
    *,
    check_input_bounds: bool | None = None,
    index: Array | None = None,
) -> bytes:
    """Encodes symbols with a CDF of 16-bit integers, in parts of 65536.

    Args:
        cdf_int: CDF of shape `(N1, …, Nm, Lp)`, int16 read as unsigned numbers, or uint16, that
            increases along a row; for example from `quantize_cdf`. The last value of a row counts
            as 65536, whatever it is. Any strides are allowed.
        sym: As for `encode_float_cdf`.
        check_input_bounds: As for `encode_float_cdf`; True checks that no row decreases.
        index: As for `encode_float_cdf`.

    Returns:
        The stream. Without symbols it has one byte.

    Raises:
        TypeError: An argument is neither a tensor nor an array.
        ValueError: Shapes, dtypes or devices that do not match; a symbol out of range or without
            probability; a row that decreases, if that is checked. The message gives the value and
            its position.

    Warns:
        UserWarning: As `encode_float_cdf`.

    Example:
        >>> import torch, torchac
        >>> cdf = torch.tensor([0, 20000, -25536, 0], dtype=torch.int16).expand(3, 4)
        >>> stream = torchac.encode_int16_normalized_cdf(cdf, torch.tensor([2, 0, 1]))
        >>> torchac.decode_int16_normalized_cdf(cdf, stream)
        tensor([2, 0, 1], dtype=torch.int16)
    """
    if index is None and check_input_bounds is None:
        stream = _core.quick_encode(cdf_int, sym, False, False)
        if stream is not None:
            return stream
    rows = _checks.check_rows("cdf_int", cdf_int, INT16_ROWS)
    model = CdfModel(rows, name="cdf_int")
    return _encode(model, sym, index, check_input_bounds)


def decode_int16_normalized_cdf(
    cdf_int: ArrayT, byte_stream: Stream, *, index: Array | None = None
) -> ArrayT:
    """Decodes what `encode_int16_normalized_cdf` encoded.

    Args:
        cdf_int: The CDF that the symbols were encoded with, or only the first rows of it.
        byte_stream: As for `decode_float_cdf`.
        index: As it was for encoding.

    Returns:
        int16 symbols of shape `cdf_int.shape[:-1]` or `index.shape`, on the CDF's device.

    Raises:
        TypeError: `cdf_int` is neither a tensor nor an array, or `byte_stream` is not bytes-like.
        CorruptStreamError: The stream ends before its symbols do, or contradicts the CDF.
        ValueError: A dtype or `Lp` that is not allowed, or a row that decreases, if there are few
            rows.

    Example:
        See `encode_int16_normalized_cdf`.
    """
    if index is None:
        quick: ArrayT | None = _core.quick_decode(cdf_int, byte_stream, False, False)
        if quick is not None:
            return quick
    rows = _checks.check_rows("cdf_int", cdf_int, INT16_ROWS)
    model = CdfModel(rows, name="cdf_int")
    symbols: ArrayT = _decode(model, byte_stream, index)
    return symbols


def _encode(
    model: CdfModel, sym: Symbols, index: Array | None, check_input_bounds: bool | None
) -> bytes:
    encoder = _core.Encoder()
    index, check = model.check_index(index), check_input_bounds
    if check is not None:
        check = _checks.check_truth("check_input_bounds", check)
    model.check = bool(check)
    item = Item(model, index, model.check_symbols(sym, index))
    report = _coding.try_encode(encoder, item)
    if check is False and report is not None and report.problem is _core.Problem.SYMBOL:
        nearest = 0 if Fault(report, item).value < 0 else model.symbols - 1
        warnings.warn(
            f"{_coding.explain(report, item)}. With check_input_bounds=False it is coded as the "
            f"nearest of them, {nearest}, and so are others like it: decoding gives that. "
            "Without check_input_bounds=False it is refused",
            stacklevel=3,  # the caller of the public function
        )
        model.clamp = True
        report = _coding.try_encode(encoder, item)
    if report is not None:
        raise _coding.explain(report, item)
    [stream] = encoder.finish()
    return stream


def _decode(model: CdfModel, byte_stream: Stream, index: Array | None) -> Any:
    item = _coding.to_decode(model, index)
    decoder = _core.Decoder([_checks.check_stream(byte_stream, item.values.shape)])
    return model.like_parameters(_coding.decode(decoder, item))
