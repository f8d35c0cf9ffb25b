"""Exact language models: in one pass, token by token, in any batch, and checked by integers."""

import functools
import io
import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import exact_networks
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional

import torchac
from torchac import CorruptStreamError, exact, testing
from torchac.exact import Refused
from torchac.exact._grid import Grid, Unproved, uniform
from torchac.exact._operations import language

attention = functional.scaled_dot_product_attention


@functools.cache
def model(name: str) -> tuple[nn.Module, exact.Network, torch.Tensor]:
    module, (x,) = exact_networks.make(name)
    return module, exact.convert(module, [x]), x


# One pass, and a stream


@pytest.mark.parametrize("name", exact_networks.CAUSAL)
def test_a_stream_gives_what_one_pass_does(name: str) -> None:
    module, network, x = model(name)
    x = torch.cat((x, x.flip(1)), 1)  # longer than the batch
    expected = network(x)
    with torch.no_grad():
        assert (expected - module(x)).abs().max() < 2e-3
    for cuts in (range(1, 24), (1, 2, 23), (7, 20), ()):
        stream, at, parts = network.stream(), 0, []
        for end in (*cuts, 24):
            parts.append(stream(x[:, at:end]))
            at = end
            assert stream.length == end
        assert torch.cat(parts, 1).equal(expected)
    alone = network.stream()
    assert torch.cat([alone(x[3:4, i : i + 1]) for i in range(24)], 1).equal(expected[3:4])


@given(st.data())
def test_any_cuts_and_any_batch(data: st.DataObject) -> None:
    _, network, x = model(data.draw(st.sampled_from(exact_networks.CAUSAL)))
    expected = network(x)
    order = torch.tensor(data.draw(st.lists(st.integers(0, 7), min_size=1, max_size=8)))
    cuts = sorted(data.draw(st.sets(st.integers(1, 11))))
    threads = torch.get_num_threads()
    stream, parts = network.stream(), []
    try:
        for start, end in zip([0, *cuts], [*cuts, 12], strict=True):
            torch.set_num_threads(data.draw(st.sampled_from([1, 2])))
            parts.append(stream(x[order, start:end]))
    finally:
        torch.set_num_threads(threads)
    assert torch.cat(parts, 1).equal(expected[order])


def test_texts_that_are_coded_at_once_are_decoded_token_by_token() -> None:
    _, network, x = model("text")
    start = torch.zeros(8, 1, dtype=torch.int64)
    logits = network(torch.cat((start, x[:, :-1]), 1))
    streams = [
        torchac.encode(torchac.Categorical(logits=r), t) for r, t in zip(logits, x, strict=True)
    ]
    network = loaded(network)
    for data, tokens in zip(streams, x, strict=True):
        decoder, stream, token, found = torchac.Decoder(data), network.stream(), start[:1], []
        for _ in range(12):
            token = decoder.decode(torchac.Categorical(logits=stream(token)[0])).long().view(1, 1)
            found.append(token.item())
        assert found == tokens.tolist()


def loaded(network: exact.Network) -> exact.Network:
    file = io.BytesIO()
    exact.save(network, file)
    file.seek(0)
    return exact.load(file)


def test_a_call_that_fails_changes_nothing() -> None:
    _, network, x = model("text")
    expected = network(x)
    stream = network.stream()
    for place in range(12):
        for wrong, error in (
            (x[:, :0], r"expected equal items and places"),
            (x[0], r"expected equal items and places"),
            (x[:, :1].float(), "expected integers in 2 dimensions"),
            (x[:, :1] - 100, "expected 0 to 19"),
            (x.repeat(1, 9), "the network has positions for 32"),
        ):
            with pytest.raises(ValueError, match=error):
                stream(wrong)
        with pytest.raises(TypeError, match="there are 2 inputs: expected 1"):
            stream(x, x)
        if place:
            with pytest.raises(ValueError, match="inputs have 3 items: expected 8 as before"):
                stream(x[:3, :1])
        assert stream(x[:, place : place + 1]).equal(expected[:, place : place + 1])
        assert stream.length == place + 1


