"""CompressAI without its requirements for data sets, training and point clouds.

Its models and its coder need torch and SciPy. Only modules that are not used import the rest.
"""

import importlib
import importlib.util
import sys
from unittest.mock import MagicMock

HOW = "pip install scipy && pip install --no-deps compressai==1.2.8"
UNUSED = [
    "PIL",
    "einops",
    "pandas",
    "pytorch_msssim",
    "requests",
    "torch_geometric",
    "torch_geometric.data",
    "torch_geometric.data.datapipes",
    "torch_geometric.transforms",
    "torchvision",
    "torchvision.transforms",
    "tqdm",
]


def installed() -> bool:
    """Whether everything that is used is installed."""
    return all(importlib.util.find_spec(name) is not None for name in ("compressai", "scipy"))


def load() -> None:
    """Imports compressai, with stand-ins for packages that are not installed."""
    absent = [name for name in UNUSED if importlib.util.find_spec(name.split(".")[0]) is None]
    sys.modules.update((name, MagicMock()) for name in absent)
    try:
        importlib.import_module("compressai.models")
    finally:
        for name in absent:
            del sys.modules[name]
