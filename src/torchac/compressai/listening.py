"""Calls a listener when values have been decoded, to find what a decoder runs before that."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_listener: ContextVar[Callable[[], None] | None] = ContextVar("_listener", default=None)


@contextmanager
def listen(listener: Callable[[], None]) -> Iterator[None]:
    """Calls a function whenever a decoder of this package has decoded, in this thread."""
    before = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(before)


def decoded() -> None:
    """Calls the listener, if there is one."""
    listener = _listener.get()
    if listener is not None:
        listener()
