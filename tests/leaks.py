"""What calls of a few values leave behind: Python's objects, references, and memory of the C heap.

python tests/leaks.py           # a million calls of each kind, in minutes
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import itertools
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

import torchac

LOC, SCALE, VALUES = torch.zeros(3), torch.ones(3), torch.zeros(3, dtype=torch.int32)
WEIGHTS, LOGITS, ARRAY = torch.ones(3, 2), torch.zeros(3, 9), np.zeros(3, np.float32)
ROWS = torch.linspace(0, 1, 5).expand(3, 5).contiguous()
KEPT, NEGATED = torchac.Normal(LOC, SCALE), torch._neg_view(torch.ones(3))
PARTS = [KEPT, torchac.Laplace(LOC, SCALE)]
STREAM = bytes(100)
FINISHED = torchac.Encoder()
FINISHED.finish()
WATCHED = [LOC, SCALE, VALUES, WEIGHTS, LOGITS, ARRAY, ROWS, KEPT, NEGATED, *PARTS, PARTS, STREAM]
WATCHED += [torch.Tensor, np.ndarray, torchac.Normal, torchac.Mixture, torchac.Categorical]


def ring() -> None:
    """A model that holds itself."""
    model = torchac.Normal(LOC, SCALE)
    model.itself = model  # type: ignore[attr-defined]


def twice() -> None:
    model = torchac.Normal(LOC, SCALE)
    model.__init__(SCALE, 2.0)  # type: ignore[misc]


CALLS: dict[str, Callable[[], Any]] = {
    "make": lambda: torchac.Normal(LOC, SCALE),
    "make twice": twice,
    "make by keyword": lambda: torchac.Laplace(loc=LOC, scale=2.0, low=-5, high=None),
    "make of wrong numbers": lambda: torchac.Normal(LOC, -1.0),
    "make of a wrong keyword": lambda: torchac.Normal(LOC, scales=1.0),  # type: ignore[call-arg]
    "look at": lambda: torchac.Normal(LOC, SCALE).loc,
    "ring": ring,
    "encode": lambda: torchac.Encoder().encode(torchac.Normal(LOC, SCALE), VALUES),
    "encode, kept": lambda: torchac.Encoder().encode(KEPT, VALUES),
    "encode, numbers": lambda: torchac.Encoder().encode(torchac.Normal(0.5, 2.0), 7),
    "encode, array": lambda: torchac.Encoder().encode(torchac.Normal(ARRAY, SCALE), VALUES),
    "encode, negated": lambda: torchac.Encoder().encode(torchac.Normal(NEGATED, SCALE), VALUES),
    "encode, halves": lambda: torchac.Encoder().encode(KEPT, SCALE / 2),
    "encode, other shape": lambda: torchac.Encoder().encode(KEPT, LOGITS),
    "encode, finished": lambda: FINISHED.encode(KEPT, VALUES),
    "decode": lambda: torchac.Decoder(STREAM).decode(torchac.Normal(LOC, SCALE)),
    "decode, arrays": lambda: torchac.Decoder(STREAM).decode(torchac.Normal(ARRAY, ARRAY + 1)),
    "decode, no more": lambda: torchac.Decoder(b"").decode(torchac.Normal(LOC, 1000.0)),
    "mixture": lambda: torchac.Encoder().encode(
        torchac.Mixture(WEIGHTS, torchac.Normal(LOC[:, None], 1.0)), VALUES
    ),
    "mixture of a list": lambda: torchac.Encoder().encode(torchac.Mixture(WEIGHTS, PARTS), VALUES),
    "categories": lambda: torchac.Encoder().encode(torchac.Categorical(logits=LOGITS), VALUES),
    "bits": lambda: torchac.Encoder().encode(torchac.Bernoulli(logits=LOC), VALUES),
    "rows": lambda: torchac.Encoder().encode(ROWS, VALUES),
    "encode_float_cdf": lambda: torchac.encode_float_cdf(ROWS, VALUES),
    "decode_float_cdf": lambda: torchac.decode_float_cdf(ROWS, STREAM),
    "BatchEncoder": lambda: torchac.BatchEncoder(3).encode(KEPT, VALUES),
    "BatchDecoder": lambda: torchac.BatchDecoder([STREAM] * 3).decode(KEPT),
}


class Mallinfo(ctypes.Structure):
    """What glibc tells of its heap."""

    _fields_ = [
        (name, ctypes.c_size_t)
        for name in ["arena", "a", "b", "c", "d", "e", "f", "used", "g", "h"]
    ]


def heap() -> int:
    """Bytes in use, or 0 if the C library does not tell."""
    try:
        mallinfo = ctypes.CDLL(None).mallinfo2
    except (AttributeError, OSError, TypeError):
        return 0
    mallinfo.restype = Mallinfo
    return int(mallinfo().used)


def resident() -> int:
    """The memory of the process in bytes, or 0 if the system does not tell."""
    status = Path("/proc/self/statm")
    return int(status.read_text().split()[1]) * 4096 if status.exists() else 0


def counts() -> dict[str, int]:
    """Bytes, objects and references, in units of which a call that leaks adds at least one."""
    gc.collect()
    references = {f"references to {i}": sys.getrefcount(each) for i, each in enumerate(WATCHED)}
    return {"objects": sys.getallocatedblocks(), "heap": heap() // 16, **references}


def grown(name: str, calls: int) -> dict[str, int]:
    """What grows with the number of calls."""
    gc.collect()
    gc.freeze()  # what there is already need not be looked at again
    least: dict[str, int] = {}
    for _ in range(3):  # caches may grow once
        before = counts()
        for _ in itertools.repeat(None, calls):
            with contextlib.suppress(ValueError, TypeError, RuntimeError):
                CALLS[name]()
        for key, after in counts().items():
            least[key] = min(least.get(key, after), after - before[key])
    gc.unfreeze()
    return {key: growth for key, growth in least.items() if growth > calls // 4}


if __name__ == "__main__":
    for name in CALLS:
        before = resident()
        print(f"{name}: {grown(name, 333_334) or 'nothing grows'}, ", end="")
        print(f"resident memory grew by {resident() - before:,} bytes", flush=True)
