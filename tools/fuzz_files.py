"""Reads mutated and invented files: python tools/fuzz_files.py [--runs 1000000] [--seed 0].

Half of them have matching CRCs, so that the code after these checks is reached. A file must give
what was written, or CorruptStreamError, even if segments are checked one by one, and all segments
before the damage must be recovered as they were. Any other exception, or a crash, is a finding.
"""

import argparse
import contextlib
import io
from collections import Counter
from random import Random
from typing import Any

import torch
from tqdm import tqdm

import torchac
from torchac import _file_format

MODEL = torchac.Normal(0.0, 2.0)
MAX_VALUES = 5000


def segments(random: Random) -> list[bytes]:
    """The segments of a file of random tensors, without their CRCs."""
    file = io.BytesIO()
    with torchac.Writer(file) as writer:
        for _ in range(random.randint(0, 3)):
            shape = [random.randint(0, 6) for _ in range(random.randint(0, 3))]
            values = torch.zeros(shape) + random.randint(-3, 3)
            values += torch.randn(shape).mul(random.choice([0, 2, 2, 1e3, 1e8])).round()
            name = random.choice([None, None, f"name {random.random()}"])
            writer.write(MODEL, values, name=name)
    data = file.getvalue()
    parts, at = [], len(_file_format.head(b"")) + _file_format.CRC_BYTES
    for segment in torchac.Reader(io.BytesIO(data)).segments:
        parts.append(data[at : at + segment.bytes - _file_format.CRC_BYTES])
        at += segment.bytes
    return parts


def sealed(parts: list[bytes]) -> bytes:
    """A file of these segments, with matching CRCs."""
    data, crc = _file_format.seal([_file_format.head(b"")], 0)
    for part in (*parts, b"\0"):
        more, crc = _file_format.seal([part], crc)
        data += more
    return data


def mutated(data: bytes, random: Random) -> bytes:
    """The data with some bytes changed, inserted or removed."""
    result = bytearray(data)
    for _ in range(random.randint(1, 3)):
        at = random.randint(0, len(result))
        new = random.choice([b"\0", b"\xff", b"\x80", random.randbytes(random.randint(1, 9))])
        result[at : at + random.choice([0, 1, len(new), 20])] = new
    return bytes(result)


def read(data: bytes, **options: Any) -> list[torch.Tensor]:
    """All values of a file."""
    reader = torchac.Reader(io.BytesIO(data), max_values=MAX_VALUES, **options)
    found = [reader.read(MODEL) for _ in reader.segments]
    for number, name in enumerate(segment.name for segment in reader.segments):
        assert name is None or reader.read(MODEL, name=name).equal(found[number]), data.hex()
    return found


def equal(some: list[torch.Tensor], others: list[torch.Tensor]) -> bool:
    """Whether all tensors are equal, up to the end of the shorter list."""
    return all(a.equal(b) for a, b in zip(some, others, strict=False))


def one(random: Random, known: list[list[bytes]]) -> str:
    """Makes a file, reads it, and returns how that ended."""
    parts = random.choice(known)
    if random.random() < 0.5:
        expected, data = read(sealed(parts)), mutated(sealed(parts), random)
    else:
        expected = None
        changed = [mutated(p, random) if random.random() < 0.7 else p for p in parts]
        if random.random() < 0.3:
            changed.append(random.randbytes(random.randint(0, 40)))
        data = sealed(changed)
    with contextlib.suppress(torchac.CorruptStreamError):
        recovered = read(data, recover=True)
        assert expected is None or (
            len(recovered) <= len(expected) and equal(recovered, expected)
        ), data.hex()
    with contextlib.suppress(torchac.CorruptStreamError):
        read(data, verify="read")
    try:
        found = read(data)
    except torchac.CorruptStreamError:
        return "refused"
    assert equal(found, recovered), data.hex()
    assert equal(found, read(data, verify="read")), data.hex()
    if expected is None:
        return "read, with CRCs that fit"
    assert len(found) == len(expected), data.hex()
    assert equal(found, expected), data.hex()
    return "read as it was written"


def main() -> None:
    """Reads this many files, and counts how that ended."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(arguments.seed)
    random = Random(arguments.seed)
    known = [segments(random) for _ in range(200)]
    print(Counter(one(random, known) for _ in tqdm(range(arguments.runs))))


if __name__ == "__main__":
    main()
