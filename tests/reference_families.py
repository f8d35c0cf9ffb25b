"""Families as docs/format.md defines them, "Kinds"; a slow, obvious reference for tests."""

from __future__ import annotations

from decimal import Decimal, localcontext
from functools import cache

TAIL = {"Normal": 4.25, "Laplace": 9.0, "Logistic": 9.5}
WIDE = {"Normal": 4, "Laplace": 3, "Logistic": 3}


def _above_half(kind: str, z: Decimal) -> Decimal:
    """F(z) - 1/2."""
    if kind == "Laplace":
        return (1 - (-z).exp()) / 2
    if kind == "Logistic":
        return 1 / (1 + (-z).exp()) - Decimal("0.5")
    # The integral of the density's power series, times the density's value at z.
    total = term = z
    k = 1
    while term > Decimal(10) ** -40:
        k += 2
        term = term * z * z / k
        total += term
    pi = Decimal("3.1415926535897932384626433832795028841971693993751")
    return total * (-z * z / 2).exp() / (2 * pi).sqrt()


@cache
def table(kind: str) -> list[int]:
    """The table of a kind."""
    with localcontext() as context:
        context.prec = 50
        half = [round(_above_half(kind, Decimal(i) / 128) * 2**24) for i in range(1537)]
    whole = [2**23 - h for h in half[:0:-1]] + [2**23 + h for h in half]
    return [min(value, 2**24 - 1) for value in whole]


def g(kind: str, t: float) -> int:
    """G(t) of the format."""
    limit = 12 * 2**20
    x = int(min(max(t, -limit), limit)) + limit
    i, r = x >> 13, x & 8191
    values = table(kind)
    return values[i] + ((values[min(i + 1, 3072)] - values[i]) * r >> 13)
