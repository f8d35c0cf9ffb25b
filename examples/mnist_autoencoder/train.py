"""Trains an auto-encoder whose bottleneck torchac codes, for few bits and small errors.

The loss is the mean squared error plus `--rate` times the bits per pixel. Every few epochs the
bottlenecks of the test images are coded, decoded and compared, and their images saved.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import torch
from data import load
from matplotlib.figure import Figure
from model import AutoEncoder
from torch import Tensor
from tqdm import tqdm

import torchac

BATCH = 64


@dataclass
class Result:
    """The results for a set of images; bits are per image."""

    images: Tensor
    outputs: Tensor
    loss: float
    ideal: float
    estimated: float
    coded: float


@torch.no_grad()
def code(model: AutoEncoder, images: Tensor, rate: float) -> Result:
    """Codes the bottlenecks of images, and makes images from the decoded ones."""
    model.eval()
    values = torch.cat([model.bottleneck(batch) for batch in torch.split(images, 1000)]).round()
    file = model.to_file(values)
    decoded = model.from_file(file)
    assert torch.equal(decoded, values.int()), "the decoded bottleneck is not the original"
    ideal = model.bits(values).double().sum().item()
    estimated = torchac.estimate_bits(model.prior(), values).sum().item()
    outputs = torch.cat([model.synthesis(batch) for batch in torch.split(decoded.float(), 1000)])
    model.train()
    return Result(
        images.cpu(),
        outputs.cpu(),
        (outputs - images).square().mean().item() + rate * ideal / images.numel(),
        ideal / len(images),
        estimated / len(images),
        8 * len(file) / len(images),
    )


def save_picture(path: Path, epoch: int, train: Result, test: Result, rows: int = 6) -> None:
    """Saves images of both sets, as they were and as they were decoded."""
    figure = Figure(figsize=(5, rows + 1.2), layout="constrained")
    figure.suptitle(f"after epoch {epoch}", fontsize="medium", color="grey")
    halves = figure.add_gridspec(1, 2, wspace=0.08)
    for column, (name, result) in enumerate((("training", train), ("test", test))):
        half = figure.add_subfigure(halves[column])
        title = f"{name} set\nloss {result.loss:.4f}, {result.coded:.1f} bits"
        half.suptitle(title, fontsize="medium")
        cells = half.subplots(rows, 2)
        cells[0, 0].set_title("input", fontsize="medium")
        cells[0, 1].set_title("output", fontsize="medium")
        for row in range(rows):
            for cell, images in zip(cells[row], (result.images, result.outputs), strict=True):
                cell.imshow(images[row, 0], cmap="gray_r", vmin=0, vmax=1)
                cell.set(xticks=[], yticks=[])
                cell.spines[:].set_color("lightgrey")
    figure.savefig(path, dpi=100)


def train(
    model: AutoEncoder, images: Tensor, tests: Tensor, epochs: int, rate: float, out: Path
) -> None:
    """Trains the model, prints the costs of images meanwhile, and updates the picture."""
    layers = [p for name, p in model.named_parameters() if name != "logits"]
    steps = epochs * -(-len(images) // BATCH)
    optimizer = torch.optim.Adam([{"params": layers}, {"params": [model.logits]}])
    # The logits are steep: a rare integer must become a thousand times rarer than a common one.
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, [0.003, 0.03], total_steps=steps)

    tqdm.write(f"{'':>5}{'loss':>16}{'':>4}{'bits per test image':>32}")
    tqdm.write(f"epoch{'train':>8}{'test':>8}{'':>4}{'ideal':>10}{'estimated':>12}{'coded':>10}")
    for epoch in tqdm(range(1, epochs + 1), "train", leave=False):
        for chosen in torch.split(torch.randperm(len(images)), BATCH):
            batch = images[chosen]
            outputs, bits = model(batch)
            loss = (outputs - batch).square().mean() + rate * bits.sum() / batch.numel()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
        if epoch % max(epochs // 6, 1) == 0 or epoch == epochs:
            seen, new = code(model, images[: len(tests)], rate), code(model, tests, rate)
            tqdm.write(
                f"{epoch:>5}{seen.loss:>8.4f}{new.loss:>8.4f}{'':>4}"
                f"{new.ideal:>10.3f}{new.estimated:>12.3f}{new.coded:>10.3f}"
            )
            save_picture(out, epoch, seen, new)


def main() -> None:
    """Reads the arguments, trains, and says where the picture is."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dataset", choices=("digits", "mnist"), default="digits")
    parser.add_argument("--data", type=Path, default=Path("data"), help="where MNIST is kept")
    parser.add_argument("--epochs", type=int, help="default: 60, for mnist 5")
    parser.add_argument("--rate", type=float, default=0.01, help="weight of the bits per pixel")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("mnist_autoencoder.png"), help="picture")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    arguments = parser.parse_args()
    torch.manual_seed(arguments.seed)
    if arguments.dataset == "digits":
        torch.set_num_threads(1)  # each step is so short that threads would mostly wait
    images, tests = (part.to(arguments.device) for part in load(arguments.dataset, arguments.data))
    model = AutoEncoder(scales=2 if arguments.dataset == "digits" else 3).to(arguments.device)
    epochs = arguments.epochs or {"digits": 60, "mnist": 5}[arguments.dataset]
    train(model, images, tests, epochs, arguments.rate, arguments.out)
    print(f"Images before and after coding: {arguments.out}")


if __name__ == "__main__":
    main()
