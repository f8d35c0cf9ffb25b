"""Times torchac and its peers on the same symbols and CDFs.

    python benchmarks/compare.py          # minutes; writes results/PROCESSOR.json and pictures
    python benchmarks/compare.py --quick  # a minute: fewer symbols and rounds, no files
    python benchmarks/compare.py --only model  # the works with "model" in their names, no files
    python benchmarks/compare.py --before FOLDER  # also the torchac there; no targets, no files

Every package runs in its own process, on one thread unless the table says otherwise, and they
take turns, round by round. Before that, each must decode what it encoded. A peer that is not
installed is left out, and a message says how to install it.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import platform
import re
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any

from calls import SMALL_CALLS
from categories import CATEGORIES
from contestants import BEFORE, CONSTRICTION, OLD, ROWS, TORCH_ANS, TORCHAC, WORKS, Work
from latents import COMPRESSAI, HOW
from models import MODELS
from report import (
    OLD_NOTE,
    OPERATIONS,
    Line,
    Result,
    Target,
    memory_table,
    table,
    target_table,
    targets,
)
from worker import Worker, module_of

HERE = Path(__file__).resolve().parent
BENCH = 'pip install ".[bench]"'
INSTALL = {
    TORCHAC: "pip install .",
    OLD: "pip install --no-deps --target {folder} torchac==0.9.3",
    CONSTRICTION: BENCH,
    TORCH_ANS: BENCH,
    COMPRESSAI: HOW,
}
INSTALL_BEFORE = "pip install --no-deps --target {folder} CHECKOUT"
FAMILY = ("cpu family", "model")
# The least seconds for each work. The rounds of a short work end within a few seconds, and a shared
# machine may be slow for ten.
LONG_ENOUGH = 30.0


def main() -> None:
    """Measures, prints, saves."""
    arguments = parse_arguments()
    rounds, seconds = (3, 0.0) if arguments.quick else (arguments.rounds, LONG_ENOUGH)
    every = (*WORKS, *MODELS, *CATEGORIES, SMALL_CALLS)
    works = [work for work in every if arguments.only.lower() in work.name.lower()]
    print(f"{processor()}, {machine()}")
    workers = start_workers({OLD: arguments.old, BEFORE: arguments.before})
    results = []
    for work in works:
        print(f"\n… {work.name}", flush=True)
        few = arguments.quick and not work.tables  # shared tables are fast anyway
        count = work.values // 8 if few else work.values
        results.append(measure(work, list(workers.values()), count, rounds, seconds))
        print(table(results[-1]), flush=True)
    versions = {package: worker.version for package, worker in workers.items()}
    for worker in workers.values():
        worker.close()
    memory = {}
    if ROWS in works:
        memory = measure_memory(list(workers), arguments.old, results[0].count)
        print(f"\n{memory_table(memory)}")
    if arguments.before:
        return
    reached = targets(results, memory)
    print(f"\n{target_table(reached)}\n\n{OLD_NOTE}.")
    if not arguments.quick and not arguments.only:
        facts: dict[str, Any] = {"date": f"{date.today()}", "processor": processor()}
        facts |= {"machine": machine(), "versions": versions}
        save(arguments.json, facts | {"rounds": rounds}, results, memory, reached)
        plot(arguments.plots, facts, results)


def parse_arguments() -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description="Times torchac and its peers.")
    parser.add_argument("--quick", action="store_true", help="a minute, and no files")
    parser.add_argument("--only", default="", help="part of the names of the works; no files")
    parser.add_argument("--rounds", type=int, default=15, help="how often each is timed, or more")
    folder = HERE / "torchac-0.9.3"
    parser.add_argument("--old", type=Path, default=folder, help=f"where {OLD} is installed")
    parser.add_argument("--before", type=Path, help="where another torchac is installed")
    results = HERE / "results" / f"{slug(processor())}.json"
    parser.add_argument("--json", type=Path, default=results, help="results go there")
    parser.add_argument("--plots", type=Path, default=HERE, help="the pictures go there")
    return parser.parse_args()


def start_workers(folders: dict[str, Path | None]) -> dict[str, Worker]:
    """Starts a process for each installed package, and says how to install the others.

    Those with another torchac import it from their folders.
    """
    workers = {}
    commands = INSTALL if folders[BEFORE] is None else INSTALL | {BEFORE: INSTALL_BEFORE}
    for package, command in commands.items():
        folder = folders.get(package)
        if not installed(package, folder):
            print(f"{package} is left out, it is not installed: {command.format(folder=folder)}")
            continue
        print(f"… {package}:", end="", flush=True)
        try:
            workers[package] = Worker(package, folder)
            print(f" {workers[package].version}")
        except RuntimeError as error:
            print(f" left out, it cannot be imported. {error}")
    if TORCHAC not in workers:
        raise SystemExit(
            f"There is nothing to compare with. To install torchac: {INSTALL[TORCHAC]}"
        )
    return workers


def installed(package: str, folder: Path | None) -> bool:
    """Whether a package seems to be installed, in a folder or for this Python."""
    if folder is not None:
        return (folder / "torchac").is_dir()
    return importlib.util.find_spec(module_of(package)) is not None


def measure(
    work: Work, workers: Sequence[Worker], count: int, rounds: int, seconds: float
) -> Result:
    """Has all packages do a work in turn, for at least this many rounds and seconds."""
    for worker in workers:
        worker.start("prepare", work, count)
    prepared = [worker.wait() for worker in workers]
    times: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    start, done = time.perf_counter(), 0
    while done < rounds or time.perf_counter() - start < seconds:
        for worker, ready in zip(workers, prepared, strict=True):
            for label, operation in ready.operations:
                times[label][operation].append(worker.call("seconds", label, operation))
        done += 1
    streams = {label: stream for ready in prepared for label, stream in ready.streams.items()}
    if OLD in streams and streams[OLD] != streams[TORCHAC]:
        raise AssertionError(f"{work.name}: the stream is not that of {OLD}")
    lines = [
        Line(label, len(streams[label]) if label in streams else None, dict(its_times))
        for label, its_times in times.items()
    ]
    return Result(work, prepared[0].count, prepared[0].entropy, lines)


def measure_memory(packages: Sequence[str], old: Path, count: int) -> dict[str, int]:
    """Returns bytes beyond inputs and outputs, by package and operation; on Linux only."""
    memory: dict[str, int] = {}
    if not Path("/proc/self/clear_refs").exists():
        return memory
    for package in [name for name in (TORCHAC, OLD) if name in packages]:
        stream = None
        for operation in OPERATIONS:
            worker = Worker(package, old if package == OLD else None)
            memory[f"{package}, {operation}"], stream = worker.call("memory", count, stream)
            worker.close()
    return memory


def processor() -> str:
    """Returns its name, on Linux with its family and model, because names say little."""
    information = Path("/proc/cpuinfo")
    content = information.read_text() if information.exists() else ""
    found = [re.search(rf"^{key}\s*: (.+)", content, re.M) for key in ("model name", *FAMILY)]
    name, *numbers = [match[1] for match in found if match] or [platform.processor()]
    said = ", ".join(f"{key.split()[-1]} {n}" for key, n in zip(FAMILY, numbers, strict=False))
    return f"{name} ({said})" if said else name or platform.machine()


def slug(name: str) -> str:
    """Turns a name into a file name."""
    return re.sub(r"[^a-z0-9]+", "-", re.sub(r"\(.\)|family|model", "", name.lower())).strip("-")


def machine() -> str:
    """Describes the rest of the machine."""
    return f"{os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}"


def save(
    path: Path,
    facts: dict[str, Any],
    results: Sequence[Result],
    memory: dict[str, int],
    reached: Sequence[Target],
) -> None:
    """Writes all measurements, one work or target a line."""
    works = [asdict(result) for result in results]
    what = {"note": OLD_NOTE, "works": works, "memory": memory}
    content = facts | what | {"targets": [asdict(target) for target in reached]}
    lines = ",\n".join(f"{json.dumps(key)}: {_lines(value)}" for key, value in content.items())
    path.write_text(f"{{\n{lines}\n}}\n")
    print(f"written: {path}")


def _lines(value: Any) -> str:
    """A value as JSON: a list with one element a line."""
    if not isinstance(value, list):
        return json.dumps(value)
    return "[\n" + ",\n".join(map(json.dumps, value)) + "\n]"


def plot(folder: Path, facts: dict[str, Any], results: Sequence[Result]) -> None:
    """Draws all measurements, if matplotlib is installed."""
    try:
        from plot import draw, draw_calls, draw_job
    except ImportError:
        print(f"no plots, matplotlib is not installed: {BENCH}")
        return
    draws = {"compare.png": draw, "job.png": draw_job, "calls.png": draw_calls}
    for name, function in draws.items():
        function(folder / name, facts, results)
        print(f"written: {folder / name}")


if __name__ == "__main__":
    main()
