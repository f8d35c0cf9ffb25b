"""One test for each kind of bad input: the exception, and what its message says."""

import io
import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

import torchac

CDF = torch.tensor([0.0, 0.25, 0.5, 1.0]).expand(2, 3, 4)
SYM = torch.tensor([[0, 1, 2], [2, 1, 0]])
STREAM = torchac.encode_float_cdf(CDF, SYM)
INT_CDF = torchac.quantize_cdf(CDF)


def with_value(value: float, column: int = 1) -> torch.Tensor:
    """The CDF with one value changed in row (1, 2)."""
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
    message = "byte_stream is of type str: expected bytes, or another buffer or array of them"
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
        "expected int8, int16, int32, int64, uint8, uint16, uint32, uint64, bool"
    )
    refused(ValueError, message, torchac.encode_float_cdf, CDF, SYM.float())

    refused(
        ValueError, message, torchac.encode_float_cdf, CDF, SYM.float(), check_input_bounds=False
    )
    refused(ValueError, message, torchac.encode_int16_normalized_cdf, INT_CDF, SYM.float())


def written(cdf: Any, sym: Any) -> bytes:
    file = io.BytesIO()
    with torchac.Writer(file) as writer:
        writer.write(cdf, sym)
    return file.getvalue()


def step(cdf: Any, sym: Any, **kwargs: Any) -> bytes:
    encoder = torchac.Encoder()
    encoder.encode(cdf, sym, **kwargs)
    return encoder.finish()


def lockstep(cdf: Any, sym: Any) -> list[bytes]:
    encoder = torchac.BatchEncoder(2)
    encoder.encode(cdf, sym, active=torch.tensor([False, True]))
    return encoder.finish()


# All functions except those of the old package take symbols as floats, like values of models.
TAKE_FLOATS: list[Callable[..., Any]] = [
    torchac.encode,
    step,
    torchac.encode_batch,
    lambda cdf, sym: torchac.encode_batch(list(cdf), list(sym)),
    lambda cdf, sym: torchac.estimate_bits(cdf, sym).tolist(),
    lockstep,
    written,
]


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
@pytest.mark.parametrize("encode", TAKE_FLOATS)
def test_symbols_that_are_whole_floats(encode: Callable[..., Any], dtype: str) -> None:
    expected = encode(CDF, SYM)
    assert encode(CDF, SYM.to(getattr(torch, dtype))) == expected
    if dtype != "bfloat16":
        assert encode(CDF.numpy(), SYM.numpy().astype(dtype)) == expected


@pytest.mark.parametrize("value", [0.5, -0.5, math.nan, math.inf, -math.inf, 1e30, -1e30])
@pytest.mark.parametrize("encode", TAKE_FLOATS)
def test_symbols_that_are_other_floats(encode: Callable[..., Any], value: float) -> None:
    sym = SYM.double()
    sym[1, 2] = value
    message = rf"symbol is {re.escape(str(value))} at index \(.*2,?\): expected a whole number$"
    with pytest.raises(ValueError, match=message):
        encode(CDF, sym)


@pytest.mark.parametrize("value", [3, -1, 2**40])
@pytest.mark.parametrize("encode", TAKE_FLOATS)
def test_floats_out_of_range(encode: Callable[..., Any], value: int) -> None:
    sym = SYM.double()
    sym[1, 0] = value
    message = rf"symbol {value} at index \(.*0,?\) is outside the alphabet: rows of 4 values"
    with pytest.raises(ValueError, match=message):
        encode(CDF, sym)


def test_floats_that_are_clamped() -> None:
    sym = torch.tensor([[-7.0, 1, 2], [9e18, 1, 0]])
    assert step(CDF, sym, clamp=True) == torchac.encode(CDF, sym.clamp(0, 2))


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
    with pytest.warns(UserWarning, match=r"^symbol -9 at index \(0, 0\) is outside"):
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


def test_a_matrix_is_read_as_an_array() -> None:
    message = "symbol 2 at index (1,) is outside the alphabet: rows of 3 values allow symbols 0 … 1"
    with pytest.warns(PendingDeprecationWarning):
        cdf = np.matrix([[0.0, 0.5, 1.0]] * 3)
    refused(ValueError, message, torchac.encode_float_cdf, cdf, np.array([0, 2, 1]))


def test_a_large_symbol_of_an_array_in_a_batch() -> None:
    message = (
        f"item 2: symbol {2**63} at index () is outside the alphabet: "
        "rows of 3 values allow symbols 0 … 1"
    )
    cdf, sym = np.array([[0.0, 0.5, 1.0]] * 3), np.array([0, 1, 2**63], np.uint64)
    refused(ValueError, message, torchac.encode_batch, cdf, sym)


