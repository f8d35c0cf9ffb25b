"""Modules that convert as they are, and modules that are refused with a reason."""

import copy
import pickle
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import compressai_alone
import exact_networks
import pytest
import torch
from torch import nn
from torch.nn import functional

import torchac
from torchac import exact
from torchac.exact import Refused


@pytest.mark.parametrize("name", exact_networks.NETWORKS)
def test_a_network_computes_what_it_did(name: str) -> None:
    module, x = exact_networks.make(name)
    before = copy.deepcopy(module.state_dict())
    network = exact.convert(module, [x])
    after = module.state_dict()
    assert all(after[key].equal(before[key]) for key in before)
    with torch.no_grad():
        expected = exact_networks.tensors(module(*x))
    found = network(*x)
    for y, floats in zip(exact_networks.tensors(found), expected, strict=True):
        assert y.dtype is torch.float32
        assert y.shape == floats.shape
        assert not y.requires_grad
        assert (y - floats).abs().max() < 2**-11 + 2e-4 * floats.abs().max()
        assert (y * 2**10).equal((y * 2**10).round())
    again = exact.convert(module, [x[0] if len(x) == 1 else list(x)], step=2.0**-16)
    for y, floats in zip(exact_networks.tensors(again(*x)), expected, strict=True):
        assert (y - floats).abs().max() < 2**-17 + 2e-4 * floats.abs().max()


def test_the_structure_of_outputs_is_kept() -> None:
    module, x = exact_networks.make("everything")
    y = exact.convert(module, [x])(*x)
    assert list(y) == ["gated", "means", "rest"]
    assert isinstance(y["means"], tuple)
    assert isinstance(y["rest"], list)


@pytest.mark.parametrize("name", exact_networks.NETWORKS)
def test_other_sizes_than_in_the_batch(name: str) -> None:
    """This holds if the network takes them; one with a mean or a Linear may not."""
    module, x = exact_networks.make(name)
    network = exact.convert(module, [x])
    larger = [torch.cat((v, v), -1)[:3] for v in x]
    with torch.no_grad():
        expected = exact_networks.tensors(module(*larger))
    for y, floats in zip(exact_networks.tensors(network(*larger)), expected, strict=True):
        assert (y - floats).abs().max() < 2**-11 + 2e-4 * floats.abs().max()


def test_channels_of_very_different_sizes_cost_nothing() -> None:
    """Hidden channels are multiplied by powers of two, and divided again in the next layer."""
    torch.manual_seed(0)
    layers: list[Any] = [
        nn.ConvTranspose2d(6, 16, 5, 2, 2, 1),
        nn.LeakyReLU(),
        nn.Conv2d(16, 32, 3, padding=1),
        nn.PixelShuffle(2),
        nn.LeakyReLU(),
        nn.Conv2d(8, 4, 3, padding=1),
    ]
    module = nn.Sequential(*layers).eval()
    x = exact_networks.inputs((2, 6, 8, 8))
    expected = exact.convert(module, [x], step=2.0**-20)(x)
    factors = 2.0 ** (24 * torch.rand(16) - 12).round(), 2.0 ** (24 * torch.rand(8) - 12).round()
    with torch.no_grad():
        floats = module.double()(x.double())
        layers[0].weight *= factors[0].view(1, 16, 1, 1)
        layers[0].bias *= factors[0]
        layers[2].weight /= factors[0].view(1, 16, 1, 1)
        of_pixels = factors[1].repeat_interleave(4)
        layers[2].weight *= of_pixels.view(32, 1, 1, 1)
        layers[2].bias *= of_pixels
        layers[5].weight /= factors[1].view(1, 8, 1, 1)
        assert (module(x.double()) - floats).abs().max() < 1e-12
    rescaled = exact.convert(module, [x], step=2.0**-20)(x)
    assert rescaled.equal(expected)
    assert (rescaled - floats).abs().max() < 1e-4


def test_a_batch_of_noise_or_of_zeros_is_enough() -> None:
    module, (x,) = exact_networks.make("hyper decoder")
    with torch.no_grad():
        expected = module(x)
    for batch in (torch.randn(1, 6, 4, 3), torch.zeros(1, 6, 2, 2), x[:1, :, :1, :1]):
        y = exact.convert(module, [batch])(x)
        assert (y - expected).abs().max() < 2e-3


def test_values_are_limited_not_wrong() -> None:
    module, (x,) = exact_networks.make("hyper decoder")
    network = exact.convert(module, [x])
    far = network(x * 1e30)
    assert bool(torch.isfinite(far).all())
    assert far.equal(network(x * 2e30))
    tight = exact.convert(module, [x], headroom=1)
    assert (tight(x) - network(x)).abs().max() < 2e-3


