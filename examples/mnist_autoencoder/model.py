"""A convolutional auto-encoder with integers in its bottleneck, and their learned distribution."""

from __future__ import annotations

import io
import math

import torch
from torch import Tensor, nn

import torchac


class AutoEncoder(nn.Module):
    """Turns images into a few integers and back, and computes what the integers cost.

    Args:
        scales: How often height and width are halved.
        channels: Channels of the bottleneck.
        limit: The integers lie between `-limit` and `limit`.
        width: Channels of the layers in between.

    Attributes:
        logits: Logarithms of the probabilities of the integers, plus any constant; a row for each
            channel of the bottleneck. They are learned together with the layers.
    """

    def __init__(self, scales: int, channels: int = 4, limit: int = 8, width: int = 32) -> None:
        super().__init__()
        self.limit = limit
        self.logits = nn.Parameter(torch.zeros(channels, 2 * limit + 1))

        layers: list[nn.Module] = [nn.Conv2d(1, width, 3, padding=1), nn.ReLU()]
        for _ in range(scales):
            layers += [nn.Conv2d(width, width, 4, stride=2, padding=1), nn.ReLU()]
        spread = nn.BatchNorm2d(channels)
        nn.init.constant_(spread.weight, 2)  # or all values begin near 0, and are rounded to it
        self.analysis = nn.Sequential(*layers, nn.Conv2d(width, channels, 1), spread)

        layers = [nn.Conv2d(channels, width, 1), nn.ReLU()]
        for _ in range(scales):
            layers += [nn.ConvTranspose2d(width, width, 4, stride=2, padding=1), nn.ReLU()]
        self.synthesis = nn.Sequential(*layers, nn.Conv2d(width, 1, 3, padding=1), nn.Sigmoid())

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Returns the images as they are after coding, and the bits that each of them takes."""
        values = self.bottleneck(images)
        # Rounding has the slope 0 nearly everywhere; training takes it as 1.
        rounded = values + (values.round() - values).detach()
        return self.synthesis(rounded), self.bits(values)

    def bottleneck(self, images: Tensor) -> Tensor:
        """Returns the values that are then rounded, of shape N x channels x height x width."""
        return self.limit * torch.tanh(self.analysis(images) / self.limit)

    def bits(self, values: Tensor) -> Tensor:
        """Returns the ideal code length of each image, once its values are rounded.

        The logits get exactly its gradient. The values get the slope of the cost between their two
        neighbouring integers instead, and so move to where integers are cheaper.
        """
        costs = -self.logits.log_softmax(-1) / math.log(2)
        channel = channels_of(values)
        steps = values.detach() + self.limit
        below = steps.floor().clamp(max=2 * self.limit - 1).long()
        slope = (costs[channel, below + 1] - costs[channel, below]).detach()
        exact = costs[channel, steps.round().long()]
        return (exact + slope * (values - values.detach())).sum((1, 2, 3))

    def to_file(self, values: Tensor) -> bytes:
        """Returns a file of rounded values, which only a model with the same weights can read."""
        file = io.BytesIO()
        with torchac.Writer(file, model_id=torchac.fingerprint(self.state_dict())) as writer:
            writer.write(self.prior(), values)
        return file.getvalue()

    def from_file(self, file: bytes) -> Tensor:
        """Returns the values of a file."""
        weights = torchac.fingerprint(self.state_dict())
        values: Tensor = torchac.Reader(io.BytesIO(file), model_id=weights).read(self.prior())
        return values

    def prior(self) -> torchac.Tables:
        """Returns the distribution of the integers of each channel."""
        rows = torchac.Categorical(logits=self.logits.detach()[:, None, None]).tabulate().cdf
        return torchac.Tables(rows, low=-self.limit, bounds=(-self.limit, self.limit))


def channels_of(values: Tensor) -> Tensor:
    """Returns the channel of each value, in the shape of the values."""
    channels = torch.arange(values.shape[1], device=values.device)
    return channels[:, None, None].expand_as(values)
