"""Fingerprints of models, for files to say which one they need."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from torchac import _checks, _tensors

__all__ = ["fingerprint"]

BYTES = 8


def fingerprint(state_dict: Mapping[str, Any]) -> bytes:
    """Eight bytes that differ if a name, a dtype, a shape or a number of a model differs.

    The order of names and the device do not matter.

    Args:
        state_dict: Tensors or arrays by name, as `torch.nn.Module.state_dict()` gives them.

    Returns:
        The first eight bytes of a BLAKE2b hash, for `model_id` of `Writer` and `Reader`.

    Raises:
        TypeError: It is no mapping of names to tensors or arrays.
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
    for name in sorted(state_dict):
        tensor = state_dict[name]
        what = f"state_dict[{name!r}]"
        _checks.check_array(what, tensor)
        _checks.check_elements(what, tensor)
        dtype = str(tensor.dtype).removeprefix("torch.")
        array = _tensors.view(tensor)
        # A line for each tensor, which ends in the number of bytes that follow.
        line = f"{name!r} {dtype} {tuple(array.shape)} {array.nbytes}\n"
        result.update(line.encode())
        result.update(array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes())
    return result.digest()
