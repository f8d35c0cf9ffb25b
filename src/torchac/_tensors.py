"""The one place that checks what users pass, and turns it into views for the core."""

from __future__ import annotations

import math
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias, TypeVar, overload

import numpy as np
import numpy.typing as npt
import torch

from torchac import _core
from torchac._core import RowType

if TYPE_CHECKING:
    from typing_extensions import Buffer

NDArray: TypeAlias = npt.NDArray[Any]
Array: TypeAlias = torch.Tensor | NDArray
ArrayT = TypeVar("ArrayT", torch.Tensor, NDArray)
Symbols: TypeAlias = Array | int | np.integer[Any] | np.bool_
"""A number is one symbol, for a CDF of shape `(Lp,)`."""

Stream: TypeAlias = "Buffer | Array"
"""Bytes in any memory: a buffer of bytes, or uint8 in one dimension of an array or a tensor."""

CPU, META = torch.device("cpu"), torch.device("meta")
MIN_LP = 2
MAX_LP = 32769  # the symbols 0 … 32767 are what an int16 result can hold
MAX_TABLES = (1 << 32) - 1  # the core counts them in 32 bits


def _dtypes(*names: str) -> list[Any]:
    """The dtypes of those names in NumPy and in this release of torch (2.0 has no uint16)."""
    candidates = [np.dtype(name) for name in names] + [getattr(torch, n, None) for n in names]
    return [dtype for dtype in candidates if dtype is not None]


