"""The default number of threads."""

from __future__ import annotations

import torch

from torchac import _checks

__all__ = ["set_num_threads"]

_number: int | None = None


def set_num_threads(num_threads: int | None) -> None:
    """Sets the most threads that calls in this process use, unless they pass `num_threads`.

    Only batches and files use several threads. Short calls use fewer, because starting threads
    would take longer than they save.

    Args:
        num_threads: The number, 1 or more. None is the default: `torch.get_num_threads()` at each
            call.

    Raises:
        TypeError: `num_threads` is not an integer.
        ValueError: It is less than 1.

    Example:
        >>> import torchac
        >>> torchac.set_num_threads(1)  # in a worker of a data loader, say
        >>> torchac.set_num_threads(None)
    """
    global _number
    _number = None if num_threads is None else check_threads(num_threads)


def check_threads(num_threads: int | None) -> int:
    """The given number of threads, or else the one that was set, or that of torch."""
    if num_threads is None:
        return torch.get_num_threads() if _number is None else _number
    threads = _checks.check_integer("num_threads", num_threads)
    if threads < 1:
        raise ValueError(f"num_threads is {threads}: expected 1 or more")
    return threads
