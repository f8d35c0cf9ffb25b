"""Times values that share elements of a model, over their number, to find sudden rises in cost.

Each row has the nanoseconds per value to encode and to decode, with the model expanded, with
`index=`, and in the two ways in which a user could do it by hand: by gathering the elements of each
value, and by `tabulate` and `index=`. Then follow the worst ratios: to the better way by hand, and
from one number of values to the next. `--only "mixture of 16" --elements 64` measures one model.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable, Iterator
from typing import Any

import torch

import torchac

MODELS: dict[str, Callable[[int], Any]] = {
    "normal": lambda n: torchac.Normal(torch.linspace(-5, 5, n), 3.0),
    "wide normal": lambda n: torchac.Normal(torch.linspace(-5, 5, n), 200.0),
    "mixture of 3": lambda n: mixture(n, 3, 10),
    "mixture of 16": lambda n: mixture(n, 16, 1500),
    "bernoulli": lambda n: torchac.Bernoulli(probs=torch.linspace(0.1, 0.9, n)),
    "17 categories": lambda n: categories(n, 17),
    "256 categories": lambda n: categories(n, 256),
    "tables of 256": lambda n: tables(n, 256),
    "tables of 4096": lambda n: tables(n, 4096),
    "tables of 32000": lambda n: tables(n, 32000),
}
LARGEST = 1 << 28  # bytes of tensors that are made for all values


def mixture(elements: int, components: int, apart: float) -> torchac.Mixture:
    """Mixtures of normal distributions whose means are `apart` apart."""
    loc = torch.arange(components) * apart + torch.rand(elements, 1)
    weights = torch.rand(elements, components) + 0.1
    return torchac.Mixture(weights, torchac.Normal(loc, torch.rand(elements, components) * 5 + 1))


def categories(elements: int, count: int) -> torchac.Categorical:
    """Distributions of this many categories."""
    return torchac.Categorical(logits=torch.randn(elements, count))


def tables(elements: int, symbols: int) -> torchac.Tables:
    """Rows of this many symbols."""
    rows = torch.rand(elements, symbols).double().cumsum(-1)
    cdf = torch.nn.functional.pad(rows / rows[:, -1:], (1, 0))
    return torchac.Tables(cdf, bounds=(0, symbols - 1))


def bytes_of(model: Any) -> int:
    """The bytes of an element's numbers."""
    arrays: list[torch.Tensor] = model.parameters
    return sum(array[0].numel() * array.element_size() for array in arrays)


def ways(model: Any, elements: int, count: int) -> Iterator[tuple[str, Callable[[], Any]]]:
    """How values can be coded: the model and the index of a call."""
    index = torch.arange(elements).repeat(count // elements + 1)[:count]
    if elements == 1:
        yield "expand", lambda: (model.expand(count), None)
    elif count % elements == 0:
        yield "expand", lambda: (model.expand(count // elements, elements), None)
    yield "index=", lambda: (model, index)
    if bytes_of(model) * count <= LARGEST:
        yield "gathered", lambda: (model.select(index), None)
    yield "tables", lambda: (model.tabulate(), index)


def sample(model: Any, elements: int, count: int) -> torch.Tensor:
    """Roughly typical values of the model, made by decoding noise."""
    noise = torch.randint(256, (count * 3 + 64,), dtype=torch.uint8)
    index = torch.arange(elements).repeat(count // elements + 1)[:count]
    values: torch.Tensor = torchac.Decoder(noise).decode(model, index=index)
    return values


def seconds(call: Callable[[], Any], least: float) -> float:
    """The shortest of at least three calls on this thread, which together take `least` seconds.

    It is processor time, so that other work on the machine counts less.
    """
    best, taken, calls = math.inf, 0.0, 0
    while taken < least or calls < 3:
        start = time.thread_time()
        call()
        now = time.thread_time() - start
        best, taken, calls = min(best, now), taken + now, calls + 1
    return best


def counts(elements: int, most: int) -> list[int]:
    """Numbers of values: in steps of a third, and around former thresholds."""
    steps = {round(4 ** (k / 5)) for k in range(1 + math.ceil(5 * math.log(most, 4)))}
    near = {elements * k + d for k in (8, 16) for d in (-1, 0, 1)}
    whole = {count - count % elements for count in steps if count > elements}
    return sorted(n for n in steps | near | whole if 0 < n <= most)


def measure(name: str, elements: int, most: int, least: float, verbose: bool) -> None:
    """Prints the times of a model and its worst ratios."""
    model = MODELS[name](elements)
    worst: dict[str, tuple[float, int]] = {}
    before: dict[str, float] = {}
    for count in counts(elements, most):
        values = sample(model, elements, count)
        taken: dict[str, list[float]] = {}
        for way, make in ways(model, elements, count):
            its, index = make()
            shape = its.shape if index is None else (count,)
            shaped = values.view(shape)
            stream = torchac.encode(its, shaped, index=index)

            def encode(make: Any = make, values: torch.Tensor = shaped) -> None:
                its, index = make()
                torchac.encode(its, values, index=index)

            def decode(make: Any = make, stream: bytes = stream) -> None:
                its, index = make()
                torchac.decode(its, stream, index=index)

            taken[way] = [seconds(call, least) / count * 1e9 for call in (encode, decode)]
        if verbose:
            cells = (f"{way} {e:.1f} / {d:.1f}" for way, (e, d) in taken.items())
            print(f"  {count:8}  " + "   ".join(cells), flush=True)
        by_hand = [taken[way] for way in ("gathered", "tables") if way in taken]
        for way in ("expand", "index="):
            for k, verb in enumerate(("encode", "decode")):
                if way not in taken:
                    continue
                what, here = f"{way} {verb}", taken[way][k]
                found = {f"{what} / better": here / min(t[k] for t in by_hand)}
                if what in before:
                    found[f"{what} jump"] = here / before[what]
                for key, ratio in found.items():
                    worst[key] = max(worst.get(key, (0.0, 0)), (ratio, count))
                before[what] = here
    cells = (f"{key} {ratio:.2f} ({count})" for key, (ratio, count) in sorted(worst.items()))
    print(f"{name}, {elements}: " + ", ".join(cells), flush=True)


def main() -> None:
    """Measures the selected models."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", nargs="*", choices=MODELS, default=list(MODELS))
    parser.add_argument("--elements", nargs="*", type=int, default=[1, 64, 5000])
    parser.add_argument("--values", type=int, default=1_000_000, help="at most this many")
    parser.add_argument("--seconds", type=float, default=0.01, help="for each time")
    parser.add_argument("--quiet", action="store_true", help="only the worst ratios")
    options = parser.parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(1)
    torchac.set_num_threads(1)
    print("ns a value to encode / to decode")
    for name in options.only:
        for elements in options.elements:
            if bytes_of(MODELS[name](1)) * elements <= LARGEST:
                print(f"{name}, {elements} shared:")
                measure(name, elements, options.values, options.seconds, not options.quiet)


if __name__ == "__main__":
    main()
