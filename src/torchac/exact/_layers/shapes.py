"""Rules for layers and functions that only move values."""

from __future__ import annotations

import operator
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from torchac.exact._layers.registry import (
    MODULES,
    Attending,
    Converter,
    Mask,
    Positions,
    Size,
    Value,
    depends,
    register,
    value_of,
)
from torchac.exact._operations import shapes as moves


@register(
    "contiguous",
    "clone",
    "detach",
    "float",
    "double",
    "long",
    "type_as",
    functions=[torch.clone],
    modules=[nn.Identity, nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout],
)
def same(c: Converter, input: Any, *_: Any, **__: Any) -> Any:  # noqa: A002, as torch names it
    """The value itself."""
    return input


@register("to")
def cast(c: Converter, input: Any, *to: Any, **how: Any) -> Any:  # noqa: A002, as torch names it
    """The value itself, as the dtype and the device do not matter."""
    dtypes = [x for x in (*to, *how.values()) if isinstance(x, torch.dtype)]
    tokens = not isinstance(input, Attending) and c.floats()[0].dtype == torch.int64
    if not all(dtype.is_floating_point or tokens for dtype in dtypes):
        raise c.refused(f"it rounds values to {dtypes[0]}: expected dtypes of floats")
    return input


@register(functions=[functional.dropout])
def dropout(
    c: Converter,
    input: Value,  # noqa: A002, as torch names it
    p: float = 0.5,
    training: bool = True,
    inplace: bool = False,
) -> Value:
    """The value itself, as in evaluation mode."""
    if training and p:
        raise c.refused("it drops values also in evaluation: give it training=self.training")
    return input


@register(functions=[getattr])
def attribute(c: Converter, x: Value, name: str) -> Any:
    """The shape of a value."""
    if name == "shape":
        return sizes(c, x)
    if name == "ndim":
        return x.ndim
    if name == "mT":
        return transpose(c, x, -2, -1)
    if name in ("dtype", "device"):
        return c.floats()[0]
    raise c.refused(f"it takes the attribute {name}: expected shape, ndim, mT, dtype or device")


@register("size")
def sizes(c: Converter, x: Value, dim: int | None = None) -> Any:
    """The sizes of a value, or one of them."""
    found = [
        size if isinstance(size, int) else c.fixed_size(x, d) or size
        for d, size in enumerate(x.sizes)
    ]
    return tuple(found) if dim is None else found[dim]


@register("dim")
def ndim(c: Converter, x: Value) -> int:
    """The number of dimensions of a value."""
    return x.ndim


@register("view", "reshape", functions=[torch.reshape])
def reshape(c: Converter, input: Value, *shape: Any) -> Value:  # noqa: A002
    """Changes the shape."""
    items = list(shape[0] if len(shape) == 1 and isinstance(shape[0], (tuple, list)) else shape)
    if any(not isinstance(item, (int, Size)) for item in items):
        raise c.refused("its shape is not of whole numbers")
    kept = 0
    for item, size in zip(items, input.sizes, strict=False):
        if item != size and not (kept == 0 and _keeps_items(c, input, item)):
            break
        kept += 1
    listed = [item.expression if isinstance(item, Size) else item for item in items]
    return c.emit(moves.Reshape({"shape": listed, "kept": kept}), input)


def _keeps_items(c: Converter, x: Value, size: Any) -> bool:
    """Whether a first size is that of the batch, and the value has as many items as that."""
    expression = size.expression if isinstance(size, Size) else None
    if not isinstance(expression, list) or expression[0] != "size" or expression[2] != 0:
        return False
    before = c.floats_of(x)
    return before is not None and all(
        a.shape[0] == b.shape[0] for a, b in zip(before, c.floats(), strict=True)
    )


@register("flatten", functions=[torch.flatten])
def flatten(c: Converter, input: Value, start_dim: int = 0, end_dim: int = -1) -> Value:  # noqa: A002
    """Joins several dimensions to one."""
    sizes, start, end = input.sizes, start_dim % input.ndim, end_dim % input.ndim
    return reshape(c, input, [*sizes[:start], -1, *sizes[end + 1 :]])


MODULES[nn.Flatten] = lambda c, module, x: flatten(c, x, module.start_dim, module.end_dim)


@register("unflatten", functions=[torch.unflatten] if hasattr(torch, "unflatten") else [])
def unflatten(c: Converter, input: Value, dim: int, sizes: Any) -> Value:  # noqa: A002
    """Splits a dimension into several."""
    before, dim = input.sizes, dim % input.ndim
    return reshape(c, input, [*before[:dim], *sizes, *before[dim + 1 :]])


MODULES[nn.Unflatten] = lambda c, module, x: unflatten(c, x, module.dim, module.unflattened_size)


