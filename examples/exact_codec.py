"""Codes a photograph pixel by pixel, and decodes it in processes that compute differently.

A small network predicts the distribution of a pixel from the pixels above it and to its left. It
is trained on one half of a photograph. The other half is cut into tiles, which are encoded twice:
with the network as it is, and with the exact network that torchac makes from it. Then other
processes decode them in other batches, on other numbers of threads, and with other instructions.
"""

from __future__ import annotations

import argparse
import math
import os
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import pad
from tqdm import tqdm

import torchac
import torchac.exact

UNIT = 16  # grey levels: a power of two, so that products with it are not rounded
KINDS = ("float", "exact")
OTHERS = {"ATEN_CPU_CAPABILITY": "default", "ONEDNN_MAX_CPU_ISA": "SSE41"}
DECODERS: dict[str, tuple[int, int, dict[str, str]]] = {  # tiles in a batch, threads, settings
    "as the encoder": (0, 1, {}),
    "another batch": (3, 1, {}),
    "3 threads": (0, 3, {}),
    "other instructions": (0, 1, OTHERS),
    "all of that": (3, 3, OTHERS),
}
SIZES = torchac.Laplace(0.0, 100.0)
BYTE = torchac.Categorical(probs=torch.ones(256))


class Before(nn.Conv2d):
    """A convolution of the pixels before a pixel: three rows above it, three pixels to its left."""

    mask: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__(1, channels, (4, 7))
        self.register_buffer("mask", torch.ones(4, 7))
        self.mask[3, 3:] = 0

    def forward(self, x: Tensor) -> Tensor:
        """Returns the outputs for each pixel that has all these neighbours."""
        self.weight.data = self.weight.data * self.mask
        return super().forward(x)


