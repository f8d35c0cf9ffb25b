"""Rules that turn layers and functions into exact operations."""

from __future__ import annotations

from torch import fx, nn

from torchac.exact._layers import (  # noqa: F401, each registers its rules
    arithmetic,
    curves,
    language,
    norms,
    pooling,
    products,
    shapes,
)
from torchac.exact._layers.norms import fold_norms, normalize
from torchac.exact._layers.registry import (
    CREATE,
    FUNCTIONS,
    IN_PLACE,
    METHODS,
    MODULES,
    OF_SIZES,
    Mask,
    Rule,
    Size,
    Unfinished,
    Value,
    depends,
    value_of,
)
from torchac.exact._trace import norm_of

__all__ = [
    "CREATE",
    "IN_PLACE",
    "KNOWN",
    "OF_SIZES",
    "Mask",
    "Rule",
    "Size",
    "Unfinished",
    "Value",
    "depends",
    "fold_norms",
    "rule_of",
    "value_of",
]

KNOWN = (
    "convolutions (also transposed, grouped, masked), Linear, BatchNorm, GDN, ReLU, LeakyReLU, "
    "ReLU6, Hardtanh, clamp, sigmoid, tanh, SiLU, GELU, softplus, sums and products, pooling, "
    "nearest upsampling, PixelShuffle, pad, cat, stack, chunk, split, slices, reshape and permute; "
    "Embedding, LayerNorm, RMSNorm, softmax attention, MultiheadAttention, TransformerEncoder"
)


def rule_of(node: fx.Node, module: nn.Module | None) -> Rule | None:
    """The rule for a node, if there is one."""
    if module is not None:
        if norm_of(module) is not None:
            return normalize
        return next((MODULES[kind] for kind in type(module).__mro__ if kind in MODULES), None)
    return METHODS.get(str(node.target)) if node.op == "call_method" else FUNCTIONS.get(node.target)
