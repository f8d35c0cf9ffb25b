"""The cost of each letter of a text, with the model of an example."""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from style import GREY, INK, ORANGE, WIDTH, clear

import torchac

LINES = 14
COLORS = LinearSegmentedColormap.from_list("paper to orange", ["white", ORANGE, "#7a3b00"])
COSTS = Normalize(0, 12)


def draw() -> Figure:
    """Draws the first lines of a module's documentation, each letter on the colour of its cost."""
    text, bits = _coded()
    lines = text.split("\n")
    figure = Figure(figsize=(WIDTH, 3.4), layout="constrained")
    panel = figure.subplots()
    columns = max(map(len, lines))
    panel.set(xlim=(-0.5, columns - 0.5), ylim=(len(lines) - 0.4, -0.6), xticks=(), yticks=())
    clear(panel)
    costs = iter(bits)
    for row, line in enumerate(lines):
        for column, letter in enumerate(line):
            cost = next(costs)
            place = (column - 0.5, row - 0.5)
            panel.add_patch(Rectangle(place, 1, 1, color=COLORS(COSTS(cost)), lw=0))
            ink = "white" if cost > 9 else INK
            panel.text(
                column,
                row,
                letter,
                ha="center",
                va="center",
                family="monospace",
                color=ink,
                size=8.5,
            )
        next(costs, None)  # the end of the line
    bar = figure.colorbar(ScalarMappable(COSTS, COLORS), ax=panel, aspect=30, pad=0.01)
    bar.set_label(f"bits, {sum(bits) / len(bits):.1f} on average", color=GREY)
    bar.outline.set_visible(False)
    bar.ax.tick_params(length=0, colors=GREY)
    return figure


def _coded() -> tuple[str, list[float]]:
    """Returns the text, and the cost of each of its letters."""
    sys.path.append(str(Path(__file__).resolve().parents[2] / "examples"))
    from autoregressive_text import Model, load

    torch.manual_seed(0)
    torch.set_num_threads(1)
    training, [text] = load("statistics", 1)
    text = b"\n".join(text.split(b"\n")[:LINES])
    model = Model()
    model.train(training, 1000)
    pmfs = []
    for position, byte in enumerate(text):
        pmfs.append(model.predict([text[:position]]))
        model.learn(text[:position], byte)
    predicted = torchac.Categorical(probs=torch.cat(pmfs))
    bits = torchac.estimate_bits(predicted, torch.tensor(list(text)))
    return text.decode("latin-1"), bits.tolist()  # a letter for each byte
