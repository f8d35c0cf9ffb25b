"""Tools for testing codecs across machines: measure numerical drift, or simulate it.

Import it explicitly: `import torchac.testing`.
"""

from __future__ import annotations

import contextlib
import copy
import functools
from collections.abc import Callable, Iterator
from typing import Any

import torch

from torchac import _checks, _tensors
from torchac._tensors import CPU, FLOAT_ROWS

__all__ = ["drift", "perturb", "ways"]


def perturb(
    x: torch.Tensor, tolerance: float, generator: torch.Generator | None = None
) -> torch.Tensor:
    """Adds uniform noise to parameters, as if another machine had computed them.

    Decode with the result, to test that a codec settles all parameters that it has to.

    Args:
        x: Parameters of any shape: float16, bfloat16, float32 or float64.
        tolerance: The bound that the noise stays below, even after rounding to the dtype of `x`. A
            value stays as it is if the dtype has no other value that close.
        generator: The source of the noise, on the device of `x`.

    Returns:
        `x` with noise, of the same dtype and shape, on the same device.

    Raises:
        TypeError: `x` is not a tensor, or `tolerance` is not a number.
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
    """Measures how much the outputs of a network change if it runs in other ways.

    The result is a lower bound: another processor, GPU or release of a library may differ more. So
    choose a tolerance for `torchac.settle` that is several times larger.

    Args:
        module: A network that takes `x` and returns a tensor, or a tuple or list of them, with one
            item for each of `x`, in the first dimension. If it is a `torch.nn.Module`, it must be
            in evaluation mode.
        x: A batch of inputs, on the device of the module.
        bfloat16: Whether to compare with `torch.autocast` to bfloat16, too.

    Returns:
        The largest absolute difference for each pair of runs: `"1 or 2 threads"`; `"batch or
        single"`, all of `x` or item by item; `"cuda or cpu"` for a module on a GPU, with the name
        of its device; and `"float32 or bfloat16"` if requested.

    Raises:
        TypeError: `x` is not a tensor, or `module` returns anything but tensors.
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
    return [output.detach().cpu().double() for output in _as_list(module(x))]


def _as_list(result: Any) -> list[torch.Tensor]:
    """The outputs of a network, which must be tensors."""
    outputs = list(result) if isinstance(result, (tuple, list)) else [result]
    for output in outputs:
        if not isinstance(output, torch.Tensor):
            raise TypeError(
                f"module returns {type(output).__name__}: expected a tensor, or a tuple or list of "
                "tensors"
            )
    return outputs


def _largest(a: list[torch.Tensor], b: list[torch.Tensor]) -> float:
    """The largest absolute difference. Equal infinities do not differ."""
    shapes = [[tuple(tensor.shape) for tensor in tensors] for tensors in (a, b)]
    if shapes[0] != shapes[1]:
        raise ValueError(f"outputs have the shapes {shapes[0]} and {shapes[1]}: expected the same")
    differences = [
        torch.where(one == other, 0.0, (one - other).abs()).flatten()
        for one, other in zip(a, b, strict=True)
    ]
    return float(torch.cat([torch.zeros(1, device=CPU), *differences]).max())


