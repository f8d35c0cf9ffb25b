"""CompressAI's models, accelerated, compared with its own coder."""

import copy
import doctest
import importlib
import io
import math
import pickle
import pkgutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import Any

import compressai_alone
import numpy as np
import pytest
import reference_coder
import reference_models
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

import torchac
import torchac.compressai
from torchac.compressai import accelerate, as_tables, restore
from torchac.compressai.ans import BufferedRansEncoder, RansDecoder, RansEncoder

if not compressai_alone.installed():
    pytest.skip(compressai_alone.HOW, allow_module_level=True)
compressai_alone.load()

from compressai import ans  # noqa: E402
from compressai.entropy_models import (  # noqa: E402
    EntropyBottleneck,
    EntropyBottleneckVbr,
    GaussianConditional,
    GaussianMixtureConditional,
)
from compressai.latent_codecs import RasterScanLatentCodec  # noqa: E402
from compressai.layers import MaskedConv2d  # noqa: E402
from compressai.models import (  # noqa: E402
    CompressionModel,
    JointAutoregressiveHierarchicalPriors,
    MeanScaleHyperprior,
)
from compressai.models.google import get_scale_table  # noqa: E402

MODELS = [MeanScaleHyperprior, JointAutoregressiveHierarchicalPriors]
TABLES = [[0, 20000, 65000, 65536], [0, 1, 65530, 65535, 65536]], [4, 5], [-1, 7]
SCALES = [0.11, 0.5, 2.0, 9.0, 40.0]


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


@pytest.fixture(autouse=True)
def _no_grad() -> Any:
    with torch.no_grad():
        yield


def a_model(model_class: Any) -> Any:
    """A model with random weights, large enough that latents have many values."""
    model = model_class(8, 12).eval()
    model.g_a[6].weight *= 500
    model.h_a[4].weight *= 100
    model.h_s[4].weight *= 50
    model.update()
    return model


def an_image() -> Tensor:
    return torch.rand(2, 3, 64, 128)


def streams_of(output: Any) -> list[bytes]:
    return [stream for streams in output["strings"] for stream in streams]


def latents(model: Any, output: Any) -> Tensor:
    """The latents that the synthesis gets."""
    seen: list[Tensor] = []
    with model.g_s.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0])):
        model.decompress(**output)
    return seen[0]


@pytest.mark.parametrize("model_class", MODELS)
def test_latents_are_the_same_and_streams_no_longer(model_class: Any) -> None:
    model, image = a_model(model_class), an_image()
    own = model.compress(image)
    expected = latents(model, own)
    assert len(set(expected.flatten().tolist())) > 100
    accelerated = accelerate(model).compress(image)
    assert latents(model, accelerated).equal(expected)
    assert accelerated["shape"] == own["shape"]
    for stream, its_own in zip(streams_of(accelerated), streams_of(own), strict=True):
        assert len(stream) <= 1.001 * len(its_own)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
@pytest.mark.parametrize("model_class", MODELS)
def test_copies_are_accelerated(model_class: Any, copied: Callable[[Any], Any]) -> None:
    model, image = accelerate(a_model(model_class)), an_image()
    twin = copied(model)
    assert type(twin) is type(model)
    assert streams_of(twin.compress(image)) == streams_of(model.compress(image))
    assert type(restore(twin).entropy_bottleneck) is EntropyBottleneck
    assert type(model.entropy_bottleneck) is not EntropyBottleneck


@pytest.mark.parametrize("model_class", MODELS)
def test_nothing_else_changes(model_class: Any) -> None:
    model, other, image = a_model(model_class), model_class(8, 12).eval(), an_image()
    state, text, own = model.state_dict(), repr(model), model.compress(image)
    assert accelerate(accelerate(model)) is model
    assert repr(model) == text
    assert isinstance(model, model_class)
    assert model.state_dict().keys() == state.keys()
    other.load_state_dict(model.state_dict())
    assert other.compress(image)["strings"] == own["strings"]
    assert streams_of(model.compress(image)) != streams_of(own)
    assert type(restore(restore(model))) is model_class
    assert model.compress(image)["strings"] == own["strings"]
    assert type(model.entropy_bottleneck) is EntropyBottleneck


