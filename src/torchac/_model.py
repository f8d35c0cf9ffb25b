"""What coding and its messages ask of a model: where the distributions of symbols come from."""

from __future__ import annotations

from typing import Any, Protocol

from torchac import _core


class Row(Protocol):
    """One distribution, as messages speak of it."""

    @property
    def place(self) -> tuple[int, ...]:
        """Where it is in the model."""

    def value(self, column: int) -> Any:
        """A value of its CDF, as the user gave it."""

    def name(self, column: int) -> str:
        """The value and where it is."""

    def quantized(self, column: int) -> int:
        """The value in parts of 65536."""

    @property
    def advice(self) -> str:
        """What else makes values increase: the end of a sentence."""

    @property
    def sum_advice(self) -> str:
        """What is likely meant where values decrease: another sentence."""


class Model(Protocol):
    """Distributions for symbols."""

    @property
    def symbols(self) -> int:
        """Size of the alphabet."""

    @property
    def shape(self) -> tuple[int, ...]:
        """That of the symbols."""

    @property
    def alphabet(self) -> str:
        """What symbols may be."""

    @property
    def tables(self) -> str:
        """What an index may be."""

    def row(self, position: tuple[int, ...]) -> Row:
        """The row of the symbol at a position."""

    def shared_row(self, number: int) -> Row:
        """The table of that number."""

    def view(self) -> _core.Cdf:
        """What the core codes with."""
