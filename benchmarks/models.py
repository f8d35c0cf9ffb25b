"""Models instead of CDFs: from parameters to bytes, and how each package does that."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import torch
from contestants import CONSTRICTION, OLD, TORCHAC, Entry, Work, coding
from latents import ACCELERATED, COMPRESSAI, conditional
from torch import Tensor

GAUSSIAN = "constriction, its Gaussian"
SINGLE_GAUSSIAN = "constriction, one Gaussian"
ROWS_THEN_CODE = "torchac, rows, then code"
OLD_ROWS = f"{OLD}, rows, then code"

CHUNK = 1 << 10  # rows that are made at a time
FEW = 1 << 14  # values coded by rows, which takes many times as long
SCALES = (0.11, 256.0)  # the least and the largest of Normals, as in hyperpriors
RANGE = (-4000, 4000)  # of constriction's Gaussian


@dataclass(frozen=True)
class ModelWork(Work):
    """Integers to code with a model, which has no alphabet."""

    alphabet: int = 0
    components: int = 1  # Normals, or more than one in a mixture
    pixels: bool = False  # logistics, and values from 0 to 255
    file: bool = False  # in a file of one tensor


LATENTS = 192 * 32 * 48  # of an image of 512 x 768
NORMAL = ModelWork("model: Normal, each its own")
NORMAL_BATCH = ModelWork("model: Normal, 24 streams", streams=24)
NORMAL_FILE = ModelWork("model: Normal, a file", values=LATENTS, file=True)
MIXTURE = ModelWork("model: mixture of 4 Normals", components=4)
MIXTURE_BATCH = replace(MIXTURE, name="model: mixture of 4 Normals, 24 streams", streams=24)
MIXTURE_FILE = replace(
    MIXTURE, name="model: mixture of 4 Normals, a file", values=LATENTS, file=True
)
PIXELS = ModelWork("model: 10 logistics, pixels", components=10, pixels=True)
PIXELS_BATCH = replace(PIXELS, name="model: 10 logistics, pixels, 24 streams", streams=24)
PIXELS_FILE = replace(PIXELS, name="model: 10 logistics, pixels, a file", values=LATENTS, file=True)
SCALES_INDEX = ModelWork("model: 64 scales and an index", tables=64, values=LATENTS)
SCALES_FILE = replace(SCALES_INDEX, name="model: 64 scales and an index, a file", file=True)
MODELS = (
    NORMAL,
    NORMAL_BATCH,
    NORMAL_FILE,
    MIXTURE,
    MIXTURE_BATCH,
    MIXTURE_FILE,
    PIXELS,
    PIXELS_BATCH,
    PIXELS_FILE,
    SCALES_INDEX,
    SCALES_FILE,
)


class Values:
    """The parameters and values of a work, the same in every process, as the seed is the same."""

    def __init__(self, work: ModelWork, count: int) -> None:
        generator = torch.Generator().manual_seed(1)
        self.work, self.count = work, count
        shape = (count, work.components)
        noise = torch.randn(shape, generator=generator)
        if work.pixels:
            self.scale = 4 * noise.exp()
            center = 255 * torch.rand(count, 1, generator=generator)
            self.loc = center + self.scale * torch.randn(shape, generator=generator)
        else:  # similar to latents of learned image codecs
            self.scale = (0.8 * noise - 0.3).exp().clamp(*SCALES)
            self.loc = 3 * torch.randn(shape, generator=generator)
        self.weights = torch.randn(shape, generator=generator).exp()
        self.index = torch.zeros(count, dtype=torch.int32)
        if work.tables:
            least, most = map(math.log, SCALES)
            table = torch.linspace(least, most, work.tables).exp()
            self.index = torch.bucketize(self.scale.flatten(), table[:-1], out_int32=True)
            self.scale = table[:, None]
            self.loc, self.weights = torch.zeros(work.tables, 1), torch.ones(work.tables, 1)
        self.symbols = torch.empty(count, dtype=torch.int32)
        self.entropy = 0.0  # of the values, in bytes
        self._draw(generator)

    def _draw(self, generator: torch.Generator) -> None:
        for start in range(0, self.count, CHUNK):
            part = slice(start, start + CHUNK)
            elements = self.index[part].long() if self.work.tables else part
            component = torch.multinomial(self.weights[elements], 1, generator=generator)
            loc = self.loc[elements].gather(1, component).flatten()
            scale = self.scale[elements].gather(1, component).flatten()
            uniform = torch.rand(len(loc), dtype=torch.float64, generator=generator)
            noise = torch.logit(uniform) if self.work.pixels else torch.special.ndtri(uniform)
            values = (loc + scale * noise).round()
            values = values.clamp(0, 255) if self.work.pixels else values
            self.symbols[part] = values
            edges = torch.stack([values - 0.5, values + 0.5], 1)
            if self.work.pixels:
                edges[values == 0, 0], edges[values == 255, 1] = -math.inf, math.inf
            self.entropy -= self.cdf(edges, elements).diff().log2().sum().item() / 8

    def cdf(self, edges: Tensor, elements: slice | Tensor) -> Tensor:
        """The CDF of some elements at edges, as one computes it in torch."""
        weights = self.weights[elements] / self.weights[elements].sum(1, keepdim=True)
        result = torch.zeros(())
        for weight, loc, scale in zip(
            weights.T, self.loc[elements].T, self.scale[elements].T, strict=True
        ):
            z = (edges - loc[:, None]) / scale[:, None]
            one = torch.sigmoid(z) if self.work.pixels else (1 + torch.erf(z / math.sqrt(2))) / 2
            result = result + weight[:, None] * one
        return result

    def shaped(self, values: Tensor) -> Tensor:
        """Gives every stream a row of the values."""
        if self.work.streams == 1:
            return values
        return values.view(self.work.streams, -1, *values.shape[1:])


def torchac_entries(values: Values) -> Iterator[Entry]:
    """Models, and rows made by hand, as before there were models."""
    import torchac

    work, symbols = values.work, values.shaped(values.symbols)
    encode: Any = torchac.encode
    decode: Any = torchac.decode
    options: dict[str, Any] = {"index": values.index if work.tables else None}
    if work.streams > 1:
        encode, decode = torchac.encode_batch, torchac.decode_batch
    elif work.file:
        encode, decode = to_file, from_file
    if work.streams > 1 or work.file:
        options["num_threads"] = 1
    loc, scale, weights = map(values.shaped, (values.loc, values.scale, values.weights))

    def model() -> Any:
        if work.pixels:
            return torchac.Mixture(weights, torchac.Logistic(loc, scale, low=0, high=255))
        if work.components > 1:
            return torchac.Mixture(weights, torchac.Normal(loc, scale))
        return torchac.Normal(loc[..., 0], scale[..., 0])

    yield coding(
        TORCHAC,
        values.symbols,
        lambda: encode(model(), symbols, **options),
        lambda stream: decode(model(), stream, **options),
    )
    if work.streams == 1 and not work.file:
        yield rows_then_code(values)
    if work in (NORMAL, SCALES_INDEX):
        yield from conditional(ACCELERATED, values)


def to_file(model: Any, symbols: Tensor, **options: Any) -> bytes:
    """A file of one tensor, in memory."""
    import torchac

    file = io.BytesIO()
    with torchac.Writer(file) as writer:
        writer.write(model, symbols, **options)
    return file.getvalue()


def from_file(model: Any, file: bytes, **options: Any) -> Any:
    """The tensor in the file."""
    import torchac

    with torchac.Reader(io.BytesIO(file)) as reader:
        return reader.read(model, **options)


def range_of(values: Values) -> tuple[int, Tensor]:
    """The least value, and the edges of all values from that to the largest."""
    low, high = int(values.symbols.min()), int(values.symbols.max())
    return low, torch.arange(low, high + 2) - 0.5


def rows_then_code(values: Values) -> Entry:
    """A row for each value over the range of all of them, made and coded chunk by chunk."""
    import torchac

    low, edges = range_of(values)
    edges[0], edges[-1] = -math.inf, math.inf
    index = values.index if values.work.tables else None
    count, chunks = values.count, [slice(None)]
    if not values.work.tables:
        count = min(values.count, FEW)
        chunks = [slice(start, min(start + CHUNK, count)) for start in range(0, count, CHUNK)]

    def encode() -> bytes:
        encoder = torchac.Encoder()
        for chunk in chunks:
            symbols = (values.symbols[chunk] - low).short()
            encoder.encode(values.cdf(edges, chunk), symbols, index=index)
        return encoder.finish()

    def decode(stream: bytes) -> Tensor:
        decoder = torchac.Decoder(stream)
        parts = [decoder.decode(values.cdf(edges, chunk), index=index) for chunk in chunks]
        return torch.cat(parts).int() + low

    return of_some(coding(ROWS_THEN_CODE, values.symbols[:count], encode, decode), count, values)


def of_some(entry: Entry, count: int, values: Values) -> Entry:
    """A way that codes only this many of the values."""
    if count < values.count:
        entry.share, entry.stream = count / values.count, None
    return entry


def old_entries(values: Values) -> Iterator[Entry]:
    """Rows made by hand, all rows of a call at once, as programs with 0.9.3 do."""
    import torchac

    if values.work != NORMAL:
        return
    count = min(values.count, FEW)
    low, edges = range_of(values)
    symbols = (values.symbols[:count] - low).short()

    def rows() -> Tensor:
        return values.cdf(edges, slice(0, count))

    entry = coding(
        OLD_ROWS,
        symbols,
        lambda: torchac.encode_float_cdf(rows(), symbols),
        lambda stream: torchac.decode_float_cdf(rows(), stream),
    )
    yield of_some(entry, count, values)


def constriction_entries(values: Values) -> Iterator[Entry]:
    """Its own Gaussian; instead of mixtures, the same number of values of single Gaussians."""
    from constriction import stream

    label, work = GAUSSIAN, values.work
    if work.components > 1:
        label, values = SINGLE_GAUSSIAN, Values(NORMAL, values.count)
    elements = values.index.long() if work.tables else slice(None)
    means, stds = (a[elements].flatten().double().numpy() for a in (values.loc, values.scale))
    symbols = values.symbols.numpy()
    model = stream.model.QuantizedGaussian(*RANGE)

    def encode() -> Any:
        coder = stream.stack.AnsCoder()
        coder.encode_reverse(symbols, model, means, stds)
        return coder.get_compressed()

    entry = coding(
        label,
        values.symbols,
        encode,
        lambda words: stream.stack.AnsCoder(words).decode(model, means, stds),
    )
    if label == SINGLE_GAUSSIAN:
        entry.stream = None  # of other values
    yield entry


def compressai_entries(values: Values) -> Iterator[Entry]:
    """Its own coder, with lists."""
    if values.work in (NORMAL, SCALES_INDEX):
        yield from conditional(COMPRESSAI, values)


MODEL_ENTRIES: dict[str, Callable[[Values], Iterator[Entry]]] = {
    TORCHAC: torchac_entries,
    OLD: old_entries,
    CONSTRICTION: constriction_entries,
    COMPRESSAI: compressai_entries,
}
