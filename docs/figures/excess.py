"""The cost of a value above the entropy, with a model, and with one range of integers for all."""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from matplotlib.figure import Figure
from style import BLUE, GREY, INK, LINE, ORANGE, clear

POINTS = 60


def draw() -> Figure:
    """Draws bits over scales, both logarithmic."""
    sys.path.append(str(Path(__file__).resolve().parents[2] / "benchmarks"))
    from rate import allowed, rate

    scales = torch.logspace(-1.3, 4.8, POINTS).tolist()
    rates = [rate("Normal", scale) for scale in scales]
    figure = Figure(figsize=(5.8, 4.0), layout="constrained")  # narrow, for phones
    panel = figure.subplots()
    panel.set(xscale="log", yscale="log", xlim=(0.045, 75_000), ylim=(2.5e-5, 0.5))
    panel.plot(scales, [allowed(one.entropy) for one in rates], color=GREY, lw=1, ls=(0, (4, 3)))
    panel.plot(scales, [one.constriction for one in rates], color=ORANGE, lw=1.8)
    panel.plot(scales, [one.constriction_wide for one in rates], color=ORANGE, lw=1.8)
    panel.plot(scales, [one.torchac for one in rates], color=BLUE, lw=2.2)
    paper = {"facecolor": "white", "edgecolor": "none", "pad": 1}
    for x, y, text, color in (
        (0.06, 0.16, "constriction, values within ±1,048,576", ORANGE),
        (60, 0.015, "allowed:\n0.001 bit + 0.03 %", GREY),
        (0.06, 0.00057, "constriction,\nvalues within ±4,000", ORANGE),
        (70, 0.00011, "torchac,\nany value of 32 bits", BLUE),
    ):
        panel.text(x, y, text, color=color, va="top", bbox=paper)
    panel.set_title("Normal: bits a value above the entropy", fontsize=10, color=INK, loc="left")
    panel.set_xlabel("scale", color=GREY)
    panel.set_xticks([0.1, 1, 10, 100, 1000, 10_000], ["0.1", "1", "10", "100", "1,000", "10,000"])
    panel.set_yticks([1e-4, 1e-3, 1e-2, 1e-1], ["0.0001", "0.001", "0.01", "0.1"])
    panel.minorticks_off()
    clear(panel, "bottom")
    panel.grid(color=LINE, lw=0.6)
    panel.set_axisbelow(True)
    return figure
