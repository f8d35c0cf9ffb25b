"""The plot that the README shows: symbols a second, on a logarithmic scale."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib
from categories import SOFTMAX
from contestants import CONSTRICTION, OLD, SUM, TORCH_ANS, TORCHAC
from matplotlib import pyplot
from matplotlib.axes import Axes
from report import OLD_NOTE, Result

matplotlib.use("Agg")

COLORS = {
    OLD: "#8d99a6",
    TORCHAC: "#0b66c3",
    CONSTRICTION: "#d98324",
    TORCH_ANS: "#3a9563",
    SUM: "#d5d9de",
    SOFTMAX: "#d5d9de",
}
ROW = 0.27  # inches
PANELS = {"Encoding": ("encode",), "Decoding": ("decode", "read")}


def draw(path: Path, facts: dict[str, Any], results: Sequence[Result]) -> None:
    """Draws the best speed of each line of the tables, a group of bars for each work."""
    results = [result for result in results if not result.work.single]
    rows = sum(len(result.lines) + 1.4 for result in results)
    size = (13, 1.6 + ROW * rows)
    figure, panels = pyplot.subplots(
        1, 2, figsize=size, sharex=True, sharey=True, layout="constrained"
    )
    for panel, (title, operations) in zip(panels, PANELS.items(), strict=True):
        panel.set_title(f"{title}: million symbols a second", loc="left", fontsize=12)
        _style(panel)
        _bars(panel, results, operations)
    panels[0].set_ylim(rows - 0.6, -1.2)
    figure.suptitle(
        "torchac and its peers, on one thread unless it says two",
        x=0.01,
        ha="left",
        fontsize=16,
        weight="bold",
    )
    versions = ", ".join(
        f"{package.split()[0]} {version}" for package, version in facts["versions"].items()
    )
    where = f"{facts['processor']}, {facts['machine']}"
    footer = f"{where}; {facts['date']}; {versions}\n{OLD_NOTE}."
    figure.supxlabel(footer, x=0.01, ha="left", fontsize=9, color="#57606a")
    figure.savefig(path, dpi=120)


def _style(panel: Axes) -> None:
    panel.set_xscale("log")
    panel.grid(axis="x", color="#e3e6ea", linewidth=0.8)
    panel.set_axisbelow(True)
    panel.spines[["top", "right", "left"]].set_visible(False)
    panel.tick_params(axis="both", length=0)
    panel.xaxis.set_major_formatter("{x:g}")


def _bars(panel: Axes, results: Sequence[Result], operations: Sequence[str]) -> None:
    ticks, labels, y = [], [], 0.0
    for result in results:
        panel.text(
            0,
            y - 0.9,
            result.work.name,
            transform=panel.get_yaxis_transform(),
            weight="bold",
            va="center",
        )
        for line in result.lines:
            ticks.append(y)
            labels.append(line.label)
            for best in filter(None, map(line.best, operations)):
                _bar(panel, y, result.count / best / 1e6, line.label)
            y += 1
        y += 1.4
    panel.set_yticks(ticks, labels)


def _bar(panel: Axes, y: float, speed: float, label: str) -> None:
    """The bars of a package's variants are paler than its first."""
    package = max((name for name in COLORS if label.startswith(name)), key=len)
    panel.barh(y, speed, height=0.78, color=COLORS[package], alpha=1 if label == package else 0.6)
    panel.annotate(
        f"{speed:.3g}", (speed, y), (4, 0), textcoords="offset points", va="center", fontsize=9
    )
