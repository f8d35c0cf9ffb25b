"""Tensors and arrays: their dtypes, and views of them for the core, for torch and for users."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar, overload

import numpy as np
import numpy.typing as npt
import torch

if TYPE_CHECKING:
    from typing_extensions import Buffer

NDArray: TypeAlias = npt.NDArray[Any]
Array: TypeAlias = torch.Tensor | NDArray
ArrayT = TypeVar("ArrayT", torch.Tensor, NDArray)
Symbols: TypeAlias = Array | int | np.integer[Any] | np.bool_
"""A number is one symbol, for a CDF of shape `(Lp,)`."""

Stream: TypeAlias = "Buffer | Array"
"""Bytes: a buffer of them, or a one-dimensional array or tensor of uint8."""

CPU, META = torch.device("cpu"), torch.device("meta")
MIN_LP = 2
MAX_LP = 32769  # an int16 result can hold the symbols 0 … 32767
INT32_MIN, INT32_MAX = -(1 << 31), (1 << 31) - 1
MAX_TABLES = (1 << 32) - 1  # the core counts them in 32 bits


def _dtypes(*names: str) -> list[Any]:
    """The dtypes with those names in NumPy and in this release of torch (2.0 has no uint16)."""
    candidates = [np.dtype(name) for name in names] + [getattr(torch, n, None) for n in names]
    return [dtype for dtype in candidates if dtype is not None]


FLOAT_ROWS = {
    **{dtype: name for name in ("float32", "float64", "float16") for dtype in _dtypes(name)},
    torch.bfloat16: "bfloat16",
}
INT16_ROWS = dict.fromkeys(_dtypes("int16", "uint16"), "int16")
ANY_ROWS = FLOAT_ROWS | INT16_ROWS
INTEGERS = dict.fromkeys(
    _dtypes("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
)
NUMBERS: dict[Any, Any] = FLOAT_ROWS | INTEGERS
BYTES = dict.fromkeys(_dtypes("uint8"))
BOOLS: dict[Any, Any] = {
    torch.bool: torch.uint8,
    np.dtype(bool): np.uint8,
}  # and the dtypes that they are viewed as
SYMBOLS = INTEGERS | BOOLS


def view(array: Array) -> NDArray:
    """The elements as a NumPy view, copied only if they are on another device.

    NumPy has no bfloat16: the core reads such numbers from the dtype V2, two bytes each. Elements
    that are expanded are copied once. The result is a new object, so no other thread can change its
    shape while it is in use.
    """
    if isinstance(array, np.ndarray):
        return array.view(np.ndarray)
    if array.dtype is torch.bfloat16:
        return view(array.detach().resolve_neg().view(torch.int16)).view("V2")
    try:
        return array.numpy()
    except (RuntimeError, TypeError):  # it needs grad, is on a device, or is lazily negated
        if on_host(array):
            return array.numpy(force=True)
    return np.broadcast_to(once(array).numpy(force=True), array.shape)


def once(array: Any) -> Any:
    """The elements without the repetitions of expanded dimensions."""
    slices = slices_once([array], array.ndim)
    return array if slices is None else array[slices]


def slices_once(arrays: Sequence[Array], dimensions: int) -> tuple[slice, ...] | None:
    """An index that keeps one element of each dimension along which all arrays are expanded.

    None if there is no such dimension.
    """
    steps = [a.strides if isinstance(a, np.ndarray) else a.stride() for a in arrays]
    expanded = [not any(step[d] for step in steps) for d in range(dimensions)]
    return tuple(slice(1) if e else slice(None) for e in expanded) if any(expanded) else None


def broadcast(name: str, array: Array, shape: tuple[int, ...]) -> Array:
    """The elements broadcast to another shape, without a copy."""
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
    """Some elements of the first dimension. Expanded dimensions stay expanded."""
    stored = once(array)
    if len(stored) == len(array):
        stored = like(as_tensor(stored)[numbers.to(device_of(array))], array)
    shape = (len(numbers), *array.shape[1:])
    return stored if stored.shape == shape else broadcast("the elements", stored, shape)


def as_tensor(array: Array) -> torch.Tensor:
    """The elements as a tensor, copied only if torch has no such layout or dtype."""
    if not isinstance(array, np.ndarray):
        return array.detach()
    if array.dtype.kind == "u" and array.itemsize > 1 and not hasattr(torch, "uint16"):
        array = np.minimum(array, np.iinfo(np.int64).max).astype(np.int64)  # torch 2.0
    fits = all(stride >= 0 and stride % array.itemsize == 0 for stride in array.strides)
    if not (fits and array.flags.aligned and array.flags.writeable):
        array = array.copy()
    if array.dtype.kind == "u":  # one of two dtypes of 64 bits is unknown to torch
        array = array.view(array.dtype.str)
    return torch.from_numpy(array)


def comparable(array: Array) -> torch.Tensor:
    """The elements as a tensor that torch can compare: it cannot compare most unsigned integers."""
    tensor = as_tensor(array)
    if str(tensor.dtype) in ("torch.uint16", "torch.uint32", "torch.uint64"):
        return tensor.to(CPU, torch.float64)
    return tensor


def on_host(array: Array) -> bool:
    """Whether the elements are in memory that the core can read."""
    return isinstance(array, np.ndarray) or array.is_cpu


@overload
def like(result: Array, argument: torch.Tensor, /) -> torch.Tensor: ...
@overload
def like(result: Array, argument: NDArray, /) -> NDArray: ...
@overload
def like(result: Array, *arguments: ArrayT) -> ArrayT: ...
def like(result: Any, *arguments: Any) -> Any:
    """The result as an array if an argument is one, else as a tensor on the arguments' device.

    float64 becomes float32 on devices without float64.
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
    """float64, or float32 on devices without it, such as Apple's and some of Intel's."""
    one = torch.ones(1, dtype=torch.float32, device=device)  # raises if the device is unusable
    try:
        one.to(torch.float64).add(1)
    except (RuntimeError, TypeError):
        return torch.float32
    return torch.float64


def device_of(array: Array) -> torch.device:
    """The device of the elements; that of an array is the CPU."""
    return CPU if isinstance(array, np.ndarray) else array.device
