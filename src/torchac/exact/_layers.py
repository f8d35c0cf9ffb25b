"""How each layer and function becomes exact operations."""

from __future__ import annotations

import itertools
import math
import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import fx, nn
from torch.nn import functional

from torchac.exact import _elementwise, _pooling, _shapes
from torchac.exact._correlation import Correlation
from torchac.exact._grid import Grid, power_of_two
from torchac.exact._operation import Expression, Operation
from torchac.exact._products import Linear, Weights, room, round_weights
from torchac.exact._tables import tabulate
from torchac.exact._trace import CONVOLUTIONS, norm_of

if TYPE_CHECKING:
    from torchac.exact._convert import _Converter

KNOWN = (
    "convolutions (also transposed, grouped, masked), Linear, BatchNorm, GDN, ReLU, LeakyReLU, "
    "ReLU6, Hardtanh, clamp, sigmoid, tanh, SiLU, GELU, softplus, sums and products, pooling, "
    "nearest upsampling, PixelShuffle, pad, cat, chunk, split, slices, reshape and permute"
)


@dataclass(frozen=True)
class Value:
    """A value of the network: the number of its step, and what is known of it."""

    index: int
    grid: Grid

    @property
    def ndim(self) -> int:
        """Its number of dimensions."""
        return self.grid.ndim

    def size(self, dim: int) -> Size | int:
        """Its size in a dimension, a number if it is always the same."""
        fixed = self.grid.step.shape[dim]
        return fixed if fixed > 1 else Size(["size", self.index, dim % self.ndim])


@dataclass(frozen=True)
class Size:
    """A size that is known when the network runs."""

    expression: Expression


Rule = Callable[..., Any]
MODULES: dict[type[nn.Module], Rule] = {}
FUNCTIONS: dict[Any, Rule] = {}
METHODS: dict[str, Rule] = {}
IN_PLACE = (operator.iadd, operator.isub, operator.imul, operator.itruediv)
CREATE = ("zeros", "ones", "full", "tensor", "arange", "eye", "_assert", "_assert_is_none", "eq")


def rule_of(node: fx.Node, module: nn.Module | None) -> Rule | None:
    """What makes a node exact, if something does."""
    if module is not None:
        if norm_of(module) is not None:
            return normalize
        return next((MODULES[kind] for kind in type(module).__mro__ if kind in MODULES), None)
    return METHODS.get(str(node.target)) if node.op == "call_method" else FUNCTIONS.get(node.target)


def depends(*things: Any) -> bool:
    """Whether something in there is known only when the network runs."""
    found = []
    fx.node.map_aggregate(things, lambda x: found.append(isinstance(x, (Value, Size))))
    return any(found)


def value_of(c: _Converter, x: Any) -> Value:
    """A value of the network, also for what does not depend on the input."""
    if isinstance(x, Value):
        return x
    if isinstance(x, (int, float, torch.Tensor)) and not isinstance(x, bool):
        return c.emit(_elementwise.Constant({}, {"value": torch.as_tensor(x).detach()}))
    raise TypeError(f"it takes {type(x).__name__}: expected tensors and numbers")


def register(*names: str, functions: Sequence[Any] = (), modules: Any = None) -> Any:
    """Names a rule as a method of tensors, as functions, and for modules without settings."""

    def decorate(rule: Rule) -> Rule:
        METHODS.update(dict.fromkeys(names, rule))
        FUNCTIONS.update(dict.fromkeys(functions, rule))
        for kind in modules or ():
            MODULES[kind] = lambda c, module, *args: rule(c, *args)
        return rule

    return decorate


# Sums of products


def product(
    c: _Converter,
    x: Value,
    dim: int,
    weights: Weights,
    bias: torch.Tensor,
    make: Callable[[list[torch.Tensor], torch.Tensor], Operation],
    floats: list[torch.Tensor],
) -> Value:
    """An operation with weights, its input rounded before and its output limited after."""
    if not all(bool(torch.isfinite(t).all()) for t in (*weights, bias)):
        raise c.refused("its weights are not all finite")
    bound = x.grid.along(dim).bound
    typical = _seen(c.floats_of(x), dim, bound / c.headroom)
    typical = torch.where(typical > 0, typical, bound / c.headroom)
    groups, outputs, _, inputs = weights[0].shape
    typical = typical.expand(groups * inputs).view(groups, 1, 1, inputs)
    powers = [(w * typical).square().flatten(2).sum(2).flatten() for w in weights]
    likely = torch.stack(powers).amax(0).sqrt() + bias.abs()
    x = c.round(x, room(weights, bias, bound))
    y = c.emit(make(*round_weights(weights, bias, x.grid.along(dim))), x)
    seen = _seen(floats, dim, likely)
    most = c.headroom * torch.maximum(seen, likely)
    shape = [1] * y.ndim
    shape[dim] = groups * outputs
    return c.limit(y, most.view(shape), seen.max().item())


