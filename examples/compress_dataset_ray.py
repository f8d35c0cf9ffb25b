"""Compresses a folder of images with Ray Data and torchac, on this machine or on a cluster.

A first pass reads the images and writes Parquet, with a torchac file in each row. A second pass
reads Parquet, decodes it, and compares the result with the images. Any machine can decode the files
of another one, because the distributions are the same on all machines.

An image is coded as the differences between its values and those in the previous channel, above,
and to the left. For each block of 16 x 16 differences, their size selects one of 24 Laplace
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
from PIL import Image
from torch import Tensor
from torch.nn.functional import avg_pool2d

import torchac

try:
    import ray
except ImportError:
    sys.exit('this example needs Ray: pip install ".[ray]"')

Batch = dict[str, Any]  # columns by name

MODEL_ID = b"compress_dataset_ray 1"
BLOCK = 16
SCALES = 2 ** (torch.arange(24) / 3 - 2)  # mean sizes of differences, from 0.25 to 51
MODEL = torchac.Laplace(0.0, SCALES, low=-128, high=127)
SCALE = torchac.Categorical(probs=torch.ones(len(SCALES)))


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
    """Returns the number of the best scale for each block of each channel."""
    sizes = avg_pool2d(values.abs().float(), BLOCK, ceil_mode=True)
    return torch.bucketize(sizes, SCALES[:-1] * 2 ** (1 / 6)).byte()


def spread(chosen: Tensor, height: int, width: int) -> Tensor:
    """Returns the number of the scale of each value."""
    index = chosen.repeat_interleave(BLOCK, 1).repeat_interleave(BLOCK, 2)
    return index[:, :height, :width]


def to_file(image: Tensor) -> bytes:
    """Returns a file of the scales of an image's blocks, and of its differences."""
    values = differences(image)
    chosen, file = choose(values), io.BytesIO()
    # Ray gives each batch one processor, and codes several batches at a time.
    with torchac.Writer(file, model_id=MODEL_ID) as writer:
        writer.write(SCALE, chosen)
        writer.write(MODEL, values, index=spread(chosen, *image.shape[1:]), num_threads=1)
    return file.getvalue()


def from_file(file: bytes) -> Tensor:
    """Returns the image of a file."""
    reader = torchac.Reader(io.BytesIO(file), model_id=MODEL_ID)
    chosen = reader.read(SCALE)
    index = spread(chosen, *reader.segments[1].shape[1:])
    return sums(reader.read(MODEL, index=index, num_threads=1))


def encode(batch: Batch) -> Batch:
    """Makes the stored columns from the names and contents of files."""
    return {"path": batch["path"], "tac": [to_file(load(file)) for file in batch["bytes"]]}


def decode(batch: Batch) -> Batch:
    """Returns whether each image is unchanged, and its bytes: raw, in its file, coded."""
    originals = [load(path) for path in batch["path"]]
    pairs = zip(batch["tac"], originals, strict=True)
    return {
        "equal": [torch.equal(from_file(file), original) for file, original in pairs],
        "raw": [image.numel() for image in originals],
        "file": [Path(path).stat().st_size for path in batch["path"]],
        "coded": [len(file) for file in batch["tac"]],
    }


def compress(images: Path, output: Path, batch_size: int) -> None:
    """Writes Parquet files with a row for each image."""
    files = ray.data.read_binary_files(
        str(images), include_paths=True, file_extensions=["bmp", "jpeg", "jpg", "png", "webp"]
    )
    files.map_batches(encode, batch_size=batch_size).write_parquet(str(output))


def verify(output: Path, batch_size: int) -> dict[str, int]:
    """Returns the number of images, the number of unchanged ones, and their bytes."""
    stored = ray.data.read_parquet(str(output))
    rows = stored.map_batches(decode, batch_size=batch_size).take_all()
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
    parser.add_argument("--processes", type=int, default=2, help="how many work on this machine")
    parser.add_argument("--batch-size", type=int, default=8, help="images in a batch")
    options = parser.parse_args()
    if options.output and options.output.exists():
        sys.exit(f"{options.output} exists: choose a new folder")
    where = {"address": options.address} if options.address else {"num_cpus": options.processes}
    with tempfile.TemporaryDirectory() as temporary, ray.init(**where):
        images = options.input or make_images(Path(temporary, "images"))
        output = options.output or Path(temporary, "compressed")
        start = time.perf_counter()
        compress(images.resolve(), output.resolve(), options.batch_size)
        middle = time.perf_counter()
        result = verify(output.resolve(), options.batch_size)
        end = time.perf_counter()
    assert result["equal"] == result["count"], f"not all images are the same again: {result}"

    print(f"{result['count']} images are the same after decoding.\n")
    print(f"{'':<12}{'bytes':>12}{'bits per value':>16}")
    for label, name in ("raw", "raw"), ("files read", "file"), ("torchac", "coded"):
        print(f"{label:<12}{result[name]:12,}{8 * result[name] / result['raw']:16.3f}")
    print(f"\ncompress {middle - start:.1f} s, verify {end - middle:.1f} s, Ray's start included")


if __name__ == "__main__":
    main()
