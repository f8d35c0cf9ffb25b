"""The quick way, which calls of a few values take, gives what the other way gives."""

from __future__ import annotations

import contextlib
import copy
import gc
import inspect
import os
import pickle
import queue
import re
import signal
import subprocess
import sys
import sysconfig
import threading
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import leaks
import numpy as np
import pytest
import torch
from every_model import EVERY, draw, make, values_of
from hypothesis import given, settings
from hypothesis import strategies as st
from test_hostile import CALLS, HOSTILE
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.autograd import forward_ad
from torch.overrides import TorchFunctionMode

import torchac
from torchac import _core, _tensors

HAS_GIL = not sysconfig.get_config_var("Py_GIL_DISABLED")
IS_ON = (
    HAS_GIL
    and os.environ.get("TORCHAC_QUICK") != "0"
    and _tensors.on_host(np.zeros(1))  # not with --other-device
)
FOR_TENSORS = IS_ON and hasattr(torch.Tensor, "__dlpack_c_exchange_api__")
Use = Callable[[Any], None]
Kind = Callable[[torch.Tensor, Use], None]
"""Makes an argument of a tensor, and uses it."""


@contextlib.contextmanager
def the_other_way() -> Iterator[None]:
    """Calls of a few values are like all others."""
    _core.use_torch(None)
    try:
        yield
    finally:
        if IS_ON:
            _core.use_torch(torch)


def both_ways(observe: Callable[..., Any], *arguments: Any, **options: Any) -> list[Any]:
    """What is seen with the quick way, and without it, in a form in which NaN equals NaN."""
    found = [repr(observe(*arguments, **options))]
    with the_other_way():
        found.append(repr(observe(*arguments, **options)))
    return found


