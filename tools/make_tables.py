"""Makes cpp/include/torchac/models/family_tables.hpp: the tables of docs/format.md."""

import subprocess
from collections.abc import Callable
from decimal import Decimal, getcontext
from pathlib import Path

getcontext().prec = 40
STEP = 128  # values of the table in one unit of z
LIMIT = 12  # from -12 to 12
BITS = 24


def normal(z: Decimal) -> Decimal:
    """The probability from 0 to z: phi(z) (z + z^3 / 3 + z^5 / (3 * 5) + ...)."""
    term, total, odd = z, z, 1
    while term > Decimal("1e-36") * total:
        odd += 2
        term *= z * z / odd
        total += term
    pi = Decimal("3.14159265358979323846264338327950288419717")
    return total * (-z * z / 2).exp() / (2 * pi).sqrt()


def laplace(z: Decimal) -> Decimal:
    """The same for the Laplace distribution."""
    return (1 - (-z).exp()) / 2


def logistic(z: Decimal) -> Decimal:
    """The same for the logistic distribution."""
    return 1 / (1 + (-z).exp()) - Decimal(1) / 2


def halves(probability: Callable[[Decimal], Decimal]) -> list[int]:
    """The upper half of the table, from z = 0 to the limit."""
    points = [probability(Decimal(i) / STEP) if i else Decimal(0) for i in range(STEP * LIMIT + 1)]
    return [int((p * 2**BITS).to_integral_value()) for p in points]


def array(name: str, values: list[int]) -> str:
    """A definition in C++."""
    return f"inline constexpr HalfTable {name}{{{{{', '.join(map(str, values))}}}}};\n"


if __name__ == "__main__":
    text = f"""// Probabilities of standard distributions between 0 and z, in units of 2^-{BITS},
// for z in steps of 1/{STEP}. Made by tools/make_tables.py.
#pragma once

#include <array>
#include <cstdint>

namespace torchac {{

using HalfTable = std::array<std::uint32_t, {STEP * LIMIT + 1}>;

{array("kNormalHalf", halves(normal))}
{array("kLaplaceHalf", halves(laplace))}
{array("kLogisticHalf", halves(logistic))}
}}  // namespace torchac
"""
    header = Path(__file__).parent.parent / "cpp/include/torchac/models/family_tables.hpp"
    header.write_text(text)
    subprocess.run(["clang-format", "-i", header], check=True)
