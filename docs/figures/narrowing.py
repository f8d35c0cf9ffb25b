"""How three symbols narrow an interval, and the bits of a number in it."""

from __future__ import annotations

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from style import GREY, INK, LINE, ROW, WEATHER, WIDTH

import torchac

SYMBOLS = (0, 2, 1)
HEIGHT, GAP = 0.42, 0.5


def draw() -> Figure:
    """Draws a bar for each symbol; the chosen part becomes the whole next bar."""
    row = torch.tensor(ROW)
    encoder = torchac.Encoder()
    encoder.encode(row.expand(len(SYMBOLS), -1), torch.tensor(SYMBOLS))
    size = encoder.num_bits
    bits = f"{int.from_bytes(encoder.finish(), 'big'):08b}"[:size]

    figure = Figure(figsize=(WIDTH, 3.8), layout="constrained")
    panel = figure.subplots()
    panel.set(xlim=(-0.02, 1.02), ylim=(-3.6, 0.42))
    panel.set_axis_off()
    low, width = 0.0, 1.0
    for step, chosen in enumerate(SYMBOLS):
        _bar(panel, -step * (HEIGHT + GAP), row.tolist(), chosen, low, width)
        low, width = low + width * row[chosen].item(), width * row.diff()[chosen].item()
    _result(panel, -len(SYMBOLS) * (HEIGHT + GAP), low, width, bits)
    return figure


def _bar(panel: Axes, y: float, row: list[float], chosen: int, start: float, width: float) -> None:
    """Draws an interval, divided by a row, and lines from its chosen part to the next one."""
    for symbol, (name, color) in enumerate(WEATHER.items()):
        left, right = row[symbol], row[symbol + 1]
        alpha = 1 if symbol == chosen else 0.22
        panel.barh(y, right - left, HEIGHT, left, color=color, alpha=alpha, ec="white", lw=1.5)
        weight, ink = ("bold", "white") if symbol == chosen else ("normal", color)
        panel.text((left + right) / 2, y, name, ha="center", va="center", color=ink, weight=weight)
    for value in row:
        number = f"{start + width * value:.5g}"
        align = {0.0: "left", 1.0: "right"}.get(value, "center")
        panel.text(value, y + 0.26, number, ha=align, va="bottom", color=GREY, fontsize=8.5)
    for value, end in ((row[chosen], 0), (row[chosen + 1], 1)):
        top, bottom = y - HEIGHT / 2, y - HEIGHT / 2 - GAP + 0.2
        panel.plot((value, end), (top, bottom), color=LINE, lw=1.2, zorder=0)


def _result(panel: Axes, y: float, low: float, width: float, bits: str) -> None:
    """Draws the remaining interval, and the number in it."""
    number = int(bits, 2) / 2 ** len(bits)
    where = (number - low) / width
    panel.barh(y, 1, HEIGHT, 0, color=LINE)
    for value, align in ((0, "left"), (1, "right")):
        end = f"{low + width * value:.5g}"
        panel.text(value, y + 0.26, end, ha=align, va="bottom", color=GREY, fontsize=8.5)
    panel.plot((where, where), (y - HEIGHT / 2, y + HEIGHT / 2), color=INK, lw=2)
    text = f"{number:.7g} = 0.{bits} in binary"
    panel.text(where, y - 0.3, text, va="top", color=INK)
    note = f"{len(bits)} bits: whatever follows them, the number stays in here"
    panel.text(where, y - 0.56, note, va="top", color=GREY)
