"""Errors: streams that cannot be decoded, and the item of a batch that an error is about."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")


class CorruptStreamError(ValueError):
    """The bytes cannot be what was encoded: they end too early, or contradict the CDF.

    A raw arithmetic-coded stream carries no checksum, so not every damage is noticed: a stream with
    a changed byte may decode to other symbols. Files of `Writer` have checksums, and `mark` puts
    some into a stream.
    """


def item_prefix(item: int) -> str:
    """How a message on an item of a batch begins."""
    return f"item {item}: "


@contextmanager
def naming_items(items: Iterable[T]) -> Iterator[Iterator[T]]:
    """Gives the items one by one, and names the one that something is raised about."""
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
