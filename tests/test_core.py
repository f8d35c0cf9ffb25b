"""What the compiled module refuses by itself: its memory safety does not rest on Python."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from torchac import _core
from torchac._core import RowType

ROWS = np.linspace(0, 1, 5, dtype=np.float32)[None].repeat(3, 0)
SYM = np.zeros(3, np.int16)
CDF = _core.Cdf(ROWS, RowType.FLOAT32, True, None)
INTEGERS = _core.Cdf(np.zeros((3, 5), np.int16), RowType.INT16, False, None)
STREAM = b"\0" * 9


def encode(cdf: _core.Cdf = CDF, sym: Any = SYM) -> Any:
    return _core.Encoder().encode(cdf, sym, False, False)


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
        lambda: _core.Packed(np.zeros(3, np.uint8), np.array([2, 2])),
    ),
    "lengths that wrap": (
        "lengths that add up",
        lambda: _core.Packed(np.zeros(3, np.uint8), np.array([5, -2])),
    ),
    "lengths that leave bytes": (
        "lengths that add up",
        lambda: _core.Packed(np.zeros(3, np.uint8), np.array([1, 1])),
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
