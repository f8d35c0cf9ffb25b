"""Small codecs and a small language model, trained in minutes, and how each codes its files.

The codecs use CompressAI's layers. Coding takes networks as an argument, of floats or exact.
"""

from __future__ import annotations

import copy
import pydoc_data.topics
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional

import torchac

MEAN_SCALE, CHECKERBOARD, RASTER = "mean and scale", "checkerboard", "raster"
KINDS = (MEAN_SCALE, CHECKERBOARD, RASTER)
CHANNELS, LATENTS = 32, 48
LAMBDA = 0.05
PATCH = 128
SMALLEST_SCALE = 0.11
CONTEXT = 64  # the number of bytes that the language model sees

Networks: TypeAlias = Mapping[str, Any]
"""The networks of a decoder: "hyper decoder", and maybe "context" and "parameters"."""


def photographs() -> tuple[list[Tensor], list[Tensor]]:
    """Left halves of scikit-learn's two photographs, for training, and right halves, for tests."""
    from sklearn.datasets import load_sample_image

    names = ("china.jpg", "flower.jpg")
    arrays = [torch.tensor(load_sample_image(name)).permute(2, 0, 1) / 255 for name in names]
    return [x[:, :384, :320] for x in arrays], [x[:, :384, 320:640] for x in arrays]


def patches(images: Sequence[Tensor], count: int, size: int = PATCH) -> Tensor:
    """Squares of images, at random places."""
    found = []
    for i in torch.randint(len(images), (count,)).tolist():
        top, left = (int(torch.randint(n - size + 1, ())) for n in images[i].shape[1:])
        found.append(images[i][:, top : top + size, left : left + size])
    return torch.stack(found)


def black(y: Tensor) -> Tensor:
    """A mask of the half of a checkerboard that is coded first."""
    rows, columns = (torch.arange(n) for n in y.shape[-2:])
    return ((rows[:, None] + columns) % 2 == 0).expand(y.shape)


class Codec:
    """A trained codec, and its networks of floats."""

    def __init__(self, kind: str, images: Sequence[Tensor], steps: int, start: Any = None) -> None:
        from compressai import models
        from compressai.layers.layers import CheckerboardMaskedConv2d

        self.kind = kind
        plain = kind == MEAN_SCALE
        of = models.MeanScaleHyperprior if plain else models.JointAutoregressiveHierarchicalPriors
        self.codec: Any = of(CHANNELS, LATENTS)
        if kind == CHECKERBOARD:
            self.codec.context_prediction = CheckerboardMaskedConv2d(
                LATENTS, 2 * LATENTS, kernel_size=5, padding=2
            )
        if start is not None:  # layers that the codecs share are trained once
            own, other = self.codec.state_dict(), start.codec.state_dict()
            shared = {k: v for k, v in other.items() if k in own and own[k].shape == v.shape}
            self.codec.load_state_dict({**own, **shared})
        self._train(images, steps)
        self.networks = self._networks()

    def _train(self, images: Sequence[Tensor], steps: int) -> None:
        codec = self.codec.train()
        named = dict(codec.named_parameters())
        quantiles = [p for name, p in named.items() if name.endswith("quantiles")]
        others = [p for name, p in named.items() if not name.endswith("quantiles")]
        adam, auxiliary = torch.optim.Adam(others, 1e-3), torch.optim.Adam(quantiles, 1e-2)
        for _ in range(steps):
            x = patches(images, 4)
            result = self._forward(x)
            bits = -sum(p.log2().sum() for p in result["likelihoods"].values()) / x[:, 0].numel()
            loss = LAMBDA * 255**2 * functional.mse_loss(result["x_hat"], x) + bits
            adam.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(others, 1.0)
            adam.step()
        for _ in range(1000):
            auxiliary.zero_grad()
            codec.aux_loss().backward()
            auxiliary.step()
        codec.eval().update(force=True)

    def _forward(self, x: Tensor) -> dict[str, Any]:
        codec = self.codec
        if self.kind != CHECKERBOARD:
            result: dict[str, Any] = codec(x)
            return result
        y = codec.g_a(x)
        z_hat, of_z = codec.entropy_bottleneck(codec.h_a(y))
        y_hat, first = codec.gaussian_conditional.quantize(y, "noise"), black(y)
        context = codec.context_prediction(y_hat * first) * ~first[:, :1]
        joined = torch.cat((codec.h_s(z_hat), context), 1)
        scales, means = codec.entropy_parameters(joined).chunk(2, 1)
        _, of_y = codec.gaussian_conditional(y, scales, means=means)
        return {"x_hat": codec.g_s(y_hat), "likelihoods": {"y": of_y, "z": of_z}}

    def _networks(self) -> Networks:
        codec = self.codec
        if self.kind == MEAN_SCALE:
            return {"hyper decoder": codec.h_s}
        masked = codec.context_prediction
        context = nn.Conv2d(LATENTS, 2 * LATENTS, 5, padding=2 * (self.kind == CHECKERBOARD))
        with torch.no_grad():
            context.weight.copy_(masked.weight * masked.mask)
            assert context.bias is not None
            context.bias.copy_(masked.bias)
        parameters = codec.entropy_parameters
        return {"hyper decoder": codec.h_s, "context": context, "parameters": parameters}

    def analyse(self, x: Tensor) -> tuple[Tensor, Tensor, int]:
        """The latents y, the integers z plus their medians, and the bytes that z takes."""
        with torch.no_grad():
            y = self.codec.g_a(x)
            z = self.codec.h_a(y)
            strings = self.codec.entropy_bottleneck.compress(z)
            z_hat = self.codec.entropy_bottleneck.decompress(strings, z.shape[-2:])
        return y, z_hat, sum(map(len, strings))

    def batches(self, images: Sequence[Tensor], networks: Networks) -> dict[str, Tensor]:
        """One batch for each of the networks, to convert it with."""
        y, z_hat, _ = self.analyse(patches(images, 4))
        found = {"hyper decoder": z_hat, "context": functional.pad(y.round(), (2, 2, 2, 2))}
        if "context" in networks:
            with torch.no_grad():
                context = networks["context"](found["context"])
                start = (context.shape[-1] - y.shape[-1]) // 2
                inside = slice(start, start + y.shape[-1])
                joined = (networks["hyper decoder"](z_hat), context[..., inside, inside])
                found["parameters"] = torch.cat(joined, 1)
        return {name: found[name] for name in networks}


