"""A small lossless image codec: the design of L3C, scale by scale, without a neural network.

Every 2^n-th pixel is stored raw. Each finer scale adds the three missing pixels of every 2 x 2
block, channel after channel. The pixels known so far around a pixel determine its distribution, a
discretized logistic: one linear prediction is its mean, and another one, of the error of the first,
gives the scale. The encoder fits both by least squares and stores their weights, torchac codes
the pixels, and the decoder sees only the file.

    python examples/lossless_image.py [IMAGE] [--out FILE] [--plot [PICTURE]]
"""

from __future__ import annotations

import argparse
import io
import math
import sys
import time
from collections.abc import Callable
from itertools import product
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import pad, unfold
from tqdm import tqdm

import torchac

MODEL_ID = b"lossless_image 1"
TILE = 640  # larger images are coded in tiles, so that the fits stay local
RAW_PIXELS = 1500  # below this, the weights of one more scale would cost more than it saves
PHASES = ((1, 1), (0, 1), (1, 0))  # row and column of the missing pixels, in coding order
ORDER = torch.tensor([[0, 2], [3, 1]])  # the same order as a map of the 2 x 2 block
REACH = 3  # neighbours lie in a window of 7 x 7 pixels

# Predictions are sums of small multiples of a power of two, which float64 adds without rounding. So
# the decoder gets the same predictions on every machine.
WEIGHT_STEPS = 4096
LEAST_ERROR = 0.1  # grey levels: the least expected error

SIZES = torchac.Laplace(0.0, 1000.0)
GREY = torchac.Categorical(probs=torch.ones(256))
WEIGHTS = torchac.Laplace(0.0, 100.0)

Where = tuple[int | slice, slice, slice]  # the pixels that are coded together
Fit = Callable[[Tensor], Tensor]  # maps those pixels to what is stored or predicted


def logistic(mean: Tensor, error: Tensor) -> torchac.Logistic:
    """Returns distributions of grey levels with these means and expected absolute errors."""
    scale = error.clamp(min=LEAST_ERROR) / (2 * math.log(2))
    return torchac.Logistic(mean, scale, low=0, high=255)


class Encoder:
    """Has the image: computes what to store, codes the pixels, and writes the file."""

    def __init__(self, image: Tensor, file: torchac.Writer) -> None:
        self.image, self.file = image.long(), file
        self.bits = torch.full(image.shape, torch.nan)  # ideal, for pixels that are not raw
        file.write(SIZES, torch.tensor(image.shape))

    def numbers(self, where: Where, model: torchac.models.Model, fit: Fit) -> Tensor:
        """Stores the result of `fit` for the pixels."""
        numbers = fit(self.image[where].flatten().double())
        self.file.write(model, numbers)
        return numbers

    def pixels(self, where: Where, model: torchac.Logistic) -> Tensor:
        """Codes the pixels, given the distribution of each."""
        pixels = self.image[where].flatten()
        self.bits[where] = torchac.estimate_bits(model, pixels).float().view_as(self.bits[where])
        self.file.write(model, pixels)
        return pixels


class Decoder:
    """Has only the file, and reads from it what the encoder has written."""

    def __init__(self, file: torchac.Reader) -> None:
        self.file = file
        self.shape = torch.Size(file.read(SIZES))

    def numbers(self, where: Where, model: torchac.models.Model, fit: Fit) -> Tensor:
        """Reads what the encoder has stored."""
        numbers: Tensor = self.file.read(model)
        return numbers.double()

    def pixels(self, where: Where, model: torchac.Logistic) -> Tensor:
        """Decodes the pixels, given the distribution of each."""
        pixels: Tensor = self.file.read(model)
        return pixels


Codec = Encoder | Decoder


def windows(planes: Tensor, y: int, x: int) -> Tensor:
    """Returns the 49 values around every pixel of a phase: channels x 49 x pixels."""
    mode = "reflect" if min(planes.shape[1:]) > REACH else "replicate"  # reflection keeps phases
    padded = pad(planes[None], (REACH,) * 4, mode)[:, :, y:, x:]
    return unfold(padded, 2 * REACH + 1, stride=2).view(len(planes), (2 * REACH + 1) ** 2, -1)


