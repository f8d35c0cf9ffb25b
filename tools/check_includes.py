"""Checks that the folders of the core include one another in one direction only."""

import re
import sys
from pathlib import Path

INCLUDE = Path(__file__).parent.parent / "cpp/include"
MAY_INCLUDE = {  # besides themselves and error.hpp
    "support": set(),
    "bits": {"support"},
    "arrays": {"support"},
    "coder": {"support", "bits"},
    "models": {"support", "bits", "arrays", "coder"},
    "engine": {"support", "bits", "arrays", "coder", "models"},
    "files": {"support"},
    "error.hpp": set(),
    "core.hpp": {"support", "engine"},
}

wrong = [
    f"{header.relative_to(INCLUDE)} includes {included}"
    for header in INCLUDE.glob("torchac/**/*.hpp")
    for included in re.findall(r'#include "(torchac/.*)"', header.read_text())
    if (room := header.relative_to(INCLUDE).parts[1]) != (other := Path(included).parts[1])
    and other not in MAY_INCLUDE[room] | {"error.hpp"}
]
sys.exit("\n".join(wrong) if wrong else 0)