def test_probabilities_in_place_of_a_cdf() -> None:
    message = (
        "CDF value 0.25 at index (1, 2, 1) converts to 16384 of 65536, less than the value before "
        "it, 0.5, which converts to 32766: expected rows that do not decrease. It sums to 1: "
        "if it holds probabilities, torchac.Categorical takes them"
    )
    cdf = CDF.clone()
    cdf[1, 2] = torch.tensor([0.5, 0.25, 0.125, 0.125])
    refused(ValueError, message, torchac.encode_float_cdf, cdf, SYM * 0)
    refused(ValueError, message, torchac.decode_float_cdf, cdf, STREAM)
    refused(ValueError, message, torchac.estimate_bits, cdf, SYM * 0)


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
    """Sharded models free the memory of parameters that they do not need yet."""
    message = "is a torch.strided tensor on cpu: expected a dense one with data"
    cdf, sym = CDF.clone(), SYM.clone()
    transposed = cdf.mT
    for tensor in (cdf, sym):
        tensor.untyped_storage().resize_(left)
    refused(ValueError, f"cdf_float {message}", torchac.encode_float_cdf, cdf, SYM)
    refused(ValueError, f"cdf_float {message}", torchac.decode_float_cdf, transposed, STREAM)
    refused(ValueError, f"sym {message}", torchac.encode_float_cdf, CDF, sym)
    refused(ValueError, f"cdf_float {message}", torchac.quantize_cdf, cdf)
    refused(ValueError, f"probs {message}", torchac.Categorical, probs=cdf)


@pytest.mark.parametrize("flag", [SYM, torch.tensor(True), np.ones(1), "no", b"no"])
def test_flags_that_are_none(flag: Any) -> None:
    message = f"needs_normalization is of type {type(flag).__name__}: expected a bool"
    refused(TypeError, message, torchac.encode_float_cdf, CDF, SYM, flag)
    refused(TypeError, message, torchac.decode_float_cdf, CDF, STREAM, flag)
    refused(TypeError, message, torchac.encode_batch, CDF, SYM, needs_normalization=flag)
    message = f"check_input_bounds is of type {type(flag).__name__}: expected a bool"
    kwargs = {"check_input_bounds": flag}
    refused(TypeError, message, torchac.encode_float_cdf, CDF, SYM, **kwargs)
    refused(TypeError, message, torchac.encode_int16_normalized_cdf, INT_CDF, SYM, **kwargs)


def test_number_for_more_than_one_symbol() -> None:
    message = "sym is of type int: expected a torch.Tensor or a numpy.ndarray"
    refused(TypeError, message, torchac.encode_float_cdf, CDF, 1)


@pytest.mark.parametrize("symbol", [3, -1, 2**63, -(2**63) - 1, 2**200])
def test_number_out_of_range(symbol: int) -> None:
    """Position () says nothing, but it is the position of a symbol without dimensions."""
    at = " at index ()" if -(2**63) <= symbol < 2**64 else ""
    message = f"symbol {symbol}{at} is outside the alphabet: rows of 4 values allow symbols 0 … 2"
    refused(ValueError, message, torchac.encode_float_cdf, CDF[0, 0], symbol)
    refused(ValueError, message, torchac.estimate_bits, CDF[0, 0], symbol)
    refused(ValueError, message, torchac.Encoder().encode, CDF[0, 0], symbol)


def test_bool_out_of_range() -> None:
    message = "symbol 1 at index (1,) is outside the alphabet: rows of 2 values allow symbols 0 … 0"
    cdf = torch.tensor([0.0, 1.0]).expand(2, 2)
    refused(ValueError, message, torchac.encode_float_cdf, cdf, torch.tensor([False, True]))
    refused(ValueError, message, torchac.encode_float_cdf, cdf.numpy(), np.array([False, True]))


def test_bools_for_an_index() -> None:
    """A mask cannot be an index."""
    message = (
        "index has dtype torch.bool: "
        "expected int8, int16, int32, int64, uint8, uint16, uint32, uint64"
    )
    refused(ValueError, message, torchac.encode_float_cdf, CDF[0], SYM, index=SYM > 0)


