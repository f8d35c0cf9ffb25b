"""Exact operations give the results of integers, with weights and inputs at their bounds."""

import itertools
import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from torchac import exact, testing
from torchac.exact._grid import Grid, Unproved, lowest_bit, power_of_two, uniform
from torchac.exact._operations import elementwise, pooling, rounding, shapes, tables
from torchac.exact._operations.base import Operation
from torchac.exact._operations.correlation import Correlation
from torchac.exact._operations.products import Linear

CONVOLUTIONS: dict[str, Callable[[], nn.Module]] = {
    "plain": lambda: nn.Conv2d(6, 5, 3, padding=1),
    "stride": lambda: nn.Conv2d(4, 6, 5, 2, 2),
    "dilation": lambda: nn.Conv2d(4, 6, 3, padding=2, dilation=2),
    "groups": lambda: nn.Conv2d(6, 8, 3, groups=2),
    "depthwise": lambda: nn.Conv2d(6, 6, 5, padding=2, groups=6),
    "multiplier": lambda: nn.Conv2d(3, 6, 3, padding=1, groups=3),
    "1 x 1": lambda: nn.Conv2d(8, 5, 1),
    "same": lambda: nn.Conv2d(3, 4, (4, 3), padding="same"),
    "no bias": lambda: nn.Conv2d(3, 4, (1, 5), stride=(1, 2), padding=(0, 3), bias=False),
    "1 dimension": lambda: nn.Conv1d(5, 4, 7, 3, 2),
    "3 dimensions": lambda: nn.Conv3d(2, 4, 3, (1, 2, 1), 1),
    "transposed": lambda: nn.ConvTranspose2d(4, 6, 5, 2, 2, 1),
    "transposed by 3": lambda: nn.ConvTranspose2d(4, 3, 2, 3, 0),
    "transposed groups": lambda: nn.ConvTranspose2d(4, 6, 4, 2, 1, groups=2),
    "transposed dilation": lambda: nn.ConvTranspose2d(3, 2, 3, 2, 1, 1, dilation=2),
    "transposed 1 dimension": lambda: nn.ConvTranspose1d(5, 3, 4, 2, 1),
    "transposed 3 dimensions": lambda: nn.ConvTranspose3d(2, 3, 3, (2, 1, 2), 1),
}


def of_sums(network: nn.Module) -> tuple[Operation, Operation]:
    """The operation of a network that sums, and the one before it, which rounds."""
    steps: list[Any] = network._steps  # type: ignore[assignment]
    i = next(i for i, step in enumerate(steps) if step.operation.proved is not None)
    return steps[i].operation, steps[steps[i].inputs[0]].operation


def at_bounds(step: torch.Tensor, bound: float, shape: tuple[int, ...]) -> torch.Tensor:
    """Multiples of a step: at the bound, next to it, and smaller."""
    most = torch.full(shape, bound, dtype=torch.float64)
    kinds = torch.randint(0, 4, shape)
    small = (torch.rand(shape, dtype=torch.float64) * bound / step).floor() * step
    x = torch.where(kinds == 0, small, most - step * (kinds - 1).clamp(0, 1))
    return torch.where(torch.rand(shape) < 0.5, x, -x)


def as_integers(x: torch.Tensor, step: float) -> Any:
    """Numbers of steps, as integers of Python."""
    whole = [int(Fraction(v) / Fraction(step)) for v in x.flatten().tolist()]
    assert [float(Fraction(w) * Fraction(step)) for w in whole] == x.flatten().tolist()
    return np.array(whole, object).reshape(x.shape)


