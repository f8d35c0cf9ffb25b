"""Computes the golden networks of exact networks on an emulated aarch64, by another torch.

    dpkg --add-architecture arm64 && apt-get update && apt-get install qemu-user
    python tools/exact_on_aarch64.py

Needs Debian 12, which has a Python for aarch64, and the network. A mock stands for the compiled
module, which exact networks do not use.
"""

import json
import os
import platform
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from unittest.mock import MagicMock

ROOT = Path(__file__).parents[1]
BUILD = ROOT / "build" / "aarch64"
PACKAGES = """
    python3.11-minimal libpython3.11-minimal libpython3.11-stdlib libc6 libgcc-s1 libstdc++6
    libgomp1 zlib1g libexpat1 libffi8 libssl3 libbz2-1.0 liblzma5 libuuid1 libcrypt1
"""
WHEELS = """
    torch==2.2.2 numpy==1.26.4 typing_extensions sympy mpmath filelock networkx jinja2 markupsafe
    fsspec
"""


def install() -> None:
    """Unpacks Python and torch for aarch64 into the build folder."""
    shutil.rmtree(BUILD, ignore_errors=True)
    debs = BUILD / "debs"
    debs.mkdir(parents=True)
    names = [f"{package}:arm64" for package in PACKAGES.split()]
    subprocess.run(["apt-get", "download", "-qq", *names], cwd=debs, check=True)
    for deb in debs.iterdir():
        subprocess.run(["dpkg", "-x", deb, BUILD / "root"], check=True)
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--python-version=3.11"]
    pip += ["--only-binary=:all:", "--platform=manylinux2014_aarch64", f"--dest={BUILD}"]
    subprocess.run([*pip, *WHEELS.split()], check=True)
    for wheel in BUILD.glob("*.whl"):
        zipfile.ZipFile(wheel).extractall(BUILD / "site")


def differing(path: Path) -> tuple[int, int]:
    """How many outputs of a golden network differ from when it was made, and how many it has."""
    import exact_networks
    import torch

    from torchac import exact

    golden = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    with torch.no_grad():
        inputs = map(exact_networks.inputs, map(tuple, golden["inputs"]))
        outputs = exact_networks.tensors(exact.load(path)(*inputs))
    pairs = [
        (a, b / 1024)
        for y, steps in zip(outputs, golden["steps"], strict=True)
        for a, b in zip(y.flatten().tolist(), steps, strict=True)
    ]
    return sum(a != b for a, b in pairs), len(pairs)


def compute() -> None:
    """Computes all golden networks in this process."""
    sys.modules["torchac._core"] = MagicMock()
    sys.path[:0] = [str(ROOT / "src"), str(ROOT / "tests")]
    import torch

    counts = [differing(path) for path in (ROOT / "tests" / "data" / "exact").glob("*.exact")]
    wrong, outputs = map(sum, zip(*counts, strict=True))
    print(
        f"{platform.machine()}, torch {torch.__version__}: {wrong} of {outputs:,} outputs of "
        f"{len(counts)} golden networks differ"
    )
    if wrong:
        sys.exit(1)


if __name__ == "__main__":
    if platform.machine() == "aarch64":
        compute()
    else:
        install()
        python = [f"{BUILD}/root/usr/bin/python3.11", __file__]
        environment = os.environ | {"PYTHONPATH": str(BUILD / "site")}
        command = ["qemu-aarch64", "-L", f"{BUILD}/root", *python]
        sys.exit(subprocess.run(command, env=environment, check=False).returncode)
