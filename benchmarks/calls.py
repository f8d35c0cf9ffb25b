"""Calls of a few values, as autoregressive codecs make them, and how each package does them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from timeit import Timer
from typing import Any, NamedTuple

import numpy as np
import torch
from contestants import CONSTRICTION, OLD, TORCHAC, Entry, Work
from torch import Tensor

WITH_NUMPY = "torchac, NumPy"
STREAMS = 256
MOST = 1000  # calls that a stream has values for
TIMES_NUMPY = 2  # a call with NumPy arrays may take this many times as long
NORMALS = "torchac.Normal(loc, scale)"
LOGITS = "torchac.Categorical(logits=logits)"


@dataclass(frozen=True)
class CallWork(Work):
    """Many calls, each with its own model and values."""


class CallInputs:
    """No symbols that all calls share: see `inputs`."""

    def __init__(self, work: CallWork, count: int) -> None:
        self.count, self.entropy = count, 0.0


class Call(NamedTuple):
    """A call, and the most microseconds that it may take to encode and to decode."""

    name: str
    model: str  # an expression of what `inputs` returns
    encode: float | None = None
    decode: float | None = None
    values: int = 1
    steps: int = 0  # values of each stream in lockstep
    function: bool = False  # of torchac 0.9.3

    def goal(self, operation: str) -> float | None:
        """That of an operation with tensors, in microseconds."""
        return self.encode if operation == "encode" else self.decode


class Code(NamedTuple):
    """What is timed, and what runs before it."""

    encode: str
    decode: str
    encoder: str = "pass"
    decoder: str = "pass"
    finish: str = "e.finish()"  # returns the stream; empty if each call does


def label(way: str, call: Call) -> str:
    """How the results of a package, used in one way, are called."""
    return f"{way}: {call.name}"


SMALL_CALLS = CallWork("small calls", 256, values=1)
NUMBERS = Call("numbers", "torchac.Normal(0.3, 2.0)", 1.4, 1.4)
# A step of every stream, and more of them: what another one takes is coding.
STEPS = [Call(f"256 streams of 256 logits, {n} each", LOGITS, steps=n) for n in (1, 4, 12)]
BEYOND = Call("256 streams of 256 logits, beyond coding", LOGITS, decode=10, steps=1)
# By whether the model is kept.
CALLS_OF = {
    False: [
        Call("Normal, 1 value", NORMALS, 2.2, 2.2),
        Call("Normal, 16 values", NORMALS, 2.6, 2.6, 16),
        Call("Normal, 256 values", NORMALS, 6, 13, 256),
    ],
    True: [
        Call("Normal, kept, 1 value", "kept", 1.2, 1.2),
        Call("Normal, kept, 16 values", "kept", 1.6, 2, 16),
        Call("Normal, kept, 256 values", "kept", 5, 12, 256),
    ],
}
TIMED = (
    *CALLS_OF[False],
    *CALLS_OF[True],
    Call("mixture of 3", "torchac.Mixture(weights, torchac.Normal(locs, scales))", 4.5, 4.5),
    NUMBERS,
    Call("256 logits", LOGITS, 1.9, 2.3),
    Call("row of a CDF", "row", 1.3),
    Call("row of a CDF, old functions", "row", 2.5, 2.5, function=True),
    Call("256 streams of Normals", NORMALS, 8, values=STREAMS, steps=1),
    *STEPS,
)


def inputs(call: Call) -> dict[str, Any]:
    """Parameters and values, the same in every process, because the seed is the same."""
    if call is NUMBERS:
        return {"x": 1}
    generator = torch.Generator().manual_seed(1)
    values = 1 if call.model == LOGITS else call.values
    loc = 4 * torch.randn(values, generator=generator)
    scale = 3 * torch.rand(values, generator=generator) + 0.5
    x = torch.normal(loc, scale, generator=generator).round().int()
    shape = (STREAMS, call.steps) if call.steps else (1,)
    logits = 2 * torch.randn(*shape, 256, generator=generator)
    probabilities = logits.softmax(-1)
    row = torch.nn.functional.pad(probabilities.flatten(0, -2)[:1].cumsum(-1), (1, 0))
    row[:, -1] = 1
    if call.model == LOGITS:
        drawn = torch.multinomial(probabilities.flatten(0, -2), 1, generator=generator)
        x = drawn.view(shape).int()
    elif call.model == "row":
        x = torch.multinomial(probabilities, 1, generator=generator)[0].short()
    return {
        "loc": loc,
        "scale": scale,
        "x": x,
        "logits": logits,
        "row": row,
        "locs": loc[0] + torch.tensor([[-3.0, 0.0, 3.0]]),
        "scales": scale[0] * torch.ones(1, 3),
        "weights": torch.tensor([[1.0, 2.0, 3.0]]),
    }


def timed(label: str, code: Code, names: dict[str, Any]) -> Entry:
    """Makes a stream of many calls, and tests that a call to decode gives the values."""
    exec(code.encoder, names)
    encode = compile(code.encode, "encode", "eval" if not code.finish else "exec")
    if code.finish:
        for _ in range(MOST):
            exec(encode, names)
    names["stream"] = eval(code.finish or encode, names)
    exec(code.decoder, names)
    decoded = np.asarray(eval(code.decode, names)).flatten()
    if not np.array_equal(decoded, np.asarray(names["x"]).flatten()):
        raise AssertionError(f"{label}: the decoded values are not those that were encoded")
    return Entry(
        label,
        {
            "encode": Timer(code.encode, code.encoder, globals=names),
            "decode": Timer(code.decode, code.decoder, globals=names),
        },
    )


FUNCTIONS = Code(
    "torchac.encode_float_cdf(row, x)", "torchac.decode_float_cdf(row, stream)", finish=""
)


def torchac_entries(work: object) -> Iterator[Entry]:
    """Tensors, and NumPy arrays."""
    import torchac

    for call in TIMED:
        batch, of = ("Batch", STREAMS) if call.steps else ("", "")
        code = Code(
            f"e.encode({call.model}, x)",
            f"d.decode({call.model})",
            f"e = torchac.{batch}Encoder({of})",
            f"d = torchac.{batch}Decoder(stream)",
        )
        names = {"torchac": torchac} | inputs(call)
        arrays = {k: v.numpy() if isinstance(v, Tensor) else v for k, v in names.items()}
        for way, its in (TORCHAC, names), (WITH_NUMPY, arrays):
            if call.model == "kept":
                its["kept"] = eval(NORMALS, its)
            yield timed(label(way, call), FUNCTIONS if call.function else code, its)


def old_entries(work: object) -> Iterator[Entry]:
    """Its functions, with tensors only."""
    import torchac

    for call in TIMED:
        if call.function:
            yield timed(label(OLD, call), FUNCTIONS, {"torchac": torchac} | inputs(call))


def constriction_entries(work: object) -> Iterator[Entry]:
    """Numbers for one value, arrays for more, and a coder for each of many streams."""
    from constriction import stream

    modules = {"queue": stream.queue, "softmax": softmax, **vars(stream.model)}
    for call in TIMED:
        if call.steps <= 1 and "Mixture" not in call.model:
            names = modules | inputs(call)
            yield timed(label(CONSTRICTION, call), constriction_code(call, names), names)


def softmax(logits: Tensor) -> Any:
    """Probabilities, as its categorical model takes them."""
    return torch.softmax(logits, -1).numpy()


def constriction_code(call: Call, names: dict[str, Any]) -> Code:
    """Its statements; the inputs become what it takes."""
    gaussian, categories = "QuantizedGaussian(-1000, 1000, {})", "Categorical({}, perfect=False)"
    if call.steps:
        names |= {key: names[key].flatten().tolist() for key in ("loc", "scale", "x")}
        model, of, given = gaussian.format("m, s"), "m, s", "loc, scale"
        if call.model == LOGITS:
            model, of, given = categories.format("p"), "p", "softmax(logits)[:, 0]"
        return Code(
            f"for e, v, {of} in zip(coders, x, {given}): e.encode(v, {model})",
            f"[d.decode({model}) for d, {of} in zip(coders, {given})]",
            "coders = [queue.RangeEncoder() for _ in x]",
            "coders = [queue.RangeDecoder(s) for s in stream]",
            "[e.get_compressed() for e in coders]",
        )
    if call.values > 1:
        names |= {key: names[key].double().numpy() for key in ("loc", "scale")}
        names["x"], names["family"] = names["x"].numpy(), eval(gaussian.format(""), names)
        model = "family, loc, scale"  # whether the model is kept or not
    else:
        if call is not NUMBERS:
            names |= {key: names[key].item() for key in ("loc", "scale", "x")}
            names["p"] = names["row"][0].diff().numpy()
            names["kept"] = eval(gaussian.format("loc, scale"), names)
        model = {
            NORMALS: gaussian.format("loc, scale"),
            NUMBERS.model: gaussian.format("0.3, 2.0"),
            LOGITS: categories.format("softmax(logits)[0]"),
            "row": categories.format("p"),
        }.get(call.model, "kept")
    encoder, decoder = "queue.RangeEncoder()", "queue.RangeDecoder(stream)"
    if call.function:
        encode = f"(e := {encoder}).encode(x, {model}) or e.get_compressed()"
        return Code(encode, f"{decoder}.decode({model})", finish="")
    return Code(
        f"e.encode(x, {model})",
        f"d.decode({model})",
        f"e = {encoder}",
        f"d = {decoder}",
        "e.get_compressed()",
    )


CALL_ENTRIES: dict[str, Callable[[object], Iterator[Entry]]] = {
    TORCHAC: torchac_entries,
    OLD: old_entries,
    CONSTRICTION: constriction_entries,
}
