"""The pages are true: their code runs, and prints what they say."""

import io
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import redirect_stdout
from pathlib import Path

import compressai_alone
import pytest
import torch

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("README.md"), *ROOT.glob("docs/*.md")])
FIGURES = ROOT / "docs" / "figures"
RATE = ROOT / "benchmarks" / "rate.py"
RESULTS = ROOT / "benchmarks" / "side_by_side.py"
BLOCK = re.compile(r"^```python\n(.*?)^```\n(?:\n```text\n(.*?)^```$)?", re.MULTILINE | re.DOTALL)


@pytest.fixture
def threads_as_before() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("threads_as_before")
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_code_on_a_page(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The blocks of a page run one after the other; text below one is what it prints."""
    monkeypatch.chdir(tmp_path)
    content = page.read_text(encoding="utf-8")
    if "from compressai.models import" in content:
        if not compressai_alone.installed():
            pytest.skip(compressai_alone.HOW)
        compressai_alone.load()
    blocks = list(BLOCK.finditer(content))
    assert len(blocks) == content.count("```python")
    names: dict[str, object] = {}
    for block in blocks:
        code, text = block.groups()
        lines_above = "\n" * content.count("\n", 0, block.start(1))  # for tracebacks
        with redirect_stdout(io.StringIO()) as printed:
            exec(compile(lines_above + code, page, "exec"), names)
        assert text is None or printed.getvalue() == text


NAMED_FILE = re.compile(r"[\w./-]+\.(?:cpp|hpp|json|md|npz|py|sh|toml|txt|yml)\b")
FOLDERS = (".ci", ".github", "benchmarks", "cpp", "docs", "examples", "src", "tests", "tools")


@pytest.mark.skipif(not RESULTS.exists(), reason="only a checkout of the repository has all files")
def test_files_that_pages_name() -> None:
    """Pages name files by a path, or by the end of one."""
    there = [path.name for path in ROOT.iterdir()]
    there += [
        path.relative_to(ROOT).as_posix() for name in FOLDERS for path in (ROOT / name).rglob("*")
    ]
    for page in [*PAGES, *ROOT.glob("*.md")]:
        text = re.sub(r"^```.*?^```", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
        for span in re.findall(r"`([^`]+)`", text):
            for name in NAMED_FILE.findall(span):
                assert any(f"/{path}".endswith(f"/{name}") for path in there), (page.name, name)


@pytest.mark.skipif(not RESULTS.exists(), reason="only a checkout of the repository has them")
def test_results_of_processors() -> None:
    command = [sys.executable, str(RESULTS)]
    table = subprocess.run(command, check=True, capture_output=True, encoding="utf-8").stdout
    assert table in (ROOT / "docs" / "benchmarks.md").read_text(encoding="utf-8")


@pytest.mark.skipif(not RATE.exists(), reason="only a checkout of the repository has it")
def test_rates_of_mixtures() -> None:
    command = [sys.executable, str(RATE), "--mixtures"]
    table = subprocess.run(command, check=True, capture_output=True, encoding="utf-8").stdout
    assert table in (ROOT / "docs" / "models.md").read_text(encoding="utf-8")


@pytest.mark.skipif(not RATE.exists(), reason="only a checkout of the repository has it")
def test_rates_of_random_mixtures() -> None:
    command = [sys.executable, str(RATE), "--random", "40"]
    worst = subprocess.run(command, check=True, capture_output=True, encoding="utf-8").stdout
    parts = [float(part) for part in re.findall(r"([0-9.]+) of what is allowed", worst)]
    assert 0 < max(parts) <= 1


@pytest.mark.slow
@pytest.mark.skipif(not FIGURES.exists(), reason="only a checkout of the repository has the pages")
def test_figures_are_drawn(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason='pip install ".[examples]"')
    subprocess.run([sys.executable, FIGURES, "--out", tmp_path], check=True, capture_output=True)
    drawn = {path.name for path in tmp_path.iterdir()}
    assert {"guide_row.png", "guide_interval.png", "guide_bits.png"} < drawn
    for name in drawn:
        assert (ROOT / "docs" / "images" / name).exists()
