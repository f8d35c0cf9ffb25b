"""Numbers and shifts match a slow definition, and drift within the tolerance changes none."""

import importlib
import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from test_bad_input import refused

import torchac
import torchac.testing

DTYPES = [torch.float16, torch.bfloat16, torch.float32, torch.float64]
BLOCK, HALVED = 4096, 255


def cell(value: float, step: float) -> int:
    return round(value * (256 / step))


def halves(block: range, size: int) -> list[range]:
    middle = len(block) // 2
    return [half for half in (block[:middle], block[middle:]) if half.start < size]


def blocks_of(size: int) -> list[range]:
    return [range(start, start + BLOCK) for start in range(0, size, BLOCK)]


def slow_settle(x: list[float], step: float, tolerance: float) -> list[int]:
    """Returns the shifts, by the slow definition."""
    shifts = []
    blocks = blocks_of(len(x))
    while blocks:
        halved = []
        for block in blocks:
            ends = [
                (cell(v - tolerance, step), cell(v + tolerance, step))
                for v in x[block.start : block.stop]
            ]
            for shift in sorted(range(HALVED), key=lambda shift: abs(shift - 128)):
                if all((low + shift) // 256 == (high + shift) // 256 for low, high in ends):
                    shifts.append(shift)
                    break
            else:
                shifts.append(HALVED)
                halved += halves(block, len(x))
        blocks = halved
    return shifts


def slow_settled(x: list[float], shifts: list[int], step: float) -> list[int]:
    numbers = [0] * len(x)
    blocks, left = blocks_of(len(x)), list(shifts)
    while blocks:
        halved = []
        for block in blocks:
            shift = left.pop(0)
            if shift == HALVED:
                halved += halves(block, len(x))
            else:
                for place in range(block.start, min(block.stop, len(x))):
                    numbers[place] = (cell(x[place], step) + shift) // 256
        blocks = halved
    assert left == []
    return numbers


def ends(x: torch.Tensor, tolerance: float) -> list[torch.Tensor]:
    """The least and the largest numbers of the dtype that are less than the tolerance away."""
    results = []
    for sign in (-1, 1):
        end = (x.double() + sign * tolerance).to(x.dtype)
        for _ in range(2):
            off = [
                abs(Fraction(a) - Fraction(b)) >= Fraction(tolerance)
                for a, b in zip(end.tolist(), x.tolist(), strict=True)
            ]
            end = torch.where(torch.tensor(off, dtype=torch.bool), closer(end, x), end)
        results.append(end)
    return results


def closer(x: torch.Tensor, to: torch.Tensor) -> torch.Tensor:
    """The next number of the dtype; torch has none for halves."""
    return x.nextafter(to) if x.dtype in (torch.float32, torch.float64) else to


@st.composite
def parameters(draw: st.DrawFn) -> tuple[torch.Tensor, float, float]:
    """Values, some of which are at borders, with a step and a tolerance."""
    dtype = draw(st.sampled_from(DTYPES))
    step = draw(st.sampled_from([1.0, 0.125, 0.1, 1 / 3, 7.3]))
    tolerance = step * draw(st.sampled_from([0.25, 0.2, 0.03, 1e-3, 1e-6]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    size = draw(st.integers(0, 100))
    values = rng.normal(0, draw(st.sampled_from([0.5, 20.0, 400.0])), size)
    at_borders = np.round(values * 256) / 256 + rng.choice([-1, 0, 1], size) * tolerance / step
    values = np.where(rng.random(size) < draw(st.sampled_from([0.0, 0.5])), at_borders, values)
    return torch.from_numpy(values * step).to(dtype), step, tolerance


@given(parameters())
@settings(max_examples=300)
def test_what_is_settled_is_settled(given_parameters: tuple[torch.Tensor, float, float]) -> None:
    x, step, tolerance = given_parameters
    numbers, shifts = torchac.settle(x, step, tolerance)
    assert (numbers.dtype, shifts.dtype) == (torch.int32, torch.uint8)
    assert shifts.tolist() == slow_settle(x.tolist(), step, tolerance)
    assert numbers.tolist() == slow_settled(x.tolist(), shifts.tolist(), step)
    for value, number in zip(x.tolist(), numbers.tolist(), strict=True):
        assert abs(Fraction(value) - number * Fraction(step)) < Fraction(step)
    for other in (x, *ends(x, tolerance), torchac.testing.perturb(x, tolerance)):
        assert torchac.settled(other, shifts, step).equal(numbers)
        assert torchac.settled(other.double(), shifts, step).equal(numbers)


def test_several_blocks_some_of_them_halved() -> None:
    x = torch.randn(9000, generator=torch.Generator().manual_seed(1))
    numbers, shifts = torchac.settle(x, 0.3, 0.0004)
    assert HALVED in shifts.tolist()
    assert shifts.tolist() == slow_settle(x.tolist(), 0.3, 0.0004)
    assert numbers.tolist() == slow_settled(x.tolist(), shifts.tolist(), 0.3)


def test_parts_are_not_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Large tensors are processed in parts, to take less memory."""
    x = torch.randn(3, 7000, generator=torch.Generator().manual_seed(2))
    numbers, shifts = torchac.settle(x, 0.5, 0.01)
    monkeypatch.setattr(importlib.import_module("torchac.settle"), "AT_A_TIME", BLOCK)
    in_parts = torchac.settle(x, 0.5, 0.01)
    assert in_parts[0].equal(numbers)
    assert in_parts[1].equal(shifts)
    assert torchac.settled(x, shifts, 0.5).equal(numbers)
    x[2, 6999] = math.nan
    with pytest.raises(ValueError, match=r"^x is nan at index \(2, 6999\): "):
        torchac.settle(x, 0.5, 0.01)


def test_numbers_and_shifts_stay_what_they_are() -> None:
    """Files hold the shifts, so no release may read them differently."""
    x = torch.tensor([0.7, -2.25, 0.25, 0.1, 1e6, -0.74, 1 / 3])
    numbers, shifts = torchac.settle(x, 0.5, 0.1)
    assert numbers.tolist() == [1, -5, 0, 0, 2000000, -1, 1]
    assert shifts.tolist() == [HALVED] * 10 + [76, 174]
    shifts = torch.tensor([HALVED] * 11 + [254, HALVED, 0, 230])
    assert torchac.settled(x[:4], shifts, 0.5).tolist() == [2, -4, 0, 1]
    # Divided by step / 256 instead, this would be 89652.
    x, shifts = torch.tensor([8965.2662109375], dtype=torch.float64), torch.tensor([86])
    assert torchac.settled(x, shifts, 0.1).tolist() == [89653]


def test_a_value_in_a_thousand_near_a_border_costs_little() -> None:
    x = 50 * torch.randn(1 << 20, generator=torch.Generator().manual_seed(3))
    _, shifts = torchac.settle(x, 0.25, 0.25 * 1e-3 / 2)
    assert 8 * len(shifts) / len(x) < 0.0021
    _, shifts = torchac.settle(x, 0.25, 0.25 * 1e-4 / 2)
    assert len(shifts) == len(x) / BLOCK


def test_plain_rounding_where_no_value_is_near_a_border() -> None:
    x = torch.arange(-4000, 4000).float() / 7
    numbers, shifts = torchac.settle(x, 1.0, 0.01)
    assert shifts.tolist() == [128, 128]
    assert numbers.equal(x.round().int())


@pytest.mark.parametrize("value", [0.5, 0.25, 1e-300, -5e-324, 0.0, 3.999])
def test_one_value_always_settles(value: float) -> None:
    """It settles at any place, with the largest tolerance."""
    for place in torch.linspace(-1, 1, 65, dtype=torch.float64):
        x = torch.tensor([value]) + place
        numbers, shifts = torchac.settle(x, 1.0, 0.25)
        assert len(shifts) == 1
        for other in ends(x, 0.25):
            assert torchac.settled(other, shifts, 1.0).equal(numbers)


def test_values_that_share_no_shift_are_halved_until_they_do() -> None:
    x = torch.arange(5) / 4 + 0.5
    numbers, shifts = torchac.settle(x, 1.0, 0.25)
    assert shifts.tolist() == slow_settle(x.tolist(), 1.0, 0.25)
    assert len(shifts) > BLOCK.bit_length()
    assert torchac.settled(x + 0.2499, shifts, 1.0).equal(numbers)


@pytest.mark.parametrize("shape", [(), (0,), (3, 0), (2, 3, 4)])
def test_shapes_are_kept(shape: tuple[int, ...]) -> None:
    x = torch.rand(shape)
    numbers, shifts = torchac.settle(x, 0.5, 0.01)
    assert numbers.shape == x.shape
    assert len(shifts) == (1 if x.numel() else 0)
    assert torchac.settled(x, shifts, 0.5).equal(numbers)


def test_layouts_and_graphs() -> None:
    x = torch.randn(40, 30)
    numbers, shifts = torchac.settle(x, 0.5, 0.01)
    for other in (x.clone().requires_grad_() * 1, x.T.contiguous().T, torch._neg_view(-x)):
        again = torchac.settle(other, 0.5, 0.01)
        assert again[0].equal(numbers)
        assert again[1].equal(shifts)
    x = x.double()
    before = x.clone()
    assert torchac.settled(x, shifts.int(), 0.5).equal(numbers)
    assert x.equal(before)


def test_arrays() -> None:
    x = np.linspace(-3, 3, 100, dtype=np.float32).reshape(4, 25)
    numbers, shifts = torchac.settle(x, 0.5, 0.01)
    assert isinstance(numbers, np.ndarray)
    assert numbers.dtype == np.int32
    assert shifts.dtype == np.uint8
    assert (torchac.settled(x, shifts, np.float64(0.5)) == numbers).all()
    assert torchac.settled(torch.from_numpy(x), shifts, 0.5).numpy().tolist() == numbers.tolist()


def test_the_largest_numbers() -> None:
    x = torch.tensor([-(2.0**31) + 1, 2.0**31 - 2], dtype=torch.float64)
    numbers, shifts = torchac.settle(x, 1.0, 0.25)
    assert numbers.tolist() == [-(2**31) + 1, 2**31 - 2]
    assert torchac.settled(x - 0.2499, shifts, 1.0).equal(numbers)


X = torch.tensor([[0.1, 0.2], [0.3, 0.4]])
SHIFTS = torch.tensor([128], dtype=torch.uint8)


def test_parameters_that_are_no_tensor() -> None:
    message = "x is of type list: expected a torch.Tensor or a numpy.ndarray"
    refused(TypeError, message, torchac.settle, [0.1], 0.5, 0.01)
    refused(TypeError, message, torchac.settled, [0.1], SHIFTS, 0.5)


def test_parameters_that_are_no_floats() -> None:
    message = "x has dtype torch.int64: expected float32, float64, float16, bfloat16"
    refused(ValueError, message, torchac.settle, X.long(), 0.5, 0.01)
    refused(ValueError, message, torchac.settled, X.long(), SHIFTS, 0.5)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_parameters_that_are_not_finite(value: float) -> None:
    x = X.clone()
    x[1, 0] = value
    message = f"x is {value} at index (1, 0): expected a finite number"
    refused(ValueError, message, torchac.settle, x, 0.5, 0.01)
    refused(ValueError, message, torchac.settled, x, SHIFTS, 0.5)


@pytest.mark.parametrize("value", [2.0**30, -(2.0**30) - 128])
def test_numbers_that_fit_no_int32(value: float) -> None:
    x = X.clone()
    x[0, 1] = value
    message = (
        f"x is {value} at index (0, 1): expected a number from -1073741824.0 to 1073741823.5, as "
        "steps are counted in an int32; a larger step allows more"
    )
    refused(ValueError, message, torchac.settle, x, 0.5, 0.01)
    refused(ValueError, message, torchac.settled, x, SHIFTS, 0.5)


@pytest.mark.parametrize("value", [2.0**30 - 0.55, -(2.0**30) + 0.05])
def test_numbers_that_another_machine_cannot_have(value: float) -> None:
    """The tolerance reaches beyond the largest number."""
    x = torch.tensor([value], dtype=torch.float64)
    torchac.settle(x, 0.5, 0.01)
    with pytest.raises(ValueError, match=r"^x is .* at index \(0,\): expected a number from"):
        torchac.settle(x, 0.5, 0.1)


def test_the_only_shift_that_is_left() -> None:
    """255 is closer to 128, but it is not a shift."""
    x = torch.tensor([-65.0, -191.0]) / 256  # one excludes 1 to 128, and the other 127 to 254
    numbers, shifts = torchac.settle(x, 1.0, 0.25)
    assert shifts.tolist() == [0]
    assert numbers.tolist() == [-1, -1]


@pytest.mark.parametrize("tolerance", [1e-42, 2e-31])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32, torch.float64])
def test_flushing_subnormals_changes_nothing(dtype: torch.dtype, tolerance: float) -> None:
    tiny = torch.finfo(dtype).tiny
    x = torch.tensor([tiny, tiny / 2, -tiny / 3, tiny / 100, 0.0], dtype=dtype)
    assert x[3] != 0
    x = torch.cat([x, torch.randn(50, dtype=dtype) * 1e-29])
    numbers, shifts = torchac.settle(x, 1e-30, tolerance)
    try:
        torch.set_flush_denormal(True)
        again = torchac.settle(x, 1e-30, tolerance)
        found = torchac.settled(x, shifts, 1e-30)
    finally:
        torch.set_flush_denormal(False)
    assert again[0].equal(numbers)
    assert again[1].equal(shifts)
    assert found.equal(numbers)


@pytest.mark.parametrize("step", [0.0, -1.0, math.nan, math.inf, 9e-31, 1e101])
def test_steps_that_are_not_allowed(step: float) -> None:
    message = f"step is {step}: expected a number from 1e-30 to 1e100"
    refused(ValueError, message, torchac.settle, X, step, 0.01)
    refused(ValueError, message, torchac.settled, X, SHIFTS, step)


@pytest.mark.parametrize("tolerance", [0.0, -0.1, math.nan, 0.1251])
def test_tolerances_that_are_not_allowed(tolerance: float) -> None:
    message = (
        f"tolerance is {tolerance}: expected a number above 0 and at most step / 4, which is 0.125;"
        " a larger step allows a larger tolerance"
    )
    refused(ValueError, message, torchac.settle, X, 0.5, tolerance)


@pytest.mark.parametrize("number", ["0.5", None, True, torch.tensor(0.5)])
def test_what_is_no_number(number: Any) -> None:
    kind = type(number).__name__
    message = f"step is of type {kind}: expected a number"
    refused(TypeError, message, torchac.settle, X, number, 0.01)
    refused(TypeError, message, torchac.settled, X, SHIFTS, number)
    message = f"tolerance is of type {kind}: expected a number"
    refused(TypeError, message, torchac.settle, X, 0.5, number)


def test_shifts_that_are_no_tensor() -> None:
    message = "shifts is of type bytes: expected a torch.Tensor or a numpy.ndarray"
    refused(TypeError, message, torchac.settled, X, b"\x80", 0.5)


def test_shifts_that_are_no_integers() -> None:
    message = (
        "shifts has dtype torch.float32: expected int8, int16, int32, int64, uint8, uint16, "
        "uint32, uint64"
    )
    refused(ValueError, message, torchac.settled, X, SHIFTS.float(), 0.5)


def test_shifts_of_two_dimensions() -> None:
    message = "shifts has shape (1, 1): expected one dimension"
    refused(ValueError, message, torchac.settled, X, SHIFTS[None], 0.5)


@pytest.mark.parametrize("shift", [-1, 256, 128 - 2**32])
def test_shifts_that_are_no_bytes(shift: int) -> None:
    message = f"shifts is {shift} at index 1: expected 0 to 255"
    refused(ValueError, message, torchac.settled, X, torch.tensor([128, shift]), 0.5)


def test_too_few_shifts() -> None:
    for count, shifts in enumerate(([], [255], [255] * 2)):
        message = (
            f"shifts has {count} bytes, and 4 values need at least {count + 1}: "
            "expected those that settle gave for them"
        )
        bad = torch.tensor(shifts, dtype=torch.uint8)
        refused(torchac.CorruptStreamError, message, torchac.settled, X, bad, 0.5)


def test_too_many_shifts() -> None:
    for x, needed in ((X, 1), (X[:0], 0)):
        message = (
            f"shifts has 2 bytes, and {x.numel()} values need {needed}: "
            "expected those that settle gave for them"
        )
        bad = torch.tensor([128, 128], dtype=torch.uint8)
        refused(torchac.CorruptStreamError, message, torchac.settled, x, bad, 0.5)


def test_a_single_value_that_is_halved() -> None:
    shifts = torch.tensor([HALVED] * 10 + [HALVED, HALVED, 128, HALVED, 3, 4], dtype=torch.uint8)
    message = (
        "shifts is 255 at index 13, where the block is one value, which has no halves: "
        "expected the shifts that settle gave"
    )
    refused(torchac.CorruptStreamError, message, torchac.settled, X, shifts, 0.5)


@given(st.integers(0, 9000), st.lists(st.sampled_from([0, 128, 254, 255]), max_size=40))
def test_any_shifts_are_read_as_defined_or_refused(size: int, shifts: list[int]) -> None:
    x = torch.linspace(-9, 9, size)
    try:
        numbers = torchac.settled(x, torch.tensor(shifts, dtype=torch.uint8), 0.1)
    except torchac.CorruptStreamError:
        with pytest.raises((IndexError, AssertionError)):
            slow_settled(x.tolist(), shifts, 0.1)
    else:
        assert numbers.tolist() == slow_settled(x.tolist(), shifts, 0.1)
