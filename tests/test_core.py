"""The compiled module refuses bad input by itself: its memory safety does not rest on Python."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from torchac import _core
from torchac._core import Kind, Problem, RowType

ROWS = np.linspace(0, 1, 5, dtype=np.float32)[None].repeat(3, 0)
SYM = np.zeros(3, np.int16)
CDF = _core.Cdf(ROWS, RowType.FLOAT32, True, None)
INTEGERS = _core.Cdf(np.zeros((3, 5), np.int16), RowType.INT16, False, None)
STREAM = b"\0" * 9


def encode(cdf: _core.Cdf = CDF, sym: Any = SYM) -> Any:
    return _core.Encoder().encode(cdf, sym, False, False)


def decode_packed(lengths: list[int]) -> Any:
    packed = _core.Packed(np.zeros(3, np.uint8), np.array(lengths))
    return _core.decode_items([CDF, CDF], packed, [SYM, SYM], 1)


def numbers(count: int) -> _core.Numbers:
    return _core.Numbers(np.ones(count), False)


def parameters(locs: int, scales: int, weights: int) -> _core.ValueModel:
    """One component, or two with weights, with these counts of numbers."""
    each = [numbers(weights)] * 2 if weights else []
    count = len(each) or 1
    return _core.ValueModel.of_parameters(
        [Kind.NORMAL] * count, [numbers(locs)] * count, [numbers(scales)] * count, each, -9, 9
    )


def rows_of(
    lengths: list[int],
    *,
    windows: int = 3,
    count: int = 3,
    index: Any = None,
    places: Any = None,
) -> _core.ValueModel:
    """Three rows of at most 4 symbols, with more memory after them."""
    cdf = np.array([0, 9, 99, 999, 0], np.int16)[None].repeat(3, 0)
    each = np.resize(np.array(lengths, np.int32), windows)
    low, shifts = np.zeros(windows, np.int32), np.zeros(windows, np.uint8)
    return _core.ValueModel.of_rows(cdf, low, each, shifts, 0, 9, index, [count], places)


CHOSEN = _core.Numbers(np.ones((2, 3)), False)
REFUSED: dict[str, tuple[str, Callable[[], object]]] = {
    "a row of one value": ("Lp", lambda: _core.Cdf(ROWS[:, :1], RowType.FLOAT32, True, None)),
    "rows without dimensions": (
        "Lp",
        lambda: _core.Cdf(np.array(ROWS[0, 0]), RowType.FLOAT32, True, None),
    ),
    "wrong size of values": ("row type", lambda: _core.Cdf(ROWS, RowType.FLOAT64, True, None)),
    "tables of one dimension": ("two", lambda: _core.Cdf(ROWS[0], RowType.FLOAT32, True, SYM)),
    "index of floats": (
        "integers expected",
        lambda: encode(_core.Cdf(ROWS, RowType.FLOAT32, True, SYM.astype(float))),
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
        lambda: _core.ValueModel.of_parameters(
            [Kind.NORMAL], [CHOSEN], [CHOSEN], [], -9, 9, np.zeros(3, np.int64)
        ),
    ),
    "rows of two types": (
        "different types",
        lambda: _core.encode_items([CDF, INTEGERS], [SYM, SYM], False, False, False, 1),
    ),
    "fewer symbols than items": (
        "each item",
        lambda: _core.encode_items([CDF, CDF], [SYM], False, False, False, 1),
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
    "parts of nothing": (
        "parts of one symbol",
        lambda: _core.encode_parts(CDF, SYM, 0, 1),
    ),
    "a stream too few": (
        "one stream for each part",
        lambda: _core.decode_parts(
            CDF, _core.Packed(np.zeros(3, np.uint8), np.array([3])), SYM, 1, 1
        ),
    ),
    "fewer scales than locs": ("shapes", lambda: parameters(3, 2, 0)),
    "fewer locs than scales": ("shapes", lambda: parameters(2, 3, 0)),
    "fewer weights than locs": ("shapes", lambda: parameters(3, 3, 2)),
    "fewer windows than rows": ("one window for each row", lambda: rows_of([4], windows=2)),
    "more values than rows": ("shapes", lambda: rows_of([4], count=4)),
    "a batch that is a row": (
        "a batch",
        lambda: _core.encode_batch(
            _core.Cdf(ROWS[0], RowType.FLOAT32, True, None), SYM, False, False, False, 1
        ),
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
        lambda: _core.decode_batch(
            _core.Cdf(ROWS[None], RowType.FLOAT32, True, None), [STREAM], SYM[None].astype(int), 1
        ),
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
        _core.Encoder().encode_values(model, _core.Numbers(values, False)),
        _core.Decoder([STREAM]).decode_values(model, values),
        _core.measure_values(model, _core.Numbers(values, False), np.zeros(count)),
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
