"""Networks that use every supported layer, for tests of exact networks."""

from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.nn import functional


class Masked(nn.Conv2d):
    """A convolution that sees earlier values only, as in context models."""

    mask: torch.Tensor

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.register_buffer("mask", torch.ones_like(self.weight))
        _, _, h, w = self.mask.shape
        self.mask[:, :, h // 2, w // 2 :] = 0
        self.mask[:, :, h // 2 + 1 :] = 0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.weight.data = self.weight.data * self.mask
        return super().forward(x)


class Norm(nn.Module):
    """Generalized divisive normalization, with the names that codecs use."""

    class Square(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.square()

    def __init__(self, channels: int, inverse: bool = False, squares: bool = True) -> None:
        super().__init__()
        self.inverse, self.squares = inverse, squares
        self.beta_reparam, self.gamma_reparam = self.Square(), self.Square()
        self.beta = nn.Parameter(torch.ones(channels) + torch.rand(channels))
        self.gamma = nn.Parameter(torch.rand(channels, channels) / 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        beta, gamma = self.beta_reparam(self.beta), self.gamma_reparam(self.gamma)
        norm = functional.conv2d(x**2 if self.squares else x.abs(), gamma[..., None, None], beta)
        norm = norm.sqrt() if self.squares else norm
        return x * norm if self.inverse else x / norm


class Block(nn.Module):
    """A depthwise block with gates, as in fast video codecs."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.before = nn.Conv2d(channels, 2 * channels, 1)
        self.depthwise = nn.Conv2d(2 * channels, 2 * channels, 3, padding=1, groups=2 * channels)
        self.after = nn.Conv2d(channels, channels, 1)
        self.scale = nn.Parameter(torch.rand(1, channels, 1, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        a, b = self.depthwise(functional.silu(self.before(x))).chunk(2, 1)
        gated: torch.Tensor = self.after(a * torch.sigmoid(b))
        return x + gated * self.scale


class Everything(nn.Module):
    """Functions, methods, sizes and slices."""

    shift: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Conv2d(4, 6, 3, padding=1), nn.Conv2d(4, 6, 1, bias=False)
        self.mix = nn.Linear(6, 6)
        self.register_buffer("shift", torch.linspace(-1, 1, 6).view(1, 6, 1, 1))

    def forward(self, x: torch.Tensor, y: torch.Tensor) -> dict[str, Any]:
        n, _, h, w = x.size()
        a, b = functional.leaky_relu(self.a(x), 0.2), self.b(y)
        a += b / 2
        joined = torch.cat((a - self.shift, torch.tanh(b), x[:, 1:3]), dim=1)
        shuffled = joined.view(n, 2, 7, h, w).transpose(1, 2).reshape(n, 14, h, w)
        parts = torch.split(shuffled, [6, 8], 1)
        mixed = self.mix(parts[0].flatten(2).permute(0, 2, 1)).transpose(1, 2).view(n, 6, h, w)
        small = functional.avg_pool2d(mixed, 2)
        large = functional.interpolate(small, scale_factor=2, mode="nearest")
        padded = functional.pad(large[..., : h // 2 * 2 - 1, 0], (1, 0))
        gated = functional.gelu(parts[1][:, :6]) * functional.softplus(mixed)
        return {
            "gated": gated.clamp(-3, 6),
            "means": (padded.mean(-1, keepdim=True), torch.abs(gated).mean((2, 3))),
            "rest": [functional.hardtanh(parts[1])[:, None], -b],
        }


def up(a: int, b: int) -> nn.Module:
    return nn.ConvTranspose2d(a, b, 5, 2, 2, 1)


def down(a: int, b: int) -> nn.Module:
    return nn.Conv2d(a, b, 5, 2, 2)


class Text(nn.Module):
    """A small GPT: learned positions, LayerNorm, attention by the function of torch, GELU."""

    class Block(nn.Module):
        def __init__(self, width: int, heads: int) -> None:
            super().__init__()
            self.heads = heads
            self.before = nn.LayerNorm(width)
            self.between = nn.LayerNorm(width, elementwise_affine=False)
            self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
            self.mlp = nn.Sequential(
                nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width), nn.Dropout(0.1)
            )

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            b, t, c = x.size()
            q, k, v = self.qkv(self.before(x)).split(c, dim=2)
            q, k, v = (p.view(b, t, self.heads, -1).transpose(1, 2) for p in (q, k, v))
            y = functional.scaled_dot_product_attention(
                q, k, v, dropout_p=0.1 if self.training else 0, is_causal=True
            )
            x = x + self.out(y.transpose(1, 2).contiguous().view(b, t, c))
            mixed: torch.Tensor = x + self.mlp(self.between(x))
            return mixed

    def __init__(self, tokens: int = 20, width: int = 8, places: int = 32) -> None:
        super().__init__()
        self.token, self.place = nn.Embedding(tokens, width), nn.Embedding(places, width)
        self.blocks = nn.ModuleList(self.Block(width, 2) for _ in range(2))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, tokens, bias=False)
        self.head.weight = self.token.weight

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        _, t = tokens.size()
        x = self.token(tokens) + self.place(torch.arange(0, t, device=tokens.device))
        for block in self.blocks:
            x = block(x)
        logits: torch.Tensor = self.head(self.norm(x))
        return logits


class RootMeanSquare(nn.Module):
    """RMSNorm as many programs write it."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.rand(width) + 0.5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        scale = torch.rsqrt(x.float().pow(2).mean(-1, keepdim=True) + 1e-6)
        return (x * scale).type_as(x) * self.weight


class Rotary(nn.Module):
    """A block with rotary tables, RMSNorm, attention by hand and a gated network."""

    cos: torch.Tensor
    sin: torch.Tensor
    mask: torch.Tensor

    def __init__(self, tokens: int = 20, width: int = 16, places: int = 32) -> None:
        super().__init__()
        self.token = nn.Embedding(tokens, width)
        self.before, self.after = RootMeanSquare(width), RootMeanSquare(width)
        self.q, self.k, self.v = (nn.Linear(width, width, bias=False) for _ in range(3))
        self.gate, self.up = nn.Linear(width, 24), nn.Linear(width, 24)
        self.down, self.head = nn.Linear(24, width), nn.Linear(width, tokens)
        angles = torch.outer(torch.arange(places), 100.0 ** -(torch.arange(4) / 4))
        self.register_buffer("cos", angles.cos())
        self.register_buffer("sin", angles.sin())
        self.register_buffer("mask", torch.ones(1, 1, places, places).tril())

    def turned(self, x: torch.Tensor) -> torch.Tensor:
        cos, sin = self.cos[: x.shape[2]], self.sin[: x.shape[2]]
        a, b = x[..., ::2], x[..., 1::2]
        return torch.stack((a * cos - b * sin, a * sin + b * cos), -1).flatten(-2)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        x = self.token(tokens)
        y, t = self.before(x), tokens.shape[1]
        q, k, v = (f(y).unflatten(-1, (2, 8)).transpose(1, 2) for f in (self.q, self.k, self.v))
        scores = self.turned(q) @ self.turned(k).transpose(-2, -1) / 8**0.5
        scores = scores.masked_fill(self.mask[:, :, :t, :t] == 0, float("-inf"))
        seen = scores.softmax(-1) @ v
        x = x + seen.transpose(1, 2).flatten(2)
        y = self.after(x)
        logits: torch.Tensor = self.head(x + self.down(functional.silu(self.gate(y)) * self.up(y)))
        return logits


NETWORKS: dict[str, tuple[Callable[[], nn.Module], tuple[tuple[int, ...], ...]]] = {
    "hyper decoder": (
        lambda: nn.Sequential(
            up(6, 8), nn.LeakyReLU(), up(8, 12), nn.ReLU(), nn.Conv2d(12, 8, 3, 1, 1)
        ),
        ((8, 6, 4, 3),),
    ),
    "context": (lambda: Masked(6, 12, 5, padding=2), ((8, 6, 6, 5),)),
    "parameters": (
        lambda: nn.Sequential(
            nn.Conv2d(12, 10, 1), nn.LeakyReLU(inplace=True), nn.Conv2d(10, 8, 1)
        ),
        ((8, 12, 5, 4),),
    ),
    "sub-pixels": (
        lambda: nn.Sequential(
            nn.Conv2d(4, 16, 3, padding=1), nn.PixelShuffle(2), nn.ReLU6(), nn.PixelUnshuffle(2)
        ),
        ((8, 4, 5, 4),),
    ),
    "video": (lambda: nn.Sequential(Block(8), Block(8), nn.Conv2d(8, 4, 2, 2)), ((8, 8, 6, 8),)),
    "norms": (
        lambda: nn.Sequential(
            down(3, 6), Norm(6), down(6, 5), Norm(5, squares=False), up(5, 4), Norm(4, inverse=True)
        ),
        ((8, 3, 12, 16),),
    ),
    "classes": (
        lambda: nn.Sequential(
            nn.Conv2d(3, 8, 3, bias=False),
            nn.BatchNorm2d(8),
            nn.ReLU(),
            nn.MaxPool2d(3, 2, 1),
            nn.Dropout(0.5),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(8, 5),
            nn.BatchNorm1d(5),
            nn.Hardtanh(),
            nn.Linear(5, 4),
            nn.Tanh(),
        ),
        ((8, 3, 9, 11),),
    ),
    "audio": (
        lambda: nn.Sequential(
            nn.Conv1d(2, 6, 7, 2, 3),
            nn.GELU(),
            nn.AvgPool1d(3, 1, 1),
            nn.ConvTranspose1d(6, 4, 4, 2, 1, groups=2),
            nn.BatchNorm1d(4),
            nn.Upsample(scale_factor=2),
            nn.Softplus(),
        ),
        ((8, 2, 40),),
    ),
    "frames": (
        lambda: nn.Sequential(
            nn.Conv3d(2, 4, 3, padding=1), nn.SiLU(), nn.ConvTranspose3d(4, 2, 2, 2), nn.Sigmoid()
        ),
        ((8, 2, 4, 5, 3),),
    ),
    "text": (Text, ((8, 12),)),
    "rotary": (Rotary, ((8, 12),)),
    "everything": (Everything, ((8, 4, 6, 4), (8, 4, 6, 4))),
}


def make(name: str) -> tuple[nn.Module, tuple[torch.Tensor, ...]]:
    """A network with random weights in evaluation mode, and a batch of eight."""
    network, shapes = NETWORKS[name]
    torch.manual_seed(0)
    module = network()
    for layer in module.modules():
        if isinstance(layer, nn.modules.batchnorm._BatchNorm):
            assert layer.running_mean is not None
            assert layer.running_var is not None
            layer.running_mean.normal_()
            layer.running_var.uniform_(0.5, 2)
    return module.eval(), tuple(inputs(shape) for shape in shapes)


TOKENS = 20
"""The vocabulary of networks that take two dimensions."""

CAUSAL = ("text", "rotary")
"""Networks that predict the next token."""


def inputs(shape: tuple[int, ...]) -> torch.Tensor:
    """Inputs that are the same everywhere: multiples of 1/64, made with integers, or tokens."""
    count = 1
    for size in shape:
        count *= size
    x = torch.arange(count, dtype=torch.int64) * 2654435761 % 2**32 // 2**23 - 256
    return x.view(shape) % TOKENS if len(shape) == 2 else x.view(shape).float() / 64


def tensors(output: Any) -> list[torch.Tensor]:
    """All tensors that a network returns."""
    if isinstance(output, torch.Tensor):
        return [output]
    items = output.values() if isinstance(output, dict) else output
    return [tensor for item in items for tensor in tensors(item)]
