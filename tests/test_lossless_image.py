"""The first thing a user runs: what it prints is true."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

EXAMPLE = Path(__file__).parent.parent / "examples" / "lossless_image.py"


def run(folder: Path, *arguments: str) -> dict[str, int]:
    """Runs the example, which itself asserts equality, and gives the sizes that it prints."""
    command = [sys.executable, str(EXAMPLE), *arguments]
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    table = [line for line in result.stdout.splitlines() if line.split()[-1:] and line[0] != " "]
    sizes = {}
    for line in table:
        name, *numbers = line.rsplit(maxsplit=2)
        if len(numbers) == 2 and numbers[0].replace(",", "").isdigit():
            sizes[name.strip()] = int(numbers[0].replace(",", ""))
    return sizes


def test_the_default_photograph_takes_less_than_png(tmp_path: Path) -> None:
    sizes = run(tmp_path)
    assert sizes["raw"] == 427 * 640 * 3
    assert sizes["this codec"] == (tmp_path / "china.tac").stat().st_size
    assert sizes["this codec"] < 0.8 * sizes["PNG"]


@pytest.mark.parametrize("shape", [(40, 30), (31, 45, 3), (1, 50, 3), (17, 1)])
def test_images_of_any_shape(tmp_path: Path, shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(1)
    noisy = np.cumsum(rng.integers(-3, 4, shape), axis=0) % 256
    Image.fromarray(noisy.astype(np.uint8)).save(tmp_path / "small.png")
    sizes = run(tmp_path, "small.png", "--plot")
    assert sizes["raw"] == noisy.size
    with Image.open(tmp_path / "small_bits.png") as plot:
        assert plot.width > 100


def test_a_file_that_is_missing(tmp_path: Path) -> None:
    command = [sys.executable, str(EXAMPLE), "nothing.png"]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert result.returncode != 0
    assert result.stderr.startswith("cannot read nothing.png as an image")
