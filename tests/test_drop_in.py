"""Everything that programs with the old package rely on."""

import copy
import pickle
import re
from typing import Any

import pytest
import torch

import torchac
import torchac.torchac
from torchac import torchac as module


def roundtrip(cdf: torch.Tensor, sym: torch.Tensor, needs_normalization: bool = True) -> None:
    stream = torchac.encode_float_cdf(cdf, sym, needs_normalization, check_input_bounds=True)
    decoded = torchac.decode_float_cdf(cdf, stream, needs_normalization)
    assert decoded.equal(sym)


def test_names() -> None:
    assert module is torchac.torchac
    assert module.PRECISION == 16
    assert module.encode_float_cdf is torchac.encode_float_cdf
    assert module.decode_float_cdf is torchac.decode_float_cdf
    assert module.encode_int16_normalized_cdf is torchac.encode_int16_normalized_cdf
    assert module.decode_int16_normalized_cdf is torchac.decode_int16_normalized_cdf
    cdf = torch.rand(5, 9).sort(-1).values
    converted = module._convert_to_int_and_normalize(cdf, True)
    assert converted.equal(torchac.quantize_cdf(cdf))
    assert converted.dtype is torch.int16


@pytest.mark.parametrize("needs_normalization", [True, False])
@pytest.mark.parametrize("shape", [(), (7,), (3, 4), (2, 1, 3, 2, 5)])
def test_uniform_rows(shape: tuple[int, ...], needs_normalization: bool) -> None:
    symbols = 10
    cdf = torch.linspace(0, 1, symbols + 1).expand(*shape, symbols + 1)
    sym = torch.randint(symbols, shape, dtype=torch.int16)
    roundtrip(cdf, sym, needs_normalization)


def test_row_with_duplicates() -> None:
    """Normalization gives a symbol of probability 0 an interval too."""
    cdf = torch.tensor([0.0, 0.2, 0.2, 0.2, 1.0]).expand(4, 5)
    roundtrip(cdf, torch.tensor([0, 1, 2, 3], dtype=torch.int16))


def test_duplicates_without_normalization_decode_to_the_symbol_with_a_code() -> None:
    cdf = torch.tensor([0.0, 0.2, 0.2, 0.2, 1.0]).expand(2, 5)
    roundtrip(cdf, torch.tensor([0, 3], dtype=torch.int16), needs_normalization=False)


def test_a_star_leaves_the_package_its_name() -> None:
    names: dict[str, object] = {}
    exec("import torchac\nfrom torchac import *", names)
    assert names["torchac"] is torchac
    assert names["encode_float_cdf"] is torchac.encode_float_cdf


@pytest.mark.parametrize(
    ("flag", "meant"), [((False,), True), ([], False), (1.0, True), (0, False)]
)
def test_flags_that_are_true_or_not(flag: Any, meant: bool) -> None:
    """A program passes a tuple by accident, because of an extra comma."""
    cdf = torch.linspace(0, 1, 6).expand(3, 6)
    sym = torch.tensor([1, 4, 0], dtype=torch.int16)
    stream = torchac.encode_float_cdf(cdf, sym, flag)
    assert stream == torchac.encode_float_cdf(cdf, sym, meant)
    assert torchac.decode_float_cdf(cdf, stream, flag).equal(sym)
    assert torchac.encode_float_cdf(cdf, sym, check_input_bounds=flag) == (
        torchac.encode_float_cdf(cdf, sym, check_input_bounds=meant)
    )


def test_no_warning_where_no_symbol_is_changed() -> None:
    cdf = torch.linspace(0, 1, 6).expand(3, 6)
    sym = torch.tensor([1, 4, 0], dtype=torch.int16)
    stream = torchac.encode_float_cdf(cdf, sym)
    assert torchac.encode_float_cdf(cdf, sym, check_input_bounds=False) == stream
    integers = torchac.quantize_cdf(cdf)
    for check in (None, True, False):
        encode = torchac.encode_int16_normalized_cdf
        assert encode(integers, sym, check_input_bounds=check) == stream


@pytest.mark.parametrize(("symbol", "nearest"), [(5, 4), (-1, 0)])
def test_the_warning_says_what_was_done(symbol: int, nearest: int) -> None:
    cdf = torchac.quantize_cdf(torch.linspace(0, 1, 6).expand(3, 6))
    sym = torch.tensor([1, 4, symbol], dtype=torch.int16)
    message = (
        f"symbol {symbol} at index (2,) is outside the alphabet: rows of 6 values allow symbols "
        f"0 … 4. With check_input_bounds=False it is coded as the nearest of them, {nearest}, and "
        "so are others like it: decoding gives that. Without check_input_bounds=False it is refused"
    )
    with pytest.warns(UserWarning, match=re.escape(message)) as caught:
        stream = torchac.encode_int16_normalized_cdf(cdf, sym, check_input_bounds=False)
    assert len(caught) == 1
    assert torchac.decode_int16_normalized_cdf(cdf, stream).tolist() == [1, 4, nearest]


def test_unchecked_symbol_out_of_range_decodes_to_another() -> None:
    cdf = torch.linspace(0, 1, 6).expand(3, 6)
    sym = torch.tensor([1, 5, -1], dtype=torch.int16)
    with pytest.warns(UserWarning, match=r"^symbol 5 at index \(1,\) is outside") as caught:
        stream = torchac.encode_float_cdf(cdf, sym, check_input_bounds=False)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert torchac.decode_float_cdf(cdf, stream).tolist() == [1, 4, 0]


@pytest.mark.parametrize("sigma", [0.001, 0.01, 0.1, 0.5, 1, 2, 5, 10])
def test_logistic_rows_for_all_256_symbols(sigma: float) -> None:
    sym = torch.arange(256, dtype=torch.int16)
    edges = torch.arange(257) - 0.5
    roundtrip(torch.sigmoid((edges - 128.3) / sigma).expand(256, 257), sym)
    roundtrip(torch.sigmoid((edges - sym[:, None]) / sigma), sym)


def test_rows_need_not_begin_at_0_or_end_at_1() -> None:
    cdf = torch.tensor([0.1, 0.4, 0.5, 0.6]).expand(30, 4)
    roundtrip(cdf, torch.arange(30, dtype=torch.int16) % 3)


def test_rows_that_require_grad() -> None:
    cdf = torch.linspace(0, 1, 5).expand(3, 5).clone().requires_grad_()
    roundtrip(cdf, torch.tensor([0, 1, 2], dtype=torch.int16))


def test_no_symbols() -> None:
    cdf = torch.zeros(0, 3, 9)
    stream = torchac.encode_float_cdf(cdf, torch.zeros(0, 3, dtype=torch.int16))
    assert stream == b"\x40"
    assert torchac.decode_float_cdf(cdf, stream).shape == (0, 3)


def test_uint16_rows() -> None:
    if not hasattr(torch, "uint16"):
        pytest.skip("this release of torch has no uint16")
    cdf = torchac.quantize_cdf(torch.linspace(0, 1, 9)).view(torch.uint16).expand(8, 9)
    sym = torch.arange(8, dtype=torch.int16)
    stream = torchac.encode_int16_normalized_cdf(cdf, sym)
    assert torchac.decode_int16_normalized_cdf(cdf, stream).equal(sym)


def test_the_error_survives_copy_and_pickle() -> None:
    error = torchac.CorruptStreamError("damaged")
    for other in (copy.copy(error), pickle.loads(pickle.dumps(error))):
        assert type(other) is torchac.CorruptStreamError
        assert other.args == error.args
