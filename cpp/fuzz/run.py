"""Fuzzes the core, adds new inputs to the corpus, and reports the coverage.

    python cpp/fuzz/run.py --seconds 600
    python cpp/fuzz/run.py --seconds 600 decode values

Needs clang with libFuzzer (on Debian: clang, libclang-rt-14-dev and llvm). Each harness starts from
the corpus in cpp/fuzz/corpus and runs for the given time, as many at a time as there are
processors. There are eight harnesses, so 600 seconds are 80 minutes of one processor. The smallest
set of inputs with the same coverage then replaces the corpus, which the C++ tests replay. If a
sanitizer or a check fails, the input is left in build/fuzz and this program ends; run the harness
with that file to see why.
"""

import argparse
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).parents[2]
CORPUS = ROOT / "cpp" / "fuzz" / "corpus"
BUILD = ROOT / "build" / "fuzz"
COVERAGE = ROOT / "build" / "coverage"
# Harnesses with one thread come first: the last one keeps several processors busy.
HARNESSES = ("batch", "capi", "decode", "incremental", "lanes", "round_trip", "values", "threads")
# Inputs are short: a generator extends them. An input is new if it reaches new code, not if it
# reaches code more often: counting that would take libFuzzer longer than running a harness.
# The replay of the corpus under the preset asan finds leaks.
OPTIONS = ("-max_len=400", "-len_control=0", "-use_counters=0", "-detect_leaks=0")


def build(preset: str) -> None:
    """Builds the harnesses; prints output only if that fails."""
    targets = [f"fuzz_{harness}" for harness in HARNESSES]
    folder = str(ROOT / "build" / preset)
    for command in (["--preset", preset], ["--build", folder, "--target", *targets]):
        done = subprocess.run(["cmake", *command], cwd=ROOT, capture_output=True, text=True)
        if done.returncode:
            sys.exit(done.stdout + done.stderr)


def program(harness: str, folder: Path = BUILD) -> Path:
    """The program of a harness."""
    return folder / "cpp" / "fuzz" / f"fuzz_{harness}"


def unpack(harness: str) -> Path:
    """The corpus of a harness as a folder of files."""
    folder = BUILD / "corpus" / harness
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    packed = CORPUS / f"{harness}.tar.xz"
    if packed.exists():
        shutil.unpack_archive(packed, folder)
    return folder


def pack(harness: str, folder: Path) -> None:
    """Replaces the corpus of a harness. The same files give the same bytes."""
    CORPUS.mkdir(exist_ok=True)
    with tarfile.open(CORPUS / f"{harness}.tar.xz", "w:xz") as archive:
        for path in sorted(folder.iterdir()):
            entry = tarfile.TarInfo(path.name)
            entry.size = path.stat().st_size
            archive.addfile(entry, io.BytesIO(path.read_bytes()))


def fuzz(harness: str, seconds: int) -> int:
    """Runs a harness, keeps the smallest corpus with the same coverage, and counts executions."""
    found, kept = unpack(harness), BUILD / "kept" / harness
    shutil.rmtree(kept, ignore_errors=True)
    kept.mkdir(parents=True)
    artifacts = f"-artifact_prefix={BUILD}/{harness}-"
    command = [str(program(harness)), *OPTIONS, artifacts, "-print_final_stats=1"]
    done = subprocess.run(
        [*command, f"-max_total_time={seconds}", str(found)], capture_output=True, text=True
    )
    if done.returncode:
        sys.exit(done.stderr[-8000:] + f"\nfuzz_{harness} failed: see above")
    merge = [command[0], *OPTIONS, "-merge=1", str(kept), str(found)]
    subprocess.run(merge, check=True, capture_output=True)
    pack(harness, kept)
    executions = re.search(r"number_of_executed_units: (\d+)", done.stderr)
    assert executions is not None
    print(f"fuzz_{harness} has run", file=sys.stderr)
    return int(executions[1])


def line_coverage() -> dict[str, tuple[int, int]]:
    """The lines of each file of the core that the corpus runs, and all its lines."""
    build("coverage")
    for harness in HARNESSES:
        profile = {"LLVM_PROFILE_FILE": str(COVERAGE / f"{harness}.profraw")}
        command = [str(program(harness, COVERAGE)), str(unpack(harness))]
        subprocess.run(command, env=os.environ | profile, check=True, stdout=subprocess.DEVNULL)
    merged = COVERAGE / "all.profdata"
    raw = [COVERAGE / f"{harness}.profraw" for harness in HARNESSES]
    run_llvm("llvm-profdata", "merge", "-o", merged, *raw)
    first, *others = [str(program(harness, COVERAGE)) for harness in HARNESSES]
    objects = [first, *(f"-object={other}" for other in others)]
    options = ["-summary-only", f"-instr-profile={merged}"]
    report = json.loads(run_llvm("llvm-cov", "export", *options, *objects))
    lines = {}
    for file in report["data"][0]["files"]:
        path = (COVERAGE / file["filename"]).resolve()
        if path.is_relative_to(ROOT / "cpp" / "include") or path.parent == ROOT / "cpp" / "src":
            count = file["summary"]["lines"]
            lines[str(path.relative_to(ROOT / "cpp"))] = count["covered"], count["count"]
    return lines


def run_llvm(name: str, *arguments: str | Path) -> str:
    """Runs a tool of the compiler's version."""
    command = ["clang++", f"--print-prog-name={name}"]
    path = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    return subprocess.run([path, *arguments], check=True, capture_output=True, text=True).stdout


def print_table(title: Iterable[str], rows: Iterable[Iterable[object]]) -> None:
    """Prints a table in Markdown."""
    title = list(title)
    for row in (title, ["---"] * len(title), *rows):
        print("| " + " | ".join(map(str, row)) + " |")


def main() -> None:
    """Fuzzes, and prints the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=60, help="for each harness")
    parser.add_argument("harness", nargs="*", help=f"of {', '.join(HARNESSES)} (default: all)")
    options = parser.parse_args()
    seconds, harnesses = options.seconds, options.harness or HARNESSES
    if unknown := set(harnesses) - set(HARNESSES):
        parser.error(f"there is no harness {', '.join(sorted(unknown))}")
    build("fuzz")
    print(f"fuzzing, {seconds} s for each harness", file=sys.stderr)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        executions = list(pool.map(fuzz, harnesses, [seconds] * len(harnesses)))
    inputs = [len(list(unpack(harness).iterdir())) for harness in harnesses]
    rows = [
        (f"`{harness}`", f"{seconds} s", f"{runs:,}", f"{runs // seconds:,}", kept)
        for harness, runs, kept in zip(harnesses, executions, inputs, strict=True)
    ]
    print_table(("harness", "time", "executions", "a second", "inputs kept"), rows)
    lines = line_coverage()
    covered, count = (sum(numbers) for numbers in zip(*lines.values(), strict=True))
    print(f"\nThe corpus runs {covered} of {count} lines of the core.")
    for name, (its_covered, its_count) in lines.items():
        if its_covered < its_count:
            print(f"{name}: {its_covered} of {its_count}")


if __name__ == "__main__":
    main()
