"""Keeps torch.compile out of the functions of this package: a call is one graph break.

They read the values of tensors, which no graph can, and call compiled code.
`torch.compiler.disable` would do the same, but takes two seconds to import and a microsecond in
each call. Setting the marks that it sets costs nothing.
"""

from __future__ import annotations

import contextlib
from types import FunctionType
from typing import Any

import torch


def disable(*owners: Any) -> None:
    """Marks the functions, methods and properties of modules and classes."""
    for owner in owners:
        inherited = owner.__mro__ if isinstance(owner, type) else [owner]
        for value in [value for base in inherited for value in vars(base).values()]:
            function = value.fget if isinstance(value, property) else value
            if isinstance(function, FunctionType) and function.__module__.startswith("torchac"):
                _mark(function)


def _mark(function: Any) -> None:
    function._torchdynamo_disable = True  # a graph ends before the call
    function._torchdynamo_disable_msg = "it reads values of tensors"
    # Older releases of torch lack this, and so do releases for a Python that they do not compile.
    with contextlib.suppress(AttributeError, RuntimeError):
        dynamo: Any = torch._C._dynamo.eval_frame
        skip = dynamo._FrameAction.SKIP  # for this frame and those that it calls
        dynamo.set_code_exec_strategy(function.__code__, dynamo._FrameExecStrategy(skip, skip))
