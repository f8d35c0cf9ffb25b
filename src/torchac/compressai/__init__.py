"""Models of CompressAI that code with torchac: one line more, the same networks and the same calls.

Imported by itself: `import torchac.compressai`. `accelerate(model)` makes the entropy models of a
model of the compressai package code through torchac, and `restore(model)` undoes that. Streams are
in torchac's format: what CompressAI's own coder wrote is decoded by that.

`ans` has the classes of `compressai.ans`, for code that calls these itself, and `as_tables` makes a
model of torchac of the tables that CompressAI works with.
"""

from torchac import _dynamo
from torchac.compressai import ans, entropy_models
from torchac.compressai.accelerated import accelerate, restore
from torchac.compressai.tables import as_tables

__all__ = ["accelerate", "ans", "as_tables", "restore"]

_dynamo.disable(*entropy_models.METHODS, ans.BufferedRansEncoder, ans.RansEncoder, ans.RansDecoder)
