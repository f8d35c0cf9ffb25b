"""The common style of figures: white paper, and the colours of the plot of the benchmarks."""

from __future__ import annotations

import matplotlib
from matplotlib.axes import Axes

matplotlib.use("Agg")
matplotlib.rcParams.update({"font.size": 10, "savefig.dpi": 160, "figure.facecolor": "white"})

WIDTH = 7.6  # inches: the column of a page
INK, GREY, LINE = "#24292f", "#57606a", "#d5d9de"
BLUE, ORANGE, GREEN, PURPLE = "#0b66c3", "#d98324", "#3a9563", "#8250c4"

WEATHER = {"sun": BLUE, "cloud": ORANGE, "rain": GREEN, "snow": PURPLE}
PROBABILITIES = (0.5, 0.25, 0.15, 0.1)
ROW = (0.0, 0.5, 0.75, 0.9, 1.0)  # the sums of these probabilities


def clear(panel: Axes, *kept: str) -> None:
    """Removes the frame of a panel, except for the sides to keep."""
    panel.spines[["top", "right", "left", "bottom"]].set_visible(False)
    for side in kept:
        panel.spines[side].set(visible=True, color=LINE)
    panel.tick_params(length=0, colors=GREY)
