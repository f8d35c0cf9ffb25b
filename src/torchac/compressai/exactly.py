"""Models with decoders that compute the parameters of coding by exact networks.

An exact part of a model keeps its weights, and has its exact network as an additional child. These
parts are found by running the model's own `decompress` on pictures: they are all networks that it
calls before it has decoded the last value.
"""

from __future__ import annotations

import copy
import functools
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from torchac.compressai import ans
from torchac.compressai.entropy_models import tables_of
from torchac.compressai.listening import decoded, listen

CHILD = "torchac_exact"
"""The name of the exact network in its part of a model, and in the names of the state."""

_SIDES = 64
"""Pictures are padded to multiples of this, the largest that a model of CompressAI needs."""

_INEXACT = re.compile(
    r"_*(linear|bilinear|conv\w*|r?matmul|(add|badd)?(mm|bmm|mv)|dot|inner|einsum|tensordot|addc(mul|div)"
    r"|mean|sum|cumsum|prod|cumprod|var|std|lerp|interpolate|grid_sample|(\w+_)?avg_pool\dd|(\w+_)?norm"
    r"|(log_)?softmax|logsumexp|sigmoid|logsigmoid|tanh|softplus|silu|gelu|elu|mish|erfc?|rsqrt"
    r"|exp2?|expm1|log(2|10|1p)?|r?pow|sin|cos|tan|atan2?|scaled_dot_product_attention)_*"
)
"""Functions of floats whose last bits depend on the machine, so no decoder may call them."""

Call = tuple[str, tuple[Tensor, ...] | None]  # a part and its inputs; None if it cannot be exact


def networks(model: nn.Module, images: Any) -> dict[str, nn.Module]:
    """Makes the networks of a model's decoder exact, and returns them by the names of the parts.

    Its autoregressive parts must run the loops below, which call their networks.
    """
    from torchac import exact

    given = _check_images(images)
    parts = dict(model.named_modules())
    contexts = {id(context) for context in _contexts(model)}
    made: dict[str, nn.Module] = {}
    for name, batches in _inputs(model, given).items():
        part = _unpadded(parts[name]) if id(parts[name]) in contexts else parts[name]
        try:
            made[name] = exact.convert(part, batches)
        except (exact.Refused, TypeError, ValueError) as error:
            raise exact.Refused(f"{name}: {error}") from error
    if not made:
        raise exact.Refused(
            f"the decoder of {type(model).__name__} runs no network before its last value is "
            "decoded: accelerate(model) is enough"
        )
    put(model, made)
    try:
        _calls(model, given[0])
    except (ValueError, TypeError, RuntimeError) as error:
        raise exact.Refused(f"{type(model).__name__} cannot run them: {error}") from error
    return made


def empty(model: nn.Module, state: Mapping[str, Any]) -> dict[str, nn.Module]:
    """Placeholders for the exact networks of a state, which is loaded into them afterwards."""
    from torchac import exact

    end = f".{CHILD}.program"
    names = [name.removesuffix(end) for name in state if name.endswith(end)]
    if not names:
        raise ValueError(
            "exact is a state without exact networks: expected model.state_dict() after "
            "accelerate(model, exact=images)"
        )
    parts = {name for name, _ in model.named_modules(remove_duplicate=False)}
    for name in names:
        if name not in parts:
            raise ValueError(f"exact has a network for {name}, which {type(model).__name__} lacks")
    return {name: exact.convert(nn.Identity(), [torch.zeros(1, 1)]) for name in names}


def put(model: nn.Module, made: Mapping[str, nn.Module]) -> None:
    """Puts exact networks into the parts of a model."""
    contexts = {id(context) for context in _contexts(model)}
    for name, network in made.items():
        part = model.get_submodule(name)
        if CHILD in part._modules:
            continue  # the part has several names
        device = next((p.device for p in part.parameters()), None)
        part.add_module(CHILD, network.to(device))
        part.__class__ = _exact_class(_class_of(part), id(part) in contexts)


def _class_of(part: Any) -> Any:
    return type(part)


def take_away(part: nn.Module) -> None:
    """Removes the exact network of a part, if it has one."""
    part._modules.pop(CHILD, None)


@functools.cache
def _exact_class(cls: Any, pads: bool) -> Any:
    """A class that calls the exact network in place of the layers."""

    def forward(self: Any, *inputs: Tensor) -> Any:
        if pads:
            inputs = (functional.pad(inputs[0], _padding(self)),)
        return self._modules[CHILD](*inputs)

    namespace = {n: getattr(cls, n) for n in ("__module__", "__qualname__", "__doc__")}
    namespace |= {"forward": forward, "_torchac_original": cls, "_torchac_pads": pads}
    namespace |= {"__reduce_ex__": _reduce}
    return type(cls)(cls.__name__, (cls,), namespace)


def _reduce(self: Any, protocol: Any) -> tuple[Any, ...]:
    reduced: Any = object.__reduce_ex__(self, max(protocol, 2))
    cls: Any = type(self)
    return (_rebuild, (cls._torchac_original, cls._torchac_pads), *reduced[2:])


