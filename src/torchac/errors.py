"""The error for streams that cannot be decoded, and messages that name the item of a batch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")


class CorruptStreamError(ValueError):
    """A stream that ends too early, has bytes left over, or contradicts its model.

    A raw arithmetic-coded stream has no checksum, so not all damage is noticed: a stream with a
    changed byte may decode to other symbols. Files of `Writer` have checksums, and `mark` adds them
    to a stream.
    """


def item_prefix(item: int) -> str:
    """The beginning of a message about an item of a batch."""
    return f"item {item}: "


@contextmanager
def naming_items(items: Iterable[T]) -> Iterator[Iterator[T]]:
    """Yields the items one by one; an exception in the block names the current one."""
    number = -1

    def each() -> Iterator[T]:
        nonlocal number
        for item in items:
            number += 1
            yield item

    try:
        yield each()
    except (TypeError, ValueError) as error:
        raise type(error)(item_prefix(number) + str(error)) from None
