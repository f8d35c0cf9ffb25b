"""A CDF on another device: only the bounds of each symbol travel, and the bytes are the same."""

import pytest
import torch

import torchac
from torchac import _gather, _tensors

needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU here")
DEVICES = ["cpu", pytest.param("cuda", marks=needs_cuda)]


def logistic(*shape: int, symbols: int = 50) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    means = torch.rand(*shape, 1, generator=generator) * symbols
    return torch.sigmoid((torch.arange(symbols + 1) - 0.5 - means) / 3)


@pytest.mark.parametrize("normalize", [True, False])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("device", DEVICES)
def test_gathered_bounds_code_as_whole_rows(
    device: str, dtype: torch.dtype, normalize: bool
) -> None:
    cdf = (logistic(20, 30) * 0.99).to(dtype)
    usable = _plain_intervals(cdf, normalize)
    sym = torch.multinomial(usable.flatten(0, 1).float(), 1).view(20, 30)
    rows = _tensors.float_rows(cdf.to(device), normalize, None)
    gathered = _gather.gather(rows, sym.to(device), check=True, clamp=False)
    assert gathered is not None
    pairs, symbols = gathered
    stream = torchac.encode_int16_normalized_cdf(pairs.cdf, symbols)
    assert stream == torchac.encode_float_cdf(cdf, sym, normalize)


def _plain_intervals(cdf: torch.Tensor, normalize: bool) -> torch.Tensor:
    """Which symbols of which rows have an interval."""
    values = torchac.quantize_cdf(cdf, normalize).int() & 0xFFFF
    values[..., -1] = 1 << 16
    return values.diff() > 0


def test_integer_rows_and_the_last_symbol() -> None:
    cdf = torchac.quantize_cdf(logistic(50))
    sym = torch.arange(50)
    gathered = _gather.gather(_tensors.int16_rows(cdf, None), sym, check=False, clamp=False)
    assert gathered is not None
    pairs, symbols = gathered
    assert symbols.tolist() == [0] * 49 + [1]
    stream = torchac.encode_int16_normalized_cdf(pairs.cdf, symbols)
    assert stream == torchac.encode_int16_normalized_cdf(cdf, sym)


@pytest.mark.parametrize(
    ("cdf", "sym"),
    [
        (torch.tensor([[0.0, torch.nan, 1.0]]), 0),  # a bound that is no number
        (torch.tensor([[0.0, 0.5, 1.5]]), 0),  # a value outside [0, 1]
        (torch.tensor([[0.5, 0.2, 1.0]]), 1),  # a row that decreases
        (torch.tensor([[0.0, 0.5, 1.0]]), 2),  # a symbol out of range
    ],
)
def test_what_is_unusual_is_left_to_the_host(cdf: torch.Tensor, sym: int) -> None:
    rows = _tensors.float_rows(cdf, True, None)
    assert _gather.gather(rows, torch.tensor([sym]), check=True, clamp=False) is None


@pytest.mark.parametrize("device", [pytest.param("cuda", marks=needs_cuda)])
def test_four_functions_on_a_device(device: str) -> None:
    cdf = logistic(20, 30)
    sym = torch.randint(50, (20, 30))
    on_device = cdf.to(device)
    stream = torchac.encode_float_cdf(on_device, sym.to(device), check_input_bounds=True)
    assert stream == torchac.encode_float_cdf(cdf, sym)
    decoded = torchac.decode_float_cdf(on_device, stream)
    assert decoded.device == on_device.device
    assert decoded.cpu().equal(sym.short())
    integers = torchac.quantize_cdf(on_device)
    assert integers.cpu().equal(torchac.quantize_cdf(cdf))
    assert torchac.encode_int16_normalized_cdf(integers, sym.to(device)) == stream
    assert torchac.decode_int16_normalized_cdf(integers, stream).cpu().equal(sym.short())
    with pytest.raises(ValueError, match=r"symbol 50 at index \(0, 0\)"):
        torchac.encode_float_cdf(on_device, torch.full_like(sym, 50).to(device))