def outcome(function: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    """The result in a form that can be compared, or the error."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch warns of its old features, some only once
            return described(function(*arguments, **options))
    except Exception as error:
        return type(error), re.sub(r"\bj\d+", "j", str(error))  # jagged tensors are counted


def described(result: Any) -> Any:
    if isinstance(result, (list, tuple)):
        return [described(each) for each in result]
    if isinstance(result, torch.Tensor):
        if torch._is_functional_tensor(result):  # in functionalize, torch.from_numpy makes these
            result = torch._from_functional_tensor(result)
        its = None if result.is_meta or type(result) is not torch.Tensor else result.tolist()
        about = result.dtype, result.device, result.shape, result.stride()
        return type(result), *about, result.requires_grad, result.is_inference(), its
    if isinstance(result, np.ndarray):
        about_it = result.dtype.str, result.shape, result.strides, result.flags.writeable
        return type(result), *about_it, result.tolist()
    return result


# ---- Tensors of every kind ----


class Subclass(torch.Tensor):
    pass


class Doubling(torch.Tensor):
    """Its elements are not those in its memory."""

    @classmethod
    def __torch_function__(
        cls, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        args = [a.as_subclass(torch.Tensor) if isinstance(a, cls) else a for a in args]
        if function not in OF_MEMORY:
            args = [a * 2 if isinstance(a, torch.Tensor) else a for a in args]
        return function(*args, **(kwargs or {}))


OF_MEMORY = [torch.Tensor.is_neg, torch.Tensor.untyped_storage, torch.Tensor.data_ptr]


def plainly(change: Callable[[torch.Tensor], Any]) -> Kind:
    return lambda t, use: use(change(t))


def with_storage(size: Callable[[int], int], **view: int) -> Kind:
    """A tensor, or a view of one, whose storage then gets another size."""

    def changed(t: torch.Tensor) -> torch.Tensor:
        whole = torch.zeros(t.numel() + 4, dtype=t.dtype)
        result = whole[view.get("skip", 0) :][: t.numel()].view(t.shape)
        result.copy_(t)
        whole.untyped_storage().resize_(size(result.nbytes))
        return result

    return plainly(changed)


def zero_tensor(t: torch.Tensor) -> torch.Tensor:
    return torch._efficientzerotensor(t.shape, dtype=t.dtype)


def every_other(t: torch.Tensor) -> torch.Tensor:
    return torch.stack([t, t + 1], -1)[..., 0]


def transposed(t: torch.Tensor) -> torch.Tensor:
    return t.transpose(0, -1).contiguous().transpose(0, -1) if t.ndim else t


def inside(transform: Callable[[Callable[..., Any], torch.Tensor], object]) -> Kind:
    """In the function that a transform of torch.func calls."""

    def run(t: torch.Tensor, use: Use) -> None:
        def function(x: torch.Tensor) -> torch.Tensor:
            use(x)
            return x.sum()

        transform(function, t)

    return run


def dual(t: torch.Tensor, use: Use) -> None:
    with forward_ad.dual_level():
        use(forward_ad.make_dual(t, torch.ones_like(t)))  # type: ignore[no-untyped-call]


def under(context: Callable[[], Any]) -> Kind:
    """With a mode of torch that is on when the argument is made, and used."""

    def run(t: torch.Tensor, use: Use) -> None:
        with context():
            use(t.clone())

    return run


class Watching(TorchFunctionMode):
    """Does nothing."""

    def __torch_function__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        return function(*args, **(kwargs or {}))


class Changing(TorchFunctionMode):
    """Gives NumPy other elements than there are."""

    def __torch_function__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        result = function(*args, **(kwargs or {}))
        return np.asarray(result * 2) if function is torch.Tensor.numpy else result


def of_dtype(dtype: torch.dtype) -> Kind:
    def converted(t: torch.Tensor) -> torch.Tensor:
        try:
            return t.to(dtype)
        except (RuntimeError, TypeError):  # such as uint4: a dtype for storage only
            return t.to(torch.uint8).view(dtype)

    return plainly(converted)


def array(change: Callable[[np.ndarray[Any, Any]], Any]) -> Kind:
    return plainly(lambda t: change(t.numpy().copy()))


def byte_swapped(a: Any) -> Any:
    return a.astype(a.dtype.newbyteorder())


def read_only(a: Any) -> Any:
    a.flags.writeable = False
    return a


def unaligned(a: Any) -> Any:
    memory = np.zeros(a.nbytes + 1, np.uint8)
    memory[1:] = np.frombuffer(a.tobytes(), np.uint8)
    return memory[1:].view(a.dtype).reshape(a.shape)


def first(t: torch.Tensor) -> Any:
    return t.flatten()[0].item() if t.numel() else 0


NUMBERS: list[Any] = [
    None,
    2,
    -1,
    2**31,
    -(2**31),
    2**63,
    2**70,
    -(10**400),
    0.5,
    -0.0,
    1e308,
    1j,
    "2",
]
NUMBERS += [float("nan"), float("inf"), np.float64(2), np.int8(2), np.True_]
DTYPES = [getattr(torch, name) for name in dir(torch) if type(getattr(torch, name)) is torch.dtype]
KINDS: dict[str, Kind] = {
    **{str(d): of_dtype(d) for d in DTYPES if not re.search(r"q|bits.x", str(d))},
    "contiguous": plainly(torch.clone),
    "every other": plainly(every_other),
    "transposed": plainly(transposed),
    "expanded": plainly(lambda t: t[:1].expand(t.shape) if t.ndim else t.expand(3)),
    "one more dimension": plainly(lambda t: t[None]),
    "six more dimensions": plainly(lambda t: t[(None,) * 6]),
    "fewer elements": plainly(lambda t: t[1:] if t.ndim else t),
    "first element": plainly(lambda t: t[0] if t.ndim and len(t) else t),
    "nothing": plainly(lambda t: t[:0] if t.ndim else t),
    "with a NaN": plainly(
        lambda t: t * torch.where(torch.arange(t.numel()) == 1, torch.nan, 1).view(t.shape)
    ),
    "negative": plainly(lambda t: -t - 1),
    "huge": plainly(lambda t: t * 1e30),
    "halves": plainly(lambda t: t + 0.5),
    "requires grad": plainly(lambda t: t.clone().requires_grad_()),
    "in a graph": plainly(lambda t: t.clone().requires_grad_() * 1),
    "Parameter": plainly(torch.nn.Parameter),
    "Parameter of integers": plainly(lambda t: torch.nn.Parameter(t, requires_grad=False)),
    "Buffer": plainly(lambda t: getattr(torch.nn, "Buffer", torch.nn.Parameter)(t)),
    "subclass": plainly(lambda t: t.as_subclass(Subclass)),
    "Parameter of a subclass": plainly(lambda t: torch.nn.Parameter(t.as_subclass(Subclass))),
    "doubling": plainly(lambda t: t.as_subclass(Doubling)),
    "negated": plainly(lambda t: torch._neg_view(-t)),
    "view of negated": plainly(lambda t: torch._neg_view(-t)[...].view(t.shape)),
    "imaginary of conjugate": plainly(lambda t: torch.complex(t, -t).conj().imag),
    "conjugate": plainly(lambda t: torch.complex(t, t).conj()),
    "zero tensor": plainly(zero_tensor),
    "view of a zero tensor": plainly(lambda t: zero_tensor(t)[..., 1:] if t.ndim else t),
    "zero imaginary": plainly(lambda t: torch.complex(t, t).real * zero_tensor(t)),
    "functional": plainly(torch._to_functional_tensor),
    "view of functional": plainly(lambda t: torch._to_functional_tensor(torch.stack([t, t]))[1]),
    "freed": with_storage(lambda n: 0),
    "view of freed": with_storage(lambda n: 0, skip=2),
    "shrunk": with_storage(lambda n: n - 1),
    "view of shrunk": with_storage(lambda n: n + 1, skip=2),
    "just large enough": with_storage(lambda n: n),
    "grown": with_storage(lambda n: n + 4096),
    "meta": plainly(lambda t: t.to("meta")),
    "sparse": plainly(torch.Tensor.to_sparse),
    "sparse rows": plainly(torch.Tensor.to_sparse_csr),
    "mkldnn": plainly(torch.Tensor.to_mkldnn),
    "quantized": plainly(lambda t: torch.quantize_per_tensor(t.float(), 0.5, 0, torch.qint8)),
    "nested": plainly(lambda t: torch.nested.nested_tensor([t, t])),
    "jagged": plainly(lambda t: torch.nested.nested_tensor([t, t], layout=torch.jagged)),
    "fake": lambda t, use: use(FakeTensorMode().from_tensor(t)),
    "in vmap": inside(lambda f, t: torch.vmap(f)(torch.stack([t, t]))),
    "in grad": inside(lambda f, t: torch.func.grad(f)(t)),
    "in functionalize": inside(lambda f, t: torch.func.functionalize(f)(t)),
    "in jvp": inside(lambda f, t: torch.func.jvp(f, (t,), (t,))),
    "dual": dual,
    "in inference mode": under(torch.inference_mode),
    "without gradients": under(torch.no_grad),
    "with a mode": under(Watching),
    "with a mode that changes elements": under(Changing),
    "with a default device of meta": under(lambda: torch.device("meta")),
    "with a default device": under(lambda: torch.device("cpu")),
    "tensor of an array": plainly(lambda t: torch.from_numpy(t.numpy().copy())),
    "list": plainly(torch.Tensor.tolist),
    "array": array(lambda a: a),
    "read-only array": array(read_only),
    "byte-swapped array": array(byte_swapped),
    "array backwards": array(lambda a: a[::-1].copy()[::-1] if a.ndim else a),
    "every other element of an array": array(lambda a: np.stack([a, a], -1)[..., 0]),
    "Fortran array": array(np.asfortranarray),
    "expanded array": array(lambda a: np.broadcast_to(a, (2, *a.shape))),
    "unaligned array": array(unaligned),
    "array of objects": array(lambda a: a.astype(object)),
    "masked array": array(np.ma.masked_array),
    "memory map": array(lambda a: a.view(np.memmap)),
    "scalar of NumPy": array(lambda a: a.flat[0] if a.size else a),
    **{
        f"array of {c}": array(partial(np.ndarray.astype, dtype=c))
        for c in "?bBhHiIqQlLefdgFDUSmMO"
    },
    "number": plainly(first),
    "float": plainly(lambda t: float(first(t))),
    "int": plainly(lambda t: int(first(t))),
    "bool": plainly(lambda t: bool(first(t))),
    **{f"{value}": plainly(partial(lambda value, t: value, value)) for value in NUMBERS},
}
WITHOUT_STORAGE = {"freed", "view of freed", "shrunk", "view of shrunk"}
# Not in functionalize: there the other way makes tensors without elements of numbers.
kinds = st.one_of(
    st.just("contiguous"),
    st.just("contiguous"),
    st.sampled_from(sorted(KINDS.keys() - {"in functionalize"})),
)


def used(tensors: dict[str, torch.Tensor], its: dict[str, str], use: Callable[..., None]) -> None:
    """Calls a function with arguments of these kinds."""
    if not tensors:
        use()
        return
    (name, tensor), *others = tensors.items()
    KINDS[its[name]](
        tensor.clone(),
        lambda made: used(dict(others), its, lambda **more: use(**{name: made}, **more)),
    )


# ---- Both ways agree ----

NOISE = np.random.default_rng(0).bytes(60_000)


def plain(*shape: int) -> torchac.Normal:
    """Of arrays, because a transform of torch.func takes all new tensors for its own."""
    return torchac.Normal(np.zeros(shape), np.full(shape, 3.0))


class Calls:
    """What calls with a model give, among others: results, errors, and the states of coders."""

    def __init__(self, make: Callable[[], Any], count: int, length: int, **options: Any) -> None:
        self.make, self.count, self.length = make, count, length
        self.options = options

    def taking(self, *names: str) -> dict[str, Any]:
        """The options with these names."""
        return {name: value for name, value in self.options.items() if name in names}

    def encode(self, values: Any) -> Any:
        encoder, found = torchac.Encoder(), []
        its = self.taking("index", "check", "clamp", "needs_normalization")
        for value in (1, -2):
            encoder.encode(plain(1), np.array([value]))
            found += [outcome(lambda: encoder.encode(self.make(), values, **its)), encoder.num_bits]
        encoder.mark()
        return found, encoder.finish()

    def decode(self) -> Any:
        decoder, found = torchac.Decoder(NOISE[: self.length]), []
        its = self.taking("index", "needs_normalization")
        for _ in range(2):
            found += [
                outcome(decoder.decode, plain(1)),
                outcome(lambda: decoder.decode(self.make(), **its)),
                decoder.num_bits_consumed,
            ]
        return found, outcome(decoder.mark)

    def encode_in_lockstep(self, values: Any) -> Any:
        encoder, found = torchac.BatchEncoder(self.count), []
        its = self.taking("index", "active")
        for _ in range(2):
            encoder.encode(plain(self.count), np.ones(self.count))
            found += [outcome(lambda: encoder.encode(self.make(), values, **its)), encoder.num_bits]
        encoder.mark()
        return found, encoder.finish()

    def decode_in_lockstep(self) -> Any:
        streams = [NOISE[9 * stream :][: self.length] for stream in range(self.count)]
        decoder, found = torchac.BatchDecoder(streams), []
        its = self.taking("index", "active")
        for _ in range(2):
            found += [
                outcome(decoder.decode, plain(self.count)),
                outcome(lambda: decoder.decode(self.make(), **its)),
            ]
        return found, outcome(decoder.mark)

    def functions(self, values: Any) -> Any:
        stream, its = NOISE[: self.length], self.taking("index")
        return [
            outcome(lambda: torchac.encode(self.make(), values, **its)),
            outcome(lambda: torchac.decode(self.make(), stream, **its)),
            outcome(lambda: torchac.encode_float_cdf(self.make(), values, **its)),
            outcome(lambda: torchac.decode_float_cdf(self.make(), stream, **its)),
            outcome(lambda: torchac.encode_int16_normalized_cdf(self.make(), values, **its)),
            outcome(lambda: torchac.decode_int16_normalized_cdf(self.make(), stream, **its)),
        ]

    def all(self, values: Any) -> list[Any]:
        return [
            self.encode(values),
            self.decode(),
            self.encode_in_lockstep(values),
            self.decode_in_lockstep(),
            self.functions(values),
        ]


def observed(
    name: str, tensors: dict[str, torch.Tensor], its: dict[str, str], *options: Any, **more: Any
) -> Any:
    """What all calls give with parameters and values of these kinds, in models made for each call.

    And with a model that is kept, if it can be made.
    """
    found: list[Any] = []
    count = len(tensors["values"]) if tensors["values"].ndim else 0

    def use(values: Any, **parameters: Any) -> None:
        def make() -> Any:
            return EVERY[name].make(**parameters)

        kept: list[Any] = []
        found.append("used")
        found.append(outcome(lambda: kept.append(make())))
        makers = (make, lambda: kept[0]) if kept else (make,)
        found.extend(Calls(each, max(count, 1), *options, **more).all(values) for each in makers)
        found.append("done")

    found.append(outcome(used, tensors, its, use))  # an error if a kind cannot be made
    assert ("used" in found) == ("done" in found), found[-1]
    return found


options: st.SearchStrategy[dict[str, Any]] = st.one_of(
    st.just({}),
    st.just({}),
    st.fixed_dictionaries(
        {},
        optional={
            "index": st.sampled_from([None, torch.tensor([0, 0]), np.zeros(3, np.int64), 0]),
            "active": st.sampled_from([None, torch.tensor([True, False, True]), [True, False]]),
            "check": st.sampled_from([True, False, 0, None]),
            "clamp": st.sampled_from([True, False, 1, None]),
            "needs_normalization": st.sampled_from([True, False, 1, None]),
        },
    ),
)
SHAPES = [(3,), (3,), (1,), (), (0,), (2, 3), (1, 2, 1), (2, 257)]


@given(st.data())
@settings(max_examples=200)
def test_both_ways_agree(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(EVERY)))
    shape = data.draw(st.sampled_from(SHAPES))
    tensors = draw(name, *shape, seed=data.draw(st.integers(0, 9)))
    refused = EVERY[name].refused
    if refused and data.draw(st.integers(0, 3)) == 0:
        parameter = data.draw(st.sampled_from(sorted(refused)))
        tensors[parameter].flatten()[-1:] = refused[parameter][0]
    tensors["values"] = values_of(make(name, 1), *shape)
    its = {argument: data.draw(kinds) for argument in tensors}
    if name.startswith("torch") and WITHOUT_STORAGE.intersection(its.values()):
        return  # torch itself reads beyond the storage
    length = data.draw(st.sampled_from([0, 9, 4000]))
    chosen = data.draw(options)
    quick, other = both_ways(observed, name, tensors, its, length, **chosen)
    assert quick == other


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_kind_of_argument_gives_the_same_both_ways(kind: str) -> None:
    """Each argument in turn."""
    for name in ("Normal", "Mixture", "a row of Categories", "Bernoulli", "Tables", "CDF"):
        for shape in ((), (2, 3)):
            tensors = draw(name, *shape)
            tensors["values"] = values_of(make(name, 1), *shape)
            for argument in tensors:
                its = {each: kind if each == argument else "contiguous" for each in tensors}
                quick, other = both_ways(observed, name, tensors, its, 4000)
                assert quick == other, (name, shape, argument)


@pytest.mark.parametrize(
    "name",
    [name for name in CALLS if re.match("Normal|Mix|Cat|Bern|Tab|.*coder|(en|de)code_", name)],
)
def test_every_hostile_argument_gives_the_same_both_ways(name: str) -> None:
    call = CALLS[name]
    for argument in call.arguments:
        for kind, value in HOSTILE.items():
            arguments = call.arguments | {argument: value}
            quick, other = both_ways(outcome, call.function, **arguments)
            assert quick == other, (argument, kind)


NORMAL = torchac.Normal(torch.zeros(2), 1.0)
STRANGER: Any = torch.zeros(2)
PARTS = [NORMAL, torchac.Laplace(torch.zeros(2), 1.0, low=0)]


def encode_after_finish(encoder: Any) -> Any:
    encoder.finish()
    encoder.encode(NORMAL, torch.zeros(2))


REFUSED: dict[str, Callable[[], Any]] = {
    "other bounds": lambda: torchac.Mixture(torch.ones(2), PARTS),
    "too few components": lambda: torchac.Mixture(torch.ones(2), PARTS[:1]),
    "no components": lambda: torchac.Mixture(torch.ones(0), []),
    "components that are none": lambda: torchac.Mixture(torch.ones(1), [STRANGER]),
    "mixture of mixtures": lambda: torchac.Mixture(
        torch.ones(1), [torchac.Mixture(torch.ones(1), [NORMAL])]
    ),
    "negative weights": lambda: torchac.Mixture(-torch.ones(2), NORMAL),
    "weights of 0": lambda: torchac.Encoder().encode(
        torchac.Mixture(torch.zeros(2), NORMAL), torch.tensor(0)
    ),
    "a bound beyond the other": lambda: torchac.Normal(0.0, 1.0, low=2, high=1),
    "a bound of bool": lambda: torchac.Normal(0.0, 1.0, low=True).bounds,
    "both probabilities and logits": lambda: torchac.Categorical(
        probs=torch.ones(2), logits=torch.ones(2)
    ),
    "neither": lambda: torchac.Categorical(),
    "an argument more": lambda: torchac.Normal(0.0, 1.0, *[2]),
    "another keyword": lambda: torchac.Normal(0.0, 1.0, **{"most": 2}),
    "an encoder that has finished": lambda: encode_after_finish(torchac.Encoder()),
    "encoders that have finished": lambda: encode_after_finish(torchac.BatchEncoder(2)),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_is_refused_both_ways(name: str) -> None:
    quick, other = both_ways(outcome, lambda: type(REFUSED[name]()))
    assert quick == other


# ---- What goes the quick way ----

QUICK_KINDS = [
    *("contiguous", "every other", "transposed", "requires grad", "in a graph", "Parameter"),
    *("torch.float16", "torch.bfloat16", "torch.float64", "just large enough", "grown"),
    *("in inference mode", "without gradients", "tensor of an array"),
    *("array", "read-only array", "array backwards", "every other element of an array"),
]
QUICK_MODELS = [
    *("Normal", "Laplace", "Logistic", "bounded Laplace", "Mixture", "Mixture of kinds"),
    *("two Categories", "few Categories", "a row of Categories", "Bernoulli"),
    *("logits of Bernoulli", "CDF", "long CDF"),
]


def quick_calls(function: Callable[[], object]) -> int:
    before = _core.quick_calls()
    function()
    return _core.quick_calls() - before


@pytest.mark.parametrize("kind", QUICK_KINDS)
@pytest.mark.parametrize("name", QUICK_MODELS)
def test_usual_calls_go_the_quick_way(name: str, kind: str) -> None:
    if not (IS_ON if "array" in kind and "tensor" not in kind else FOR_TENSORS):
        pytest.skip("there is no quick way here")
    for shape in ((), (3,), (2, 3)):
        if kind == "array backwards" and not shape:
            continue
        tensors = draw(name, *shape)
        if "weights" in tensors:
            tensors["weights"] += 1  # it has no zeros then
        tensors["values"] = values_of(make(name, 1), *shape)

        def use(values: Any, shape: Any = shape, **parameters: Any) -> None:
            def model() -> Any:
                return EVERY[name].make(**parameters)

            encoder = torchac.Encoder()
            assert quick_calls(lambda: encoder.encode(model(), values)) == 1
            decoder = torchac.Decoder(encoder.finish())
            assert quick_calls(lambda: decoder.decode(model())) == 1
            if shape:
                encoders = torchac.BatchEncoder(shape[0])
                assert quick_calls(lambda: encoders.encode(model(), values)) == 1
                decoders = torchac.BatchDecoder(encoders.finish())
                assert quick_calls(lambda: decoders.decode(model())) == 1
            if "CDF" in name:
                stream = torchac.encode_float_cdf(model(), values)
                assert quick_calls(lambda: torchac.encode_float_cdf(model(), values)) == 1
                assert quick_calls(lambda: torchac.decode_float_cdf(model(), stream)) == 1

        used(tensors, dict.fromkeys(tensors, kind) | {"values": value_kind(kind)}, use)


def value_kind(kind: str) -> str:
    """Values have no gradients, and need more bits than half precision has."""
    return "contiguous" if "gra" in kind or "float" in kind or kind == "Parameter" else kind


@pytest.mark.skipif(not FOR_TENSORS, reason="there is no quick way here")
def test_other_usual_calls_go_the_quick_way() -> None:
    encoder, zeros = torchac.Encoder(), torch.zeros(3)
    normal, rows = torchac.Normal(zeros, 1.0), CALLS["quantize_cdf"].arguments["cdf_float"]
    kept = torchac.Categorical(logits=torch.zeros(3, 9))
    integers, row, many = torchac.quantize_cdf(rows), torch.ones(9), torch.zeros(256)
    encoders, decoders = torchac.BatchEncoder(256), torchac.BatchDecoder([NOISE] * 256)
    calls: dict[str, Callable[[], Any]] = {
        "numbers": lambda: encoder.encode(torchac.Normal(0.3, 2), 1),
        "a number for one": lambda: encoder.encode(torchac.Normal(0.3, zeros[0] + 2), 1),
        "a shared scale": lambda: encoder.encode(torchac.Normal(zeros, 2.0), zeros),
        "keywords": lambda: encoder.encode(torchac.Normal(loc=zeros, scale=2.0, low=-5), zeros),
        "a kept model": lambda: encoder.encode(normal, zeros.int()),
        "broadcast": lambda: encoder.encode(normal, torch.zeros(2, 3)),
        "most values": lambda: encoder.encode(torchac.Normal(zeros[0], 1.0), torch.zeros(512)),
        "probabilities": lambda: encoder.encode(torchac.Categorical(probs=row), zeros[0].int()),
        "kept categories": lambda: encoder.encode(kept, zeros.short()),
        "truths": lambda: encoder.encode(torchac.Bernoulli(logits=zeros), zeros > 0),
        "a row": lambda: encoder.encode(rows[0], torch.tensor(1)),
        "rows of integers": lambda: encoder.encode(integers, torch.ones(3, dtype=torch.uint8)),
        "int16": lambda: torchac.encode_int16_normalized_cdf(integers, zeros.int()),
        "int16 decoded": lambda: torchac.decode_int16_normalized_cdf(integers, NOISE),
        "many streams": lambda: encoders.encode(torchac.Normal(many, 1.0), many),
        "many logits": lambda: decoders.decode(torchac.Categorical(logits=many.expand(256, 256))),
    }
    assert {name: quick_calls(call) for name, call in calls.items()} == dict.fromkeys(calls, 1)
    outside: dict[str, Callable[[], Any]] = {
        "more values": lambda: encoder.encode(torchac.Normal(0.0, 1.0), torch.zeros(513)),
        "an index": lambda: encoder.encode(normal, zeros[:1], index=torch.tensor([2])),
    }
    assert {name: quick_calls(call) for name, call in outside.items()} == dict.fromkeys(outside, 0)


@pytest.mark.skipif(HAS_GIL, reason="this Python has a GIL")
def test_it_stays_off_without_a_gil() -> None:
    """Another thread could free elements while they are read."""
    _core.use_torch(torch)
    assert quick_calls(lambda: torchac.Encoder().encode(torchac.Normal(0.0, 1.0), 1)) == 0


def test_it_can_be_turned_off() -> None:
    with the_other_way():
        assert quick_calls(lambda: torchac.Encoder().encode(torchac.Normal(0.0, 1.0), 1)) == 0
        model = torchac.Normal(np.zeros(3), 1.0)
        assert quick_calls(lambda: torchac.Encoder().encode(model, np.zeros(3))) == 0
    code = "import torchac; from torchac import _core\n"
    code += "torchac.Encoder().encode(torchac.Normal(0.0, 1.0), 1); print(_core.quick_calls())"
    environment = {**os.environ, "TORCHAC_QUICK": "0"}
    run = [sys.executable, "-c", code]
    assert subprocess.check_output(run, env=environment, text=True).strip() == "0"


# ---- Models stay what they are ----


class Mine(torchac.Normal):
    """A user's model."""

    def __init__(self, name: str, loc: Any) -> None:
        super().__init__(loc, 2.0)
        self.name = name


MADE: dict[str, Callable[[], Any]] = {
    "Normal": lambda: torchac.Normal(torch.zeros(3, 1), torch.ones(2).double(), low=-9),
    "Laplace": lambda: torchac.Laplace(np.zeros(3), 1, high=2**20),
    "numbers": lambda: torchac.Logistic(0.5, 3),
    "Mixture": lambda: torchac.Mixture(torch.ones(3), torchac.Normal(torch.zeros(2, 3), 1.0)),
    "Mixture of a list": lambda: torchac.Mixture(
        torch.ones(2), [torchac.Normal(torch.zeros(4), 1.0), torchac.Laplace(0.0, 1.0)]
    ),
    "Categorical": lambda: torchac.Categorical(logits=torch.zeros(2, 5)),
    "probabilities": lambda: torchac.Categorical(probs=torch.ones(5)),
    "Bernoulli": lambda: torchac.Bernoulli(probs=torch.rand(4) * 0),
    "Mine": lambda: Mine("a", torch.zeros(3)),
}


def about(model: Any) -> Any:
    """What users see of a model."""
    names = ("loc", "scale", "weights", "components", "bounds", "shape", "parameters", "name")
    copies = [copy.copy(model), copy.deepcopy(model), pickle.loads(pickle.dumps(model))]
    values = torch.zeros(model.shape)
    return (
        repr(model),
        type(model),
        [outcome(lambda n=name: repr(getattr(model, n))) for name in names],
        [(type(each), repr(each), torchac.encode(each, values)) for each in copies],
        outcome(lambda: repr(model.expand(2, *model.shape).parameters)),
        outcome(lambda: repr(model.tabulate().cdf)),
        outcome(lambda: model.__init__()),
        torchac.encode(model, values),
        outcome(lambda: hash(model) == hash(model) and model == model),
        outcome(lambda: setattr(model, "mine", 1)),
    )


@pytest.mark.parametrize("name", MADE)
@pytest.mark.parametrize("code_first", [False, True])
def test_models_stay_what_they_are(name: str, code_first: bool) -> None:
    def observe() -> Any:
        model = MADE[name]()
        if code_first:
            torchac.Encoder().encode(model, torch.zeros(model.shape))
        return about(model)

    quick, other = both_ways(observe)
    assert quick == other


def test_classes_stay_what_they_are() -> None:
    for name in ("Normal", "Laplace", "Logistic", "Mixture", "Categorical", "Bernoulli", "Tables"):
        kind = getattr(torchac, name)
        assert issubclass(kind, torchac.models.Model)
        assert "self" not in (parameters := inspect.signature(kind).parameters)
        assert parameters
        assert "Args:" in (inspect.getdoc(kind) or "")
    with pytest.raises(TypeError, match="abstract"):
        torchac.models.Model()  # type: ignore[abstract]
    assert list(inspect.signature(torchac.Normal).parameters) == ["loc", "scale", "low", "high"]


CHANGES: dict[str, Callable[[torch.Tensor], object]] = {
    "nothing": lambda t: None,
    "add_": lambda t: t.add_(1),
    "NaN": lambda t: t.fill_(torch.nan),
    "infinite": lambda t: t.fill_(torch.inf),
    "negative": lambda t: t.fill_(-1),
    "too large": lambda t: t.fill_(1e9),
    "resize_ to more": lambda t: t.resize_(1000).fill_(0.5),
    "resize_ to fewer": lambda t: t.resize_(1),
    "resize_ to another shape": lambda t: t.resize_(5, 2),
    "unsqueeze_": lambda t: t.unsqueeze_(0),
    "other data": lambda t: setattr(t, "data", torch.ones(10) / 2),
    "shorter data": lambda t: setattr(t, "data", torch.ones(1)),
    "data of another dtype": lambda t: setattr(t, "data", torch.ones(10).double()),
    "negated data": lambda t: setattr(t, "data", torch._neg_view(-torch.ones(10))),
    "set_": lambda t: t.set_((torch.ones(10) / 4).untyped_storage(), 0, (10,), (1,)),
}
OF_STORAGE: dict[str, Callable[[torch.Tensor], object]] = {
    "freed": lambda t: t.untyped_storage().resize_(0),
    "shrunk": lambda t: t.untyped_storage().resize_(16),
    "grown": lambda t: t.untyped_storage().resize_(1 << 20),
}


def coded_after(change: Callable[[torch.Tensor], object], parameter: int, before: str) -> Any:
    """What a model gives one of whose tensors changes; for before == "anew", one made then."""
    tensors = [torch.full((10,), 0.25), torch.full((10,), 2.0)]
    values = torch.ones(10)
    model = torchac.Normal(*tensors)
    if before == "coded":
        torchac.Encoder().encode(model, values)
    if before == "looked at":
        assert model.loc.shape == model.scale.shape
    with contextlib.suppress(RuntimeError):  # the other way may keep NumPy views of it
        change(tensors[parameter])
    encoder, decoder = torchac.Encoder(), torchac.Decoder(NOISE)

    def its() -> Any:
        return torchac.Normal(*tensors) if before == "anew" else model

    coded = outcome(lambda: encoder.encode(its(), values))
    return coded, encoder.finish(), outcome(lambda: decoder.decode(its()))


@pytest.mark.parametrize("before", ["made", "coded", "looked at"])
@pytest.mark.parametrize("parameter", [0, 1])
@pytest.mark.parametrize("name", CHANGES)
def test_models_whose_tensors_change(name: str, parameter: int, before: str) -> None:
    """A model codes with its tensors as they are, or as they were, and never anything else."""
    change = CHANGES[name]
    quick, other = both_ways(coded_after, change, parameter, before)
    if name in ("nothing", "add_", "NaN", "infinite", "negative", "too large"):
        assert quick == other
    else:
        assert quick in (other, repr(coded_after(change, parameter, "anew")))


@pytest.mark.skipif(not FOR_TENSORS, reason="there is no quick way here")
@pytest.mark.parametrize("before", ["made", "coded"])
@pytest.mark.parametrize("parameter", [0, 1])
@pytest.mark.parametrize("name", OF_STORAGE)
def test_models_whose_storage_changes(name: str, parameter: int, before: str) -> None:
    """The quick way looks at the storage each time."""
    anew = coded_after(OF_STORAGE[name], parameter, "anew")
    assert coded_after(OF_STORAGE[name], parameter, before) == anew


# ---- Code that runs in the middle of calls ----


class Running(TorchFunctionMode):
    """Runs code in each function of torch, except those that the code calls."""

    def __init__(self, run: Callable[[], object]) -> None:
        super().__init__()
        self.run, self.runs = run, False

    def __torch_function__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        if not self.runs:
            self.runs = True
            with contextlib.suppress(RuntimeError):  # NumPy has a view of it
                self.run()
            self.runs = False
        return function(*args, **(kwargs or {}))


@contextlib.contextmanager
def at_a_collection(run: Callable[[], object]) -> Iterator[None]:
    """Runs code once, when Python collects garbage, which is wherever it makes objects."""
    left = [run]

    def collected(phase: str, info: dict[str, int]) -> None:
        if left:
            with contextlib.suppress(RuntimeError):  # NumPy has a view of it
                left.pop()()

    threshold = gc.get_threshold()
    gc.callbacks.append(collected)
    gc.set_threshold(1)
    try:
        yield
    finally:
        gc.set_threshold(*threshold)
        gc.callbacks.remove(collected)


@pytest.mark.parametrize("which", [0, 1, 2])
@pytest.mark.parametrize("size", [0, 20])
def test_code_that_frees_elements_meanwhile(which: int, size: int) -> None:
    """A call reads elements that are there, or raises."""

    def code(*tensors: torch.Tensor) -> bytes:
        encoder = torchac.Encoder()
        encoder.encode(torchac.Normal(*tensors[:2]), tensors[2])
        return encoder.finish()

    def made() -> list[torch.Tensor]:
        return [torch.full((10,), number) for number in (0.25, 2.0, 1.0)]

    expected = [outcome(code, *made())]
    name = ("loc", "scale", "values")[which]
    message = f"{name} is a torch.strided tensor on cpu: expected a dense one with data"
    expected.append((ValueError, message))
    for _ in range(30):
        tensors = made()
        with at_a_collection(partial(tensors[which].untyped_storage().resize_, size)):
            assert outcome(code, *tensors) in expected


@pytest.mark.skipif(not HAS_GIL, reason="without a GIL, torch itself reads elements that are gone")
@pytest.mark.usefixtures("eager_switching")
def test_another_thread_that_gives_a_tensor_other_elements_meanwhile() -> None:
    loc, stop = torch.zeros(10), threading.Event()
    others = [torch.zeros(10), torch.ones(10)]

    def code(loc: torch.Tensor) -> bytes:
        encoder = torchac.Encoder()
        encoder.encode(torchac.Normal(loc, 2.0), torch.zeros(10))
        return encoder.finish()

    def change() -> None:
        while not stop.is_set():
            for other in others:
                loc.data = other.clone()

    expected = {code(other) for other in others}
    thread = threading.Thread(target=change)
    thread.start()
    found = {code(loc) for _ in range(500)}
    stop.set()
    thread.join()
    assert found <= expected


def test_code_that_uses_the_coder_meanwhile() -> None:
    """Its values come before those of the call in which it runs."""
    zeros, coder = torch.zeros(3), torchac.Encoder()
    inner = torchac.Normal(0.0, 2.0)
    count = 0

    def code() -> None:
        nonlocal count
        count += 1
        coder.encode(inner, 7)

    with Running(code):
        coder.encode(torchac.Normal(zeros, 1.0), zeros)
    assert count
    decoder = torchac.Decoder(coder.finish())
    assert [int(decoder.decode(inner)) for _ in range(count)] == [7] * count
    assert decoder.decode(torchac.Normal(zeros, 1.0)).equal(zeros.int())


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no timers on Windows")
def test_a_signal_handler_that_uses_the_coder_meanwhile() -> None:
    """It may raise, as the coder may be at work; nothing is lost."""
    coder, zeros, inner = torchac.Encoder(), torch.zeros(3), [0]

    def handler(*_: object) -> None:
        with contextlib.suppress(RuntimeError):
            coder.encode(torchac.Normal(0.0, 1.0), 1)
            inner[0] += 1

    before = signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
    calls = 0
    try:
        while calls < 100 or (inner[0] < 3 and calls < 10**6):
            coder.encode(torchac.Normal(zeros[0], 1.0), 0)
            calls += 1
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    decoder = torchac.Decoder(coder.finish())
    model = torchac.Normal(torch.zeros(calls + inner[0]), 1.0)
    assert int(decoder.decode(model).sum()) == inner[0]


# ---- Threads and memory ----


@pytest.mark.usefixtures("eager_switching")
def test_threads_share_coders_and_lose_nothing() -> None:
    encoder, batch = torchac.Encoder(), torchac.BatchEncoder(2)

    def encode(value: int) -> None:
        for _ in range(200):
            encoder.encode(torchac.Normal(torch.zeros(2), 9.0), torch.full((2,), value))
            batch.encode(torchac.Normal(torch.zeros(2), 9.0), torch.full((2,), value))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(encode, range(4)))
    encoder.mark()
    decoder, batches = torchac.Decoder(encoder.finish()), torchac.BatchDecoder(batch.finish())
    models = torchac.Normal(torch.zeros(2), 9.0)

    def decode(_: int) -> list[list[int]]:
        return [decoder.decode(models).tolist() for _ in range(200)]

    with ThreadPoolExecutor(4) as pool:
        found = [pair for pairs in pool.map(decode, range(4)) for pair in pairs]
    assert sorted(found) == [[value] * 2 for value in range(4) for _ in range(200)]
    decoder.mark()
    assert sorted(batches.decode(models).tolist() for _ in range(800)) == sorted(found)
    batches.finish()