def _rebuild(cls: Any, pads: bool) -> Any:
    made = _exact_class(cls, pads)
    return made.__new__(made)


# The networks that the decoder runs


def _inputs(model: nn.Module, images: Sequence[Tensor]) -> dict[str, list[tuple[Tensor, ...]]]:
    """The inputs of the decoder's networks, joined into a batch for each shape."""
    found: dict[str, dict[Any, list[tuple[Tensor, ...]]]] = {}
    for image in images:
        for name, inputs in _calls(model, image):
            if inputs is None:
                from torchac import exact

                raise exact.Refused(
                    f"{type(model).__name__}.decompress, or a method that it calls, itself calls "
                    f"{name} before the last value is decoded: move that into a module that takes "
                    "tensors, so that it can be converted"
                )
            rest = tuple(x.shape[1:] for x in inputs)
            found.setdefault(name, {}).setdefault(rest, []).append(inputs)
    return {
        name: [tuple(map(torch.cat, zip(*calls, strict=True))) for calls in of_shapes.values()]
        for name, of_shapes in found.items()
    }


@torch.no_grad()
def _calls(model: Any, image: Tensor) -> list[Call]:
    """The networks that `decompress` calls before the last value is decoded, and their inputs."""
    if not callable(getattr(model, "compress", None)):
        raise TypeError(f"{type(model).__name__} has no method compress: expected a whole model")
    device = next((p.device for p in model.parameters()), None)
    sent = model.compress(image.to(device))
    if not isinstance(sent, Mapping) or not {"strings", "shape"} <= set(sent):
        raise TypeError(
            f"{type(model).__name__}.compress does not return strings and shape: expected those "
            "that decompress takes"
        )
    calls: list[Call] = []
    needed = 0

    def heard() -> None:
        nonlocal needed
        needed = len(calls)

    with listen(heard), _watched(model, calls):
        model.decompress(sent["strings"], sent["shape"])
    return calls[:needed]


