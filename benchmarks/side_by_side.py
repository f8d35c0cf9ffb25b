"""Prints the results of each kind of processor side by side, for docs/benchmarks.md.

python benchmarks/side_by_side.py
"""

from __future__ import annotations

import json
from pathlib import Path

RESULTS = Path(__file__).resolve().parent / "results"


def table(files: list[Path]) -> str:
    """A column for each file of results, a row for each target."""
    runs = [json.loads(path.read_text()) for path in files]
    measured = [{target["text"]: target for target in run["targets"]} for run in runs]
    names = dict.fromkeys(text for targets in measured for text in targets)
    processors = [f"{run['processor']}, {run['date']}" for run in runs]
    rows = [["what", "wanted", *processors], ["---"] * (2 + len(runs))]
    for name in names:
        found = [targets.get(name) for targets in measured]
        wanted = next(target["wanted"] for target in found if target)
        cells = ["" if not t or t["met"] is None else cell(t) for t in found]
        rows.append([name, wanted.replace("<=", "≤").replace(">=", "≥"), *cells])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def cell(target: dict[str, float]) -> str:
    """The measured value, in bold if it misses the goal."""
    text = f"{target['measured']:.2f}"
    return text if target["met"] else f"**{text}**"


if __name__ == "__main__":
    print(table(sorted(RESULTS.glob("*.json"))))
