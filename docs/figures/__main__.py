"""Draws the figures of the pages into docs/images: python docs/figures."""

from __future__ import annotations

import argparse
from pathlib import Path

import bits
import excess
import narrowing
import row
import text
import window

FIGURES = {
    "guide_row": row.draw,
    "guide_interval": narrowing.draw,
    "guide_bits": bits.draw,
    "models": window.draw,
    "models_rate": excess.draw,
    "autoregressive_text": text.draw,
}


def main() -> None:
    """Draws all figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    folder = Path(__file__).resolve().parent.parent / "images"
    parser.add_argument("--out", type=Path, default=folder, help="where the pictures go")
    out = parser.parse_args().out
    for name, draw in FIGURES.items():
        draw().savefig(out / f"{name}.png", pad_inches=0.15, bbox_inches="tight")


if __name__ == "__main__":
    main()
