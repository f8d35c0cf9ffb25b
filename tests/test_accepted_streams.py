"""Any bytes are decoded or refused as by the slow definitions."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
import reference_categories
import reference_coder
import reference_models
from hypothesis import given
from hypothesis import strategies as st
from test_models import elements, model_of, rows_of_tables, tables_of

import torchac

MOST = 20  # symbols: more than most rows find in four bytes
ROWS: dict[str, list[int]] = {
    "coin": [0, 32768, 0],
    "one symbol": [0, 0],
    "likely": [0, 1, 65535, 0],
    "unlikely": [0, 65535, 0],
    "bytes": [*range(0, 65536, 256), 0],
    "16 bits": [*range(0, 65536, 2), 0],
    "starts late": [30000, 40000, 0],
    "empty intervals": [0, 0, 20000, 20000, 65535, 65535, 0],
}


def short_streams() -> Iterator[bytes]:
    """All streams of one byte, and some of two to four."""
    yield b""
    yield from (bytes([byte]) for byte in range(256))
    rng = np.random.default_rng(1)
    for any_byte in ([*range(256)], [0, 255, 85, 170]):
        yield from (bytes(rng.choice(any_byte, 2 + i % 3).tolist()) for i in range(200))


STREAMS = [*short_streams()]


def accepted(decoder: reference_coder.Decoder, read: Callable[[int], int], most: int) -> list[int]:
    """The most symbols that the definition accepts in a stream; it refuses any larger number."""
    found: list[int] = []
    with suppress(reference_coder.RefusedError):
        for i in range(most):
            symbol = read(i)
            decoder.check_end()
            found.append(symbol)
    return found


def decoded(stream: bytes, model: Any, **kwargs: Any) -> list[int] | None:
    try:
        symbols: list[int] = torchac.Decoder(stream).decode(model, **kwargs).tolist()
        return symbols
    except torchac.CorruptStreamError:
        return None


def check(row: list[int], stream: bytes) -> None:
    reference = reference_coder.Decoder(stream)
    expected = accepted(reference, lambda _: reference.decode(row), MOST)
    cdf = np.broadcast_to(np.array(row, np.uint16), (MOST, len(row)))
    count = len(expected)
    assert decoded(stream, cdf[:count]) == expected
    assert count == MOST or decoded(stream, cdf[: count + 1]) is None


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS.keys())
def test_symbols(row: list[int]) -> None:
    """cpp/tests/truncation_test.cpp has all streams of two bytes."""
    for stream in STREAMS:
        check(row, stream)


def check_values(
    model: Any, read: Callable[[reference_coder.Decoder, int], int], stream: bytes
) -> None:
    """Checks the same for a model of one dimension."""
    reference, size = reference_coder.Decoder(stream), model.shape[0]
    expected = accepted(reference, lambda i: read(reference, i), size)
    for count in range(size + 1):
        found = decoded(stream, model, index=np.arange(count))
        assert found == (expected[:count] if count <= len(expected) else None)


@given(elements(), st.binary(max_size=9))
def test_values_of_models(elements: list[reference_models.Element], stream: bytes) -> None:
    rows = [reference_models.row(element) for element in elements]
    check_values(
        model_of(elements), lambda decoder, i: reference_models.read(decoder, rows[i]), stream
    )


@given(rows_of_tables(), st.binary(max_size=9))
def test_values_of_tables(rows: list[reference_models.Row], stream: bytes) -> None:
    check_values(
        tables_of(rows), lambda decoder, i: reference_models.read(decoder, rows[i]), stream
    )


@pytest.mark.parametrize("logits", [True, False])
@pytest.mark.parametrize("categories", [1, 2, 3, 40, 257, 258, 4100])
def test_categories(categories: int, logits: bool) -> None:
    numbers = np.random.default_rng(categories).random((4, categories)) ** 9
    model: Any = torchac.Categorical(**{"logits" if logits else "probs": numbers})
    rows = numbers.tolist()
    for stream in STREAMS[::40]:
        check_values(
            model,
            lambda decoder, i: reference_categories.read(decoder, rows[i], logits=logits),
            stream,
        )
