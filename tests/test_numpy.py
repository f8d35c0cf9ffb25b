"""NumPy arrays give NumPy arrays, without copies."""

from typing import Any

import numpy as np
import pytest
import torch
from test_devices import outcome
from test_hostile import CALLS

import torchac

RNG = np.random.default_rng(1)
CDF = np.linspace(0, 1, 21, dtype=np.float32) ** RNG.uniform(0.5, 2, (30, 40, 1)).astype(np.float32)
SYM = RNG.integers(0, 20, (30, 40))
INDEX = RNG.integers(0, 30, (30, 40))
STREAM = torchac.encode_float_cdf(torch.from_numpy(CDF), torch.from_numpy(SYM))


def same(decoded: np.ndarray, symbols: np.ndarray = SYM) -> bool:
    return type(decoded) is np.ndarray and decoded.dtype == np.int16 and (decoded == symbols).all()


def test_four_functions() -> None:
    assert torchac.encode_float_cdf(CDF, SYM) == STREAM
    assert same(torchac.decode_float_cdf(CDF, STREAM))
    integers = torchac.quantize_cdf(CDF)
    assert type(integers) is np.ndarray
    assert torchac.encode_int16_normalized_cdf(integers, SYM) == STREAM
    assert same(torchac.decode_int16_normalized_cdf(integers, STREAM))
    assert same(torchac.decode_int16_normalized_cdf(integers.view(np.uint16), STREAM))


def test_tables() -> None:
    stream = torchac.encode_float_cdf(CDF[0], SYM, index=INDEX)
    assert same(torchac.decode_float_cdf(CDF[0], stream, index=INDEX))


def test_batch() -> None:
    streams = torchac.encode_batch(CDF, SYM)
    assert same(torchac.decode_batch(CDF, streams))
    assert all(
        same(a, b) for a, b in zip(torchac.decode_batch(list(CDF), streams), SYM, strict=True)
    )


def test_incremental() -> None:
    encoder = torchac.Encoder()
    encoder.encode(CDF[:10], SYM[:10])
    encoder.encode(CDF[10:], SYM[10:])
    assert encoder.finish() == STREAM
    assert same(torchac.Decoder(STREAM).decode(CDF))


def test_bits() -> None:
    bits = torchac.estimate_bits(CDF, SYM)
    assert type(bits) is np.ndarray
    assert abs(bits.sum() - 8 * len(STREAM)) < 16


@pytest.mark.parametrize("name", ["float16", "float64"])
def test_other_floats(name: str) -> None:
    cdf = CDF.astype(name)
    assert same(torchac.decode_float_cdf(cdf, torchac.encode_float_cdf(cdf, SYM)))


def test_any_layout() -> None:
    """Reversed, transposed, read-only and unaligned arrays are read in place."""
    backwards = np.ascontiguousarray(CDF[::-1, :, ::-1])[::-1, :, ::-1]
    assert torchac.encode_float_cdf(backwards, SYM[::-1].copy()[::-1]) == STREAM
    assert same(torchac.decode_float_cdf(np.asfortranarray(CDF), STREAM))
    frozen = CDF.copy()
    frozen.flags.writeable = False
    assert same(torchac.decode_float_cdf(frozen, STREAM))
    unaligned = (
        np.frombuffer(b"." + CDF.tobytes(), np.uint8)[1:].view(np.float32).reshape(CDF.shape)
    )
    assert same(torchac.decode_float_cdf(unaligned, STREAM))
    assert torchac.encode_float_cdf(unaligned, SYM) == STREAM
    for cdf in (backwards, frozen, unaligned):
        assert (torchac.quantize_cdf(cdf) == torchac.quantize_cdf(CDF)).all()
        assert (torchac.estimate_bits(cdf, SYM[::-1].copy()[::-1]) < 16).all()
    assert (torchac.estimate_bits(CDF, SYM.astype(np.uint64)) < 16).all()