@register("squeeze", functions=[torch.squeeze])
def squeeze(c: Converter, input: Value, dim: int | None = None) -> Value:  # noqa: A002
    """Removes a dimension of size 1."""
    if dim is None:
        raise c.refused("it may take away any dimension: name one")
    before, dim = input.sizes, dim % input.ndim
    if c.floats()[0].ndim == input.ndim:
        return input
    return reshape(c, input, [*before[:dim], *before[dim + 1 :]])


@register("unsqueeze", functions=[torch.unsqueeze])
def unsqueeze(c: Converter, input: Any, dim: int) -> Any:  # noqa: A002
    """Adds a dimension of size 1."""
    if isinstance(input, Positions):
        if dim not in (0, -2):
            raise c.refused("it puts positions into another dimension than the last")
        return Positions(input.stop, input.ndim + 1)
    items: list[Any] = [slice(None)] * input.ndim
    items.insert(dim % (input.ndim + 1), None)
    return index(c, input, tuple(items))


@register("permute", functions=[torch.permute])
def permute(c: Converter, input: Value, *dims: Any) -> Value:  # noqa: A002
    """Reorders the dimensions."""
    listed = dims[0] if len(dims) == 1 and isinstance(dims[0], (tuple, list)) else dims
    return c.emit(moves.Permute({"dims": [d % input.ndim for d in listed]}), input)


@register("transpose", "swapaxes", functions=[torch.transpose])
def transpose(c: Converter, input: Value, dim0: int, dim1: int) -> Value:  # noqa: A002
    """Swaps two dimensions."""
    dims = list(range(input.ndim))
    dims[dim0], dims[dim1] = dims[dim1], dims[dim0]
    return permute(c, input, dims)


@register(functions=[operator.getitem])
def item(c: Converter, x: Any, items: Any) -> Any:
    """A part of a value, or one of several; the first rows of weights; or a mask."""
    if not isinstance(x, torch.Tensor):
        if isinstance(x, Positions):
            raise c.refused(f"it takes {x.what}")
        return index(c, x, items) if isinstance(x, Value) else x[items]
    if isinstance(items, Positions):
        return rows(c, x, items)
    listed = items if isinstance(items, tuple) else (items,)
    if sum(isinstance(i, slice) and depends(i.start, i.stop) for i in listed) > 1:
        return Mask(c.floats())
    return index(c, value_of(c, x.double()), items)


def rows(c: Converter, weight: torch.Tensor, positions: Positions) -> Value:
    """The first rows of weights."""
    new: list[Any] = [None] * (positions.ndim - 1)
    return index(c, value_of(c, weight), (*new, slice(positions.stop)))


@register(functions=[torch.arange])
def arange(c: Converter, *ends: Any, **how: Any) -> Positions:
    """The whole numbers below a size."""
    if len(ends) == 2 and ends[0] == 0:
        ends = ends[1:]
    if len(ends) != 1 or not isinstance(ends[0], Size) or {"start", "end", "step"} & set(how):
        raise c.refused(
            "it counts from or to what depends on the input: expected torch.arange(size)"
        )
    return Positions(ends[0])


def index(c: Converter, x: Value, items: Any) -> Value:
    """A part of a value."""
    items = list(items) if isinstance(items, tuple) else [items]
    rest = x.ndim - sum(item is not None and item is not Ellipsis for item in items)
    if any(item is Ellipsis for item in items):
        at = next(i for i, item in enumerate(items) if item is Ellipsis)
        items[at : at + 1] = [slice(None)] * rest
    else:
        items += [slice(None)] * rest
    listed: list[Any] = []
    for item in items:
        if isinstance(item, slice):
            ends = [e.expression if isinstance(e, Size) else e for e in (item.start, item.stop)]
            if any(not (e is None or isinstance(e, (int, list))) for e in ends):
                raise c.refused("it takes a slice that depends on values")
            listed.append([*ends, 1 if item.step is None else item.step])
        elif item is None:
            listed.append("new")
        elif isinstance(item, int) and not isinstance(item, bool):
            listed.append(item)
        else:
            raise c.refused("it selects by values: take slices and whole numbers")
    return c.emit(moves.Index({"items": listed}), x)


@register("narrow", functions=[torch.narrow])
def narrow(c: Converter, input: Value, dim: int, start: int, length: int) -> Value:  # noqa: A002
    """A slice in one dimension."""
    items: list[Any] = [slice(None)] * input.ndim
    items[dim] = slice(start, start + length)
    return index(c, input, tuple(items))


