"""Compresses a folder of images with Ray Data and torchac, on this machine or on a cluster.

A first pass reads the images, codes them batch by batch in actors and writes Parquet, a stream in
each row. A second pass reads Parquet, decodes it, and compares with the images.

An image is coded as the differences between its values and those in the channel before, above and
on the left. For each block of 16 x 16 differences, their size selects one of 24 Laplace
distributions.
"""

from __future__ import annotations

import argparse
import io
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.nn.functional import avg_pool2d

import torchac

try:
    import ray
except ImportError:
    sys.exit('this example needs Ray: pip install ".[ray]"')

Batch = dict[str, Any]  # columns by name
Tables = NDArray[np.int16]

BLOCK = 16
SCALES = 2 ** (torch.arange(24) / 3 - 2)  # mean sizes of differences, from 0.25 to 51


def load(file: bytes | str) -> Tensor:
    """Returns an image, channels x height x width, from a file's content or path."""
    picture: Image.Image = Image.open(io.BytesIO(file) if isinstance(file, bytes) else file)
    if picture.mode not in ("L", "RGB", "RGBA"):
        picture = picture.convert("RGB")
    return torch.from_numpy(np.atleast_3d(np.array(picture))).permute(2, 0, 1).long()


def differences(image: Tensor) -> Tensor:
    """Returns the differences of an image along all of its dimensions, modulo 256."""
    for dim in range(3):
        image = image.diff(dim=dim, prepend=torch.zeros_like(image.narrow(dim, 0, 1)))
    return (image + 128) % 256 - 128


def sums(values: Tensor) -> Tensor:
    """Returns the image that has these differences."""
    for dim in range(3):
        values = values.cumsum(dim)
    return values % 256


def choose(values: Tensor) -> Tensor:
    """Returns which table suits each block of each channel."""
    sizes = avg_pool2d(values.abs().float(), BLOCK, ceil_mode=True)
    return torch.bucketize(sizes, SCALES[:-1] * 2 ** (1 / 6)).byte()


def spread(chosen: Tensor, height: int, width: int) -> Tensor:
    """Returns the table of each value."""
    index = chosen.repeat_interleave(BLOCK, 1).repeat_interleave(BLOCK, 2)
    return index[:, :height, :width]


class Compress:
    """An actor that codes images. It lives as long as the pass, and gets its tables once."""

    def __init__(self, tables: Tables) -> None:
        self.tables = torch.tensor(tables)

    def __call__(self, batch: Batch) -> Batch:
        """Makes the columns that are stored from the names and contents of files."""
        images = [load(file) for file in batch["bytes"]]
        values = [differences(image) for image in images]
        chosen = [choose(of_image) for of_image in values]
        shapes = [image.shape for image in images]
        streams = torchac.encode_batch(
            self.tables,
            [torchac.shift_symbols(of_image, -128, 127) for of_image in values],
            index=[spread(c, *shape[1:]) for c, shape in zip(chosen, shapes, strict=True)],
            num_threads=1,  # an actor has one processor; there are more actors instead
        )
        return {
            "path": batch["path"],
            "channels": [shape[0] for shape in shapes],
            "height": [shape[1] for shape in shapes],
            "width": [shape[2] for shape in shapes],
            "tables": [of_image.numpy().tobytes() for of_image in chosen],
            "stream": streams,
        }