def ways(
    module: Callable[..., Any],
    x: torch.Tensor | tuple[torch.Tensor, ...],
    *,
    causal: bool = False,
) -> Iterator[tuple[str, Any]]:
    """Runs a network in twelve ways, which should all give the same results.

    They are: on one, two and four threads; all items at once, one at a time, three and the rest,
    and reversed; with another order of the dimensions in memory; without oneDNN; with float64 as
    the default dtype; with matrix products of "medium" precision and subnormal numbers flushed to
    zero; and with `torch.autocast` to bfloat16. All settings are restored before a result is
    yielded.

    Args:
        module: A network that takes `x` and returns a tensor, or a tuple or list of them, with one
            item for each of `x`, in the first dimension. If it is a `torch.nn.Module`, it must be
            in evaluation mode.
        x: A batch of inputs, on the device of the module; a tuple of them if the network takes
            several.
        causal: Whether an output depends only on inputs up to its place in dimension 1 of `x`, as
            in a language model. Then there is one more way: each place is computed from the inputs
            up to there alone, as in a decoder.

    Yields:
        The name of the way, and the result of the network, with items in the order of `x`.

    Raises:
        TypeError: `x` is not a tensor or tuple of tensors, or `module` returns anything but
            tensors.
        ValueError: `x` has no items, or no places if `causal`; or the module is in training mode.

    Example:
        >>> import torch, torchac.exact, torchac.testing
        >>> network = torch.nn.Linear(100, 10).eval()
        >>> x = torch.randn(8, 100)
        >>> exact = torchac.exact.convert(network, [x])
        >>> all(y.equal(exact(x)) for name, y in torchac.testing.ways(exact, x))
        True
    """
    inputs = x if isinstance(x, tuple) else (x,)
    for tensor in inputs:
        if not isinstance(tensor, torch.Tensor):
            raise TypeError(f"x is of type {type(tensor).__name__}: expected a torch.Tensor")
        if tensor.ndim == 0 or len(tensor) == 0:
            raise ValueError(f"x has shape {tuple(tensor.shape)}: expected one item or more")
        if causal and (tensor.ndim < 2 or tensor.shape[1] == 0):
            raise ValueError(f"x has shape {tuple(tensor.shape)}: expected places in dimension 1")
    if isinstance(module, torch.nn.Module) and module.training:
        raise ValueError("module is in training mode: expected module.eval()")
    count = len(inputs[0])

    def run(
        parts: list[Any],
        how: Callable[[], Any] = contextlib.nullcontext,
        of: tuple[torch.Tensor, ...] = inputs,
    ) -> Any:
        with torch.no_grad(), how():
            return _join([module(*(tensor[part] for tensor in of)) for part in parts])

    everything = [slice(None)]
    for threads in (1, 2, 4):
        name = "1 thread" if threads == 1 else f"{threads} threads"
        yield name, run(everything, functools.partial(_threads, threads))
    yield "all at once", run(everything)
    yield "one at a time", run([slice(i, i + 1) for i in range(count)])
    yield "three and the rest", run([slice(3), slice(3, None)][: 2 if count > 3 else 1])
    backwards = torch.arange(count - 1, -1, -1, device=inputs[0].device)
    yield "reversed", _map(run([backwards]), lambda y: y.flip(0))
    moved = tuple(map(_in_other_order, inputs))
    yield "another order in memory", run(everything, of=moved)
    yield "without oneDNN", run(everything, _without_onednn)
    yield "float64 by default", run(everything, _float64)
    yield "medium precision, flushed to zero", run(everything, _imprecise)
    if causal:
        ends = range(1, inputs[0].shape[1] + 1)
        prefixes = [_map(run(everything, of=_first(inputs, n)), lambda y: y[:, -1:]) for n in ends]
        yield "shorter prefixes", _join(prefixes, 1)
    device = inputs[0].device.type
    yield "autocast", run(everything, lambda: torch.autocast(device, torch.bfloat16))


def _map(result: Any, change: Callable[[torch.Tensor], torch.Tensor]) -> Any:
    changed = [change(tensor) for tensor in _as_list(result)]
    return _like(result, changed)


def _first(inputs: tuple[torch.Tensor, ...], places: int) -> tuple[torch.Tensor, ...]:
    return tuple(tensor[:, :places] for tensor in inputs)


def _join(results: list[Any], dim: int = 0) -> Any:
    """Joins the items, or the places, of several runs."""
    joined = [torch.cat(parts, dim) for parts in zip(*map(_as_list, results), strict=True)]
    return _like(results[0], joined)


def _like(result: Any, tensors: list[torch.Tensor]) -> Any:
    if isinstance(result, tuple):
        return tuple(tensors)
    return tensors if isinstance(result, list) else tensors[0]


def _in_other_order(x: torch.Tensor) -> torch.Tensor:
    if x.ndim < 3:
        return torch.stack((x, x), -1)[..., 0]  # with gaps
    last = (x.ndim - 1, *range(1, x.ndim - 1))
    return x.permute(0, *range(2, x.ndim), 1).contiguous().permute(0, *last)


@contextlib.contextmanager
def _threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextlib.contextmanager
def _without_onednn() -> Iterator[None]:
    before = torch._C._get_mkldnn_enabled()  # the public function warns in some releases
    torch._C._set_mkldnn_enabled(False)
    try:
        yield
    finally:
        torch._C._set_mkldnn_enabled(before)


@contextlib.contextmanager
def _float64() -> Iterator[None]:
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


@contextlib.contextmanager
def _imprecise() -> Iterator[None]:
    before = torch.get_float32_matmul_precision()
    flushed = bool((torch.tensor(2.0**-149) * 1 == 0).item())
    torch.set_float32_matmul_precision("medium")
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)
        torch.set_flush_denormal(flushed)