@pytest.mark.parametrize("model_class", MODELS)
def test_damaged_streams_raise(model_class: Any) -> None:
    model = accelerate(a_model(model_class))
    output = model.compress(an_image()[:1])
    for which, [stream] in enumerate(output["strings"]):
        places = np.linspace(0, len(stream) - 2, 12, dtype=int).tolist()  # the last byte is padded
        flipped = [stream[:i] + bytes([stream[i] ^ 64]) + stream[i + 1 :] for i in places]
        cut = [stream[:i] for i in places]
        for damaged in [*flipped, *cut, b"", stream + b"\0", bytes(len(stream))]:
            output["strings"][which] = [damaged]
            with pytest.raises(torchac.CorruptStreamError):
                model.decompress(**output)
        output["strings"][which] = [stream]
    model.decompress(**output)


def test_another_hyperprior_raises() -> None:
    model = accelerate(a_model(MeanScaleHyperprior))
    output = model.compress(an_image())
    model.h_s[4].bias += 0.5
    with pytest.raises(torchac.CorruptStreamError, match="the model differs"):
        model.decompress(**output)


def test_tables_are_made_anew_when_they_change() -> None:
    model = accelerate(GaussianConditional(SCALES))
    y, scales = torch.randn(1, 100), torch.full((1, 100), 0.5)
    for table in (SCALES, [1.0, 3.0]):
        model.update_scale_table(table, force=True)
        indexes = model.build_indexes(scales)
        assert model.decompress(model.compress(y, indexes), indexes).equal(y.round())
    model._quantized_cdf.data[:, 1] += 1  # no version counter sees this
    cdf, offset = model._quantized_cdf, model._offset
    [stream] = model.compress(y, indexes)
    decoder = torchac.Decoder(stream)
    values = decoder.decode(as_tables(cdf, model._cdf_length, offset), index=indexes)
    assert values.equal(y.round().int())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("table", [SCALES, [0.5], get_scale_table().tolist()])
