"""Prints how many instructions aarch64 takes to decode a symbol that has its own row.

    python benchmarks/instructions.py [CHECKOUT]

QEMU counts the instructions of the core in this checkout, or in another one. Without such a
processor, this is the best estimate of speed. Needs
`apt install g++-aarch64-linux-gnu qemu-user`, CMake and Ninja.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
COMPILER = "aarch64-linux-gnu-g++"
COUNT = 300  # rows
SYMBOLS = (2, 12, 32, 40, 48, 256, 300)


def build(checkout: Path, folder: Path) -> Path:
    """Builds the core as for a wheel, and a program that decodes with it."""
    options = ["CMAKE_SYSTEM_NAME=Linux", "CMAKE_SYSTEM_PROCESSOR=aarch64"]
    options += [f"CMAKE_CXX_COMPILER={COMPILER}", "TORCHAC_BUILD_MODULE=OFF"]
    defines = [f"-D{option}" for option in options]
    subprocess.run(["cmake", "-G", "Ninja", "-S", checkout, "-B", folder, *defines], check=True)
    subprocess.run(["cmake", "--build", folder, "-j1"], check=True)
    program = folder / "instructions"
    flags = ["-std=c++20", "-O2", "-static", f"-I{checkout / 'cpp' / 'include'}"]
    sources = [HERE / "instructions.cpp", folder / "libtorchac_core.a"]
    subprocess.run([COMPILER, *flags, "-o", program, *sources], check=True)
    return program


def count(program: Path, kind: str, symbols: int, times: int) -> int:
    """Returns how many instructions a run takes that decodes this many times."""
    # One instruction in each block of translated code, and a line for each block that is run. Older
    # and newer versions of QEMU have different names for this.
    one = {"QEMU_SINGLESTEP": "1", "QEMU_ONE_INSN_PER_TB": "1"}
    log = ["-d", "exec,nochain", "-D", "/dev/stdout"]
    words = [str(word) for word in (kind, symbols, COUNT, times)]
    with subprocess.Popen(
        ["qemu-aarch64", *log, program, *words], env=os.environ | one, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        lines = sum(line.startswith(b"Trace") for line in process.stdout)
    if process.returncode != 0:
        raise subprocess.CalledProcessError(process.returncode, process.args)
    return lines


def main() -> None:
    """Prints a table."""
    checkout = Path(sys.argv[1] if len(sys.argv) > 1 else HERE.parent).resolve()
    with tempfile.TemporaryDirectory() as folder:
        program = build(checkout, Path(folder))
        print("| symbols | float32 | int16 |")
        print("|---|---|---|")
        for symbols in SYMBOLS:
            each = []
            for kind in ("float32", "int16"):
                once, twice = (count(program, kind, symbols, times) for times in (1, 2))
                each.append(f"{(twice - once) / COUNT:,.0f}")
            print(f"| {symbols} | {each[0]} | {each[1]} |", flush=True)


if __name__ == "__main__":
    main()
