"""Converts a module to an exact network, node by node. Batches show how large values are."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import fx, nn

from torchac import _checks
from torchac.exact import _layers
from torchac.exact._errors import Refused
from torchac.exact._grid import TINY, is_power_of_two, power_of_two
from torchac.exact._layers import Value
from torchac.exact._network import Network
from torchac.exact._operations.base import Operation
from torchac.exact._operations.language import Tokens
from torchac.exact._operations.rounding import Input, Limit, Output, Round
from torchac.exact._operations.shapes import Permute, Reshape
from torchac.exact._program import Step
from torchac.exact._trace import Traced, trace

_MOST_BITS = 40
"""The most bits of values in sums; more would not make a difference."""

_FEWEST_BITS = 12

_DIFFERENCE = 2.0**-6
"""The largest difference of outputs, relative to the largest output: far more than by rounding."""


def convert(
    module: nn.Module,
    batches: Iterable[Any],
    *,
    step: float = 2.0**-10,
    headroom: float = 32.0,
) -> Network:
    """Converts a network into one that gives the same numbers everywhere.

    The outputs are the same to the bit on every processor, with any number of threads, in any
    batch, and with any release of PyTorch; they differ from the module's by a rounding error.
    docs/exact.md says exactly what is promised.

    Convert once, `save` the result with the weights, and `load` it wherever files are encoded and
    decoded: converting on another machine may give another network.

    Args:
        module: A network without control flow that depends on values. It is not changed.
        batches: Typical inputs, which show the size of values: one batch is enough. Each is a
            tensor, or a tuple of tensors for a module with several inputs.
        step: The unit of outputs, a power of two. Outputs are limited to 2^23 steps.
        headroom: How many times larger than in the batches values may become before they are
            limited.

    Returns:
        A module with the same inputs, which returns float32. Inputs must be the same on both sides,
        to the bit.

    Raises:
        Refused: A layer is unknown or has no bound, control flow depends on values, or weights are
            not finite. The message names the layer.
        TypeError: `module` is not a module, or a batch is not a tensor or tuple of tensors.
        ValueError: There is no batch, a batch has values that are not finite, `step` is not a power
            of two, or `headroom` is below 1.

    Example:
        >>> import io, torch, torchac, torchac.exact
        >>> network = torch.nn.Sequential(torch.nn.Linear(8, 64), torch.nn.ReLU(),
        ...                               torch.nn.Linear(64, 2)).eval()
        >>> x = torch.randn(100, 8)
        >>> exact = torchac.exact.convert(network, [x])
        >>> bool((exact(x) - network(x)).abs().max() < 0.001)
        True
        >>> file = io.BytesIO()  # or a path
        >>> torchac.exact.save(exact, file)
        >>> _ = file.seek(0)
        >>> there = torchac.exact.load(file)
        >>> there(x).equal(exact(x))
        True
        >>> torchac.fingerprint(there.state_dict()) == torchac.fingerprint(exact.state_dict())
        True
    """
    if not isinstance(module, nn.Module):
        raise TypeError(f"module is of type {type(module).__name__}: expected a torch.nn.Module")
    step = _checks.check_float("step", step)
    if not is_power_of_two(step) or not 2.0**-100 <= step <= 2.0**100:
        raise ValueError(f"step is {step}: expected a power of two, such as 2**-10")
    headroom = _checks.check_float("headroom", headroom)
    if not 1 <= headroom <= 2.0**100:
        raise ValueError(f"headroom is {headroom}: expected a number from 1 on")
    taken = _check_batches(batches)
    with torch.no_grad():
        traced = trace(module, len(taken[0]))
        tokens = [_vocabulary(node, traced.graph) for node in _inputs(traced.graph)]
        taken = [_as_computed(batch, tokens) for batch in taken]
        expected = [_computed(traced.module, batch, i) for i, batch in enumerate(taken)]
        result = _Converter(traced, taken, step, headroom).run(expected)
    device = next((t.device for t in (*module.parameters(), *module.buffers())), None)
    return result if device is None or device.type == "meta" else result.to(device)


def _check_batches(batches: Any) -> list[tuple[torch.Tensor, ...]]:
    if isinstance(batches, torch.Tensor):
        raise TypeError("batches is a tensor: expected a list of batches, such as [batch]")
    taken = [batch if isinstance(batch, (tuple, list)) else (batch,) for batch in batches]
    if not taken:
        raise ValueError("batches is empty: expected one batch or more")
    result = []
    for i, batch in enumerate(taken):
        for x in batch:
            if not isinstance(x, torch.Tensor):
                raise TypeError(f"batch {i} has a {type(x).__name__}: expected tensors")
            if not x.numel():
                raise ValueError(f"batch {i} has shape {tuple(x.shape)}: expected some values")
            if not bool(torch.isfinite(x).all()):
                raise ValueError(f"batch {i} has values that are not finite")
        if [x.ndim for x in batch] != [x.ndim for x in taken[0]]:
            raise ValueError(f"batch {i} has other dimensions than batch 0")
        result.append(tuple(x.detach().to("cpu", copy=True) for x in batch))
    return result


def _inputs(graph: fx.GraphModule) -> list[fx.Node]:
    return [node for node in graph.graph.nodes if node.op == "placeholder"]


def _vocabulary(node: fx.Node, graph: fx.GraphModule) -> int | None:
    """The rows of the smallest embedding of an input, or of moves of it, if there is one."""
    found = []
    for user in node.users:
        if user.op == "call_module":
            layer = graph.get_submodule(str(user.target))
            found.append(layer.num_embeddings if isinstance(layer, nn.Embedding) else None)
        elif user.target is nn.functional.embedding:
            weight = user.kwargs.get("weight", user.args[1] if len(user.args) > 1 else None)
            if isinstance(weight, fx.Node) and weight.op == "get_attr":
                found.append(len(operator.attrgetter(str(weight.target))(graph)))
        elif _name_of(user) in _MOVES:
            found.append(_vocabulary(user, graph))
    return min((count for count in found if count is not None), default=None)


_MOVES = ("getitem", "view", "reshape", "long", "to", "contiguous", "flatten", "unsqueeze")


def _as_computed(
    batch: tuple[torch.Tensor, ...], tokens: list[int | None]
) -> tuple[torch.Tensor, ...]:
    """Inputs for the copy of the module: float64, or int64 for tokens."""
    result = []
    for x, count in zip(batch, tokens, strict=False):
        if count is not None and (x.is_floating_point() or x.is_complex()):
            raise ValueError(f"a batch has the dtype {x.dtype}: expected integers, as tokens are")
        if count is None:
            result.append(x.to(torch.float64))
            continue
        outside = x[(x < 0) | (x >= count)]
        if outside.numel():
            raise ValueError(
                f"a batch has the token {outside[0].item()}: expected 0 to {count - 1}"
            )
        result.append(x.to(torch.int64))
    return tuple(result)


def _computed(module: nn.Module, batch: tuple[torch.Tensor, ...], i: int) -> Any:
    """The result of the copy of the module."""
    try:
        return module(*(x.clone() for x in batch))
    except Exception as error:  # whatever the module's own code raises
        raise Refused(
            f"the module fails on batch {i}, in float64, or int64 for what goes to an embedding as "
            f"it is: {type(error).__name__}: {error}"
        ) from error


def _things(*structure: Any) -> list[Any]:
    found: list[Any] = []
    fx.node.map_aggregate(structure, found.append)
    return found


def _is_mask(things: list[Any], rule: _layers.Rule | None) -> bool:
    """Whether a function of these gives a mask, from sizes and masks but not from values."""
    others = [x for x in things if isinstance(x, (Value, _layers.Unfinished))]
    if others:
        return all(isinstance(x, _layers.Mask) for x in others)
    return rule is None and any(isinstance(x, _layers.Size) for x in things)


class _Converter:
    """Walks through a graph, and computes the floats of all batches beside the exact steps."""

    def __init__(
        self,
        traced: Traced,
        batches: list[tuple[torch.Tensor, ...]],
        step: float,
        headroom: float,
    ) -> None:
        self.headroom = headroom
        self._traced, self._paths = traced.graph, traced.paths
        self._batches, self._step = batches, step
        self._steps: list[Step] = []
        self._made: dict[fx.Node, Any] = {}
        self._floats: dict[fx.Node, list[Any]] = {}
        self._sources: dict[int, fx.Node] = {}
        self._rounded: dict[int, list[Value]] = {}
        self._name = self._layer = ""
        self._node: fx.Node | None = None

    def run(self, expected: list[Any]) -> Network:
        """The network, after a comparison with the module's results for the batches."""
        nodes = list(self._traced.graph.nodes)
        last = {used: node for node in nodes for used in node.all_input_nodes}
        for node in nodes:
            self._node = node
            module = self._module(node)
            self._name = self._paths.get(node, "") if module is None else str(node.target)
            self._layer = _name_of(node) if module is None else type(module).__name__
            try:
                self._floats[node] = [self._float(node, i) for i in range(len(self._batches))]
                self._made[node] = made = self._exact(node, module)
            except Refused:
                raise
            except (ValueError, TypeError, RuntimeError, IndexError, NotImplementedError) as error:
                raise self.refused(str(error)) from error
            if isinstance(made, Value):
                self._sources[made.index] = node
            if _is_in_place(node, module):
                self._made[node.args[0]] = made
            for used in node.all_input_nodes:
                if last[used] is node:
                    del self._floats[used]
        network = Network(self._steps, self._made[nodes[-1]])
        self._compare(network, expected)
        return network

    # Methods for the rules of layers

    def refused(self, why: str) -> Refused:
        """An error that names the layer."""
        return Refused(f"{self._name or 'the module'} ({self._layer}): {why}")

    def emit(self, operation: Operation, *values: Value, seen: float | None = None) -> Value:
        """Adds a step."""
        grid = operation.prove(*(value.grid for value in values))
        inputs = tuple(value.index for value in values)
        self._steps.append(Step(operation, inputs, self._name, self._layer, seen))
        return Value(len(self._steps) - 1, grid)

    def fixed_size(self, value: Value, dim: int) -> int | None:
        """The size of a value in a dimension, if a reshape says that it is always the same."""
        i = value.index
        while True:
            operation, inputs = self._steps[i].operation, self._steps[i].inputs
            if isinstance(operation, Reshape):
                size = operation.attributes["shape"][dim]
                return size if isinstance(size, int) and size > 0 else None
            if isinstance(operation, Permute):
                dim = operation.attributes["dims"][dim]
            elif not operation.pointwise:
                return None
            (i,) = inputs

    def floats(self) -> list[torch.Tensor]:
        """The module's numbers at this node, for each batch."""
        assert self._node is not None
        return self._floats[self._node]

    def floats_of(self, value: Value) -> list[torch.Tensor] | None:
        """The module's numbers for a value, if they are still known."""
        source = self._sources.get(value.index)
        return None if source is None else self._floats.get(source)

    def round(self, value: Value, bits: int, dims: Sequence[int]) -> Value:
        """Rounds a value to a number of bits, for a sum over dimensions."""
        bits = min(bits, _MOST_BITS)
        if bits < _FEWEST_BITS:
            raise self.refused(
                f"its sums have too many terms, or terms that are too large beside others: of the "
                f"53 bits of a sum, {max(bits, 0)} are left for its inputs, and {_FEWEST_BITS} are "
                "needed. Split it, or rescale its bias"
            )
        for known in self._rounded.get(value.index, []):
            if bits - 6 <= known.grid.collapse(dims).bits <= bits:
                return known
        if value.grid.collapse(dims).bits <= bits:
            return value
        bound = value.grid.collapse(dims).bound
        step = torch.where(bound > 0, power_of_two(bound.clamp(min=TINY), above=True), 1.0)
        step = torch.maximum(step * 2.0**-bits, value.grid.step)
        rounded = self.emit(Round({}, {"step": _same_all_along(step)}), value)
        self._rounded.setdefault(value.index, []).append(rounded)
        return rounded

    def limit(self, value: Value, most: torch.Tensor, seen: float) -> Value:
        """Limits a value to powers of two, if that makes its bound smaller."""
        bound = value.grid.bound
        most = torch.minimum(most.expand(bound.shape), bound).clamp(min=TINY)
        most = power_of_two(most, above=True)
        if not bool((most < bound).any()):
            return value
        return self.emit(Limit({}, {"limit": _same_all_along(most)}), value, seen=seen)

    # Nodes

    def _module(self, node: fx.Node) -> nn.Module | None:
        if node.op != "call_module":
            return None
        return self._traced.get_submodule(str(node.target))

    def _float(self, node: fx.Node, batch: int) -> Any:
        """The module's result at a node."""
        args, kwargs = fx.map_arg((node.args, node.kwargs), lambda n: self._floats[n][batch])
        if node.op == "placeholder":
            position = sum(isinstance(step.operation, (Input, Tokens)) for step in self._steps)
            given = self._batches[batch]
            return given[position] if position < len(given) else next(iter(node.args), None)
        if node.op == "get_attr":
            return operator.attrgetter(str(node.target))(self._traced)
        if node.op == "output":
            return args[0]
        if node.op == "call_method":
            return getattr(args[0], str(node.target))(*args[1:], **kwargs)
        target: Any = self._module(node) or node.target
        return target(*args, **kwargs)

    def _exact(self, node: fx.Node, module: nn.Module | None) -> Any:
        """The network's result for a node: a value, or an object known during conversion."""
        if node.op == "placeholder":
            return self._input()
        args, kwargs = fx.map_arg((node.args, node.kwargs), lambda n: self._made[n])
        if node.op == "output":
            return self._output(args[0])
        if node.op == "get_attr":
            return self.floats()[0]
        rule = _layers.rule_of(node, module)
        taken = _things(args, kwargs)
        if module is None and self._layer in _layers.OF_SIZES and _is_mask(taken, rule):
            return _layers.Mask(self.floats())
        for x in taken:
            if isinstance(x, _layers.Unfinished) and self._layer not in x.takers:
                raise self.refused(f"it takes {x.what}")
        if not _layers.depends(args, kwargs):
            if module is None and (rule is not None or _name_of(node) in _layers.CREATE):
                return self.floats()[0]  # of weights alone
            raise self.refused(
                "it depends on no input, so it may be random: register its numbers as a buffer"
            )
        if rule is None:
            raise self.refused(
                "it is not known to be exact. Known are " + _layers.KNOWN + ": write it with these"
            )
        return (
            rule(self, *args, **kwargs) if module is None else rule(self, module, *args, **kwargs)
        )

    def _input(self) -> Any:
        given = self.floats()
        if not isinstance(given[0], torch.Tensor):
            return given[0]  # its default
        assert self._node is not None
        count = _vocabulary(self._node, self._traced)
        if count is not None:
            return self.emit(Tokens({"ndim": given[0].ndim, "count": count}))
        seen = max(x.abs().max().item() for x in given)
        largest = torch.tensor([max(self.headroom * (seen or 1.0), TINY)], dtype=torch.float64)
        limit = power_of_two(largest, above=True).item()
        return self.emit(Input({"ndim": given[0].ndim, "limit": limit}, {}), seen=seen)

    def _output(self, made: Any) -> Any:
        self._name, self._layer = "", "output"
        if isinstance(made, (Value, torch.Tensor)):
            return self.emit(Output({"step": self._step}, {}), _layers.value_of(self, made)).index
        if isinstance(made, (tuple, list)):
            kind = "tuple" if isinstance(made, tuple) else "list"
            return {kind: [self._output(item) for item in made]}
        if isinstance(made, dict) and all(isinstance(name, str) for name in made):
            return {"dict": [[name, self._output(item)] for name, item in made.items()]}
        if isinstance(made, _layers.Unfinished):
            raise self.refused(f"the module returns {made.what}")
        raise self.refused(f"the module returns {type(made).__name__}: expected tensors")

    def _compare(self, network: Network, expected: list[Any]) -> None:
        """Refuses a network whose results differ from the module's, for any reason."""
        for batch, floats in zip(self._batches, expected, strict=True):
            pairs = zip(_tensors(network(*batch)), _tensors(floats), strict=True)
            for exact, x in pairs:
                largest = x.abs().max().item()
                if largest > 2.0**23 * self._step:
                    raise Refused(
                        f"the module returns {largest}, more than 2^23 steps of {self._step}: "
                        f"take a larger step, such as step=2**{math.ceil(math.log2(largest)) - 20}"
                    )
                off = (exact - x).abs().max().item()
                if not off <= self._step + _DIFFERENCE * largest:
                    raise Refused(
                        f"the exact network returns values that are off by {off}, where the "
                        f"module's reach {largest}: a value may be changed in place while another "
                        "name for it is in use, values may be random or changed by a hook, or the "
                        "network needs more precision than there is"
                    )


def _tensors(structure: Any) -> list[torch.Tensor]:
    if isinstance(structure, torch.Tensor):
        return [structure]
    items = structure.values() if isinstance(structure, dict) else structure
    return [tensor for item in items for tensor in _tensors(item)]


def _same_all_along(numbers: torch.Tensor) -> torch.Tensor:
    """The numbers, or a single one if all are the same."""
    first = numbers[(slice(1),) * numbers.ndim]
    return first if bool((numbers == first).all()) else numbers


def _name_of(node: fx.Node) -> str:
    target: Any = node.target
    return target if isinstance(target, str) else getattr(target, "__name__", str(target))


def _is_in_place(node: fx.Node, module: nn.Module | None) -> bool:
    """Whether a node changes its first argument."""
    name = _name_of(node)
    return (
        bool(getattr(module, "inplace", False))
        or node.kwargs.get("inplace") is True
        or (node.op == "call_method" and name.endswith("_") and not name.endswith("__"))
        or (node.op == "call_function" and node.target in _layers.IN_PLACE)
    )
