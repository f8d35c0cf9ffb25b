"""Codes texts byte by byte, in lockstep, with a model that learns only from earlier bytes.

The model counts which bytes followed earlier occurrences of the last 0 to 9 bytes. A small network
sees how many observations each count rests on, and decides how far to trust it. The model is
trained on the documentation of Python's standard library, except the module whose documentation is
then coded. At each step it predicts the next byte of every text, and learns from all of them. The
decoder runs it on the bytes that it has decoded so far, and marks detect a model that differs.
"""

from __future__ import annotations

import argparse
import ast
import bz2
import copy
import gzip
import lzma
import sys
import sysconfig
import time
from collections import defaultdict
from collections.abc import Callable
from math import log1p
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from tqdm import tqdm

import torchac

Counts = dict[int, int]  # how often each byte occurred

ORDERS = (0, 1, 2, 3, 4, 6, 9)  # how many of the last bytes make a context
ANY: Counts = dict.fromkeys(range(256), 1)  # used for a context that has not occurred
MARKED = 256  # steps between two marks


class Model:
    """Predicts the next byte from several contexts, short and long.

    Attributes:
        counts: How often each byte followed each context.
        mixer: Maps the features of counts to the logarithms of their weights.
    """

    def __init__(self) -> None:
        self.counts: defaultdict[bytes, Counts] = defaultdict(dict)
        size = len(ORDERS) + 1
        self.mixer = nn.Sequential(nn.Linear(3 * size, 32), nn.ReLU(), nn.Linear(32, size))

    def known(self, text: bytes) -> list[Counts]:
        """Returns the counts to mix after a text: uniform ones, and those of its contexts."""
        return [ANY] + [self.counts.get(context, ANY) for context in contexts(text)]

    def learn(self, text: bytes, byte: int) -> None:
        """Counts the byte that followed a text."""
        for context in reversed(contexts(text)):
            counts = self.counts[context]
            counts[byte] = counts.get(byte, 0) + 1
            if counts[byte] > 1:  # shorter contexts only count bytes that are new to longer ones
                break

    @torch.no_grad()
    def predict(self, texts: list[bytes]) -> Tensor:
        """Returns the probabilities of the next byte of each text.

        Encoder and decoder both call this step by step, with the same texts. With most models, it
        would be faster if the encoder predicted all bytes of a text in one batch. But then matrix
        products may be rounded differently, and decoding needs the same probabilities, bit for
        bit.
        """
        known = [self.known(text) for text in texts]
        weights = self.mixer(torch.tensor([features(counts) for counts in known])).softmax(-1)
        pmfs = [[0.0] * 256 for _ in texts]
        for pmf, shares, mixed in zip(pmfs, weights.tolist(), known, strict=True):
            for weight, counts in zip(shares, mixed, strict=True):
                share = weight / sum(counts.values())
                for byte, count in counts.items():
                    pmf[byte] += share * count
        return torch.tensor(pmfs)

    def train(self, text: bytes, steps: int) -> None:
        """Counts bytes in the whole text, and learns from its end how to weight counts."""
        split = len(text) * 14 // 15
        inputs, chances = [], []
        for position, byte in enumerate(tqdm(text, "count", unit="B", leave=False)):
            before = text[max(position - max(ORDERS), 0) : position]
            if position >= split:
                known = self.known(before)
                inputs.append(features(known))
                chances.append([counts.get(byte, 0) / sum(counts.values()) for counts in known])
            self.learn(before, byte)
        self.fit(torch.tensor(inputs), torch.tensor(chances), steps)

    def fit(self, inputs: Tensor, chances: Tensor, steps: int) -> None:
        """Minimizes the bits of bytes, given the probabilities from each of the counts."""
        optimizer = torch.optim.Adam(self.mixer.parameters())
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.01, steps)
        for _ in tqdm(range(steps), "weight", leave=False):
            batch = torch.randint(len(inputs), (1024,))
            weights = self.mixer(inputs[batch]).softmax(-1)
            loss = -(weights * chances[batch]).sum(-1).log2().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()


def features(known: list[Counts]) -> list[float]:
    """Returns features of counts: all occurrences, different bytes, the most frequent byte's."""
    return [
        log1p(number)
        for counts in known
        for number in (sum(counts.values()), len(counts), max(counts.values()))
    ]


def contexts(text: bytes) -> list[bytes]:
    """Returns the contexts of the byte after a text, from the shortest to the longest."""
    last = text[-max(ORDERS) :].rjust(max(ORDERS), b"\0")
    return [last[len(last) - order :] for order in ORDERS]


def run(model: Model, lengths: Tensor, code: Callable[..., Tensor], mark: Any) -> list[bytes]:
    """Goes through all steps, for encoder and decoder; `code` returns the bytes of each step."""
    texts = [b""] * len(lengths)
    for step in tqdm(range(int(lengths.max())), "step", leave=False):
        active = step < lengths
        going = active.nonzero().flatten().tolist()
        pmfs = torch.ones(len(lengths), 256)
        pmfs[active] = model.predict([texts[i] for i in going])
        coded = code(step, torchac.Categorical(probs=pmfs), active).tolist()
        for i in going:
            model.learn(texts[i], coded[i])
            texts[i] += bytes([coded[i]])
        mark(active=active & ((step % MARKED == MARKED - 1) | (step == lengths - 1)))
    return texts


