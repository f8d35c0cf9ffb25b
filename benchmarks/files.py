"""Times files: many small segments, one large tensor on one thread and on two, and the disk.

python benchmarks/files.py
"""

from __future__ import annotations

import argparse
import io
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch

import torchac

SEGMENTS = 5000
VALUES = 32_000_000  # of 25 bits, which are 100 MB
SCALE = 1e7


def best(function: Callable[[], object], rounds: int = 3) -> float:
    """The shortest of several times, in seconds."""
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return min(times)


def written(model: torchac.Normal, values: torch.Tensor, count: int, threads: int) -> bytes:
    """A file of this many segments, all with the same values."""
    file = io.BytesIO()
    with torchac.Writer(file) as writer:
        for _ in range(count):
            writer.write(model, values, num_threads=threads)
    return file.getvalue()


def read(model: torchac.Normal, data: bytes, threads: int) -> None:
    """All segments of a file."""
    reader = torchac.Reader(io.BytesIO(data))
    for _ in reader.segments:
        reader.read(model, num_threads=threads)


def unsynced(path: Path, model: torchac.Normal, values: torch.Tensor) -> None:
    """Writes a file as `Writer` does, except that it does not wait for the disk."""
    temporary = path.with_name("unsynced")
    temporary.write_bytes(written(model, values, 1, 1))
    temporary.replace(path)


def synced(path: Path, model: torchac.Normal, values: torch.Tensor) -> None:
    """Writes a file at a path."""
    with torchac.Writer(path) as writer:
        writer.write(model, values, num_threads=1)


def print_cost_of_disk(folder: Path) -> None:
    """How much longer it takes to write files that survive a power cut."""
    path = folder / "file"
    for count in (1_000, 100_000, 10_000_000):
        model, values = torchac.Normal(0.0, SCALE), (SCALE * torch.randn(count)).round()
        times = [best(partial(w, path, model, values), 9) for w in (synced, unsynced)]
        print(
            f"{path.stat().st_size:,} bytes at a path: {times[0] / times[1]:.2f} times as long as "
            f"without waiting for the disk, {1e3 * (times[0] - times[1]):.2f} ms more"
        )


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, default=Path(), help="on the disk to measure")
    folder = parser.parse_args().folder
    torch.set_num_threads(1)
    small = torchac.Normal(torch.zeros(64), 2.0)
    values = torch.randn(64).mul(2).round()
    data = written(small, values, SEGMENTS, 1)
    per_second = (
        SEGMENTS / best(lambda: written(small, values, SEGMENTS, 1)),
        SEGMENTS / best(lambda: read(small, data, 1)),
    )
    with tempfile.TemporaryDirectory(dir=folder) as temporary:
        print_cost_of_disk(Path(temporary))
    print("segments of 64 values a second: {:,.0f} written, {:,.0f} read".format(*per_second))
    loc = torch.randn(VALUES)
    large = torchac.Normal(loc, SCALE)
    values = (loc + SCALE * torch.randn(VALUES)).round()
    stream = torchac.encode(large, values)
    data = written(large, values, 1, 2)
    encode, decode = (
        best(lambda: torchac.encode(large, values)),
        best(lambda: torchac.decode(large, stream)),
    )
    print(f"{VALUES:,} values, {len(data) / 1e6:.0f} MB; times as fast as encode and decode:")
    for threads in (1, 2):
        writing = best(partial(written, large, values, 1, threads))
        reading = best(partial(read, large, data, threads))
        print(f"{threads} threads: {encode / writing:.2f} written, {decode / reading:.2f} read")


if __name__ == "__main__":
    main()