def neighbours(channels: int, y: int, x: int) -> tuple[Tensor, Tensor]:
    """Returns which places of the windows are known (channels x 49), and the four nearest (49)."""
    shift = torch.arange(-REACH, REACH + 1)
    distance = (shift[:, None] ** 2 + shift**2).flatten()
    order = ORDER[(y + shift)[:, None] % 2, (x + shift) % 2].flatten()
    current = (distance <= REACH**2) & (order < ORDER[y, x])
    earlier = distance <= 2  # 3 x 3 pixels of the channels that are completely known are enough
    return torch.stack([earlier] * (channels - 1) + [current]), distance == distance[current].min()


def least_squares(features: Tensor, target: Tensor, importance: Tensor) -> Tensor:
    """Returns the weights, in WEIGHT_STEPS, with which the features predict the target best."""
    weighted = features * importance
    ridge = 0.01 * torch.eye(len(features), dtype=features.dtype)  # a feature may be all zero
    weights: Tensor = torch.linalg.solve(weighted @ features.T + ridge, weighted @ target)
    return (weights * WEIGHT_STEPS).round().clamp(-(2**15), 2**15 - 1)


def code_phase(
    planes: Tensor, errors: Tensor, y: int, x: int, where: Where, codec: Codec
) -> tuple[Tensor, Tensor]:
    """Codes one phase of the last of the planes; returns its pixels and their errors."""
    known, nearest = neighbours(len(planes), y, x)
    values = windows(planes, y, x)
    average = values[:, nearest].mean(1, keepdim=True)
    base = average[-1, 0].double()
    differences = (values - average)[known].double()
    importance = (1 + differences.abs().mean(0)) ** -1.5  # or the busiest places dominate

    def predict(target: Fit, features: Tensor) -> Tensor:
        weights = codec.numbers(
            where, WEIGHTS, lambda p: least_squares(features, target(p), importance)
        )
        return weights @ features / WEIGHT_STEPS

    mean = (base + predict(lambda pixels: pixels - base, differences)).clamp(0, 255)
    constant = torch.full_like(base, 16)[None]  # as weights are below 8
    activity = torch.cat([differences.abs(), windows(errors, y, x)[known], constant])
    error = predict(lambda pixels: (pixels - mean).abs(), activity)
    pixels = codec.pixels(where, logistic(mean, error))
    return pixels.float(), (pixels - mean).abs().float()


def code_tile(planes: Tensor, errors: Tensor, ys: slice, xs: slice, codec: Codec) -> None:
    """Fills in the pixels of a tile and their prediction errors, scale by scale."""

    def lattice(channel: int | slice, y: int, x: int, step: int) -> Where:
        return channel, slice(ys.start + y, ys.stop, step), slice(xs.start + x, xs.stop, step)

    step = 1
    while planes[where := lattice(slice(None), 0, 0, step)][0].numel() > RAW_PIXELS:
        step *= 2
    raw = codec.numbers(where, GREY, lambda pixels: pixels)
    planes[where] = raw.view_as(planes[where]).float()
    while step > 1:
        half = step // 2
        for channel, (y, x) in product(range(len(planes)), PHASES):
            where = lattice(channel, y * half, x * half, step)
            if planes[where].numel():  # a single column has no odd columns
                known = lattice(slice(channel + 1), 0, 0, half)
                coded = code_phase(planes[known], errors[known], y, x, where, codec)
                planes[where], errors[where] = (part.view_as(planes[where]) for part in coded)
        step = half


def cut(size: int) -> list[slice]:
    """Cuts a side into equal pieces of at most TILE pixels."""
    piece = math.ceil(size / math.ceil(size / TILE))
    return [slice(start, start + piece) for start in range(0, size, piece)]


def code_image(shape: torch.Size, codec: Codec, task: str) -> Tensor:
    """Walks over an image, in the same way for encoder and decoder, and returns its pixels."""
    planes, errors = torch.zeros(shape), torch.zeros(shape)
    tiles = list(product(cut(shape[1]), cut(shape[2])))
    for ys, xs in tqdm(tiles, task, disable=len(tiles) == 1, leave=False):
        code_tile(planes, errors, ys, xs, codec)
    return planes.byte()


