"""Checks of arguments: types, dtypes, devices, values. Models check what CDFs mean."""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from torchac import _tensors
from torchac._tensors import (
    BOOLS,
    BYTES,
    CPU,
    FLOAT_ROWS,
    INT16_ROWS,
    INT32_MAX,
    INT32_MIN,
    INTEGERS,
    MAX_LP,
    META,
    MIN_LP,
    NUMBERS,
    Array,
    Stream,
    device_of,
)

if TYPE_CHECKING:
    from typing_extensions import Buffer


def check_flag(name: str, value: Any) -> bool:
    """A yes or no, as a bool."""
    if not isinstance(value, (bool, int, np.bool_)):
        raise TypeError(f"{name} is of type {type(value).__name__}: expected a bool")
    return bool(value)


def check_truth(name: str, value: Any) -> bool:
    """Any truthy or falsy value, as torchac 0.9.3 accepts, except arrays, tensors and strings."""
    if type(value) is not bool and isinstance(value, (np.ndarray, torch.Tensor, str, bytes)):
        raise TypeError(f"{name} is of type {type(value).__name__}: expected a bool")
    return bool(value)


def check_array(name: str, array: Any) -> Any:
    """Checks that it is a tensor or an array without a mask.

    A subclass of `numpy.ndarray` is returned as a plain array, because it may index differently.
    """
    if type(array) is torch.Tensor or type(array) is np.ndarray:
        return array
    if not isinstance(array, (np.ndarray, torch.Tensor)):
        raise TypeError(
            f"{name} is of type {type(array).__name__}: expected a torch.Tensor or a numpy.ndarray"
        )
    if isinstance(array, np.ma.MaskedArray):
        raise TypeError(
            f"{name} is a masked array, whose mask would be lost: "
            f"expected a plain one, such as {name}.compressed() or {name}.filled(value)"
        )
    return array.view(np.ndarray) if isinstance(array, np.ndarray) else array


def check_elements(name: str, array: Array) -> None:
    """Raises if a tensor has a shape, but not all of its elements in memory."""
    if isinstance(array, np.ndarray) or _has_elements(array):
        return
    raise ValueError(f"{name} is {_without_elements(name, array)}")


def _without_elements(name: str, tensor: torch.Tensor) -> str:
    kind = type(tensor).__name__
    if _is_transformed(tensor):
        return "inside torch.vmap or torch.func, where it has no values: call this function outside"
    if kind == "FakeTensor":
        return "a FakeTensor, which has no values: call this function outside FakeTensorMode"
    if hasattr(tensor, "full_tensor"):
        return f"a {kind}, and this process holds only a part: expected {name}.full_tensor()"
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
        if storage.device == META:  # a fake tensor names another device, and data_ptr would warn
            return False
        address = tensor.data_ptr()
    except RuntimeError:  # some devices have no addresses
        return not tensor.is_cpu and not _is_transformed(tensor)
    # All of the memory, or its end, may have been freed, as sharded models do.
    needed = tensor.numel()
    if needed > 0 and not tensor.is_contiguous():
        steps = zip(tensor.shape, tensor.stride(), strict=True)
        needed = 1 + sum((size - 1) * stride for size, stride in steps)
    start, size = tensor.storage_offset(), tensor.element_size()
    has_memory = address != start * size  # a view of no memory has its distance from address 0
    return needed == 0 or (has_memory and (start + needed) * size <= storage.nbytes())


def check_ndim(name: str, array: Array) -> None:
    """Raises if there are more dimensions than old releases of NumPy support."""
    if array.ndim > _MAX_NDIM:
        raise ValueError(f"{name} has {array.ndim} dimensions: expected {_MAX_NDIM} or fewer")


_MAX_NDIM = 32


def check_number(name: str, number: Any) -> float:
    """A number as a float."""
    try:
        return float(number)
    except OverflowError:
        raise ValueError(f"{name} is larger than any float") from None


def check_float(name: str, number: Any) -> float:
    """A number as a float. What only converts to a number, such as a string, is refused."""
    if isinstance(number, (bool, np.bool_)) or not isinstance(
        number, (int, float, np.integer, np.floating)
    ):
        raise TypeError(f"{name} is of type {type(number).__name__}: expected a number")
    return check_number(name, number)


def check_dtype(name: str, array: Array, allowed: dict[Any, Any]) -> Any:
    """The entry of `allowed` for the dtype. If there is none, the error says what takes it."""
    found = allowed.get(array.dtype, allowed)
    if found is not allowed:
        return found
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


def check_integers(
    name: str, array: Any, cdf_name: str, cdf: Array, allowed: dict[Any, Any]
) -> Array:
    """Integers that belong to a CDF, checked. Bools are viewed as integers."""
    integers: Array = check_array(name, array)
    check_device(name, integers, cdf_name, cdf)
    check_elements(name, integers)
    bits = check_dtype(name, integers, allowed)
    return integers if bits is None else integers.view(bits)


def check_device(name: str, array: Array, cdf_name: str, cdf: Array) -> None:
    """Checks that an array is on the device of its CDF."""
    where, there = device_of(array), device_of(cdf)
    if where != there:
        raise ValueError(f"{name} is on {where} and {cdf_name} on {there}: expected one device")


def check_integer(name: str, value: int) -> int:
    """A 32-bit integer of any type, as an int."""
    try:
        integer = operator.index(value)
    except TypeError:
        raise TypeError(f"{name} is of type {type(value).__name__}: expected an int") from None
    if not INT32_MIN <= integer <= INT32_MAX:
        raise ValueError(
            f"{name} is {integer}: expected an integer from {INT32_MIN} to {INT32_MAX}"
        )
    return integer


