"""CompressAI's models with exact networks: any process decodes what another one encodes."""

import copy
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import compressai_alone
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

import torchac
import torchac.testing
from torchac.compressai import accelerate, restore
from torchac.exact import Network, Refused

if not compressai_alone.installed():
    pytest.skip(compressai_alone.HOW, allow_module_level=True)
compressai_alone.load()

from compressai.entropy_models import EntropyBottleneck, GaussianConditional  # noqa: E402
from compressai.latent_codecs import (  # noqa: E402
    HyperLatentCodec,
    HyperpriorLatentCodec,
    RasterScanLatentCodec,
)
from compressai.layers import MaskedConv2d  # noqa: E402
from compressai.models import (  # noqa: E402
    Cheng2020Anchor,
    Cheng2020AnchorCheckerboard,
    Elic2022Official,
    FactorizedPrior,
    JointAutoregressiveHierarchicalPriors,
    JointAutoregressiveHierarchicalPriorsVbr,
    MeanScaleHyperprior,
    ScaleHyperprior,
    SimpleVAECompressionModel,
)

CHILD = "torchac_exact"


class RasterScan(SimpleVAECompressionModel):  # type: ignore[misc]
    """A model made of latent codecs, one of which codes value by value."""

    def __init__(self) -> None:
        super().__init__()
        self.g_a = nn.Sequential(nn.Conv2d(3, 8, 16, 16))
        self.g_s = nn.Sequential(nn.ConvTranspose2d(8, 3, 16, 16))
        hyper = HyperLatentCodec(
            entropy_bottleneck=EntropyBottleneck(4),
            h_a=nn.Conv2d(8, 4, 4, 4),
            h_s=nn.ConvTranspose2d(4, 16, 4, 4),
        )
        y = RasterScanLatentCodec(
            gaussian_conditional=GaussianConditional(None),
            entropy_parameters=nn.Sequential(
                nn.Conv2d(32, 24, 1), nn.LeakyReLU(), nn.Conv2d(24, 16, 1)
            ),
            context_prediction=MaskedConv2d(8, 16, 3, padding=1),
        )
        self.latent_codec = HyperpriorLatentCodec(latent_codec={"y": y, "hyper": hyper})


AUTOREGRESSIVE = {"h_s", "entropy_parameters", "context_prediction"}
CODECS = {"latent_codec.hyper.h_s"} | {
    f"latent_codec.y.{name}" for name in ("entropy_parameters", "context_prediction")
}
GROUPS = {"latent_codec.hyper.h_s", "latent_codec.y.channel_context.y1"} | {
    f"latent_codec.y.latent_codec.y{k}.{name}"
    for k in range(2)
    for name in ("entropy_parameters", "context_prediction")
}
MODELS: dict[str, tuple[Callable[[], Any], set[str]]] = {
    "scale": (lambda: ScaleHyperprior(6, 8), {"h_s"}),
    "mean": (lambda: MeanScaleHyperprior(6, 8), {"h_s"}),
    "autoregressive": (lambda: JointAutoregressiveHierarchicalPriors(6, 8), AUTOREGRESSIVE),
    "cheng2020": (lambda: Cheng2020Anchor(6), AUTOREGRESSIVE),
    "checkerboard": (lambda: Cheng2020AnchorCheckerboard(6), CODECS),
    "elic": (lambda: Elic2022Official(6, 8, [2, 6]), GROUPS),
    "raster scan": (RasterScan, CODECS),
}


@pytest.fixture(autouse=True)
def _settings() -> Any:
    threads = torch.get_num_threads()
    torch.manual_seed(0)
    with torch.no_grad():
        yield
    torch.set_num_threads(threads)


def a_model(name: str) -> Any:
    """A model with random weights, large enough that latents have many values."""
    model = MODELS[name][0]().eval()
    last = [part for part in model.g_a.modules() if isinstance(part, nn.Conv2d)][-1]
    last.weight *= 100
    model.update()
    return model


def an_image(name: str = "") -> Tensor:
    return torch.rand(1 if name == "raster scan" else 2, 3, 64, 128)  # it takes one at a time


def latents(model: Any, sent: Any) -> Tensor:
    """The latents that the synthesis gets."""
    seen: list[Tensor] = []
    with model.g_s.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0])):
        model.decompress(sent["strings"], sent["shape"])
    return seen[0]


def size(sent: Any) -> int:
    return sum(len(stream) for streams in sent["strings"] for stream in streams)