@pytest.mark.usefixtures("eager_switching")
def test_threads_share_a_model() -> None:
    """Also while one of them initializes it again."""
    model = torchac.Normal(torch.zeros(3), 1.0)
    mixture = torchac.Mixture(torch.ones(2), [model, torchac.Laplace(0.0, 1.0)])
    streams = {torchac.encode(each, torch.zeros(3)) for each in (model, mixture)}

    def code(turn: int) -> set[bytes]:
        found = set()
        for _ in range(200):
            if turn == 0:
                model.__init__(torch.zeros(3), torch.ones(3))  # type: ignore[misc]
            for each in (model, mixture):
                encoder = torchac.Encoder()
                encoder.encode(each, torch.zeros(3))
                found.add(encoder.finish())
        return found

    with ThreadPoolExecutor(4) as pool:
        assert set().union(*pool.map(code, range(4))) == streams


def test_results_are_freed_on_another_thread() -> None:
    """Without the GIL too, as autograd does."""
    decoder = torchac.Decoder(NOISE)
    results = [decoder.decode(torchac.Normal(torch.zeros(8), 3.0)) for _ in range(500)]
    expected = [result.tolist() for result in results]
    views = [result[3:].float() * 2 for result in results]
    leaf = torch.ones(5, requires_grad=True)
    graph = [(leaf * result[3:].float()).sum() for result in results]
    shared = queue.SimpleQueue[Any]()
    for result in results:
        shared.put(result)
    del results, result

    def drop() -> None:
        with contextlib.suppress(queue.Empty):
            while True:
                shared.get_nowait()

    threads = [threading.Thread(target=drop) for _ in range(4)]
    for thread in threads:
        thread.start()
    torch.stack(graph).sum().backward()  # type: ignore[no-untyped-call]  # frees what it saved on its own thread
    for thread in threads:
        thread.join()
    assert [(view / 2).tolist() for view in views] == [numbers[3:] for numbers in expected]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_child_goes_on() -> None:
    """A fork between calls has coders and models like those of its parent."""
    encoder, model = torchac.Encoder(), torchac.Normal(torch.zeros(3), 1.0)
    encoder.encode(model, torch.ones(3))
    expected = copy.copy(encoder)
    expected.encode(model, torch.zeros(3))
    stream = expected.finish()
    child = os.fork()
    if child == 0:
        encoder.encode(model, torch.zeros(3))
        os._exit(0 if encoder.finish() == stream else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.mark.parametrize("name", leaks.CALLS)
def test_calls_leak_nothing(name: str) -> None:
    """`python tests/leaks.py` makes a million of each."""
    assert leaks.grown(name, 500) == {}
