"""Times files: many small segments, and one large tensor on one thread and on two.

python benchmarks/files.py
"""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from functools import partial

import torch

import torchac

SEGMENTS = 5000
VALUES = 32_000_000  # of 25 bits, which are 100 MB
SCALE = 1e7


def best(function: Callable[[], object], rounds: int = 3) -> float:
    """The shortest of some times, in seconds."""
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return min(times)


def written(model: torchac.Normal, values: torch.Tensor, count: int, threads: int) -> bytes:
    """A file of so many segments, all of the same values."""
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


def main() -> None:
    """Measures and prints."""
    torch.set_num_threads(1)
    small = torchac.Normal(torch.zeros(64), 2.0)
    values = torch.randn(64).mul(2).round()
    data = written(small, values, SEGMENTS, 1)
    per_second = (
        SEGMENTS / best(lambda: written(small, values, SEGMENTS, 1)),
        SEGMENTS / best(lambda: read(small, data, 1)),
    )
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
