"""CompressAI without what it requires for data sets, training and point clouds.

`pip install --no-deps compressai==1.2.8` brings its models and its coder, which need torch and
SciPy; the rest is imported by modules that are not used here.
"""

import importlib
import importlib.util
import sys
from unittest.mock import MagicMock

UNUSED = [
    "einops",
    "pandas",
    "pytorch_msssim",
    "torch_geometric",
    "torch_geometric.data",
    "torch_geometric.data.datapipes",
    "torch_geometric.transforms",
    "torchvision",
    "torchvision.transforms",
]


def load() -> None:
    """Imports compressai; where something is not installed, it finds a stand-in."""
    absent = [name for name in UNUSED if importlib.util.find_spec(name.split(".")[0]) is None]
    sys.modules.update((name, MagicMock()) for name in absent)
    try:
        importlib.import_module("compressai.models")
    finally:
        for name in absent:
            del sys.modules[name]
