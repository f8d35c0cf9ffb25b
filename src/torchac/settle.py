"""Rounds parameters to integers that agree on all machines.

Plain rounding is not enough: a value next to a border between two integers is rounded up on one
machine and down on another. So the borders are shifted, block by block, away from all values, and
a byte for each block tells the decoder by how much. `docs/format.md` defines the bytes.

Why the decoder gets the same numbers: a number is `floor((round(f64(x * scale)) + shift) / 256)`,
where `scale` and `shift` are the same on both sides. Each of these steps is monotonic, rounding of
floats included. So if `x - tolerance` and `x + tolerance` give the same number, everything between
them does too. A float between them stays between them when they are rounded to float64, so no
margin is needed. The formula multiplies by `scale`, because some GPUs divide by multiplying. It
rounds before it floors, so that it does not matter whether a machine flushes subnormal numbers to
0: with steps of at least 1e-30, they are rounded to 0 either way.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from torchac import _checks, _tensors
from torchac._tensors import FLOAT_ROWS, INTEGERS, Array, ArrayT
from torchac.errors import CorruptStreamError

__all__ = ["settle", "settled"]

# A value near a border excludes the shift of that border: if each of n random values is near with
# probability p, all allow a shift with probability (1 - p)^n. 255 shifts to choose from are enough
# for 4096 values at p = 1/1000: 1.4 % of the blocks allow none, and are halved with two more bytes.
# That is 0.0020 bits a value. Blocks of half the size would take twice as much, and blocks of twice
# the size more too, because most would be halved.
BLOCK = 4096
CELLS = 256  # parts of a step: borders shift by whole parts
PLAIN = CELLS // 2  # with this shift numbers are rounded as usual, except for half a part
HALVED = 255  # instead of a shift: the block has two halves, each with its own bytes

# A value excludes the shifts between its ends, 2 * tolerance apart. With a tolerance of a quarter
# of a step these are 128 and the ends of the last one, so more than a hundred always remain.
MOST_TOLERANCE = 0.25  # steps

# The range of cells that give an int32 with every shift.
LOWEST, HIGHEST = -(1 << 31) * CELLS, ((1 << 31) - 1) * CELLS

AT_A_TIME = 1 << 16  # values, so that the table of shifts and blocks takes at most 64 MiB


def settle(x: ArrayT, step: float, tolerance: float) -> tuple[ArrayT, ArrayT]:
    """Rounds parameters so that a decoder with slightly different ones rounds to the same numbers.

    `numbers * step` differs from `x` by less than `step`, and is the same on every machine, because
    it is one product of floats. If `step` is a power of two, it is exact for numbers up to 2^24.
    Code with that product, and send `shifts` to the decoder, which calls `settled`.

    The shifts take 0.002 bits a value if one value in a thousand is near a border, which holds if
    `2 * tolerance / step` is 0.001. At 0.01 they take about 20 times as much.

    Args:
        x: Parameters, such as means or logits, of any shape: float16, bfloat16, float32 or float64,
            on any device that has float64.
        step: The unit of settled parameters, from 1e-30 to 1e100.
        tolerance: The most by which any value of the decoder's `x` may differ: above 0, at most
            `step / 4`. Take a multiple of what `torchac.testing.drift` measures.

    Returns:
        The numbers, int32 of the shape of `x`; and the shifts, uint8 in one dimension. Both are on
        the device of `x`.

    Raises:
        TypeError: `x` is neither a tensor nor an array, or `step` or `tolerance` is not a number.
        ValueError: A dtype, `step` or `tolerance` that is not allowed; a value that is NaN,
            infinite, or more than 2^31 steps. The message gives the value and its position.

    Example:
        >>> import torch, torchac
        >>> mean = torch.tensor([0.7, -2.2, 0.2495, 0.1])
        >>> numbers, shifts = torchac.settle(mean, 0.5, 0.001)
        >>> numbers * 0.5
        tensor([ 0.5000, -2.0000,  0.0000,  0.0000])
        >>> there = mean + 0.0009  # 0.2504 would be rounded to 0.5
        >>> torchac.settled(there, shifts, 0.5).equal(numbers)
        True
    """
    flat = _check_x(x)
    step = _check_step(step)
    tolerance = _checks.check_float("tolerance", tolerance)
    if not 0 < tolerance <= MOST_TOLERANCE * step:
        raise ValueError(
            f"tolerance is {tolerance}: expected a number above 0 and at most step / 4, which is "
            f"{MOST_TOLERANCE * step}; a larger step allows a larger tolerance"
        )
    numbers = torch.empty(flat.shape, dtype=torch.int32, device=flat.device)
    told: list[list[torch.Tensor]] = [[] for _ in range(BLOCK.bit_length())]
    for start in range(0, len(flat), AT_A_TIME):
        part = flat[start : start + AT_A_TIME].double()
        low, high = _cells(part - tolerance, step), _cells(part + tolerance, step)
        _check_cells(x, step, start, (low >= LOWEST) & (high <= HIGHEST))
        shifts = _each_shift(_Choice(low, high, told), len(part), flat.device)
        numbers[start : start + AT_A_TIME] = _numbers(low, shifts)
    empty = torch.empty(0, dtype=torch.uint8, device=flat.device)
    every = torch.cat([empty, *(piece for pieces in told for piece in pieces)])
    return _tensors.like(numbers.view(x.shape), x), _tensors.like(every, x)


def settled(x: ArrayT, shifts: Array, step: float) -> ArrayT:
    """The numbers of `settle`, from parameters that differ by less than its tolerance.

    Args:
        x: Parameters, as for `settle`.
        shifts: The shifts of `settle`: integers from 0 to 255 of any dtype, on any device.
        step: As it was for `settle`.

    Returns:
        The numbers, int32 of the shape of `x`, on its device.

    Raises:
        TypeError: `x` or `shifts` is neither a tensor nor an array, or `step` is not a number.
        CorruptStreamError: There are more or fewer shifts than blocks, or a single value is halved.
        ValueError: As `settle`; or shifts that are not such integers, or not in one dimension.

    Example:
        See `settle`.
    """
    flat = _check_x(x)
    step = _check_step(step)
    given = _Given(_check_shifts(shifts).to(flat.device), len(flat))
    each = _each_shift(given, len(flat), flat.device)
    given.check_end()
    numbers = torch.empty(flat.shape, dtype=torch.int32, device=flat.device)
    for start in range(0, len(flat), AT_A_TIME):
        part = slice(start, start + AT_A_TIME)
        cells = _cells(flat[part].double(), step)
        _check_cells(x, step, start, (cells >= LOWEST) & (cells <= HIGHEST))
        numbers[part] = _numbers(cells, each[part])
    return _tensors.like(numbers.view(x.shape), x)


def _cells(values: torch.Tensor, step: float) -> torch.Tensor:
    """Values in parts of a step, rounded, as float64."""
    return (values * (CELLS / step)).round_()


def _numbers(cells: torch.Tensor, shifts: torch.Tensor) -> torch.Tensor:
    """Settled numbers. They are exact: cells are 40-bit integers, and CELLS is a power of two."""
    return ((cells + shifts) * (1 / CELLS)).floor_().int()


def _each_shift(
    tell: Callable[[torch.Tensor, int], torch.Tensor], size: int, device: torch.device
) -> torch.Tensor:
    """The shift of each value. `tell` gives the bytes of blocks of one length, longest first."""
    length = BLOCK
    blocks = torch.arange(-(-size // length), device=device)
    shifts = torch.empty(len(blocks) * length, dtype=torch.uint8, device=device)
    while len(blocks) > 0:
        told = tell(blocks, length)
        shifts.view(-1, length)[blocks] = told[:, None]
        halved = blocks[told == HALVED]
        length //= 2
        blocks = torch.stack([2 * halved, 2 * halved + 1], dim=1).flatten()
        blocks = blocks[blocks * length < size]
    return shifts[:size]


class _Choice:
    """Chooses shifts for which no value lies near a border: those closest to plain rounding."""

    def __init__(
        self, low: torch.Tensor, high: torch.Tensor, told: list[list[torch.Tensor]]
    ) -> None:
        # A value excludes one shift, modulo CELLS, for each border between the cells of its ends.
        self._place = torch.nonzero(high > low).flatten()
        self._first = (-high[self._place]).long() % CELLS
        self._end = self._first + (high - low)[self._place].long()
        self._distance = (torch.arange(CELLS, device=low.device) - PLAIN).abs()
        self._told = told

    def __call__(self, blocks: torch.Tensor, length: int) -> torch.Tensor:
        row = torch.searchsorted(blocks, self._place // length)
        # Changes, from one shift to the next, in the number of values that exclude it.
        changes = torch.zeros(len(blocks), 2 * CELLS, dtype=torch.int16, device=blocks.device)
        one = changes.new_ones(())
        changes.index_put_((row, self._first), one, accumulate=True)
        changes.index_put_((row, self._end), -one, accumulate=True)
        once, again = changes.cumsum(dim=1, dtype=torch.int16).chunk(2, dim=1)
        cost = torch.where((once == 0) & (again == 0), self._distance, CELLS)
        cost[:, HALVED] = CELLS
        least, best = cost.min(dim=1)
        told = torch.where(least == CELLS, HALVED, best).to(torch.uint8)
        self._told[BLOCK.bit_length() - length.bit_length()].append(told)
        left = told[row] == HALVED
        self._place, self._first = self._place[left], self._first[left]
        self._end = self._end[left]
        return told


class _Given:
    """Reads the shifts that `_Choice` has chosen, from untrusted bytes."""

    def __init__(self, shifts: torch.Tensor, values: int) -> None:
        self._shifts, self._used, self._values = shifts, 0, values

    def __call__(self, blocks: torch.Tensor, length: int) -> torch.Tensor:
        told = self._shifts[self._used : self._used + len(blocks)]
        if len(told) < len(blocks):
            raise CorruptStreamError(
                f"shifts has {len(self._shifts)} bytes, and {self._values} values need at least "
                f"{self._used + len(blocks)}: expected those that settle gave for them"
            )
        if length == 1 and (told == HALVED).any():
            where = self._used + int(torch.nonzero(told == HALVED)[0])
            raise CorruptStreamError(
                f"shifts is {HALVED} at index {where}, where the block is one value, which has no "
                "halves: expected the shifts that settle gave"
            )
        self._used += len(told)
        return told

    def check_end(self) -> None:
        if self._used < len(self._shifts):
            raise CorruptStreamError(
                f"shifts has {len(self._shifts)} bytes, and {self._values} values need "
                f"{self._used}: expected those that settle gave for them"
            )


def _check_x(x: Any) -> torch.Tensor:
    """The values in one dimension."""
    _checks.check_array("x", x)
    _checks.check_elements("x", x)
    _checks.check_dtype("x", x, FLOAT_ROWS)
    device = _tensors.device_of(x)
    if _tensors.widest_float(device) is not torch.float64:
        raise ValueError(f"x is on {device}, which has no float64: expected x.cpu()")
    return _tensors.as_tensor(x).reshape(-1)


def _check_step(step: Any) -> float:
    number = _checks.check_float("step", step)
    if not 1e-30 <= number <= 1e100:
        raise ValueError(f"step is {number}: expected a number from 1e-30 to 1e100")
    return number


def _check_cells(x: Array, step: float, start: int, good: torch.Tensor) -> None:
    if good.all():
        return
    place = start + int(torch.nonzero(~good)[0])
    where = tuple(int(i) for i in np.unravel_index(place, tuple(x.shape)))
    value = float(_tensors.as_tensor(x)[where])
    expected = "a finite number"
    if np.isfinite(value):
        expected = (
            f"a number from {LOWEST / CELLS * step} to {HIGHEST / CELLS * step}, as steps are "
            "counted in an int32; a larger step allows more"
        )
    raise ValueError(f"x is {value} at index {where}: expected {expected}")


def _check_shifts(shifts: Any) -> torch.Tensor:
    """The shifts as uint8, on the host."""
    _checks.check_array("shifts", shifts)
    _checks.check_elements("shifts", shifts)
    _checks.check_dtype("shifts", shifts, INTEGERS)
    if shifts.ndim != 1:
        raise ValueError(f"shifts has shape {tuple(shifts.shape)}: expected one dimension")
    array = _tensors.view(shifts)
    good = (array >= 0) & (array < CELLS)
    if not good.all():
        where = int(np.flatnonzero(~good)[0])
        raise ValueError(f"shifts is {array[where]} at index {where}: expected 0 to {CELLS - 1}")
    return torch.from_numpy(array.astype(np.uint8))
