"""For tests of codecs that decode on another machine: how far its floats are off, and what if.

Imported by itself: `import torchac.testing`.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import torch

from torchac import _checks, _tensors
from torchac._tensors import CPU, FLOAT_ROWS

__all__ = ["drift", "perturb"]


def perturb(
    x: torch.Tensor, tolerance: float, generator: torch.Generator | None = None
) -> torch.Tensor:
    """Parameters as another machine might compute them: with uniform noise.

    Decode with them, to see that a codec settles what it has to.

    Args:
        x: Parameters of any shape: float16, bfloat16, float32 or float64.
        tolerance: What the noise stays below, also after rounding to the dtype of `x`. A value
            next to which the dtype has no other that close stays as it is.
        generator: Where the noise comes from, on the device of `x`.

    Returns:
        `x` with noise: of its dtype, its shape, and on its device.

    Raises:
        TypeError: `x` is no tensor, or `tolerance` no number.
        ValueError: A dtype that is not allowed, or a `tolerance` that is not above 0.

    Example:
        >>> import torch, torchac.testing
        >>> x = torch.randn(1000)
        >>> there = torchac.testing.perturb(x, 0.01)
        >>> bool(0 < (there - x).abs().max() < 0.01)
        True
    """
    if not isinstance(x, torch.Tensor):
        raise TypeError(f"x is of type {type(x).__name__}: expected a torch.Tensor")
    _checks.check_elements("x", x)
    _checks.check_dtype("x", x, FLOAT_ROWS)
    tolerance = _checks.check_float("tolerance", tolerance)
    if not tolerance > 0:
        raise ValueError(f"tolerance is {tolerance}: expected a number above 0")
    exact = _tensors.as_tensor(x).double()
    noise = torch.rand(x.shape, generator=generator, dtype=torch.float64, device=x.device)
    moved = (exact + (2 * noise - 1) * tolerance).to(x.dtype)
    return torch.where((moved.double() - exact).abs() < tolerance, moved, x.detach())


def drift(
    module: Callable[[torch.Tensor], Any], x: torch.Tensor, *, bfloat16: bool = False
) -> dict[str, float]:
    """Measures by how much the outputs of a network differ if it runs in another way.

    What is found is a lower bound: another processor, GPU or release of a library may differ more.
    So take a tolerance for `torchac.settle` that is several times larger.

    Args:
        module: A network that takes `x` and returns a tensor, or a tuple or list of them, with one
            item for each of `x`, in the first dimension. If it is a `torch.nn.Module`, it must be
            in evaluation mode.
        x: A batch of inputs, on the device of the module.
        bfloat16: Whether to compare with `torch.autocast` to bfloat16 too.

    Returns:
        The largest absolute difference between two runs: `"1 or 2 threads"`, `"batch or single"`
        for all of `x` or one item after the other, `"cuda or cpu"` for a module that is on a GPU
        (or the name of another device), and `"float32 or bfloat16"` if asked for.

    Raises:
        TypeError: `x` is no tensor, or `module` returns something else.
        ValueError: `x` has no items, the module is in training mode, or outputs of two runs differ
            in shape.

    Example:
        >>> import torch, torchac.testing
        >>> network = torch.nn.Linear(100, 10).eval()
        >>> found = torchac.testing.drift(network, torch.randn(8, 100))
        >>> list(found), max(found.values()) < 1e-5
        (['1 or 2 threads', 'batch or single'], True)
    """
    if not isinstance(x, torch.Tensor):
        raise TypeError(f"x is of type {type(x).__name__}: expected a torch.Tensor")
    if x.ndim == 0 or len(x) == 0:
        raise ValueError(f"x has shape {tuple(x.shape)}: expected a batch of one item or more")
    if isinstance(module, torch.nn.Module) and module.training:
        raise ValueError("module is in training mode: expected module.eval()")
    before = torch.get_num_threads()
    found = {}
    try:
        with torch.no_grad():
            torch.set_num_threads(2)
            on_two = _outputs(module, x)
            torch.set_num_threads(1)
            once = _outputs(module, x)
            found["1 or 2 threads"] = _largest(once, on_two)
            items = [_outputs(module, item) for item in x[:, None]]
            single = [torch.cat(pieces) for pieces in zip(*items, strict=True)]
            found["batch or single"] = _largest(once, single)
            if not x.is_cpu and isinstance(module, torch.nn.Module):
                on_cpu = _outputs(copy.deepcopy(module).cpu(), x.cpu())
                found[f"{x.device.type} or cpu"] = _largest(once, on_cpu)
            if bfloat16:
                with torch.autocast(x.device.type, torch.bfloat16):
                    low = _outputs(module, x)
                found["float32 or bfloat16"] = _largest(once, low)
    finally:
        torch.set_num_threads(before)
    return found


def _outputs(module: Callable[[torch.Tensor], Any], x: torch.Tensor) -> list[torch.Tensor]:
    result = module(x)
    outputs = list(result) if isinstance(result, (tuple, list)) else [result]
    for output in outputs:
        if not isinstance(output, torch.Tensor):
            raise TypeError(
                f"module returns {type(output).__name__}: expected a tensor, or a tuple or list of "
                "tensors"
            )
    return [output.detach().cpu().double() for output in outputs]


def _largest(a: list[torch.Tensor], b: list[torch.Tensor]) -> float:
    """The largest difference; equal infinities have none."""
    shapes = [[tuple(tensor.shape) for tensor in tensors] for tensors in (a, b)]
    if shapes[0] != shapes[1]:
        raise ValueError(f"outputs have the shapes {shapes[0]} and {shapes[1]}: expected the same")
    differences = [
        torch.where(one == other, 0.0, (one - other).abs()).flatten()
        for one, other in zip(a, b, strict=True)
    ]
    return float(torch.cat([torch.zeros(1, device=CPU), *differences]).max())