def _seen(floats: list[torch.Tensor] | None, dim: int, otherwise: torch.Tensor) -> torch.Tensor:
    """The largest absolute values along a dimension."""
    if floats is None:
        return otherwise
    moved = [x.abs().movedim(dim, 0).flatten(1).amax(1) for x in floats]
    return torch.stack(moved).amax(0)


def _each(x: Any, dims: int) -> list[int]:
    return [x] * dims if isinstance(x, int) else list(x) * (dims if len(x) == 1 else 1)


def convolve(
    c: _Converter,
    input: Value,  # noqa: A002, as torch names it
    weight: torch.Tensor,
    bias: torch.Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
    floats: list[torch.Tensor] | None = None,
) -> Value:
    """A convolution of one to three dimensions."""
    x, weight, bias, dims = _check_convolution(c, input, weight, bias, 0)
    stride, dilation = _each(stride, dims), _each(dilation, dims)
    spans = [d * (k - 1) for d, k in zip(dilation, weight.shape[2:], strict=True)]
    if isinstance(padding, str):
        ends = [(s // 2, s - s // 2) if padding == "same" else (0, 0) for s in spans]
    else:
        ends = [(p, p) for p in _each(padding, dims)]
    used = weight.abs().flatten(2).amax((0, 1)) > 0
    places = list(itertools.product(*map(range, weight.shape[2:])))
    kept = [i for i, u in enumerate(used.tolist()) if u] or [0]
    taps = [
        [i * d - before for i, d, (before, _) in zip(places[k], dilation, ends, strict=True)]
        for k in kept
    ]
    shape = (groups, len(weight) // groups, weight.shape[1], -1)
    matrices = [weight.reshape(shape).transpose(2, 3)[:, :, kept].contiguous()]
    size = [
        [1, sum(end) - span + s - 1, s] for end, span, s in zip(ends, spans, stride, strict=True)
    ]
    attributes = {
        "groups": groups,
        "read": stride,
        "write": [1] * dims,
        "size": size,
        "phases": [[[0] * dims, taps]],
    }
    return product(
        c, x, 1, matrices, bias, _maker(attributes), c.floats() if floats is None else floats
    )


def convolve_transposed(
    c: _Converter,
    input: Value,  # noqa: A002, as torch names it
    weight: torch.Tensor,
    bias: torch.Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    groups: int = 1,
    dilation: Any = 1,
) -> Value:
    """A transposed convolution: a convolution for each place of a stride."""
    x, weight, bias, dims = _check_convolution(c, input, weight, bias, 1, groups)
    stride, padding, output_padding, dilation = (
        _each(n, dims) for n in (stride, padding, output_padding, dilation)
    )
    shape = (groups, weight.shape[0] // groups, weight.shape[1], -1)
    by_place = weight.reshape(shape).permute(0, 2, 3, 1)  # groups, outputs, places, inputs
    places = list(itertools.product(*map(range, weight.shape[2:])))
    phases, matrices = [], []
    for at in itertools.product(*map(range, stride)):
        kept, taps = [], []
        for k, place in enumerate(places):
            how = zip(at, place, stride, padding, dilation, strict=True)
            offsets = [divmod(a + p - i * d, s) for a, i, s, p, d in how]
            if not any(rest for _, rest in offsets):
                kept.append(k)
                taps.append([tap for tap, _ in offsets])
        phases.append([list(at), taps])
        matrices.append(by_place[:, :, kept].contiguous())
    how = zip(stride, padding, dilation, weight.shape[2:], output_padding, strict=True)
    size = [[s, d * (k - 1) + o + 1 - s - 2 * p, 1] for s, p, d, k, o in how]
    attributes = {
        "groups": groups,
        "read": [1] * dims,
        "write": stride,
        "size": size,
        "phases": phases,
    }
    return product(c, x, 1, matrices, bias, _maker(attributes), c.floats())


def _maker(attributes: dict[str, Any]) -> Callable[[list[torch.Tensor], torch.Tensor], Operation]:
    def make(weights: list[torch.Tensor], bias: torch.Tensor) -> Operation:
        tensors = {f"weight{i}": w for i, w in enumerate(weights)}
        return Correlation(attributes, {**tensors, "bias": bias})

    return make


def _check_convolution(
    c: _Converter, x: Any, weight: Any, bias: Any, out: int, groups: int = 1
) -> tuple[Value, torch.Tensor, torch.Tensor, int]:
    if isinstance(weight, Value) or isinstance(bias, Value) or not isinstance(x, Value):
        raise c.refused("its weights depend on the input")
    if x.ndim != weight.ndim:
        raise c.refused(f"its input has {x.ndim} dimensions: expected {weight.ndim}, with a batch")
    if bias is None:
        bias = torch.zeros(weight.shape[out] * (groups if out else 1), dtype=torch.float64)
    return x, weight.detach(), bias.detach(), weight.ndim - 2


def _convolution_module(c: _Converter, module: Any, x: Value, *more: Any) -> Value:
    if more:
        raise c.refused("it has an output_size: give it output_padding")
    if module.padding_mode != "zeros":
        raise c.refused(
            f"it has padding_mode={module.padding_mode!r}: pad with torch.nn.functional.pad before"
        )
    rule = convolve_transposed if module.transposed else convolve
    names = ["stride", "padding", "dilation", "groups"]
    names += ["output_padding"] if module.transposed else []
    how = {name: getattr(module, name) for name in names}
    return rule(c, x, module.weight, module.bias, **how)


for _kind, _function in CONVOLUTIONS.items():
    MODULES[_kind] = _convolution_module
    FUNCTIONS[_function] = convolve_transposed if "transpose" in _kind.__name__.lower() else convolve


@register(functions=[functional.linear])
def linear(
    c: _Converter,
    input: Value,  # noqa: A002, as torch names it
    weight: torch.Tensor,
    bias: torch.Tensor | None = None,
) -> Value:
    """A matrix product in the last dimension."""
    if isinstance(weight, Value) or isinstance(bias, Value) or not isinstance(input, Value):
        raise c.refused("its weights depend on the input")
    if bias is None:
        bias = torch.zeros(len(weight), dtype=torch.float64)

    def make(weights: list[torch.Tensor], bias: torch.Tensor) -> Operation:
        return Linear({}, {"weight": weights[0][0, :, 0], "bias": bias})

    dim = input.ndim - 1
    return product(
        c, input, dim, [weight.detach()[None, :, None]], bias.detach(), make, c.floats()
    )


MODULES[nn.Linear] = lambda c, module, x: linear(c, x, module.weight, module.bias)


@register("matmul", functions=[operator.matmul, torch.matmul])
def matmul(c: _Converter, x: Any, other: Any) -> Value:
    """A product with a matrix of weights."""
    if not isinstance(x, Value) or isinstance(other, Value) or other.ndim != 2:
        raise c.refused("it is a product of two values: of values and a matrix of weights it may be")
    return linear(c, x, other.T)


def normalize(c: _Converter, module: nn.Module, x: Value) -> Value:
    """A generalized divisive normalization, or its inverse."""
    norm = norm_of(module)
    assert norm is not None
    beta, gamma = norm["beta"], norm["gamma"][..., None, None]
    least = beta.min().item()
    if not least > 0 and not norm["inverse"]:
        raise c.refused(f"it divides by what may be 0: its beta is {least}")
    inputs = c.floats_of(x)
    assert inputs is not None
    if norm["squares"]:
        powers, seen = c.emit(_elementwise.Multiply({}), x, x), [t.square() for t in inputs]
    else:
        powers, seen = c.emit(_elementwise.Absolute({}), x), [t.abs() for t in inputs]
    sums = [functional.conv2d(t, gamma, beta) for t in seen]
    y = convolve(c, powers, gamma, beta, floats=sums)
    if norm["squares"]:
        y, least = c.emit(_elementwise.SquareRoot({}), y), math.sqrt(max(least, 0.0))
    if norm["inverse"]:
        return limited(c, c.emit(_elementwise.Multiply({}), x, y))
    smallest = power_of_two(torch.tensor([least], dtype=torch.float64), above=False).item()
    return limited(c, c.emit(_elementwise.Divide({"least": smallest}), x, y))


def batch_norm(c: _Converter, module: Any, x: Value) -> Value:
    """A factor and a term for each channel."""
    scale, shift = scale_and_shift(module)
    shape = (-1, *(1 for _ in range(x.ndim - 2)))
    y = c.emit(_elementwise.Multiply({}), x, value_of(c, scale.view(shape)))
    return c.emit(_elementwise.Add({}), y, value_of(c, shift.view(shape)))


def scale_and_shift(module: Any) -> tuple[torch.Tensor, torch.Tensor]:
    """What a BatchNorm does after training."""
    if module.running_mean is None:
        raise ValueError("it has no running mean, so its output depends on the whole batch")
    scale = (module.running_var + module.eps).rsqrt()
    scale = scale if module.weight is None else scale * module.weight
    shift = -module.running_mean * scale
    return scale.detach(), (shift if module.bias is None else shift + module.bias).detach()


for _kind in (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d):
    MODULES[_kind] = batch_norm


def fold_norms(traced: fx.GraphModule) -> None:
    """Puts each BatchNorm that follows a convolution or a Linear into its weights."""
    calls = [n for n in traced.graph.nodes if n.op == "call_module"]
    for node in calls:
        norm, before = traced.get_submodule(str(node.target)), node.args[0]
        if not isinstance(norm, nn.modules.batchnorm._BatchNorm) or norm.running_mean is None:
            continue
        if not isinstance(before, fx.Node) or before.op != "call_module" or len(before.users) > 1:
            continue
        layer: Any = traced.get_submodule(str(before.target))
        once = sum(n.target == before.target for n in calls) == 1
        if not once or type(layer) not in (*CONVOLUTIONS, nn.Linear):
            continue
        scale, shift = scale_and_shift(norm)
        weight, transposed = layer.weight, getattr(layer, "transposed", False)
        if transposed:
            by_group = weight.reshape(layer.groups, -1, *weight.shape[1:])
            factor = scale.view(layer.groups, 1, -1, *(1 for _ in weight.shape[2:]))
            weight = (by_group * factor).reshape(weight.shape)
        else:
            weight = weight * scale.view(-1, *(1 for _ in weight.shape[1:]))
        bias = shift if layer.bias is None else layer.bias * scale + shift
        layer.weight, layer.bias = (
            nn.Parameter(t.detach(), requires_grad=False) for t in (weight, bias)
        )
        node.replace_all_uses_with(before)
        traced.graph.erase_node(node)


# Element by element


def limited(c: _Converter, y: Value) -> Value:
    """Limits a product, whose bound may be far beyond what was seen."""
    dims = [n > 1 for n in y.grid.bound.shape]
    if sum(dims) == 1:
        dim = dims.index(True)
        seen = _seen(c.floats(), dim, y.grid.bound)
        most = c.headroom**2 * seen.view([-1 if d else 1 for d in dims])
    else:
        most = torch.full_like(y.grid.bound, max(x.abs().max().item() for x in c.floats()))
        seen, most = most, c.headroom**2 * most
    most = torch.where(most > 0, most, y.grid.bound)
    return c.limit(y, most, seen.max().item())


def _arithmetic(name: str, operation: type[Operation]) -> Rule:
    def rule(c: _Converter, input: Any, other: Any, alpha: float = 1) -> Any:  # noqa: A002
        if any(isinstance(x, Size) for x in (input, other)):
            if name == "true_divide" or any(isinstance(x, (Value, float)) for x in (input, other)):
                raise c.refused("it computes with the size of a value: take whole numbers")
            pair = (x.expression if isinstance(x, Size) else x for x in (input, other))
            return Size([name, *pair])
        if alpha != 1:
            raise c.refused("it has alpha: multiply before")
        y = c.emit(operation({}), value_of(c, input), value_of(c, other))
        return limited(c, y) if isinstance(input, Value) and isinstance(other, Value) and (
            name == "multiply"
        ) else y

    return rule


add = _arithmetic("add", _elementwise.Add)
subtract = _arithmetic("subtract", _elementwise.Subtract)
multiply = _arithmetic("multiply", _elementwise.Multiply)
register("add", "add_", functions=[operator.add, operator.iadd, torch.add])(add)
register("sub", "sub_", functions=[operator.sub, operator.isub, torch.sub])(subtract)
register("mul", "mul_", functions=[operator.mul, operator.imul, torch.mul])(multiply)


@register("div", "div_", functions=[operator.truediv, operator.itruediv, torch.div])
def divide(c: _Converter, input: Any, other: Any) -> Any:  # noqa: A002, as torch names it
    """Multiplies by the reciprocal of a constant."""
    if isinstance(input, Size) or isinstance(other, (Value, Size)):
        raise c.refused("it divides by a value, which may be 0: divide by a constant")
    return multiply(c, input, 1 / other)


def _of_sizes(name: str) -> Rule:
    def rule(c: _Converter, a: Any, b: Any) -> Size:
        if any(isinstance(x, (Value, float, torch.Tensor)) for x in (a, b)):
            raise c.refused("it is not known to be exact")
        pair = (x.expression if isinstance(x, Size) else x for x in (a, b))
        return Size([name, *pair])

    return rule


FUNCTIONS[operator.floordiv] = _of_sizes("divide")
FUNCTIONS[operator.mod] = _of_sizes("modulo")


@register("neg", functions=[operator.neg, torch.neg])
def negate(c: _Converter, input: Any) -> Any:  # noqa: A002, as torch names it
    """The same with the other sign."""
    return multiply(c, input, -1.0)


@register("square", functions=[torch.square])
def square(c: _Converter, input: Value) -> Value:  # noqa: A002, as torch names it
    """The product of a value with itself."""
    return multiply(c, input, input)


@register("pow", functions=[operator.pow, torch.pow])
def power(c: _Converter, input: Any, exponent: Any) -> Value:  # noqa: A002
    """A square."""
    if exponent != 2 or not isinstance(input, Value):
        raise c.refused("it is a power other than 2")
    return square(c, input)


@register("abs", functions=[torch.abs, operator.abs])
def absolute(c: _Converter, input: Value) -> Value:  # noqa: A002, as torch names it
    """The absolute value."""
    return c.emit(_elementwise.Absolute({}), input)


@register("relu", "relu_", functions=[functional.relu, torch.relu], modules=[nn.ReLU])
def relu(c: _Converter, input: Value, inplace: bool = False) -> Value:  # noqa: A002
    """What is above 0."""
    return c.emit(_elementwise.Leaky({"slope": 0.0}), input)


@register(functions=[functional.leaky_relu])
def leaky_relu(
    c: _Converter,
    input: Value,  # noqa: A002, as torch names it
    negative_slope: float = 0.01,
    inplace: bool = False,
) -> Value:
    """What is below 0 multiplied by a slope."""
    return c.emit(_elementwise.Leaky({"slope": float(negative_slope)}), input)


MODULES[nn.LeakyReLU] = lambda c, module, x: leaky_relu(c, x, module.negative_slope)


@register("clamp", "clamp_", "clip", functions=[torch.clamp, torch.clip])
def clamp(
    c: _Converter,
    input: Value,  # noqa: A002, as torch names it
    min: Any = None,  # noqa: A002
    max: Any = None,  # noqa: A002
) -> Value:
    """Within limits."""
    if any(not (x is None or isinstance(x, (int, float))) for x in (min, max)):
        raise c.refused("its limits are not numbers")
    least, most = (None if x is None else float(x) for x in (min, max))
    return c.emit(_elementwise.Clamp({"least": least, "most": most}), input)


@register(functions=[functional.hardtanh])
def hardtanh(
    c: _Converter,
    input: Value,  # noqa: A002, as torch names it
    min_val: float = -1.0,
    max_val: float = 1.0,
    inplace: bool = False,
) -> Value:
    """Within limits, by its other name."""
    return clamp(c, input, min_val, max_val)


@register(functions=[functional.relu6], modules=[nn.ReLU6])
def relu6(c: _Converter, input: Value, inplace: bool = False) -> Value:  # noqa: A002
    """From 0 to 6."""
    return clamp(c, input, 0, 6)


MODULES[nn.Hardtanh] = lambda c, module, x: hardtanh(c, x, module.min_val, module.max_val)


def curve(function: Callable[..., torch.Tensor], *, ramp: bool) -> Rule:
    """A rule for a function that a table has."""

    def rule(c: _Converter, input: Value, *args: Any, **kwargs: Any) -> Value:  # noqa: A002
        kwargs.pop("inplace", None)
        ends = torch.tensor([-16.0, 16.0], dtype=torch.float64)
        far = ends * 4
        y, there = function(ends, *args, **kwargs), function(far, *args, **kwargs)
        straight = far.clamp(min=0) - ends.clamp(min=0) if ramp else 0.0
        if not bool(((there - y - straight).abs() < 1e-5).all()):
            raise c.refused("it is not straight beyond -16 and 16: take its default settings")
        return c.emit(tabulate(lambda x: function(x, *args, **kwargs), ramp=ramp), input)

    return rule


for _name, _function, _ramp, _class in (
    ("sigmoid", torch.sigmoid, False, nn.Sigmoid),
    ("tanh", torch.tanh, False, nn.Tanh),
    ("silu", functional.silu, True, nn.SiLU),
    ("gelu", functional.gelu, True, nn.GELU),
    ("softplus", functional.softplus, True, nn.Softplus),
):
    _rule = curve(_function, ramp=_ramp)
    FUNCTIONS[_function] = FUNCTIONS[getattr(functional, _name)] = _rule
    METHODS[_name] = METHODS[f"{_name}_"] = _rule
    MODULES[_class] = lambda c, module, x, ramp=_ramp: curve(module, ramp=ramp)(c, x)


# Pooling


def _window(kernel: Any, stride: Any, padding: Any, dims: int) -> dict[str, list[int]]:
    names = {"kernel": kernel, "stride": kernel if stride is None else stride, "padding": padding}
    return {name: _each(x, dims) for name, x in names.items()}


def _average_pool(dims: int) -> Rule:
    def rule(
        c: _Converter,
        input: Value,  # noqa: A002, as torch names it
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> Value:
        if ceil_mode or divisor_override is not None or input.ndim != dims + 2:
            raise c.refused("it has ceil_mode, a divisor of its own, or an input without a batch")
        attributes: dict[str, Any] = _window(kernel_size, stride or None, padding, dims)
        attributes["outside"] = count_include_pad
        x = c.round(input, _pooling.bits_for(math.prod(attributes["kernel"])))
        return c.emit(_pooling.AveragePool(attributes), x)

    return rule


def _largest_pool(dims: int) -> Rule:
    def rule(
        c: _Converter,
        input: Value,  # noqa: A002, as torch names it
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        dilation: Any = 1,
        ceil_mode: bool = False,
        return_indices: bool = False,
    ) -> Value:
        if ceil_mode or return_indices or input.ndim != dims + 2:
            raise c.refused("it has ceil_mode, returns indices, or has an input without a batch")
        attributes: dict[str, Any] = _window(kernel_size, stride or None, padding, dims)
        attributes["dilation"] = _each(dilation, dims)
        return c.emit(_pooling.MaxPool(attributes), input)

    return rule


def _mean_of_all(c: _Converter, input: Value, output_size: Any) -> Value:  # noqa: A002
    if set(output_size if isinstance(output_size, (tuple, list)) else [output_size]) != {1}:
        raise c.refused("it has an output size other than 1")
    return mean(c, input, list(range(2, input.ndim)), keepdim=True)


@register("mean", functions=[torch.mean])
def mean(
    c: _Converter,
    input: Value,  # noqa: A002, as torch names it
    dim: Any = None,
    keepdim: bool = False,
) -> Value:
    """The mean all along some dimensions."""
    dims = range(input.ndim) if dim is None else [dim] if isinstance(dim, int) else dim
    found = sorted({d % input.ndim for d in dims})
    x = c.round(input, _pooling.bits_for(_pooling.MOST_VALUES))
    return c.emit(_pooling.Mean({"dims": found, "keep": keepdim}), x)


for _dims, _classes in enumerate(
    (
        (nn.AvgPool1d, nn.MaxPool1d, nn.AdaptiveAvgPool1d),
        (nn.AvgPool2d, nn.MaxPool2d, nn.AdaptiveAvgPool2d),
        (nn.AvgPool3d, nn.MaxPool3d, nn.AdaptiveAvgPool3d),
    ),
    1,
):
    FUNCTIONS[getattr(functional, f"avg_pool{_dims}d")] = _average_pool(_dims)
    FUNCTIONS[getattr(functional, f"max_pool{_dims}d")] = _largest_pool(_dims)
    FUNCTIONS[getattr(functional, f"adaptive_avg_pool{_dims}d")] = _mean_of_all

    def _average_module(c: _Converter, m: Any, x: Value, rule: Rule = _average_pool(_dims)) -> Value:
        divisor = getattr(m, "divisor_override", None)
        how = (m.kernel_size, m.stride, m.padding, m.ceil_mode, m.count_include_pad, divisor)
        return rule(c, x, *how)

    def _largest_module(c: _Converter, m: Any, x: Value, rule: Rule = _largest_pool(_dims)) -> Value:
        how = (m.kernel_size, m.stride, m.padding, m.dilation, m.ceil_mode, m.return_indices)
        return rule(c, x, *how)

    MODULES[_classes[0]] = _average_module
    MODULES[_classes[1]] = _largest_module
    MODULES[_classes[2]] = lambda c, module, x: _mean_of_all(c, x, module.output_size)


# Shapes


@register(
    "contiguous",
    "clone",
    "detach",
    "float",
    "double",
    functions=[torch.clone],
    modules=[nn.Identity, nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout],
)
def same(c: _Converter, input: Any, **_: Any) -> Any:  # noqa: A002, as torch names it
    """The same."""
    return input


@register(functions=[functional.dropout])
def dropout(
    c: _Converter,
    input: Value,  # noqa: A002, as torch names it
    p: float = 0.5,
    training: bool = True,
    inplace: bool = False,
) -> Value:
    """The same, after training."""
    if training and p:
        raise c.refused("it drops values also in evaluation: give it training=self.training")
    return input


@register(functions=[getattr])
def attribute(c: _Converter, x: Value, name: str) -> Any:
    """The shape of a value."""
    if name == "shape":
        return sizes(c, x)
    if name == "ndim":
        return x.ndim
    raise c.refused(f"it takes the attribute {name}")


@register("size")
def sizes(c: _Converter, x: Value, dim: int | None = None) -> Any:
    """The sizes of a value, or one of them."""
    return tuple(x.size(d) for d in range(x.ndim)) if dim is None else x.size(dim)


@register("dim")
def ndim(c: _Converter, x: Value) -> int:
    """The number of dimensions of a value."""
    return x.ndim


@register("view", "reshape", functions=[torch.reshape])
def reshape(c: _Converter, input: Value, *shape: Any) -> Value:  # noqa: A002
    """To another shape."""
    items = list(shape[0] if len(shape) == 1 and isinstance(shape[0], (tuple, list)) else shape)
    if any(not isinstance(item, (int, Size)) for item in items):
        raise c.refused("its shape is not of whole numbers")
    kept = 0
    for item, fixed in zip(items, input.grid.step.shape, strict=False):
        if isinstance(item, Size):
            same_place = isinstance(item.expression, list) and item.expression[0] == "size"
            if not same_place or item.expression[2] != kept:  # type: ignore[index]
                break
        elif item != fixed or fixed == 1:
            break
        kept += 1
    listed = [item.expression if isinstance(item, Size) else item for item in items]
    return c.emit(_shapes.Reshape({"shape": listed, "kept": kept}), input)


def _all_sizes(x: Value) -> list[Any]:
    return [x.size(d) for d in range(x.ndim)]


@register("flatten", functions=[torch.flatten])
def flatten(c: _Converter, input: Value, start_dim: int = 0, end_dim: int = -1) -> Value:  # noqa: A002
    """Several dimensions as one."""
    all_sizes, start, end = _all_sizes(input), start_dim % input.ndim, end_dim % input.ndim
    return reshape(c, input, [*all_sizes[:start], -1, *all_sizes[end + 1 :]])


MODULES[nn.Flatten] = lambda c, module, x: flatten(c, x, module.start_dim, module.end_dim)


@register("unflatten", functions=[torch.unflatten] if hasattr(torch, "unflatten") else [])
def unflatten(c: _Converter, input: Value, dim: int, sizes: Any) -> Value:  # noqa: A002
    """A dimension as several."""
    all_sizes, dim = _all_sizes(input), dim % input.ndim
    return reshape(c, input, [*all_sizes[:dim], *sizes, *all_sizes[dim + 1 :]])


MODULES[nn.Unflatten] = lambda c, module, x: unflatten(c, x, module.dim, module.unflattened_size)


@register("squeeze", functions=[torch.squeeze])
def squeeze(c: _Converter, input: Value, dim: int | None = None) -> Value:  # noqa: A002
    """Without a dimension of size 1."""
    if dim is None:
        raise c.refused("it may take away any dimension: name one")
    all_sizes, dim = _all_sizes(input), dim % input.ndim
    if c.floats()[0].ndim == input.ndim:
        return input
    return reshape(c, input, [*all_sizes[:dim], *all_sizes[dim + 1 :]])


@register("unsqueeze", functions=[torch.unsqueeze])
def unsqueeze(c: _Converter, input: Value, dim: int) -> Value:  # noqa: A002
    """With one more dimension of size 1."""
    items: list[Any] = [slice(None)] * input.ndim
    items.insert(dim % (input.ndim + 1), None)
    return index(c, input, tuple(items))


@register("permute", functions=[torch.permute])
def permute(c: _Converter, input: Value, *dims: Any) -> Value:  # noqa: A002
    """The dimensions in another order."""
    listed = dims[0] if len(dims) == 1 and isinstance(dims[0], (tuple, list)) else dims
    return c.emit(_shapes.Permute({"dims": [d % input.ndim for d in listed]}), input)


@register("transpose", "swapaxes", functions=[torch.transpose])
def transpose(c: _Converter, input: Value, dim0: int, dim1: int) -> Value:  # noqa: A002
    """Two dimensions swapped."""
    dims = list(range(input.ndim))
    dims[dim0], dims[dim1] = dims[dim1], dims[dim0]
    return permute(c, input, dims)


@register(functions=[operator.getitem])
def index(c: _Converter, x: Any, items: Any) -> Any:
    """A part of a value, or one of several."""
    if not isinstance(x, Value):
        return x[items]
    items = list(items) if isinstance(items, tuple) else [items]
    rest = x.ndim - sum(item is not None and item is not Ellipsis for item in items)
    if any(item is Ellipsis for item in items):
        at = next(i for i, item in enumerate(items) if item is Ellipsis)
        items[at : at + 1] = [slice(None)] * rest
    else:
        items += [slice(None)] * rest
    listed: list[Any] = []
    for item in items:
        if isinstance(item, slice):
            ends = [e.expression if isinstance(e, Size) else e for e in (item.start, item.stop)]
            if any(not (e is None or isinstance(e, (int, list))) for e in ends):
                raise c.refused("it takes a slice that depends on values")
            listed.append([*ends, 1 if item.step is None else item.step])
        elif item is None:
            listed.append("new")
        elif isinstance(item, int) and not isinstance(item, bool):
            listed.append(item)
        else:
            raise c.refused("it selects by values: take slices and whole numbers")
    return c.emit(_shapes.Index({"items": listed}), x)


@register("narrow", functions=[torch.narrow])
def narrow(c: _Converter, input: Value, dim: int, start: int, length: int) -> Value:  # noqa: A002
    """A slice in one dimension."""
    items: list[Any] = [slice(None)] * input.ndim
    items[dim] = slice(start, start + length)
    return index(c, input, tuple(items))  # type: ignore[no-any-return]


@register(functions=[torch.cat, torch.concat])
def concatenate(c: _Converter, tensors: Any, dim: int = 0) -> Value:
    """Values one after the other."""
    values = [value_of(c, x) for x in tensors]
    dim %= values[0].ndim
    floats = [c.floats_of(x) for x in values]
    found: list[int] | None = None
    if any(x.grid.step.shape[dim] > 1 for x in values):
        found = [
            x.grid.step.shape[dim] if f is None else f[0].shape[dim]
            for x, f in zip(values, floats, strict=True)
        ]
    return c.emit(_shapes.Concatenate({"dim": dim, "sizes": found}), *values)


@register("chunk", functions=[torch.chunk])
def chunk(c: _Converter, input: Value, chunks: int, dim: int = 0) -> list[Value]:  # noqa: A002
    """Equal parts of a value."""
    return _split(c, input, chunks, dim, len(c.floats()[0]))


@register("split", functions=[torch.split])
def split(c: _Converter, tensor: Value, split_size_or_sections: Any, dim: int = 0) -> list[Value]:
    """Parts of a value, of given sizes."""
    parts = split_size_or_sections
    if isinstance(parts, int):
        parts = [x.shape[dim] for x in c.floats()[0]]
    if any(not isinstance(part, int) for part in parts):
        raise c.refused("it has parts of sizes that are not always the same: use chunk")
    return _split(c, tensor, list(parts), dim, len(parts))


def _split(c: _Converter, x: Value, parts: Any, dim: int, count: int) -> list[Value]:
    made = [{"dim": dim % x.ndim, "parts": parts, "at": at} for at in range(count)]
    return [c.emit(_shapes.Split(attributes), x) for attributes in made]


@register(functions=[functional.pixel_shuffle, torch.pixel_shuffle])
def pixel_shuffle(c: _Converter, input: Value, upscale_factor: int) -> Value:  # noqa: A002
    """Channels to places."""
    return c.emit(_shapes.PixelShuffle({"factor": upscale_factor}), input)


@register(functions=[functional.pixel_unshuffle, torch.pixel_unshuffle])
def pixel_unshuffle(c: _Converter, input: Value, downscale_factor: int) -> Value:  # noqa: A002
    """Places to channels."""
    return c.emit(_shapes.PixelUnshuffle({"factor": downscale_factor}), input)


MODULES[nn.PixelShuffle] = lambda c, module, x: pixel_shuffle(c, x, module.upscale_factor)
MODULES[nn.PixelUnshuffle] = lambda c, module, x: pixel_unshuffle(c, x, module.downscale_factor)


@register(functions=[functional.interpolate])
def interpolate(
    c: _Converter,
    input: Value,  # noqa: A002, as torch names it
    size: Any = None,
    scale_factor: Any = None,
    mode: str = "nearest",
    *_: Any,
) -> Value:
    """Each value several times."""
    if size is not None or mode not in ("nearest", "nearest-exact"):
        raise c.refused(f"it has mode={mode!r} or a size: take mode='nearest' and a scale_factor")
    dims = input.ndim - 2
    factors = [scale_factor] * dims if isinstance(scale_factor, (int, float)) else scale_factor
    if any(f != int(f) or f < 1 for f in factors):
        raise c.refused(f"it has the scale_factor {scale_factor}: expected whole numbers")
    return c.emit(_shapes.Repeat({"factors": [int(f) for f in factors]}), input)


def _upsample(c: _Converter, module: Any, x: Value) -> Value:
    return interpolate(c, x, module.size, module.scale_factor, module.mode)


MODULES[nn.Upsample] = MODULES[nn.UpsamplingNearest2d] = _upsample


@register(functions=[functional.pad])
def pad(
    c: _Converter,
    input: Value,  # noqa: A002, as torch names it
    pad: Any,
    mode: str = "constant",
    value: float | None = None,
) -> Value:
    """More values at the ends."""
    attributes = {"amounts": list(pad), "mode": mode, "value": float(value or 0.0)}
    return c.emit(_shapes.Pad(attributes), input)


for _dims in (1, 2, 3):
    for _kind_name, _mode in (
        ("ConstantPad", "constant"),
        ("ReflectionPad", "reflect"),
        ("ReplicationPad", "replicate"),
    ):
        MODULES[getattr(nn, f"{_kind_name}{_dims}d")] = lambda c, module, x, mode=_mode: pad(
            c, x, module.padding, mode, getattr(module, "value", None)
        )
