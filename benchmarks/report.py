"""Prints the results: a table for each work, and the targets."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import NamedTuple

from calls import BEYOND, NUMBERS, SMALL_CALLS, STEPS, TIMED, TIMES_NUMPY, WITH_NUMPY, Call, label
from categories import (
    BITS,
    CELL_LOGITS,
    PIXEL_LOGITS,
    READY_ROWS,
    SOFTMAX,
    TOKEN_LOGITS,
)
from contestants import (
    BEFORE,
    CHECKED,
    CONSTRICTION,
    CONSTRICTION_ANS,
    INT16_ROWS,
    LONG_FLOATS,
    LONG_INT16,
    OLD,
    OLD_CHECKED,
    ROWS,
    ROWS_2,
    ROWS_16,
    ROWS_48,
    SUM,
    TABLE_BATCH,
    TABLES,
    TABLES_BATCH,
    TORCH_ANS,
    TORCH_ANS_BEST,
    TORCHAC,
    TWO_THREADS,
    Work,
)
from latents import ACCELERATED, COMPRESSAI
from models import (
    GAUSSIAN,
    MIXTURE,
    MIXTURE_BATCH,
    MIXTURE_FILE,
    NORMAL,
    NORMAL_BATCH,
    NORMAL_FILE,
    PIXELS,
    PIXELS_BATCH,
    PIXELS_FILE,
    SCALES_FILE,
    SCALES_INDEX,
    SINGLE_GAUSSIAN,
)

OLD_NOTE = f"{OLD} is timed as pip builds it: its own build does not ask the compiler to optimize"
FASTEST_CONSTRICTION = (CONSTRICTION, CONSTRICTION_ANS)


class Speed(NamedTuple):
    """How many times as fast torchac should be as the fastest of the others."""

    work: Work
    label: str
    operation: str
    limit: float
    others: Sequence[str]


class Reading(NamedTuple):
    """How many times as long torchac may take as reading the CDF once, or the softmax."""

    work: Work
    label: str
    operation: str
    limit: float
    reader: str = SUM


SPEEDS = (
    Speed(ROWS, TORCHAC, "encode", 80, [OLD]),
    Speed(ROWS, TORCHAC, "encode", 12, FASTEST_CONSTRICTION),
    Speed(ROWS, TORCHAC, "decode", 18, [OLD]),
    Speed(ROWS, TORCHAC, "decode", 2.5, FASTEST_CONSTRICTION),
    Speed(ROWS, CHECKED, "encode", 15, [OLD_CHECKED]),
    Speed(INT16_ROWS, TORCHAC, "encode", 14, [OLD]),
    Speed(INT16_ROWS, TORCHAC, "decode", 5, [OLD]),
    Speed(ROWS_16, TORCHAC, "encode", 8, [OLD]),
    Speed(ROWS_16, TORCHAC, "decode", 6, [OLD]),
    Speed(ROWS_48, TORCHAC, "decode", 14, [OLD]),
    Speed(ROWS_2, TORCHAC, "encode", 3.2, [OLD]),
    Speed(ROWS_2, TORCHAC, "decode", 3, [OLD]),
    Speed(TABLES, TORCHAC, "encode", 2, [TORCH_ANS]),
    Speed(TABLES, TORCHAC, "decode", 1.5, [TORCH_ANS]),
    Speed(TABLES_BATCH, TORCHAC, "encode", 1.7, [TORCH_ANS_BEST]),
    Speed(TABLES_BATCH, TORCHAC, "decode", 1.4, [TORCH_ANS_BEST]),
    Speed(TABLE_BATCH, TORCHAC, "encode", 1, FASTEST_CONSTRICTION),
    Speed(TABLE_BATCH, TORCHAC, "decode", 4, FASTEST_CONSTRICTION),
    *(
        Speed(work, TORCHAC, "decode", limit, [OLD])
        for work, limit in zip(LONG_INT16, (4, 4, 3, 2.5), strict=True)
    ),
    Speed(TABLES_BATCH, TWO_THREADS, "encode", 1.85, [TORCHAC]),
    Speed(TABLES_BATCH, TWO_THREADS, "decode", 1.8, [TORCHAC]),
    Speed(TABLE_BATCH, TWO_THREADS, "encode", 1.85, [TORCHAC]),
    Speed(TABLE_BATCH, TWO_THREADS, "decode", 1.8, [TORCHAC]),
    *(
        Speed(
            work, TORCHAC, operation, limit, [GAUSSIAN if work.components == 1 else SINGLE_GAUSSIAN]
        )
        for work, *limits in (
            (NORMAL, 4.5, 3.3),
            (NORMAL_BATCH, 6, 15),
            (NORMAL_FILE, 6, 15),
            (MIXTURE, 2.3, 1.4),
            (MIXTURE_BATCH, 2.7, 4.5),
            (MIXTURE_FILE, 2.7, 4.5),
            (PIXELS, 0.7, 0.45),
            (PIXELS_BATCH, 1.2, 1.9),
            (PIXELS_FILE, 1.2, 1.9),
            (SCALES_INDEX, 3, 3.5),
            (SCALES_FILE, 8.5, 19),  # 5 and 7 ns, where constriction's Gaussian takes 43 and 133
        )
        for operation, limit in zip(("encode", "decode"), limits, strict=True)
    ),
    Speed(SCALES_INDEX, ACCELERATED, "encode", 6, [COMPRESSAI]),
    Speed(SCALES_INDEX, ACCELERATED, "decode", 5, [COMPRESSAI]),
    Speed(BITS, TORCHAC, "encode", 0.6, [READY_ROWS]),
    Speed(BITS, TORCHAC, "decode", 0.6, [READY_ROWS]),
)
READINGS = (
    Reading(ROWS, TORCHAC, "decode", 1.25),
    Reading(ROWS, CHECKED, "encode", 1.4),
    Reading(INT16_ROWS, TORCHAC, "decode", 1.3),
    *(Reading(work, TORCHAC, "decode", 1.25) for work in LONG_FLOATS),
    Reading(PIXEL_LOGITS, TORCHAC, "encode", 0.25, SOFTMAX),
    Reading(PIXEL_LOGITS, TORCHAC, "decode", 0.4, SOFTMAX),
    Reading(CELL_LOGITS, TORCHAC, "encode", 0.35, SOFTMAX),
    Reading(CELL_LOGITS, TORCHAC, "decode", 0.6, SOFTMAX),
    Reading(TOKEN_LOGITS, TORCHAC, "encode", 0.4, SOFTMAX),
    Reading(TOKEN_LOGITS, TORCHAC, "decode", 0.5, SOFTMAX),
)
MEMORY_LIMIT = 2e6  # bytes beyond inputs and outputs, rows A
OPERATIONS = ("encode", "decode")


@dataclass
class Line:
    """The result of one package, used in one way, for a work."""

    label: str
    size: int | None  # of the stream, in bytes
    seconds: dict[str, list[float]]  # by operation, one for each round

    def best(self, operation: str) -> float | None:
        """Returns the shortest time, if one was measured."""
        return min(self.seconds.get(operation, []), default=None)


@dataclass
class Result:
    """All results for a work."""

    work: Work
    count: int  # symbols
    entropy: float  # of the symbols, in bytes
    lines: list[Line] = field(default_factory=list)

    def best(self, labels: Sequence[str], operation: str) -> float | None:
        """Returns the shortest time of all these labels, if one was measured."""
        times = [line.best(operation) for line in self.lines if line.label in labels]
        return min((time for time in times if time), default=None)


@dataclass
class Target:
    """The goal for torchac, and the result."""

    text: str
    wanted: str
    measured: float | None = None
    met: bool | None = None


def table(result: Result) -> str:
    """Returns speeds, how many times as fast torchac is, and sizes."""
    if result.work == SMALL_CALLS:
        return call_table(result)
    block = f"{'best':>8}{'median':>8}{'torchac is':>12}"
    return "\n".join(
        [
            f"{result.work.name}: {result.count:,} symbols, entropy {result.entropy:,.0f} bytes",
            f"{'million symbols a second':44}{'encode':^28}  {'decode':^28}",
            f"{'':44}{block}  {block}{'bytes':>12}{'over entropy':>14}",
            *(_row(result, line) for line in result.lines),
        ]
    )


def _row(result: Result, line: Line) -> str:
    sizes = ""
    if line.size:
        sizes = f"{line.size:12,}{line.size / result.entropy - 1:14.2%}"
    if "read" in line.seconds:
        return f"{line.label:44}{'':28}  {_block(result, line, 'read', 'decode')}"
    encode, decode = (
        _block(result, line, operation, operation) for operation in ("encode", "decode")
    )
    return f"{line.label:44}{encode}  {decode}{sizes}".rstrip()


def _block(result: Result, line: Line, operation: str, ours: str) -> str:
    """Best and median speed, and how many times as fast torchac is."""
    seconds, best = line.seconds.get(operation), result.best([TORCHAC], ours)
    if not seconds:
        return " " * 28
    amount = result.count * 1e-6
    ratio = f"{min(seconds) / best:.2f} x" if best and line.label != TORCHAC else ""
    return f"{amount / min(seconds):8.2f}{amount / median(seconds):8.2f}{ratio:>12}"


def call_goals() -> Iterator[tuple[Call, str, str, float]]:
    """Calls, how torchac is used, operations, and the most microseconds."""
    for call in (*TIMED, BEYOND):
        for operation in OPERATIONS:
            if goal := call.goal(operation):
                yield call, TORCHAC, operation, goal
                if call is not NUMBERS:
                    yield call, WITH_NUMPY, operation, TIMES_NUMPY * goal


def call_table(result: Result) -> str:
    """Returns the microseconds of each call, and the most that it may take with tensors."""
    labels = {line.label for line in result.lines}
    ways = [TORCHAC, WITH_NUMPY, BEFORE, OLD, CONSTRICTION]
    ways = [way for way in ways if any(_label(way, call) in labels for call in TIMED)]
    lines = [f"{'microseconds a call':50}{'at most':>8}" + "".join(f"{way:>16}" for way in ways)]
    for call in (*TIMED, BEYOND):
        for operation in OPERATIONS:
            times = [_microseconds(result, call, way, operation) for way in ways]
            cells = [f"{time:16.2f}" if time else " " * 16 for time in times]
            goal = call.goal(operation)
            name = f"{call.name}: {operation}"
            lines.append(f"{name:50}{goal if goal else '':>8}{''.join(cells)}".rstrip())
    return "\n".join(lines)


def _microseconds(result: Result, call: Call, way: str, operation: str) -> float | None:
    """The shortest time, or of BEYOND that of a step, less what each of many more steps takes."""
    if call is BEYOND:
        one, some, more = (_microseconds(result, step, way, operation) for step in STEPS)
        if operation == "encode" or not (one and some and more):
            return None
        return one - (more - some) / (STEPS[2].steps - STEPS[1].steps)
    best = result.best([_label(way, call)], operation)
    return 1e6 * best if best else None


def _label(way: str, call: Call) -> str:
    return f"{label(TORCHAC, call)}, before" if way == BEFORE else label(way, call)


def targets(results: Sequence[Result], memory: dict[str, int]) -> list[Target]:
    """Returns all targets of those works; without its peer, a target is not measured."""
    by_work = {result.work: result for result in results}
    operations = OPERATIONS if ROWS in by_work else ()
    return [
        *(_speed(by_work[speed.work], speed) for speed in SPEEDS if speed.work in by_work),
        *(_reading(by_work[r.work], r) for r in READINGS if r.work in by_work),
        *(_call(by_work[SMALL_CALLS], *goal) for goal in call_goals() if SMALL_CALLS in by_work),
        *(_memory(operation, memory.get(f"{TORCHAC}, {operation}")) for operation in operations),
    ]


def _speed(result: Result, speed: Speed) -> Target:
    what = f"{speed.work.name}: {speed.operation}, {speed.label} / {speed.others[0]}"
    target = Target(what, f">= {speed.limit:g} x")
    ours = result.best([speed.label], speed.operation)
    theirs = result.best(speed.others, speed.operation)
    if ours and theirs:
        target.measured, target.met = theirs / ours, theirs / ours >= speed.limit
    return target


def _reading(result: Result, reading: Reading) -> Target:
    reader = reading.reader.split(",")[0]
    what = f"{reading.work.name}: {reading.operation}, {reading.label}, time / {reader}"
    target = Target(what, f"<= {reading.limit:g} x")
    ours, floor = (
        result.best([reading.label], reading.operation),
        result.best([reading.reader], "read"),
    )
    if ours and floor:
        target.measured, target.met = ours / floor, ours / floor <= reading.limit
    return target


def _call(result: Result, call: Call, way: str, operation: str, goal: float) -> Target:
    target = Target(f"{label(way, call)}: {operation}, µs", f"<= {goal:g}")
    measured = _microseconds(result, call, way, operation)
    if measured is not None:
        target.measured, target.met = measured, measured <= goal
    return target


def _memory(operation: str, measured: int | None) -> Target:
    target = Target(f"{ROWS.name}: {operation}, memory beyond inputs and outputs", "<= 2 MB")
    if measured is not None:
        target.measured, target.met = measured / 1e6, measured <= MEMORY_LIMIT
    return target


def memory_table(memory: dict[str, int]) -> str:
    """Returns the memory of coding beyond inputs and outputs."""
    lines = [f"{what:44}{size / 1e6:10,.2f} MB" for what, size in memory.items()]
    return "\n".join([f"{ROWS.name}: memory beyond inputs and outputs", *lines])


def target_table(all_targets: Sequence[Target]) -> str:
    """Returns each target with its measured value."""
    verdict = {None: "not measured", True: "met", False: "NOT MET"}
    lines = [f"{'Targets: ratios of speeds, or as they say':84}{'wanted':>9}{'measured':>10}"]
    for target in all_targets:
        measured = "" if target.measured is None else f"{target.measured:.2f}"
        lines.append(f"{target.text:84}{target.wanted:>9}{measured:>10}  {verdict[target.met]}")
    return "\n".join(lines)