def test_symbols_that_are_bools() -> None:
    row = np.array([0.0, 0.25, 1.0], np.float32)
    bools = SYM[::-1] > 5
    cdf = np.broadcast_to(row, (*bools.shape, 3))
    stream = torchac.encode_float_cdf(cdf, bools)
    assert stream == torchac.encode_float_cdf(cdf, bools.astype(np.int16))
    tensor = torch.tensor(row).expand(cdf.shape)
    assert stream == torchac.encode_float_cdf(tensor, torch.tensor(bools))
    assert same(torchac.decode_float_cdf(cdf, stream), bools)
    bits = torchac.estimate_bits(cdf, bools)
    assert (bits == torchac.estimate_bits(cdf, bools.astype(np.int16))).all()


@pytest.mark.parametrize("symbol", [7, np.int16(7), np.uint8(7), np.int64(7)])
def test_numbers_for_one_symbol(symbol: int) -> None:
    row = CDF[0, 0]
    stream = torchac.encode_float_cdf(row, np.array(7))
    for cdf in (row, torch.from_numpy(row)):
        assert torchac.encode_float_cdf(cdf, symbol) == stream
        encoder = torchac.Encoder()
        encoder.encode(cdf, symbol)
        assert encoder.finish() == stream
        bits = torchac.estimate_bits(row, np.array(7)).item()
        assert torchac.estimate_bits(cdf, symbol).item() == bits
        assert torchac.encode_batch([cdf, cdf], [symbol, 7]) == [stream, stream]
    with pytest.raises(ValueError, match=r"^item 1: symbol 99 at index \(\) is outside"):
        torchac.encode_batch([row, row], [symbol, 99])


def test_bools_for_one_symbol() -> None:
    row = np.array([0.0, 0.25, 1.0], np.float32)
    stream = torchac.encode_float_cdf(row, 1)
    assert stream != torchac.encode_float_cdf(row, 0)
    for one in (True, np.True_):
        assert torchac.encode_float_cdf(row, one) == stream


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_tensors_in_a_graph(dtype: torch.dtype) -> None:
    cdf = torch.linspace(0, 1, 9).expand(8, 9).to(dtype)
    stream = torchac.encode_float_cdf(cdf, torch.arange(8))
    in_graph = cdf.clone().requires_grad_() * 1
    assert torchac.encode_float_cdf(in_graph, torch.arange(8)) == stream
    assert torchac.decode_float_cdf(in_graph, stream).tolist() == list(range(8))


class Odd(np.ndarray):
    """An array with other indexing and functions, like a matrix."""

    def __getitem__(self, key: Any) -> Any:
        raise AssertionError("an element of a subclass was asked for")

    def __array_function__(self, *args: Any, **kwargs: Any) -> Any:
        raise AssertionError("a function of a subclass was called")

    def __array_ufunc__(self, *args: Any, **kwargs: Any) -> Any:
        raise AssertionError("an operator of a subclass was called")


def with_a_fault(array: np.ndarray) -> np.ndarray:
    """The array with an invalid last element."""
    array = array.copy()
    array.flat[-1] = 99 if array.dtype.kind in "iu" else np.nan
    return array


@pytest.mark.parametrize("indexed", [False, True])
@pytest.mark.parametrize("name", CALLS)
def test_subclasses_of_arrays_are_read_as_arrays(name: str, indexed: bool) -> None:
    """Results and errors are the same as for arrays."""
    call = CALLS[name]
    arguments = dict(call.arguments)
    if indexed and "index" in arguments:
        arguments["index"] = torch.arange(3)
        if "batch" in name.lower():
            arguments["index"] = arguments["index"][:, None]
    for key, value in arguments.items():
        if isinstance(value, torch.Tensor):
            arguments[key] = value.numpy()
    for key, value in arguments.items():
        if isinstance(value, np.ndarray):
            for array in (value, with_a_fault(value)):
                expected = outcome(call.function, **arguments | {key: array})
                found = outcome(call.function, **arguments | {key: array.view(Odd)})
                assert str(found) == str(expected)
                assert not isinstance(found, Odd)