def load(path: Path | None) -> tuple[str, Image.Image]:
    """Returns a name and a picture of 8-bit channels, by default a photograph of scikit-learn."""
    if path is None:
        from sklearn.datasets import load_sample_image

        return "china", Image.fromarray(load_sample_image("china.jpg"))
    try:
        picture = Image.open(path)
        picture.load()
    except OSError as error:
        sys.exit(f"cannot read {path} as an image: {error}")
    if picture.mode.startswith(("I", "F")):
        sys.exit(f"{path} has more than 8 bits per channel (mode {picture.mode})")
    if "A" in picture.getbands() or "transparency" in picture.info:
        return path.stem, picture.convert("RGBA")
    return path.stem, picture.convert("L" if picture.mode in ("1", "L") else "RGB")


def save_plot(path: Path, picture: Image.Image, bits: Tensor) -> None:
    """Saves the picture beside a map of what each of its pixels costs."""
    import matplotlib.pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(12, 4), layout="compressed")
    left.imshow(picture, cmap="gray")
    left.set_title(f"{picture.width} x {picture.height} pixels")
    heat = right.imshow(bits, cmap="magma", vmin=0, vmax=8 * len(picture.getbands()))
    right.set_title(f"bits per pixel, {bits.mean():.2f} on average")
    figure.colorbar(heat, ax=right)
    left.set_axis_off()
    right.set_axis_off()
    figure.savefig(path, dpi=90)


def main() -> None:
    """Encodes an image, decodes it from the file, and compares sizes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("image", nargs="?", type=Path, help="default: a photograph of scikit-learn")
    parser.add_argument("--out", type=Path, help="the file to write (default: NAME.tac)")
    plot_help = "save a picture of the bits per pixel (default: NAME_bits.png)"
    parser.add_argument("--plot", nargs="?", const="", metavar="PICTURE", help=plot_help)
    arguments = parser.parse_args()
    torch.set_num_threads(1)  # the tensors are small: waking more threads would take longer

    name, picture = load(arguments.image)
    out = arguments.out or Path(f"{name}.tac")
    planes = torch.from_numpy(np.atleast_3d(np.array(picture))).permute(2, 0, 1)
    image = planes.roll(-1, 0)  # green first, as it predicts the others best

    start = time.perf_counter()
    with torchac.Writer(out, model_id=MODEL_ID) as file:
        encoder = Encoder(image, file)
        code_image(image.shape, encoder, "encode")
    encoded = time.perf_counter()
    decoder = Decoder(torchac.Reader(out, model_id=MODEL_ID))
    result = code_image(decoder.shape, decoder, "decode")
    decoded = time.perf_counter()
    assert torch.equal(result, image), "the decoded image is not the original"

    def row(label: str, size: int) -> None:
        print(f"{label:<10}{size:12,}{8 * size / image.numel():20.3f}")

    print(f"{name}: {picture.width} x {picture.height} pixels, {len(image)} channels of 8 bits\n")
    print(f"{'':<10}{'bytes':>12}{'bits per sub-pixel':>20}")
    row("raw", image.numel())
    picture.save(png := io.BytesIO(), "PNG", optimize=True)
    row("PNG", png.tell())
    if max(picture.size) < 1 << 14:  # WebP does not support larger ones
        picture.save(webp := io.BytesIO(), "WebP", lossless=True, method=6, exact=True)
        row("WebP", webp.tell())
    row("this codec", out.stat().st_size)

    ideal = encoder.bits.nansum(dtype=torch.float64).item() / 8
    print(f"\n{out} decodes to the same image. Ideally its pixels take {ideal:,.0f} bytes.")
    print(f"encode {encoded - start:.2f} s, decode {decoded - encoded:.2f} s")
    if arguments.plot is not None:
        plot = Path(arguments.plot or f"{out.stem}_bits.png")
        save_plot(plot, picture, encoder.bits.nan_to_num(8).sum(0))
        print(f"{plot} shows where the bits went")


if __name__ == "__main__":
    main()
