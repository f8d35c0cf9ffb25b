"""Networks of exact operations: building, proving, running and showing them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import nn

from torchac import _dynamo
from torchac.exact._grid import Grid
from torchac.exact._operations import sizes as sizes_of
from torchac.exact._operations.base import Operation, expect, is_integer
from torchac.exact._operations.language import Tokens
from torchac.exact._operations.rounding import Input, Limit, Output
from torchac.exact._program import Step, Structure, describe, parse
from torchac.exact._stream import Compute, Stream


class Network(nn.Module):
    """A network that gives the same numbers everywhere.

    `torchac.exact.convert` and `torchac.exact.load` make them. The outputs are float32, and have no
    gradients. The module stays in float64, even if it is moved to another dtype. `print` shows what
    was proved of each layer: the bits of its largest sum, where 53 bits are exact; the bits of the
    values in that sum; the largest value in the batches, and the limit of values.
    """

    program: torch.Tensor

    def __init__(self, steps: Sequence[Step], outputs: Structure) -> None:
        super().__init__()
        self._set_up(steps, outputs)
        self.eval()

    def _set_up(self, steps: Sequence[Step], outputs: Structure) -> None:
        self._steps = list(steps)
        self._outputs = outputs
        self._grids = _prove(self._steps, outputs)
        self._chains = _chains(self._steps)
        self.steps = nn.ModuleList(step.operation for step in self._steps)
        program = bytearray(describe(self._steps, outputs))
        self.register_buffer("program", torch.frombuffer(program, dtype=torch.uint8))

    def forward(self, *inputs: torch.Tensor) -> Any:
        """Computes the outputs, with the same structure as those of the converted module.

        Raises:
            TypeError: There are more or fewer inputs, or one is not a tensor.
            ValueError: An input has other dimensions or channels, values that are not finite, or
                tokens that are out of range.
        """
        return self._run(inputs, _compute)

    def stream(self) -> Stream:
        """Makes a stream of a causal network, which a decoder calls with the next places only.

        Time is dimension 1 of all inputs, such as that of tokens in a text. The stream keeps the
        keys and values of attention, so a step costs only as much as its own places.

        Returns:
            A stream at the start. It takes the network's inputs for the next places, and returns
            their outputs: the same numbers, to the bit, as for all places at once.

        Raises:
            Refused: An output may depend on later inputs, or on the total length.

        Example:
            >>> import torch, torchac.exact
            >>> network = torch.nn.Sequential(torch.nn.Embedding(256, 8), torch.nn.Linear(8, 256))
            >>> tokens = torch.randint(256, (2, 20))
            >>> exact = torchac.exact.convert(network.eval(), [tokens])
            >>> stream = exact.stream()
            >>> parts = [stream(tokens[:, :12]), stream(tokens[:, 12:])]
            >>> torch.cat(parts, 1).equal(exact(tokens))
            True
        """
        return Stream(self._steps, self._grids, self._run)

    def _run(self, inputs: Sequence[torch.Tensor], compute: Compute) -> Any:
        """Computes the outputs; `compute` computes each step that has inputs from others."""
        expected = sum(isinstance(step.operation, (Input, Tokens)) for step in self._steps)
        if len(inputs) != expected:
            raise TypeError(f"there are {len(inputs)} inputs: expected {expected}")
        with torch.no_grad():
            return self._values(inputs, compute)

    def _values(self, inputs: Sequence[torch.Tensor], compute: Compute) -> Any:
        given = iter(inputs)
        values: dict[int, torch.Tensor] = {}
        shapes: list[Sequence[int]] = []
        uses = _uses(self._steps)
        done = {i for chain in self._chains.values() for i in chain}
        for i, step in enumerate(self._steps):
            if i in done:
                shapes.append(shapes[step.inputs[0]])
                continue
            operation, chain = step.operation, self._chains.get(i, [])
            if isinstance(operation, (Input, Tokens)):
                y = operation(next(given))
            else:
                arguments = [values[j] for j in step.inputs]
                sizes = [
                    None if size is None else sizes_of.evaluate(size, shapes)
                    for size in operation.sizes
                ]
                if chain:
                    then = [self._steps[j].operation for j in chain]
                    y = operation(*arguments, then=lambda y, then=then: _all(then, y))
                else:
                    y = compute(step, i, arguments, sizes)
                del arguments
            shapes.append(y.shape)
            values[chain[-1] if chain else i] = y
            for j in step.inputs:
                uses[j] -= 1
                if not uses[j]:
                    values.pop(j, None)
        return _build(self._outputs, values)

    def _apply(self, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Network:
        """Moves to another device, never to another dtype."""

        def move(tensor: torch.Tensor) -> torch.Tensor:
            return tensor.to(fn(torch.empty(0, device=tensor.device)).device)

        moved: Any = super()._apply
        moved(move, *args, **kwargs)
        return self

    def _load_from_state_dict(
        self, state_dict: Mapping[str, Any], prefix: str, *_: Any, **__: Any
    ) -> None:
        """Becomes the network of a state; raises ValueError if the state is not of a network."""
        if f"{prefix}program" not in state_dict:
            raise ValueError(f"the state has no {prefix}program: expected that of a Network")
        program = parse(state_dict[f"{prefix}program"].cpu().numpy().tobytes())
        tensors = [state_dict[f"{prefix}{name}"].cpu() for name in program.names]
        device = self.program.device
        self._set_up(*program.build(tensors))
        self.to(device)

    def __repr__(self) -> str:
        return _report(self._steps, self._grids)


def _chains(steps: Sequence[Step]) -> dict[int, list[int]]:
    """The pointwise steps after a step that is computed in parts, to apply to each part."""
    users: dict[int, list[int]] = {}
    for i, step in enumerate(steps):
        for j in step.inputs:
            users.setdefault(j, []).append(i)
    found: dict[int, list[int]] = {}
    for i, step in enumerate(steps):
        end, chain = i, []
        if step.operation.in_parts:
            while len(users.get(end, ())) == 1 and steps[users[end][0]].operation.pointwise:
                (end,) = users[end]
                chain.append(end)
        if chain:
            found[i] = chain
    return found


def _compute(
    step: Step, _: int, values: Sequence[torch.Tensor], sizes: Sequence[int | None]
) -> torch.Tensor:
    """A step, of all there is."""
    y: torch.Tensor = step.operation(*values, sizes=sizes)
    return y


def _all(operations: Sequence[Operation], y: torch.Tensor) -> torch.Tensor:
    for operation in operations:
        y = operation(y)
    return y


def _uses(steps: Sequence[Step]) -> list[int]:
    uses = [0] * len(steps)
    for step in steps:
        for j in step.inputs:
            uses[j] += 1
    return uses


def _prove(steps: Sequence[Step], outputs: Structure) -> list[Grid]:
    """What is known of each value; raises ValueError if the steps are no network."""
    grids: list[Grid] = []
    for i, step in enumerate(steps):
        operation = step.operation
        count = operation.inputs
        expect(
            len(step.inputs) == count if count is not None else len(step.inputs) > 0,
            f"step {i} has {len(step.inputs)} inputs",
        )
        expect(all(is_integer(j, 0, i - 1) for j in step.inputs), f"step {i} takes later values")
        inputs = [steps[j].operation for j in step.inputs]
        expect(not any(isinstance(x, Output) for x in inputs), f"step {i} takes an output")
        for size in operation.sizes:
            if size is not None:
                sizes_of.check(size, [grid.ndim for grid in grids])
        grids.append(operation.prove(*(grids[j] for j in step.inputs)))
    for i in _numbers(outputs):
        expect(is_integer(i, 0, len(steps) - 1), f"there is no value {i}")
        expect(isinstance(steps[i].operation, Output), f"value {i} is not an output")
    return grids


def _numbers(structure: Structure) -> list[Any]:
    if not isinstance(structure, dict):
        return [structure]
    expect(len(structure) == 1, "an output is a tuple, a list or a dict")
    ((kind, items),) = structure.items()
    expect(kind in ("tuple", "list", "dict") and isinstance(items, list), f"an output is a {kind}")
    if kind == "dict":
        expect(all(isinstance(i, list) and len(i) == 2 for i in items), "a dict has names")
        expect(all(isinstance(name, str) for name, _ in items), "a dict has names")
        items = [item for _, item in items]
    return [number for item in items for number in _numbers(item)]


def _build(structure: Structure, values: dict[int, torch.Tensor]) -> Any:
    if not isinstance(structure, dict):
        return values[structure]
    ((kind, items),) = structure.items()
    if kind == "dict":
        return {name: _build(item, values) for name, item in items}
    built = [_build(item, values) for item in items]
    return tuple(built) if kind == "tuple" else built


def _report(steps: Sequence[Step], grids: Sequence[Grid]) -> str:
    """A line for each layer that sums, limits or gives an output."""
    rows = [("layer", "", "sums", "values", "largest seen", "limit")]
    for step in steps:
        operation = step.operation
        seen = "" if step.seen is None else f"{step.seen:.4g}"
        if isinstance(operation, Input):
            rows.append(("", "input", "", "", seen, f"{operation.attributes['limit']:.4g}"))
        elif isinstance(operation, Tokens):
            rows.append(("", "tokens", "", "", "", f"{operation.attributes['count'] - 1}"))
        elif isinstance(operation, Output):
            step_of = math.log2(operation.attributes["step"])
            rows.append(("", "output", "", f"2^{step_of:.0f} each", "", ""))
        elif operation.proved is not None:
            bits = f"{math.ceil(grids[step.inputs[0]].bits)} bits"
            rows.append((step.name, step.layer, f"2^{operation.proved:.1f}", bits, "", ""))
        if isinstance(operation, Limit):
            limit = f"{operation.limit.max().item():.4g}"
            before = rows[-1]
            same = before[0] == step.name and before[4] == ""
            if same:
                rows[-1] = (*before[:4], seen, limit)
            else:
                rows.append((step.name, step.layer, "", "", seen, limit))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    return "\n".join(lines)


_dynamo.disable(Network)
