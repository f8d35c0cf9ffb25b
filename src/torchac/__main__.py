"""Lists the contents of torchac files, or recovers the undamaged segments of one."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TextIO

from torchac import _file_format, _storage
from torchac.errors import CorruptStreamError


def table(path: Path) -> str:
    """The contents of a file, which is not decoded."""
    data, _ = _storage.read(path)
    contents = _file_format.Contents(data)
    rows = [("", "name", "shape", "bytes", "bits per value", "stored as")]
    for number, segment in enumerate(contents.segments):
        each = f"{8 * segment.bytes / segment.values:.3f}" if segment.values else "-"
        name = "-" if segment.name is None else _file_format.shown(segment.name)
        shape = " x ".join(map(str, segment.shape)) or "one value"
        rows.append((str(number), name, shape, f"{segment.bytes:,}", each, segment.how))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [f"{_shown(path)}: {len(data):,} bytes, model_id {contents.model_id!r}"]
    for row in rows:
        cells = (
            cell.rjust(width) if column in _NUMBERS else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


_NUMBERS = (0, 3, 4)  # columns


def recover(path: Path, to: Path) -> str:
    """Writes the segments before the first damage to a new file, and says how many there are."""
    if to.is_file():
        raise FileExistsError(0, "the file exists already: expected a new name", str(to))
    data, _ = _storage.read(path)
    contents = _file_format.Contents(data, recover=True)
    segments, end = contents.recovered(data)
    output = _storage.Output(to)
    try:
        output.write(segments)
        output.write(end)
        output.commit()
    except BaseException:
        output.abandon()
        raise
    kept = len(contents.segments)
    what = f"{_shown(to)}: {kept} segment{'' if kept == 1 else 's'} of {_shown(path)}"
    if contents.damage is None:
        return f"{what}, which is not damaged"
    lost = len(data) - len(segments)
    return f"{what}, without the last {lost:,} of its {len(data):,} bytes: {contents.damage}"


def _shown(path: Path) -> str:
    return _file_format.shown(str(path))


def _print(path: Path, text: Callable[[], str], to: TextIO) -> bool:
    """Prints the text, or why the file has none; returns whether it has."""
    try:
        print(text(), file=to)
    except CorruptStreamError as error:
        print(f"{_shown(path)}: {error}", file=sys.stderr)
    except OSError as error:
        place = path if error.filename is None else Path(error.filename)
        print(f"{_shown(place)}: {error.strerror or error}", file=sys.stderr)
    else:
        return True
    return False


def main() -> None:
    """Prints a table for each file, or recovers one."""
    parser = argparse.ArgumentParser(prog="python -m torchac", description=__doc__)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("files", nargs="*", default=[], metavar="FILE", type=Path)
    what.add_argument(
        "--recover",
        nargs=2,
        metavar=("FILE", "OUT"),
        type=Path,
        help="write the segments before the first damage of FILE to a new file OUT",
    )
    arguments = parser.parse_args()
    for stream in (sys.stdout, sys.stderr):  # they may have any encoding
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    if arguments.recover is not None:
        path, to = arguments.recover  # `to` may be /dev/stdout
        good = [_print(path, partial(recover, path, to), sys.stderr)]
    else:
        good = [_print(path, partial(table, path), sys.stdout) for path in arguments.files]
    sys.exit(0 if all(good) else 1)


if __name__ == "__main__":
    main()
