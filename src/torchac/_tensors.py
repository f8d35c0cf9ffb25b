"""The one place that checks what users pass, and turns it into views for the core."""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias, TypeVar, overload

import numpy as np
import numpy.typing as npt
import torch

from torchac import _core
from torchac._core import RowType

NDArray: TypeAlias = npt.NDArray[Any]
Array: TypeAlias = torch.Tensor | NDArray
ArrayT = TypeVar("ArrayT", torch.Tensor, NDArray)
Stream: TypeAlias = bytes | bytearray | memoryview

CPU, META = torch.device("cpu"), torch.device("meta")
MIN_LP = 2
MAX_LP = 32769  # the symbols 0 … 32767 are what an int16 result can hold


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
    _check_array(name, cdf)
    check_elements(name, cdf)
    _check_dtype(name, cdf, allowed)
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
    _check_integers("index", index, name, cdf)
    if len(shape) != 2:
        raise ValueError(f"{name} has shape {shape}: expected (K, Lp), K tables, with index")
    return Rows(cdf, normalize, index, tuple(index.shape), row_type)


def check_symbols(sym: Array, rows: Rows) -> None:
    """Checks the symbols to be coded with `rows`, except that they are in the alphabet."""
    _check_integers("sym", sym, "the CDF", rows.cdf)
    if sym.shape != rows.shape:
        whose = "rows of the CDF" if rows.table is None else "index"
        raise ValueError(
            f"shape of sym {tuple(sym.shape)} must match the {whose}: expected {rows.shape}"
        )


def check_stream(byte_stream: Stream) -> Stream:
    """The stream as a buffer of bytes, without a copy unless it has gaps."""
    if not isinstance(byte_stream, (bytes, bytearray, memoryview)):
        raise TypeError(
            f"byte_stream is of type {type(byte_stream).__name__}: "
            "expected bytes, bytearray or memoryview"
        )
    if not isinstance(byte_stream, memoryview):
        return byte_stream
    castable = byte_stream.c_contiguous and byte_stream.nbytes > 0
    return byte_stream.cast("B") if castable else bytes(byte_stream)


def view(array: Array) -> NDArray:
    """The elements as NumPy sees them, in place; copied if they are on another device.

    NumPy has no bfloat16: such tensors are seen as the int16 of the same bits. The result is an
    object of its own, so that no other thread can give it another shape while it is worked on.
    """
    if isinstance(array, np.ndarray):
        return array.view(np.ndarray)
    if array.dtype is torch.bfloat16:
        array = array.detach().view(torch.int16)
    try:
        return array.numpy()
    except (RuntimeError, TypeError):  # it is in a graph, elsewhere, or negated lazily
        return array.numpy(force=True)


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
def like(symbols: NDArray, cdf: torch.Tensor) -> torch.Tensor: ...
@overload
def like(symbols: NDArray, cdf: NDArray) -> NDArray: ...
def like(symbols: NDArray, cdf: Array) -> Array:
    """Decoded symbols as the kind of array, and on the device, that the CDF is."""
    if isinstance(cdf, np.ndarray):
        return symbols
    return torch.from_numpy(symbols).to(cdf.device)


def check_flag(name: str, value: Any) -> bool:
    """A yes or no, as a bool."""
    if not isinstance(value, (bool, int, np.bool_)):
        raise TypeError(f"{name} is of type {type(value).__name__}: expected a bool")
    return bool(value)


def check_optional_flag(name: str, value: Any) -> bool | None:
    """None, or a yes or no as a bool."""
    return None if value is None else check_flag(name, value)


def _check_array(name: str, array: Any) -> None:
    if not isinstance(array, (np.ndarray, torch.Tensor)):
        raise TypeError(
            f"{name} is of type {type(array).__name__}: expected a torch.Tensor or a numpy.ndarray"
        )


def check_elements(name: str, array: Array) -> None:
    """A tensor may have a shape and nothing behind it, or not all elements."""
    if isinstance(array, np.ndarray) or _has_elements(array):
        return
    kind = "nested" if array.is_nested else array.layout
    raise ValueError(f"{name} is a {kind} tensor on {array.device}: expected a dense one with data")


def _has_elements(tensor: torch.Tensor) -> bool:
    if tensor.is_nested or tensor.layout is not torch.strided:
        return False
    try:
        storage = tensor.untyped_storage()
        if storage.device == META:  # a fake tensor says that it is elsewhere, and warns of data_ptr
            return False
        address = tensor.data_ptr()
    except RuntimeError:  # torch.vmap and the like; some devices say nothing of their memory
        return not tensor.is_cpu
    # Memory may have been given back, all of it or the end, as sharded models do.
    needed = tensor.numel()
    if needed > 0 and not tensor.is_contiguous():
        steps = zip(tensor.shape, tensor.stride(), strict=True)
        needed = 1 + sum((size - 1) * stride for size, stride in steps)
    end = (tensor.storage_offset() + needed) * tensor.element_size()
    return needed == 0 or (address != 0 and end <= storage.nbytes())


def _check_dtype(name: str, array: Array, allowed: dict[Any, Any]) -> None:
    if array.dtype in allowed:
        return
    names = dict.fromkeys(str(dtype).removeprefix("torch.") for dtype in allowed)
    instead = ""
    if allowed is FLOAT_ROWS and array.dtype in INT16_ROWS:
        instead = f"; {name} of integers is for the int16_normalized_cdf functions"
    if allowed is INT16_ROWS and array.dtype in FLOAT_ROWS:
        instead = f"; {name} of floats is for the float_cdf functions, or for quantize_cdf"
    raise ValueError(f"{name} has dtype {array.dtype}: expected {', '.join(names)}{instead}")


def _check_integers(name: str, array: Array, cdf_name: str, cdf: Array) -> None:
    """Checks integers that go with a CDF."""
    _check_array(name, array)
    if _device(array) != _device(cdf):
        raise ValueError(
            f"{name} is on {_device(array)} and {cdf_name} on {_device(cdf)}: expected one device"
        )
    check_elements(name, array)
    _check_dtype(name, array, INTEGERS)


def _device(array: Array) -> torch.device:
    return CPU if isinstance(array, np.ndarray) else array.device