def code(
    networks: Networks, table: Tensor, z_hat: Tensor, given: Tensor | Sequence[bytes]
) -> tuple[list[bytes], Tensor]:
    """Encodes latents, or decodes streams, in one pass or those of a checkerboard.

    Returns:
        The streams, and the latents that the decoder has.
    """
    with torch.no_grad():
        hyper = networks["hyper decoder"](z_hat)
        n, twice, h, w = hyper.shape
        y_hat, streams = torch.zeros(n, twice // 2, h, w), []
        first, parameters = black(y_hat), hyper
        model = torchac.Normal(0.0, table)
        passes = (first, ~first) if "context" in networks else (torch.ones_like(first),)
        for i, now in enumerate(passes):
            if "context" in networks:
                context = networks["context"](y_hat) * ~first[:, :1] * i
                parameters = networks["parameters"](torch.cat((hyper, context), 1))
            scales, means = parameters.chunk(2, 1)
            index = torch.bucketize(scales, table[:-1], out_int32=True)[now]
            if isinstance(given, Tensor):
                values = (given - means).round()[now].int()
                streams.append(torchac.encode(model, values, index=index))
            else:
                values = torchac.decode(model, given[i], index=index)
                streams.append(given[i])
            y_hat[now] = values + means[now]
    return streams, y_hat


def code_raster(
    networks: Networks, z_hat: Tensor, given: Tensor | Sequence[bytes]
) -> tuple[list[bytes], Tensor]:
    """Encodes integers, or decodes streams, place by place: one stream for each picture.

    Means and scales are as the networks give them, without a table.
    """
    with torch.no_grad():
        hyper = networks["hyper decoder"](z_hat)
        n, twice, h, w = hyper.shape
        y_hat = torch.zeros(n, twice // 2, h + 4, w + 4)
        decoders = [] if isinstance(given, Tensor) else [torchac.Decoder(s) for s in given]
        encoders = [torchac.Encoder() for _ in range(n)]
        for i in range(h):
            for j in range(w):
                context = networks["context"](y_hat[:, :, i : i + 5, j : j + 5])
                joined = torch.cat((hyper[:, :, i : i + 1, j : j + 1], context), 1)
                scales, means = networks["parameters"](joined)[..., 0, 0].chunk(2, 1)
                for k in range(n):
                    model = torchac.Normal(means[k], scales[k].clamp(min=SMALLEST_SCALE))
                    if isinstance(given, Tensor):
                        values = given[k, :, i, j].int()
                        encoders[k].encode(model, values)
                    else:
                        values = decoders[k].decode(model)
                    y_hat[k, :, i + 2, j + 2] = values
        streams = [e.finish() for e in encoders] if isinstance(given, Tensor) else list(given)
    return streams, y_hat[:, :, 2:-2, 2:-2]


def read_raster(
    networks: Networks, z_hat: Tensor, streams: Sequence[bytes], y: Tensor, together: int
) -> int:
    """How many files are read correctly, several of them in lockstep."""
    read = 0
    for i in range(0, len(streams), together):
        part = slice(i, i + together)
        try:
            _, y_hat = code_raster(networks, z_hat[part], streams[part])
        except torchac.CorruptStreamError:  # if one fails, its group is read one by one
            if together > 1:
                read += read_raster(networks, z_hat[part], streams[part], y[part], 1)
            continue
        read += sum(a.equal(b) for a, b in zip(y_hat, y[part], strict=True))
    return read


def has_hidden_channels(module: nn.Module) -> bool:
    """Whether it is a chain of convolutions and activations that treat all channels alike."""
    layers = (nn.Conv2d, nn.ConvTranspose2d, nn.ReLU, nn.LeakyReLU)
    return isinstance(module, nn.Sequential) and all(isinstance(m, layers) for m in module)


def with_other_channels(sequence: nn.Sequential, how: str) -> nn.Sequential:
    """The same function, with hidden channels rescaled by up to 2^±12, or in another order."""
    changed = copy.deepcopy(sequence)
    layers = [layer for layer in changed if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d))]
    with torch.no_grad():
        for a, b in pairwise(layers):
            of_a, of_b = (int(isinstance(layer, nn.ConvTranspose2d)) for layer in (a, b))
            count = a.weight.shape[of_a]
            assert a.bias is not None
            if how == "shuffled":
                order = torch.randperm(count)
                a.weight.copy_(a.weight.index_select(of_a, order))
                a.bias.copy_(a.bias[order])
                b.weight.copy_(b.weight.index_select(1 - of_b, order))
            else:
                factor = torch.ldexp(torch.ones(count), torch.randint(-12, 13, (count,)))
                a.weight.mul_(factor.view([-1 if d == of_a else 1 for d in range(4)]))
                a.bias.mul_(factor)
                b.weight.div_(factor.view([-1 if d == 1 - of_b else 1 for d in range(4)]))
    return changed