class Network(nn.Module):
    """Maps pixels to the mean and the scale of the next one."""

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            Before(width),
            nn.LeakyReLU(),
            nn.Conv2d(width, width, 1),
            nn.LeakyReLU(),
            nn.Conv2d(width, 2, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Returns N x 2 x H x W outputs for N x 1 x (H + 3) x (W + 6) inputs."""
        change, scale = self.layers(x).chunk(2, 1)
        left = x[:, :, 3:, 2:-4]
        return torch.cat((left + change, nn.functional.softplus(scale)), 1)


def model(parameters: Tensor) -> torchac.Logistic:
    """Returns the distributions of grey levels, by single operations after the network."""
    mean, scale = parameters.unbind(1)
    return torchac.Logistic(mean * UNIT + 128, (scale * UNIT).clamp(min=0.1), low=0, high=255)


def surrounded(pixels: Tensor) -> Tensor:
    """Returns the inputs of the network for N x H x W pixels, with grey around them."""
    return pad((pixels[:, None].float() - 128) / UNIT, (3, 3, 3, 0))


def bits(parameters: Tensor, pixels: Tensor) -> Tensor:
    """Returns the mean number of bits of a pixel, for training."""
    mean, scale = parameters.unbind(1)
    at = (pixels - 128) / UNIT - mean
    upper, lower = ((at + side / UNIT) / scale.clamp(min=0.01) for side in (0.5, -0.5))
    upper = upper.where(pixels < 255, torch.tensor(math.inf))
    lower = lower.where(pixels > 0, torch.tensor(-math.inf))
    return -(upper.sigmoid() - lower.sigmoid()).clamp(min=1e-6).log2().mean()


def train(network: Network, image: Tensor, steps: int) -> None:
    """Learns from random parts of an image."""
    optimizer = torch.optim.Adam(network.parameters())
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.005, steps)
    size = 32
    for _ in (progress := tqdm(range(steps), "train", leave=False)):
        y, x = (torch.randint(side - size, (8,)).tolist() for side in image.shape)
        crops = [image[b : b + size, a : a + size] for b, a in zip(y, x, strict=True)]
        pixels = torch.stack(crops).float()
        loss = bits(network(surrounded(pixels)), pixels)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
        progress.set_postfix_str(f"{loss.item():.2f} bits a pixel")


@torch.no_grad()
def encode(network: nn.Module, pixels: Tensor, at_once: bool) -> list[bytes]:
    """Returns a stream for each picture.

    An exact network may see whole pictures `at_once`. Any other network needs the same parts in the
    same batches as in the decoder.
    """
    seen = surrounded(pixels)
    height, width = pixels.shape[1:]
    if at_once:
        parameters = network(seen)
    else:
        places = tqdm(range(height * width), "encode", leave=False)
        parts = [network(window(seen, place, width)) for place in places]
        parameters = torch.cat(parts, 3).view(len(pixels), 2, height, width)
    encoder = torchac.BatchEncoder(len(pixels))
    encoder.encode(model(parameters), pixels)
    return encoder.finish()


def window(seen: Tensor, place: int, width: int) -> Tensor:
    """Returns the inputs of the network for one pixel of each picture."""
    y, x = divmod(place, width)
    return seen[:, :, y : y + 4, x : x + 7]


@torch.no_grad()
def decode(network: nn.Module, streams: list[bytes], height: int, width: int) -> Tensor:
    """Returns the pictures; one that cannot be read has its pixels from before the error."""
    pixels = torch.full((len(streams), height, width), 128)
    decoders = dict(enumerate(map(torchac.Decoder, streams)))
    seen = surrounded(pixels)
    for place in tqdm(range(height * width), "decode", leave=False):
        parameters = network(window(seen, place, width))
        y, x = divmod(place, width)
        for i, decoder in list(decoders.items()):
            with suppress(torchac.CorruptStreamError):
                pixels[i, y, x] = decoder.decode(model(parameters[i : i + 1])).item()
                continue
            del decoders[i]
        seen[:, 0, y + 3, x + 3] = (pixels[:, y, x] - 128) / UNIT
    return pixels


def save(path: Path, streams: list[bytes], size: torch.Size) -> None:
    """Writes all streams into a file."""
    with torchac.Writer(path) as file:
        file.write(SIZES, torch.tensor(size))
        for stream in streams:
            file.write(BYTE, torch.tensor(list(stream)))


def load(path: Path) -> tuple[list[bytes], list[int]]:
    """Returns the streams of a file, and the size of the pictures."""
    with torchac.Reader(path) as file:
        count, *size = file.read(SIZES).tolist()
        return [bytes(file.read(BYTE).tolist()) for _ in range(count)], size


def decode_there(folder: Path, batch: int, threads: int) -> None:
    """Runs in another process, which has networks and files, and nothing else."""
    torch.set_num_threads(threads)
    network = Network().eval()
    network.load_state_dict(torch.load(folder / "network.pt", weights_only=True))
    exact = torchac.exact.load(folder / "network.exact")
    decoded = {}
    for kind, coded in zip(KINDS, (network, exact), strict=True):
        streams, size = load(folder / f"{kind}.tac")
        parts = [streams[i : i + batch] for i in range(0, len(streams), batch)]
        decoded[kind] = torch.cat([decode(coded, part, *size) for part in parts])
    torch.save(decoded, folder / "decoded.pt")


def run_there(
    folder: Path, batch: int, threads: int, settings: dict[str, str]
) -> dict[str, Tensor]:
    """Starts such a process, and returns the pictures of both networks."""
    command = [sys.executable, __file__, "--there", str(folder), str(batch), str(threads)]
    subprocess.run(command, env=os.environ | settings, check=True)
    decoded: dict[str, Tensor] = torch.load(folder / "decoded.pt", weights_only=True)
    return decoded


def cut(image: Tensor, size: int, rows: int) -> Tensor:
    """Returns the tiles of an image, row by row."""
    tiles = image.unfold(0, size, size).unfold(1, size, size)
    return tiles[:rows].flatten(0, 1)


def save_picture(path: Path, pictures: dict[str, Tensor], rows: int) -> None:
    """Saves the encoded image beside the decoded ones, with the tiles in their places."""
    import matplotlib.pyplot as plt

    figure, cells = plt.subplots(1, len(pictures), figsize=(9, 4), layout="compressed")
    for cell, (title, tiles) in zip(cells, pictures.items(), strict=True):
        image = torch.cat([torch.cat(list(row), 1) for row in tiles.chunk(rows)])
        cell.imshow(image, cmap="gray", vmin=0, vmax=255)
        cell.set_title(title)
        cell.set_axis_off()
    figure.savefig(path, dpi=90)


def main() -> None:
    """Trains the network, encodes, lets other processes decode, and counts what they read."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=500, help="training steps")
    parser.add_argument("--size", type=int, default=40, help="pixels in a row of a tile")
    parser.add_argument("--rows", type=int, default=5, help="rows of tiles")
    parser.add_argument("--out", type=Path, default=Path("exact_codec"), help="a folder for files")
    parser.add_argument("--plot", type=Path, help="save what was decoded as a picture")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--there", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.there:
        folder, batch, threads = arguments.there
        decode_there(Path(folder), int(batch), int(threads))
        return
    from sklearn.datasets import load_sample_image

    torch.manual_seed(arguments.seed)
    torch.set_num_threads(1)  # in such a small network, threads would only wait for each other
    arguments.out.mkdir(exist_ok=True)
    photograph = torch.from_numpy(load_sample_image("china.jpg").copy()).float().mean(2)
    image = nn.functional.avg_pool2d(photograph[None], 2)[0].round()
    left, right = image.chunk(2, 1)
    pixels = cut(right, arguments.size, arguments.rows)

    network = Network()
    start = time.perf_counter()
    train(network, left, arguments.steps)
    seconds = time.perf_counter() - start
    network.eval()
    torch.save(network.state_dict(), arguments.out / "network.pt")
    exact = torchac.exact.convert(network, [surrounded(pixels[:1])])
    torchac.exact.save(exact, arguments.out / "network.exact")

    size = arguments.size
    print(f"trained for {seconds:.0f} s; {len(pixels)} tiles of {size} x {size} pixels\n")
    print(f"{'tiles read':<22}{'float':>8}{'exact':>8}")
    sizes = {}
    for kind, coded in zip(KINDS, (network, exact), strict=True):
        streams = encode(coded, pixels, at_once=kind == "exact")
        save(arguments.out / f"{kind}.tac", streams, pixels.shape)
        sizes[kind] = sum(map(len, streams))
    for name, (batch, threads, settings) in DECODERS.items():
        decoded = run_there(arguments.out, batch or len(pixels), threads, settings)
        read = [int((decoded[kind] == pixels).flatten(1).all(1).sum()) for kind in KINDS]
        print(f"{name:<22}{read[0]:>8}{read[1]:>8}")
        assert read[1] == len(pixels), "the exact network is not the same everywhere"
    print(f"{'bits a pixel':<22}", end="")
    print("".join(f"{8 * size / pixels.numel():>8.3f}" for size in sizes.values()))
    if arguments.plot:
        titles = {"encoded": pixels, "float, decoded": decoded["float"]}
        titles["exact, decoded"] = decoded["exact"]
        save_picture(arguments.plot, titles, arguments.rows)
        print(f"\n{arguments.plot} shows what the last of them decoded")


if __name__ == "__main__":
    main()
