"""The compiled module, cpp/bindings/module.cpp. Private."""

import enum
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from typing_extensions import Buffer

class RowType:
    INT16: ClassVar[RowType]
    FLOAT16: ClassVar[RowType]
    BFLOAT16: ClassVar[RowType]
    FLOAT32: ClassVar[RowType]
    FLOAT64: ClassVar[RowType]

class Problem(enum.Enum):
    SYMBOL = 1
    INDEX = 2
    INTERVAL = 3
    NOT_FINITE = 4
    OUT_OF_BOUNDS = 5
    DECREASING = 6
    TRUNCATED = 7
    CONTRADICTED = 8

class Report:
    @property
    def problem(self) -> Problem: ...
    @property
    def item(self) -> int: ...
    @property
    def position(self) -> int: ...
    @property
    def column(self) -> int: ...
    @property
    def table(self) -> int: ...

class Cdf:
    def __init__(
        self,
        rows: npt.NDArray[Any],
        row_type: RowType,
        normalize: bool,
        index: npt.NDArray[Any] | None,
    ) -> None: ...

class Encoder:
    def __init__(self) -> None: ...
    def __copy__(self) -> Encoder: ...
    def encode(
        self, cdf: Cdf, symbols: npt.NDArray[Any], check: bool, clamp: bool
    ) -> Report | None: ...
    def finish(self) -> bytes: ...
    def num_bits(self) -> int: ...
    def __getstate__(self) -> tuple[Any, ...]: ...
    def __setstate__(self, arg0: tuple[Any, ...], /) -> None: ...

class Decoder:
    def __init__(self, stream: Buffer) -> None: ...
    def __copy__(self) -> Decoder: ...
    def decode(self, cdf: Cdf, symbols: npt.NDArray[np.int16]) -> Report | None: ...
    def num_bits(self) -> int: ...
    def __getstate__(self) -> tuple[Any, ...]: ...
    def __setstate__(self, arg0: tuple[Any, ...], /) -> None: ...

def encode_items(
    cdfs: Sequence[Cdf],
    symbols: Sequence[npt.NDArray[Any]],
    check: bool,
    clamp: bool,
    threads: int,
) -> list[bytes] | Report: ...
def encode_batch(
    cdf: Cdf, symbols: npt.NDArray[Any], check: bool, clamp: bool, threads: int
) -> list[bytes] | Report: ...
def decode_items(
    cdfs: Sequence[Cdf],
    streams: Sequence[Buffer],
    symbols: Sequence[npt.NDArray[np.int16]],
    threads: int,
) -> Report | None: ...
def measure(
    cdf: Cdf, symbols: npt.NDArray[Any], bits: npt.NDArray[np.float64]
) -> Report | None: ...
def costs() -> npt.NDArray[np.float64]: ...
def quantize(cdf: Cdf, values: npt.NDArray[np.int16]) -> Report | None: ...
def decode_batch(
    cdf: Cdf, streams: Sequence[Buffer], symbols: npt.NDArray[np.int16], threads: int
) -> Report | None: ...