FLOAT_ROWS = {
    **dict.fromkeys(_dtypes("float32"), RowType.FLOAT32),
    **dict.fromkeys(_dtypes("float64"), RowType.FLOAT64),
    **dict.fromkeys(_dtypes("float16"), RowType.FLOAT16),
    torch.bfloat16: RowType.BFLOAT16,
}
INT16_ROWS = dict.fromkeys(_dtypes("int16", "uint16"), RowType.INT16)
ANY_ROWS = FLOAT_ROWS | INT16_ROWS
INTEGERS = dict.fromkeys(
    _dtypes("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
)
BYTES = dict.fromkeys(_dtypes("uint8"))
BOOLS: dict[Any, Any] = {
    torch.bool: torch.uint8,
    np.dtype(bool): np.uint8,
}  # and what they are read as
SYMBOLS = INTEGERS | BOOLS
_NUMBERS = (int, np.integer, np.bool_)


class Rows(NamedTuple):
    """The rows of a CDF, checked: one for each symbol, or shared ones, tables."""

    cdf: Array
    normalize: bool
    table: Array | None  # where rows are shared: which one each symbol has
    shape: tuple[int, ...]  # of the symbols
    row_type: RowType

    @property
    def symbols(self) -> int:
        """Size of the alphabet."""
        return int(self.cdf.shape[-1]) - 1

    @property
    def is_float(self) -> bool:
        return self.row_type is not RowType.INT16

    def view(self) -> _core.Cdf:
        """The rows for the core; a CDF on another device is copied to this one."""
        index = None if self.table is None else view(self.table)
        return _core.Cdf(view(self.cdf), self.row_type, self.normalize, index)


def float_rows(cdf: Array, needs_normalization: bool, index: Array | None) -> Rows:
    """Checks a CDF of floats."""
    return _rows("cdf_float", cdf, needs_normalization, index, FLOAT_ROWS)


def int16_rows(cdf: Array, index: Array | None) -> Rows:
    """Checks a CDF of 16-bit integers."""
    return _rows("cdf_int", cdf, False, index, INT16_ROWS)


def any_rows(cdf: Array, needs_normalization: bool, index: Array | None) -> Rows:
    """Checks a CDF of either."""
    return _rows("cdf", cdf, needs_normalization, index, ANY_ROWS)


def _rows(
    name: str, cdf: Array, normalize: bool, index: Array | None, allowed: dict[Any, RowType]
) -> Rows:
    check_array(name, cdf)
    check_elements(name, cdf)
    check_dtype(name, cdf, allowed)
    cdf = _plain(cdf)
    normalize = check_flag("needs_normalization", normalize)
    row_type = allowed[cdf.dtype]
    shape = tuple(cdf.shape)
    if not shape or not MIN_LP <= shape[-1] <= MAX_LP:
        raise ValueError(
            f"{name} has shape {shape}: expected (N1, …, Nm, Lp) "
            f"with {MIN_LP} <= Lp <= {MAX_LP} values in each row"
        )
    if index is None:
        return Rows(cdf, normalize, None, shape[:-1], row_type)
    index = _check_integers("index", index, name, cdf, INTEGERS)
    if len(shape) != 2:
        raise ValueError(f"{name} has shape {shape}: expected (K, Lp), K tables, with index")
    if shape[0] > MAX_TABLES:
        raise ValueError(f"{name} has {shape[0]} tables: expected {MAX_TABLES} or fewer")
    return Rows(cdf, normalize, index, tuple(index.shape), row_type)


def check_symbols(sym: Symbols, rows: Rows) -> Array:
    """The symbols to be coded with `rows`, checked, except that they are in the alphabet."""
    if not isinstance(sym, torch.Tensor) and rows.shape == () and isinstance(sym, _NUMBERS):
        sym = _single_symbol(int(sym), rows)
    symbols = _check_integers("sym", sym, "the CDF", rows.cdf, SYMBOLS)
    if symbols.shape != rows.shape:
        whose = "rows of the CDF" if rows.table is None else "index"
        raise ValueError(
            f"shape of sym {tuple(symbols.shape)} must match the {whose}: expected {rows.shape}"
        )
    bits = BOOLS.get(symbols.dtype)
    return symbols if bits is None else symbols.view(bits)


def _single_symbol(symbol: int, rows: Rows) -> Array:
    try:
        array = np.array(symbol, np.uint64 if symbol >= 1 << 63 else np.int64)
    except OverflowError:
        raise ValueError(f"symbol {symbol} is outside the alphabet: {alphabet(rows)}") from None
    return array if on_host(rows.cdf) else like(array, rows.cdf)


def alphabet(rows: Rows) -> str:
    """What symbols may be."""
    return f"rows of {rows.symbols + 1} values allow symbols 0 … {rows.symbols - 1}"


# Zero bytes that a numpy.bytes_ gets back. How many it had cannot be seen. A stream has many at its
# end where the range lay around the middle of the code space for long, and decoding asks for as
# many. So many take a stream of millions of bits that say nothing; if there were more, decoding
# says that the stream ends too early.
_LOST_ZEROS = 1 << 20


def check_stream(byte_stream: Stream, shape: tuple[int, ...] | None = None) -> Buffer:
    """The stream as a buffer of bytes, without a copy unless it has gaps or is elsewhere.

    `shape` is that of the symbols to be decoded, if it is known.
    """
    if type(byte_stream) is bytes:
        return byte_stream
    if isinstance(byte_stream, (np.ndarray, torch.Tensor)):
        return _bytes_of_array(byte_stream, shape)
    if isinstance(byte_stream, np.bytes_) and byte_stream:  # no stream is all zeros
        # A symbol takes 18 bits at most.
        lost = _LOST_ZEROS if shape is None else min(_LOST_ZEROS, 3 * math.prod(shape) + 8)
        padded = np.zeros(len(byte_stream) + lost, np.uint8)
        padded[: len(byte_stream)] = memoryview(byte_stream)
        return padded.data
    if isinstance(byte_stream, (bytes, bytearray)):
        return byte_stream
    return _bytes_of_buffer(byte_stream)


def _bytes_of_array(array: Array, shape: tuple[int, ...] | None) -> Buffer:
    check_array("byte_stream", array)
    check_elements("byte_stream", array)
    if isinstance(array, np.ndarray) and array.ndim == 0:
        return check_stream(array[()], shape)  # an item of an array of streams
    if array.dtype not in BYTES or array.ndim != 1:
        raise ValueError(
            f"byte_stream has dtype {array.dtype} and shape {tuple(array.shape)}: "
            "expected uint8 in one dimension"
        )
    return np.ascontiguousarray(view(array)).data


def _bytes_of_buffer(buffer: Any) -> Buffer:
    try:
        seen = memoryview(buffer)
    except TypeError:
        raise TypeError(
            f"byte_stream is of type {type(buffer).__name__}: "
            "expected bytes, or another buffer or array of them"
        ) from None
    if seen.format not in ("B", "b", "c") and not isinstance(buffer, memoryview):
        raise ValueError(
            f"byte_stream is of type {type(buffer).__name__}, with items of format {seen.format}: "
            "expected bytes, or a memoryview of it, whose bytes are taken"
        )
    return seen.cast("B") if seen.c_contiguous and seen.nbytes > 0 else bytes(seen)


def view(array: Array) -> NDArray:
    """The elements as NumPy sees them, in place; copied if they are on another device.

    NumPy has no bfloat16: such tensors are seen as the int16 of the same bits. What is expanded is
    copied once. The result is an object of its own, so that no other thread can give it another
    shape while it is worked on.
    """
    if isinstance(array, np.ndarray):
        return array.view(np.ndarray)
    if array.dtype is torch.bfloat16:
        array = array.detach().view(torch.int16)
    try:
        return array.numpy()
    except (RuntimeError, TypeError):  # it is in a graph, elsewhere, or negated lazily
        if on_host(array):
            return array.numpy(force=True)
    once = array[tuple(slice(1) if step == 0 else slice(None) for step in array.stride())]
    return np.broadcast_to(once.numpy(force=True), array.shape)


def as_tensor(array: Array) -> torch.Tensor:
    """The elements as torch sees them, in place unless torch has no such layout or dtype."""
    if not isinstance(array, np.ndarray):
        return array.detach()
    if array.dtype.kind == "u" and array.itemsize > 1 and not hasattr(torch, "uint16"):
        array = np.minimum(array, np.iinfo(np.int64).max).astype(np.int64)  # torch 2.0
    fits = all(stride >= 0 and stride % array.itemsize == 0 for stride in array.strides)
    if not (fits and array.flags.aligned and array.flags.writeable):
        array = array.copy()
    return torch.from_numpy(array)


def on_host(array: Array) -> bool:
    """Whether the elements lie in memory that the core can read."""
    return isinstance(array, np.ndarray) or array.is_cpu


@overload
def like(result: NDArray, cdf: torch.Tensor) -> torch.Tensor: ...
@overload
def like(result: NDArray, cdf: NDArray) -> NDArray: ...
def like(result: NDArray, cdf: Array) -> Array:
    """A result as the kind of array, and on the device, that the CDF is."""
    if isinstance(cdf, np.ndarray):
        return result
    return torch.from_numpy(result).to(cdf.device)


@cache
def widest_float(device: torch.device) -> torch.dtype:
    """float64, or float32 on devices that have none, as those of Apple and some of Intel."""
    one = torch.ones(1, dtype=torch.float32, device=device)  # fails if the reason is another one
    try:
        one.to(torch.float64).add(1)
    except (RuntimeError, TypeError):
        return torch.float32
    return torch.float64


def check_flag(name: str, value: Any) -> bool:
    """A yes or no, as a bool."""
    if not isinstance(value, (bool, int, np.bool_)):
        raise TypeError(f"{name} is of type {type(value).__name__}: expected a bool")
    return bool(value)


def check_truth(name: str, value: Any) -> bool:
    """Whatever is true or not, as the old package took it, but for what is no flag."""
    if type(value) is not bool and isinstance(value, (np.ndarray, torch.Tensor, str, bytes)):
        raise TypeError(f"{name} is of type {type(value).__name__}: expected a bool")
    return bool(value)


def check_array(name: str, array: Any) -> None:
    """Checks that it is a tensor or an array, and all of it."""
    if type(array) is torch.Tensor or type(array) is np.ndarray:
        return
    if not isinstance(array, (np.ndarray, torch.Tensor)):
        raise TypeError(
            f"{name} is of type {type(array).__name__}: expected a torch.Tensor or a numpy.ndarray"
        )
    if isinstance(array, np.ma.MaskedArray):
        raise TypeError(
            f"{name} is a masked array, whose mask would be lost: "
            f"expected a plain one, such as {name}.compressed() or {name}.filled(value)"
        )


def check_elements(name: str, array: Array) -> None:
    """A tensor may have a shape and nothing behind it, or not all elements."""
    if isinstance(array, np.ndarray) or _has_elements(array):
        return
    raise ValueError(f"{name} is {_without_elements(name, array)}")


def _without_elements(name: str, tensor: torch.Tensor) -> str:
    kind = type(tensor).__name__
    if _is_transformed(tensor):
        return (
            "inside of torch.vmap or torch.func, where it has no values: call this function outside"
        )
    if kind == "FakeTensor":
        return "a FakeTensor, which has no values: call this function outside of FakeTensorMode"
    if hasattr(tensor, "full_tensor"):
        return f"a {kind}, of which this process has a part: expected {name}.full_tensor()"
    if type(tensor) in (torch.Tensor, torch.nn.Parameter):
        kind = "nested" if tensor.is_nested else str(tensor.layout)
    return f"a {kind} tensor on {tensor.device}: expected a dense one with data"


def _is_transformed(tensor: torch.Tensor) -> bool:
    functorch: Any = torch._C._functorch
    return bool(functorch.is_batchedtensor(tensor) or functorch.is_gradtrackingtensor(tensor))


def _has_elements(tensor: torch.Tensor) -> bool:
    if tensor.is_nested or tensor.layout is not torch.strided:
        return False
    try:
        storage = tensor.untyped_storage()
        if storage.device == META:  # a fake tensor says that it is elsewhere, and warns of data_ptr
            return False
        address = tensor.data_ptr()
    except RuntimeError:  # some devices say nothing of their memory
        return not tensor.is_cpu and not _is_transformed(tensor)
    # Memory may have been given back, all of it or the end, as sharded models do.
    needed = tensor.numel()
    if needed > 0 and not tensor.is_contiguous():
        steps = zip(tensor.shape, tensor.stride(), strict=True)
        needed = 1 + sum((size - 1) * stride for size, stride in steps)
    end = (tensor.storage_offset() + needed) * tensor.element_size()
    return needed == 0 or (address != 0 and end <= storage.nbytes())


def check_dtype(name: str, array: Array, allowed: dict[Any, Any]) -> None:
    """Checks the dtype, and says where else such values can go."""
    if array.dtype in allowed:
        return
    names = dict.fromkeys(str(dtype).removeprefix("torch.") for dtype in allowed)
    instead = ""
    if allowed is FLOAT_ROWS and array.dtype in INT16_ROWS:
        instead = f"; {name} of integers is for the int16_normalized_cdf functions"
    if allowed is INT16_ROWS and array.dtype in FLOAT_ROWS:
        instead = f"; {name} of floats is for the float_cdf functions, or for quantize_cdf"
    if isinstance(array, np.ndarray) and array.dtype.newbyteorder("=") in allowed:
        instead = (
            ", in the byte order of this machine: "
            f"{name}.astype({name}.dtype.newbyteorder('=')) has it"
        )
    raise ValueError(f"{name} has dtype {array.dtype}: expected {', '.join(names)}{instead}")


def _check_integers(
    name: str, array: Any, cdf_name: str, cdf: Array, allowed: dict[Any, Any]
) -> Array:
    """The integers that go with a CDF, checked."""
    check_array(name, array)
    if device_of(array) != device_of(cdf):
        raise ValueError(
            f"{name} is on {device_of(array)} and {cdf_name} on {device_of(cdf)}: "
            "expected one device"
        )
    check_elements(name, array)
    check_dtype(name, array, allowed)
    return _plain(array)


def _plain(array: Array) -> Array:
    """Of a subclass of arrays the array, as its indexing may mean something else."""
    if isinstance(array, np.ndarray) and type(array) is not np.ndarray:
        return array.view(np.ndarray)
    return array


def device_of(array: Array) -> torch.device:
    """Where it lies."""
    return CPU if isinstance(array, np.ndarray) else array.device