@contextmanager
def _watched(model: nn.Module, calls: list[Call]) -> Iterator[None]:
    """Records calls of modules by methods of the model, except calls within other modules."""
    depth = 0

    def enter(name: str, part: nn.Module, inputs: Any, options: Any) -> None:
        nonlocal depth
        depth += 1
        if depth > 1 or type(part) is nn.Identity:
            return
        if options or not all(isinstance(x, Tensor) for x in inputs):
            calls.append((f"{name} with other arguments than tensors by position", None))
        else:
            calls.append((name, tuple(x.clone() for x in inputs)))

    def leave(*_: Any) -> None:
        nonlocal depth
        depth -= 1

    class Watch(TorchFunctionMode):
        def __torch_function__(
            self, func: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            name = getattr(func, "__name__", "")
            floats = [x for x in args if isinstance(x, Tensor) and x.is_floating_point()]
            if depth == 0 and floats and _INEXACT.fullmatch(name):
                calls.append((name, None))
            return func(*args, **(kwargs or {}))

    handles = []
    try:
        for name, part in model.named_modules():
            if name and not _is_of_an_entropy_model(model, name):
                into = functools.partial(enter, name)
                handles.append(part.register_forward_pre_hook(into, with_kwargs=True))
                handles.append(part.register_forward_hook(leave))
        with Watch():
            yield
    finally:
        for handle in handles:
            handle.remove()


def _is_of_an_entropy_model(model: nn.Module, name: str) -> bool:
    """Whether a part belongs to an entropy model, which uses tables and comparisons only."""
    from compressai.entropy_models import EntropyModel

    path = name.split(".")
    above = (".".join(path[:i]) for i in range(len(path) + 1))
    return any(isinstance(model.get_submodule(part), EntropyModel) for part in above)


def _check_images(images: Any) -> list[Tensor]:
    """The pictures one by one, as some codecs take only one at a time."""
    given = [images] if isinstance(images, Tensor) else images
    if not isinstance(given, (list, tuple)) or not given:
        raise TypeError(
            f"exact is of type {type(images).__name__}: expected a batch of pictures, a list of "
            "them, or the state of a model that is exact"
        )
    for image in given:
        if not isinstance(image, Tensor):
            raise TypeError(f"exact has a {type(image).__name__}: expected batches of pictures")
        if image.ndim != 4 or not image.numel() or not image.is_floating_point():
            raise ValueError(
                f"exact has a tensor of shape {tuple(image.shape)} and {image.dtype}: expected "
                "(pictures, channels, height, width) and floats, as model.compress takes them"
            )
        if not bool(torch.isfinite(image).all()):
            raise ValueError("exact has values that are not finite")
    return [_padded(one) for image in given for one in image.split(1)]


def _padded(image: Tensor) -> Tensor:
    height, width = image.shape[2:]
    return functional.pad(image, (0, -width % _SIDES, 0, -height % _SIDES), mode="replicate")


# Autoregressive models


def _contexts(model: nn.Module) -> list[nn.Module]:
    """The context networks, whose inputs are decoded values around the next one."""
    names = ("JointAutoregressiveHierarchicalPriors", "RasterScanLatentCodec")
    return [
        part.context_prediction  # type: ignore[misc]
        for part in model.modules()
        if {c.__name__ for c in type(part).__mro__ if c.__module__.startswith("compressai.")}
        & set(names)
    ]


def _padding(context: Any) -> list[int]:
    return [p for p in reversed(context.padding) for _ in range(2)]


def _unpadded(context: Any) -> nn.Module:
    """A context without padding, which turns its field of view into one value."""
    unpadded: Any = copy.deepcopy(context)
    unpadded.padding = (0, 0)
    return unpadded  # type: ignore[no-any-return]


def _see(context: Any, crop: Tensor) -> Tensor:
    """The output of a context for the value in the middle."""
    if CHILD in context._modules:
        return context._modules[CHILD](crop)  # type: ignore[no-any-return]
    height, width = context.padding
    seen: Tensor = context(crop)
    return seen[:, :, height : height + 1, width : width + 1]


Code = Callable[[Tensor, Tensor, Tensor], Tensor]  # values, scales and means, to decoded values


def _scan(
    codec: Any, y_hat: Tensor, params: Tensor, merge: Callable[..., Tensor], code: Code
) -> None:
    """Codes values row by row, and puts the decoded ones into the padded `y_hat`."""
    size = codec["context_prediction"].kernel_size[0]
    middle = (size - 1) // 2
    for h in range(params.shape[2]):
        for w in range(params.shape[3]):
            crop = y_hat[:, :, h : h + size, w : w + size]
            p = params[:, :, h : h + 1, w : w + 1]
            merged = merge(p, _see(codec["context_prediction"], crop))
            of_value = codec["entropy_parameters"](merged).squeeze(3).squeeze(2)
            scales, means = of_value.chunk(2, 1)
            y_hat[:, :, h + middle, w + middle] = code(crop[:, :, middle, middle], scales, means)


def _cat(*parts: Tensor) -> Tensor:
    return torch.cat(parts, dim=1)


def _encode(encoder: Any, codec: Any, y_hat: Tensor, params: Tensor, merge: Any = _cat) -> None:
    gaussian = codec["gaussian_conditional"]
    symbols: list[Tensor] = []
    of_symbols: list[Tensor] = []

    def code(values: Tensor, scales: Tensor, means: Tensor) -> Tensor:
        symbols.append(gaussian.quantize(values, "symbols", means))
        of_symbols.append(scales)
        return gaussian.dequantize(symbols[-1], means)  # type: ignore[no-any-return]

    _scan(codec, y_hat, params, merge, code)
    index = gaussian.build_indexes(torch.cat(of_symbols))
    encoder._encoder.encode(tables_of(gaussian), torch.cat(symbols).cpu(), index=index.cpu())
    encoder._encoder.mark()


def _decode(decoder: Any, codec: Any, y_hat: Tensor, params: Tensor, merge: Any = _cat) -> None:
    gaussian = codec["gaussian_conditional"]
    tables = tables_of(gaussian)

    def code(_: Tensor, scales: Tensor, means: Tensor) -> Tensor:
        index = gaussian.build_indexes(scales)
        symbols = decoder._decoder.decode(tables, index=index.cpu())
        decoded()
        return gaussian.dequantize(symbols.to(means.device), means)  # type: ignore[no-any-return]

    _scan(codec, y_hat, params, merge, code)
    decoder._decoder.mark()
    decoder._decoder.finish()


class JointAutoregressiveHierarchicalPriors:
    """Methods for the class of this name in `compressai.models`."""

    def _compress_ar(self: Any, y_hat: Tensor, params: Tensor, *_: Any) -> bytes:
        encoder = ans.BufferedRansEncoder()
        _encode(encoder, self._modules, y_hat, params)
        return encoder.flush()

    def _decompress_ar(self: Any, y_string: Any, y_hat: Tensor, params: Tensor, *_: Any) -> None:
        decoder = ans.RansDecoder()
        decoder.set_stream(y_string)
        _decode(decoder, self._modules, y_hat, params)


def raster_scan_compress_single_stream(
    encoder: Any, y: Tensor, params: Tensor, *, padding: int, merge: Any = _cat, **codec: Any
) -> Tensor:
    """Replaces the function of this name in `compressai.latent_codecs.rasterscan`."""
    y_hat = functional.pad(y, (padding,) * 4)
    _encode(encoder, codec, y_hat, params, merge)
    return functional.pad(y_hat, (-padding,) * 4)


def raster_scan_decompress_single_stream(
    decoder: Any, params: Tensor, *, padding: int, merge: Any = _cat, **codec: Any
) -> Tensor:
    """Replaces the function of this name in `compressai.latent_codecs.rasterscan`."""
    size = (1, codec["context_prediction"].in_channels, *params.shape[2:])
    y_hat = functional.pad(torch.zeros(size, device=params.device), (padding,) * 4)
    _decode(decoder, codec, y_hat, params, merge)
    return functional.pad(y_hat, (-padding,) * 4)


SCANS = (raster_scan_compress_single_stream, raster_scan_decompress_single_stream)
