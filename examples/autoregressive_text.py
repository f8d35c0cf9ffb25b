"""Codes text byte by byte with a model that learns from the bytes before, and from these only.

The model counts which bytes followed the last 0 to 9 bytes wherever these occurred before, and
a small network, looking at how much each of these counts has seen, says how much to trust it. It is
trained on the documentation of Python's standard library, except for the one module whose
documentation is coded then. The decoder runs the model on what it has decoded so far.
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

ORDERS = (0, 1, 2, 3, 4, 6, 9)  # how many of the last bytes make a context
UNIFORM = 1 / 256  # a byte's probability where nothing is known


class Model:
    """Predicts the next byte.

    Attributes:
        counts: For each context, which bytes followed it, and how often.
        history: The last bytes, as many as the longest context takes.
        mixer: From 3 numbers for each of the last contexts to the logarithm of its weight; one
            more weight is for the uniform distribution.
    """

    def __init__(self) -> None:
        self.counts: defaultdict[bytes, dict[int, int]] = defaultdict(dict)
        self.history = bytes(max(ORDERS))
        self.mixer = nn.Sequential(
            nn.Linear(3 * len(ORDERS), 32), nn.ReLU(), nn.Linear(32, len(ORDERS) + 1)
        )

    def contexts(self) -> list[bytes]:
        """Returns the last bytes, from the shortest context to the longest."""
        return [self.history[len(self.history) - order :] for order in ORDERS]

    def known(self) -> list[dict[int, int]]:
        """Returns the counts of each of the last contexts; they are empty for a new one."""
        return [self.counts.get(context, {}) for context in self.contexts()]

    def learn(self, byte: int) -> None:
        """Takes in the byte that came next."""
        for context in reversed(self.contexts()):
            followers = self.counts[context]
            followers[byte] = followers.get(byte, 0) + 1
            if followers[byte] > 1:  # shorter contexts specialize in what is new to longer ones
                break
        self.history = self.history[1:] + bytes([byte])

    @torch.no_grad()
    def predict(self) -> Tensor:
        """Returns the distribution of the next byte as one CDF row.

        Sender and receiver both call this for one byte at a time. To predict all bytes in one
        batch, which a sender could do with most models, is no option: the sums in a matrix product
        may be rounded differently in another batch size, and rows that are not the same bit for bit
        decode to garbage.
        """
        known = self.known()
        weights = self.mixer(torch.tensor(features(known))).softmax(-1).tolist()
        weights[-1] += sum(weight for weight, counts in zip(weights, known, strict=False) if not counts)
        pmf = [weights[-1] * UNIFORM] * 256
        for weight, counts in zip(weights, known, strict=False):
            share = weight / max(sum(counts.values()), 1)
            for byte, count in counts.items():
                pmf[byte] += share * count
        return torchac.cdf.from_pmf(torch.tensor(pmf))

    def train(self, text: bytes, steps: int) -> None:
        """Counts on the first part of the text, and learns on the rest whom to trust."""
        split = len(text) * 14 // 15
        for byte in tqdm(text[:split], "count", unit_scale=True, unit="B", leave=False):
            self.learn(byte)
        inputs, chances = [], []
        for byte in tqdm(text[split:], "predict", unit_scale=True, unit="B", leave=False):
            known = self.known()
            inputs.append(features(known))
            chances.append([chance(followers, byte) for followers in known] + [UNIFORM])
            self.learn(byte)
        self.fit_mixer(torch.tensor(inputs), torch.tensor(chances), steps)

    def fit_mixer(self, inputs: Tensor, chances: Tensor, steps: int) -> None:
        """Minimizes the bits that bytes cost, from the chance each context gave to each of them."""
        optimizer = torch.optim.Adam(self.mixer.parameters(), lr=0.01)
        schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1, 0.02, steps)
        for _ in tqdm(range(steps), "mix", leave=False):
            batch = torch.randint(len(inputs), (1024,))
            weights = self.mixer(inputs[batch]).softmax(-1)
            loss = -(weights * chances[batch]).sum(-1).log2().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()


def features(known: list[dict[int, int]]) -> list[float]:
    """Returns what shows how reliable counts are: their sum, their number and the largest one."""
    return [
        log1p(number)
        for followers in known
        for number in (sum(followers.values()), len(followers), max(followers.values(), default=0))
    ]


def chance(followers: dict[int, int], byte: int) -> float:
    """Returns the probability of a byte by the counts of one context."""
    return followers.get(byte, 0) / sum(followers.values()) if followers else UNIFORM


def encode(model: Model, text: bytes) -> tuple[bytes, float]:
    """Returns the stream, and the bits that it should take by the model's probabilities."""
    encoder = torchac.Encoder()
    rows = []
    for byte in tqdm(text, "encode", unit_scale=True, unit="B", leave=False):
        rows.append(model.predict())
        encoder.encode(rows[-1], torch.tensor(byte))
        model.learn(byte)
    bits = torchac.estimate_bits(torch.stack(rows), torch.tensor(list(text))).sum().item()
    return encoder.finish(), bits


