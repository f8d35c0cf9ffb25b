"""A package in its own process, because the old torchac and the new one share an import name."""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import importlib.machinery
import importlib.metadata
import math
import multiprocessing
import os
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from timeit import Timer
from typing import Any

import torch
from calls import CALL_ENTRIES, MOST, CallInputs, CallWork
from categories import CATEGORY_ENTRIES, CategoryWork, Logits
from contestants import BEFORE, ENTRIES, ROWS, TORCHAC, Entry, Inputs, Work, row_functions
from latents import COMPRESSAI, load
from models import MODEL_ENTRIES, ModelWork, Values

# For each kind of work: what makes its inputs, and how each package does it.
WAYS: dict[type[Work], tuple[Callable[..., Any], Mapping[str, Callable[..., Iterator[Entry]]]]] = {
    Work: (Inputs, ENTRIES),
    ModelWork: (Values, MODEL_ENTRIES),
    CategoryWork: (Logits, CATEGORY_ENTRIES),
    CallWork: (CallInputs, CALL_ENTRIES),
}
# Seconds for repeated calls: enough that waking up after the turns of others does not count.
ENOUGH = 0.02
RUN = 0.001  # so short that most are not interrupted


class Worker:
    """The process as its parent sees it."""

    def __init__(self, package: str, folder: Path | None = None) -> None:
        self.package = package
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=serve, args=(theirs, package, folder), daemon=True)
        self._process.start()
        theirs.close()
        self.version: str = self.call("version")

    def start(self, method: str, *arguments: Any) -> None:
        """Calls a method of Bench in the process."""
        self._pipe.send((method, arguments))

    def wait(self) -> Any:
        """Returns the result of the method."""
        try:
            result, error = self._pipe.recv()
        except EOFError:
            result, error = None, "the process died"
        if error:
            raise RuntimeError(f"{self.package}: {error}")
        return result

    def call(self, method: str, *arguments: Any) -> Any:
        """Starts and waits."""
        self.start(method, *arguments)
        return self.wait()

    def close(self) -> None:
        """Ends the process."""
        self._process.kill()
        self._process.join()


def module_of(package: str) -> str:
    """The imported package."""
    return package.split()[0].replace("-", "_").lower()


def serve(pipe: Connection, package: str, folder: Path | None) -> None:
    """Serves the parent until it is killed."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # where builds print
    if folder:
        sys.path.insert(0, str(folder))
        sys.meta_path.insert(0, importlib.machinery.PathFinder)  # an editable torchac has another
    torch.set_num_threads(1)
    bench = Bench(package)
    while True:
        method, arguments = pipe.recv()
        try:
            pipe.send((getattr(bench, method)(*arguments), None))
        except Exception:
            pipe.send((None, traceback.format_exc()))


@dataclass
class Prepared:
    """The work that a package is ready to do."""

    count: int  # symbols
    entropy: float  # of the symbols, in bytes
    operations: list[tuple[str, str]]  # label and name
    streams: dict[str, bytes]  # by label


class Bench:
    """The methods that the parent can call."""

    def __init__(self, package: str) -> None:
        self._package = package
        self._entries: dict[str, Entry] = {}
        self._timers: dict[tuple[str, str], Timer] = {}

    def version(self) -> str:
        """Imports the package, which may build it first."""
        if self._package == COMPRESSAI:
            load()
        importlib.import_module(module_of(self._package))
        return importlib.metadata.version(self._package.split()[0])

    def prepare(self, work: Work, count: int) -> Prepared:
        """Makes the inputs and tests every way of the package to do the work."""
        self._entries.clear()
        make, ways = WAYS[type(work)]
        inputs = make(work, count)
        before = self._package == BEFORE
        package = TORCHAC if before else self._package
        entries = ways[package](inputs) if package in ways else iter(())
        self._entries = {f"{e.label}, before" if before else e.label: e for e in entries}
        self._timers = {
            (label, name): timer(operation)
            for label, entry in self._entries.items()
            for name, operation in entry.operations.items()
        }
        return Prepared(
            inputs.count,
            inputs.entropy,
            list(self._timers),
            {label: entry.stream for label, entry in self._entries.items() if entry.stream},
        )

    def seconds(self, label: str, operation: str) -> float:
        """Times one call: the shortest of runs of about a millisecond, scaled to all symbols."""
        timer = self._timers[label, operation]
        calls, elapsed, best = 1, 0.0, math.inf
        while elapsed < ENOUGH:
            run = timer.timeit(calls)
            elapsed, best = elapsed + run, min(best, run / calls)
            calls = min(max(1, int(RUN / best)), MOST)
        return best / self._entries[label].share

    def memory(self, count: int, stream: bytes | None) -> tuple[int, bytes]:
        """Measures the memory that encoding or decoding takes beyond its result."""
        inputs = Inputs(ROWS, count)
        encode, decode = row_functions(inputs)
        cdf, symbols = inputs.cdf, inputs.symbols
        decode(cdf[:1], encode(cdf[:1], symbols[:1]))  # loads everything that the first call loads
        if stream is None:
            peak, stream = peak_above(lambda: encode(cdf, symbols))
            return peak - len(stream), stream
        peak, decoded = peak_above(lambda: decode(cdf, stream))
        return peak - decoded.nbytes, stream


def timer(operation: Callable[[], Any] | Timer) -> Timer:
    """Times a function without freeing its result, which is not coding."""
    if isinstance(operation, Timer):
        return operation
    return Timer("result = function()", globals={"function": operation})


def peak_above(function: Callable[[], Any]) -> tuple[int, Any]:
    """Returns how far a call raises the resident memory of the process, in bytes.

    Memory that was freed but kept for later calls would not be counted, so it is given back first.
    """
    with contextlib.suppress(AttributeError):  # only glibc has this function
        ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")  # resets the peak to the present
    before = resident("VmRSS")
    result = function()
    return resident("VmHWM") - before, result


def resident(kind: str) -> int:
    """Returns a figure of the process's status, in bytes."""
    status = Path("/proc/self/status").read_text()
    return 1024 * int(status.split(kind + ":")[1].split()[0])
