"""The compiled module refuses bad input by itself: its memory safety does not rest on Python."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from torchac import _core
from torchac._core import Problem

ROWS = np.linspace(0, 1, 5, dtype=np.float32)[None].repeat(3, 0)
SYM = np.zeros(3, np.int16)
STREAM = b"\0" * 9


def of_cdf(rows: Any, index: Any = None) -> _core.Model:
    return _core.Model.of_cdf(rows, True, index, False, False)


CDF = of_cdf(ROWS)


def encode(cdf: _core.Model = CDF, sym: Any = SYM) -> Any:
    return _core.Encoder().encode(cdf, sym)


def decode_packed(lengths: list[int]) -> Any:
    packed = _core.Packed(np.zeros(3, np.uint8), np.array(lengths))
    return _core.decode_items([CDF, CDF], packed, [SYM, SYM], 1)


def parameters(locs: int, scales: int, weights: int = 0) -> _core.Model:
    """One component, or two with weights, with these counts of numbers."""
    sizes = {"loc": locs, "scale": scales} | ({"weight": weights} if weights else {})
    component = "normal", {name: np.ones(size) for name, size in sizes.items()}
    return _core.Model.of_parameters([component] * (2 if weights else 1), -9, 9, None)


def rows_of(
    lengths: list[int],
    *,
    windows: int = 3,
    count: int = 3,
    index: Any = None,
    places: Any = None,
) -> _core.Model:
    """Three rows of at most 4 symbols, with more memory after them."""
    cdf = np.array([0, 9, 99, 999, 0], np.int16)[None].repeat(3, 0)
    each = np.resize(np.array(lengths, np.int32), windows)
    low, shifts = np.zeros(windows, np.int32), np.zeros(windows, np.uint8)
    return _core.Model.of_tables(cdf, low, each, shifts, 0, 9, index, [count], places)


CHOSEN = np.ones((2, 3))
REFUSED: dict[str, tuple[str, Callable[[], object]]] = {
    "a row of one value": ("Lp", lambda: of_cdf(ROWS[:, :1])),
    "rows without dimensions": (
        "Lp",
        lambda: of_cdf(np.array(ROWS[0, 0])),
    ),
    "wrong type of values": ("row type", lambda: of_cdf(ROWS.astype(np.int32))),
    "tables of one dimension": ("two", lambda: of_cdf(ROWS[0], SYM)),
    "index of floats": (
        "integers expected",
        lambda: encode(of_cdf(ROWS, SYM.astype(float))),
    ),
    "byte order of symbols": ("byte order", lambda: encode(sym=SYM.astype(">i2"))),
    "symbols to encode": ("shapes", lambda: encode(sym=SYM[:2])),
    "symbols to decode": ("shapes", lambda: _core.Decoder([STREAM]).decode(CDF, SYM[:2])),
    "symbols to measure": ("shapes", lambda: _core.measure(CDF, SYM[:2], np.zeros(3))),
    "bits to write": ("shapes", lambda: _core.measure(CDF, SYM, np.zeros(2))),
    "integers to write": ("shapes", lambda: _core.quantize(CDF, np.zeros((3, 4), np.int16))),
    "rows to write": ("shapes", lambda: _core.quantize(CDF, np.zeros((2, 5), np.int16))),
    "stream of wide items": ("bytes", lambda: _core.Decoder([np.zeros(9, np.int32).data])),
    "stream of two dimensions": ("bytes", lambda: _core.Decoder([np.zeros((3, 3), np.uint8).data])),
    "stream with gaps": ("bytes", lambda: _core.Decoder([np.zeros(9, np.uint8)[::2].data])),
    "places of rows": (
        "numbers of rows",
        lambda: rows_of([4], places=np.array([0, 3, 1], np.uint32)),
    ),
    "too few places": ("one window", lambda: rows_of([4], places=np.zeros(2, np.uint32))),
    "parameters with an index in two dimensions": (
        "one dimension",
        lambda: _core.Model.of_parameters(
            [("normal", {"loc": CHOSEN, "scale": CHOSEN})], -9, 9, np.zeros(3, np.int64)
        ),
    ),
    "a family that there is not": (
        "name of a family",
        lambda: _core.Model.of_parameters([("gauss", {"loc": CHOSEN})], 0, 9, None),
    ),
    "a parameter that there is not": (
        "the name of a parameter",
        lambda: _core.Model.of_parameters([("normal", {"mean": CHOSEN})], 0, 9, None),
    ),
    "a parameter too few": (
        "each parameter",
        lambda: _core.Model.of_parameters([("normal", {"loc": CHOSEN})], 0, 9, None),
    ),
    "a mixture without weights": (
        "each parameter",
        lambda: _core.Model.of_parameters(
            [("normal", {"loc": CHOSEN, "scale": CHOSEN})] * 2, 0, 9, None
        ),
    ),
    "rows of a CDF to compute": (
        "without rows",
        lambda: _core.tabulate(
            CDF, np.zeros(3, np.int32), np.zeros(3, np.int32), np.zeros(3, np.uint8), None
        ),
    ),
    "rows of a model to quantize": (
        "a CDF",
        lambda: _core.quantize(parameters(3, 3), np.zeros((3, 5), np.int16)),
    ),
    "fewer symbols than items": (
        "each item",
        lambda: _core.encode_items([CDF, CDF], [SYM], False, 1),
    ),
    "fewer streams than items": (
        "each item",
        lambda: _core.decode_items([CDF, CDF], [STREAM], [SYM, SYM], 1),
    ),
    "lengths that are too long": (
        "lengths that add up",
        lambda: decode_packed([2, 2]),
    ),
    "lengths that wrap": (
        "lengths that add up",
        lambda: decode_packed([5, -2]),
    ),
    "lengths that leave bytes": (
        "lengths that add up",
        lambda: decode_packed([1, 1]),
    ),
    "no chunks": (
        "one chunk or more expected",
        lambda: _core.encode_chunks(CDF, SYM, 0, 1),
    ),
    "more streams than values": (
        "one chunk or more expected, of one value",
        lambda: _core.decode_chunks(
            CDF, _core.Packed(np.zeros(0, np.uint8), np.zeros(99, np.int64)), SYM, 1
        ),
    ),
    "fewer scales than locs": ("shapes", lambda: parameters(3, 2, 0)),
    "fewer locs than scales": ("shapes", lambda: parameters(2, 3, 0)),
    "fewer weights than locs": ("shapes", lambda: parameters(3, 3, 2)),
    "fewer windows than rows": ("one window for each row", lambda: rows_of([4], windows=2)),
    "more values than rows": ("shapes", lambda: rows_of([4], count=4)),
    "a batch that is a row": (
        "a batch",
        lambda: _core.encode_batch(of_cdf(ROWS[0]), SYM, False, 1),
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str) -> None:
    message, call = REFUSED[name]
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize(
    "call",
    [
        lambda: _core.Decoder([STREAM]).decode(CDF, SYM.astype(np.int32)),
        lambda: _core.decode_batch(of_cdf(ROWS[None]), [STREAM], SYM[None].astype(int), 1),
        lambda: _core.decode_items([CDF], [STREAM], [SYM.astype(np.int32)], 1),
        lambda: _core.measure(CDF, SYM, np.zeros(3, np.float32)),
        lambda: _core.quantize(CDF, np.zeros((3, 5), np.int32)),
    ],
)
def test_results_are_not_written_to_a_copy(call: Callable[[], object]) -> None:
    with pytest.raises(TypeError):
        call()


@pytest.mark.parametrize("length", [-(2**31), -1, 0, 5, 6, 2**31 - 1])
@pytest.mark.parametrize("index", [None, [0, 2, 1] * 300])
def test_rows_of_impossible_lengths(length: int, index: list[int] | None) -> None:
    """Another thread may have changed lengths after Python checked them; the first one is named."""
    place = None if index is None else np.array(index, np.int32)
    model = rows_of([4, length, 4], index=place, count=3 if index is None else len(index))
    count, position = (3, 1) if index is None else (len(index), 2)
    values = np.ones(count, np.int32)
    reports = [
        _core.Encoder().encode(model, values),
        _core.Decoder([STREAM]).decode(model, values),
        _core.measure(model, values, np.zeros(count)),
    ]
    for report in reports:
        assert report is not None
        assert (report.problem, report.position) == (Problem.INDEX, position)


def test_rows_that_have_grown_since_room_was_made_for_them() -> None:
    first, symbols, shifts = np.zeros(3, np.int32), np.zeros(3, np.int32), np.zeros(3, np.uint8)
    model = parameters(3, 3, 0)
    assert _core.tabulate(model, first, symbols, shifts, None) is None
    for room in range(2, symbols[0] + 1):
        rows = np.zeros((3, room), np.int16)
        report = _core.tabulate(model, first, symbols, shifts, rows)
        assert report is not None
        assert (report.problem, report.position) == (Problem.INDEX, 0)
    rows = np.zeros((3, symbols[0] + 1), np.int16)
    assert _core.tabulate(model, first, symbols, shifts, rows) is None
