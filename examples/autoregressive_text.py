"""Codes text byte by byte with a model that learns from the bytes before, and from these only.

The model counts which bytes followed the last 0 to 9 bytes wherever these occurred before. A small
network sees how much each of these counts is founded on, and says how far to trust it. The model is
trained on the documentation of Python's standard library, all but the module whose documentation is
coded then. The decoder runs it on what it has decoded so far.
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
from math import log1p
from pathlib import Path

import torch
from torch import Tensor, nn
from tqdm import tqdm

import torchac

Counts = dict[int, int]  # how often each byte occurred

ORDERS = (0, 1, 2, 3, 4, 6, 9)  # how many of the last bytes make a context
ANY: Counts = dict.fromkeys(range(256), 1)  # what is known where nothing is


class Model:
    """Predicts the next byte from several contexts, short ones and long ones.

    Attributes:
        counts: What followed each context.
        history: The last bytes.
        mixer: From the features of counts to the logarithms of their weights.
    """

    def __init__(self) -> None:
        self.counts: defaultdict[bytes, Counts] = defaultdict(dict)
        self.history = bytes(max(ORDERS))
        size = len(ORDERS) + 1
        self.mixer = nn.Sequential(nn.Linear(3 * size, 32), nn.ReLU(), nn.Linear(32, size))

    def contexts(self) -> list[bytes]:
        """Returns the contexts of the next byte, from the shortest to the longest."""
        return [self.history[len(self.history) - order :] for order in ORDERS]

    def known(self) -> list[Counts]:
        """Returns what to mix: any byte, and what followed the contexts before."""
        return [ANY] + [self.counts.get(context, ANY) for context in self.contexts()]

    def learn(self, byte: int) -> None:
        """Takes in the byte that came next."""
        for context in reversed(self.contexts()):
            counts = self.counts[context]
            counts[byte] = counts.get(byte, 0) + 1
            if counts[byte] > 1:  # shorter contexts only count what was new to longer ones
                break
        self.history = self.history[1:] + bytes([byte])

    @torch.no_grad()
    def predict(self) -> Tensor:
        """Returns the probabilities of the next byte.

        Encoder and decoder both take this one step at a time. An encoder could predict all bytes of
        a text in one batch, which is faster with most models. But matrix products may be rounded
        differently then, and only probabilities equal bit for bit decode what
        they encoded.
        """
        known = self.known()
        weights = self.mixer(torch.tensor(features(known))).softmax(-1).tolist()
        pmf = [0.0] * 256
        for weight, counts in zip(weights, known, strict=True):
            share = weight / sum(counts.values())
            for byte, count in counts.items():
                pmf[byte] += share * count
        return torch.tensor(pmf)

    def train(self, text: bytes, steps: int) -> None:
        """Counts in all of the text, and learns from its end how to weight counts."""
        split = len(text) * 14 // 15
        inputs, chances = [], []
        for position, byte in enumerate(tqdm(text, "count", unit="B", leave=False)):
            if position >= split:
                known = self.known()
                inputs.append(features(known))
                chances.append([counts.get(byte, 0) / sum(counts.values()) for counts in known])
            self.learn(byte)
        self.fit(torch.tensor(inputs), torch.tensor(chances), steps)

    def fit(self, inputs: Tensor, chances: Tensor, steps: int) -> None:
        """Minimizes the bits of bytes, from the chances that each of the counts gave to them."""
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
    """Returns what counts are founded on: all occurrences, different bytes, the most frequent."""
    return [
        log1p(number)
        for counts in known
        for number in (sum(counts.values()), len(counts), max(counts.values()))
    ]


def encode(model: Model, text: bytes) -> tuple[bytes, float]:
    """Returns the stream, and the bits that the model's probabilities make it take."""
    encoder = torchac.Encoder()
    pmfs = []
    for byte in tqdm(text, "encode", unit="B", leave=False):
        pmfs.append(model.predict())
        encoder.encode(torchac.Categorical(probs=pmfs[-1]), byte)
        model.learn(byte)
    predicted = torchac.Categorical(probs=torch.stack(pmfs))
    bits = torchac.estimate_bits(predicted, torch.tensor(list(text)))
    return encoder.finish(), bits.sum().item()


def decode(model: Model, stream: bytes, length: int) -> bytes:
    """Returns the text, given a model in the state in which the encoder began."""
    decoder = torchac.Decoder(stream)
    text = bytearray()
    for _ in tqdm(range(length), "decode", unit="B", leave=False):
        text.append(int(decoder.decode(torchac.Categorical(probs=model.predict()))))
        model.learn(text[-1])
    return bytes(text)


def documentation(path: Path) -> list[str]:
    """Returns the docstrings of a module."""
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    nodes = [node for node in ast.walk(ast.parse(path.read_bytes())) if isinstance(node, kinds)]
    return [text for node in nodes if (text := ast.get_docstring(node))]


def load(module: str) -> tuple[bytes, bytes]:
    """Returns the documentation of all other modules, and of this one; no docstring is in both."""
    library = Path(sysconfig.get_path("stdlib"))
    paths = {path.stem: path for path in sorted(library.glob("*.py"))}
    if module not in paths or not (coded := documentation(paths[module])):
        sys.exit(f"{library} has no {module}.py with documentation: choose another --module")
    known = [text for path in paths.values() for text in documentation(path)]
    training = [text for text in known if text not in set(coded)]
    return "\n\n".join(training).encode(), "\n\n".join(coded).encode()


def main() -> None:
    """Trains the model, encodes, decodes, and compares sizes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--module", default="statistics", help="whose documentation to code")
    parser.add_argument("--limit", type=int, help="code only so many bytes of it")
    parser.add_argument("--training-limit", type=int, help="train on only so many bytes")
    parser.add_argument("--steps", type=int, default=1000, help="training steps of the network")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    torch.manual_seed(arguments.seed)
    torch.set_num_threads(1)  # threads would only wait for each other in a network so small
    training, text = load(arguments.module)
    training, text = training[: arguments.training_limit], text[: arguments.limit]

    model = Model()
    model.train(training, arguments.steps)
    receiver = copy.deepcopy(model)  # for coding changes the model
    start = time.perf_counter()
    stream, bits = encode(model, text)
    middle = time.perf_counter()
    assert decode(receiver, stream, len(text)) == text, "the decoded text is not the original"
    end = time.perf_counter()
    assert 8 * len(stream) <= 1.0001 * bits + 16, "the stream is longer than torchac promises"

    def row(label: str, size: int) -> None:
        print(f"{label:<30}{size:8,}{8 * size / len(text):16.3f}")

    print(f"the documentation of {arguments.module}: {len(text):,} bytes\n")
    print(f"{'':<30}{'bytes':>8}{'bits per byte':>16}")
    row("gzip", len(gzip.compress(text)))
    row("bz2", len(bz2.compress(text)))
    row("lzma", len(lzma.compress(text)))
    known = len(lzma.compress(training))
    row("lzma behind the training text", len(lzma.compress(training + text)) - known)
    row("torchac with the model", len(stream))
    print(
        f"\nideal {bits:,.0f} bits, coded {8 * len(stream):,} bits, which decode to the same text"
    )
    print(
        f"The model is not part of the stream. It has {len(receiver.counts):,} contexts, seen in "
        f"{len(training):,} bytes\nof other text, which the first three did not see, and "
        f"{sum(p.numel() for p in model.mixer.parameters()):,} parameters."
    )
    print(f"encode {middle - start:.1f} s, decode {end - middle:.1f} s")


if __name__ == "__main__":
    main()
