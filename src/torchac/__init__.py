"""Arithmetic coding for PyTorch: from symbols and distributions to the shortest bytes, and back."""

from torchac import torchac
from torchac.errors import CorruptStreamError
from torchac.quantize import quantize_cdf
from torchac.torchac import (
    decode_float_cdf,
    decode_int16_normalized_cdf,
    encode_float_cdf,
    encode_int16_normalized_cdf,
)

__version__ = "1.0.0"

__all__ = [
    "CorruptStreamError",
    "decode_float_cdf",
    "decode_int16_normalized_cdf",
    "encode_float_cdf",
    "encode_int16_normalized_cdf",
    "quantize_cdf",
    "torchac",
]
