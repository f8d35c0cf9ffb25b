"""Files of exact networks. docs/exact.md, "Files", defines them.

magic, version          5 bytes
length of the text      8 bytes
the text                the network's description and, for each tensor, its dtype and shape
tensors                 concatenated, little-endian
CRC-32                  4 bytes, of all bytes before
"""

from __future__ import annotations

import json
import math
import zlib
from typing import Any

import numpy as np
import torch

from torchac import _storage
from torchac._storage import File
from torchac._tensors import NDArray
from torchac.errors import CorruptStreamError
from torchac.exact._network import Network
from torchac.exact._operations.base import are_integers, expect
from torchac.exact._program import parse, tensors_of

MAGIC = b"\x89tax"  # no text begins like this
VERSION = 1
_HEAD = len(MAGIC) + 1 + 8
_CRC = 4
_DTYPES: dict[str, Any] = {"float32": np.dtype("<f4"), "float64": np.dtype("<f8")}


def save(module: Network, file: File) -> None:
    """Writes an exact network to a file, from which other machines compute the same numbers.

    Args:
        module: A network of `convert`.
        file: A path, or a file object to write bytes to. At a path the file appears only when it is
            complete.

    Raises:
        TypeError: `module` is not an exact network, or `file` is neither.
        OSError: The file cannot be written.

    Example:
        See `convert`.
    """
    if not isinstance(module, Network):
        raise TypeError(
            f"module is of type {type(module).__name__}: expected what torchac.exact.convert gives"
        )
    entries: list[Any] = []
    data: list[bytes] = []
    known: dict[Any, int] = {}
    for _, tensor in tensors_of(module._steps):
        array: NDArray = tensor.cpu().numpy()
        with np.errstate(over="ignore"):
            single = array.astype(np.float32)
        name = "float32" if (single == array).all() else "float64"
        content = array.astype(_DTYPES[name]).tobytes()
        if (name, array.shape, content) in known:
            entries.append(known[name, array.shape, content])  # the same again
            continue
        known[name, array.shape, content] = len(data)
        entries.append([name, list(array.shape)])
        data.append(content)
    program = module.program.cpu().numpy().tobytes().decode()
    text = json.dumps({"program": program, "tensors": entries}, separators=(",", ":")).encode()
    content = b"".join((MAGIC, bytes([VERSION]), len(text).to_bytes(8, "little"), text, *data))
    content += zlib.crc32(content).to_bytes(_CRC, "little")
    _write(file, content)


def load(file: File) -> Network:
    """Reads an exact network from a file.

    Exactness is proved again, so a file cannot only claim it. The file contains no code, and needs
    only the classes of `torchac.exact`.

    Args:
        file: A path, or a file object to read bytes from, up to its end.

    Returns:
        The network, on the CPU.

    Raises:
        TypeError: `file` is neither.
        CorruptStreamError: The file is not one of `save`, is incomplete or damaged, or holds a
            network that is not exact.
        OSError: The file cannot be read.

    Example:
        See `convert`.
    """
    data, _ = _storage.read(file)
    if data[: len(MAGIC)] != MAGIC:
        start = bytes(data[: len(MAGIC)])
        raise CorruptStreamError(
            f"this is not a file of torchac.exact.save: it begins with {start!r}"
        )
    if len(data) > len(MAGIC) and data[len(MAGIC)] != VERSION:
        raise CorruptStreamError(
            f"the file has version {data[len(MAGIC)]}, this release of torchac reads {VERSION}: "
            "a later release wrote it, or it is damaged"
        )
    if len(data) < _HEAD + _CRC:
        raise CorruptStreamError("the file ends within its head: it is not complete")
    if zlib.crc32(data[:-_CRC]).to_bytes(_CRC, "little") != data[-_CRC:]:
        raise CorruptStreamError("the file is not complete, or damaged")
    try:
        return _network(data[len(MAGIC) + 1 : -_CRC])
    except (ValueError, TypeError, KeyError, RuntimeError, RecursionError, OverflowError) as error:
        raise CorruptStreamError(f"the file does not hold an exact network: {error}") from None


def _network(data: memoryview) -> Network:
    """The network after the head of a file. Everything in it is checked."""
    size = int.from_bytes(data[:8], "little")
    expect(size <= len(data) - 8, "its text is longer than the file")
    text = json.loads(bytes(data[8 : 8 + size]))
    expect(
        isinstance(text, dict) and set(text) == {"program", "tensors"}, "its text has no program"
    )
    expect(
        isinstance(text["program"], str) and isinstance(text["tensors"], list),
        "its text has no program",
    )
    program = parse(text["program"].encode())
    expect(len(text["tensors"]) == len(program.names), "it has other tensors than its steps")
    at = 8 + size
    stored: list[torch.Tensor] = []
    tensors: list[torch.Tensor] = []
    for entry in text["tensors"]:
        if isinstance(entry, int):
            expect(
                0 <= entry < len(stored),
                f"a tensor is the same as number {entry}, of {len(stored)} before",
            )
            tensors.append(stored[entry])
            continue
        expect(
            isinstance(entry, list) and len(entry) == 2 and entry[0] in _DTYPES,
            f"a tensor is {entry!r}",
        )
        dtype, shape = _DTYPES[entry[0]], entry[1]
        expect(
            are_integers(shape, 0, 1 << 40) and len(shape) <= 16,
            f"a tensor has the shape {shape!r}",
        )
        end = at + math.prod(shape) * dtype.itemsize
        expect(end <= len(data), "its tensors are longer than the file")
        array: NDArray = np.frombuffer(data[at:end], dtype).reshape(shape)
        with np.errstate(invalid="ignore"):  # NaN is refused by what has the tensor
            stored.append(torch.from_numpy(array.astype(np.float64)))
        tensors.append(stored[-1])
        at = end
    expect(at == len(data), "it has bytes after its last tensor")
    return Network(*program.build(tensors))


def _write(file: File, content: bytes) -> None:
    output = _storage.Output(file)
    try:
        output.write(content)
        output.commit()
    except BaseException:
        output.abandon()
        raise
