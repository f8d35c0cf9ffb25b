"""Reads mutated and invented files: python tools/fuzz_files.py [--runs 1000000] [--seed 0].

Half of them have CRCs that fit, so that what is behind these is reached. A file gives what was
written, or CorruptStreamError; any other exception, or a crash, is a finding.
"""

import argparse
import io
from collections import Counter
from random import Random

import torch
from tqdm import tqdm

import torchac
from torchac import _segments

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
    data, at, result = file.getvalue(), len(_segments.head(b"")), []
    for segment in torchac.Reader(io.BytesIO(data)).segments:
        result.append(data[at : at + segment.bytes - _segments.CRC_BYTES])
        at += segment.bytes
    return result


def sealed(parts: list[bytes]) -> bytes:
    """A file of these segments, with CRCs that fit."""
    data = _segments.head(b"")
    for part in (*parts, b"\0"):
        data += part + _segments.crc(part, data[-_segments.CRC_BYTES :])
    return data


def mutated(data: bytes, random: Random) -> bytes:
    """Some bytes changed, put in, or taken out."""
    result = bytearray(data)
    for _ in range(random.randint(1, 3)):
        at = random.randint(0, len(result))
        new = random.choice([b"\0", b"\xff", b"\x80", random.randbytes(random.randint(1, 9))])
        result[at : at + random.choice([0, 1, len(new), 20])] = new
    return bytes(result)


def read(data: bytes) -> list[torch.Tensor]:
    """All values of a file."""
    reader = torchac.Reader(io.BytesIO(data), max_values=MAX_VALUES)
    return [reader.read(MODEL) for _ in reader.segments]


def one(random: Random, known: list[list[bytes]]) -> str:
    """Makes a file, reads it, and says how that ended."""
    parts = random.choice(known)
    if random.random() < 0.5:
        expected, data = read(sealed(parts)), mutated(sealed(parts), random)
    else:
        expected = None
        changed = [mutated(p, random) if random.random() < 0.7 else p for p in parts]
        if random.random() < 0.3:
            changed.append(random.randbytes(random.randint(0, 40)))
        data = sealed(changed)
    try:
        found = read(data)
    except torchac.CorruptStreamError:
        return "refused"
    if expected is None:
        return "read, with CRCs that fit"
    assert all(a.equal(b) for a, b in zip(found, expected, strict=True)), data.hex()
    return "read as it was written"


def main() -> None:
    """Reads so many, and counts how that ended."""
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
