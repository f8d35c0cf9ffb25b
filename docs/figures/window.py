"""A model: a distribution, the window around it, and the row of integers that codes a value."""

from __future__ import annotations

import math

import torch
from matplotlib.figure import Figure
from style import BLUE, GREEN, GREY, INK, LINE, ORANGE, WIDTH, clear

import torchac

LOC, SCALE = 2.3, 1.1


def draw() -> Figure:
    """Draws the density over its window, and the row below it."""
    tables = torchac.Normal(LOC, SCALE).tabulate()
    first, length = int(tables.low), int(tables.lengths)
    row = [value % 65536 for value in tables.cdf.tolist()[:length]] + [65536]
    integers = range(first, first + length)

    figure = Figure(figsize=(WIDTH, 4.4), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 4))
    x = torch.linspace(first - 2.5, first + length + 1.5, 600)
    density = (-(((x - LOC) / SCALE) ** 2) / 2).exp() / (SCALE * math.sqrt(2 * math.pi))
    upper.fill_between(x, density, color=BLUE, alpha=0.12, lw=0)
    upper.plot(x, density, color=BLUE, lw=1.2)
    inside = (x > 2.5) & (x < 3.5)
    upper.fill_between(x[inside], density[inside], color=GREEN, alpha=0.75, lw=0)
    upper.axvspan(first - 0.5, first + length - 0.5, color=ORANGE, alpha=0.07, lw=0)
    upper.text(first - 0.4, 0.4, f"the window: {length} integers", color=ORANGE, va="top")
    upper.text(3.6, 0.27, "the probability of 3", color=GREEN)
    upper.set(ylim=(0, 0.42), yticks=())
    upper.set_title(f"Normal({LOC}, {SCALE})", fontsize=10, color=INK, loc="left")

    lower.set_title("its row, of 65536 parts", fontsize=10, color=INK, loc="left")
    for j, value in enumerate(integers):
        color = GREEN if value == 3 else ORANGE if j in (0, length - 1) else BLUE
        lower.plot((value - 0.5, value + 0.5), (row[j], row[j]), color=color, lw=2)
        lower.plot((value + 0.5, value + 0.5), (row[j], row[j + 1]), color=color, lw=2)
    lower.text(
        first - 0.3, 7000, f"{first}, or\nfurther out", color=ORANGE, fontsize=9, va="center"
    )
    lower.text(
        first + length - 0.6,
        56000,
        f"{first + length - 1}, or\nfurther out",
        color=ORANGE,
        fontsize=9,
        va="center",
        ha="right",
    )
    j = 3 - first
    lower.text(3.6, (row[j] + row[j + 1]) / 2, f"3: [{row[j]}, {row[j + 1]})", color=GREEN)
    lower.set(xlim=(first - 2.5, first + length + 1.5), xticks=list(integers), ylim=(-2500, 68000))
    lower.set(yticks=(0, 16384, 32768, 49152, 65536))
    for panel in (upper, lower):
        clear(panel, "bottom")
        panel.set_axisbelow(True)
    lower.grid(axis="y", color=LINE, lw=0.6)
    for label in lower.get_yticklabels():
        label.set_color(GREY)
    return figure
