"""Layers of torch with attention, whose own code cannot be traced, written so that it can."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import fx, nn
from torch.nn import functional

from torchac.exact._errors import Refused


@fx.wrap
def attend(
    q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, mask: torch.Tensor | None
) -> torch.Tensor:
    """Attention with a mask as `nn.MultiheadAttention` takes it: True where nothing is seen."""
    if mask is not None and mask.dtype == torch.bool:
        mask = ~mask
    return functional.scaled_dot_product_attention(q, k, v, mask)


@fx.wrap
def no_weights(y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """What `nn.MultiheadAttention` returns, with nothing in place of the weights."""
    return y, y.new_zeros(())


class _Attention(nn.Module):
    """`nn.MultiheadAttention`."""

    def __init__(self, module: nn.MultiheadAttention, name: str) -> None:
        super().__init__()
        self.name, self.heads, self.batch_first = name, module.num_heads, module.batch_first
        if module.bias_k is not None or module.add_zero_attn:
            raise self.refused("it has bias_k, bias_v or add_zero_attn, which add a place")
        together: torch.Tensor | None = module.in_proj_weight
        weights = (
            (module.q_proj_weight, module.k_proj_weight, module.v_proj_weight)
            if together is None
            else together.chunk(3)
        )
        bias: torch.Tensor | None = module.in_proj_bias
        biases = (None,) * 3 if bias is None else bias.chunk(3)
        self.q, self.k, self.v = map(_linear, weights, biases)
        self.out_proj = _linear(module.out_proj.weight, module.out_proj.bias)

    def refused(self, why: str) -> Refused:
        """An error that names the layer."""
        return Refused(f"{self.name or 'the module'} (MultiheadAttention): {why}")

    def forward(
        self,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        key_padding_mask: torch.Tensor | None = None,
        need_weights: bool = True,
        attn_mask: torch.Tensor | None = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> Any:
        """What the module computes; that there are no weights shows where they are used."""
        if key_padding_mask is not None:
            raise self.refused("it has a key_padding_mask: take texts of one length, without")
        q, k, v = self.q(query), self.k(key), self.v(value)
        if not self.batch_first:
            q, k, v = (x.transpose(0, 1) for x in (q, k, v))
        q, k, v = (x.unflatten(-1, (self.heads, -1)).transpose(1, 2) for x in (q, k, v))
        y = attend(q, k, v, attn_mask).transpose(1, 2).flatten(-2)
        y = self.out_proj(y if self.batch_first else y.transpose(0, 1))
        return no_weights(y) if need_weights else (y, None)


class _EncoderLayer(nn.Module):
    """`nn.TransformerEncoderLayer`."""

    def __init__(self, layer: nn.TransformerEncoderLayer, name: str) -> None:
        super().__init__()
        self.self_attn = _Attention(layer.self_attn, f"{name}.self_attn" if name else "self_attn")
        self.norm1, self.norm2, self.norm_first = layer.norm1, layer.norm2, layer.norm_first
        self.linear1, self.linear2 = layer.linear1, layer.linear2
        self.activation: Callable[[torch.Tensor], torch.Tensor] = layer.activation

    def forward(
        self,
        src: torch.Tensor,
        src_mask: torch.Tensor | None = None,
        src_key_padding_mask: torch.Tensor | None = None,
        is_causal: bool = False,
    ) -> Any:
        """What the layer computes after training."""

        def attention(x: torch.Tensor) -> Any:
            return self.self_attn(x, x, x, src_key_padding_mask, False, src_mask)[0]

        def feed_forward(x: torch.Tensor) -> Any:
            return self.linear2(self.activation(self.linear1(x)))

        if self.norm_first:
            x = src + attention(self.norm1(src))
            return x + feed_forward(self.norm2(x))
        x = self.norm1(src + attention(src))
        return self.norm2(x + feed_forward(x))


class _Encoder(nn.Module):
    """`nn.TransformerEncoder`."""

    def __init__(self, encoder: nn.TransformerEncoder, name: str) -> None:
        super().__init__()
        self.layers, self.norm = encoder.layers, encoder.norm

    def forward(
        self,
        src: torch.Tensor,
        mask: torch.Tensor | None = None,
        src_key_padding_mask: torch.Tensor | None = None,
        is_causal: bool | None = None,
    ) -> torch.Tensor:
        """All layers, one after the other."""
        for layer in self.layers:
            src = layer(src, mask, src_key_padding_mask)
        return src if self.norm is None else self.norm(src)


_REWRITTEN: dict[type[nn.Module], Callable[[Any, str], nn.Module]] = {
    nn.MultiheadAttention: _Attention,
    nn.TransformerEncoderLayer: _EncoderLayer,
    nn.TransformerEncoder: _Encoder,
}


def _linear(weight: torch.Tensor, bias: torch.Tensor | None) -> nn.Linear:
    layer = nn.Linear(1, 1, bias=bias is not None, dtype=weight.dtype)
    layer.weight = nn.Parameter(weight, requires_grad=False)
    if bias is not None:
        layer.bias = nn.Parameter(bias, requires_grad=False)
    return layer


def has_rewritten(module: nn.Module) -> bool:
    """Whether a module has layers that are written anew here."""
    return any(type(part) in _REWRITTEN for part in module.modules())


def rewrite(module: nn.Module, name: str = "") -> nn.Module:
    """Puts the layers that are written anew into a module, or returns what takes its place."""
    if type(module) in _REWRITTEN:
        module = _REWRITTEN[type(module)](module, name)
    for key, part in list(module.named_children()):
        if not isinstance(part, _Attention):
            setattr(module, key, rewrite(part, f"{name}.{key}" if name else key))
    return module
