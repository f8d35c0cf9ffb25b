"""torch.compile does not compile the functions: one graph break a call, no warning."""

import warnings
from typing import Any

import pytest
import torch
from test_hostile import CALLS, CDF, SYM

import torchac


@pytest.fixture(scope="module", autouse=True)
def _torch_can_compile() -> None:
    if not hasattr(torch._C._dynamo.eval_frame, "set_code_exec_strategy"):
        pytest.skip("this release of torch cannot be told to leave calls in a function alone")
    from torch._dynamo import reset

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # from torch's own modules, which it imports now
        reset()
        try:
            torch.compile(torch.neg, backend="eager")(torch.ones(1))
        except RuntimeError as error:
            pytest.skip(f"this release of torch cannot compile here: {error}")


def graphs(function: Any, *args: Any) -> tuple[Any, int, int]:
    """The result of the compiled function, and the numbers of its graphs and inspected frames."""
    from torch._dynamo import reset
    from torch._dynamo.utils import counters

    reset()
    counters.clear()
    compiled: Any = torch.compile(function, backend="eager")
    result = compiled(*args)
    return result, counters["stats"]["unique_graphs"], counters["frames"]["total"]


@pytest.mark.parametrize(
    "name", [n for n, call in CALLS.items() if call.function.__module__ != "test_hostile"]
)
def test_a_call_is_one_graph_break(name: str) -> None:
    call = CALLS[name]

    def program(x: torch.Tensor) -> Any:
        x = x + 1
        result = call.function(**call.arguments)
        return x * 2, result

    x = torch.ones(3)
    (doubled, result), count, frames = graphs(program, x)
    assert doubled.equal((x + 1) * 2)
    expected = call.function(**call.arguments)
    if isinstance(result, torchac.models.Model):
        result, expected = result.tabulate().cdf, expected.tabulate().cdf
    if isinstance(result, torch.Tensor):
        result, expected = result.tolist(), expected.tolist()
    if isinstance(result, tuple):
        result, expected = [r.tolist() for r in result], [e.tolist() for e in expected]
    assert result == expected
    assert count == 2
    assert frames == 2  # the program, and its rest after the break


def test_calls_between_which_there_are_graphs() -> None:
    def program(cdf: torch.Tensor, sym: torch.Tensor) -> torch.Tensor:
        stream = torchac.encode_float_cdf(cdf * 1.0, sym + 0)
        decoded = torchac.decode_float_cdf(cdf * 1.0, stream)
        return decoded + 1

    result, count, frames = graphs(program, CDF, SYM)
    assert result.equal(SYM + 1)
    assert (count, frames) == (3, 3)


def test_coding_in_pieces() -> None:
    def program(cdf: torch.Tensor, sym: torch.Tensor) -> tuple[torch.Tensor, bytes, int]:
        encoder = torchac.Encoder()
        encoder.encode(cdf * 1.0, sym + 0)
        bits = encoder.num_bits
        stream = encoder.finish()
        return torchac.Decoder(stream).decode(cdf * 1.0) + 1, stream, bits

    result, _, _ = graphs(program, CDF, SYM)
    symbols, stream, bits = program(CDF, SYM)
    assert result[0].equal(symbols)
    assert result[1:] == (stream, bits)


def test_errors_are_raised_from_compiled_code() -> None:
    def program(cdf: torch.Tensor, sym: torch.Tensor) -> bytes:
        return torchac.encode_float_cdf(cdf, sym * 9)

    with pytest.raises(ValueError, match=r"^symbol 9 at index \(1,\) is outside the alphabet"):
        graphs(program, CDF, SYM)


def test_an_exact_network_stays_as_it_is() -> None:
    """A compiled network would not be proved to give the same numbers."""
    from torchac import exact

    x = torch.randint(-5, 6, (4, 8)).float()
    network = exact.convert(torch.nn.Linear(8, 3).eval(), [x])
    result, count, _ = graphs(lambda x: network(x.abs()) + 1, x)
    assert result.equal(network(x.abs()) + 1)
    assert count == 2  # before and after
