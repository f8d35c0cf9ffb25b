"""Sizes at which offsets no longer fit 32 bits."""

import torch

import torchac


def test_more_than_2_to_the_31_values() -> None:
    """An expanded CDF takes no memory; one row in the middle differs from the others."""
    lp = 32769
    rows = 2**31 // lp + 2
    cdf = torch.linspace(0, 1, lp).expand(rows, lp)
    sym = torch.arange(rows).remainder(lp - 1)
    stream = torchac.encode_float_cdf(cdf, sym)
    assert torchac.decode_float_cdf(cdf[:1000], stream).equal(sym[:1000].short())


def test_offsets_beyond_2_to_the_31_bytes() -> None:
    """Rows lie 64 KB apart, over 4 GB of address space that is otherwise not touched."""
    apart = 1 << 16
    rows = (1 << 32) // apart + 8
    cdf = torch.empty(rows, apart, dtype=torch.uint8).view(torch.float32)[:, :5]
    cdf[:] = torch.linspace(0, 1, 5)
    cdf[-1] = torch.tensor([0.0, 0.9, 0.95, 0.97, 1.0])
    sym = torch.arange(rows).remainder(4)
    stream = torchac.encode_float_cdf(cdf, sym)
    assert stream == torchac.encode_float_cdf(cdf.contiguous(), sym)
    assert torchac.decode_float_cdf(cdf, stream).equal(sym.short())