def check_values(values: Any) -> Array:
    """Values of any numeric dtype. Coding refuses those that are not whole."""
    if type(values) is not torch.Tensor and isinstance(
        values, (bool, int, float, np.integer, np.floating, np.bool_)
    ):
        values = np.array(values)
        if values.dtype.kind == "O":  # beyond 64 bits
            values = np.array(check_number("values", values))
    array: Array = check_array("values", values)
    check_elements("values", array)
    check_ndim("values", array)
    bits = check_dtype("values", array, _NUMBERS_AND_BOOLS)
    return array if bits is None else array.view(bits)


_NUMBERS_AND_BOOLS = dict.fromkeys(NUMBERS) | BOOLS


def check_index(index: Any) -> Array:
    """An index of any integer dtype."""
    array: Array = check_array("index", index)
    check_elements("index", array)
    check_dtype("index", array, INTEGERS)
    return array


def check_rows(name: str, cdf: Any, allowed: dict[Any, Any]) -> Array:
    """Rows of a CDF, with one of these dtypes."""
    rows: Array = check_array(name, cdf)
    check_elements(name, rows)
    check_dtype(name, rows, allowed)
    shape = rows.shape
    if not shape or not MIN_LP <= shape[-1] <= MAX_LP:
        raise ValueError(
            f"{name} has shape {tuple(shape)}: expected (N1, …, Nm, Lp) "
            f"with {MIN_LP} <= Lp <= {MAX_LP} values in each row"
        )
    return rows


def check_batch(name: str, batch: Any, count: int | None = None) -> None:
    """Checks that it is a batch, of `count` items if that is given."""
    if isinstance(batch, (torch.Tensor, np.ndarray)):
        check_elements(name, batch)
        if batch.ndim == 0:
            raise ValueError(f"{name} has shape (): expected (B, …), the items of a batch")
    elif not isinstance(batch, Sequence) or isinstance(batch, (str, bytes, bytearray, memoryview)):
        raise TypeError(f"{name} is of type {type(batch).__name__}: expected the items of a batch")
    if count is not None and len(batch) != count:
        raise ValueError(f"{name} has {len(batch)} items: expected {count}, as many as the others")


def check_parameter(name: str, value: Any, others: Sequence[Any] = ()) -> Array:
    """A parameter as an array. A number becomes one of no dimensions, of the kind of the others.

    Integers become float64. They stay integers on devices without float64: the core reads them on
    the host, and rounds them in the same way.
    """
    if type(value) is not torch.Tensor and isinstance(
        value, (bool, int, float, np.integer, np.floating)
    ):
        device = next((o.device for o in others if isinstance(o, torch.Tensor)), CPU)
        value = check_number(name, value)
        if any(isinstance(o, np.ndarray) for o in others):
            return np.array(value, np.float64)
        if _tensors.widest_float(device) is not torch.float64:
            device = CPU
        return torch.tensor(value, dtype=torch.float64, device=device)
    array: Array = check_array(name, value)
    check_elements(name, array)
    check_ndim(name, array)
    check_dtype(name, array, NUMBERS)
    wide = _tensors.widest_float(device_of(array)) is torch.float64
    if array.dtype not in FLOAT_ROWS and wide:
        floats = _tensors.like(_tensors.as_tensor(_tensors.once(array)).double(), array)
        array = _tensors.broadcast(name, floats, tuple(array.shape))
    return array.detach() if isinstance(array, torch.Tensor) else array


def check_range(name: str, array: Array, low: float, high: float, expected: str) -> float:
    """Raises if a number is NaN, or not from low to high. Returns the least number."""
    tensor = _tensors.comparable(_tensors.once(array))
    if tensor.numel() == 0:
        return math.inf
    least, most = tensor.aminmax()
    if not (low <= least.item() and most.item() <= high):
        wide = _tensors.widest_float(tensor.device)
        exact = tensor.to(wide if tensor.is_floating_point() else torch.int64)
        good = (exact >= low) & (exact <= high)
        require_all(name, tensor, good, expected)
    return float(least.item())


def check_bounds(low: int | None, high: int | None) -> tuple[int, int]:
    """The least and the largest integer. None is no bound."""
    least = INT32_MIN if low is None else check_integer("low", low)
    most = INT32_MAX if high is None else check_integer("high", high)
    if least > most:
        raise ValueError(f"low is {least} and high is {most}: expected low <= high")
    return least, most


def require_all(name: str, values: torch.Tensor, good: torch.Tensor, expected: str) -> None:
    """Raises for the first value that is not good."""
    if not good.all():
        where = tuple(torch.nonzero(~good)[0].tolist())
        raise ValueError(f"{name} is {values[where].item()} at index {where}: expected {expected}")


# The most zero bytes that a numpy.bytes_ gets back: it drops those at its end, and does not tell
# how many there were. A stream ends in many zeros if its range lay around the middle of the code
# space for long. A million of them take millions of bits without information; if there were more,
# decoding says that the stream ends too early.
_LOST_ZEROS = 1 << 20


def check_stream(byte_stream: Stream, shape: tuple[int, ...] | None = None) -> Buffer:
    """The stream as a buffer of bytes, copied only if it has gaps or is on another device.

    `shape` is the shape of the symbols to be decoded, if it is known.
    """
    if type(byte_stream) is bytes:
        return byte_stream
    if isinstance(byte_stream, (np.ndarray, torch.Tensor)):
        return _bytes_of_array(byte_stream, shape)
    if isinstance(byte_stream, np.bytes_) and byte_stream:  # no stream is all zeros
        # A symbol takes at most 18 bits.
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
    return np.ascontiguousarray(_tensors.view(array)).data


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
            "expected bytes, or a memoryview of it, to take its bytes"
        )
    return seen.cast("B") if seen.c_contiguous and seen.nbytes > 0 else bytes(seen)