def test_masked_arrays() -> None:
    cdf, sym = CDF.numpy(), SYM.numpy()
    message = (
        "{0} is a masked array, whose mask would be lost: "
        "expected a plain one, such as {0}.compressed() or {0}.filled(value)"
    )
    encode = torchac.encode_float_cdf
    masked = np.ma.masked_array(sym, sym > 1)
    refused(TypeError, message.format("sym"), encode, cdf, masked)
    refused(TypeError, message.format("index"), encode, cdf[0], sym, index=masked)
    masked = np.ma.masked_array(cdf, cdf > 0.9)
    refused(TypeError, message.format("cdf_float"), encode, masked, sym)
    refused(TypeError, message.format("cdf_float"), torchac.quantize_cdf, masked)
    refused(TypeError, message.format("probs"), torchac.Categorical, probs=masked)


def test_other_byte_order() -> None:
    other = CDF.numpy().dtype.newbyteorder()
    message = (
        f"cdf_float has dtype {other}: expected float32, float64, float16, bfloat16, in the byte "
        "order of this machine: cdf_float.astype(cdf_float.dtype.newbyteorder('=')) has it"
    )
    encode = torchac.encode_float_cdf
    refused(ValueError, message, encode, CDF.numpy().astype(other), SYM.numpy())
    other = SYM.numpy().dtype.newbyteorder()
    message = (
        f"sym has dtype {other}: expected int8, int16, int32, int64, uint8, uint16, uint32, "
        "uint64, bool, in the byte order of this machine: "
        "sym.astype(sym.dtype.newbyteorder('=')) has it"
    )
    refused(ValueError, message, encode, CDF.numpy(), SYM.numpy().astype(other))


def test_tensors_inside_of_transforms() -> None:
    message = "is inside torch.vmap or torch.func, where it has no values: call this function"
    message += " outside"
    cdf = torch.rand(3, 5).sort(-1).values

    def bits(cdf: torch.Tensor, sym: torch.Tensor) -> torch.Tensor:
        return torchac.estimate_bits(cdf, sym).sum()

    refused(ValueError, f"cdf_float {message}", torch.vmap(torchac.quantize_cdf), cdf)
    sym = torch.zeros(3, dtype=torch.int16)
    refused(ValueError, f"sym {message}", torch.vmap(bits, (None, 0)), cdf, sym.expand(2, 3))
    gradient: Any = torch.func.grad(bits)
    refused(ValueError, f"cdf {message}", gradient, cdf, sym)


def test_fake_tensors() -> None:
    message = "is a FakeTensor, which has no values: call this function outside FakeTensorMode"
    mode = FakeTensorMode()
    refused(
        ValueError, f"cdf_float {message}", torchac.encode_float_cdf, mode.from_tensor(CDF), SYM
    )
    refused(ValueError, f"probs {message}", torchac.Categorical, probs=mode.from_tensor(CDF))


@pytest.mark.skipif(not torch.distributed.is_available(), reason="torch was built without it")
def test_distributed_tensors() -> None:
    try:
        from torch.distributed.device_mesh import init_device_mesh
        from torch.distributed.tensor import Replicate, distribute_tensor
    except ImportError:
        pytest.skip("this release of torch has no public DTensor")
    store: Any = torch._C._distributed_c10d.HashStore()
    torch.distributed.init_process_group("gloo", store=store, rank=0, world_size=1)
    try:
        mesh = init_device_mesh("cpu", (1,))
        cdf = distribute_tensor(CDF.contiguous(), mesh, [Replicate()])
        message = "is a DTensor, and this process holds only a part: expected"
        for name, function in (
            ("cdf_float", torchac.quantize_cdf),
            ("probs", torchac.Categorical),
        ):
            arguments = {name: cdf}
            refused(ValueError, f"{name} {message} {name}.full_tensor()", function, **arguments)
    finally:
        torch.distributed.destroy_process_group()


def test_more_tables_than_can_be_counted() -> None:
    message = "cdf_float has 4294967296 tables: expected 4294967295 or fewer"
    tables = torch.linspace(0, 1, 4).expand(2**32, 4)
    refused(ValueError, message, torchac.encode_float_cdf, tables, SYM, index=SYM)
    refused(ValueError, message, torchac.decode_float_cdf, tables, STREAM, index=SYM)
    message = (
        "index 4294967295 at index (0,) is out of range: 4294967295 tables allow 0 … 4294967294"
    )
    index = torch.tensor([2**32 - 1])
    refused(ValueError, message, torchac.encode_float_cdf, tables[1:], SYM[0, :1], index=index)


def test_no_symbols() -> None:
    """The message has no position."""
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
    """A row that starts at 0.5 leaves the lower half of the code space unused."""
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
