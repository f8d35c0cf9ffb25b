"""Prints the goals of exact networks beside the measurements.

    python benchmarks/exact.py               # up to half an hour; needs CompressAI, scikit-learn
    python benchmarks/exact.py --quick       # minutes: less of everything
    python benchmarks/exact.py --only time   # some lines: differ, length, rescaled, files,
                                             # language, time, memory, sums, refused, modules
    python benchmarks/exact.py --python PATH # another Python too, with another torch

All lines except `refused` and `sums` use CompressAI's networks, with random weights unless they are
trained here. On 2 cores that other work shared, all lines took 31 minutes: `differ` 7, `length` and
`rescaled` 2, `files` 17, the others 5. Lines that begin with … show progress.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import math
import re
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple
from unittest import mock

import torch
from compare import machine, processor
from exact_codecs import (
    KINDS,
    RASTER,
    Codec,
    Networks,
    code,
    code_raster,
    encode_text,
    has_hidden_channels,
    patches,
    photographs,
    read_text,
    train_language_model,
    with_other_channels,
)
from exact_worker import Process, differing, processes, tensors
from latents import HOW, load
from torch import Tensor, nn

from torchac import exact

import compressai_alone  # isort: skip, latents adds its folder to the path
import exact_networks  # isort: skip


class Goal(NamedTuple):
    """A line of the table."""

    what: str
    measured: str
    goal: str
    met: bool | None  # None: there is no goal, or it could not be measured


class Part(NamedTuple):
    """A network that others wrote, and an input."""

    name: str
    module: Any
    x: tuple[Tensor, ...]


class Run:
    """The common part of lines: settings, processes, and codecs, which are trained once."""

    def __init__(self, quick: bool, pythons: Sequence[str]) -> None:
        self.quick = quick
        self.processes = processes(pythons)
        if quick:
            self.processes = [*self.processes[1::3], *self.processes[5:6]]
        self.steps = 60 if quick else 600
        self._codecs: dict[str, Codec] = {}

    def codec(self, kind: str) -> Codec:
        """A trained codec; those with a context continue from the one without."""
        if kind not in self._codecs:
            start = None if kind == KINDS[0] else self.codec(KINDS[0])
            torch.manual_seed(0)
            steps = self.steps if start is None else self.steps // 3
            say(f"training: {kind}, {steps} steps")
            self._codecs[kind] = Codec(kind, photographs()[0], steps, start)
        return self._codecs[kind]


def say(text: str) -> None:
    """Prints the progress."""
    print(f"… {text}", flush=True)


def zoo(images: int, narrow: bool = True) -> list[Part]:
    """CompressAI's networks, with random weights."""
    from compressai import models

    torch.manual_seed(0)
    n, m, height, width = (24, 32, 8, 12) if narrow else (192, 320, 32, 48)
    z = torch.randint(-5, 6, (images, n, height // 4, width // 4)).float()
    y = torch.randint(-9, 10, (images, m, height, width)).float()
    joint = models.JointAutoregressiveHierarchicalPriors(n, m)
    anchor = models.Cheng2020Anchor(n)
    codec = models.Elic2022Official(n, m if m > 160 else 160).latent_codec
    context, group = codec["y"].channel_context["y4"], codec["y"].latent_codec["y4"]
    mixed = [
        torch.randn(images, network[0].in_channels, height, width)
        for network in (joint.entropy_parameters, context, group.entropy_parameters)
    ]
    parts = [
        ("bmshj2018 h_s", models.ScaleHyperprior(n, m).h_s, z),
        ("mbt2018-mean h_s", models.MeanScaleHyperprior(n, m).h_s, z),
        ("mbt2018 parameters", joint.entropy_parameters, mixed[0]),
        ("mbt2018 context", joint.context_prediction, y),
        ("cheng2020-anchor h_s", anchor.h_s, z),
        ("ELIC h_s", codec["hyper"].h_s, z),
        ("ELIC channel context", context, mixed[1].round()),
        ("ELIC parameters", group.entropy_parameters, mixed[2]),
        (
            "ELIC spatial context",
            group.context_prediction,
            y[:, : group.context_prediction.in_channels],
        ),
    ]
    if narrow:
        wide = models.MeanScaleHyperprior(192, 320).h_s
        parts += [
            ("bmshj2018-factorized g_s", models.FactorizedPrior(n, m).g_s, y[..., :2, :3]),
            ("mbt2018-mean h_a", models.MeanScaleHyperprior(n, m).h_a, y),
            ("cheng2020-anchor g_a", anchor.g_a, torch.rand(images, 3, 64, 64)),
            ("cheng2020-attention g_s", models.Cheng2020Attention(n).g_s, y[:, :n, :2, :3]),
            ("mbt2018-mean h_s, 192 and 320", wide, torch.randn(images, 192, 1, 1).round()),
        ]
    return [Part(name, module.eval(), (x,)) for name, module, x in parts]


# The lines


def differ(run: Run) -> Iterator[Goal]:
    """Outputs that differ, in all ways of all processes, and with channels in another order."""
    parts = [Part(name, *exact_networks.make(name)) for name in exact_networks.NETWORKS] + zoo(8)
    parts = parts[::4] if run.quick else parts
    found: dict[str, list[list[int]]] = {}
    floats: list[list[int]] = []
    with tempfile.TemporaryDirectory(prefix="exact_") as name:
        folder = Path(name)
        for part in parts:
            try:
                network = exact.convert(part.module, [part.x])
            except exact.Refused as error:
                say(f"{part.name} is refused: {error}")
                continue
            exact.save(network, folder / f"{part.name}.exact")
            expected = tensors(network(*part.x))
            torch.save((part.x, expected), folder / f"{part.name}.pt")
            with torch.no_grad():
                right = tensors(part.module(*part.x))
            floats += differing(part.module, part.x, right).values()
            if has_hidden_channels(part.module):
                shuffled = with_other_channels(part.module, "shuffled")
                y = exact.convert(shuffled, [part.x])(*part.x)
                wrong = int((y != expected[0]).sum())
                found.setdefault("channels in another order", []).append([wrong, y.numel()])
        for process in run.processes:
            say(f"outputs in the process: {process.name}")
            for ways in process.run("compare", name).values():
                found.setdefault(process.name, []).extend(ways.values())
    for where, counts in found.items():
        wrong, count = map(sum, zip(*counts, strict=True))
        print(f"  {where}: {wrong} of {count:,} differ")
    wrong, count = map(sum, zip(*(pair for each in found.values() for pair in each), strict=True))
    of_floats = 100 * sum(w for w, _ in floats) / sum(c for _, c in floats)
    yield Goal(
        f"outputs that differ, {len(parts)} networks x 12 ways x {len(run.processes)} processes",
        f"{wrong} of {count:,} (float32, in this process: {of_floats:.0f} %)",
        "0 of 10^7",
        None if wrong == 0 and count < 10**7 else wrong == 0,
    )


def lengths(run: Run, kind: str, networks: Sequence[Networks]) -> list[int]:
    """The bytes of files with each set of networks; all files are decoded again."""
    codec = run.codec(kind)
    table = codec.codec.gaussian_conditional.scale_table
    sizes = [0] * len(networks)
    for x in photographs()[1]:
        pictures = x[None] if kind != RASTER else torch.stack([x[:, :192, :192], x[:, 192:, 128:]])
        y, z_hat, of_z = codec.analyse(pictures)
        for i, each in enumerate(networks):
            if kind == RASTER:
                streams, sent = code_raster(each, z_hat, y.round())
                _, y_hat = code_raster(each, z_hat, streams)
            else:
                streams, sent = code(each, table, z_hat, y)
                _, y_hat = code(each, table, z_hat, streams)
            if not y_hat.equal(sent):
                raise AssertionError(f"{kind}: what was decoded is not what was encoded")
            sizes[i] += sum(map(len, streams)) + of_z
    return sizes


def converted(networks: Networks, batches: dict[str, Tensor]) -> Networks:
    """Exact networks, each converted with one batch."""
    return {name: exact.convert(network, [batches[name]]) for name, network in networks.items()}


def of_length(run: Run, how: str | None, goal: float) -> Iterator[Goal]:
    """How much longer files are than with float32."""
    for kind in KINDS:
        codec = run.codec(kind)
        networks, batches = codec.networks, codec.batches(photographs()[0], codec.networks)
        torch.manual_seed(1)
        changed: Networks = {
            name: with_other_channels(network, how)
            if how and has_hidden_channels(network)
            else network
            for name, network in networks.items()
        }
        floats, whole = lengths(run, kind, [networks, converted(changed, batches)])
        more = 100 * (whole / floats - 1)
        rescaled = ", hidden channels rescaled by 2^±12" if how else ""
        yield Goal(
            f"length of files, {kind}{rescaled}",
            f"{more:+.3f} % of {floats:,} bytes",
            f"+{goal} %",
            more <= goal,
        )


def files(run: Run) -> Iterator[Goal]:
    """Files of a codec with a raster context, read in other processes."""
    codec = run.codec(RASTER)
    trained, unseen = photographs()
    networks = codec.networks
    of_exact = converted(networks, codec.batches(trained, networks))
    count = 40 if run.quick else 1000
    torch.manual_seed(2)
    streams: dict[str, list[bytes]] = {"exact": [], "float32": []}
    latents = []
    for i in range(0, count, 20):
        if i % 200 == 0:
            say(f"encoding files: {i} of {count}")
        y, z_hat, _ = codec.analyse(patches(unseen, min(20, count - i)))
        latents.append((z_hat, y.round()))
        for how, each in (("exact", of_exact), ("float32", networks)):
            streams[how] += code_raster(each, z_hat, y.round())[0]
    z_hat, y = (torch.cat(each) for each in zip(*latents, strict=True))
    others = run.processes[1:]
    found = []
    with tempfile.TemporaryDirectory(prefix="exact_") as name:
        for part, network in networks.items():
            torch.save(network, Path(name) / f"{part}.pt")
            exact.save(of_exact[part], Path(name) / f"{part}.exact")
        torch.save((z_hat, y, streams), Path(name) / "files.pt")
        for i, process in enumerate(others):
            say(f"reading files in the process: {process.name}")
            first, end = (count * j // len(others) for j in (i, i + 1))
            found.append(process.run("read", name, str(first), str(end)))
            print(f"  {process.name}, right and all: {found[-1]}", flush=True)
    read, tried, of_floats, few = (
        sum(each[how][i] for each in found) for how in ("exact", "float32") for i in (0, 1)
    )
    yield Goal(
        f"files of a raster context read in {len(others)} other processes",
        f"{read} of {tried} (float32: {of_floats} of {few})",
        "1000 of 1000",
        None if read == tried < 1000 else read == tried,
    )


def language(run: Run) -> Iterator[Goal]:
    """A small GPT: encoded in one pass, decoded token by token."""
    torch.manual_seed(0)
    steps = 30 if run.quick else 600
    say(f"training: a small GPT, {steps} steps")
    model, unseen = train_language_model(steps)
    x = (unseen[:8], torch.arange(unseen.shape[1]).expand(8, -1))
    try:
        network = exact.convert(model, [x], step=2.0**-16)
    except exact.Refused as error:
        yield Goal("a small GPT", f"refused: {str(error).split('. ')[0]}", "converted", None)
        return
    tokens = unseen[8:264]
    floats, whole = (len(encode_text(m, tokens, together=True)[0]) for m in (model, network))
    more = 100 * (whole / floats - 1)
    measured = f"{more:+.3f} % of {floats:,} bytes"
    yield Goal("length of files, small GPT", measured, "+0.05 %", more <= 0.05)
    tokens = unseen[8 : 16 if run.quick else 72]
    read = [read_text(m, encode_text(m, tokens), tokens) for m in (model, network)]
    yield Goal(
        "files of a small GPT, encoded in one pass, read token by token",
        f"{read[1]} of {len(tokens)} (float32: {read[0]})",
        "all",
        read[1] == len(tokens),
    )
    times = [seconds(partial(m, *x), 3) for m in (model, network)]
    yield Goal(
        "time over float32, small GPT",
        f"{times[1] / times[0]:.2f} x",
        "4 x",
        times[1] <= 4 * times[0],
    )


def seconds(function: Callable[[], object], rounds: int) -> float:
    """The shortest CPU time of this process, in several rounds on one thread."""
    torch.set_num_threads(1)
    least = float("inf")
    with torch.no_grad():
        function()
        for _ in range(rounds):
            start = time.process_time()
            function()
            least = min(least, time.process_time() - start)
    return least


def seconds_of_products(network: nn.Module, x: tuple[Tensor, ...]) -> float:
    """The time of the matrix products alone."""
    spent = 0.0

    def timed(product: Callable[..., Tensor], *args: Any, **kwargs: Any) -> Tensor:
        nonlocal spent
        start = time.process_time()
        y = product(*args, **kwargs)
        spent += time.process_time() - start
        return y

    with contextlib.ExitStack() as patches:
        for name in ("bmm", "baddbmm"):
            product = partial(timed, getattr(torch, name))
            patches.enter_context(mock.patch.object(torch, name, product))
        network(*x)
    return spent


def times(run: Run) -> Iterator[Goal]:
    """CPU time of networks for a picture of 768 x 512, on one thread."""
    rounds = 2 if run.quick else 7
    a, b = torch.randn(640, 4320), torch.randn(4320, 1024)
    for dtype in (torch.float32, torch.float64):
        spent = seconds(partial(torch.matmul, a.to(dtype), b.to(dtype)), rounds)
        print(f"  products of matrices, {dtype}: {2e-9 * 640 * 4320 * 1024 / spent:.0f} GFLOP/s")
    print("  ms, one thread, 768 x 512     float32    exact          its products alone")
    worst: dict[float, float] = {}
    for part in zoo(1, narrow=False):
        network = exact.convert(part.module, [part.x])
        floats, whole = (seconds(partial(m, *part.x), rounds) for m in (part.module, network))
        products = min(seconds_of_products(network, part.x) for _ in range(rounds))
        goal = 1.5 if part.name.endswith(("mbt2018 context", "spatial context")) else 2.5
        worst[goal] = max(worst.get(goal, 0.0), whole / floats)
        print(
            f"  {part.name:28}{1e3 * floats:9.1f}{1e3 * whole:9.1f}{whole / floats:7.2f} x"
            f"{products / floats:12.2f} x",
            flush=True,
        )
    for goal, what in ((2.5, "hyper decoders and parameters"), (1.5, "masked contexts")):
        yield Goal(
            f"time over float32, {what}", f"{worst[goal]:.2f} x", f"{goal} x", worst[goal] <= goal
        )


def memory(run: Run) -> Iterator[Goal]:
    """Memory of a process with a hyper decoder of 192 and 320 channels, for 1920 x 1088."""
    what, goal = "memory beyond float32 at 1920 x 1088, weights included", "100 MiB"
    if not Path("/proc/self/clear_refs").exists():
        yield Goal(what, "not measured: it needs Linux", goal, None)
        return
    part = zoo(1, narrow=False)[1]
    torch.manual_seed(0)
    here = Process("nothing set", sys.executable, {})
    with tempfile.TemporaryDirectory(prefix="exact_") as name:
        folder = Path(name)
        torch.save(torch.randint(-5, 6, (1, 192, 17, 30)).float(), folder / "input.pt")
        torch.save(part.module, folder / "network.pt")
        exact.save(exact.convert(part.module, [part.x]), folder / "network.exact")
        each = [
            here.run("memory", str(folder / "network.exact"))
            - here.run("memory", str(folder / "network.pt"))
            for _ in range(1 if run.quick else 7)
        ]
    more = median(each)  # it varies by tens of MiB, depending on how the system gives out pages
    weights = sum(p.numel() for p in part.module.parameters()) * 4 / 2**20
    spread = "" if run.quick else f" ({min(each):.0f} to {max(each):.0f})"
    measured = f"{more:.0f} MiB{spread}, of which {weights:.0f} of weights"
    yield Goal(what, measured, goal, more <= 100)


def sums(run: Run) -> Iterator[Goal]:
    """Sums of weights and inputs at their bounds, compared with integers of Python."""
    from test_exact_operations import CONVOLUTIONS, at_bounds, in_integers, of_sums

    goal = 10_000 if run.quick else 10**6
    torch.manual_seed(0)
    wrong = count = 0
    bits = []
    for make in CONVOLUTIONS.values():
        of_kind = 0
        while of_kind < goal / len(CONVOLUTIONS):
            layer: Any = make()
            dims = layer.weight.ndim - 2
            sizes = {1: (401,), 2: (20, 21), 3: (9, 8, 7)}[dims]
            network = exact.convert(layer, [torch.randn(2, layer.in_channels, *sizes)])
            operation: Any
            operation, before = of_sums(network)
            step: Any = before.step
            limit = network._steps[0].operation.attributes["limit"]
            x = at_bounds(step, limit, (2, layer.in_channels, *sizes))
            y = operation(x)
            wrong += int((y != in_integers(operation, x)).sum())
            of_kind += y.numel()
            bits.append(operation.proved)
        count += of_kind
    yield Goal(
        f"sums at their bounds of 2^{min(bits):.1f} to 2^{max(bits):.1f} steps, "
        f"{len(CONVOLUTIONS)} kinds of layers",
        f"{wrong} of {count:,} wrong",
        "0 of 10^6",
        None if wrong == 0 and count < 10**6 else wrong == 0,
    )


def refused(_: Run) -> Iterator[Goal]:
    """Networks that cannot be bounded, are not known, or have NaN."""
    from test_exact_convert import REFUSED

    warnings.simplefilter("ignore")
    right = 0
    for name, (make, message) in REFUSED.items():
        module = make() if name == "training" else make().eval()
        said = outcome(module, (exact_networks.inputs((2, 4, 6, 8)),))
        right += re.search(message, said.removeprefix("refused: ")) is not None
        print(f"  {name:24} {said.split('. ')[0]}")
    network = exact.convert(nn.Linear(4, 2).eval(), [torch.ones(1, 4)])
    for value in (math.nan, math.inf):
        with contextlib.suppress(ValueError):
            network(torch.full((1, 4), value))
            right -= 1
    yield Goal(
        "refused: not known, cannot be bounded, NaN",
        f"{right} of {len(REFUSED)}",
        "all",
        right == len(REFUSED),
    )


def outcome(module: nn.Module, x: tuple[Tensor, ...]) -> str:
    """The result of converting a module."""
    try:
        network = exact.convert(module, [x])
    except exact.Refused as error:
        return f"refused: {error}"
    with torch.no_grad():
        pairs = list(zip(tensors(network(*x)), tensors(module(*x)), strict=True))
    off = max(float((a - b).abs().max()) for a, b in pairs)
    largest = max(float(b.abs().max()) for _, b in pairs)
    return f"converted: at most {off:.5f} off, of {largest:.2f}"


def modules(_: Run) -> Iterator[Goal]:
    """Modules that others wrote: converted, or refused with a reason."""
    from compressai import layers, models

    torch.manual_seed(0)
    wide, x = torch.randn(2, 32, 8, 8), torch.rand(2, 3, 64, 64)
    parts = zoo(1)
    parts += [
        Part(f"CompressAI {type(module).__name__}", module, (wide,))
        for module in (
            layers.ResidualBlock(32, 32),
            layers.ResidualBlockWithStride(32, 32),
            layers.ResidualBlockUpsample(32, 32),
            layers.AttentionBlock(32),
            layers.GDN(32),
            layers.GDN1(32),
        )
    ]
    parts += [
        Part("CompressAI ScaleHyperprior, all of it", models.ScaleHyperprior(24, 32), (x,)),
        Part("torch LSTM", nn.LSTM(8, 8), (torch.randn(4, 2, 8),)),
        Part(
            "torch MultiheadAttention", nn.MultiheadAttention(16, 2), 3 * (torch.randn(4, 2, 16),)
        ),
        Part("torch InstanceNorm2d", nn.InstanceNorm2d(32), (wide,)),
    ]
    if importlib.util.find_spec("torchvision"):
        from torchvision import models as vision

        parts += [
            Part(f"torchvision {make.__name__}", make(), (x,))
            for make in (
                vision.resnet18,
                vision.vgg11_bn,
                vision.densenet121,
                vision.squeezenet1_1,
                vision.mobilenet_v2,
                vision.mobilenet_v3_small,
                vision.shufflenet_v2_x1_0,
                vision.efficientnet_b0,
                vision.regnet_y_400mf,
                vision.convnext_tiny,
            )
        ]
    whole = 0
    for name, module, given in parts:
        said = outcome(module.eval(), given)
        whole += said.startswith("converted")
        print(f"  {name:38} {said.split('. ')[0]}", flush=True)
    yield Goal(
        "modules that others wrote",
        f"{whole} converted, {len(parts) - whole} refused in words",
        "10 tried",
        len(parts) >= 10,
    )


LINES: dict[str, Callable[[Run], Iterator[Goal]]] = {
    "differ": differ,
    "length": partial(of_length, how=None, goal=0.05),
    "rescaled": partial(of_length, how="rescaled", goal=0.1),
    "files": files,
    "language": language,
    "time": times,
    "memory": memory,
    "sums": sums,
    "refused": refused,
    "modules": modules,
}


def table(goals: Sequence[Goal]) -> str:
    """The goals beside the measurements."""
    verdict = {None: "", True: "met", False: "NOT MET"}
    rows = [("", "measured", "goal", "")]
    rows += [(goal.what, goal.measured, goal.goal, verdict[goal.met]) for goal in goals]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description="Measures exact networks against their goals.")
    parser.add_argument("--quick", action="store_true", help="minutes: less of everything")
    parser.add_argument("--only", nargs="+", choices=LINES, default=list(LINES), metavar="LINE")
    parser.add_argument("--python", nargs="*", default=[], help="others, with torch and torchac")
    arguments = parser.parse_args()
    if not compressai_alone.installed():
        raise SystemExit(f"CompressAI is not installed: {HOW}")
    load()
    torch.set_num_threads(1)
    run = Run(arguments.quick, arguments.python)
    of = f"{processor()}, {machine()}, torch {torch.__version__}"
    goals: list[Goal] = []
    start = time.monotonic()
    for name in arguments.only:
        say(f"{name}, after {(time.monotonic() - start) / 60:.0f} minutes")
        for goal in LINES[name](run):
            goals.append(goal)
            print(table([goal]).splitlines()[-1], flush=True)
    print(f"\n{of}\n\n{table(goals)}")


if __name__ == "__main__":
    main()
