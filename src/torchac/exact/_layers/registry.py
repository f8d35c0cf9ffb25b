"""The registry of rules that turn layers into exact operations."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, TypeAlias, TypeVar

import torch
from torch import fx, nn

from torchac.exact._grid import Grid
from torchac.exact._operations.base import Expression, Operation
from torchac.exact._operations.elementwise import Constant

Rule: TypeAlias = Callable[..., Any]
"""Takes a converter, the module if it is of one, and what the node is called with."""

RuleT = TypeVar("RuleT", bound=Rule)

MODULES: dict[type[nn.Module], Rule] = {}
FUNCTIONS: dict[Any, Rule] = {}
METHODS: dict[str, Rule] = {}
"""Of tensors."""


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


OF_SIZES = _names(
    "ones zeros full tril tril_ triu triu_ eq ne lt le gt ge logical_not invert bool to view "
    "unsqueeze getitem masked_fill"
)
"""Functions that give masks, if they depend on sizes alone."""


IN_PLACE = (operator.iadd, operator.isub, operator.imul, operator.itruediv)
"""Functions that change their first argument."""

CREATE = _names(
    "zeros ones full tensor arange eye tril triu cos sin exp log outer rsqrt bool invert eq sqrt "
    "_assert _assert_is_none"
)
"""Functions that give the same numbers always, if they depend on no input."""


@dataclass(frozen=True)
class Value:
    """A value of the network: the number of its step, and its grid."""

    index: int
    grid: Grid

    @property
    def ndim(self) -> int:
        """Its number of dimensions."""
        return self.grid.ndim

    @property
    def sizes(self) -> list[Size | int]:
        """Its sizes, as numbers if they are always the same."""
        return [
            fixed if fixed > 1 else Size(["size", self.index, dim])
            for dim, fixed in enumerate(self.grid.step.shape)
        ]


@dataclass(frozen=True)
class Size:
    """A size that is known when the network runs."""

    expression: Expression


class Unfinished:
    """The start of a pattern: no operation computes it yet, so only some functions take it."""

    takers: ClassVar[frozenset[str]] = frozenset()
    what: ClassVar[str] = ""


@dataclass(frozen=True)
class Attending(Unfinished):
    """Scores of attention `scale * q @ k`, or their softmax, before they weight values.

    `size` is that of the last dimension of `q` and `k`, and `keys` the most places of `k` seen.
    """

    q: Value
    k: Value
    size: int
    keys: int
    scale: float = 1.0
    causal: bool = False
    softmax: bool = False

    what = "scores of attention, which must be masked, put through a softmax, and multiplied"
    takers = _names(
        "mul mul_ imul truediv itruediv div div_ add iadd masked_fill masked_fill_ where softmax "
        "Softmax dropout Dropout matmul float to type_as contiguous"
    )


@dataclass(frozen=True)
class Mask(Unfinished):
    """Numbers that depend on sizes alone, with their values for each batch."""

    floats: list[torch.Tensor]

    what = "numbers that depend on sizes, which may only mask scores of attention"
    takers = _names("masked_fill masked_fill_ where add iadd attend scaled_dot_product_attention")


@dataclass(frozen=True)
class Positions(Unfinished):
    """The whole numbers below a size, in the last of `ndim` dimensions."""

    stop: Size
    ndim: int = 1

    what = "positions, which may only select the first rows of weights"
    takers = frozenset(("unsqueeze", "getitem", "embedding", "Embedding", "to", "long"))


class Weights(Unfinished):
    """The weights of attention, which no network returns."""

    what = "the weights of attention: take its output alone"
    takers = _names("getitem")


class Converter(Protocol):
    """The interface for rules."""

    @property
    def headroom(self) -> float:
        """How many times larger than in the batches values may be."""

    def refused(self, why: str) -> Exception:
        """An error that names the layer."""

    def emit(self, operation: Operation, *values: Value, seen: float | None = None) -> Value:
        """Adds a step."""

    def round(self, value: Value, bits: int, dims: Sequence[int]) -> Value:
        """Rounds a value to a number of bits, for a sum over dimensions."""

    def limit(self, value: Value, most: torch.Tensor, seen: float) -> Value:
        """Limits a value, if that makes its bound smaller."""

    def fixed_size(self, value: Value, dim: int) -> int | None:
        """The size of a value in a dimension, if a reshape says that it is always the same."""

    def floats(self) -> list[torch.Tensor]:
        """The module's numbers here, for each batch."""

    def floats_of(self, value: Value) -> list[torch.Tensor] | None:
        """The module's numbers for a value, if they are still known."""


def register(
    *methods: str, functions: Sequence[Any] = (), modules: Sequence[type[nn.Module]] = ()
) -> Callable[[RuleT], RuleT]:
    """Registers a rule for methods of tensors, functions, and modules without settings."""

    def decorate(rule: RuleT) -> RuleT:
        METHODS.update(dict.fromkeys(methods, rule))
        FUNCTIONS.update(dict.fromkeys(functions, rule))
        MODULES.update(dict.fromkeys(modules, lambda c, module, *args: rule(c, *args)))
        return rule

    return decorate


def value_of(c: Converter, x: Any) -> Value:
    """A value of the network, which is a constant if the argument does not depend on the input."""
    if isinstance(x, Value):
        return x
    if isinstance(x, (int, float, torch.Tensor)) and not isinstance(x, bool):
        return c.emit(Constant({}, {"value": torch.as_tensor(x).detach()}))
    raise c.refused(f"it takes {type(x).__name__}: expected tensors and numbers")


def depends(*things: Any) -> bool:
    """Whether anything in a structure is known only when the network runs."""
    found: list[bool] = []
    fx.node.map_aggregate(things, lambda x: found.append(isinstance(x, (Value, Size, Unfinished))))
    return any(found)


def largest(floats: Sequence[torch.Tensor], dims: Sequence[int]) -> torch.Tensor:
    """The largest absolute values along some dimensions; the others have size 1."""
    over = [d for d in range(floats[0].ndim) if d not in dims]
    found = [x.abs().amax(over, keepdim=True) if over else x.abs() for x in floats]
    return torch.stack(found).amax(0)


def each(x: Any, dims: int) -> list[int]:
    """A number for each dimension, from one for each or one for all."""
    return [x] * dims if isinstance(x, int) else list(x) * (dims if len(x) == 1 else 1)
