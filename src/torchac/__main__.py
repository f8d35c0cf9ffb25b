"""Lists what files of `torchac.Writer` have in them: `python -m torchac FILE …`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from torchac import _segments
from torchac.errors import CorruptStreamError


def table(path: Path) -> str:
    """What a file has in it, without decoding it."""
    data = memoryview(path.read_bytes())
    model_id, segments = _segments.parse(data)
    rows = [("", "name", "shape", "bytes", "bits per value", "stored as")]
    for number, segment in enumerate(segments):
        each = f"{8 * segment.bytes / segment.values:.3f}" if segment.values else "-"
        shape = " x ".join(map(str, segment.shape)) or "one value"
        rows.append(
            (str(number), segment.name or "-", shape, f"{segment.bytes:,}", each, segment.how)
        )
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [f"{path}: {len(data):,} bytes, model_id {model_id!r}"]
    for row in rows:
        cells = (
            cell.rjust(width) if column in _NUMBERS else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


_NUMBERS = (0, 3, 4)  # columns


def _list(path: Path) -> bool:
    try:
        print(table(path))
    except (OSError, CorruptStreamError) as error:
        print(f"{path}: {error}", file=sys.stderr)
        return False
    return True


def main() -> None:
    """Prints a table for each file."""
    parser = argparse.ArgumentParser(prog="python -m torchac", description=__doc__)
    parser.add_argument("files", nargs="+", metavar="FILE", type=Path)
    listed = [_list(path) for path in parser.parse_args().files]
    sys.exit(0 if all(listed) else 1)


if __name__ == "__main__":
    main()