class Verify:
    """An actor that decodes what `Compress` made."""

    def __init__(self, tables: Tables) -> None:
        self.tables = torch.tensor(tables)

    def __call__(self, batch: Batch) -> Batch:
        """Returns whether each image is the same again, and its bytes: raw, in its file, coded."""
        index = []
        columns = (batch[name] for name in ("channels", "height", "width", "tables"))
        for channels, height, width, tables in zip(*columns, strict=True):
            chosen = torch.frombuffer(bytearray(tables), dtype=torch.uint8)
            blocks = chosen.view(channels, -(-height // BLOCK), -(-width // BLOCK))
            index.append(spread(blocks, height, width))
        streams = list(batch["stream"])
        decoded = torchac.decode_batch(self.tables, streams, index=index, num_threads=1)
        images = [sums(torchac.unshift_symbols(symbols, -128)) for symbols in decoded]
        originals = [load(path) for path in batch["path"]]
        sizes = zip(batch["stream"], batch["tables"], strict=True)
        return {
            "equal": [torch.equal(*pair) for pair in zip(images, originals, strict=True)],
            "raw": [image.numel() for image in originals],
            "file": [Path(path).stat().st_size for path in batch["path"]],
            "coded": [len(stream) + len(tables) for stream, tables in sizes],
        }


def run(rows: ray.data.Dataset, actor: type, tables: Tables, options: Any) -> ray.data.Dataset:
    """Returns what actors will make of the rows."""
    return rows.map_batches(
        actor,
        fn_constructor_args=(tables,),
        batch_size=options.batch_size,
        compute=ray.data.ActorPoolStrategy(min_size=1, max_size=options.actors),
    )


def compress(images: Path, output: Path, options: Any) -> None:
    """Writes Parquet files with a row for each image, and the tables."""
    # Computed on another machine, tables could differ by a bit, and then nothing decodes: so all
    # actors get these, as integers, and the second pass reads them.
    rows = torchac.cdf.laplace(0.0, SCALES, -128, 127)
    tables = torchac.quantize_cdf(rows).numpy()
    output.mkdir(parents=True)
    np.save(output / "tables.npy", tables)
    files = ray.data.read_binary_files(
        str(images), include_paths=True, file_extensions=["bmp", "jpeg", "jpg", "png", "webp"]
    )
    run(files, Compress, tables, options).write_parquet(str(output / "images"))


def verify(output: Path, options: Any) -> dict[str, int]:
    """Returns the number of images, of those that are the same again, and their bytes."""
    stored = ray.data.read_parquet(str(output / "images"))
    rows = run(stored, Verify, np.load(output / "tables.npy"), options).take_all()
    return {"count": len(rows)} | {name: int(sum(row[name] for row in rows)) for name in rows[0]}


def make_images(folder: Path, size: int = 128) -> Path:
    """Cuts the photographs that scikit-learn ships into PNG files, and returns their folder."""
    from sklearn.datasets import load_sample_image

    folder.mkdir()
    for name in "china", "flower":
        photograph = load_sample_image(f"{name}.jpg")
        for y in range(0, photograph.shape[0], size):
            for x in range(0, photograph.shape[1], size):
                tile = Image.fromarray(photograph[y : y + size, x : x + size])
                tile.save(folder / f"{name}-{y:03}-{x:03}.png", optimize=True)
    return folder


def main() -> None:
    """Compresses, verifies, and compares sizes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--input", type=Path, help="default: parts of photographs of scikit-learn")
    parser.add_argument("--output", type=Path, help="default: a folder that is deleted afterwards")
    parser.add_argument("--address", help="of a Ray cluster whose machines share these folders")
    parser.add_argument("--actors", type=int, default=2, help="at most so many work at a time")
    parser.add_argument("--batch-size", type=int, default=8, help="images in a batch")
    options = parser.parse_args()
    if options.output and options.output.exists():
        sys.exit(f"{options.output} exists: choose a new folder")
    # Here, there is one more processor than actors: without it, nothing would read the files.
    where = {"address": options.address} if options.address else {"num_cpus": options.actors + 1}
    with tempfile.TemporaryDirectory() as temporary, ray.init(**where):
        images = options.input or make_images(Path(temporary, "images"))
        output = options.output or Path(temporary, "compressed")
        start = time.perf_counter()
        compress(images.resolve(), output.resolve(), options)
        middle = time.perf_counter()
        result = verify(output.resolve(), options)
        end = time.perf_counter()
    assert result["equal"] == result["count"], f"not all images are the same again: {result}"

    print(f"{result['count']} images are the same after decoding.\n")
    print(f"{'':<12}{'bytes':>12}{'bits per value':>16}")
    for label, name in ("raw", "raw"), ("files read", "file"), ("torchac", "coded"):
        print(f"{label:<12}{result[name]:12,}{8 * result[name] / result['raw']:16.3f}")
    print(f"\ncompress {middle - start:.1f} s, verify {end - middle:.1f} s, Ray's start included")


if __name__ == "__main__":
    main()