def test_a_stream_of_values_that_are_no_tokens() -> None:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(4, 8), nn.LayerNorm(8), nn.SiLU(), nn.Linear(8, 3)).eval()
    x = torch.randn(2, 9, 4)
    network = exact.convert(module, [x])
    stream = network.stream()
    assert torch.cat([stream(x[:, :4]), stream(x[:, 4:])], 1).equal(network(x))


class Endless(nn.Module):
    """Attention without positions."""

    def __init__(self) -> None:
        super().__init__()
        self.token, self.mix = nn.Embedding(20, 8), nn.Linear(8, 24)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        q, k, v = self.mix(self.token(x)).chunk(3, -1)
        return attention(q, k, v, is_causal=True)


def test_a_long_stream() -> None:
    """A longer stream moves its keys and values to larger memory."""
    torch.manual_seed(0)
    x = torch.randint(20, (2, 150))
    network = exact.convert(Endless().eval(), [x[:, :9]])
    stream = network.stream()
    assert torch.cat([stream(x[:, i : i + 1]) for i in range(150)], 1).equal(network(x))
    with pytest.raises(ValueError, match="expected 1 to 4096 places"):
        stream(torch.randint(20, (2, 3947)))
    assert stream.length == 150
    assert stream(x[:, :1]).equal(network(torch.cat((x, x[:, :1]), 1))[:, 150:])


# Language models that convert


class Small(nn.Module):
    """A model with a given middle."""

    mask: torch.Tensor

    def __init__(self, middle: Callable[..., torch.Tensor]) -> None:
        super().__init__()
        self.token, self.place = nn.Embedding(20, 8), nn.Parameter(torch.randn(1, 32, 8))
        self.q, self.k, self.v = nn.Linear(8, 8), nn.Linear(8, 8), nn.Linear(8, 8)
        self.fixed = nn.Parameter(torch.randn(10, 8))
        self.register_buffer("mask", torch.ones(32, 32).tril())
        self.middle = middle

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.token(x) + self.place[:, : x.size(1)]
        return self.middle(self, y, self.q(y), self.k(y), self.v(y), x.size(1))


