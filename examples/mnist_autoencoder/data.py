"""Images of handwritten digits, for training and for testing."""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import pad


def load(dataset: str, folder: Path) -> tuple[Tensor, Tensor]:
    """Returns images to train on and to test with, N x 1 x height x width, from 0 to 1."""
    return load_mnist(folder) if dataset == "mnist" else load_digits()


def load_digits() -> tuple[Tensor, Tensor]:
    """Returns the 8 x 8 digits that scikit-learn ships: 1437 and 360 images of 17 grey levels."""
    from sklearn import datasets

    images = torch.from_numpy(datasets.load_digits().images).float()[:, None] / 16
    return images[:1437], images[1437:]


def load_mnist(folder: Path) -> tuple[Tensor, Tensor]:
    """Returns the MNIST images, 60000 and 10000, padded to 32 x 32; downloads them if needed."""
    try:
        from torchvision.datasets import MNIST
    except ImportError:
        sys.exit("--dataset mnist needs torchvision: pip install torchvision")
    train, test = (MNIST(folder, train, download=True).data for train in (True, False))
    return pad(train, (2, 2, 2, 2))[:, None] / 255, pad(test, (2, 2, 2, 2))[:, None] / 255