# Modules that users write


class Twice(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv2d(2, 2, 1)

    def forward(self, x: torch.Tensor, more: torch.Tensor | None = None) -> torch.Tensor:
        x = functional.relu(self.layer(x), inplace=True)
        x = self.layer(functional.dropout(x, training=self.training))
        return x if more is None else x + more


class Reuses(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer, self.relu = nn.Conv2d(4, 3, 1), nn.ReLU(inplace=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = self.layer(x)
        self.relu(y)
        return y.mul_(2) + y


class Squeezes(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.squeeze = nn.Sequential(nn.Linear(4, 2), nn.ReLU(), nn.Linear(2, 4), nn.Sigmoid())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        gate: torch.Tensor = self.squeeze(x.mean(dim=(2, 3)))
        return x * gate.unsqueeze(-1)[..., None]


class Shuffles(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        b, c, h, w = x.shape
        x = x.reshape(b, 2, c // 2, h, w).permute(0, 2, 1, 3, 4).contiguous()
        return x.flatten(1, 2)


class Normalized(nn.Conv2d):
    """A convolution whose weights are computed from constants."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        weight = self.weight - self.weight.mean((1, 2, 3), keepdim=True)
        return functional.conv2d(x, weight, self.bias, self.stride, self.padding)


MODULES: dict[str, Callable[[], nn.Module]] = {
    "a layer": lambda: nn.Conv2d(4, 2, 3),
    "nothing": lambda: nn.Identity(),
    "twice": lambda: nn.Sequential(nn.Conv2d(4, 2, 1), Twice()),
    "in place": Reuses,
    "squeeze and excite": Squeezes,
    "channel shuffle": lambda: nn.Sequential(nn.Conv2d(4, 8, 1), Shuffles(), nn.Conv2d(8, 2, 1)),
    "weights that are computed": lambda: Normalized(4, 3, 3, padding=1),
    "a bottleneck": lambda: nn.Sequential(
        nn.Conv2d(4, 8, 1, bias=False),
        nn.BatchNorm2d(8),
        nn.ReLU6(inplace=True),
        nn.Conv2d(8, 8, 3, padding=1, groups=8, bias=False),
        nn.BatchNorm2d(8),
        nn.ReLU6(inplace=True),
        nn.Conv2d(8, 4, 1, bias=False),
        nn.BatchNorm2d(4),
    ),
    "a norm without a convolution": lambda: nn.Sequential(nn.ReLU(), nn.BatchNorm2d(4)),
    "a transposed convolution and its norm": lambda: nn.Sequential(
        nn.ConvTranspose2d(4, 6, 3, groups=2, bias=False), nn.BatchNorm2d(6)
    ),
    "spectral norm": lambda: nn.utils.parametrizations.spectral_norm(nn.Conv2d(4, 4, 3)),
    "pads": lambda: nn.Sequential(
        nn.ReflectionPad2d(1), nn.Conv2d(4, 2, 3), nn.ReplicationPad2d(2), nn.ConstantPad2d(1, 0.5)
    ),
}


@pytest.mark.parametrize("name", MODULES)
def test_modules_of_users_convert_unmodified(name: str) -> None:
    torch.manual_seed(0)
    module = MODULES[name]().eval()
    x = exact_networks.inputs((2, 4, 6, 8))
    network = exact.convert(module, [x])
    with torch.no_grad():
        expected = module(x)
    assert (network(x) - expected).abs().max() < 2**-11 + 1e-4 * expected.abs().max()


@pytest.mark.skipif(not compressai_alone.installed(), reason=compressai_alone.HOW)
def test_networks_of_compressai_convert_unmodified() -> None:
    compressai_alone.load()
    from compressai import models

    torch.manual_seed(0)
    z = torch.randint(-5, 6, (1, 24, 2, 3)).float()
    y = torch.randint(-9, 10, (1, 32, 8, 12)).float()
    mean, raster = (
        models.MeanScaleHyperprior(24, 32),
        models.JointAutoregressiveHierarchicalPriors(24, 32),
    )
    anchor, attention = models.Cheng2020Anchor(24), models.Cheng2020Attention(24)
    parts: list[tuple[Any, torch.Tensor]] = [
        (models.ScaleHyperprior(24, 32).h_s, z),
        (models.FactorizedPrior(24, 32).g_s, y),
        (mean.h_s, z),
        (mean.h_a, y),
        (raster.context_prediction, y),
        (raster.entropy_parameters, torch.randn(1, 128, 8, 12)),
        (anchor.h_s, z),
        (anchor.g_a, torch.rand(1, 3, 64, 64)),
        (attention.g_s, torch.randint(-5, 6, (1, 24, 2, 3)).float()),
    ]
    codec = models.Elic2022Official(24, 160).latent_codec
    groups = codec["y"]
    parts += [(codec["hyper"].h_s, z), (groups.channel_context["y2"], y)]
    last = groups.latent_codec["y1"]
    parts += [
        (last.context_prediction, y[:, :16]),
        (last.entropy_parameters, torch.randn(1, last.entropy_parameters[0].in_channels, 4, 4)),
    ]
    for module, x in parts:
        module.eval()
        network = exact.convert(module, [x])
        with torch.no_grad():
            expected = module(x)
        assert (network(x) - expected).abs().max() < 2**-11 + 2e-4 * expected.abs().max()


# Refusals


class Chooses(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x if x.mean() > 0 else -x


class Changes(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = x.clone()
        y[:, 0] = 0
        return y


class Aliases(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = x * 1.0
        view = y.view(2, -1)
        y += 1
        return view


class Random(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + torch.rand(1)


class Divides(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return 1 / x


def with_weight(value: float) -> nn.Module:
    layer = nn.Conv2d(4, 2, 1)
    with torch.no_grad():
        layer.weight[0, 0] = value
    return nn.Sequential(layer)


REFUSED: dict[str, tuple[Callable[[], nn.Module], str]] = {
    "control flow": (Chooses, "cannot be traced: TraceError.*must not depend on values"),
    "changes in part": (Changes, "cannot be traced: TypeError.*changed in part"),
    "aliases": (Aliases, "changed in place"),
    "random": (Random, "may be random"),
    "division": (Divides, "may be 0"),
    "padding": (
        lambda: nn.Sequential(nn.Conv2d(4, 2, 3, padding=1, padding_mode="reflect")),
        r"^0 \(Conv2d\): it has padding_mode='reflect': pad with torch.nn.functional.pad before",
    ),
    "unknown layer": (
        lambda: nn.Sequential(nn.Conv2d(4, 4, 1), nn.Sequential(nn.InstanceNorm2d(4))),
        r"^1.0 \(InstanceNorm2d\): it is not known to be exact. Known are convolutions",
    ),
    "unknown function": (
        lambda: nn.Sequential(nn.Softmax(1)),
        r"^0 \(Softmax\): it is not known",
    ),
    "NaN": (lambda: with_weight(float("nan")), r"^0 \(Conv2d\): its weights are not all finite"),
    "infinity": (lambda: with_weight(float("inf")), r"^0 \(Conv2d\): its weights are not"),
    "a huge bias": (
        lambda: nn.Sequential(big_bias()),
        r"^0 \(Conv2d\): its sums have too many terms, or .* of the 53 bits of a sum, \d+ are left",
    ),
    "training": (lambda: nn.Sequential(nn.Dropout()).train(), r"^0 \(Dropout\) is in training"),
    "a soft curve": (lambda: nn.Softplus(beta=0.01), "not straight beyond"),
    "too large": (lambda: with_weight(1e6), r"more than 2\^23 steps.*step=2\*\*"),
    "batch statistics": (
        lambda: nn.Sequential(nn.BatchNorm2d(4, track_running_stats=False)),
        r"^0 \(BatchNorm2d\): it has no running mean",
    ),
    "bilinear": (
        lambda: nn.Upsample(scale_factor=2, mode="bilinear"),
        "take mode='nearest'",
    ),
}


def big_bias() -> nn.Module:
    layer = nn.Conv2d(4, 2, 1)
    with torch.no_grad():
        layer.weight.fill_(2.0**-60)
        layer.bias.fill_(1.0)  # type: ignore[union-attr]
    return layer


@pytest.mark.filterwarnings("ignore:.*bilinear")
@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_exact_is_refused(name: str) -> None:
    torch.manual_seed(0)
    make, message = REFUSED[name]
    module = make() if name == "training" else make().eval()
    with pytest.raises(Refused, match=message):
        exact.convert(module, [exact_networks.inputs((2, 4, 6, 8))])


def test_wrong_arguments() -> None:
    module, x = nn.Conv2d(4, 2, 1).eval(), exact_networks.inputs((1, 4, 3, 3))
    wrong: Any = exact.convert
    with pytest.raises(TypeError, match="module is of type function: expected a torch"):
        wrong(lambda x: x, [x])
    with pytest.raises(TypeError, match=r"batches is a tensor: expected a list of batches"):
        wrong(module, x)
    with pytest.raises(TypeError, match="batch 0 has a ndarray: expected tensors"):
        wrong(module, [x.numpy()])
    with pytest.raises(ValueError, match="batches is empty"):
        wrong(module, [])
    with pytest.raises(ValueError, match="batch 1 has values that are not finite"):
        wrong(module, [x, x / 0])
    with pytest.raises(ValueError, match=r"batch 0 has shape \(0, 4, 3, 3\)"):
        wrong(module, [x[:0]])
    with pytest.raises(ValueError, match="batch 1 has other dimensions"):
        wrong(module, [x, x[0]])
    with pytest.raises(Refused, match=r"takes 1 input, the batch has 2$"):
        wrong(module, [(x, x)])
    with pytest.raises(ValueError, match=r"step is 0\.3: expected a power of two"):
        wrong(module, [x], step=0.3)
    with pytest.raises(ValueError, match=r"headroom is 0\.5: expected a number from 1"):
        wrong(module, [x], headroom=0.5)


def test_wrong_inputs() -> None:
    module, x = nn.Conv2d(4, 2, 3).eval(), exact_networks.inputs((1, 4, 5, 5))
    network: Any = exact.convert(module, [x])
    bad = x.clone()
    bad[0, 1, 2, 3] = float("nan")
    with pytest.raises(ValueError, match=r"an input is nan at index \(0, 1, 2, 3\)"):
        network(bad)
    with pytest.raises(ValueError, match="expected finite numbers"):
        network(x / 0)
    with pytest.raises(ValueError, match="expected 4 dimensions"):
        network(x[0])
    with pytest.raises(ValueError, match="expected 4 channels"):
        network(x[:, :3])
    with pytest.raises(ValueError, match="too small for a convolution"):
        network(x[..., :2])
    with pytest.raises(TypeError, match="there are 2 inputs: expected 1"):
        network(x, x)
    with pytest.raises(TypeError, match="an input is of type ndarray"):
        network(x.numpy())
    assert network(x.double()).equal(network(x))
    whole = x.round()
    assert network(whole.to(torch.int32)).equal(network(whole))


# The methods of a network


def test_a_line_for_each_layer() -> None:
    module, (x,) = exact_networks.make("hyper decoder")
    lines = repr(exact.convert(module, [x])).splitlines()
    assert lines[0].split() == ["layer", "sums", "values", "largest", "seen", "limit"]
    assert [line.split()[:2] for line in lines[2:-1]] == [
        ["0", "ConvTranspose2d"],
        ["2", "ConvTranspose2d"],
        ["4", "Conv2d"],
    ]
    for line in lines[2:-1]:
        sums, bits, unit, seen, limit = line.split()[2:]
        assert 48 < float(sums.removeprefix("2^")) < 53
        assert 20 < int(bits) < 40
        assert unit == "bits"
        assert 8 * float(seen) < float(limit)


def test_a_network_is_copied_pickled_and_moved() -> None:
    module, (x,) = exact_networks.make("classes")
    network = exact.convert(module, [x])
    y = network(x)
    for other in (
        copy.deepcopy(network),
        pickle.loads(pickle.dumps(network)),
        nn.Sequential(copy.deepcopy(network)).half(),
        copy.deepcopy(network).to(torch.float32).train(),
    ):
        assert other(x).equal(y)
    half = nn.Sequential(network).half().state_dict()
    assert {v.dtype for v in half.values()} == {torch.float64, torch.uint8}


def test_a_state_makes_any_network_the_same() -> None:
    (module, (x,)), (other, (z,)) = exact_networks.make("classes"), exact_networks.make("audio")
    network, another = exact.convert(module, [x]), exact.convert(other, [z])
    state = network.state_dict()
    known = torchac.fingerprint(state)
    assert known != torchac.fingerprint(another.state_dict())
    another.load_state_dict(state)
    assert another(x).equal(network(x))
    assert torchac.fingerprint(another.state_dict()) == known
    outer, inner = nn.Sequential(network), nn.Sequential(exact.convert(other, [z]))
    inner.load_state_dict(outer.state_dict())
    assert inner(x).equal(network(x))
    state["steps.1.step"] *= 2.0**-15  # no longer proved
    with pytest.raises(ValueError, match="may reach"):
        another.load_state_dict(state)


def test_what_identifies_a_network_has_its_settings() -> None:
    x = exact_networks.inputs((2, 4))
    known = {
        torchac.fingerprint(exact.convert(nn.LeakyReLU(slope).eval(), [x], step=step).state_dict())
        for slope in (0.1, 0.2)
        for step in (0.5, 0.25)
    }
    assert len(known) == 4


def test_it_is_imported_by_itself() -> None:
    code = (
        "import sys, torch\n"
        "before = set(sys.modules)\n"
        "import torchac\n"
        "new = set(sys.modules) - before\n"
        "assert not any(name.startswith(('torchac.exact', 'torch.fx')) for name in new), new\n"
        "import torchac.exact\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