def in_integers(c: Correlation, x: torch.Tensor) -> torch.Tensor:
    """The definition of docs/exact.md, with integers."""
    a = c.attributes
    weights = [c.weight(i) for i in range(len(a["phases"]))]
    x_step = lowest_bit(x).min().item()
    w_step = min(lowest_bit(w).min().item() for w in weights if w.numel())
    step = x_step * w_step
    xs, ws = as_integers(x, x_step), [as_integers(w, w_step) for w in weights]
    bias = as_integers(c.bias, min(step, lowest_bit(c.bias).min().item()))
    finer = int(step / min(step, lowest_bit(c.bias).min().item()))
    size = [(n * s[0] + s[1]) // s[2] for n, s in zip(x.shape[2:], a["size"], strict=True)]
    result = torch.empty((len(x), len(c.bias), *size), dtype=torch.float64)
    outputs, inputs = len(c.bias) // a["groups"], ws[0].shape[3]
    for (at, taps), w in zip(a["phases"], ws, strict=True):
        counts = [-(-(n - p) // s) for n, p, s in zip(size, at, a["write"], strict=True)]
        for q in itertools.product(*map(range, counts)):
            total = np.zeros((len(x), len(c.bias)), object)
            for t, tap in enumerate(taps):
                place = [i * r + o for i, r, o in zip(q, a["read"], tap, strict=True)]
                if any(not 0 <= p < n for p, n in zip(place, x.shape[2:], strict=True)):
                    continue
                seen = xs[(slice(None), slice(None), *place)]
                for g in range(a["groups"]):
                    part = seen[:, g * inputs : (g + 1) * inputs]
                    total[:, g * outputs : (g + 1) * outputs] += part @ w[g, :, t].T
            exactly = [Fraction(int(v)) for v in (total * finer + bias).flatten()]
            where = [p + i * s for p, i, s in zip(at, q, a["write"], strict=True)]
            values = [float(v * Fraction(step) / finer) for v in exactly]
            assert [Fraction(v) for v in values] == [v * Fraction(step) / finer for v in exactly]
            result[(slice(None), slice(None), *where)] = torch.tensor(
                values, dtype=torch.float64
            ).view(total.shape)
    return result


@pytest.mark.filterwarnings("ignore:Using padding='same'")  # torch warns of an even kernel
@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_a_convolution_is_that_of_integers(name: str) -> None:
    torch.manual_seed(0)
    layer: Any = CONVOLUTIONS[name]()
    dims = layer.weight.ndim - 2
    sizes = {1: (17,), 2: (7, 6), 3: (4, 5, 3)}[dims]
    network = exact.convert(layer, [torch.randn(2, layer.in_channels, *sizes)])
    sums, rounds = of_sums(network)
    assert isinstance(sums, Correlation)
    assert isinstance(rounds, rounding.Round)
    assert sums.proved is not None
    assert 51.5 < sums.proved < 53
    bound = network._steps[0].operation.attributes["limit"]
    x = at_bounds(rounds.step, bound, (2, layer.in_channels, *sizes))
    assert sums(x).equal(in_integers(sums, x))
    with torch.no_grad():  # the operation is still the same convolution
        assert (sums(x) - layer.double()(x)).abs().max() < 1e-3 * bound


def test_the_largest_sums_that_are_proved_are_exact() -> None:
    """Each output is the sum of the absolute values of its terms."""
    torch.manual_seed(0)
    layer = nn.Linear(4096, 8)
    network = exact.convert(layer, [torch.randn(4, 4096)])
    sums, rounds = of_sums(network)
    assert isinstance(sums, Linear)
    assert isinstance(rounds, rounding.Round)
    assert sums.proved is not None
    assert sums.proved > 52
    bound = network._steps[0].operation.attributes["limit"]
    x = sums.weight.sign() * (bound - rounds.step * (torch.arange(4096) % 3))
    for order in (torch.arange(4096), torch.randperm(4096), torch.arange(4095, -1, -1)):
        shuffled = Linear({}, {"weight": sums.weight[:, order], "bias": sums.bias})
        for i, row in enumerate(shuffled(x[:, order]).tolist()):
            for o, value in enumerate(row):
                pairs = zip(x[i].tolist(), sums.weight[o].tolist(), strict=True)
                total = sum(Fraction(a) * Fraction(b) for a, b in pairs)
                assert Fraction(value) == total + Fraction(sums.bias[o].item())


def test_a_sum_that_may_pass_2_to_the_53_is_not_proved() -> None:
    ones = {"weight": torch.ones(1, 8), "bias": torch.zeros(1)}
    good = Linear({}, ones).prove(uniform(2, 1.0, 2.0**49))
    assert good.bound.item() >= 2.0**52
    with pytest.raises(Unproved, match=r"may reach 2\^53.0 steps"):
        Linear({}, ones).prove(uniform(2, 1.0, 2.0**50))
    with pytest.raises(Unproved, match="not multiples of a step"):
        Linear({}, ones).prove(uniform(2, 0.0, 1.0))
    large = {"weight": torch.ones(1, 8), "bias": torch.tensor([2.0**52])}
    with pytest.raises(Unproved, match=r"may reach 2\^53.0 steps"):
        Linear({}, large).prove(uniform(2, 1.0, 2.0**49))
    fine = {"weight": torch.ones(1, 8), "bias": torch.tensor([2.0**-10])}
    with pytest.raises(Unproved, match=r"may reach 2\^53.0 steps"):
        Linear({}, fine).prove(uniform(2, 1.0, 2.0**40))


def test_an_operation_that_may_round_loses_its_step() -> None:
    for bound, step in ((2.0**52, 1.0), (2.0**53, 0.0)):
        grid = uniform(1, 1.0, bound)
        assert elementwise.Add({}).prove(grid, grid).step.item() == step
    for bound, step in ((2.0**26, 1.0), (2.0**27, 0.0)):
        grid = uniform(1, 1.0, bound)
        assert elementwise.Multiply({}).prove(grid, grid).step.item() == step


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1), st.integers(-50, 50))
def test_rounding_is_that_of_ieee(values: list[float], k: int) -> None:
    step = 2.0**k
    x = torch.tensor(values, dtype=torch.float64).clamp(-step * 2.0**51, step * 2.0**51)
    y = rounding.Round({}, {"step": torch.tensor([step])})(x)
    expected = [round(Fraction(v) / Fraction(step)) * Fraction(step) for v in x.tolist()]
    assert [Fraction(v) for v in y.tolist()] == expected
    assert not bool(torch.signbit(y[y == 0]).any())


def test_the_output_is_float32_within_2_to_the_23_steps() -> None:
    x = torch.tensor([-0.0, -1e-9, 0.5, 1.5, 2.5, -2.5, 1e300, -1e300, 8388607.5])
    y = rounding.Output({"step": 1.0}, {})(x.double())
    assert y.dtype is torch.float32
    assert y.tolist() == [0.0, 0.0, 0.0, 2.0, 2.0, -2.0, 2.0**23, -(2.0**23), 2.0**23]
    assert not bool(torch.signbit(y[:3]).any())


@pytest.mark.parametrize("curve", [nn.Sigmoid, nn.Tanh, nn.SiLU, nn.GELU, nn.Softplus])
def test_a_curve_is_its_table_in_integers(curve: type[nn.Module]) -> None:
    torch.manual_seed(0)
    function = curve().double()
    ramp = curve in (nn.SiLU, nn.GELU, nn.Softplus)
    operation = tables.tabulate(function, ramp=ramp)
    x = torch.cat((torch.randn(2000) * 6, torch.tensor([-16.0, 16.0, -1e9, 1e9, 0.0]))).double()
    table = as_integers(operation.table, 2.0**-24)
    expected = []
    for value in x.tolist():
        at = round(Fraction(min(max(value, -16.0), 16.0)) * 2**20) + (16 << 20)
        place, rest = at >> 12, at & 4095
        y = Fraction(table[place] * 4096 + (table[place + 1] - table[place]) * rest, 1 << 36)
        expected.append(float(y) + max(value, 0.0) if ramp else float(y))
    y = operation(x)
    assert y.tolist() == expected
    inside = x.abs() <= 100
    assert (y - function(x))[inside].abs().max() < 2e-6
    assert operation(x.view(5, 401).T).T.flatten().equal(y)


@pytest.mark.parametrize("outside", [True, False])
def test_an_average_is_that_of_integers(outside: bool) -> None:
    torch.manual_seed(0)
    attributes = {"kernel": [3, 2], "stride": [2, 2], "padding": [1, 1], "outside": outside}
    operation = pooling.AveragePool(attributes, {})
    x = at_bounds(torch.tensor(1.0), 2.0**50 - 1, (2, 3, 7, 6))
    operation.prove(uniform(4, 1.0, 2.0**50 - 1))
    y = operation(x)
    for n, c, i, j in itertools.product(*map(range, y.shape)):
        rows = [r for r in range(2 * i - 1, 2 * i + 2) if 0 <= r < 7]
        columns = [s for s in range(2 * j - 1, 2 * j + 1) if 0 <= s < 6]
        total = sum(int(x[n, c, r, s]) for r in rows for s in columns)
        count = 6 if outside else len(rows) * len(columns)
        assert y[n, c, i, j].item() == total / count  # one rounding
    means = pooling.Mean({"dims": [2, 3], "keep": False}, {})(x)
    assert means[1, 2].item() == sum(map(int, x[1, 2].flatten().tolist())) / 42
    with pytest.raises(Unproved):
        operation.prove(uniform(4, 1.0, 2.0**51))


def test_elements_are_one_operation_each() -> None:
    torch.manual_seed(0)
    a, b = (
        torch.randn(1000, dtype=torch.float64) * 10.0 ** torch.randint(-8, 8, (2, 1000))
    ).unbind()
    pairs = list(zip(a.tolist(), b.tolist(), strict=True))
    for operation, expected in (
        (elementwise.Add({}), [float(Fraction(x) + Fraction(y)) for x, y in pairs]),
        (elementwise.Subtract({}), [float(Fraction(x) - Fraction(y)) for x, y in pairs]),
        (elementwise.Multiply({}), [float(Fraction(x) * Fraction(y)) for x, y in pairs]),
        (
            elementwise.Divide({"least": 1e-3}),
            [float(Fraction(x) / Fraction(max(y, 1e-3))) for x, y in pairs],
        ),
    ):
        assert operation(a, b).tolist() == expected
    root = elementwise.SquareRoot({})(a)
    assert root.tolist() == [math.sqrt(max(x, 0.0)) for x in a.tolist()]
    leaky = elementwise.Leaky({"slope": 0.01})(a)
    assert leaky.tolist() == [x if x > 0 else x * 0.01 for x in a.tolist()]
    clamped = elementwise.Clamp({"least": -1.0, "most": 6.0})(a)
    assert clamped.tolist() == [min(max(x, -1.0), 6.0) for x in a.tolist()]


@given(st.data())
def test_bounds_and_steps_hold(data: st.DataObject) -> None:
    """Everything proved about an operation's output holds for inputs at their bounds."""
    torch.manual_seed(data.draw(st.integers(0, 1000)))
    channels, k = 4, data.draw(st.integers(-8, 8))
    step = 2.0 ** torch.randint(-6, 6, (1, channels, 1, 1)).double()
    bound = (step * 2.0 ** torch.randint(3, 20, step.shape)).double()
    grid = Grid(step, bound)
    value = float(data.draw(st.integers(-9, 9))) * 2.0**k
    operations: list[Operation] = [
        elementwise.Leaky({"slope": data.draw(st.sampled_from([0.0, 0.01, 2.0, -0.5]))}),
        elementwise.Absolute({}),
        elementwise.Clamp({"least": min(value, 1.0), "most": max(value, 1.0)}),
        elementwise.SquareRoot({}),
        rounding.Round({}, {"step": torch.full((1, channels, 1, 1), 2.0**k)}),
        rounding.Limit({}, {"limit": torch.rand(1, channels, 1, 1) * 2.0**k}),
        shapes.PixelShuffle({"factor": 2}, {}),
        shapes.Permute({"dims": [2, 1, 0, 3]}, {}),
        shapes.Split({"dim": 1, "parts": 2, "at": 1}, {}),
        shapes.Index({"items": [0, [1, 3, 1], [None, None, 2], "new", 0]}, {}),
        shapes.Repeat({"factors": [2, 3]}, {}),
        shapes.Pad({"amounts": [1, 0, 2, 1, 0, 1], "mode": "constant", "value": value}, {}),
        shapes.Reshape({"shape": [["size", 0, 0], -1], "kept": 1}, {}),
        tables.tabulate(torch.tanh, ramp=False),
    ]
    signs = 2.0 * torch.randint(0, 2, (2, channels, 4, 6)).double() - 1
    x = (
        at_bounds(step.expand(2, -1, 4, 6), 1.0, (2, channels, 4, 6)).sign()
        * (bound - step)
        * signs
    )
    for operation in operations:
        proved = operation.prove(grid)
        sizes: list[int | None] = [2, -1] if isinstance(operation, shapes.Reshape) else [None] * 9
        if isinstance(operation, shapes.Index):
            sizes = [1, 3, None, None]
        y = operation(x, sizes=sizes)
        assert y.ndim == proved.ndim
        assert bool((y.abs() <= proved.bound).all())
        whole = torch.where(proved.step > 0, y / proved.step.clamp(min=1e-99), 0.0)
        assert whole.equal(whole.round())
    for pair in (elementwise.Add({}), elementwise.Subtract({}), elementwise.Multiply({})):
        proved = pair.prove(grid, grid)
        y = pair(x, x.flip(0))
        assert bool((y.abs() <= proved.bound).all())
        whole = torch.where(proved.step > 0, y / proved.step.clamp(min=1e-99), 0.0)
        assert whole.equal(whole.round())


@pytest.mark.filterwarnings("ignore:Using padding='same'")
def test_parts_of_convolutions_are_joined(monkeypatch: pytest.MonkeyPatch) -> None:
    """Large inputs are computed in parts of rows and images; here small ones are, too."""
    from torchac.exact._operations import correlation

    torch.manual_seed(0)
    for make in CONVOLUTIONS.values():
        layer: Any = make()
        sizes = {1: (333,), 2: (19, 70), 3: (5, 6, 66)}[layer.weight.ndim - 2]
        x = torch.randn(3, layer.in_channels, *sizes)
        network = exact.convert(nn.Sequential(layer, nn.LeakyReLU()), [x])
        whole = network(x)
        with monkeypatch.context() as patch:
            patch.setattr(correlation, "_COLUMNS", 64)
            patch.setattr(correlation, "_BYTES_OF_CHANNELS", 1 << 12)
            assert network(x).equal(whole)
        assert network(x[:0]).shape == (0, *whole.shape[1:])


def test_powers_of_two() -> None:
    x = torch.tensor([1.0, 1.5, 2.0, 0.75, 3.0, 1e-30, 1e30], dtype=torch.float64)
    above, below = power_of_two(x, above=True), power_of_two(x, above=False)
    assert above.tolist()[:5] == [1.0, 2.0, 2.0, 1.0, 4.0]
    assert below.tolist()[:5] == [1.0, 1.0, 2.0, 0.5, 2.0]
    assert bool(((below <= x) & (x <= above)).all())
    assert lowest_bit(
        torch.tensor([0.0, 6.0, -0.375, 2.0**-300], dtype=torch.float64)
    ).tolist() == [
        math.inf,
        2.0,
        0.125,
        2.0**-300,
    ]


def checkerboard(channels: int, outputs: int) -> nn.Module:
    """A convolution of which every other weight is 0."""
    layer = nn.Conv2d(channels, outputs, 5, padding=2)
    i, j = torch.meshgrid(torch.arange(5), torch.arange(5), indexing="ij")
    layer.weight.data *= ((i + j) % 2).to(torch.float32)
    return layer


def raster(channels: int, outputs: int) -> nn.Module:
    """A convolution of what comes before."""
    layer = nn.Conv2d(channels, outputs, 5, padding=2)
    layer.weight.data[:, :, 2, 2:] = layer.weight.data[:, :, 3:] = 0
    return layer


FILTERED: dict[str, Callable[[], nn.Module]] = {
    name: CONVOLUTIONS[name]
    for name in (
        "plain",
        "dilation",
        "same",
        "transposed",
        "transposed dilation",
        "transposed 1 dimension",
        "transposed 3 dimensions",
    )
} | {
    "checkerboard": lambda: checkerboard(4, 5),
    "raster": lambda: raster(4, 5),
    "four": lambda: nn.Conv2d(3, 4, (4, 7), padding=3),
    "five": lambda: nn.Conv1d(3, 140, 5, padding=1),
    "taps far apart": lambda: nn.ConvTranspose1d(3, 4, 9, 2, 3, dilation=3),
    "large bias": lambda: with_bias(nn.Conv2d(3, 4, 3), 1e3),
}


def with_bias(layer: nn.Module, size: float) -> nn.Module:
    next(p for name, p in layer.named_parameters() if name == "bias").data *= size
    return layer


@pytest.mark.filterwarnings("ignore:Using padding='same'")
@pytest.mark.parametrize("kept", [True, False])
@pytest.mark.parametrize("name", FILTERED)
def test_fewer_products_are_those_of_integers(
    name: str, kept: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Winograd's minimal filtering is exact up to the inputs that it says, and not used beyond."""
    from torchac.exact._operations import correlation
    from torchac.exact._operations.filtering import Filter

    monkeypatch.setattr(correlation, "_FEWEST_CHANNELS", 1)
    monkeypatch.setattr(correlation, "_FEWEST_PLACES", 1)
    monkeypatch.setattr(correlation, "_BYTES_TO_KEEP", 1 << 20 if kept else 0)
    used: list[Any] = []
    apply = Filter.apply

    def noted(*args: Any) -> torch.Tensor:
        used.append(args)
        return apply(*args)

    monkeypatch.setattr(Filter, "apply", noted)
    torch.manual_seed(0)
    layer: Any = FILTERED[name]()
    dims = layer.weight.ndim - 2
    sizes = {1: (17,), 2: (7, 6), 3: (4, 5, 3)}[dims]
    shape = (2, layer.in_channels, *sizes)
    network = exact.convert(layer, [torch.randn(shape)])
    sums, rounds = of_sums(network)
    assert isinstance(sums, Correlation)
    assert isinstance(rounds, rounding.Round)
    used.clear()
    limit = network._steps[0].operation.attributes["limit"]
    _, most = sums._planned()
    assert 0 < most.max() < limit
    largest = (most.min() / rounds.step).floor() * rounds.step
    weight = max(map(sums.weight, range(len(sums.attributes["phases"]))), key=torch.Tensor.numel)
    for signs in (1.0, weight.sum((0, 1, 2)).sign().view(-1, *(1 for _ in sizes))):
        x = at_bounds(rounds.step, largest.item(), shape).abs() * signs
        assert sums(x).equal(in_integers(sums, x))
        assert used
    x = at_bounds(rounds.step, largest.item(), shape)
    assert sums(x).equal(in_integers(sums, x))
    used.clear()
    x[0, -1].view(-1)[-1] = largest + rounds.step.item()
    assert sums(x).equal(in_integers(sums, x))
    assert not used
    assert sums(x[:0]).shape[0] == 0


def test_fewer_products_in_all_ways(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where batches differ in whether they are quicker so, or in how large values are."""
    from torchac.exact._operations import correlation
    from torchac.exact._operations.filtering import Filter

    torch.manual_seed(0)
    layers = (nn.ConvTranspose2d(32, 40, 5, 2, 2, 1), nn.LeakyReLU(), raster(40, 36))
    module = nn.Sequential(*layers, checkerboard(36, 32), nn.Conv2d(32, 33, 3)).eval()
    x = torch.randn(8, 32, 5, 6)
    network = exact.convert(module, [x])
    x[2] *= 20  # in part of the headroom
    x[3] *= 100  # and beyond it
    with monkeypatch.context() as patch:
        patch.setattr(correlation, "_FEWEST_PLACES", 1 << 30)
        expected = network(x)
    used: list[Any] = []
    apply = Filter.apply

    def noted(*args: Any) -> torch.Tensor:
        used.append(args)
        return apply(*args)

    monkeypatch.setattr(Filter, "apply", noted)
    assert all(y.equal(expected) for _, y in testing.ways(network, x))
    with monkeypatch.context() as patch:
        patch.setattr(correlation, "_FEWEST_PLACES", 1)
        some = torch.cat([network(one) for one in x[:, None]])
    assert some.equal(expected)
    assert used