def encode(model: Model, texts: list[bytes]) -> tuple[list[bytes], float]:
    """Returns a stream for each text, and the ideal number of bits, by the probabilities."""
    encoder = torchac.BatchEncoder(len(texts))
    values = nn.utils.rnn.pad_sequence([torch.tensor(list(text)) for text in texts], True)
    bits = 0.0

    def code(step: int, predicted: torchac.Categorical, active: Tensor) -> Tensor:
        nonlocal bits
        encoder.encode(predicted, values[:, step], active=active)
        bits += torchac.estimate_bits(predicted, values[:, step])[active].sum().item()
        return values[:, step]

    run(model, torch.tensor([len(text) for text in texts]), code, encoder.mark)
    return encoder.finish(), bits


def decode(model: Model, streams: list[bytes], lengths: list[int]) -> list[bytes]:
    """Returns the texts, given a model in the state in which the encoder began."""
    decoder = torchac.BatchDecoder(streams)

    def code(step: int, predicted: torchac.Categorical, active: Tensor) -> Tensor:
        values: Tensor = decoder.decode(predicted, active=active)
        return values

    texts = run(model, torch.tensor(lengths), code, decoder.mark)
    decoder.finish()
    return texts


def documentation(path: Path) -> list[str]:
    """Returns the docstrings of a module."""
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    nodes = [node for node in ast.walk(ast.parse(path.read_bytes())) if isinstance(node, kinds)]
    return [text for node in nodes if (text := ast.get_docstring(node))]


def load(module: str, count: int) -> tuple[bytes, list[bytes]]:
    """Returns the documentation of all other modules, and that of this one in `count` texts."""
    library = Path(sysconfig.get_path("stdlib"))
    paths = {path.stem: path for path in sorted(library.glob("*.py"))}
    if module not in paths or not (coded := documentation(paths[module])):
        sys.exit(f"{library} has no {module}.py with documentation: choose another --module")
    known = [text for path in paths.values() for text in documentation(path)]
    training = [text for text in known if text not in set(coded)]
    parts = [coded[part::count] for part in range(min(count, len(coded)))]
    return "\n\n".join(training).encode(), ["\n\n".join(part).encode() for part in parts]


def main() -> None:
    """Trains the model, encodes, decodes, and compares sizes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--module", default="statistics", help="whose documentation to code")
    parser.add_argument("--texts", type=int, default=8, help="how many texts to make of it")
    parser.add_argument("--limit", type=int, help="code at most this many bytes of each")
    parser.add_argument("--training-limit", type=int, help="train on at most this many bytes")
    parser.add_argument("--steps", type=int, default=1000, help="training steps of the network")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    torch.manual_seed(arguments.seed)
    torch.set_num_threads(1)  # in such a small network, threads would only wait for each other
    training, texts = load(arguments.module, arguments.texts)
    training, texts = training[: arguments.training_limit], [t[: arguments.limit] for t in texts]

    model = Model()
    model.train(training, arguments.steps)
    receiver, other = copy.deepcopy(model), copy.deepcopy(model)  # because coding changes the model
    lengths = [len(text) for text in texts]
    start = time.perf_counter()
    streams, bits = encode(model, texts)
    middle = time.perf_counter()
    assert decode(receiver, streams, lengths) == texts, "the decoded texts are not the originals"
    end = time.perf_counter()
    marks = sum(-(-length // MARKED) for length in lengths)
    size = sum(map(len, streams))
    promised = 1.0001 * bits + 16 * (marks + len(streams))
    assert 8 * size <= promised, "the streams are longer than torchac promises"

    def row(label: str, size: int) -> None:
        print(f"{label:<30}{size:8,}{8 * size / sum(lengths):16.3f}")

    together = b"\n\n".join(texts)
    print(f"the documentation of {arguments.module}: {len(texts)} texts, {sum(lengths):,} bytes\n")
    print(f"{'':<30}{'bytes':>8}{'bits per byte':>16}")
    row("gzip", len(gzip.compress(together)))
    row("bz2", len(bz2.compress(together)))
    row("lzma", len(lzma.compress(together)))
    known = len(lzma.compress(training))
    row("lzma after the training text", len(lzma.compress(training + together)) - known)
    row("torchac with the model", size)
    print(
        f"\nideal {bits:,.0f} bits, coded {8 * size:,} bits, which decode to the same texts: "
        f"{len(streams)} streams,\n{marks} marks of 16 bits. "
        f"The model is not part of them. It has {len(receiver.counts):,} contexts, seen in\n"
        f"{len(training):,} bytes of other text, which the first three did not see, and "
        f"{sum(p.numel() for p in model.mixer.parameters()):,} parameters."
    )
    print(f"encode {middle - start:.1f} s, decode {end - middle:.1f} s")

    with torch.no_grad():
        for weights in other.mixer.parameters():
            weights.add_(1e-3 * torch.randn_like(weights))
    try:
        decode(other, streams, lengths)
    except torchac.CorruptStreamError as error:
        print(f"\nWith parameters that differ by 1e-3: {error}")


if __name__ == "__main__":
    main()
