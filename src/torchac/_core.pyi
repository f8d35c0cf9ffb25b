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
    VALUE = 9
    LOC = 10
    SCALE = 11
    WEIGHT = 12

class Kind:
    NORMAL: ClassVar[Kind]
    LAPLACE: ClassVar[Kind]
    LOGISTIC: ClassVar[Kind]

class CategoryKind:
    PROBABILITIES: ClassVar[CategoryKind]
    LOGITS: ClassVar[CategoryKind]
    BERNOULLI_PROBABILITIES: ClassVar[CategoryKind]
    BERNOULLI_LOGITS: ClassVar[CategoryKind]

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

class Numbers:
    def __init__(self, array: npt.NDArray[Any], bfloat16: bool) -> None: ...

class ValueModel:
    @staticmethod
    def of_categories(
        kind: CategoryKind, numbers: Numbers, index: npt.NDArray[Any] | None
    ) -> ValueModel: ...
    @staticmethod
    def of_parameters(
        kinds: Sequence[Kind],
        locs: Sequence[Numbers],
        scales: Sequence[Numbers],
        weights: Sequence[Numbers],
        low: int,
        high: int,
        index: npt.NDArray[Any] | None = ...,
    ) -> ValueModel: ...
    @staticmethod
    def of_rows(
        rows: npt.NDArray[np.int16],
        first: npt.NDArray[np.int32],
        symbols: npt.NDArray[np.int32],
        shifts: npt.NDArray[np.uint8],
        low: int,
        high: int,
        index: npt.NDArray[Any] | None,
        shape: Sequence[int],
        places: npt.NDArray[np.uint32] | None = ...,
    ) -> ValueModel: ...

class Encoder:
    def __init__(self, streams: int = ..., marked: bool = ...) -> None: ...
    def __copy__(self) -> Encoder: ...
    def encode(
        self,
        cdf: Cdf,
        symbols: npt.NDArray[Any],
        check: bool,
        clamp: bool,
        noted: tuple[npt.NDArray[Any], int] | None = ...,
        chosen: Sequence[int] | None = ...,
    ) -> Report | None: ...
    def encode_values(
        self, model: ValueModel, values: Numbers, chosen: Sequence[int] | None = ...
    ) -> Report | None: ...
    def mark(self, chosen: Sequence[int] | None = ...) -> None: ...
    def drain(self) -> bytes: ...
    def finish(self) -> list[bytes]: ...
    def num_bits(self) -> list[int]: ...
    def __getstate__(self) -> tuple[Any, ...]: ...
    def __setstate__(self, arg0: tuple[Any, ...], /) -> None: ...

class Decoder:
    def __init__(self, streams: Sequence[Buffer], marked: bool = ...) -> None: ...
    def __copy__(self) -> Decoder: ...
    def decode(
        self, cdf: Cdf, symbols: npt.NDArray[np.int16], chosen: Sequence[int] | None = ...
    ) -> Report | None: ...
    def decode_values(
        self, model: ValueModel, values: npt.NDArray[np.int32], chosen: Sequence[int] | None = ...
    ) -> Report | None: ...
    def mark(self, chosen: Sequence[int] | None = ...) -> Report | None: ...
    def feed(self, data: Buffer) -> None: ...
    def num_bits(self) -> list[int]: ...
    def sizes(self) -> list[int]: ...
    def __getstate__(self) -> tuple[Any, ...]: ...
    def __setstate__(self, arg0: tuple[Any, ...], /) -> None: ...

class Packed:
    def __init__(self, data: npt.NDArray[np.uint8], lengths: npt.NDArray[np.int64]) -> None: ...
    @property
    def data(self) -> npt.NDArray[np.uint8]: ...
    @property
    def lengths(self) -> npt.NDArray[np.int64]: ...

def encode_items(
    cdfs: Sequence[Cdf],
    symbols: Sequence[npt.NDArray[Any]],
    check: bool,
    clamp: bool,
    packed: bool,
    threads: int,
) -> list[bytes] | Packed | Report: ...
def encode_batch(
    cdf: Cdf, symbols: npt.NDArray[Any], check: bool, clamp: bool, packed: bool, threads: int
) -> list[bytes] | Packed | Report: ...
def encode_parts(
    cdf: Cdf, symbols: npt.NDArray[Any], size: int, threads: int
) -> Packed | Report: ...
def decode_items(
    cdfs: Sequence[Cdf],
    streams: Sequence[Buffer] | Packed,
    symbols: Sequence[npt.NDArray[np.int16]],
    threads: int,
) -> Report | None: ...
def decode_batch(
    cdf: Cdf, streams: Sequence[Buffer] | Packed, symbols: npt.NDArray[np.int16], threads: int
) -> Report | None: ...
def decode_parts(
    cdf: Cdf, streams: Packed, symbols: npt.NDArray[np.int16], size: int, threads: int
) -> Report | None: ...
def encode_value_items(
    models: Sequence[ValueModel], values: Sequence[Numbers], packed: bool, threads: int
) -> list[bytes] | Packed | Report: ...
def encode_value_batch(
    model: ValueModel, values: Numbers, packed: bool, threads: int
) -> list[bytes] | Packed | Report: ...
def encode_value_parts(
    model: ValueModel, values: Numbers, size: int, threads: int
) -> Packed | Report: ...
def decode_value_items(
    models: Sequence[ValueModel],
    streams: Sequence[Buffer] | Packed,
    values: Sequence[npt.NDArray[np.int32]],
    threads: int,
) -> Report | None: ...
def decode_value_batch(
    model: ValueModel,
    streams: Sequence[Buffer] | Packed,
    values: npt.NDArray[np.int32],
    threads: int,
) -> Report | None: ...
def decode_value_parts(
    model: ValueModel, streams: Packed, values: npt.NDArray[np.int32], size: int, threads: int
) -> Report | None: ...
def checksum(values: Numbers) -> tuple[int, int]: ...
def measure_values(
    model: ValueModel, values: Numbers, bits: npt.NDArray[np.float64]
) -> Report | None: ...
def tabulate(
    model: ValueModel,
    first: npt.NDArray[np.int32],
    symbols: npt.NDArray[np.int32],
    shifts: npt.NDArray[np.uint8],
    rows: npt.NDArray[np.int16] | None,
) -> Report | None: ...
def measure(
    cdf: Cdf, symbols: npt.NDArray[Any], bits: npt.NDArray[np.float64]
) -> Report | None: ...
def cpu() -> str: ...
def paths() -> dict[str, int]: ...
def costs() -> npt.NDArray[np.float64]: ...
def quantize(cdf: Cdf, values: npt.NDArray[np.int16]) -> Report | None: ...
