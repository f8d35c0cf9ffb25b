"""CompressAI's Gaussian conditional: with its own coder, and accelerated."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from contestants import Entry, coding

sys.path.append(str(Path(__file__).resolve().parent.parent / "tests"))

from compressai_alone import HOW as HOW
from compressai_alone import installed as installed
from compressai_alone import load as load

COMPRESSAI = "CompressAI"
ACCELERATED = "torchac, CompressAI accelerated"


def conditional(label: str, values: Any) -> Iterator[Entry]:
    """Values around means, which it subtracts; without tables, scales are rounded to its own."""
    if not installed():
        return
    load()
    from compressai.entropy_models import GaussianConditional
    from compressai.models.google import get_scale_table

    import torchac.compressai

    shared = values.work.tables is not None
    model: Any = GaussianConditional(values.scale.flatten().tolist() if shared else None)
    model.update() if shared else model.update_scale_table(get_scale_table())
    y = values.symbols.float()[None]
    means = None if shared else values.loc.flatten()[None]
    expected = model.quantize(y, "dequantize", means).flatten()
    if label == ACCELERATED:
        torchac.compressai.accelerate(model)

    def indexes() -> Any:
        return values.index[None] if shared else model.build_indexes(values.scale.flatten()[None])

    yield coding(
        label,
        expected,
        lambda: model.compress(y, indexes(), means),
        lambda strings: model.decompress(strings, indexes(), means=means),
    )
