"""The examples run as users run them, and their output is true."""

import io
import re
import runpy
import subprocess
import sys
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

import pytest
import torch

import torchac

EXAMPLES = Path(__file__).parent.parent / "examples"
AUTOENCODER = "mnist_autoencoder/train.py"

if not EXAMPLES.exists():
    pytest.skip("only a checkout of the repository has the examples", allow_module_level=True)
for module in ("matplotlib", "PIL", "sklearn", "tqdm"):
    if find_spec(module) is None:
        pytest.skip(f'needs {module}: pip install ".[examples]"', allow_module_level=True)

needs_ray = pytest.mark.skipif(
    find_spec("ray") is None, reason='needs Ray, which only pip install ".[ray]" installs'
)


def run(folder: Path, script: str, *arguments: str, error: str = "") -> str:
    """Runs an example, which must end with this error or without one, and returns its output."""
    command = [sys.executable, str(EXAMPLES / script), *arguments]
    process = subprocess.run(command, cwd=folder, capture_output=True, encoding="utf-8")
    assert (process.returncode == 0) == (not error), process.stderr
    assert error in process.stderr
    return process.stdout


def sizes(output: str) -> dict[str, int]:
    """Returns the bytes in each line of a table, and checks its rates against them."""
    lines = re.findall(r"^(\S.*?) {2,}([\d,]+) +(\d+\.\d{3})$", output, re.MULTILINE)
    table = {label: int(size.replace(",", "")) for label, size, _ in lines}
    rates = {label: float(rate) for label, _, rate in lines}
    ((label, rate), *others) = rates.items()
    per_byte = rate / table[label]
    assert others
    for label, rate in others:
        assert rate == pytest.approx(table[label] * per_byte, abs=0.002)
    return table


def number(pattern: str, output: str) -> float:
    """Returns the number that the group of a pattern finds."""
    found = re.search(pattern, output)
    assert found is not None, f"no {pattern} in:\n{output}"
    return float(found[1].replace(",", ""))


def assert_is_picture(path: Path) -> None:
    from PIL import Image

    with Image.open(path) as picture:
        assert min(picture.size) > 200
        assert len(picture.convert("L").getcolors() or []) > 20  # more than a blank page


# lossless_image.py


def test_lossless_image_beats_png(tmp_path: Path) -> None:
    output = run(tmp_path, "lossless_image.py", "--out", "photograph.tac", "--plot", "bits.png")
    table = sizes(output)
    assert table["raw"] == 640 * 427 * 3
    assert table["this codec"] == (tmp_path / "photograph.tac").stat().st_size
    assert table["this codec"] < table["WebP"] < table["PNG"]
    assert "decodes to the same image" in output
    ideal = number(r"take ([\d,]+) bytes", output)
    segments = torchac.Reader(tmp_path / "photograph.tac", model_id=b"lossless_image 1").segments
    assert len(segments) <= 2 + 3 * 9 * 8  # three phases of three channels, on at most eight scales
    assert 0 <= sum(s.bytes for s in segments[4::3]) - ideal <= 0.0001 * ideal + 16 * 9 * 8
    assert_is_picture(tmp_path / "bits.png")


@pytest.mark.parametrize(
    ("mode", "size"), [("L", (90, 70)), ("RGB", (1, 50)), ("RGB", (50, 1)), ("RGBA", (33, 40))]
)
def test_lossless_image_of_any_shape(tmp_path: Path, mode: str, size: tuple[int, int]) -> None:
    save_image(tmp_path / "small.png", mode, size)
    output = run(tmp_path, "lossless_image.py", "small.png")
    assert sizes(output)["raw"] == size[0] * size[1] * len(mode)
    assert "small.tac decodes to the same image" in output


def save_image(path: Path, mode: str, size: tuple[int, int]) -> None:
    from PIL import Image
    from sklearn.datasets import load_sample_image

    corner = Image.fromarray(load_sample_image("flower.jpg")).crop((250, 100, 350, 200))
    corner.resize(size).convert(mode).save(path)


