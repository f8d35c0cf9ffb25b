"""One test for each kind of bad input: the exception, and what its message says."""

import re
from collections.abc import Callable
from typing import Any

import pytest
import torch

import torchac

CDF = torch.tensor([0.0, 0.25, 0.5, 1.0]).expand(2, 3, 4)
SYM = torch.tensor([[0, 1, 2], [2, 1, 0]])
STREAM = torchac.encode_float_cdf(CDF, SYM)
INT_CDF = torchac.quantize_cdf(CDF)


def with_value(value: float, column: int = 1) -> torch.Tensor:
    """CDF with one value changed in the row (1, 2)."""
    cdf = CDF.clone()
    cdf[1, 2, column] = value
    return cdf


def refused(
    kind: type[Exception], message: str, function: Callable[..., Any], *args: Any, **kwargs: Any
) -> None:
    with pytest.raises(kind, match=f"^{re.escape(message)}$") as caught:
        function(*args, **kwargs)
    assert caught.type is kind


def test_cdf_that_is_no_tensor() -> None:
    message = "cdf_float is of type list: expected a torch.Tensor or a numpy.ndarray"
    refused(TypeError, message, torchac.encode_float_cdf, [0.0, 1.0], SYM)


def test_symbols_that_are_no_tensor() -> None:
    message = "sym is of type list: expected a torch.Tensor or a numpy.ndarray"
    refused(TypeError, message, torchac.encode_float_cdf, CDF, [0, 1])


def test_stream_that_is_no_bytes() -> None:
    message = "byte_stream is of type str: expected bytes, bytearray or memoryview"
    refused(TypeError, message, torchac.decode_float_cdf, CDF, "stream")


def test_shapes_that_do_not_match() -> None:
    message = "shape of sym (2, 2) must match the rows of the CDF: expected (2, 3)"
    refused(ValueError, message, torchac.encode_float_cdf, CDF, SYM[:, :2])


def test_integers_for_a_float_function() -> None:
    message = (
        "cdf_float has dtype torch.int16: expected float32, float64, float16, bfloat16; "
        "cdf_float of integers is for the int16_normalized_cdf functions"
    )
    refused(ValueError, message, torchac.encode_float_cdf, INT_CDF, SYM)
    refused(ValueError, message, torchac.decode_float_cdf, INT_CDF, STREAM)


def test_floats_for_an_integer_function() -> None:
    message = (
        "cdf_int has dtype torch.float32: expected int16, uint16; "
        "cdf_int of floats is for the float_cdf functions, or for quantize_cdf"
    )
    refused(ValueError, message, torchac.encode_int16_normalized_cdf, CDF, SYM)
    refused(ValueError, message, torchac.decode_int16_normalized_cdf, CDF, STREAM)


def test_other_dtype_of_cdf() -> None:
    message = "cdf_float has dtype torch.int64: expected float32, float64, float16, bfloat16"
    refused(ValueError, message, torchac.encode_float_cdf, CDF.long(), SYM)


def test_symbols_that_are_no_integers() -> None:
    message = (
        "sym has dtype torch.float32: "
        "expected int8, int16, int32, int64, uint8, uint16, uint32, uint64"
    )
    refused(ValueError, message, torchac.encode_float_cdf, CDF, SYM.float())


@pytest.mark.parametrize("symbol", [3, -1, 2**31, -(2**63), 2**63 - 1])
def test_symbol_out_of_range(symbol: int) -> None:
    sym = SYM.clone()
    sym[1, 0] = symbol
    message = (
        f"symbol {symbol} at index (1, 0) is outside the alphabet: "
        "rows of 4 values allow symbols 0 … 2"
    )
    refused(ValueError, message, torchac.encode_float_cdf, CDF, sym)
    refused(ValueError, message, torchac.encode_float_cdf, CDF, sym, check_input_bounds=True)
    refused(ValueError, message, torchac.encode_int16_normalized_cdf, INT_CDF, sym)


def test_symbol_out_of_range_in_a_narrow_dtype() -> None:
    message = "symbol -1 at index () is outside the alphabet: rows of 4 values allow symbols 0 … 2"
    sym = torch.tensor(-1, dtype=torch.int8)
    refused(ValueError, message, torchac.encode_float_cdf, CDF[0, 0], sym)


