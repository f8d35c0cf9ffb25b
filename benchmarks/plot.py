"""Draws the time of a whole job, as in the README, and the symbols a second of all works."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib
from calls import CALLS_OF, SMALL_CALLS, WITH_NUMPY, label
from categories import SOFTMAX
from contestants import CONSTRICTION, OLD, SUM, TORCH_ANS, TORCHAC
from latents import ACCELERATED, COMPRESSAI
from matplotlib import pyplot
from matplotlib.axes import Axes
from models import GAUSSIAN, NORMAL, OLD_ROWS, ROWS_THEN_CODE
from report import OLD_NOTE, Result

matplotlib.use("Agg")

COLORS = {
    OLD: "#8d99a6",
    TORCHAC: "#0b66c3",
    CONSTRICTION: "#d98324",
    TORCH_ANS: "#3a9563",
    COMPRESSAI: "#a04a8c",
    SUM: "#d5d9de",
    SOFTMAX: "#d5d9de",
}
JOB = {
    TORCHAC: "torchac.Normal",
    ACCELERATED: "CompressAI, accelerated by torchac",
    GAUSSIAN: "constriction, QuantizedGaussian",
    COMPRESSAI: "CompressAI, GaussianConditional",
    ROWS_THEN_CODE: "rows of a CDF by hand, torchac",
    OLD_ROWS: "rows of a CDF by hand, torchac 0.9.3",
}
ROW = 0.27  # inches
PANELS = {"Encoding": ("encode",), "Decoding": ("decode", "read")}


def draw(path: Path, facts: dict[str, Any], results: Sequence[Result]) -> None:
    """Draws the best speed of each line of the tables, as a group of bars for each work."""
    results = [result for result in results if result.work != SMALL_CALLS]
    rows = sum(len(result.lines) + 1.4 for result in results)
    size = (13, 1.6 + ROW * rows)
    figure, panels = pyplot.subplots(
        1, 2, figsize=size, sharex=True, sharey=True, layout="constrained"
    )
    for panel, (title, operations) in zip(panels, PANELS.items(), strict=True):
        panel.set_title(f"{title}: million symbols a second", loc="left", fontsize=12)
        panel.set_xscale("log")
        panel.xaxis.set_major_formatter("{x:g}")
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
    figure.supxlabel(_footer(facts), x=0.01, ha="left", fontsize=9, color="#57606a")
    figure.savefig(path, dpi=120)


def draw_job(path: Path, facts: dict[str, Any], results: Sequence[Result]) -> None:
    """Draws how long each way takes from parameters to bytes and back."""
    [result] = [result for result in results if result.work == NORMAL]
    lines = [line for label in JOB for line in result.lines if line.label == label]
    figure, panel = pyplot.subplots(figsize=(9, 1.5 + 0.4 * len(lines)), layout="constrained")
    _style(panel)
    for y, line in enumerate(lines):
        encode, decode = (1e3 * (line.best(operation) or 0) for operation in ("encode", "decode"))
        color = COLORS[TORCHAC if line.label in (TORCHAC, ACCELERATED) else _package(line.label)]
        panel.barh(y, encode, height=0.66, color=color)
        panel.barh(y, decode, height=0.66, left=encode, color=color, alpha=0.6)
        text = f"{encode + decode:,.0f} ms"
        panel.annotate(text, (encode + decode, y), (5, 0), textcoords="offset points", va="center")
    panel.set_yticks(range(len(lines)), [JOB[line.label] for line in lines])
    panel.set_ylim(len(lines) - 0.5, -0.5)
    panel.margins(x=0.1)
    title = f"From means and scales to bytes, and back: {result.count:,} values, one thread"
    figure.suptitle(title, x=0.01, ha="left", fontsize=13, weight="bold")
    footer = f"Encoding, and paler decoding, in milliseconds. {_footer(facts)}"
    figure.supxlabel(footer, x=0.01, ha="left", fontsize=8, color="#57606a")
    figure.savefig(path, dpi=120)


def draw_calls(path: Path, facts: dict[str, Any], results: Sequence[Result]) -> None:
    """Draws the time of a call over the number of its values, which are normally distributed."""
    [result] = [result for result in results if result.work == SMALL_CALLS]
    figure, panels = pyplot.subplots(1, 2, figsize=(9, 3.9), sharey=True, layout="constrained")
    for panel, (title, (operation, *_)) in zip(panels, PANELS.items(), strict=True):
        panel.set_title(title, loc="left", fontsize=11)
        panel.set_xscale("log", base=2)
        panel.set_yscale("log")
        panel.set_xlabel("values a call")
        panel.grid(color="#e3e6ea", linewidth=0.8)
        panel.spines[["top", "right"]].set_visible(False)
        for way, color in ((TORCHAC, TORCHAC), (WITH_NUMPY, TORCHAC), (CONSTRICTION, CONSTRICTION)):
            for kept, calls in CALLS_OF.items():
                times = [result.best([label(way, call)], operation) for call in calls]
                if all(times) and not (kept and way == CONSTRICTION):
                    panel.plot(
                        [call.values for call in calls],
                        [1e6 * (time or 0) for time in times],
                        marker="o",
                        color=COLORS[color],
                        alpha=0.5 if way == WITH_NUMPY else 1,
                        linestyle="--" if kept else "-",
                        label=f"{way}, model kept" if kept else way,
                    )
        panel.xaxis.set_major_formatter("{x:g}")
        panel.yaxis.set_major_formatter("{x:g}")
    panels[0].set_ylabel("microseconds")
    panels[0].legend(frameon=False, fontsize=8)
    title = "Microseconds a call, with a normal distribution for each value"
    figure.suptitle(title, x=0.01, ha="left", fontsize=13, weight="bold")
    figure.supxlabel(_footer(facts), x=0.01, ha="left", fontsize=8, color="#57606a")
    figure.savefig(path, dpi=120)


def _footer(facts: dict[str, Any]) -> str:
    """Where, when and with what it was measured."""
    versions = ", ".join(
        f"{package.split()[0]} {version}" for package, version in facts["versions"].items()
    )
    where = f"{facts['processor']}, {facts['machine']}"
    return f"{where}; {facts['date']}\n{versions}\n{OLD_NOTE}."


def _package(label: str) -> str:
    """The package of a label."""
    return max((name for name in COLORS if label.startswith(name)), key=len)


def _style(panel: Axes) -> None:
    panel.grid(axis="x", color="#e3e6ea", linewidth=0.8)
    panel.set_axisbelow(True)
    panel.spines[["top", "right", "left"]].set_visible(False)
    panel.tick_params(axis="both", length=0)


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
    """Draws a bar; the variants of a package are paler than its first one."""
    package = _package(label)
    panel.barh(y, speed, height=0.78, color=COLORS[package], alpha=1 if label == package else 0.6)
    panel.annotate(
        f"{speed:.3g}", (speed, y), (4, 0), textcoords="offset points", va="center", fontsize=9
    )