def decode(model: Model, stream: bytes, length: int) -> bytes:
    """Returns the text, from its stream and a model in the state that the encoder's began with."""
    decoder = torchac.Decoder(stream)
    text = bytearray()
    for _ in tqdm(range(length), "decode", unit_scale=True, unit="B", leave=False):
        text.append(int(decoder.decode(model.predict())))
        model.learn(text[-1])
    return bytes(text)


def documentation(path: Path) -> list[str]:
    """Returns the docstrings of a module."""
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    nodes = [node for node in ast.walk(ast.parse(path.read_bytes())) if isinstance(node, kinds)]
    return [text for node in nodes if (text := ast.get_docstring(node))]


def load(module: str) -> tuple[bytes, bytes]:
    """Returns the text to train on, which has no docstring of the module, and the text to code."""
    library = Path(sysconfig.get_path("stdlib"))
    paths = sorted(library.glob("*.py"))
    if library / f"{module}.py" not in paths:
        sys.exit(f"{library} has no {module}.py: choose a module of the standard library")
    coded = documentation(library / f"{module}.py")
    others = [text for path in tqdm(paths, "read", leave=False) for text in documentation(path)]
    return (
        "\n\n".join(text for text in others if text not in set(coded)).encode(),
        "\n\n".join(coded).encode(),
    )


def main() -> None:
    """Trains the model, encodes, decodes, and compares sizes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--module", default="statistics", help="whose documentation to code")
    parser.add_argument("--bytes", type=int, help="code only so many bytes of it")
    parser.add_argument("--train-bytes", type=int, help="train on only so many bytes")
    parser.add_argument("--steps", type=int, default=800, help="training steps of the network")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    torch.manual_seed(arguments.seed)
    torch.set_num_threads(1)  # the network is so small that threads would only wait for each other
    training, text = load(arguments.module)
    training, text = training[: arguments.train_bytes], text[: arguments.bytes]

    start = time.perf_counter()
    model = Model()
    model.train(training, arguments.steps)
    receiver = copy.deepcopy(model)  # the sender's model goes on learning while it codes
    trained = time.perf_counter()
    stream, bits = encode(model, text)
    encoded = time.perf_counter()
    assert decode(receiver, stream, len(text)) == text, "the decoded text is not the original"
    decoded = time.perf_counter()
    assert 8 * len(stream) <= 1.0001 * bits + 16, "the stream is longer than torchac promises"

    def row(label: str, size: int) -> None:
        print(f"{label:<32}{size:8,}{8 * size / len(text):16.3f}")

    print(f"the documentation of {arguments.module}: {len(text):,} bytes\n")
    print(f"{'':<32}{'bytes':>8}{'bits per byte':>16}")
    row("gzip", len(gzip.compress(text)))
    row("bz2", len(bz2.compress(text)))
    row("lzma", len(lzma.compress(text)))
    known = len(lzma.compress(training))
    row("lzma after the training text", len(lzma.compress(training + text)) - known)
    row("torchac and the model", len(stream))
    parameters = sum(parameter.numel() for parameter in model.mixer.parameters())
    print(f"\nideal {bits:,.0f} bits, coded {8 * len(stream):,} bits; it decodes to the same text.")
    print(
        f"Not in the stream is the model: {len(receiver.counts):,} contexts, counted in "
        f"{len(training):,} bytes\nof other text, and {parameters:,} parameters. Of the others, "
        "only the last lzma saw that text."
    )
    print(
        f"train {trained - start:.1f} s, encode {encoded - trained:.1f} s, "
        f"decode {decoded - encoded:.1f} s"
    )


if __name__ == "__main__":
    main()