def test_empty_interval() -> None:
    message = (
        "symbol 1 at index (0, 1) has an empty interval, from 16384 to 16384 of 65536, so it "
        "cannot be coded: its row is not normalized. Expected values that increase"
    )
    cdf = torch.tensor([0, 16384, 16384, 0], dtype=torch.int16).expand(2, 3, 4)
    refused(ValueError, message, torchac.encode_int16_normalized_cdf, cdf, SYM)
    message += ", or needs_normalization=True, which gives every symbol an interval"
    flat = torch.tensor([0.0, 0.25, 0.25, 1.0]).expand(2, 3, 4)
    refused(ValueError, message, torchac.encode_float_cdf, flat, SYM, False)
    refused(ValueError, message, torchac.encode_float_cdf, flat, SYM, False, False)


def test_empty_interval_of_the_nearest_symbol() -> None:
    message = (
        "symbol 0 at index (0, 0) has an empty interval, from 0 to 0 of 65536, so it cannot be "
        "coded: its row is not normalized. Expected values that increase, "
        "or needs_normalization=True, which gives every symbol an interval"
    )
    flat = torch.tensor([0.0, 0.0, 0.5, 1.0]).expand(2, 3, 4)
    refused(ValueError, message, torchac.encode_float_cdf, flat, SYM - 9, False, False)


def test_not_a_number() -> None:
    message = (
        "CDF value nan at index (1, 2, 1) cannot be converted: expected finite numbers in [0, 1]"
    )
    cdf = with_value(torch.nan)
    refused(ValueError, message, torchac.encode_float_cdf, cdf, SYM)
    refused(ValueError, message, torchac.quantize_cdf, cdf)


@pytest.mark.parametrize("infinity", ["inf", "-inf"])
def test_infinity(infinity: str) -> None:
    message = (
        f"CDF value {infinity} at index (1, 2, 1) cannot be converted: "
        "expected finite numbers in [0, 1]"
    )
    cdf = with_value(float(infinity))
    refused(ValueError, message, torchac.encode_float_cdf, cdf, SYM, check_input_bounds=True)
    refused(ValueError, message, torchac.encode_float_cdf, cdf, SYM, check_input_bounds=False)


def test_not_a_number_while_decoding() -> None:
    message = (
        "CDF value nan at index (1, 2, 0) cannot be converted: expected finite numbers in [0, 1]"
    )
    refused(ValueError, message, torchac.decode_float_cdf, with_value(torch.nan, 0), STREAM)


@pytest.mark.parametrize(("column", "value"), [(0, -0.5), (1, 1.5), (3, 2.0)])
def test_value_outside_0_and_1(column: int, value: float) -> None:
    message = f"CDF value {value} at index (1, 2, {column}) is outside [0, 1]"
    cdf = with_value(value, column)
    refused(ValueError, message, torchac.encode_float_cdf, cdf, SYM, check_input_bounds=True)


def test_decreasing_row() -> None:
    message = (
        "CDF value 0.5 at index (1, 2, 2) converts to 32768 of 65536, less than the value before "
        "it, 0.75, which converts to 49151: expected rows that do not decrease"
    )
    cdf = with_value(0.75)
    refused(ValueError, message, torchac.encode_float_cdf, cdf, SYM, check_input_bounds=True)


def test_row_that_wraps_without_normalization() -> None:
    message = (
        "CDF value 1.0 at index (1, 2, 2) converts to 0 of 65536, less than the value before it, "
        "0.25, which converts to 16384: expected rows that do not decrease, "
        "or needs_normalization=True, which gives every symbol an interval"
    )
    cdf = with_value(1.0, 2)
    refused(ValueError, message, torchac.encode_float_cdf, cdf, SYM, False, True)


