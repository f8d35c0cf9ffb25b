"""A CDF row: the probabilities of symbols, and the interval that each of them owns."""

from __future__ import annotations

from matplotlib.figure import Figure
from style import GREY, INK, LINE, PROBABILITIES, ROW, WEATHER, WIDTH, clear


def draw() -> Figure:
    """Draws probabilities as bars, and as the steps of their row."""
    figure = Figure(figsize=(WIDTH, 3.1), layout="constrained")
    bars, steps = figure.subplots(1, 2, width_ratios=(3, 4))
    symbols = range(len(WEATHER))
    names = [f"{symbol}\n{name}" for symbol, name in enumerate(WEATHER)]

    bars.set_title("what the model says: probabilities", fontsize=10, color=INK, loc="left")
    bars.bar(symbols, PROBABILITIES, color=list(WEATHER.values()), width=0.62)
    for symbol, probability in enumerate(PROBABILITIES):
        bars.text(symbol, probability + 0.02, f"{probability:g}", ha="center", color=INK)
    bars.set(ylim=(0, 1.06), yticks=(), xticks=symbols)
    bars.set_xticklabels(names)
    clear(bars, "bottom")

    steps.set_title(
        "what coding works with: a CDF row of five values", fontsize=10, color=INK, loc="left"
    )
    for symbol, (name, color) in enumerate(WEATHER.items()):
        low, high = ROW[symbol], ROW[symbol + 1]
        steps.axhspan(low, high, color=color, alpha=0.09, lw=0)
        steps.plot((symbol, symbol + 1), (low, low), color=color, lw=2.5)
        steps.plot((symbol + 1, symbol + 1), (low, high), color=color, lw=2.5)
        middle = (low + high) / 2
        steps.text(symbol + 1.12, middle, f"{name}: [{low:g}, {high:g})", va="center", color=color)
    steps.plot(range(len(ROW)), ROW, "o", color=INK, ms=4, zorder=3)
    steps.set(xlim=(-0.3, 6.1), ylim=(-0.03, 1.06), xticks=range(len(ROW)), yticks=ROW)
    steps.set_xticklabels([f"row[{j}]" for j in range(len(ROW))], fontsize=8)
    steps.set_yticklabels([f"{value:g}" for value in ROW])
    clear(steps, "bottom")
    steps.grid(axis="y", color=LINE, lw=0.6)
    steps.set_axisbelow(True)
    for label in steps.get_yticklabels():
        label.set_color(GREY)
    return figure