class Block(nn.Module):
    """A block of a transformer."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.before, self.between = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Adds attention, and then two layers."""
        n, length, width = x.shape
        shape = (n, length, self.heads, width // self.heads)
        q, k, v = self.qkv(self.before(x)).chunk(3, -1)
        y = functional.scaled_dot_product_attention(
            q.reshape(shape).transpose(1, 2),
            k.reshape(shape).transpose(1, 2),
            v.reshape(shape).transpose(1, 2),
            is_causal=True,
        )
        x = x + self.out(y.transpose(1, 2).reshape(n, length, width))
        result: Tensor = x + self.down(functional.gelu(self.up(self.between(x))))
        return result


class LanguageModel(nn.Module):
    """A small GPT of bytes."""

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        self.token, self.place = nn.Embedding(256, width), nn.Embedding(CONTEXT, width)
        self.blocks = nn.Sequential(Block(width, 4), Block(width, 4))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, 256)

    def forward(self, tokens: Tensor, places: Tensor) -> Tensor:
        """The logits of the token after each token."""
        x = self.token(tokens) + self.place(places)
        logits: Tensor = self.head(self.norm(self.blocks(x)))
        return logits


def train_language_model(steps: int) -> tuple[LanguageModel, Tensor]:
    """A model of Python's help, and texts from the end of the help, which it has not seen."""
    text = torch.tensor(list(Path(pydoc_data.topics.__file__).read_bytes()))
    seen, unseen = text[:-65536], text[-65536:]
    model = LanguageModel()
    adam = torch.optim.AdamW(model.parameters(), 2e-3)
    places = torch.arange(CONTEXT).expand(16, -1)
    for _ in range(steps):
        starts = torch.randint(len(seen) - CONTEXT, (16,)).tolist()
        batch = torch.stack([seen[i : i + CONTEXT + 1] for i in starts])
        loss: Any = functional.cross_entropy(
            model(batch[:, :-1], places).flatten(0, 1), batch[:, 1:].flatten()
        )
        adam.zero_grad()
        loss.backward()
        adam.step()
    return model.eval(), unseen.view(-1, CONTEXT)


def encode_text(model: Any, tokens: Tensor, *, together: bool = False) -> list[bytes]:
    """A stream for each text without its first byte, or one for all; the model runs once."""
    with torch.no_grad():
        logits = model(tokens, torch.arange(CONTEXT).expand(len(tokens), -1))
    size = len(tokens) if together else 1
    parts = zip(torch.split(logits, size), torch.split(tokens, size), strict=True)
    return [
        torchac.encode(torchac.Categorical(logits=of[:, :-1]), text[:, 1:]) for of, text in parts
    ]


def read_text(model: Any, streams: Sequence[bytes], tokens: Tensor) -> int:
    """How many streams are read correctly, token by token, each alone.

    An exact network keeps its state; a network of floats runs on all tokens so far again.
    """
    read = 0
    with torch.no_grad():
        for stream, text in zip(streams, tokens, strict=True):
            decoder, known = torchac.Decoder(stream), text[None, :1]
            step = model.stream() if hasattr(model, "stream") else None
            try:
                while known.shape[1] < CONTEXT:
                    places = torch.arange(known.shape[1])[None]
                    new = slice(-1, None) if step else slice(None)
                    logits = (step or model)(known[:, new], places[:, new])[:, -1]
                    token = decoder.decode(torchac.Categorical(logits=logits))
                    known = torch.cat((known, token.view(1, 1).long()), 1)
            except torchac.CorruptStreamError:
                continue
            read += known[0].equal(text)
    return read