def test_indexes_are_those_of_compressai(table: list[float], dtype: torch.dtype) -> None:
    model = GaussianConditional(table).to(dtype)
    entries = torch.tensor(table, dtype=dtype)
    near = [
        entries,
        entries.nextafter(entries + 1) if torch.finfo(dtype).bits > 16 else entries + 0.01,
    ]
    special = torch.tensor([0.0, -1.0, 1e9, math.nan, math.inf, 1e-3]).to(dtype)
    scales = torch.cat([*near, special, (4 * torch.randn(2000)).exp().to(dtype)])
    scales = scales[: len(scales) // 4 * 4].view(2, 2, 1, -1)
    kinds = [
        scales,
        scales.chunk(2, 1)[0],
        scales.to(memory_format=torch.channels_last),
        scales[:0],
    ]
    expected = [model.build_indexes(each) for each in kinds]
    accelerate(model)
    for each, indexes in zip(kinds, expected, strict=True):
        found = model.build_indexes(each)
        assert found.equal(indexes)
        assert (found.dtype, found.shape) == (indexes.dtype, indexes.shape)


@pytest.mark.parametrize("means", [None, torch.randn(2, 3, 1, 1), torch.randn(2, 3, 4, 5)])
def test_means(means: Tensor | None) -> None:
    model, y = GaussianConditional(SCALES), 8 * torch.randn(2, 3, 4, 5)
    model.update()
    indexes = model.build_indexes(20 * torch.rand(y.shape))
    expected = model.decompress(model.compress(y, indexes, means), indexes, means=means)
    accelerate(model)
    strings = model.compress(y, indexes, means)
    assert model.decompress(strings, indexes, means=means).equal(expected)
    wide = model.decompress(strings, indexes, torch.float64, means)
    assert wide.dtype == (torch.float64 if means is None else torch.float32)


def test_mixtures() -> None:
    model, y = GaussianMixtureConditional(K=3), 6 * torch.randn(1, 4, 8, 8)
    y[:, 2] = 0.3 * y[:, 2].sign()
    shape = (1, 12, 8, 8)
    scales, means = 0.2 + 4 * torch.rand(shape), 3 * torch.randn(shape)
    weights = torch.rand(1, 3, 4, 8, 8).softmax(1).view(shape)
    [own, largest, used], values = model.compress(y, scales, means, weights)
    accelerate(model)
    (stream, *side), rounded = model.compress(y, scales, means, weights)
    assert len(stream) <= 1.001 * len(own)
    assert side[0] == largest
    assert side[1].equal(used)
    assert used.tolist() == [1, 1, 0, 1]
    assert rounded.equal(values)
    assert model.decompress(stream, *side, scales, means, weights).equal(values)
    with pytest.raises(torchac.CorruptStreamError, match="the model differs"):
        model.decompress(stream, *side, scales + 0.1, means, weights)


def test_mixtures_are_coded_as_the_format_says() -> None:
    model, y = accelerate(GaussianMixtureConditional(K=2)), 6 * torch.randn(2, 3, 4, 5)
    y[:, 1] = 0
    y[1, 2] = 0  # but not in the other item
    scales, means, weights = (
        300 * torch.rand(2, 6, 4, 5),
        torch.randn(2, 6, 4, 5),
        torch.rand(2, 6, 4, 5),
    )
    (stream, _, _), _ = model.compress(y, scales, means, weights)
    rows, values = [], []
    for item, channel, *place in np.ndindex(2, 3, 4, 5):
        if channel != 1:
            here = [(item, k * 3 + channel, *place) for k in range(2)]
            parts = [
                reference_models.Component(
                    "Normal",
                    means[at].item(),
                    min(max(scales[at].item(), 0.11), 256.0),
                    weights[at].item(),
                )
                for at in here
            ]
            rows.append(reference_models.row(reference_models.Element(parts, mixture=True)))
            values.append(round(y[(item, channel, *place)].item()))
    decoder = reference_coder.Decoder(stream)
    assert [reference_models.read(decoder, row) for row in rows] == values


def test_a_method_that_calls_the_coder_of_an_entropy_model() -> None:
    """As all subclasses of EntropyModelVbr do."""
    model, z = EntropyBottleneckVbr(4), 3 * torch.randn(2, 4, 3, 5)
    model.update()
    expected = model.decompress(model.compress(z), z.shape[2:])
    strings = accelerate(model).compress(z)
    assert model.decompress(strings, z.shape[2:]).equal(expected)
    with pytest.raises(torchac.CorruptStreamError, match="checksum"):
        model.decompress([strings[0][:-1], strings[1]], z.shape[2:])


class Codec(nn.Module):
    """Calls CompressAI's coder in every possible way."""

    def __init__(self) -> None:
        super().__init__()
        self.made: list[object] = []

    @torch.no_grad()
    def decorated(self) -> object:
        return ans.RansDecoder()

    @staticmethod
    def static() -> object:
        return ans.RansEncoder()

    @classmethod
    def of_class(cls) -> object:
        def make() -> object:
            return ans.BufferedRansEncoder()

        return make()

    def base(self, *, number: int = 1) -> object:
        self.made = [ans.RansDecoder() for _ in range(number)]
        return self.made[0]


class Derived(Codec):
    def base(self, *, number: int = 1) -> object:
        return super().base(number=number)


@pytest.mark.parametrize("codec_class", [Codec, Derived])
def test_methods_of_other_modules(codec_class: Any) -> None:
    codec, other = codec_class(), codec_class()
    accelerate(nn.Sequential(codec))
    assert isinstance(codec.decorated(), RansDecoder)
    assert isinstance(codec.static(), RansEncoder)
    assert isinstance(codec.of_class(), BufferedRansEncoder)
    assert isinstance(codec.base(), RansDecoder)
    assert isinstance(other.base(), ans.RansDecoder)
    assert isinstance(restore(codec).base(), ans.RansDecoder)


def test_raster_scan() -> None:
    """The codec passes its coders to functions."""
    model = GaussianConditional(SCALES)
    model.update()
    codec = RasterScanLatentCodec(
        gaussian_conditional=model,
        entropy_parameters=nn.Conv2d(16 + 8, 16, 1),
        context_prediction=MaskedConv2d(8, 8, kernel_size=5, padding=2),
    )
    y, parameters = 3 * torch.randn(1, 8, 4, 4), torch.randn(1, 16, 4, 4)
    own = codec.compress(y, parameters)
    accelerated = accelerate(codec).compress(y, parameters)
    assert len(accelerated["strings"][0][0]) <= len(own["strings"][0][0])
    back = codec.decompress(accelerated["strings"], accelerated["shape"], parameters)
    assert back["y_hat"].equal(own["y_hat"])


@st.composite
def tables(draw: st.DrawFn) -> tuple[list[list[int]], list[int], list[int]]:
    """Rows like those of CompressAI: each symbol has at least 1 of 65536."""
    rows = []
    for _ in range(draw(st.integers(1, 4))):
        inner = draw(st.sets(st.integers(1, 65535), min_size=1, max_size=20))
        rows.append([0, *sorted(inner), 65536])
    sizes = [len(row) for row in rows]
    offsets = draw(st.lists(st.integers(-300, 300), min_size=len(rows), max_size=len(rows)))
    return [row + [0] * (max(sizes) - len(row)) for row in rows], sizes, offsets


@given(tables(), st.data())
def test_lists(its_tables: Any, data: st.DataObject) -> None:
    cdfs, _, offsets = its_tables
    index = data.draw(st.lists(st.integers(0, len(cdfs) - 1), max_size=30))
    places = st.integers(-3, 22) | st.integers(-(1 << 20), 1 << 20)
    values = [offsets[i] + data.draw(places) for i in index]
    stream = RansEncoder().encode_with_indexes(values, index, *its_tables)
    assert RansDecoder().decode_with_indexes(stream, index, *its_tables) == values
    cut = data.draw(st.integers(0, len(index)))
    encoder, decoder = BufferedRansEncoder(), RansDecoder()
    for part in (slice(cut), slice(cut, None)):
        encoder.encode_with_indexes(values[part], index[part], *its_tables)
    assert encoder.flush() == stream
    decoder.set_stream(stream)
    parts = (index[:cut], index[cut:])
    assert [v for part in parts for v in decoder.decode_stream(part, *its_tables)] == values


@given(tables())
def test_what_values_cost(its_tables: Any) -> None:
    """Costs are as in CompressAI's tables, except for one or two of 65536 that an escape needs."""
    model = as_tables(*its_tables)
    for number, (row, size, offset) in enumerate(zip(*its_tables, strict=True)):
        widths = np.diff(row[:size]).tolist()
        *of_values, escape = widths
        if escape < 2 and of_values:
            of_values[of_values.index(max(of_values))] -= 2 - escape
        values = torch.arange(len(of_values)) + offset
        bits = torchac.estimate_bits(model, values, index=torch.full_like(values, number))
        expected = [16 - math.log2(width) for width in of_values]
        assert bits.tolist() == pytest.approx(expected, abs=1e-6)


def test_streams_stay_as_they_are() -> None:
    values, index = [-1, 0, 5, 1000, 8, -70000], [0, 0, 1, 0, 1, 1]
    stream = RansEncoder().encode_with_indexes(values, index, *TABLES)
    assert stream.hex() == "7cf519356196ae66b44d814077f540"
    model = accelerate(GaussianConditional(SCALES))
    model.update()
    indexes = torch.tensor([[0, 1, 2, 3, 4, 4]])
    [stream] = model.compress(torch.tensor([values]).float(), indexes)
    assert stream.hex() == "0001d6da30530b02614e108044e8a74e40"


def test_a_compiled_call() -> None:
    model, y = accelerate(GaussianConditional(SCALES)), torch.randn(1, 20)
    model.update()
    indexes = torch.zeros(1, 20, dtype=torch.int32)
    compiled = torch.compile(lambda y: model.compress(2 * y, indexes), backend="eager")
    assert compiled(y) == model.compress(2 * y, indexes)


SCRIPTED: dict[str, Callable[[], Any]] = {
    "EntropyBottleneck": lambda: EntropyBottleneck(4),
    "EntropyBottleneckVbr": lambda: EntropyBottleneckVbr(4),
    "GaussianConditional": lambda: GaussianConditional(SCALES),
    "without scales": lambda: GaussianConditional(None),
    "CompressionModel": lambda: CompressionModel(4),
}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # TorchScript is deprecated
@pytest.mark.parametrize("name", SCRIPTED)
def test_torchscript(name: str) -> None:
    """Accelerated models compile to the same code as before."""
    model = SCRIPTED[name]().eval()
    scripted = torch.jit.script(model)
    accelerated = torch.jit.script(accelerate(model))
    torch.jit.save(accelerated, io.BytesIO())
    for method in ("forward", "quantize"):
        before, after = (getattr(m, method, None) for m in (scripted, accelerated))
        assert getattr(after, "code", None) == getattr(before, "code", None)


NO_SYMBOLS = [math.nan, math.inf, -math.inf, 3e9, -3e9, 2.0**31]
ENTROPY_MODELS: dict[str, tuple[Callable[[], Any], Callable[[Any, Tensor], Any]]] = {
    "EntropyBottleneck": (lambda: EntropyBottleneck(2), lambda m, y: m.compress(y)),
    "EntropyBottleneckVbr": (lambda: EntropyBottleneckVbr(2), lambda m, y: m.compress(y)),
    "EntropyBottleneckVbr, steps": (
        lambda: EntropyBottleneckVbr(2),
        lambda m, y: m.compress(y, qs=torch.tensor(0.5)),
    ),
    "GaussianConditional": (
        lambda: GaussianConditional(SCALES),
        lambda m, y: m.compress(y, torch.zeros(y.shape, dtype=torch.int32)),
    ),
    "GaussianConditional, means": (
        lambda: GaussianConditional(SCALES),
        lambda m, y: m.compress(torch.zeros_like(y), torch.zeros(y.shape, dtype=torch.int32), -y),
    ),
    "GaussianMixtureConditional": (
        lambda: GaussianMixtureConditional(1, SCALES),
        lambda m, y: m.compress(y, torch.ones_like(y), torch.zeros_like(y), torch.ones_like(y)),
    ),
    "symbols of autoregressive models": (
        lambda: GaussianConditional(SCALES),
        lambda m, y: m.quantize(y, mode="symbols", means=torch.zeros_like(y)),
    ),
    "a quantize of its own": (
        lambda: Rounding(SCALES),
        lambda m, y: m.compress(y, torch.zeros(y.shape, dtype=torch.int32)),
    ),
}


class Rounding(GaussianConditional):  # type: ignore[misc]
    """Rounds half away from zero."""

    def quantize(self, inputs: Tensor, mode: str, means: Tensor | None = None) -> Tensor:
        return (inputs.abs() + 0.5).floor().mul(inputs.sign()).int()


@pytest.mark.parametrize("value", NO_SYMBOLS)
@pytest.mark.parametrize("name", ENTROPY_MODELS)
def test_values_that_are_no_symbols(name: str, value: float) -> None:
    make, compress = ENTROPY_MODELS[name]
    model, y = make(), torch.zeros(1, 2, 3, 4)
    model.update()
    accelerate(model)
    before = compress(model, y)
    y[0, 1, 2, 3] = value
    with pytest.raises(
        ValueError, match=r"^value .* at index \(.*\): expected whole numbers from -2147"
    ):
        compress(model, y)
    y[0, 1, 2, 3] = 0
    assert str(compress(model, y)) == str(before)


def test_symbols_that_are_larger_than_values() -> None:
    model = accelerate(EntropyBottleneckVbr(2))
    model.update()
    with pytest.raises(ValueError, match=r"^value 4000000000.0 at index"):
        model.compress(torch.full((1, 2, 1), 2e9), qs=torch.tensor(0.5))
    y = torch.tensor([6e4], dtype=torch.float16)
    with pytest.raises(ValueError, match=r"^value inf at index"):
        model.quantize(y, "symbols", -y.float())  # float16 lacks this value


def test_the_largest_symbols() -> None:
    model = accelerate(GaussianConditional(SCALES))
    model.update()
    indexes = torch.zeros(1, 3, dtype=torch.int32)
    for dtype, largest in ((torch.float32, 2**31 - 128), (torch.float64, 2**31 - 1)):
        y = torch.tensor([[-(2.0**31), largest, 0.4]], dtype=dtype)
        decoded = model.decompress(model.compress(y, indexes), indexes, torch.float64)
        assert decoded.tolist() == y.round().tolist()
    y = torch.tensor([[6e4, -6e4, math.inf]], dtype=torch.float16)
    model.compress(y[:, :2], indexes[:, :2])
    with pytest.raises(ValueError, match=r"^value inf at index \(0, 2\)"):
        model.compress(y, indexes)


@pytest.mark.parametrize("value", [math.nan, math.inf, 1e30])
@pytest.mark.parametrize("model_class", MODELS)
def test_images_that_are_none(model_class: Any, value: float) -> None:
    model, image = accelerate(a_model(model_class)), an_image()
    image[1, 0, 5, 5] = value
    with pytest.raises(ValueError, match=r"^value .* at index \(.*\): expected whole numbers"):
        model.compress(image)


def test_flush_begins_another_stream() -> None:
    encoder = BufferedRansEncoder()
    streams = []
    for value in (0, 1):
        encoder.encode_with_indexes([value], [0], *TABLES)
        streams.append(encoder.flush())
    decoded = [RansDecoder().decode_with_indexes(stream, [0], *TABLES) for stream in streams]
    assert decoded == [[0], [1]]


def test_other_tables_in_the_next_call() -> None:
    encoder = BufferedRansEncoder()
    encoder.encode_with_indexes([1], [0], *TABLES)
    other = (torch.tensor([[0, 1, 2, 65536]]), np.array([4]), (0,))
    encoder.encode_with_indexes(torch.tensor([1]), np.array([0]), *other)
    decoder = RansDecoder()
    decoder.set_stream(bytearray(encoder.flush()))
    assert decoder.decode_stream([0], *TABLES) == decoder.decode_stream([0], *other) == [1]


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"cdfs": [[0, 9, 65536], [1, 9, 65536]]}, ValueError, r"cdfs is 1 at index \(1, 0\)"),
        ({"cdfs": [[0, 9, 65535], [0, 9, 65536]]}, ValueError, r"65535 at index \(0, 2\)"),
        ({"cdfs": [[0, 9, 65536], [0, 70000, 65536]]}, ValueError, r"65536 at index \(1, 2\)"),
        ({"cdfs": [[0.0, 9.0, 65536.0]] * 2}, TypeError, "cdfs has dtype torch.float32"),
        ({"cdfs": [["a"]] * 2}, TypeError, "cdfs cannot be read as integers"),
        ({"cdfs": [], "cdfs_sizes": [], "offsets": []}, ValueError, r"shapes \(0, 0\), \(0,\)"),
        ({"cdfs": []}, ValueError, r"shapes \(0, 0\), \(2,\) and \(2,\)"),
        ({"cdfs_sizes": [3, 4]}, ValueError, r"cdfs_sizes is 4 at index \(1,\): expected 2 to 3"),
        ({"cdfs_sizes": [3, 1]}, ValueError, r"cdfs_sizes is 1 at index \(1,\)"),
        ({"cdfs_sizes": [3]}, ValueError, r"\(1,\) and \(2,\): expected \(K, Lp\)"),
        ({"offsets": [0, -(1 << 31)]}, ValueError, r"low is -2147483649 at index \(1,\)"),
    ],
)
def test_tables_that_are_not_right(change: Any, error: Any, message: str) -> None:
    good: Any = {"cdfs": [[0, 9, 65536], [0, 9, 65536]], "cdfs_sizes": [3, 3], "offsets": [0, 0]}
    as_tables(**good)
    with pytest.raises(error, match=message):
        as_tables(**good | change)


