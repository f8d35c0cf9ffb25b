"""Who listens is told when values have been decoded: so it is known what a decoder needs before."""

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
    """Tells who listens."""
    listener = _listener.get()
    if listener is not None:
        listener()