def test_lossless_image_explains_what_it_cannot_read(tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("no image")
    run(tmp_path, "lossless_image.py", "text.png", error="cannot read text.png as an image")


# autoregressive_text.py


@pytest.mark.parametrize(
    ("options", "beaten"),
    [
        pytest.param(
            ("--limit=600", "--training-limit=200000", "--steps=200"),
            ["gzip", "bz2", "lzma"],
            id="small",
        ),
        pytest.param(
            (),
            ["gzip", "bz2", "lzma", "lzma after the training text"],
            id="default",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_autoregressive_text_beats_the_others(
    tmp_path: Path, options: tuple[str, ...], beaten: list[str]
) -> None:
    output = run(tmp_path, "autoregressive_text.py", *options)
    table = sizes(output)
    coded = table["torchac with the model"]
    assert coded < min(table[name] for name in beaten)
    assert "which decode to the same texts" in output
    assert number(r"coded ([\d,]+) bits", output) == 8 * coded
    ideal = number(r"ideal ([\d,]+) bits", output)
    streams, marks = number(r"(\d+) streams", output), number(r"(\d+) marks", output)
    over = 8 * coded - ideal - 16 * marks
    assert abs(over) <= 0.0001 * ideal + 16 * streams + 0.5  # it is rounded
    assert "differ by 1e-3: stream 0: the values between the start and mark 1 differ" in output


def test_autoregressive_text_explains_an_unknown_module(tmp_path: Path) -> None:
    run(tmp_path, "autoregressive_text.py", "--module=nothing", error="has no nothing.py")


# exact_codec.py


@pytest.mark.parametrize(
    ("options", "tiles"),
    [
        pytest.param(("--steps=20", "--size=12", "--rows=1"), 13, id="small"),
        pytest.param((), 20, id="default", marks=pytest.mark.slow),
    ],
)
def test_exact_codec_is_read_everywhere(
    tmp_path: Path, options: tuple[str, ...], tiles: int
) -> None:
    output = run(tmp_path, "exact_codec.py", "--plot=tiles.png", *options)
    found = re.findall(r"^(\S.*?) {2,}(\d+) +(\d+)$", output, re.MULTILINE)
    read = {name: (int(floats), int(exact)) for name, floats, exact in found}
    assert read["as the encoder"] == (tiles, tiles)
    assert len(read) == 5
    assert all(exact == tiles for _, exact in read.values())
    bits = [number(rf"bits a pixel +{before}([\d.]+)", output) for before in ("", r"[\d.]+ +")]
    assert bits[1] == pytest.approx(bits[0], rel=0.005)
    assert_is_picture(tmp_path / "tiles.png")


# mnist_autoencoder


@pytest.mark.parametrize(
    ("options", "most_bits"),
    [
        pytest.param(("--epochs=3",), 110, id="small"),
        pytest.param((), 50, id="default", marks=pytest.mark.slow),
    ],
)
def test_autoencoder_learns(tmp_path: Path, options: tuple[str, ...], most_bits: float) -> None:
    output = run(tmp_path, AUTOENCODER, "--out=progress.png", *options)
    reports = autoencoder_reports(output)
    for _, _, _, ideal, estimated, coded in reports:
        assert estimated == pytest.approx(ideal, rel=0.001)
        head = 8 * (16 + 8 + 16) / 360  # of the file, its model_id, its segment
        # Before the prior is learned, a fixed width may take less.
        assert 0.7 * estimated <= coded <= 1.0001 * estimated + head + 0.05  # they are rounded
    losses = [test for _, _, test, *_ in reports]
    assert all(later < 1.1 * earlier for earlier, later in pairwise(losses))
    assert losses[-1] < losses[0]
    assert reports[-1][-1] < most_bits  # an image has 64 pixels of 17 levels: 262 bits
    assert_is_picture(tmp_path / "progress.png")
    assert (tmp_path / "progress.png").stat().st_size < 200_000


def autoencoder_reports(output: str) -> list[list[float]]:
    lines = re.findall(r"^ *\d+(?: +\d+\.\d+){5}$", output, re.MULTILINE)
    assert len(lines) >= 2
    return [[float(word) for word in line.split()] for line in lines]


def test_autoencoder_reads_no_file_of_other_weights() -> None:
    model = runpy.run_path(str(EXAMPLES / "mnist_autoencoder/model.py"))["AutoEncoder"](scales=1)
    values = torch.arange(2 * 4 * 3 * 5).view(2, 4, 3, 5) % 17 - 8
    file = model.to_file(values)
    assert model.from_file(file).equal(values.int())
    with torch.no_grad():
        model.synthesis[-2].bias += 1e-6  # which the integers do not depend on
    with pytest.raises(ValueError, match="another model cannot read it"):
        model.from_file(file)


def test_autoencoder_repeats_with_the_same_seed(tmp_path: Path) -> None:
    first, second = (run(tmp_path, AUTOENCODER, "--epochs=1", "--seed=5") for _ in range(2))
    assert first == second


def test_autoencoder_takes_mnist_from_torchvision(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "torchvision").mkdir()
    (tmp_path / "torchvision" / "__init__.py").touch()
    (tmp_path / "torchvision" / "datasets.py").write_text(
        "import torch\n"
        "class MNIST:\n"
        "    def __init__(self, root, train, download):\n"
        "        self.data = torch.randint(256, (96 if train else 32, 28, 28)).byte()\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    output = run(tmp_path, AUTOENCODER, "--dataset=mnist", "--epochs=2")
    assert len(autoencoder_reports(output)) == 2


def test_autoencoder_explains_that_torchvision_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "torchvision.py").write_text("raise ImportError")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    run(tmp_path, AUTOENCODER, "--dataset=mnist", error="pip install torchvision")


# compress_dataset_ray.py


@needs_ray
@pytest.mark.slow
def test_ray_compresses_the_photographs(tmp_path: Path) -> None:
    output = run(tmp_path, "compress_dataset_ray.py")
    table = sizes(output)
    assert table["raw"] == 2 * 640 * 427 * 3
    assert table["torchac"] < table["files read"]
    assert "40 images are the same after decoding" in output


@needs_ray
@pytest.mark.slow
def test_ray_stores_a_file_for_each_image_of_a_folder(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="Ray Data needs it")
    (tmp_path / "images").mkdir()
    shapes = {"a.png": ("L", (1, 1)), "b.png": ("RGB", (16, 40)), "c.png": ("RGBA", (33, 7))}
    for name, shape in shapes.items():
        save_image(tmp_path / "images" / name, *shape)
    arguments = ("compress_dataset_ray.py", "--input=images", "--output=out", "--address=local")
    assert "3 images are the same after decoding" in run(tmp_path, *arguments)
    model_id = b"compress_dataset_ray 1"
    rows = parquet.read_table(tmp_path / "out").to_pylist()
    for row in rows:
        mode, size = shapes[Path(row["path"]).name]
        _, values = torchac.Reader(io.BytesIO(row["tac"]), model_id=model_id).segments
        assert values.shape == (len(mode), size[1], size[0])
        assert values.bytes <= len(mode) * size[0] * size[1] + 16
    assert len(rows) == 3
    run(tmp_path, *arguments, error="out exists")


@pytest.mark.skipif(find_spec("ray") is not None, reason="Ray is installed")
def test_ray_example_explains_that_ray_is_missing(tmp_path: Path) -> None:
    run(tmp_path, "compress_dataset_ray.py", error='pip install ".[ray]"')
