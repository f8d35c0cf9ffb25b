"""Tensors and arrays: their dtypes, and views of them for the core, for torch and for users."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar, overload

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
INT32_MIN, INT32_MAX = -(1 << 31), (1 << 31) - 1
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
NUMBERS: dict[Any, Any] = FLOAT_ROWS | INTEGERS
BYTES = dict.fromkeys(_dtypes("uint8"))
BOOLS: dict[Any, Any] = {
    torch.bool: torch.uint8,
    np.dtype(bool): np.uint8,
}  # and what they are read as
SYMBOLS = INTEGERS | BOOLS


def view(array: Array) -> NDArray:
    """The elements as NumPy sees them, in place; copied if they are on another device.

    NumPy has no bfloat16: such tensors are seen as the int16 of the same bits. What is expanded is
    copied once. The result is an object of its own, so that no other thread can give it another
    shape while it is worked on.
    """
    if isinstance(array, np.ndarray):
        return array.view(np.ndarray)
    if array.dtype is torch.bfloat16:
        array = array.detach().resolve_neg().view(torch.int16)
    try:
        return array.numpy()
    except (RuntimeError, TypeError):  # it is in a graph, elsewhere, or negated lazily
        if on_host(array):
            return array.numpy(force=True)
    return np.broadcast_to(once(array).numpy(force=True), array.shape)


def once(array: Any) -> Any:
    """The elements without those that are there again, as it is expanded."""
    slices = slices_once([array], array.ndim)
    return array if slices is None else array[slices]


def slices_once(arrays: Sequence[Array], dimensions: int) -> tuple[slice, ...] | None:
    """An index that leaves one element where all arrays are expanded along a dimension.

    None if they are along no dimension.
    """
    steps = [a.strides if isinstance(a, np.ndarray) else a.stride() for a in arrays]
    expanded = [not any(step[d] for step in steps) for d in range(dimensions)]
    return tuple(slice(1) if e else slice(None) for e in expanded) if any(expanded) else None


def broadcast(name: str, array: Array, shape: tuple[int, ...]) -> Array:
    """The elements in another shape, in place."""
    try:
        return (
            array.expand(shape)
            if isinstance(array, torch.Tensor)
            else np.broadcast_to(array, shape)
        )
    except (RuntimeError, ValueError):
        raise ValueError(
            f"{name} has shape {tuple(array.shape)}: expected one that broadcasts to {shape}"
        ) from None


def take(array: Array, numbers: torch.Tensor) -> Array:
    """Some elements of the first dimension, which stay expanded where they are."""
    stored = once(array)
    if len(stored) == len(array):
        stored = like(as_tensor(stored)[numbers.to(device_of(array))], array)
    shape = (len(numbers), *array.shape[1:])
    return stored if stored.shape == shape else broadcast("the elements", stored, shape)


def numbers(array: Array) -> _core.Numbers:
    """The elements as the core reads numbers of any type."""
    return _core.Numbers(view(array), array.dtype is torch.bfloat16)


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


def comparable(array: Array) -> torch.Tensor:
    """The elements as torch can compare them, which it cannot do with most unsigned integers."""
    tensor = as_tensor(array)
    if str(tensor.dtype) in ("torch.uint16", "torch.uint32", "torch.uint64"):
        return tensor.to(CPU, torch.float64)
    return tensor


def on_host(array: Array) -> bool:
    """Whether the elements lie in memory that the core can read."""
    return isinstance(array, np.ndarray) or array.is_cpu


@overload
def like(result: Array, argument: torch.Tensor, /) -> torch.Tensor: ...
@overload
def like(result: Array, argument: NDArray, /) -> NDArray: ...
@overload
def like(result: Array, *arguments: ArrayT) -> ArrayT: ...
def like(result: Any, *arguments: Any) -> Any:
    """The result as an array, if an argument is one; else as a tensor on the arguments' device.

    Results that are float64 become float32 on devices that have no float64.
    """
    for argument in arguments:
        if isinstance(argument, np.ndarray):
            return result if isinstance(result, np.ndarray) else result.numpy()
    if not isinstance(result, np.ndarray):
        return result
    device = CPU
    for argument in arguments:
        if not argument.is_cpu:
            device = argument.device
            break
    if (
        result.itemsize == 8
        and result.dtype.kind == "f"
        and widest_float(device) is not torch.float64
    ):
        result = result.astype(np.float32)
    tensor = torch.from_numpy(result)
    return tensor if device is CPU else tensor.to(device)


@cache
def widest_float(device: torch.device) -> torch.dtype:
    """float64, or float32 on devices that have none, as those of Apple and some of Intel."""
    one = torch.ones(1, dtype=torch.float32, device=device)  # fails if the reason is another one
    try:
        one.to(torch.float64).add(1)
    except (RuntimeError, TypeError):
        return torch.float32
    return torch.float64


def device_of(array: Array) -> torch.device:
    """Where it lies."""
    return CPU if isinstance(array, np.ndarray) else array.device