@pytest.mark.parametrize(
    ("symbols", "indexes", "message"),
    [
        ([1], [2], r"index 2 at index \(0,\) is out of range"),
        ([1], [-1], r"index -1 at index \(0,\) is out of range"),
        ([1, 2], [0], r"shapes \(2,\) and \(1,\)"),
        ([1 << 31], [0], "value 2147483648"),
        ([1 << 70], [0], "symbols cannot be read as integers"),
        ([1.5], [0], "symbols has dtype torch.float32"),
    ],
)
def test_values_that_are_not_right(symbols: Any, indexes: Any, message: str) -> None:
    encoder = BufferedRansEncoder()
    with pytest.raises((TypeError, ValueError), match=message):
        encoder.encode_with_indexes(symbols, indexes, *TABLES)
    encoder.encode_with_indexes([0], [0], *TABLES)  # as if nothing had happened
    assert RansDecoder().decode_with_indexes(encoder.flush(), [0], *TABLES) == [0]


def test_a_decoder_without_a_stream() -> None:
    with pytest.raises(RuntimeError, match="call set_stream first"):
        RansDecoder().decode_stream([0], *TABLES)


def test_a_decoder_keeps_its_stream_when_the_next_is_damaged() -> None:
    decoder = RansDecoder()
    decoder.set_stream(RansEncoder().encode_with_indexes([1], [0], *TABLES))
    with pytest.raises(torchac.CorruptStreamError):
        decoder.set_stream(b"abc")
    assert decoder.decode_stream([0], *TABLES) == [1]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda m, y, i: m.compress(y[0], i[0]), ValueError, r"inputs .* \(5,\) and \(5,\)"),
        (lambda m, y, i: m.compress(y, i[:, :4]), ValueError, r"\(2, 5\) and \(2, 4\)"),
        (lambda m, y, i: m.compress(y, i + 9), ValueError, "out of range"),
        (lambda m, y, i: m.decompress(b"ab", i), TypeError, "strings is of type bytes"),
        (lambda m, y, i: m.decompress([b"a"], i), ValueError, r"\(2, 5\): expected \(1, …\)"),
        (
            lambda m, y, i: m.decompress(m.compress(y, i), i, means=y[:, :4]),
            ValueError,
            r"means has shape \(2, 4\): expected that of indexes, \(2, 5\)",
        ),
    ],
)
def test_arguments_that_are_not_right(call: Any, error: Any, message: str) -> None:
    model = accelerate(GaussianConditional(SCALES))
    model.update()
    with pytest.raises(error, match=message):
        call(model, torch.zeros(2, 5), torch.zeros(2, 5, dtype=torch.int32))


