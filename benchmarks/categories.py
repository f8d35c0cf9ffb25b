"""Categories: from logits to bytes, and how each package does that."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from contestants import CONSTRICTION, TORCHAC, Entry, Work, coding
from torch import Tensor

SOFTMAX = "torch.softmax alone"
SOFTMAX_THEN_ROWS = "torchac, softmax and rows"
READY_ROWS = "torchac, rows that are ready"
CATEGORICAL = "constriction, softmax and Categorical"

CHUNK = 1 << 22  # logits that values are drawn from at a time


@dataclass(frozen=True)
class CategoryWork(Work):
    """Categories to code, from float32 logits, or bits, from probabilities."""

    bernoulli: bool = False


PIXEL_LOGITS = CategoryWork("categories: 256", 256, values=50_000)
CELL_LOGITS = CategoryWork("categories: 17", 17, values=200_000)
TOKEN_LOGITS = CategoryWork("categories: 32,000", 32_000, values=400)
BITS = CategoryWork("categories: bits, Bernoulli", 2, values=10**6, bernoulli=True)
CATEGORIES = (PIXEL_LOGITS, CELL_LOGITS, TOKEN_LOGITS, BITS)


class Logits:
    """The numbers and values of a work, the same in every process, because the seed is the same."""

    def __init__(self, work: CategoryWork, count: int) -> None:
        generator = torch.Generator().manual_seed(1)
        self.work, self.count = work, count
        self.logits = 2 * torch.randn(self.count, work.alphabet, generator=generator)
        self.symbols = torch.empty(self.count, dtype=torch.int32)
        self.entropy = 0.0  # of the values, in bytes
        for part in torch.split(torch.arange(self.count), max(1, CHUNK // work.alphabet)):
            chances = self.logits[part].softmax(-1)
            drawn = torch.multinomial(chances, 1, generator=generator)
            self.symbols[part] = drawn[:, 0].int()
            self.entropy -= chances.gather(1, drawn).double().log2().sum().item() / 8
        self.probs = self.logits.diff()[:, 0].sigmoid()  # of category 1, if there are two


def torchac_entries(inputs: Logits) -> Iterator[Entry]:
    """Logits, and rows made by hand, as before there were models."""
    import torchac

    work, symbols = inputs.work, inputs.symbols

    def model() -> Any:
        if work.bernoulli:
            return torchac.Bernoulli(probs=inputs.probs)
        return torchac.Categorical(logits=inputs.logits)

    yield coding(
        TORCHAC,
        symbols,
        lambda: torchac.encode(model(), symbols),
        lambda stream: torchac.decode(model(), stream),
    )
    if work.bernoulli:
        ready = rows(torch.stack([1 - inputs.probs, inputs.probs], 1))
        yield row_coding(READY_ROWS, inputs, lambda: ready)
    else:
        yield Entry(SOFTMAX, {"read": lambda: torch.softmax(inputs.logits, -1)})
        if work.alphabet <= 256:
            yield row_coding(
                SOFTMAX_THEN_ROWS, inputs, lambda: rows(torch.softmax(inputs.logits, -1))
            )


def rows(probabilities: Tensor) -> Tensor:
    """Their CDF, as one computes it in torch."""
    return torch.nn.functional.pad(probabilities.cumsum(-1), (1, 0))


def row_coding(label: str, inputs: Logits, cdf: Callable[[], Tensor]) -> Entry:
    """The functions of the old package."""
    import torchac

    symbols = inputs.symbols.short()
    return coding(
        label,
        symbols,
        lambda: torchac.encode_float_cdf(cdf(), symbols),
        lambda stream: torchac.decode_float_cdf(cdf(), stream),
    )


def constriction_entries(inputs: Logits) -> Iterator[Entry]:
    """Its own model of categories, with 24 bits, and its fastest coder."""
    from constriction import stream

    symbols = inputs.symbols.numpy()
    model = stream.model.Categorical(perfect=False)

    def probabilities() -> Any:
        if inputs.work.bernoulli:
            return torch.stack([1 - inputs.probs, inputs.probs], 1).numpy()
        return torch.softmax(inputs.logits, -1).numpy()

    def encode() -> Any:
        coder = stream.stack.AnsCoder()
        coder.encode_reverse(symbols, model, probabilities())
        return coder.get_compressed()

    yield coding(
        CATEGORICAL,
        inputs.symbols,
        encode,
        lambda words: stream.stack.AnsCoder(words).decode(model, probabilities()),
    )


CATEGORY_ENTRIES: dict[str, Callable[[Logits], Iterator[Entry]]] = {
    TORCHAC: torchac_entries,
    CONSTRICTION: constriction_entries,
}