@pytest.mark.parametrize("shape", [(1,), (3, 1), (2, 32770), ()])
def test_lp_out_of_range(shape: tuple[int, ...]) -> None:
    message = (
        f"cdf_float has shape {shape}: "
        "expected (N1, …, Nm, Lp) with 2 <= Lp <= 32769 values in each row"
    )
    refused(ValueError, message, torchac.encode_float_cdf, torch.zeros(shape), SYM)
    refused(ValueError, message, torchac.decode_float_cdf, torch.zeros(shape), STREAM)


def test_tensors_on_different_devices() -> None:
    message = "sym is on meta and the CDF on cpu: expected one device"
    refused(ValueError, message, torchac.encode_float_cdf, CDF, SYM.to("meta"))


def test_tensors_without_data() -> None:
    message = "cdf_float is a torch.strided tensor on meta: expected a dense one with data"
    refused(ValueError, message, torchac.encode_float_cdf, CDF.to("meta"), SYM.to("meta"))
    message = "sym is a torch.sparse_coo tensor on cpu: expected a dense one with data"
    refused(ValueError, message, torchac.encode_float_cdf, CDF, SYM.to_sparse())


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")
def test_nested_tensors() -> None:
    message = "cdf_float is a nested tensor on cpu: expected a dense one with data"
    nested = torch.nested.nested_tensor([CDF[0], CDF[1]])
    refused(ValueError, message, torchac.encode_float_cdf, nested, SYM)


@pytest.mark.parametrize("left", [0, 8])
def test_tensors_whose_memory_was_given_back(left: int) -> None:
    """As sharded models do with the parameters that they do not need for now."""
    message = "is a torch.strided tensor on cpu: expected a dense one with data"
    cdf, sym = CDF.clone(), SYM.clone()
    transposed = cdf.mT
    for tensor in (cdf, sym):
        tensor.untyped_storage().resize_(left)
    refused(ValueError, f"cdf_float {message}", torchac.encode_float_cdf, cdf, SYM)
    refused(ValueError, f"cdf_float {message}", torchac.decode_float_cdf, transposed, STREAM)
    refused(ValueError, f"sym {message}", torchac.encode_float_cdf, CDF, sym)
    refused(ValueError, f"cdf_float {message}", torchac.quantize_cdf, cdf)
    refused(ValueError, f"pmf {message}", torchac.cdf.from_pmf, cdf)


def test_flags_that_are_none() -> None:
    message = "needs_normalization is of type Tensor: expected a bool"
    refused(TypeError, message, torchac.encode_float_cdf, CDF, SYM, SYM)
    message = "check_input_bounds is of type str: expected a bool"
    refused(TypeError, message, torchac.encode_float_cdf, CDF, SYM, True, "no")


def test_no_symbols() -> None:
    """No position can be named."""
    assert torchac.decode_float_cdf(CDF[:0], b"").shape == (0, 3)
    message = "CDF value 1.5 at index (0, 1) is outside [0, 1]"
    tables, nothing = torch.tensor([[0.0, 1.5, 1.0]]), SYM[:0]
    kwargs = {"index": nothing, "check_input_bounds": True}
    refused(ValueError, message, torchac.encode_float_cdf, tables, nothing, **kwargs)


def test_stream_that_ends_too_early() -> None:
    message = "the stream ends before its symbols do: 0 of 6 symbols are in it"
    refused(torchac.CorruptStreamError, message, torchac.decode_float_cdf, CDF, b"")
    refused(torchac.CorruptStreamError, message, torchac.decode_int16_normalized_cdf, INT_CDF, b"")
    assert issubclass(torchac.CorruptStreamError, ValueError)


def test_stream_that_contradicts_the_rows() -> None:
    """A row that starts at 0.5 leaves the lower half of the code space to no symbol."""
    message = (
        "the stream contradicts the CDF at index (0,): no symbol of that row can have been "
        "written there, so it is damaged or was written with another CDF"
    )
    cdf = torch.tensor([[0.5, 0.75, 1.0]])
    refused(torchac.CorruptStreamError, message, torchac.decode_float_cdf, cdf, b"\x00" * 8)
    integers = torchac.quantize_cdf(cdf)
    decode = torchac.decode_int16_normalized_cdf
    refused(torchac.CorruptStreamError, message, decode, integers, b"\x00" * 8)
    assert decode(integers, b"\xff" * 8).tolist() == [1]