def test_means_that_do_not_broadcast() -> None:
    model = accelerate(GaussianConditional(SCALES))
    model.update()
    indexes = torch.zeros(1, 2, 4, dtype=torch.int32)
    for shape in ((1, 2, 3), (1, 2), (1, 1, 4)):
        with pytest.raises(ValueError, match="means has shape"):
            model.decompress([b""], indexes, means=torch.zeros(shape))


def test_a_model_that_was_not_updated() -> None:
    with pytest.raises(ValueError, match="Uninitialized CDFs"):
        accelerate(EntropyBottleneck(3)).compress(torch.zeros(1, 3, 2))


def test_what_cannot_be_accelerated() -> None:
    with pytest.raises(ValueError, match="Linear has no entropy model"):
        accelerate(nn.Linear(2, 2))
    for function in (accelerate, restore):
        with pytest.raises(TypeError, match="model is of type int"):
            function(3)  # type: ignore[type-var]


def test_nothing_is_imported_before_it_is_needed() -> None:
    code = "import sys, torchac.compressai; assert 'compressai' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


PARTS: Sequence[Any] = [
    importlib.import_module(f"torchac.compressai.{part.name}")
    for part in pkgutil.iter_modules(torchac.compressai.__path__)
]


@pytest.mark.parametrize("module", PARTS, ids=lambda module: module.__name__)
def test_examples_in_docstrings(module: Any) -> None:
    assert doctest.testmod(module, optionflags=doctest.ELLIPSIS).failed == 0