def _softmax(scores: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
    return functional.dropout(scores.softmax(-1), 0.1, training=False) @ v


def _far(t: int) -> torch.Tensor:
    return torch.triu(torch.full((t, t), float("-inf")), diagonal=1)


CAUSAL: dict[str, Callable[..., torch.Tensor]] = {
    "function": lambda m, y, q, k, v, t: attention(q, k, v, is_causal=True),
    "mask": lambda m, y, q, k, v, t: attention(q, k, v, m.mask[:t, :t].bool()),
    "added mask": lambda m, y, q, k, v, t: attention(q, k, v, attn_mask=_far(t)),
    "by hand": lambda m, y, q, k, v, t: _softmax(
        (q @ k.transpose(-2, -1) * (1.0 / math.sqrt(k.size(-1)))).masked_fill(
            m.mask[:t, :t] == 0, float("-inf")
        ),
        v,
    ),
    "added by hand": lambda m, y, q, k, v, t: _softmax(
        torch.matmul(q, k.mT) / math.sqrt(8) + _far(t), v
    ),
    "where": lambda m, y, q, k, v, t: _softmax(
        torch.where(m.mask[:t, :t] > 0, q @ k.mT, float("-inf")), v
    ),
    "positions": lambda m, y, q, k, v, t: y + m.fixed[torch.arange(t).unsqueeze(0)],
}


CAUSAL["weights as values"] = lambda m, y, q, k, v, t: attention(
    q, k, m.place[:, :t], is_causal=True
)
if hasattr(nn, "RMSNorm"):  # from torch 2.4 on, which also has a scale
    CAUSAL["scale"] = lambda m, y, q, k, v, t: attention(q, k, v, is_causal=True, scale=0.3)


@pytest.mark.parametrize("name", CAUSAL)
def test_what_is_causal(name: str) -> None:
    torch.manual_seed(0)
    module, x = Small(CAUSAL[name]).eval(), exact_networks.inputs((3, 10))
    network = exact.convert(module, [x])
    with torch.no_grad():
        assert (network(x) - module(x)).abs().max() < 2e-3
    for way, y in testing.ways(network, x, causal=True):
        assert y.equal(network(x)), way
    stream = network.stream()
    assert torch.cat([stream(x[:, i : i + 1]) for i in range(10)], 1).equal(network(x))


NOT_CAUSAL: dict[str, tuple[Callable[..., torch.Tensor], str]] = {
    "all": (lambda m, y, q, k, v, t: attention(q, k, v), "sees what comes later"),
    "by hand": (lambda m, y, q, k, v, t: _softmax(q @ k.mT / 8, v), "sees what comes later"),
    "mean": (lambda m, y, q, k, v, t: y + y.mean(1, keepdim=True), "a mean over time"),
    "last": (lambda m, y, q, k, v, t: y + y[:, -1:], "takes a part of time"),
    "shift": (lambda m, y, q, k, v, t: functional.pad(y, (0, 0, 1, 0)), "not known to be causal"),
    "items": (lambda m, y, q, k, v, t: y.view(-1, 8), "mixes time with other dimensions"),
    "items and back": (
        lambda m, y, q, k, v, t: m.v(y.view(y.shape[0] * t, 8)).view(y.shape[0], t, 8),
        "computes with the length of time",
    ),
    "sum": (lambda m, y, q, k, v, t: m.q(y[:, :8].mT), "takes a part of time"),
}


@pytest.mark.parametrize("name", NOT_CAUSAL)
def test_what_has_no_stream(name: str) -> None:
    torch.manual_seed(0)
    middle, why = NOT_CAUSAL[name]
    module, x = Small(middle).eval(), exact_networks.inputs((3, 10))
    network = exact.convert(module, [x])
    with torch.no_grad():
        assert (network(x) - module(x)).abs().max() < 2e-3
    with pytest.raises(Refused, match=why):
        network.stream()


def test_weights_of_one_length_are_not_streamed() -> None:
    module, x = Small(lambda m, y, *_: y + m.fixed).eval(), exact_networks.inputs((3, 10))
    stream = exact.convert(module, [x]).stream()
    for part in (x[:, :1], x[:, :3], x):
        with pytest.raises(ValueError, match=r"such as weights\[: x.shape\[1\]\]"):
            stream(part)


REFUSED: dict[str, tuple[Callable[..., Any], str]] = {
    "window": (
        lambda m, y, q, k, v, t: attention(q, k, v, m.mask[:t, :t].triu(-3).bool()),
        "its mask is not that of what comes before",
    ),
    "one size": (lambda m, y, q, k, v, t: attention(q, k, v, m.mask[:10, :10].bool()), "one size"),
    "bias": (lambda m, y, q, k, v, t: _softmax(q @ k.mT + m.mask[:t, :t], v), "it adds numbers"),
    "mask of values": (
        lambda m, y, q, k, v, t: attention(q, k, v, q @ k.mT),
        "scores of attention",
    ),
    "dropout": (lambda m, y, q, k, v, t: attention(q, k, v, dropout_p=0.1), "drops values also"),
    "scores": (lambda m, y, q, k, v, t: q @ k.mT, "scores of attention|returns Attending"),
    "relu": (lambda m, y, q, k, v, t: (q @ k.mT).relu() @ v, "scores of attention"),
    "linear attention": (lambda m, y, q, k, v, t: q @ (k.mT @ v), "nor one of attention"),
    "no softmax": (lambda m, y, q, k, v, t: (q @ k.mT) @ v, "no softmax follows"),
    "twice": (lambda m, y, q, k, v, t: (q @ k.mT).softmax(-1).softmax(-1) @ v, "between the two"),
    "alone": (lambda m, y, q, k, v, t: y.softmax(-1), r"Categorical\(logits=...\)"),
    "other dimension": (lambda m, y, q, k, v, t: (q @ k.mT).softmax(1) @ v, "dimension 1"),
    "scaled after": (lambda m, y, q, k, v, t: ((q @ k.mT).softmax(-1) * 2) @ v, "other than with"),
    "length": (lambda m, y, q, k, v, t: y * t, "computes with sizes"),
    "positions": (lambda m, y, q, k, v, t: y + torch.arange(t)[:, None], "first rows of weights"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused(name: str) -> None:
    torch.manual_seed(0)
    middle, why = REFUSED[name]
    with pytest.raises(Refused, match=why):
        exact.convert(Small(middle).eval(), [exact_networks.inputs((3, 10))])


class Less(nn.Module):
    """A model that changes its input before the table."""

    def __init__(self) -> None:
        super().__init__()
        self.token = nn.Embedding(20, 8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        rows: torch.Tensor = self.token(x.clamp(max=9))
        return rows


def test_what_is_no_token() -> None:
    module, x = exact_networks.make("text")[0], exact_networks.inputs((2, 5))
    network = exact.convert(module, [x.to(torch.int32)])
    assert network(x.to(torch.uint8)).equal(network(x))
    with pytest.raises(ValueError, match=r"a token is 20 at index \(1, 4\): expected 0 to 19"):
        network(torch.where(torch.arange(10).view(2, 5) == 9, 20, x))
    with pytest.raises(ValueError, match="expected integers in 2 dimensions"):
        network(x.float())
    with pytest.raises(ValueError, match=r"a batch has the dtype torch.float32: expected integers"):
        exact.convert(module, [x.float()])
    with pytest.raises(ValueError, match="a batch has the token 20: expected 0 to 19"):
        exact.convert(module, [x + 20 - x])
    with pytest.raises(Refused, match="the module fails on batch 0, in float64"):
        exact.convert(Less().eval(), [x])
    with pytest.raises(Refused, match="max_norm"):
        exact.convert(nn.Embedding(20, 8, max_norm=1.0).eval(), [x])


# The layers of torch with attention


def _mask(x: torch.Tensor) -> torch.Tensor:
    return nn.Transformer.generate_square_subsequent_mask(x.shape[1])


class Attends(nn.Module):
    """A layer of torch that is called somehow, on inputs of 16 numbers."""

    def __init__(self, layer: nn.Module, call: Callable[[nn.Module, torch.Tensor], Any]) -> None:
        super().__init__()
        self.layer, self.call = layer, call

    def forward(self, x: torch.Tensor) -> Any:
        return self.call(self.layer, x)


def _heads(**how: Any) -> nn.MultiheadAttention:
    return nn.MultiheadAttention(16, 4, **{"batch_first": True, **how})


def _layer(**how: Any) -> nn.TransformerEncoderLayer:
    return nn.TransformerEncoderLayer(16, 4, 24, batch_first=True, **how)


def _stack() -> nn.TransformerEncoder:
    layer = _layer(norm_first=True, activation="gelu")
    return nn.TransformerEncoder(layer, 2, nn.LayerNorm(16), enable_nested_tensor=False)


LAYERS: dict[str, tuple[Callable[[], nn.Module], Callable[..., Any], bool]] = {
    "is_causal": (
        _heads,
        lambda m, x: m(x, x, x, attn_mask=_mask(x), is_causal=True, need_weights=False)[0],
        True,
    ),
    "mask of booleans": (
        lambda: _heads(bias=False, dropout=0.1),
        lambda m, x: m(
            x, x, x, attn_mask=torch.ones((x.shape[1], x.shape[1]), dtype=torch.bool).triu(1)
        )[0],
        True,
    ),
    "weights that nobody takes": (_heads, lambda m, x: x + m(x, x, x)[0], False),
    "other keys": (
        lambda: _heads(kdim=5, vdim=7),
        lambda m, x: m(x, x[..., :5], x[..., 9:])[0],
        False,
    ),
    "batch second": (
        lambda: _heads(batch_first=False),
        lambda m, x: m(*(3 * (x.transpose(0, 1),)))[0].transpose(0, 1),
        False,
    ),
    "layer": (_layer, lambda m, x: m(x, _mask(x), is_causal=True), True),
    "layer of all": (lambda: _layer(norm_first=True, activation="gelu"), lambda m, x: m(x), False),
    "layers": (_stack, lambda m, x: m(x, mask=_mask(x), is_causal=True), True),
}


@pytest.mark.parametrize("name", LAYERS)
def test_layers_of_torch_with_attention(name: str) -> None:
    torch.manual_seed(0)
    make, call, causal = LAYERS[name]
    module, x = Attends(make(), call).eval(), torch.randn(3, 10, 16)
    network = exact.convert(module, [x])
    with torch.no_grad():
        assert (network(x) - module(x)).abs().max() < 2e-3
    longer = torch.randn(2, 17, 16)
    expected = network(longer)
    with torch.no_grad():
        assert (expected - module(longer)).abs().max() < 2e-3
    if causal:
        stream = network.stream()
        assert torch.cat([stream(longer[:, :5]), stream(longer[:, 5:])], 1).equal(expected)
    else:
        with pytest.raises(Refused, match="it sees what comes later"):
            network.stream()


def test_a_layer_of_torch_alone() -> None:
    torch.manual_seed(0)
    layer, x = _layer().eval(), torch.randn(3, 10, 16)
    with torch.no_grad():
        assert (exact.convert(layer, [x])(x) - layer(x)).abs().max() < 2e-3


NOT_TAKEN: dict[str, tuple[Callable[[], nn.Module], Callable[..., Any], str]] = {
    "weights": (_heads, lambda m, x: m(x, x, x), "the weights of attention: take its output alone"),
    "weights of weights": (
        _heads,
        lambda m, x: m(x, x, x)[1] * 2,
        "it takes the weights of attention",
    ),
    "padding": (
        _heads,
        lambda m, x: m(x, x, x, key_padding_mask=x[..., 0] > 0)[0],
        r"^layer \(MultiheadAttention\): it has a key_padding_mask: take texts of one length",
    ),
    "padding of a layer": (
        _layer,
        lambda m, x: m(x, src_key_padding_mask=x[..., 0] > 0),
        r"^layer.self_attn \(MultiheadAttention\): it has a key_padding_mask",
    ),
    "more places": (
        lambda: _heads(add_zero_attn=True),
        lambda m, x: m(x, x, x)[0],
        r"^layer \(MultiheadAttention\): it has bias_k, bias_v or add_zero_attn",
    ),
    "one size": (
        _heads,
        lambda m, x: m(x, x, x, attn_mask=torch.ones(10, 10, dtype=torch.bool).triu(1))[0],
        "its mask has one size",
    ),
}


@pytest.mark.parametrize("name", NOT_TAKEN)
def test_what_layers_of_torch_may_not_do(name: str) -> None:
    make, call, why = NOT_TAKEN[name]
    with pytest.raises(Refused, match=why):
        exact.convert(Attends(make(), call).eval(), [torch.randn(3, 10, 16)])


def test_defaults_that_are_not_tensors() -> None:
    class Optional(nn.Linear):
        def forward(
            self, x: torch.Tensor, twice: bool = False, name: str = "a", more: Any = None
        ) -> torch.Tensor:
            y = super().forward(x)
            return y + y if twice or more is not None else y

    module, x = Optional(4, 2), torch.randn(3, 4)
    with torch.no_grad():
        assert (exact.convert(module, [x])(x) - module(x)).abs().max() < 1e-3


# Operations in integers


def on_steps(shape: tuple[int, ...], step: float, bound: float) -> torch.Tensor:
    """Multiples of a step, many of which are at the bound."""
    x = (torch.rand(shape, dtype=torch.float64) * bound / step).floor() * step
    x = torch.where(torch.rand(shape) < 0.5, bound, x)
    return torch.where(torch.rand(shape) < 0.5, x, -x)


def ieee(x: Fraction | float) -> Fraction:
    return Fraction(float(x))


def root(x: Fraction) -> Fraction:
    return Fraction(math.sqrt(float(x)))


@pytest.mark.parametrize("centered", [True, False])
@pytest.mark.parametrize("size", [1, 3, 64])
def test_a_norm_is_that_of_integers(size: int, centered: bool) -> None:
    torch.manual_seed(size)
    weight, bias = torch.randn(2, size, dtype=torch.float64)
    coarse = 2.0 ** math.ceil(math.log2(8 * math.sqrt(size)) - 26)
    step = 2.0 ** math.ceil(math.log2(8 * size) - 52.9)
    attributes = {"size": size, "centered": centered, "coarse": coarse, "eps": 1e-5}
    operation = language.Norm(attributes, {"weight": weight, "bias": bias})
    proved = operation.prove(uniform(2, step, 8 - step))
    assert operation.proved is not None
    assert 50 < operation.proved < 53
    x = on_steps((40, size), step, 8 - step)
    y = operation(x)
    assert bool((y.abs() <= proved.bound).all())
    for row, found in zip(x.tolist(), y.tolist(), strict=True):
        exactly = [Fraction(v) for v in row]
        if centered:
            mean = ieee(sum(exactly) / size)
            exactly = [ieee(v - mean) for v in exactly]
        squares = [(round(v / Fraction(coarse)) * Fraction(coarse)) ** 2 for v in exactly]
        variance = ieee(ieee(sum(squares) / size) + Fraction(1e-5))
        factor = ieee(1 / root(variance))
        pairs = zip(exactly, weight.tolist(), bias.tolist(), strict=True)
        expected = [float(ieee(ieee(v * factor) * Fraction(w)) + Fraction(b)) for v, w, b in pairs]
        assert found == expected
    with pytest.raises(Unproved):
        operation.prove(uniform(2, step, 64.0))


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("places", [(1, 1), (1, 70), (70, 70), (130, 140)])
def test_attention_is_that_of_integers(places: tuple[int, int], causal: bool) -> None:
    torch.manual_seed(0)
    n, m = places
    table = language.tabulate_weights()
    operation = language.Attention({"size": 4, "keys": 256, "causal": causal}, {"table": table})
    q_step, k_step, v_step, bound = 2.0**-18, 2.0**-18, 2.0**-20, 32.0
    q, k = on_steps((2, n, 4), q_step, bound), on_steps((2, m, 4), k_step, bound)
    q[1] *= 16  # weights of scores far below the largest are 0
    v = on_steps((2, m, 3), v_step, 16.0)
    grids = [
        Grid(torch.full((1, 1, 1), s).double(), torch.full((1, 1, 1), b).double())
        for s, b in ((q_step, 16 * bound), (k_step, bound), (v_step, 16.0))
    ]
    proved = operation.prove(*grids)
    assert operation.proved is not None
    assert operation.proved < 53
    y = operation(q, k, v)
    assert bool((y.abs() <= proved.bound).all())
    steps = [int(w * 2**20) for w in table.tolist()]
    for b in range(2):
        ks, vs = ([[Fraction(x) for x in row] for row in t[b].tolist()] for t in (k, v))
        for i in {0, n // 2, n - 1}:
            seen = m - n + i + 1 if causal else m
            if seen < 1:
                continue
            row = [Fraction(x) for x in q[b, i].tolist()]
            scores = [
                sum((a * c for a, c in zip(row, ks[j], strict=True)), Fraction(0))
                for j in range(seen)
            ]
            top = ieee(max(scores) + Fraction(1, 2))
            weights = [steps[min(math.floor(ieee(top - s)), len(steps) - 1)] for s in scores]
            for d in range(3):
                total = sum(w * vs[j][d] for j, w in enumerate(weights))
                assert y[b, i, d].item() == float(Fraction(total, sum(weights)))


def test_attention_is_softmax() -> None:
    torch.manual_seed(0)
    table = {"table": language.tabulate_weights()}
    q, k, v = torch.randn(3, 2, 3, 50, 8, dtype=torch.float64)
    for causal in (True, False):
        operation = language.Attention({"size": 8, "keys": 64, "causal": causal}, table)
        y = operation(q * language.PLACES, k, v)
        expected = attention(q, k, v, is_causal=causal, scale=1.0)
        assert (y - expected).abs().max() < 1e-3
    assert operation(q[..., :0, :], k, v).shape == (2, 3, 0, 8)
    with pytest.raises(ValueError, match="expected 1 to 64 places"):
        operation(q, k[..., :0, :], v[..., :0, :])
    with pytest.raises(ValueError, match="expected 1 to 64 places"):
        operation(*(torch.cat((x, x), -2) for x in (q, k, v)))
    with pytest.raises(ValueError, match="expected equal ones except for places, and 8 numbers"):
        operation(q, k[:, :2], v)


def test_attention_that_is_not_proved() -> None:
    table = {"table": language.tabulate_weights()}
    operation = language.Attention({"size": 8, "keys": 256, "causal": True}, table)
    good = uniform(3, 2.0**-24, 0.9)
    operation.prove(good, good, good)
    for wrong in (
        (uniform(3, 2.0**-28, 1.0), good, good),
        (good, uniform(3, 0.0, 1.0), good),
        (good, good, uniform(3, 2.0**-26, 1.0)),
    ):
        with pytest.raises(Unproved):
            operation.prove(*wrong)


def test_rows_of_an_embedding() -> None:
    weight = torch.randn(5, 3, dtype=torch.float64)
    operation = language.Embedding({}, {"weight": weight})
    operation.prove(uniform(2, 1.0, 4.0))
    x = torch.tensor([[0.0, 4.0], [3.0, 3.0]])
    assert operation(x).equal(weight[x.long()])
    for grid in (uniform(2, 1.0, 5.0), uniform(2, 0.5, 4.0)):
        with pytest.raises(ValueError, match="whole numbers below 5"):
            operation.prove(grid)
    for outside in (-1.0, 5.0):
        with pytest.raises(IndexError):
            operation(torch.full((1, 1), outside))


@pytest.mark.parametrize(
    ("kind", "attributes", "tensors"),
    [
        (language.Tokens, {"ndim": 2, "count": 0}, {}),
        (language.Tokens, {"ndim": 2, "count": True}, {}),
        (language.Embedding, {}, {"weight": torch.ones(3)}),
        (language.Norm, {"size": 2, "centered": True, "coarse": 0.3, "eps": 1e-5}, {}),
        (language.Norm, {"size": 2, "centered": True, "coarse": 0.5, "eps": 0.0}, {}),
        (language.Norm, {"size": 2, "centered": 1, "coarse": 0.5, "eps": 1e-5}, {}),
        (
            language.Norm,
            {"size": 2, "centered": True, "coarse": 0.5, "eps": 1e-5},
            {"weight": torch.ones(3)},
        ),
        (
            language.Attention,
            {"size": 2, "keys": 4, "causal": True},
            {"table": torch.tensor([0.5, 0.0])},
        ),
        (
            language.Attention,
            {"size": 2, "keys": 4, "causal": True},
            {"table": torch.tensor([1.0, -1.0])},
        ),
        (
            language.Attention,
            {"size": 2, "keys": 4, "causal": True},
            {"table": torch.tensor([1.0, 2.0**-30])},
        ),
        (
            language.Attention,
            {"size": 2, "keys": 0, "causal": True},
            {"table": torch.tensor([1.0, 0.0])},
        ),
    ],
)
def test_operations_that_are_none(kind: Any, attributes: Any, tensors: Any) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        kind(attributes, tensors)


def test_norms_of_torch() -> None:
    torch.manual_seed(0)
    x = torch.randn(4, 7, 16) * 3
    layers: list[nn.Module] = [nn.LayerNorm(16), nn.LayerNorm(16, elementwise_affine=False)]
    if hasattr(nn, "RMSNorm"):
        layers += [nn.RMSNorm(16), nn.RMSNorm(16, eps=1e-5, elementwise_affine=False)]
    for layer in layers:
        for parameter in layer.parameters():
            nn.init.normal_(parameter)
        network = exact.convert(layer.eval(), [x], step=2.0**-20)
        with torch.no_grad():
            assert (network(x) - layer(x)).abs().max() < 1e-4
    with pytest.raises(Refused, match="expected the last one alone"):
        exact.convert(nn.LayerNorm((7, 16)).eval(), [x])


def test_a_file_may_not_claim_more_keys() -> None:
    _, network, _ = model("text")
    file = io.BytesIO()
    exact.save(network, file)
    data = file.getvalue().replace(b'keys\\":4096', b'keys\\":9999')
    assert data != file.getvalue()
    with pytest.raises(CorruptStreamError):
        exact.load(io.BytesIO(data))
