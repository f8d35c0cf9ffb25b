"""Checks that each module of the package imports only those on the floors below its own."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).parent.parent / "src/torchac"
FLOORS = """
    _core _dynamo _storage errors
    _tensors
    _checks _file_format
    quantize threads settle testing fingerprint exact __main__
    models._base
    models._parametric models._categorical models._cdf models._distributions
    models._cdf_on_device models._from_argument models
    _coding
    codec batch incremental lockstep files bits torchac
    compressai __init__
"""
FLOOR = {name: n for n, line in enumerate(FLOORS.strip().splitlines()) for name in line.split()}


def known(name: str) -> str:
    """The module or the folder of that name, or the one that has it in it."""
    while name not in FLOOR:
        name = name.rpartition(".")[0] or "__init__"
    return name


def imports(path: Path) -> Iterator[str]:
    """What a module imports, each by its whole name."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


wrong = [
    f"{name} imports {other}"
    for path in PACKAGE.rglob("*.py")
    for name in [known(".".join(path.relative_to(PACKAGE).with_suffix("").parts))]
    for imported in imports(path)
    if imported.startswith("torchac.")
    for other in [known(imported.removeprefix("torchac."))]
    if name != other and FLOOR[other] >= FLOOR[name]
]
sys.exit("\n".join(wrong) if wrong else 0)
