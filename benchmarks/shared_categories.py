"""Prints the cost of a value that shares its categories with all others, and the cost by hand.

By hand means two models of at most 257 categories: one of groups of 256, and one for each group.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import torch

import torchac

VALUES = 100_000
ROUNDS = 5


def nanoseconds(run: Callable[[], object]) -> float:
    """The time of a value on this thread alone, so that other work on the machine counts little."""
    times = []
    for _ in range(ROUNDS):
        start = time.thread_time()
        run()
        times.append(time.thread_time() - start)
    return min(times) / VALUES * 1e9


def by_hand(probs: torch.Tensor, values: torch.Tensor) -> tuple[float, float]:
    """The times of encoding and decoding by hand."""
    rows = probs.view(-1, 256)
    groups, places = torchac.Categorical(probs=rows.sum(1)), torchac.Categorical(probs=rows)

    def encode() -> bytes:
        encoder = torchac.Encoder()
        encoder.encode(groups, values >> 8)
        encoder.encode(places, values & 255, index=values >> 8)
        return encoder.finish()

    stream = encode()

    def decode() -> None:
        decoder = torchac.Decoder(stream)
        index = decoder.decode(groups.expand(VALUES))
        decoder.decode(places, index=index)

    return nanoseconds(encode), nanoseconds(decode)


print(
    "| categories | encode | decode | estimate_bits | by hand: encode | decode |\n"
    + "|---" * 6
    + "|"
)
for categories in (257, 258, 1024, 4096, 4097, 50_257, 65_536, 1 << 20):
    probs, values = torch.rand(categories), torch.randint(categories, (VALUES,))
    model = torchac.Categorical(probs=probs)
    expanded, stream = model.expand(VALUES), torchac.encode(model, values)
    costs = [
        nanoseconds(lambda: torchac.encode(model, values)),  # noqa: B023
        nanoseconds(lambda: torchac.decode(expanded, stream)),  # noqa: B023
        nanoseconds(lambda: torchac.estimate_bits(model, values)),  # noqa: B023
    ]
    if 257 < categories <= 65_536 and categories % 256 == 0:
        costs.extend(by_hand(probs, values))
    print(f"| {categories:,} |" + "".join(f" {cost:.0f} |" for cost in costs), flush=True)
