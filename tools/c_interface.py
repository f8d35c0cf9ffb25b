"""Compares what programs in C depend on with `cpp/capi/interface.txt`, so that changes are seen.

These are the functions of torchac.h, its numbers, and the layout of its structures.

    python tools/c_interface.py            compares
    python tools/c_interface.py --write    writes the file
    python tools/c_interface.py --library build/libtorchac.so    also compares the exported names
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
HEADER = ROOT / "cpp/include/torchac.h"
EXPECTED = ROOT / "cpp/capi/interface.txt"
MOST_FUNCTIONS = 30


def functions(text: str) -> list[str]:
    """The declarations."""
    return [
        line.removeprefix("TORCHAC_API ") for line in re.findall(r"^TORCHAC_API .*;$", text, re.M)
    ]


def constants(text: str) -> list[str]:
    """The names of all enumerators."""
    bodies = re.findall(r"^enum \{\n(.*?)^\};", text, re.M | re.S)
    return [name for body in bodies for name in re.findall(r"^ +(TORCHAC_\w+) =", body, re.M)]


def structures(text: str) -> dict[str, list[str]]:
    """The members of each structure."""
    found = re.findall(r"^typedef struct (\w+) \{\n(.*?)^\} \w+;", text, re.M | re.S)
    plain = {name: re.sub(r"/\*.*?\*/", "", body, flags=re.S) for name, body in found}
    member = re.compile(r"(?:\(\*(\w+)\)\(.*\)|(\w+)(?:\[\d+\])?);")
    return {
        name: [first or second for first, second in member.findall(body)]
        for name, body in plain.items()
    }


def layout(text: str) -> list[str]:
    """Numbers and offsets, as the C compiler has them for 64 bits."""
    prints = [f'printf("{name} = %d\\n", (int){name});' for name in constants(text)]
    for name, members in structures(text).items():
        prints.append(f'printf("struct {name}: %zu bytes\\n", sizeof({name}));')
        for member in members:
            at, size = f"offsetof({name}, {member})", f"sizeof((({name} *)0)->{member})"
            prints.append(f'printf("  {member} at %zu, %zu bytes\\n", {at}, {size});')
    program = "#include <stdio.h>\n#include <torchac.h>\nint main(void) {\n%s\nreturn 0;\n}\n"
    with tempfile.TemporaryDirectory() as folder:
        source, binary = Path(folder) / "layout.c", Path(folder) / "layout"
        source.write_text(program % "\n".join(prints))
        flags = ["-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Werror", f"-I{HEADER.parent}"]
        subprocess.run(["cc", *flags, "-o", str(binary), str(source)], check=True)
        output = subprocess.run([binary], check=True, capture_output=True, text=True).stdout
    return output.splitlines()


def exported(library: Path) -> set[str]:
    """The names that a shared library exports."""
    command = ["nm", "-D", "--defined-only", str(library)]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return {line.split()[-1] for line in output.splitlines()}


def main() -> None:
    """Compares or writes, as the arguments say."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--library", type=Path)
    options = parser.parse_args()
    text = HEADER.read_text()
    declared = functions(text)
    if len(declared) > MOST_FUNCTIONS:
        sys.exit(f"torchac.h has {len(declared)} functions: expected {MOST_FUNCTIONS} or fewer")
    found = "\n".join([*declared, *layout(text)]) + "\n"
    if options.write:
        EXPECTED.write_text(found)
    elif found != EXPECTED.read_text():
        with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
            file.write(found)
            file.flush()
            subprocess.run(["diff", str(EXPECTED), file.name], check=False)
        sys.exit("the C interface has changed: python tools/c_interface.py --write, if it may")
    if options.library:
        names = {re.findall(r"(\w+)\(", line)[0] for line in declared}
        wrong = names ^ exported(options.library)
        if wrong:
            sys.exit(f"declared and exported names differ: {', '.join(sorted(wrong))}")


if __name__ == "__main__":
    main()
