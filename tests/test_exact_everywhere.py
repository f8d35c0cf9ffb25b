"""Exact networks give the same numbers in every way in which a process can compute them."""

import json
import os
import subprocess
import sys
from pathlib import Path

import exact_networks
import pytest
import torch

from torchac import exact, testing

GOLDEN = sorted((Path(__file__).parent / "data" / "exact").glob("*.exact"))


def differing(path: Path) -> int:
    """How many outputs of a golden network differ from the stored ones."""
    golden = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    network = exact.load(path)
    outputs = exact_networks.tensors(
        network(*map(exact_networks.inputs, map(tuple, golden["inputs"])))
    )
    wrong = 0
    for y, shape, steps in zip(outputs, golden["shapes"], golden["steps"], strict=True):
        assert list(y.shape) == shape
        wrong += sum(a != b / 1024 for a, b in zip(y.flatten().tolist(), steps, strict=True))
    return wrong


def test_there_is_a_golden_network_of_each_kind() -> None:
    assert {path.stem.replace("_", " ") for path in GOLDEN} == set(exact_networks.NETWORKS)


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_golden_networks_give_golden_numbers(path: Path) -> None:
    assert differing(path) == 0


@pytest.mark.parametrize(
    "settings",
    [
        {"ATEN_CPU_CAPABILITY": "default", "ONEDNN_MAX_CPU_ISA": "SSE41"},
        {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2", "OMP_NUM_THREADS": "3"},
        {"ATEN_CPU_CAPABILITY": "avx512", "ONEDNN_MAX_CPU_ISA": "AVX512_CORE"},
        {"MKL_ENABLE_INSTRUCTIONS": "SSE4_2", "OMP_NUM_THREADS": "1"},
    ],
    ids=lambda settings: " ".join(settings.values()),
)
def test_golden_numbers_in_other_processes(settings: dict[str, str]) -> None:
    """A processor without these instructions, or with other names for them, ignores settings."""
    code = (
        "import sys\n"
        f"sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "import test_exact_everywhere as test\n"
        "print(sum(map(test.differing, test.GOLDEN)))\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **settings},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.split() == ["0"]


@pytest.mark.parametrize("name", exact_networks.NETWORKS)
def test_every_way_gives_the_same(name: str) -> None:
    module, x = exact_networks.make(name)
    network = exact.convert(module, [x])
    expected = exact_networks.tensors(network(*x))
    names = []
    causal = name in exact_networks.CAUSAL
    given = testing.ways(lambda *v: tuple(exact_networks.tensors(network(*v))), x, causal=causal)
    for way, y in given:
        names.append(way)
        assert all(a.equal(b) for a, b in zip(y, expected, strict=True)), way
    assert len(set(names)) == (13 if causal else 12)


def test_ways_find_what_floats_do() -> None:
    """A network of floats gives different numbers in some ways."""
    torch.manual_seed(0)
    network = torch.nn.Sequential(
        torch.nn.Conv2d(16, 64, 3), torch.nn.ReLU(), torch.nn.Conv2d(64, 16, 3)
    ).eval()
    x = torch.randn(8, 16, 12, 12)
    with torch.no_grad():
        expected = network(x)
    same = [way for way, y in testing.ways(network, x) if y.equal(expected)]
    assert "all at once" in same
    assert "autocast" not in same


def test_channels_in_another_order() -> None:
    """The sums are the same in any order of their terms."""
    torch.manual_seed(0)
    one, two = torch.nn.Conv2d(6, 32, 3), torch.nn.Conv2d(32, 4, 3)
    x = exact_networks.inputs((2, 6, 9, 9))
    expected = exact.convert(torch.nn.Sequential(one, two).eval(), [x])(x)
    order = torch.randperm(32)
    with torch.no_grad():
        one.weight.copy_(one.weight[order])
        assert one.bias is not None
        one.bias.copy_(one.bias[order])
        two.weight.copy_(two.weight[:, order])
    assert exact.convert(torch.nn.Sequential(one, two).eval(), [x])(x).equal(expected)
