"""The text of a network: its steps without their tensors."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch

from torchac.exact._operations.base import KINDS, Operation, expect, is_number

Structure: TypeAlias = Any
"""The number of a value, or `{"tuple" | "list": [...]}`, or `{"dict": [[name, ...], ...]}`."""


@dataclass(frozen=True)
class Step:
    """A step of a network: an operation, its inputs, and the layer that it belongs to.

    Attributes:
        operation: The operation.
        inputs: Its inputs, by the numbers of the steps that compute them.
        name: The qualified name of the layer.
        layer: The layer's type.
        seen: The largest absolute value in the batches, if the step limits values.
    """

    operation: Operation
    inputs: tuple[int, ...]
    name: str = ""
    layer: str = ""
    seen: float | None = None


def tensors_of(steps: Sequence[Step]) -> Iterator[tuple[str, torch.Tensor]]:
    """The tensors of all steps, in order, with their names in a state."""
    for i, step in enumerate(steps):
        for name, tensor in step.operation.state_dict().items():
            yield f"steps.{i}.{name}", tensor


def describe(steps: Sequence[Step], outputs: Structure) -> bytes:
    """The text of a network. Equal networks have equal texts."""
    listed = [
        {
            "kind": step.operation.kind,
            "inputs": list(step.inputs),
            "attributes": step.operation.attributes,
            "tensors": list(step.operation.state_dict()),
            "name": step.name,
            "layer": step.layer,
            "seen": step.seen,
        }
        for step in steps
    ]
    text = {"steps": listed, "outputs": outputs}
    return json.dumps(text, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


@dataclass(frozen=True)
class Program:
    """A network from its description, before it has tensors.

    Attributes:
        names: The names of its tensors in a state, in order.
    """

    names: list[str]
    _steps: list[dict[str, Any]]
    _outputs: Structure

    def build(self, tensors: Sequence[torch.Tensor]) -> tuple[list[Step], Structure]:
        """The steps and outputs; raises ValueError if an operation lacks anything."""
        given = iter(tensors)
        steps = []
        for i, step in enumerate(self._steps):
            own = {name: next(given) for name in step["tensors"]}
            try:
                operation = KINDS[step["kind"]](step["attributes"], own)
            except ValueError as error:
                raise ValueError(f"step {i} ({step['kind']}) breaks a rule: {error}") from None
            inputs = tuple(step["inputs"])
            steps.append(Step(operation, inputs, step["name"], step["layer"], step["seen"]))
        return steps, self._outputs


_TYPES = {"kind": str, "inputs": list, "attributes": dict, "tensors": list, "name": str}


def parse(text: bytes) -> Program:
    """Reads a description; raises ValueError if it is invalid."""
    try:
        read = json.loads(text, parse_constant=_refuse)
    except RecursionError:
        raise ValueError("the description is nested too deeply") from None
    expect(
        isinstance(read, dict) and set(read) == {"steps", "outputs"}, "it has no steps and outputs"
    )
    expect(isinstance(read["steps"], list), "its steps are not a list")
    names = []
    for i, step in enumerate(read["steps"]):
        expect(isinstance(step, dict), f"step {i} is {step!r}")
        expect(set(step) == {*_TYPES, "layer", "seen"}, f"step {i} has {sorted(step)}")
        for name, kind in _TYPES.items():
            expect(isinstance(step[name], kind), f"step {i} has the {name} {step[name]!r}")
        expect(isinstance(step["layer"], str), f"step {i} has the layer {step['layer']!r}")
        expect(
            step["seen"] is None or is_number(step["seen"]),
            f"step {i} has seen {step['seen']!r}, not a number",
        )
        expect(
            step["kind"] in KINDS,
            f"step {i} is of the kind {step['kind']!r}, which this release does not know",
        )
        expect(
            all(isinstance(t, str) for t in step["tensors"]),
            f"step {i} has names of tensors that are not text",
        )
        expect(len(set(step["tensors"])) == len(step["tensors"]), f"step {i} has a tensor twice")
        names += [f"steps.{i}.{name}" for name in step["tensors"]]
    return Program(names, read["steps"], read["outputs"])


def _refuse(constant: str) -> float:
    raise ValueError(f"{constant} is not a number")
