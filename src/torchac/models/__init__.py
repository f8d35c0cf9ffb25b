"""Models: distributions of integers, given by parameters or by rows, for `torchac.encode`.

A model says how likely each integer is, for each value of a tensor. `Normal`, `Laplace`, `Logistic`
and `Mixture` take what a network gives; `Tables` takes rows. Values are coded as they are: no
symbols, no range, no minimum to shift by. The probability of the integer `k` is that of
`[k - 0.5, k + 0.5]`.

Around `loc`, as far as `scale` asks for, a row of 16-bit integers is computed when a value is
coded; what is further out is written with an escape. `docs/format.md` defines both, to the bit: the
same numbers in the parameters give the same bytes, whatever their dtype, on every machine and in
every release. So a decoder needs the parameters' exact numbers, and nothing else.

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
    globals()[_name].__module__ = __name__  # the one that pickles name
