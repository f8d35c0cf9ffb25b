"""Integers with negative ones among them become symbols, and symbols integers again."""

import re
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import torchac
from torchac import cdf
from torchac.symbols import shift_symbols, unshift_symbols

needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU here")

INTEGERS = ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"]
FLOATS = ["float16", "bfloat16", "float32", "float64"]


def refused(kind: type[Exception], message: str, x: Any, low: Any = -2, high: Any = 3) -> None:
    with pytest.raises(kind, match=f"^{re.escape(message)}$"):
        shift_symbols(x, low, high)


@given(st.integers(-(2**52), 2**52), st.integers(0, 32767), st.data())
def test_there_and_back(low: int, size: int, data: st.DataObject) -> None:
    high = min(low + size, 2**52)
    x = torch.tensor(data.draw(st.lists(st.integers(low, high), max_size=20)), dtype=torch.int64)
    for values in (x, x.double()):
        symbols = shift_symbols(values, low, high)
        assert symbols.dtype is torch.int16
        assert symbols.tolist() == [value - low for value in x.tolist()]
        assert unshift_symbols(symbols, low).equal(x)


@pytest.mark.parametrize("name", INTEGERS + FLOATS)
def test_any_dtype(name: str) -> None:
    dtype = getattr(torch, name, None)
    if dtype is None:
        pytest.skip(f"this release of torch has no {name}")
    x = torch.tensor([[0, 1], [100, 127]]).to(dtype)
    assert shift_symbols(x, -32000, 767).tolist() == [[32000, 32001], [32100, 32127]]


@pytest.mark.parametrize("name", INTEGERS)
def test_symbols_of_any_integer_dtype(name: str) -> None:
    dtype = getattr(torch, name, None)
    if dtype is None:
        pytest.skip(f"this release of torch has no {name}")
    assert unshift_symbols(torch.tensor([0, 127]).to(dtype), -100).tolist() == [-100, 27]


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=needs_cuda)])
def test_the_device_is_kept(device: str) -> None:
    x = torch.arange(-2, 4, device=device).float()
    symbols = shift_symbols(x, -2, 3)
    assert symbols.device == x.device
    assert unshift_symbols(symbols, -2).equal(x.long())


def test_arrays() -> None:
    x = np.array([[-2.0, 0.0], [3.0, 1.0]])
    symbols = shift_symbols(x, -2, 3)
    assert isinstance(symbols, np.ndarray)
    assert symbols.dtype == np.int16
    integers = unshift_symbols(symbols, -2)
    assert isinstance(integers, np.ndarray)
    assert integers.tolist() == x.tolist()


def test_ends_of_other_integer_types() -> None:
    x = torch.tensor([-2, 3])
    assert shift_symbols(x, x.min(), np.int64(3)).tolist() == [0, 5]  # type: ignore[arg-type]


def test_the_recipe() -> None:
    latents = (torch.randn(3, 4, generator=torch.Generator().manual_seed(0)) * 9).round()
    low, high = int(latents.min()), int(latents.max())
    rows = cdf.laplace(torch.zeros(3, 4), 6.0, low, high)
    stream = torchac.encode_float_cdf(rows, shift_symbols(latents, low, high))
    assert unshift_symbols(torchac.decode_float_cdf(rows, stream), low).equal(latents.long())


@pytest.mark.parametrize("value", [-3.0, 4.0, 0.5, torch.nan, torch.inf, -torch.inf, 1e30, -1e30])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_float_that_is_no_integer_of_the_range(value: float, dtype: torch.dtype) -> None:
    x = torch.zeros(2, 3, dtype=dtype)
    x[1, 2] = value
    message = f"x is {x[1, 2].item()} at index (1, 2): expected integers from -2 to 3"
    refused(ValueError, message, x)


@pytest.mark.parametrize("value", [-3, 4, -(2**63), 2**63 - 1])
def test_integer_outside_the_range(value: int) -> None:
    message = f"x is {value} at index (1,): expected integers from -2 to 3"
    refused(ValueError, message, torch.tensor([3, value, -9]))


@pytest.mark.skipif(not hasattr(torch, "uint64"), reason="this release of torch has no uint64")
def test_large_unsigned_integer() -> None:
    message = "x is 18446744073709551615 at index (0,): expected integers from -2 to 3"
    refused(ValueError, message, np.array([2**64 - 1], np.uint64))


def test_values_of_another_dtype() -> None:
    names = ", ".join(["float32", "float64", "float16", "bfloat16", *INTEGERS])
    refused(ValueError, f"x has dtype torch.bool: expected {names}", torch.tensor([True]))


def test_symbols_that_are_no_integers() -> None:
    message = f"symbols has dtype torch.float32: expected {', '.join(INTEGERS)}"
    with pytest.raises(ValueError, match=f"^{message}$"):
        unshift_symbols(torch.zeros(1), 0)


def test_values_that_are_no_tensor() -> None:
    message = "x is of type list: expected a torch.Tensor or a numpy.ndarray"
    refused(TypeError, message, [0])


def test_values_without_data() -> None:
    message = "x is a torch.strided tensor on meta: expected a dense one with data"
    refused(ValueError, message, torch.zeros(3, device="meta"))


@pytest.mark.parametrize("end", [1.0, "1", None, torch.tensor(1.0)])
def test_ends_that_are_no_integers(end: Any) -> None:
    kind = type(end).__name__
    refused(TypeError, f"low is of type {kind}: expected an int", torch.zeros(1), end, 3)
    refused(TypeError, f"high is of type {kind}: expected an int", torch.zeros(1), 0, end)
    with pytest.raises(TypeError, match=f"^low is of type {kind}: expected an int$"):
        unshift_symbols(torch.zeros(1, dtype=torch.int16), end)


def test_ends_that_are_far_out() -> None:
    message = f"high is {2**52 + 1}: expected an integer from -2**52 to 2**52"
    refused(ValueError, message, torch.zeros(1), 0, 2**52 + 1)


@pytest.mark.parametrize(("low", "high"), [(1, 0), (-16384, 16384)])
def test_ends_that_are_no_range(low: int, high: int) -> None:
    message = f"low is {low} and high is {high}: expected low <= high and at most 32768 integers"
    refused(ValueError, message, torch.zeros(1), low, high)
