"""The package: its metadata, linked libraries, import, and examples in docstrings."""

import doctest
import importlib
import importlib.metadata
import pkgutil
import re
import subprocess
import sys
import threading
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from packaging.requirements import Requirement

import torchac
from torchac import _core

MODULES = [
    importlib.import_module(module.name)
    for module in pkgutil.walk_packages(torchac.__path__, "torchac.")
    if module.name not in ("torchac._core", "torchac.__main__")
    and not module.name.startswith("torchac.compressai.")  # whose examples need CompressAI
]

ROOT = Path(__file__).parent.parent
METADATA = importlib.metadata.metadata("torchac").json
URLS = dict(url.split(", ") for url in METADATA["project_url"])
# The text on the package index, without code, where brackets are not links.
DESCRIPTION = re.sub(r"```.*?```|`.*?`", "", str(METADATA["description"]), flags=re.DOTALL)
LINKS = dict(re.findall(r"^\[(.+)\]: (\S+)$", DESCRIPTION, re.MULTILINE))


@pytest.mark.parametrize(
    ("system", "machine", "knows_numpy_2"),
    [
        ("darwin", "x86_64", False),
        ("darwin", "arm64", True),
        ("linux", "x86_64", True),
        ("win32", "AMD64", True),
    ],
)
def test_numpy_is_one_that_the_newest_torch_knows(
    system: str, machine: str, knows_numpy_2: bool
) -> None:
    environment = {"sys_platform": system, "platform_machine": machine, "extra": ""}
    requirements = map(Requirement, METADATA["requires_dist"])
    needed = [r for r in requirements if r.marker is None or r.marker.evaluate(environment)]
    (numpy,) = (r.specifier for r in needed if r.name == "numpy")
    assert numpy.contains("1.23.0")
    assert numpy.contains("2.0.0") == knows_numpy_2


def test_links_of_the_description_work_away_from_the_repository() -> None:
    """All links are references, and all references lead to an address."""
    assert "](" not in DESCRIPTION
    assert set(re.findall(r"\[([^]]+)\](?![\[:])", DESCRIPTION)) == set(LINKS)
    assert all(link.startswith("https://") for link in LINKS.values())


@pytest.mark.skipif(
    not (ROOT / "docs").exists(), reason="only a checkout of the repository has the pages"
)
def test_links_to_the_repository_lead_to_its_files() -> None:
    into = re.compile(re.escape(URLS["Source"]) + "/(?:blob|raw)/main/([^#]+)#?(.*)")
    links = [match for link in (*LINKS.values(), *URLS.values()) if (match := into.match(link))]
    for path, heading in (link.groups() for link in links):
        assert (ROOT / path).is_file()
        assert not heading or heading in headings(ROOT / path)
    paths = {link[1] for link in links}
    assert {"CHANGELOG.md", "docs/index.md", "docs/images/job.png"} <= paths


def headings(page: Path) -> list[str]:
    """Returns the names under which links reach the headings of a page."""
    titles = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return [re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles]


@pytest.mark.parametrize("module", [torchac, *MODULES], ids=lambda module: module.__name__)
def test_examples_in_docstrings(module: ModuleType) -> None:
    result = doctest.testmod(module, optionflags=doctest.ELLIPSIS)
    assert result.failed == 0


def test_there_are_examples_in_docstrings() -> None:
    finder = doctest.DocTestFinder()
    assert any(test.examples for module in MODULES for test in finder.find(module))


@pytest.mark.skipif(sys.platform != "linux", reason="reads ELF files")
def test_the_extension_links_no_torch() -> None:
    from elftools.elf.elffile import ELFFile

    with Path(_core.__file__).open("rb") as file:
        dynamic: Any = ELFFile(file).get_section_by_name(".dynamic")
        needed = {tag.needed for tag in dynamic.iter_tags() if tag.entry.d_tag == "DT_NEEDED"}
    allowed = ("libstdc++.so", "libm.so", "libgcc_s.so", "libc.so", "ld-linux", "libpthread.so")
    assert [name for name in needed if not name.startswith(allowed)] == []


def test_importing_starts_nothing_and_loads_little() -> None:
    """It uses no compiler, no subprocess, and only modules of torch, NumPy and Python."""
    code = (
        "import torch, numpy, sys, subprocess\n"
        "def refuse(*args, **kwargs): raise AssertionError('a process was started')\n"
        "subprocess.Popen.__init__ = refuse\n"
        "before = set(sys.modules)\n"
        "import torchac\n"
        "new = {name.split('.')[0] for name in set(sys.modules) - before}\n"
        "assert new - set(sys.stdlib_module_names) <= {'torchac', 'numpy'}, new\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_package_is_typed() -> None:
    assert (Path(torchac.__file__).parent / "py.typed").exists()


def test_the_gil_is_released_while_coding() -> None:
    """A thread that waits for the GIL gets it while another one does nothing but encode."""
    cdf = torch.linspace(0, 1, 257).expand(100_000, 257)
    sym = torch.zeros(100_000, dtype=torch.int16)
    most, stop = 1000, threading.Event()
    calls: list[bytes] = []

    def encode_until_stopped() -> None:
        while not stop.is_set() and len(calls) < most:
            calls.append(torchac.encode_float_cdf(cdf, sym))

    worker = threading.Thread(target=encode_until_stopped)
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1000)  # no thread is forced to release the GIL
    try:
        worker.start()
        stop.set()
    finally:
        worker.join()
        sys.setswitchinterval(interval)
    assert len(calls) < most
