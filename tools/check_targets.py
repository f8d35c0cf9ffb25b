"""Checks that code compiled for an instruction set stays in the namespace of that set.

Usage: python tools/check_targets.py LIBRARY  (x86-64; needs objdump)

If a function outside it has such instructions, a linker could keep it as the only copy, for all
processors.
"""

import re
import subprocess
import sys

# The second form is for names that objdump does not demangle, those of generic lambdas.
TARGET = re.compile(r"torchac::avx(2|512)::|7torchac(4avx2|6avx512)")
# AVX and later begin with v; the others are those of BMI, BMI2 and LZCNT.
INSTRUCTION = re.compile(
    r"\t(v\w+ .*%[xyz]mm|(andn|bextr|bls\w+|bzhi|lzcnt|mulx|pdep|pext|rorx|sarx|shlx|shrx)\b)"
)

listing = subprocess.run(
    ["objdump", "--disassemble", "--demangle", "--no-show-raw-insn", sys.argv[1]],
    check=True,
    capture_output=True,
    text=True,
).stdout
functions = re.split(r"\n\w+ <(.*)>:\n", listing)[1:]
special = {
    name
    for name, code in zip(functions[::2], functions[1::2], strict=True)
    if INSTRUCTION.search(code)
}
inside = {name for name in special if TARGET.search(name)}
if not inside:
    sys.exit("no function is compiled for more than the baseline: is this an x86-64?")
if special != inside:
    sys.exit("compiled for more than the baseline:\n" + "\n".join(sorted(special - inside)))
print(f"{len(inside)} functions have instructions beyond the baseline, all in their namespaces")