def exact_parts(model: Any) -> set[str]:
    return {
        name.removesuffix(f".{CHILD}")
        for name, part in model.named_modules()
        if isinstance(part, Network)
    }


@pytest.mark.parametrize("name", MODELS)
def test_what_the_decoder_runs_is_exact(name: str) -> None:
    model, image = a_model(name), an_image(name)
    keys = list(model.state_dict())
    as_it_was = accelerate(model).compress(image)
    assert accelerate(model, exact=image) is model
    assert exact_parts(model) == MODELS[name][1]

    sent = model.compress(image)
    assert size(sent) <= 1.01 * size(as_it_was) + 16
    expected = latents(model, sent)
    assert len(set(expected.flatten().tolist())) > 20
    torch.set_num_threads(3)
    with torchac.testing._without_onednn():
        assert latents(model, sent).equal(expected)
        one = {"strings": [streams[-1:] for streams in sent["strings"]], "shape": sent["shape"]}
        assert latents(model, one).equal(expected[-1:])

    restore(model)
    assert not exact_parts(model)
    assert list(model.state_dict()) == keys
    assert accelerate(model).compress(image)["strings"] == as_it_was["strings"]


@pytest.mark.parametrize("name", ["autoregressive", "checkerboard", "raster scan"])
def test_a_context_sees_the_same_from_afar(name: str) -> None:
    """The exact context is the same for a whole picture as for the decoder's crops."""
    model, image = a_model(name), an_image(name)
    expected = model(image)["likelihoods"]["y"]
    found = accelerate(model, exact=image)(image)["likelihoods"]["y"]
    assert (found - expected).abs().max() < 0.02


THERE = """
import sys, torch
sys.path.insert(0, sys.argv[1])
import compressai_alone
compressai_alone.load()
import test_compressai_exact as tests
from torchac.compressai import accelerate
torch.manual_seed(1)  # other weights, until they are loaded
with torch.no_grad():
    for name, (state, sent) in torch.load(sys.argv[2]).items():
        model = accelerate(tests.MODELS[name][0]().eval(), exact=state)
        torch.save(tests.latents(model, sent), f"{sys.argv[2]}.{name}")
"""


