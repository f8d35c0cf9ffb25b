"""Makes models of CompressAI code with torchac, by one more line and with the same calls.

Import it explicitly: `import torchac.compressai`. `accelerate(model)` makes the entropy models of a
model of the compressai package code with torchac, and `restore(model)` undoes that. Streams are in
torchac's format; those of CompressAI's own coder can be decoded only by that coder.

`ans` has the classes of `compressai.ans`, for code that calls them directly, and `as_tables` turns
the tables of CompressAI into a model of torchac.
"""

from torchac import _dynamo
from torchac.compressai import ans, entropy_models
from torchac.compressai.accelerated import accelerate, restore
from torchac.compressai.tables import as_tables

__all__ = ["accelerate", "ans", "as_tables", "restore"]

_dynamo.disable(*entropy_models.METHODS, ans.BufferedRansEncoder, ans.RansEncoder, ans.RansDecoder)
