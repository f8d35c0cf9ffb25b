"""Times CompressAI's autoregressive models with its coder and accelerated, and the coder alone.

    python benchmarks/raster.py

These models code a picture place by place, a value for each channel in each. The weights are random
except that latents have scales like those of `compare.py`, which the entropy parameters say. The
coder's calls are timed from within, in the same runs.
"""

from __future__ import annotations

import argparse
import functools
import time
from collections.abc import Callable
from typing import Any

import torch
from compare import processor
from latents import HOW, installed, load

MODELS = {"JointAutoregressiveHierarchicalPriors": (192, 192), "Cheng2020Anchor": (128,)}
CODERS = {
    "BufferedRansEncoder": ("encode_with_indexes", "flush"),
    "RansDecoder": ("set_stream", "decode_stream"),
}
SIDE = 256  # of the picture, in pixels
PLACE = 16  # pixels of a side of a place


def codec(name: str) -> Any:
    """A model whose latents are as wide as its entropy parameters say."""
    import compressai.models

    torch.manual_seed(0)
    model: Any = getattr(compressai.models, name)(*MODELS[name]).eval()
    last, parameters = model.g_a[-1], model.entropy_parameters[-1]
    scales = (0.8 * torch.randn(last.weight.shape[0]) - 0.3).exp().clamp(0.11, 256)
    with torch.no_grad():
        y = model.g_a(picture())
        factors = scales / y.std((0, 2, 3))
        last.weight *= factors[:, None, None, None]
        last.bias.copy_((last.bias - y.mean((0, 2, 3))) * factors)
        parameters.weight.zero_()
        parameters.bias.copy_(torch.cat((scales, torch.zeros_like(scales))))
    model.update()
    return model


def picture() -> torch.Tensor:
    """Smooth noise."""
    coarse = torch.rand(1, 3, SIDE // 8, SIDE // 8, generator=torch.Generator().manual_seed(1))
    return torch.nn.functional.interpolate(coarse, size=(SIDE, SIDE), mode="bicubic").clamp(0, 1)


class Clock:
    """Adds up the time of calls: of this thread, so that other work on the machine counts less."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def watch(self, ans: Any) -> None:
        """Watches the classes of `compressai.ans` or their replacements."""
        for name, methods in CODERS.items():
            for method in methods:
                its = getattr(getattr(ans, name), method)
                setattr(getattr(ans, name), method, self._timed(its))

    def _timed(self, method: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(method)
        def timed(*arguments: Any) -> Any:
            start = time.thread_time()
            result = method(*arguments)
            self.seconds += time.thread_time() - start
            return result

        return timed

    def of(self, call: Callable[[], Any]) -> tuple[float, float]:
        """Seconds of a call, and those of the coder in it."""
        self.seconds, start = 0.0, time.thread_time()
        with torch.no_grad():
            call()
        return time.thread_time() - start, self.seconds


def measure(name: str, rounds: int, clock: Clock) -> None:
    """Prints milliseconds to compress and decompress, and microseconds of the coder a place."""
    import torchac.compressai

    models = {"CompressAI": codec(name), "accelerated": torchac.compressai.accelerate(codec(name))}
    x, places = picture(), (SIDE // PLACE) ** 2
    with torch.no_grad():
        sent = {label: model.compress(x) for label, model in models.items()}
        pictures = [m.decompress(**sent[label])["x_hat"] for label, m in models.items()]
    assert torch.equal(*pictures), "the decoded pictures differ"
    sizes = {label: len(each["strings"][0][0]) for label, each in sent.items()}
    channels = models["CompressAI"].g_a[-1].weight.shape[0]
    print(f"\n{name}, {SIDE} x {SIDE} pixels: {places} places of {channels} values")
    print(f"{'':14}{'operation':12}{'ms':>9}{'coder, ms':>11}{'share':>8}{'µs a place':>12}")
    calls = {"compress": lambda m, _: m.compress(x), "decompress": lambda m, s: m.decompress(**s)}
    best: dict[tuple[str, str], list[float]] = {}
    for _ in range(rounds):
        for operation, call in calls.items():
            for label, model in models.items():
                times = clock.of(functools.partial(call, model, sent[label]))
                now = best.setdefault((label, operation), list(times))
                best[label, operation] = [min(a, b) for a, b in zip(now, times, strict=True)]
    for (label, operation), (whole, coder) in best.items():
        print(
            f"{label:14}{operation:12}{1e3 * whole:9.1f}{1e3 * coder:11.2f}{coder / whole:8.1%}"
            f"{1e6 * coder / places:12.1f}"
        )
    print(", ".join(f"{label}: {size} bytes" for label, size in sizes.items()), flush=True)


def main() -> None:
    """Measures both models."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9)
    rounds = parser.parse_args().rounds
    if not installed():
        raise SystemExit(f"CompressAI is not installed: {HOW}")
    load()
    from compressai import ans

    import torchac.compressai

    torch.set_num_threads(1)
    clock = Clock()
    for each in (ans, torchac.compressai.ans):
        clock.watch(each)
    print(f"{processor()}, one thread")
    for name in MODELS:
        measure(name, rounds, clock)


if __name__ == "__main__":
    main()
