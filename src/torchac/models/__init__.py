"""Models: distributions of integers, given by parameters or by rows, for `torchac.encode`.

A model says how likely each integer is, for each value of a tensor. `Normal`, `Laplace`, `Logistic`
and `Mixture` take the outputs of a network; `Tables` takes rows. Values are coded as they are,
without an alphabet, a range or a minimum to subtract. The probability of the integer `k` is that of
`[k - 0.5, k + 0.5]`.

When a value is coded, a row of 16-bit integers is computed for a window around `loc`, whose width
depends on `scale`; values outside are written with an escape. `docs/format.md` defines both, to the
bit: the same numbers in the parameters give the same bytes, whatever their dtype, on every machine
and in every release. So a decoder needs the exact numbers of the parameters, and nothing else.

    >>> import torch, torchac
    >>> loc, scale = torch.tensor([0.2, -3.7, 1000.5]), torch.tensor([1.0, 0.3, 20.0])
    >>> model = torchac.Normal(loc, scale)
    >>> stream = torchac.encode(model, torch.tensor([1, -4, 987]))
    >>> torchac.decode(model, stream)
    tensor([  1,  -4, 987], dtype=torch.int32)
"""

from torchac.models._base import Model, Tables
from torchac.models._categorical import Bernoulli, Categorical
from torchac.models._distributions import tabulate
from torchac.models._parametric import Laplace, Logistic, Mixture, Normal

__all__ = [
    "Bernoulli",
    "Categorical",
    "Laplace",
    "Logistic",
    "Mixture",
    "Model",
    "Normal",
    "Tables",
    "tabulate",
]

for _name in __all__:
    globals()[_name].__module__ = __name__  # pickles refer to this module
