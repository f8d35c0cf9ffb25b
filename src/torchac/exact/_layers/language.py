"""Embeddings, norms of the last dimension, and softmax attention."""

from __future__ import annotations

import math
import operator
from dataclasses import replace
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from torchac.exact import _rewritten
from torchac.exact._grid import TINY, power_of_two
from torchac.exact._layers.arithmetic import SCORES, limited
from torchac.exact._layers.products import linear
from torchac.exact._layers.registry import (
    FUNCTIONS,
    MODULES,
    Attending,
    Converter,
    Mask,
    Positions,
    Value,
    Weights,
    register,
    value_of,
)
from torchac.exact._layers.shapes import rows, transpose
from torchac.exact._operations import elementwise
from torchac.exact._operations.language import (
    PLACES,
    WEIGHT_STEP,
    Attention,
    Embedding,
    Norm,
    tabulate_weights,
)

_LEAST_KEYS = 1 << 12
"""A longer text has more places for attention than the batches."""

_BITS = 52
"""The bits of exact sums, minus those that proofs round."""

_FAR_BELOW = -1e4
"""What is added to a score for 0 as its weight."""


@register(functions=[functional.embedding])
def embedding(
    c: Converter,
    input: Any,  # noqa: A002, as torch names it
    weight: Any,
    padding_idx: int | None = None,
    max_norm: float | None = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> Value:
    """Rows of weights, by tokens or by positions."""
    if max_norm is not None or not isinstance(weight, torch.Tensor):
        raise c.refused("it has max_norm, or weights that depend on the input: expected neither")
    if not bool(torch.isfinite(weight).all()):
        raise c.refused("its weights are not all finite")
    if isinstance(input, Positions):
        return rows(c, weight, input)
    return c.emit(Embedding({}, {"weight": weight.detach()}), input)


MODULES[nn.Embedding] = lambda c, module, x: embedding(
    c, x, module.weight, max_norm=module.max_norm
)


def _norm(
    c: Converter, x: Value, weight: Any, bias: Any, eps: float, centered: bool, shape: Any
) -> Value:
    """A LayerNorm or an RMSNorm."""
    if len(shape) != 1:
        raise c.refused(f"it is over the dimensions {tuple(shape)}: expected the last one alone")
    tensors = {"weight": weight, "bias": bias}
    given = {name: t.detach() for name, t in tensors.items() if t is not None}
    if not all(bool(torch.isfinite(t).all()) for t in given.values()):
        raise c.refused("its weights are not all finite")
    size = int(shape[0])
    x = c.round(x, math.floor(_BITS - math.log2(size)), range(x.ndim))
    grid = x.grid.collapse(range(x.ndim))
    least = (grid.bound * math.sqrt(size) * 2.0**-26).clamp(min=TINY)
    coarse = power_of_two(least, above=True).item()
    attributes = {"size": size, "centered": centered, "coarse": coarse, "eps": float(eps)}
    return c.emit(Norm(attributes, given), x)


@register(functions=[functional.layer_norm])
def layer_norm(
    c: Converter,
    input: Value,  # noqa: A002, as torch names it
    normalized_shape: Any,
    weight: Any = None,
    bias: Any = None,
    eps: float = 1e-5,
) -> Value:
    """Subtracts the mean, and divides by the standard deviation."""
    return _norm(c, input, weight, bias, eps, True, list(normalized_shape))


MODULES[nn.LayerNorm] = lambda c, module, x: _norm(
    c, x, module.weight, module.bias, module.eps, True, module.normalized_shape
)


def rms_norm(
    c: Converter,
    input: Value,  # noqa: A002, as torch names it
    normalized_shape: Any,
    weight: Any = None,
    eps: float | None = None,
) -> Value:
    """Divides by the root of the mean of squares."""
    eps = torch.finfo(torch.float32).eps if eps is None else eps
    return _norm(c, input, weight, None, eps, False, list(normalized_shape))


if hasattr(nn, "RMSNorm"):  # from torch 2.4 on
    FUNCTIONS[functional.rms_norm] = rms_norm
    MODULES[nn.RMSNorm] = lambda c, module, x: rms_norm(
        c, x, module.normalized_shape, module.weight, module.eps
    )


@register("sqrt", functions=[torch.sqrt])
def square_root(c: Converter, input: Value) -> Value:  # noqa: A002, as torch names it
    """The square root; that of negative numbers is 0."""
    if min(x.min().item() for x in c.floats_of(input) or [torch.zeros(1)]) < 0:
        raise c.refused("it takes a root of negative numbers: clamp its input before")
    return c.emit(elementwise.SquareRoot({}), input)


@register("rsqrt", functions=[torch.rsqrt])
def reciprocal_root(c: Converter, input: Value) -> Value:  # noqa: A002, as torch names it
    """One over the square root, of numbers that are not much smaller than in the batches."""
    floats = c.floats()
    largest = max(x.max().item() for x in floats)
    if not math.isfinite(largest) or not largest > 0:
        raise c.refused("it takes a root of 0, or of negative numbers: clamp its input before")
    least = torch.tensor([1 / (largest * c.headroom)], dtype=torch.float64)
    least = power_of_two(least, above=False)
    root = c.emit(elementwise.SquareRoot({}), input)
    y = c.emit(elementwise.Divide({"least": least.item()}), value_of(c, 1.0), root)
    return limited(c, y)


# Attention


@register(functions=[functional.scaled_dot_product_attention])
def attention(
    c: Converter,
    query: Value,
    key: Value,
    value: Value,
    attn_mask: Any = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Value:
    """Softmax attention to all places, or to those before."""
    if dropout_p:
        raise c.refused("it drops values also in evaluation: give it 0.0 if not self.training")
    if enable_gqa:
        raise c.refused("it has enable_gqa: repeat keys and values before")
    if not all(isinstance(x, Value) for x in (query, key, value)):
        raise c.refused("it takes weights as values: expected what depends on the input")
    scores = _scores(c, query, key, c.floats_of(key) or [])
    scores = _scale(c, scores, 1 / math.sqrt(scores.size) if scale is None else scale)
    if attn_mask is not None:
        is_causal = _is_causal(c, attn_mask)
    return attend(c, replace(scores, causal=is_causal, softmax=True), value)


@register(functions=[_rewritten.attend])
def attention_of_module(c: Converter, q: Value, k: Value, v: Value, mask: Any) -> Value:
    """The part of nn.MultiheadAttention between its products with weights."""
    if isinstance(mask, Mask):
        mask = Mask([~m if m.dtype == torch.bool else m for m in mask.floats])
    elif isinstance(mask, torch.Tensor) and mask.dtype == torch.bool:
        mask = ~mask
    return attention(c, q, k, v, mask)


@register(functions=[_rewritten.no_weights])
def no_weights(c: Converter, y: Value) -> tuple[Value, Weights]:
    """The result of nn.MultiheadAttention."""
    return y, Weights()


def _scores(c: Converter, q: Value, k: Value, floats: list[torch.Tensor]) -> Attending:
    """Scores `q @ k`, with the numbers of `k` in the batches."""
    if not floats:
        raise c.refused("it takes a value that was changed in place: make a new value instead")
    return Attending(q, k, floats[0].shape[-1], max(x.shape[-2] for x in floats))


def attend(c: Converter, scores: Attending, v: Value) -> Value:
    """Means of values, weighted by the softmax of scores."""
    if not scores.softmax:
        raise c.refused("it multiplies scores of attention that no softmax follows")
    keys = max(_LEAST_KEYS, 1 << (scores.keys - 1).bit_length())
    scale = torch.tensor(scores.scale * PLACES, dtype=torch.float64)
    q = c.emit(elementwise.Multiply({}), scores.q, value_of(c, scale))
    bits = math.floor((_BITS - math.log2(scores.size)) / 2)
    q, k = (c.round(x, bits, range(x.ndim)) for x in (q, scores.k))
    bits = math.floor(_BITS + math.log2(WEIGHT_STEP) - math.log2(keys))
    v = c.round(v, bits, [d for d in range(v.ndim) if d != v.ndim - 1])
    attributes = {"size": scores.size, "keys": keys, "causal": scores.causal}
    return c.emit(Attention(attributes, {"table": tabulate_weights()}), q, k, v)


@register("matmul", functions=[operator.matmul, torch.matmul])
def matmul(c: Converter, input: Any, other: Any) -> Value | Attending:  # noqa: A002
    """A product with a matrix of weights; scores of attention, or weights of it times values."""
    if isinstance(input, Attending):
        if not isinstance(other, Value):
            raise c.refused("it multiplies weights of attention with constants: expected values")
        return attend(c, input, other)
    if isinstance(input, Value) and isinstance(other, Value):
        turned = transpose(c, other, -2, -1)
        return _scores(c, input, turned, [x.mT for x in c.floats_of(other) or []])
    if not isinstance(input, Value) or not isinstance(other, torch.Tensor) or other.ndim != 2:
        raise c.refused("it is neither a product with a matrix of weights nor one of attention")
    return linear(c, input, other.T)


def _scale(c: Converter, scores: Attending, factor: Any) -> Attending:
    """Scores times a number."""
    if scores.softmax:
        raise c.refused("it multiplies what a softmax gives, other than with values")
    if isinstance(factor, torch.Tensor) and factor.numel() == 1:
        factor = factor.item()
    if not isinstance(factor, (int, float)):
        raise c.refused("it scales scores of attention by something other than a number")
    return replace(scores, scale=scores.scale * factor)


def _mask(c: Converter, scores: Attending, mask: Any) -> Attending:
    """Scores of the places before, if a mask leaves these."""
    if scores.softmax:
        raise c.refused("it masks what a softmax gives: mask the scores before")
    causal = _is_causal(c, mask)
    return replace(scores, causal=causal or scores.causal)


def _is_causal(c: Converter, mask: Any) -> bool:
    """Whether a mask leaves the places before; False if it leaves all; raises if neither."""
    floats = mask.floats if isinstance(mask, Mask) else [mask]
    if not all(isinstance(m, torch.Tensor) and m.ndim >= 2 for m in floats):
        raise c.refused("its mask depends on the input: take is_causal=True")
    seen = [m if m.dtype == torch.bool else m > _FAR_BELOW for m in floats]
    if any(bool(((m != 0) & (m > _FAR_BELOW)).any()) for m in floats if m.dtype != torch.bool):
        raise c.refused("it adds numbers to scores: expected 0 and -inf, as a mask has them")
    for m in seen:
        n, k = m.shape[-2:]
        if n != k or not bool((m == torch.ones(n, n, dtype=torch.bool).tril()).all()):
            raise c.refused("its mask is not that of what comes before: take is_causal=True")
    if not isinstance(mask, Mask) or max(m.shape[-2] for m in seen) < 2:
        raise c.refused("its mask has one size, or one place: slice it by the length of the input")
    return True


@register("softmax", functions=[functional.softmax, torch.softmax])
def softmax(c: Converter, input: Any, dim: int | None = None, *_: Any, **__: Any) -> Attending:  # noqa: A002
    """The weights of attention."""
    if not isinstance(input, Attending) or input.softmax:
        raise c.refused(
            "it is not known to be exact, except between the two products of attention. If it "
            "gives probabilities to code with, return its input, for Categorical(logits=...)"
        )
    if dim not in (-1, input.q.ndim - 1):
        raise c.refused(f"it is a softmax in dimension {dim}: expected the last")
    return replace(input, softmax=True)


MODULES[nn.Softmax] = lambda c, module, x: softmax(c, x, module.dim)


@register("masked_fill", "masked_fill_")
def masked_fill(c: Converter, input: Any, mask: Any, value: Any) -> Any:  # noqa: A002
    """Scores of the places before."""
    if not isinstance(input, Attending) or not isinstance(value, (int, float)):
        raise c.refused("it fills values by a mask, which is known for scores of attention only")
    if not value <= _FAR_BELOW:
        raise c.refused(f"it fills scores with {value}: expected -inf")
    if not isinstance(mask, Mask):
        raise c.refused("its mask has one size: slice it by the length of the input")
    return _mask(c, input, Mask([m == 0 for m in mask.floats]))


@register(functions=[torch.where])
def where(c: Converter, condition: Any, input: Any, other: Any) -> Any:  # noqa: A002
    """Scores of the places before."""
    other = other.item() if isinstance(other, torch.Tensor) and other.numel() == 1 else other
    if not isinstance(condition, Mask):
        raise c.refused(
            "it selects by values, which is known for scores of attention and a mask only"
        )
    return masked_fill(c, input, Mask([m == 0 for m in condition.floats]), other)


SCORES["multiply"] = _scale
SCORES["divide"] = lambda c, scores, divisor: _scale(c, scores, 1 / divisor)
SCORES["add"] = _mask