@pytest.mark.parametrize(
    "settings",
    [
        {"ATEN_CPU_CAPABILITY": "default", "ONEDNN_MAX_CPU_ISA": "SSE41", "OMP_NUM_THREADS": "1"},
        {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2", "OMP_NUM_THREADS": "3"},
    ],
    ids=["least", "avx2"],
)
def test_another_process_reads_it(settings: dict[str, str], tmp_path: Path) -> None:
    """It needs only the state of the model, which `torch.load` reads with `weights_only`."""
    names = ["scale", "mean", "autoregressive", "checkerboard", "raster scan"]
    shipped, expected = {}, {}
    for name in names:
        model = accelerate(a_model(name), exact=an_image())
        sent = model.compress(an_image(name))
        sent = {"strings": sent["strings"], "shape": sent["shape"]}
        shipped[name], expected[name] = (model.state_dict(), sent), latents(model, sent)
    torch.save(shipped, tmp_path / "shipped")
    command = [sys.executable, "-W", "ignore", "-c", THERE]
    command += [str(Path(__file__).parent), str(tmp_path / "shipped")]
    subprocess.run(command, env=os.environ | settings, check=True)
    for name in names:
        assert torch.load(f"{tmp_path / 'shipped'}.{name}").equal(expected[name])


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_copies_are_exact(copied: Callable[[Any], Any]) -> None:
    model, image = accelerate(a_model("autoregressive"), exact=an_image()), an_image()
    twin = copied(model)
    assert exact_parts(twin) == AUTOREGRESSIVE
    assert twin.compress(image)["strings"] == model.compress(image)["strings"]
    assert type(restore(twin).context_prediction) is MaskedConv2d
    assert exact_parts(model) == AUTOREGRESSIVE


def test_pictures_of_several_sizes() -> None:
    """Sides need not be multiples of 64."""
    model = accelerate(a_model("mean"), exact=[torch.rand(1, 3, 50, 100), torch.rand(2, 3, 70, 9)])
    assert exact_parts(model) == {"h_s"}
    accelerate(model)
    assert exact_parts(model) == {"h_s"}  # until it is restored, or made exact again
    first = model.h_s._modules[CHILD]
    assert accelerate(model, exact=an_image()).h_s._modules[CHILD] is not first


def test_values_that_differ_are_noticed() -> None:
    """Streams of exact autoregressive models notice it too, because they end with a mark."""
    model, image = a_model("autoregressive"), an_image()
    other = copy.deepcopy(model)
    other.entropy_parameters[4].bias += 0.05
    sent = accelerate(model, exact=image).compress(image)
    with pytest.raises(torchac.CorruptStreamError):
        accelerate(other, exact=image).decompress(sent["strings"], sent["shape"])


class Exp(MeanScaleHyperprior):  # type: ignore[misc]
    def decompress(self, strings: Any, shape: Any) -> Any:
        self.h_s(self.entropy_bottleneck.decompress(strings[1], shape)).exp_()
        return super().decompress(strings, shape)


class WithSoftmax(MeanScaleHyperprior):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__(6, 8)
        self.h_s.append(nn.LogSoftmax(1))


class Options(MeanScaleHyperprior):  # type: ignore[misc]
    def decompress(self, strings: Any, shape: Any) -> Any:
        self.h_s(input=self.entropy_bottleneck.decompress(strings[1], shape))
        return super().decompress(strings, shape)


class OwnConvolution(JointAutoregressiveHierarchicalPriors):  # type: ignore[misc]
    def _decompress_ar(self, stream: Any, y_hat: Tensor, *rest: Any) -> None:
        functional.conv2d(y_hat, self.context_prediction.weight)
        super()._decompress_ar(stream, y_hat, *rest)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: FactorizedPrior(6, 8), "runs no network before"),
        (lambda: Exp(6, 8), "itself calls exp_ before"),
        (lambda: Options(6, 8), "itself calls h_s with other arguments"),
        (WithSoftmax, r"h_s: 5 \(LogSoftmax\)"),
        (lambda: OwnConvolution(6, 8), "itself calls conv2d before"),
        (lambda: JointAutoregressiveHierarchicalPriorsVbr(6, 8), "itself calls"),
    ],
    ids=["factorized", "exp", "options", "layer", "convolution", "variable rate"],
)
def test_what_is_refused(make: Callable[[], Any], message: str) -> None:
    model = make().eval()
    model.update()
    before = {name: type(part) for name, part in model.named_modules()}
    with pytest.raises(Refused, match=message):
        accelerate(model, exact=an_image())
    assert {name: type(part) for name, part in model.named_modules()} == before


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        (3, TypeError, "exact is of type int: expected a batch of pictures"),
        ([], TypeError, "exact is of type list"),
        ([3], TypeError, "exact has a int"),
        (torch.rand(3, 64, 64), ValueError, r"shape \(3, 64, 64\)"),
        (torch.ones(1, 3, 64, 64).byte(), ValueError, "torch.uint8: expected"),
        (torch.full((1, 3, 64, 64), torch.nan), ValueError, "not finite"),
        ({}, ValueError, "without exact networks"),
        ({f"h_t.{CHILD}.program": torch.zeros(1)}, ValueError, "h_t, which"),
        ({f"h_s.{CHILD}.program": torch.zeros(1).byte()}, ValueError, "Expecting value"),
    ],
)
def test_what_is_not_right(given: Any, error: Any, message: str) -> None:
    model, image = a_model("mean"), an_image()
    accelerate(model, exact=image)
    expected = model.compress(image)
    with pytest.raises(error, match=message):
        accelerate(model, exact=given)
    assert model.compress(image) == expected


def test_a_part_with_several_names() -> None:
    def make() -> Any:
        model = a_model("mean")
        model.again = model.h_s
        return model

    model, image = accelerate(make(), exact=an_image()), an_image()
    sent = model.compress(image)
    there = accelerate(make(), exact=model.state_dict())
    assert latents(there, sent).equal(latents(model, sent))
    assert type(restore(there).again) is nn.Sequential


def test_the_state_of_another_model() -> None:
    state = accelerate(a_model("mean"), exact=an_image()).state_dict()
    other = MeanScaleHyperprior(8, 8)
    before = {name: value.clone() for name, value in other.state_dict().items()}
    with pytest.raises(RuntimeError, match="size mismatch"):
        accelerate(other, exact=state)
    assert all(value.equal(before[name]) for name, value in other.state_dict().items())


class Frames(MeanScaleHyperprior):  # type: ignore[misc]
    def compress(self, x: Tensor) -> Any:
        return [super().compress(x)]


def test_a_part_of_a_model() -> None:
    model = Frames(6, 8)
    model.update()
    with pytest.raises(TypeError, match="does not return strings and shape"):
        accelerate(model, exact=an_image())
    with pytest.raises(TypeError, match="Sequential has no method compress"):
        accelerate(nn.Sequential(GaussianConditional([1.0])), exact=an_image())
