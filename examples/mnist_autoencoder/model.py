"""A convolutional auto-encoder whose bottleneck is made of integers, and their distribution."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

import torchac


class AutoEncoder(nn.Module):
    """Maps images to few integers, these back to images, and knows what the integers cost.

    Args:
        scales: How often to halve height and width.
        channels: Channels of the bottleneck.
        limit: The integers are from `-limit` to `limit`.
        width: Channels of the layers between.

    Attributes:
        logits: Logarithms of the probabilities of the integers, one row for each channel of the
            bottleneck: a factorized prior, learned together with the layers.
    """

    def __init__(self, scales: int, channels: int, limit: int, width: int) -> None:
        super().__init__()
        self.limit = limit
        self.logits = nn.Parameter(torch.zeros(channels, 2 * limit + 1))
        layers: list[nn.Module] = [nn.Conv2d(1, width, 3, padding=1), nn.ReLU()]
        for _ in range(scales):
            layers += [nn.Conv2d(width, width, 4, stride=2, padding=1), nn.ReLU()]
        self.analysis = nn.Sequential(*layers, nn.Conv2d(width, channels, 1))
        layers = [nn.Conv2d(channels, width, 1), nn.ReLU()]
        for _ in range(scales):
            layers += [nn.ConvTranspose2d(width, width, 4, stride=2, padding=1), nn.ReLU()]
        self.synthesis = nn.Sequential(*layers, nn.Conv2d(width, 1, 3, padding=1), nn.Sigmoid())

    def bottleneck(self, images: Tensor) -> Tensor:
        """Returns real numbers that are to be rounded, N x channels x height x width."""
        return self.limit * torch.tanh(self.analysis(images) / self.limit)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Returns the images after coding, and the bits that each of them costs."""
        values = self.bottleneck(images)
        # Rounding has no useful gradient: the backward pass takes it for the identity.
        rounded = values + (values.round() - values).detach()
        return self.synthesis(rounded), self.bits(values)

    def bits(self, values: Tensor) -> Tensor:
        """Returns the ideal code length of each image once the values are rounded.

        The logits get the gradient of that length. The values get the slope of the cost between
        the two integers next to them, which tells the analysis where values are cheaper.
        """
        costs = -self.logits.log_softmax(-1) / math.log(2)
        channel = channels_of(values)
        exact = costs[channel, values.detach().round().long() + self.limit]
        below = values.detach().floor().clamp(-self.limit, self.limit - 1).long() + self.limit
        slope = (costs[channel, below + 1] - costs[channel, below]).detach()
        return (exact + slope * (values - values.detach())).sum((1, 2, 3))

    def tables(self) -> Tensor:
        """Returns the CDF of each channel of the bottleneck."""
        return torchac.cdf.from_logits(self.logits.detach())


def channels_of(values: Tensor) -> Tensor:
    """Returns which channel each value is of, in the shape of the values."""
    return torch.arange(values.shape[1])[:, None, None].expand_as(values)
