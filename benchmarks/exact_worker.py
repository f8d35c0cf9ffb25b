"""Runs jobs of `exact.py` in other processes, with other settings, and prints results as JSON.

It reads the files that the first process put into a folder, and needs only torch and torchac.
"""

from __future__ import annotations

import ctypes
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from exact_codecs import read_raster
from torch import Tensor

import torchac.exact
import torchac.testing

PROCESSES: dict[str, dict[str, str]] = {
    "nothing set": {},
    "ATEN default": {"ATEN_CPU_CAPABILITY": "default"},
    "ATEN AVX2": {"ATEN_CPU_CAPABILITY": "avx2", "OMP_NUM_THREADS": "3"},
    "ATEN AVX-512": {"ATEN_CPU_CAPABILITY": "avx512"},
    "oneDNN and MKL at SSE4": {"ONEDNN_MAX_CPU_ISA": "SSE41", "MKL_ENABLE_INSTRUCTIONS": "SSE4_2"},
}


class Process(NamedTuple):
    """A Python, and its environment variables."""

    name: str
    python: str
    settings: Mapping[str, str]

    def run(self, *job: str) -> Any:
        """Runs a job in such a process."""
        done = subprocess.run(
            [self.python, __file__, *job],
            env={**os.environ, **self.settings},
            capture_output=True,
            encoding="utf-8",
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"in the process {self.name!r}:\n{done.stderr[-2000:]}")
        return json.loads(done.stdout.splitlines()[-1])


def processes(pythons: Sequence[str]) -> list[Process]:
    """All processes of this Python, and two for each of the others."""
    found = [Process(name, sys.executable, settings) for name, settings in PROCESSES.items()]
    for python in pythons:
        found += [
            Process(f"{python}, {name}", python, PROCESSES[name])
            for name in ("nothing set", "ATEN default")
        ]
    return found


def tensors(output: Any) -> tuple[Tensor, ...]:
    """All tensors that a network returns, one after the other."""
    if isinstance(output, Tensor):
        return (output,)
    items = output.values() if isinstance(output, dict) else output
    return tuple(tensor for item in items for tensor in tensors(item))


def differing(network: Any, x: Any, expected: Sequence[Tensor]) -> dict[str, list[int]]:
    """For each way, how many outputs differ, and how many there are."""
    found = {}
    for way, y in torchac.testing.ways(lambda *v: tensors(network(*v)), x):
        wrong = sum(int((a != b).sum()) for a, b in zip(y, expected, strict=True))
        found[way] = [wrong, sum(a.numel() for a in y)]
    return found


def compare(folder: Path) -> dict[str, dict[str, list[int]]]:
    """How the outputs of each network in a folder differ here."""
    return {
        path.stem: differing(torchac.exact.load(path), *torch.load(path.with_suffix(".pt")))
        for path in sorted(folder.glob("*.exact"))
    }


def read(folder: Path, first: int, end: int) -> dict[str, list[int]]:
    """How many files are read correctly here, and how many were tried, fewer with floats."""
    z_hat, y, streams = torch.load(folder / "files.pt")
    names = [path.stem for path in sorted(folder.glob("*.exact"))]
    networks: dict[str, dict[str, Any]] = {
        "exact": {name: torchac.exact.load(folder / f"{name}.exact") for name in names},
        "float32": {name: load_module(folder / f"{name}.pt") for name in names},
    }
    found = {}
    for how, count in (("exact", end - first), ("float32", (end - first) // 5)):
        part = slice(first, first + count)
        right = read_raster(networks[how], z_hat[part], streams[how][part], y[part], 5)
        found[how] = [right, count]
    return found


def memory(path: Path) -> float:
    """The peak MiB of this process, while a network with its weights computes, on Linux only."""
    network = torchac.exact.load(path) if path.suffix == ".exact" else load_module(path)
    x = torch.load(path.parent / "input.pt")
    torch.set_num_threads(1)
    with torch.no_grad():
        network(x[..., :2, :2])
        ctypes.CDLL("libc.so.6").malloc_trim(0)  # frees memory that was only used for loading
        Path("/proc/self/clear_refs").write_text("5")
        network(x)
    status = Path("/proc/self/status").read_text()
    return float(status.split("VmHWM:")[1].split()[0]) / 1024


def load_module(path: Path) -> Any:
    """A module of torch's own layers, pickled by the first process."""
    return torch.load(path, weights_only=False)


def main() -> None:
    """Runs the job that the command line names, and prints its result."""
    job, folder, *numbers = sys.argv[1:]
    result: Any
    if job == "compare":
        result = compare(Path(folder))
    elif job == "read":
        result = read(Path(folder), *map(int, numbers))
    else:
        result = memory(Path(folder))
    print(json.dumps(result))


if __name__ == "__main__":
    main()
