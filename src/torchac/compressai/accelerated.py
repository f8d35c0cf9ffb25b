"""Classes that code with torchac, and the change of models to them and back."""

from __future__ import annotations

import copy
import functools
import importlib
from collections.abc import Mapping
from typing import Any, TypeVar

from torch import nn

from torchac.compressai import ans, entropy_models, exactly
from torchac.compressai.swap import swapped

M = TypeVar("M", bound=nn.Module)


def accelerate(model: M, *, exact: Any = None) -> M:
    """Makes a model of CompressAI code with torchac.

    This changes every `EntropyBottleneck`, `GaussianConditional` and `GaussianMixtureConditional`
    in it, and every method that names a class of `compressai.ans`, as in autoregressive models.
    `compress` and `decompress` keep their arguments and shapes. Streams are in torchac's format.
    A damaged stream, or one decoded with other weights or scales, raises `CorruptStreamError`;
    latents that are NaN, infinite or beyond 32 bits raise `ValueError`. `copy.deepcopy`, `pickle`,
    `state_dict` and `torch.jit.script` work as before.

    With `exact`, all networks that `decompress` runs before it has decoded the last value become
    exact, as by `torchac.exact.convert`: hyper decoders, context models, networks of parameters. So
    the streams can be decoded on other machines. Convert once, and ship the state, as
    docs/machines.md shows: converting again elsewhere may give other networks.

    Args:
        model: The model, or a part of it. Other models do not change.
        exact: A batch of pictures, of shape (pictures, 3, height, width), or a list of such
            batches. They are compressed and decompressed, to find how large values are. Or the
            `state_dict()` of a model that is exact: this model gets its weights, tables and exact
            networks. By default networks stay as they are.

    Returns:
        The model itself.

    Raises:
        TypeError: `model` is not a module, or with `exact` not a whole model; or `exact` is none of
            these.
        ValueError: Nothing in the model codes; or `exact` has no pictures or no exact networks.
        RuntimeError: `exact` is the state of another model.
        torchac.exact.Refused: A network cannot be exact, or there is none.

    Example:
        >>> import torch, torchac.compressai
        >>> from compressai.entropy_models import GaussianConditional
        >>> model = torchac.compressai.accelerate(GaussianConditional([0.5, 2.0, 8.0]))
        >>> model.update()
        >>> y = torch.tensor([[0.3, -7.9, 2.2]])
        >>> indexes = model.build_indexes(torch.tensor([[0.5, 8.0, 2.0]]))
        >>> model.decompress(model.compress(y, indexes), indexes)
        tensor([[ 0., -8.,  2.]])
    """
    _check(model)
    modules = [(module, _accelerated(_class_of(module), False)) for module in model.modules()]
    if not any(_original(cls) for _, cls in modules):
        raise ValueError(
            f"{type(model).__name__} has no entropy model, and no method that names a class of "
            "compressai.ans: expected a model of CompressAI"
        )
    if exact is not None:
        _make_exact(model, exact)
        return model
    for module, cls in modules:
        module.__class__ = cls
    return model


def _make_exact(model: Any, given: Any) -> None:
    """Makes a model exact. It tries on a copy, so that a call that fails changes nothing."""
    twin = _with_scans(copy.deepcopy(model))
    is_state = isinstance(given, Mapping)
    made = exactly.empty(twin, given) if is_state else exactly.networks(twin, given)
    for each in (twin, model) if is_state else (model,):
        exactly.put(_with_scans(each), made if each is model else copy.deepcopy(made))
        if is_state:
            each.load_state_dict(dict(given))


def _with_scans(model: M) -> M:
    """Restores a model, and gives autoregressive parts loops that call their networks."""
    for module in restore(model).modules():
        module.__class__ = _accelerated(_class_of(module), True)
    return model


def restore(model: M) -> M:
    """Undoes `accelerate`: the model codes as before, with its original networks.

    Args:
        model: The model, or a part of it.

    Returns:
        The model itself.

    Raises:
        TypeError: It is not a module.

    Example:
        >>> import torchac.compressai
        >>> from compressai.entropy_models import EntropyBottleneck
        >>> model = torchac.compressai.accelerate(EntropyBottleneck(8))
        >>> type(torchac.compressai.restore(model)) is EntropyBottleneck
        True
    """
    _check(model)
    for module in list(model.modules()):
        exactly.take_away(module)
        while (original := _original(type(module))) is not None:
            module.__class__ = original
    return model


