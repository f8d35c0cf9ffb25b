"""Arithmetic coding for PyTorch: symbols and their distributions to the fewest bytes, and back."""

import os
import sys

import torch

from torchac import _core, _dynamo
from torchac.batch import decode_batch, encode_batch
from torchac.bits import estimate_bits
from torchac.codec import decode, encode
from torchac.errors import CorruptStreamError
from torchac.files import Reader, Segment, Writer
from torchac.fingerprint import fingerprint
from torchac.incremental import Decoder, Encoder
from torchac.lockstep import BatchDecoder, BatchEncoder
from torchac.models import (
    Bernoulli,
    Categorical,
    Laplace,
    Logistic,
    Mixture,
    Normal,
    Tables,
    tabulate,
)
from torchac.quantize import quantize_cdf
from torchac.settle import settle, settled
from torchac.threads import set_num_threads
from torchac.torchac import (
    decode_float_cdf,
    decode_int16_normalized_cdf,
    encode_float_cdf,
    encode_int16_normalized_cdf,
)

__version__ = "1.0.0"

__all__ = [
    "BatchDecoder",
    "BatchEncoder",
    "Bernoulli",
    "Categorical",
    "CorruptStreamError",
    "Decoder",
    "Encoder",
    "Laplace",
    "Logistic",
    "Mixture",
    "Normal",
    "Reader",
    "Segment",
    "Tables",
    "Writer",
    "decode",
    "decode_batch",
    "decode_float_cdf",
    "decode_int16_normalized_cdf",
    "encode",
    "encode_batch",
    "encode_float_cdf",
    "encode_int16_normalized_cdf",
    "estimate_bits",
    "fingerprint",
    "quantize_cdf",
    "set_num_threads",
    "settle",
    "settled",
    "tabulate",
]

# For tests, TORCHAC_QUICK=0 lets all calls go the way of those that are not simple.
_core.use_torch(None if os.environ.get("TORCHAC_QUICK") == "0" else torch)
_dynamo.disable(
    sys.modules[__name__],
    Encoder,
    Decoder,
    BatchEncoder,
    BatchDecoder,
    Normal,
    Laplace,
    Logistic,
    Mixture,
    Tables,
    Categorical,
    Bernoulli,
    Writer,
    Reader,
)
