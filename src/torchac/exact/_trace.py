"""Traces a module to a graph of layers and functions, by torch.fx."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import fx, nn
from torch.nn import functional

from torchac.exact._errors import Refused
from torchac.exact._rewritten import has_rewritten, rewrite

CONVOLUTIONS: dict[type[nn.Module], Callable[..., torch.Tensor]] = {
    nn.Conv1d: functional.conv1d,
    nn.Conv2d: functional.conv2d,
    nn.Conv3d: functional.conv3d,
    nn.ConvTranspose1d: functional.conv_transpose1d,
    nn.ConvTranspose2d: functional.conv_transpose2d,
    nn.ConvTranspose3d: functional.conv_transpose3d,
}


@dataclass(frozen=True)
class Traced:
    """A module as a graph.

    Attributes:
        module: A copy of the module, in float64.
        graph: The graph, with the same layers.
        paths: The qualified names of the modules that the nodes come from.
    """

    module: nn.Module
    graph: fx.GraphModule
    paths: dict[fx.Node, str]


def trace(module: nn.Module, inputs: int) -> Traced:
    """Traces a module for a number of inputs; other arguments have their defaults."""
    for name, part in module.named_modules():
        if part.training and isinstance(part, _DIFFERS_IN_TRAINING) and getattr(part, "p", 1) > 0:
            raise Refused(
                f"{name or 'the module'} ({type(part).__name__}) is in training mode: "
                "convert module.eval()"
            )
    try:
        root = copy.deepcopy(module)
    except RuntimeError as error:
        raise Refused(f"the module cannot be copied: {error}") from None
    root = root.eval().to("cpu", torch.float64).requires_grad_(requires_grad=False)
    computing = root
    if has_rewritten(root):
        root = rewrite(copy.deepcopy(root))
    tracer = _Tracer(root)
    if tracer.is_leaf_module(root, ""):
        root = nn.Sequential()
        root.add_module(type(module).__name__, tracer.top)
    try:
        graph = tracer.trace(root, _defaults(root, inputs))
    except Refused:
        raise
    except Exception as error:  # whatever the module's own code raises
        where = tracer.path or "the module"
        raise Refused(
            f"{where} cannot be traced: {type(error).__name__}: {error}. What is done must not "
            "depend on values, and values must not be changed in part: split it into modules that "
            "can be, or write that with cat and slices; sizes of new tensors go into a tuple, as "
            "in torch.zeros((n, n))"
        ) from error
    return Traced(computing, fx.GraphModule(root, graph), tracer.paths)


_DIFFERS_IN_TRAINING = (nn.modules.dropout._DropoutNd, nn.modules.batchnorm._BatchNorm)


def _defaults(root: nn.Module, inputs: int) -> dict[str, Any]:
    """The defaults of the other arguments."""
    parameters = list(inspect.signature(root.forward).parameters.values())
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    taken = [p for p in parameters if p.kind in kinds]
    needed = [p for p in taken if p.default is inspect.Parameter.empty]
    if not len(needed) <= inputs <= len(taken):
        most = len(taken)
        takes = (
            f"{most} input{'s' * (most != 1)}"
            if len(needed) == most
            else (f"{len(needed)} to {most} inputs")
        )
        raise Refused(f"the module takes {takes}, the batch has {inputs}")
    return {p.name: p.default for p in taken[inputs:]}


class _Tracer(fx.Tracer):
    """Looks into modules of users, and knows where it is."""

    proxy_buffer_attributes = True  # so that they may be sliced by sizes

    def __init__(self, top: nn.Module) -> None:
        super().__init__()
        self.top = top
        self.path = ""
        self.paths: dict[fx.Node, str] = {}
        self._layers = {module for module in top.modules() if _is_layer(module)}

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return m in self._layers or super().is_leaf_module(m, module_qualified_name)

    def call_module(self, m: nn.Module, forward: Any, args: Any, kwargs: Any) -> Any:
        before, self.path = self.path, self.path_of_module(m)
        result = super().call_module(m, forward, args, kwargs)
        self.path = before
        return result

    def create_node(self, *args: Any, **kwargs: Any) -> fx.Node:
        node = super().create_node(*args, **kwargs)
        self.paths[node] = self.path
        return node


def _is_layer(module: nn.Module) -> bool:
    """Whether a module is a known layer, or of a subclass of one."""
    kinds: tuple[Any, ...] = (*CONVOLUTIONS, nn.Linear)
    plain = any(isinstance(module, k) and type(module).forward is k.forward for k in kinds)
    return plain or norm_of(module) is not None


def norm_of(module: nn.Module) -> dict[str, Any] | None:
    """The numbers of a generalized divisive normalization, or None for other modules.

    It has `beta` and `gamma`, their parametrizations, and whether it is `inverse`. The forms with
    squares and a root, and with absolute values, are tried.
    """
    layer: Any = module
    names = ("beta", "gamma", "beta_reparam", "gamma_reparam", "inverse")
    if not all(hasattr(module, name) for name in names):
        return None
    with torch.no_grad():
        beta, gamma = layer.beta_reparam(layer.beta), layer.gamma_reparam(layer.gamma)
    if beta.ndim != 1 or gamma.shape != (len(beta), len(beta)):
        return None
    x = 3 * _noise(1, len(beta), 2, 2)
    for squares in (True, False):

        def compute(squares: bool = squares) -> torch.Tensor:
            norm = functional.conv2d(x**2 if squares else x.abs(), gamma[..., None, None], beta)
            norm = norm.sqrt() if squares else norm
            return x * norm if layer.inverse else x / norm

        if _same(module, x, compute):
            return {"beta": beta, "gamma": gamma, "squares": squares, "inverse": layer.inverse}
    return None


def _noise(*shape: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def _same(module: nn.Module, x: torch.Tensor, compute: Callable[[], torch.Tensor]) -> bool:
    try:
        with torch.no_grad():
            found = module(x)  # which may mask the weights for what follows
            expected = compute()
    except Exception:  # whatever the module's own code raises
        return False
    return (
        isinstance(found, torch.Tensor)
        and found.shape == expected.shape
        and bool(torch.allclose(found, expected, rtol=1e-9, atol=1e-9))
    )
