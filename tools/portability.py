"""Builds torchac for other Pythons and machines with one compiler, and runs what it can.

Usage: python tools/portability.py [WORD ...]

Words select rows of the final table, as in `windows s390x` or `CPython`.

- It builds wheels for each CPython that it finds, for the oldest glibc that the compiler supports.
  auditwheel tags them, and tools/check_core.py checks them. pytest checks the wheel for this Python
  too, if torch is installed.
- It builds the C++ tests for other machines, and an emulator runs them. They code the reference
  streams.

Needs Debian or Ubuntu on x86_64, `pip install --group portability` and, for the C++ tests,
`apt install doctest-dev qemu-user wine`. The first run also builds a C++ library for each machine,
which takes minutes; later runs use the same ones.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).parents[1]
BUILD = ROOT / "build" / "portability"
PYTHONS = ["3.10", "3.11", "3.12", "3.13", "3.14", "3.14t", "3.15", "3.15t"]
TESTS_WITH_TORCH = [
    "test_reference.py",
    "test_models.py",
    "test_categorical.py",
    "test_every_model.py",
    "test_drop_in.py",
    "test_batch.py",
    "test_threads.py",
]


class MissingError(Exception):
    """A task cannot be done here; the message says what it needs."""


@dataclass(frozen=True)
class Machine:
    """The name that the compiler has for a machine, and the program that runs its programs."""

    target: str
    emulator: str = ""
    package: str = ""  # that has the emulator


MACHINES = {
    "Linux x86_64, musl": Machine("x86_64-linux-musl"),
    "Linux aarch64": Machine("aarch64-linux-musl", "qemu-aarch64", "qemu-user"),
    "Linux riscv64": Machine("riscv64-linux-musl", "qemu-riscv64", "qemu-user"),
    "Linux s390x, big-endian": Machine("s390x-linux-musl", "qemu-s390x", "qemu-user"),
    "Windows x86_64": Machine("x86_64-windows-gnu", "wine", "wine"),
}


@dataclass(frozen=True)
class Done:
    """What was built, and how it was checked."""

    built: str
    checks: str


def run(*command: str | Path, env: Mapping[str, str] = {}, cwd: Path = ROOT) -> str:
    """Runs a command, and returns its output."""
    process = subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env={**os.environ, **env},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if process.returncode != 0:
        print(f"\n$ {shlex.join(process.args)}\n{process.stdout}")
        process.check_returncode()
    return process.stdout


@cache
def compiler() -> list[str]:
    """Returns the command of the compiler that builds for every machine."""
    package = find_spec("ziglang")
    if package is None or package.origin is None:
        raise MissingError("pip install --group portability")
    return [str(Path(package.origin).with_name("zig")), "c++"]


# Wheels


def tools_path() -> str:
    """Returns the search path for programs: first beside this Python, which may not be active."""
    return os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])


def interpreter(version: str) -> Path:
    """Finds a CPython, including one that pyenv has installed."""
    pyenv = sorted(Path.home().glob(".pyenv/versions/*/bin"))
    folders = os.pathsep.join([*map(str, pyenv), os.environ.get("PATH", "")])
    found = shutil.which(f"python{version}", path=folders)
    if found is None:
        raise MissingError(f"there is no python{version}")
    return Path(found)


def check_wheel(version: str) -> Done:
    """Builds the wheel for a CPython, and runs all tests, or without torch those that need none."""
    python = interpreter(version)
    folder = BUILD / f"python{version}"
    for old in ("built", "wheel", "site"):
        shutil.rmtree(folder / old, ignore_errors=True)
    pip = [str(python), "-m", "pip", "--quiet", "--disable-pip-version-check"]
    cxx = shlex.join([*compiler(), "-target", "x86_64-linux-gnu.2.17"])
    cmake = f"--config-settings=build-dir={folder / 'cmake'}"
    run(*pip, "wheel", "--no-deps", cmake, "-w", folder / "built", ROOT, env={"CXX": cxx})
    (built,) = (folder / "built").glob("*.whl")
    run("auditwheel", "repair", "-w", folder / "wheel", built, env={"PATH": tools_path()})
    (wheel,) = (folder / "wheel").glob("*.whl")
    site = folder / "site"
    run(*pip, "install", "--no-deps", "--target", site, wheel, "numpy")

    env = {"PYTHONPATH": str(site)}
    checks = run(python, "tools/check_core.py", env=env).strip()
    assert checks.startswith(str(site)), checks
    checks = checks.partition(": ")[2]
    if version == "{}.{}".format(*sys.version_info) and find_spec("torch") and find_spec("pytest"):
        tests = (ROOT / "tests" / name for name in TESTS_WITH_TORCH)
        printed = run(sys.executable, "-m", "pytest", "-q", *tests, env=env)
        (passed,) = re.findall(r"\d+ passed", printed)
        checks += f", and with torch {passed} by pytest"
    return Done(wheel.name, checks)


# C++ tests


@cache
def test_files() -> tuple[Path, Path]:
    """Returns a folder with the header and the reference streams that the tests need."""
    doctest = Path("/usr/include/doctest/doctest.h")
    if not doctest.exists():
        raise MissingError("apt install doctest-dev")
    headers = BUILD / "include"
    (headers / "doctest").mkdir(parents=True, exist_ok=True)
    # Copied alone, because the files beside it are for this machine.
    shutil.copy(doctest, headers / "doctest")
    vectors = BUILD / "vectors.bin"
    run(sys.executable, "cpp/tests/export_vectors.py", vectors)
    return headers, vectors


def check_machine(machine: Machine) -> Done:
    """Builds the C++ tests for a machine and runs them."""
    if machine.emulator and shutil.which(machine.emulator) is None:
        raise MissingError(f"apt install {machine.package}")
    headers, vectors = test_files()
    suffix = ".exe" if machine.emulator == "wine" else ""
    program = BUILD / f"core_tests-{machine.target}{suffix}"
    flags = "-std=c++20 -O2 -ffp-contract=off -s"  # as in CMakeLists.txt
    run(
        *compiler(),
        *("-target", machine.target, *flags.split(), "-o", str(program)),
        *("-I", str(ROOT / "cpp" / "include"), "-isystem", str(headers)),
        *sorted((ROOT / "cpp").glob("src/*.cpp")),
        *sorted((ROOT / "cpp").glob("tests/*.cpp")),
    )
    command = [machine.emulator, program] if machine.emulator else [program]
    wine = {"WINEPREFIX": str(BUILD / "wine"), "WINEDEBUG": "-all"}
    printed = run(*command, f"--vectors={vectors.name}", env=wine, cwd=BUILD)
    counts = re.findall(r"(?:test cases|assertions): +(\d+)", printed)
    tests, assertions = map(int, counts)
    how = f" under {machine.emulator}" if machine.emulator else ""
    return Done(program.name, f"{tests} tests, {assertions:,} assertions{how}")


def impossible(why: str) -> Done:
    """Says why something is never built here."""
    raise MissingError(why)


TASKS: dict[str, Callable[[], Done]] = {
    **{f"CPython {version}": partial(check_wheel, version) for version in PYTHONS},
    **{name: partial(check_machine, machine) for name, machine in MACHINES.items()},
    "Windows, MSVC": partial(impossible, "needs Windows; ci.yml does it"),
    "macOS": partial(impossible, "needs a Mac; ci.yml does it"),
}


def attempt(name: str, task: Callable[[], Done]) -> tuple[str, str, str, str]:
    """Does a task, and returns its row of the table."""
    print(f"{name} …", end="", flush=True)
    start = time.monotonic()
    try:
        done = task()
        row = (name, done.built, done.checks, "ok")
    except MissingError as missing:
        row = (name, "", "", f"not here: {missing}")
    except subprocess.CalledProcessError:
        row = (name, "", "", "FAILED")
    print(f" {row[-1]}, {time.monotonic() - start:.0f} s")
    return row


def print_table(rows: Sequence[tuple[str, ...]]) -> None:
    """Prints rows as a table, the first one as its heading."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for i, row in enumerate(rows):
        print("| " + " | ".join(map(str.ljust, row, widths)) + " |")
        if i == 0:
            print("|" + "|".join("-" * (width + 2) for width in widths) + "|")


def main() -> None:
    """Does all tasks, or those named on the command line."""
    words = [word.lower() for word in sys.argv[1:]]
    names = [n for n in TASKS if not words or any(word in n.lower() for word in words)]
    if not names:
        sys.exit("nothing has a name with that: choose from " + "; ".join(TASKS))
    BUILD.mkdir(parents=True, exist_ok=True)
    rows = [attempt(name, TASKS[name]) for name in names]
    print()
    print_table([("for", "built", "checked", "result"), *rows])
    if any(row[-1] == "FAILED" for row in rows):
        sys.exit(1)


if __name__ == "__main__":
    main()
