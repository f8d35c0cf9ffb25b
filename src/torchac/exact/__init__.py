"""Networks that give the same numbers on every machine: see docs/exact.md.

Import it explicitly: `import torchac.exact`.
"""

from torchac.exact._convert import convert
from torchac.exact._errors import Refused
from torchac.exact._file import load, save
from torchac.exact._network import Network
from torchac.exact._stream import Stream

__all__ = ["Network", "Refused", "Stream", "convert", "load", "save"]