def _class_of(module: Any) -> Any:
    return type(module)


def _check(model: Any) -> None:
    if not isinstance(model, nn.Module):
        raise TypeError(f"model is of type {type(model).__name__}: expected a torch.nn.Module")


def _original(cls: type) -> Any:
    """The class from which `_accelerated` or `exactly` made a class, or None."""
    return vars(cls).get("_torchac_original")


@functools.cache
def _accelerated(cls: Any, scans: bool) -> Any:
    """A subclass that codes with torchac, or the class itself if nothing in it changes.

    The changed methods of each base class go into a class before it, so that `super()` in derived
    classes finds them too.
    """
    if _original(cls):
        return cls
    changed = {base: methods for base in cls.__mro__ if (methods := _methods(base, scans))}
    if not changed:
        return cls
    bases = [type(cls)(base.__name__, (base,), methods) for base, methods in changed.items()]
    if cls not in changed:
        bases.insert(0, cls)
    namespace = {name: getattr(cls, name) for name in ("__module__", "__qualname__", "__doc__")}
    namespace |= {"_torchac_original": cls, "_torchac_scans": scans}
    namespace |= {"__reduce_ex__": _reduce}
    # TorchScript would compile this property, unlike the attribute that it replaces.
    unused = getattr(cls, "__jit_unused_properties__", [])
    namespace["__jit_unused_properties__"] = [*unused, "entropy_coder"]
    return type(cls)(cls.__name__, tuple(bases), namespace)


def _methods(base: type, scans: bool) -> dict[str, Any]:
    """The changed methods of a class, by name."""
    if not issubclass(base, nn.Module) or base is nn.Module:
        return {}
    checked = {}
    if issubclass(base, tuple(_replaced())):
        names = [name for name in entropy_models.QUANTIZE if name in vars(base)]
        checked = {name: entropy_models.checked(vars(base)[name]) for name in names}
    replaced = _replaced().get(base)
    if replaced is not None:
        return checked | {n: value for n, value in vars(replaced).items() if n[:2] != "__"}
    swap = functools.partial(_swap, scans=scans)
    values = {name: (value, swapped(value, swap)) for name, value in vars(base).items()}
    changed = {n: other for n, (value, other) in values.items() if other is not value} | checked
    scanning = exactly.JointAutoregressiveHierarchicalPriors
    if scans and base is _theirs("compressai.models", scanning.__name__):
        changed |= {n: value for n, value in vars(scanning).items() if n[:2] != "__"}
    return changed


def _theirs(module: str, name: str) -> Any:
    """An attribute of a module of CompressAI, or None if this release does not have it."""
    try:
        return getattr(importlib.import_module(module), name, None)
    except ImportError:
        return None


@functools.cache
def _replaced() -> dict[type, type]:
    """The entropy models of CompressAI, with the classes that have their new methods."""
    from compressai import entropy_models as theirs

    methods = entropy_models.METHODS
    return {getattr(theirs, m.__name__): m for m in methods if hasattr(theirs, m.__name__)}


def _swap(value: Any, scans: bool) -> Any:
    """The replacement of `compressai.ans`, one of its classes or a loop; other values unchanged."""
    from compressai import ans as theirs

    if value is theirs:
        return ans
    if scans and callable(value):
        for scan in exactly.SCANS:
            if value is _theirs("compressai.latent_codecs.rasterscan", scan.__name__):
                return scan
    return next((getattr(ans, n) for n in ans.__all__ if value is getattr(theirs, n)), value)


def _reduce(self: nn.Module, protocol: Any) -> tuple[Any, ...]:
    """Pickles by the original class, as the new one is not an attribute of any module."""
    reduced: Any = object.__reduce_ex__(self, max(protocol, 2))
    cls: Any = type(self)
    return (_rebuild, (_original(cls), cls._torchac_scans), *reduced[2:])


def _rebuild(original: Any, scans: bool = False) -> Any:
    cls = _accelerated(original, scans)
    return cls.__new__(cls)
