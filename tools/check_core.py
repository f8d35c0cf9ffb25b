"""Replays the reference streams through the compiled module alone, which needs no torch.

Usage: python tools/check_core.py

Checks the torchac that this Python would import. It decodes each stream and encodes it again, with
its CDF as it was given and as 16-bit integers.
"""

import importlib.machinery
import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import numpy as np

VECTORS = Path(__file__).parents[1] / "tests" / "data" / "reference.npz"


def load_core() -> ModuleType:
    """Returns `torchac._core` without the package around it, which imports torch."""
    package = importlib.util.find_spec("torchac")
    if package is None:
        sys.exit("no torchac is installed here: pip install --no-deps .")
    spec = importlib.machinery.PathFinder.find_spec("_core", package.submodule_search_locations)
    if spec is None or spec.loader is None:
        sys.exit(f"no compiled module in {package.origin}: pip install --no-deps .")
    core = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(core)
    return core


def check(equal: bool, what: str) -> None:
    """Ends the program unless two results are equal."""
    if not equal:
        sys.exit(f"{what} differs from the reference")


def main() -> None:
    """Checks all streams, and prints how many, and the module and the NumPy that were used."""
    core = load_core()
    vectors = np.load(VECTORS)
    cases = json.loads(vectors["index"].tobytes())
    for case in cases:
        name = case["name"]
        sym = vectors[f"{name}/sym"].ravel()
        stream = vectors[f"{name}/stream"].tobytes()
        for part in ("cdf", "cdf_int16"):
            values = vectors[f"{name}/{part}"]
            shape = (*sym.shape, values.shape[-1])
            rows = np.broadcast_to(values.reshape(-1, values.shape[-1]), shape)
            normalize = rows.dtype != np.int16 and case["needs_normalization"]
            cdf = core.Model.of_cdf(rows, normalize, None, False, False)
            decoded = np.full_like(sym, -1)
            core.Decoder([stream]).decode(cdf, decoded)
            check(np.array_equal(decoded, sym), f"{name}, decoded with its {part},")
            encoder = core.Encoder()
            encoder.encode(cdf, sym)
            check(encoder.finish() == [stream], f"{name}, encoded with its {part},")
    print(f"{core.__file__}: {len(cases)} streams, both ways, NumPy {np.__version__}")


if __name__ == "__main__":
    main()
