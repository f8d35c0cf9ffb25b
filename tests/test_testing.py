"""Noise stays below its tolerance, and the differences between two runs are measured."""

import math
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from test_bad_input import refused
from torch import nn

import torchac.testing

DTYPES = [torch.float16, torch.bfloat16, torch.float32, torch.float64]
X = torch.linspace(-2, 2, 12).view(4, 3)


@pytest.mark.parametrize("dtype", DTYPES)
def test_noise_is_uniform_below_the_tolerance(dtype: torch.dtype) -> None:
    x = torch.zeros(1000, dtype=dtype)
    noise = torchac.testing.perturb(x, 0.125).double()
    assert noise.abs().max() < 0.125
    counts = torch.histc(noise, 4, -0.125, 0.125)
    assert counts.min() > 150


@pytest.mark.parametrize("dtype", DTYPES)
def test_noise_is_below_the_tolerance_once_it_is_rounded(dtype: torch.dtype) -> None:
    """Next to 1, the dtype has numbers at the tolerance, or a little closer."""
    x = torch.ones(1000, dtype=dtype)
    for tolerance in (torch.finfo(dtype).eps, 1.01 * torch.finfo(dtype).eps):
        there = torchac.testing.perturb(x, tolerance)
        assert there.dtype is dtype
        assert (there.double() - 1).abs().max() < tolerance
        assert not there.equal(x)


@pytest.mark.parametrize("dtype", DTYPES)
def test_values_stay_where_the_dtype_is_too_coarse(dtype: torch.dtype) -> None:
    x = torch.tensor([1.0, -60000.0, math.inf, -math.inf], dtype=dtype)
    assert torchac.testing.perturb(x, 0.4 * torch.finfo(dtype).eps).equal(x)


def test_noise_comes_from_the_generator_and_leaves_x_as_it_is() -> None:
    x = X.clone().requires_grad_()
    one, same, other = (
        torchac.testing.perturb(x, 0.1, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)
    )
    assert one.equal(same)
    assert not one.equal(other)
    assert x.equal(X)
    assert not one.requires_grad


def test_what_cannot_be_perturbed() -> None:
    perturb = torchac.testing.perturb
    refused(TypeError, "x is of type list: expected a torch.Tensor", perturb, [1.0], 0.1)
    message = "x has dtype torch.int64: expected float32, float64, float16, bfloat16"
    refused(ValueError, message, perturb, X.long(), 0.1)
    refused(TypeError, "tolerance is of type str: expected a number", perturb, X, "0.1")
    for tolerance in (0.0, -1.0, math.nan):
        message = f"tolerance is {tolerance}: expected a number above 0"
        refused(ValueError, message, perturb, X, tolerance)


@pytest.fixture
def three_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("three_threads")
def test_each_kind_of_drift_is_measured_and_threads_are_restored() -> None:
    def network(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        threads = 0.25 * (torch.get_num_threads() - 1)
        batch = 0.5 * (len(x) - 1)
        low = 2.0 if (x @ x.T).dtype is torch.bfloat16 else 0.0
        return x, x + threads + batch + low

    found = torchac.testing.drift(network, X)
    assert found == pytest.approx({"1 or 2 threads": 0.25, "batch or single": 1.5})
    found = torchac.testing.drift(network, X, bfloat16=True)
    assert found["float32 or bfloat16"] == pytest.approx(2.0)
    assert torch.get_num_threads() == 3


@pytest.mark.usefixtures("three_threads")
def test_threads_are_restored_if_the_network_fails() -> None:
    def network(x: torch.Tensor) -> torch.Tensor:
        raise RuntimeError("not now")

    with pytest.raises(RuntimeError, match="not now"):
        torchac.testing.drift(network, X)
    assert torch.get_num_threads() == 3


def test_drift_of_a_network() -> None:
    network = nn.Sequential(nn.Linear(3, 100), nn.ReLU(), nn.Linear(100, 2)).eval()
    found = torchac.testing.drift(network, X, bfloat16=True)
    assert 1e-5 < found["float32 or bfloat16"] < 0.1
    assert found["batch or single"] < 1e-5


def test_equal_infinities_do_not_differ_and_nan_does() -> None:
    assert torchac.testing.drift(lambda x: x / 0, X + 9)["batch or single"] == 0
    found = torchac.testing.drift(lambda x: x * (math.nan if len(x) == 1 else 1), X)
    assert math.isnan(found["batch or single"])


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU here")
def test_drift_of_a_gpu() -> None:
    network = nn.Linear(3, 5).cuda().eval()
    found = torchac.testing.drift(network, X.cuda(), bfloat16=True)
    assert list(found) == [
        "1 or 2 threads",
        "batch or single",
        "cuda or cpu",
        "float32 or bfloat16",
    ]
    assert found["cuda or cpu"] < 1e-3
    assert next(network.parameters()).is_cuda


WRONG: list[tuple[type[Exception], str, Callable[..., Any], Any]] = [
    (TypeError, "x is of type list: expected a torch.Tensor", nn.Identity().eval(), [1.0]),
    (
        ValueError,
        "x has shape (0, 3): expected a batch of one item or more",
        nn.Identity().eval(),
        X[:0],
    ),
    (ValueError, "module is in training mode: expected module.eval()", nn.Identity(), X),
    (
        TypeError,
        "module returns dict: expected a tensor, or a tuple or list of tensors",
        lambda x: {"mean": x},
        X,
    ),
    (
        ValueError,
        "outputs have the shapes [(3,)] and [(12,)]: expected the same",
        lambda x: x.sum(0),
        X,
    ),
]


@pytest.mark.parametrize(("kind", "message", "module", "x"), WRONG, ids=[w[1][:9] for w in WRONG])
def test_what_cannot_be_measured(
    kind: type[Exception], message: str, module: Callable[..., Any], x: Any
) -> None:
    refused(kind, message, torchac.testing.drift, module, x)
