"""Makes golden exact networks in tests/data/exact, and their outputs, for networks without one.

Existing ones never change: each release must compute the same numbers from the same file.
"""

import json
import sys
from pathlib import Path

import torch

from torchac import exact

TESTS = Path(__file__).parent.parent / "tests"
sys.path.insert(0, str(TESTS))
import exact_networks  # noqa: E402

if __name__ == "__main__":
    folder = TESTS / "data" / "exact"
    folder.mkdir(exist_ok=True)
    for name in exact_networks.NETWORKS:
        path = folder / f"{name.replace(' ', '_')}.exact"
        if path.exists():
            continue
        module, x = exact_networks.make(name)
        network = exact.convert(module, [x])
        exact.save(network, path)
        outputs = exact_networks.tensors(network(*(v[:1] for v in x)))
        golden = {
            "inputs": [list(v[:1].shape) for v in x],
            "shapes": [list(y.shape) for y in outputs],
            "steps": [(y.flatten() * 1024).to(torch.int64).tolist() for y in outputs],
        }
        path.with_suffix(".json").write_text(json.dumps(golden) + "\n", encoding="utf-8")
        print(f"{path.name}: {path.stat().st_size} bytes")
