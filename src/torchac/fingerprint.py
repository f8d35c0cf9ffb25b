"""Fingerprints of models, by which a file identifies the model that it needs."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch

from torchac import _checks, _tensors
from torchac._tensors import Array, NDArray

__all__ = ["fingerprint"]

BYTES = 8
PIECE = 1 << 20  # bytes to copy at a time, if a copy is needed


def fingerprint(state_dict: Mapping[str, Any]) -> bytes:
    """Eight bytes that differ if a name, a dtype, a shape or a number of a model differs.

    Everything in the mapping counts, including the running statistics of a batch norm, which change
    with each step in training mode. The order of names and the device do not matter, nor do the
    additions of wrappers: `_orig_mod` in names, from `torch.compile`, and `module.` before all
    names, from `DataParallel` and `DistributedDataParallel`. So a network whose only child is
    called `module` has the fingerprint of that child.

    Args:
        state_dict: Tensors or arrays by name, as `torch.nn.Module.state_dict()` gives them, of any
            dtype and layout. The mapping may also hold numbers, strings, bytes, None, dtypes and
            devices of torch, and lists, tuples, sets and mappings of all these.

    Returns:
        A BLAKE2b hash of eight bytes, for `model_id` of `Writer` and `Reader`.

    Raises:
        TypeError: It is not a mapping of names, or has objects of other types, whose bytes may
            differ from one run to the next.
        ValueError: A tensor has no data.

    Example:
        >>> import torch, torchac
        >>> model = torch.nn.Linear(2, 3)
        >>> known = torchac.fingerprint(model.state_dict())
        >>> len(known)
        8
        >>> with torch.no_grad():
        ...     _ = model.bias[0].add_(1)
        >>> torchac.fingerprint(model.state_dict()) == known
        False
    """
    if not isinstance(state_dict, Mapping):
        raise TypeError(
            f"state_dict is of type {type(state_dict).__name__}: "
            "expected a mapping, such as model.state_dict()"
        )
    for name in state_dict:
        if not isinstance(name, str):
            raise TypeError(f"state_dict has the name {name!r}: expected only str")
    result = hashlib.blake2b(digest_size=BYTES)
    try:
        for name, given in sorted(_without_prefixes(list(state_dict)).items()):
            _add(result, name, state_dict[given], f"state_dict[{given!r}]")
    except RecursionError:
        raise ValueError("state_dict has mappings or lists that contain themselves") from None
    return result.digest()


def _without_prefixes(given: list[str]) -> dict[str, str]:
    """The names in the network itself, each with its name in the wrapper."""
    names = [".".join(part for part in name.split(".") if part != "_orig_mod") for name in given]
    while names and all(name.startswith("module.") for name in names):
        names = [name.removeprefix("module.") for name in names]
    return dict(zip(names if len(set(names)) == len(given) else given, given, strict=True))


# Each object is hashed as a line with its name, type and size, followed by its contents.


def _add(result: Any, name: str, value: Any, what: str) -> None:
    if isinstance(value, (torch.Tensor, np.ndarray, np.generic)):
        _add_array(result, name, value, what)
    elif isinstance(value, (list, tuple)):
        _add_parts(result, name, "list", value, what)
    elif isinstance(value, Mapping):
        pairs = sorted((_digest(k, f"a key of {what}"), k, v) for k, v in value.items())
        _add_line(result, name, f"mapping {len(pairs)}")
        for digest, key, part in pairs:
            _add(result, digest, part, f"{what}[{key!r}]")
    elif isinstance(value, (set, frozenset)):
        parts = sorted(_digest(part, f"an element of {what}") for part in value)
        _add_parts(result, name, "set", parts, what)
    elif isinstance(value, torch.ScriptObject):  # such as weights that a library has packed
        packed: Any = value
        _add_parts(result, name, packed._type().name(), [packed.__getstate__()], what)
    else:
        written = _written(value, what)
        _add_line(result, name, f"{type(value).__name__} {len(written)}")
        result.update(written)


def _add_line(result: Any, name: str, line: str) -> None:
    result.update(f"{name!r} {line}\n".encode())


def _add_parts(result: Any, name: str, kind: str, parts: Any, what: str) -> None:
    _add_line(result, name, f"{kind} {len(parts)}")
    for number, part in enumerate(parts):
        _add(result, str(number), part, f"{what}[{number}]")


def _digest(value: Any, what: str) -> str:
    """A key to sort unordered objects by."""
    result = hashlib.blake2b()
    _add(result, "", value, what)
    return result.hexdigest()


def _written(value: Any, what: str) -> bytes:
    if isinstance(value, (bytes, bytearray)):
        return bytes(value)
    if isinstance(value, str):
        return value.encode("utf-8", "surrogatepass")
    if isinstance(value, int):  # bool too
        return hex(value).encode()
    if isinstance(value, float):
        return value.hex().encode()
    if isinstance(value, complex):
        return f"{value.real.hex()} {value.imag.hex()}".encode()
    if value is None or isinstance(value, _OF_TORCH):
        return str(value).encode()
    raise TypeError(
        f"{what} is of type {type(value).__name__}: expected a tensor, an array, a number, a "
        "string, bytes, None, or a list, tuple, set or mapping of these; give what it holds in its "
        "place, or leave it out"
    )


_OF_TORCH = (torch.dtype, torch.device, torch.layout, torch.memory_format, torch.qscheme)


def _add_array(result: Any, name: str, value: Array | np.generic[Any], what: str) -> None:
    array = np.asarray(value) if isinstance(value, np.generic) else value
    dtype = str(array.dtype).removeprefix("torch.")
    parts = _parts(array) if isinstance(array, torch.Tensor) else None
    if parts is not None:
        _add_parts(result, name, dtype, parts, what)
        return
    _checks.check_array(what, array)
    _checks.check_elements(what, array)
    seen = _seen(array)
    if seen.dtype.hasobject or seen.dtype.char in "gG":
        raise TypeError(
            f"{what} has dtype {dtype}, whose bytes may differ from one run to the next: expected "
            f"numbers of 64 bits or fewer, or {what}.tolist()"
        )
    _add_line(result, name, f"{dtype} {tuple(seen.shape)} {seen.nbytes}")
    for piece in _pieces(seen):
        little_endian = piece.astype(piece.dtype.newbyteorder("<"), copy=False)
        result.update(np.ascontiguousarray(little_endian).reshape(-1).view(np.uint8))


def _parts(tensor: torch.Tensor) -> list[Any] | None:
    """The parts of a nested, sparse or quantized tensor; None for others."""
    if tensor.is_nested:
        return list(tensor.unbind())
    layout = tensor.layout
    if layout is torch.strided and not tensor.is_quantized:
        return None
    shape = tuple(tensor.shape)
    if tensor.is_quantized:
        if tensor.qscheme() in (torch.per_tensor_affine, torch.per_tensor_symmetric):
            scale: list[Any] = [tensor.q_scale(), tensor.q_zero_point()]
        else:
            scale = [tensor.q_per_channel_scales(), tensor.q_per_channel_zero_points()]
            scale.append(tensor.q_per_channel_axis())
        return [shape, tensor.int_repr(), tensor.qscheme(), *scale]
    if layout is torch.sparse_coo:
        tensor = tensor.coalesce()
        return [shape, layout, tensor.indices(), tensor.values()]
    if layout in (torch.sparse_csr, torch.sparse_bsr):
        return [shape, layout, tensor.crow_indices(), tensor.col_indices(), tensor.values()]
    if layout in (torch.sparse_csc, torch.sparse_bsc):
        return [shape, layout, tensor.ccol_indices(), tensor.row_indices(), tensor.values()]
    return [shape, layout, tensor.to_dense()]


_OF_SIZE = {1: torch.uint8, 2: torch.int16, 4: torch.int32}


def _seen(array: Array) -> NDArray:
    """The elements as a NumPy view, or as integers with the same bits if NumPy lacks the dtype."""
    try:
        return _tensors.view(array)
    except TypeError:
        assert isinstance(array, torch.Tensor)
        tensor = array.detach().resolve_conj().resolve_neg()
        return _tensors.view(tensor.view(_OF_SIZE[tensor.element_size()]))


def _pieces(array: NDArray) -> Iterator[NDArray]:
    """Cuts an array into parts, so that contiguous copies of them are small."""
    if array.nbytes <= PIECE:
        yield array
        return
    rows = PIECE * len(array) // array.nbytes
    if rows == 0:
        for row in array:
            yield from _pieces(row)
    else:
        for first in range(0, len(array), rows):
            yield array[first : first + rows]