@register(functions=[torch.cat, torch.concat])
def concatenate(c: Converter, tensors: Any, dim: int = 0) -> Value:
    """Concatenates values."""
    values = [value_of(c, x) for x in tensors]
    dim %= values[0].ndim
    found: list[int] | None = None
    if any(x.grid.step.shape[dim] > 1 for x in values):
        found = [_size_seen(c, x, dim) for x in tensors]
    return c.emit(moves.Concatenate({"dim": dim, "sizes": found}), *values)


@register(functions=[torch.stack])
def stack(c: Converter, tensors: Any, dim: int = 0) -> Value:
    """Concatenates values in a new dimension."""
    values = [value_of(c, x) for x in tensors]
    dim %= values[0].ndim + 1
    parts = [unsqueeze(c, x, dim) for x in values]
    return c.emit(moves.Concatenate({"dim": dim, "sizes": None}), *parts)


def _size_seen(c: Converter, x: Any, dim: int) -> int:
    floats = [x] if isinstance(x, torch.Tensor) else c.floats_of(x)
    if floats is None:
        raise c.refused("it takes a value that was changed in place: make a new value instead")
    return floats[0].shape[dim]


@register("chunk", functions=[torch.chunk])
def chunk(c: Converter, input: Value, chunks: int, dim: int = 0) -> list[Value]:  # noqa: A002
    """Splits a value into equal parts."""
    return _split(c, input, chunks, dim, len(c.floats()[0]))


@register("split", functions=[torch.split])
def split(c: Converter, tensor: Value, split_size_or_sections: Any, dim: int = 0) -> list[Value]:
    """Splits a value into parts of given sizes."""
    parts = split_size_or_sections
    if isinstance(parts, int):
        parts = [x.shape[dim] for x in c.floats()[0]]
    if any(not isinstance(part, int) for part in parts):
        raise c.refused("it has parts of sizes that are not always the same: use chunk")
    return _split(c, tensor, list(parts), dim, len(parts))


def _split(c: Converter, x: Value, parts: Any, dim: int, count: int) -> list[Value]:
    made = [{"dim": dim % x.ndim, "parts": parts, "at": at} for at in range(count)]
    return [c.emit(moves.Split(attributes), x) for attributes in made]


@register(functions=[functional.pixel_shuffle, torch.pixel_shuffle])
def pixel_shuffle(c: Converter, input: Value, upscale_factor: int) -> Value:  # noqa: A002
    """Moves channels to places."""
    return c.emit(moves.PixelShuffle({"factor": upscale_factor}), input)


@register(functions=[functional.pixel_unshuffle, torch.pixel_unshuffle])
def pixel_unshuffle(c: Converter, input: Value, downscale_factor: int) -> Value:  # noqa: A002
    """Moves places to channels."""
    return c.emit(moves.PixelUnshuffle({"factor": downscale_factor}), input)


MODULES[nn.PixelShuffle] = lambda c, module, x: pixel_shuffle(c, x, module.upscale_factor)
MODULES[nn.PixelUnshuffle] = lambda c, module, x: pixel_unshuffle(c, x, module.downscale_factor)


@register(functions=[functional.interpolate])
def interpolate(
    c: Converter,
    input: Value,  # noqa: A002, as torch names it
    size: Any = None,
    scale_factor: Any = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None,
    antialias: bool = False,
) -> Value:
    """Repeats each value."""
    if size is not None or mode not in ("nearest", "nearest-exact"):
        raise c.refused(f"it has mode={mode!r} or a size: take mode='nearest' and a scale_factor")
    dims = input.ndim - 2
    factors = [scale_factor] * dims if isinstance(scale_factor, (int, float)) else scale_factor
    if any(f != int(f) or f < 1 for f in factors):
        raise c.refused(f"it has the scale_factor {scale_factor}: expected whole numbers")
    return c.emit(moves.Repeat({"factors": [int(f) for f in factors]}), input)


def _upsample(c: Converter, module: Any, x: Value) -> Value:
    return interpolate(c, x, module.size, module.scale_factor, module.mode)


MODULES[nn.Upsample] = MODULES[nn.UpsamplingNearest2d] = _upsample


@register(functions=[functional.pad])
def pad(
    c: Converter,
    input: Value,  # noqa: A002, as torch names it
    pad: Any,
    mode: str = "constant",
    value: float | None = None,
) -> Value:
    """Adds values at the ends."""
    attributes = {"amounts": list(pad), "mode": mode, "value": float(value or 0.0)}
    return c.emit(moves.Pad(attributes), input)


for _dims in (1, 2, 3):
    for _kind_name, _mode in (
        ("ConstantPad", "constant"),
        ("ReflectionPad", "reflect"),
        ("ReplicationPad", "replicate"),
    ):
        MODULES[getattr(nn, f"{_kind_name}{_dims}d")] = lambda c, module, x, mode=_mode: pad(
            c, x, module.padding, mode, getattr(module, "value", None)
        )
