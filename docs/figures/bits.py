"""Where bits go: readings, their forecast, and the cost of each reading."""

from __future__ import annotations

import torch
from matplotlib.figure import Figure
from style import BLUE, GREEN, GREY, INK, LINE, ORANGE, WIDTH, clear

import torchac


def draw() -> Figure:
    """Draws the readings over their forecast, and their costs below."""
    torch.manual_seed(0)
    hours = torch.arange(96)
    forecast = 15 + 6 * torch.sin(hours * torch.pi / 12)
    readings = (forecast + 1.5 * torch.randn(96)).round()
    readings[60:64] -= 6
    bits = torchac.estimate_bits(torchac.Normal(forecast, 1.5), readings)

    figure = Figure(figsize=(WIDTH, 3.9), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
    for factor, alpha in ((2, 0.12), (1, 0.2)):
        spread = 1.5 * factor
        upper.fill_between(
            hours, forecast - spread, forecast + spread, color=BLUE, alpha=alpha, lw=0
        )
    upper.plot(hours, forecast, color=BLUE, lw=1, label="forecast, known to both sides")
    upper.plot(hours, readings, "o", color=INK, ms=3, label="readings, °C")
    upper.legend(loc="upper right", frameon=False, fontsize=9, ncols=2, labelcolor=GREY)
    upper.set(ylim=(2, 29))
    colors = [ORANGE if 60 <= hour < 64 else GREEN for hour in hours]
    lower.bar(hours, bits, color=colors, width=0.75)
    paper = {"facecolor": "white", "edgecolor": "none", "pad": 1}
    lower.text(64.6, 13, "nobody foresaw these", color=ORANGE, va="center", fontsize=9, bbox=paper)
    mean = bits.mean().item()
    lower.axhline(mean, color=GREY, lw=0.8, ls=":")
    lower.text(96.2, mean, f"{mean:.1f} on\naverage", color=GREY, fontsize=8, va="center")
    lower.set(ylabel="bits", xlabel="hours", xlim=(-1, 96))
    for panel in (upper, lower):
        clear(panel, "bottom")
        panel.grid(axis="y", color=LINE, lw=0.6)
        panel.set_axisbelow(True)
        panel.yaxis.label.set_color(GREY)
        panel.xaxis.label.set_color(GREY)
    return figure
