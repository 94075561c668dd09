"""Well-known networks that no library carries in the form in which they are shared: written after their papers."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from qbench.zoo.public.architectures.built import Built
from qbench.zoo.public.architectures.images import last_layer, of_images
from qbench.zoo.public.architectures.libraries import library


class ShortcutA(nn.Module):  # type: ignore[misc]
    """Every second pixel, and zeros for the channels that are new (He et al. 2016, option A)."""

    def __init__(self, added: int) -> None:
        super().__init__()
        self.added = added

    def forward(self, x: Any) -> Any:
        """Return (n, c + added, h / 2, w / 2)."""
        half = self.added // 2
        return nn.functional.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, half, half))


class BasicBlock(nn.Module):  # type: ignore[misc]
    """Two convolutions of 3 x 3 beside a shortcut without weights."""

    def __init__(self, before: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(before, width, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.shortcut = ShortcutA(width - before) if stride > 1 else nn.Sequential()

    def forward(self, x: Any) -> Any:
        """Return the sum of both ways."""
        y = nn.functional.relu(self.bn1(self.conv1(x)))
        return nn.functional.relu(self.bn2(self.conv2(y)) + self.shortcut(x))


def resnet_option_a(depth: str) -> Built:
    """Return a ResNet for 32 x 32 images with shortcuts of option A: the CIFAR ResNet of depth 20, 32, 44 or 56."""
    blocks: list[nn.Module] = []
    before = 16
    for width in (16, 32, 64):
        for index in range((int(depth) - 2) // 6):
            blocks.append(BasicBlock(before, width, 2 if width > 16 and not index else 1))
            before = width
    stem = [nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU()]
    head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10)]
    return of_images(nn.Sequential(*stem, *blocks, *head), size=32)


def vgg16_32() -> Built:
    """Return VGG-16 with batch norms for 32 x 32 images: its thirteen convolutions and one linear layer."""
    vgg = library("torchvision.models.vgg")
    features = vgg.make_layers(vgg.cfgs["D"], batch_norm=True)
    return of_images(nn.Sequential(features, nn.Flatten(), nn.Linear(512, 10)), size=32)


def _twice(before: int, width: int) -> nn.Module:
    steps: list[nn.Module] = []
    for channels in (before, width):
        steps += [nn.Conv2d(channels, width, 3, 1, 1), nn.BatchNorm2d(width), nn.ReLU()]
    return nn.Sequential(*steps)


class UNet(nn.Module):  # type: ignore[misc]
    """U-Net (Ronneberger et al. 2015): down by maxima, up by transposed convolutions or by interpolation."""

    def __init__(self, width: int, *, upsample: str) -> None:
        super().__init__()
        widths = [width << level for level in range(5)]
        self.down = nn.ModuleList(map(_twice, [3, *widths[:-1]], widths))
        self.up = nn.ModuleList(_up(wide, wide // 2, upsample) for wide in widths[:0:-1])
        self.join = nn.ModuleList(_twice(wide, wide // 2) for wide in widths[:0:-1])
        self.head = nn.Conv2d(width, 2, 1)

    def forward(self, x: Any) -> Any:
        """Return the scores (n, 2, h, w)."""
        kept = []
        for index, block in enumerate(self.down):
            x = block(nn.functional.max_pool2d(x, 2) if index else x)
            kept.append(x)
        for up, join, beside in zip(self.up, self.join, kept[-2::-1], strict=True):
            x = join(torch.cat([beside, up(x)], 1))
        return self.head(x)


def _up(before: int, width: int, kind: str) -> nn.Module:
    if kind == "transposed":
        return nn.ConvTranspose2d(before, width, 2, 2)
    wider = nn.Upsample(scale_factor=2, mode=kind, **({"align_corners": True} if kind == "bilinear" else {}))
    return nn.Sequential(wider, nn.Conv2d(before, width, 1))


def unet(upsample: str) -> Built:
    """Return a U-Net of 16 channels for images of 128 x 128."""
    return of_images(UNet(16, upsample=upsample), size=128, output="scores", centred=False)


class Tagger(nn.Module):  # type: ignore[misc]
    """A recurrent network that gives a class to every word."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.embedding = nn.Embedding(8000, 128)
        self.recurrent = {"lstm": nn.LSTM, "gru": nn.GRU}[kind](
            128, 128, num_layers=2, batch_first=True, bidirectional=True
        )
        self.head = nn.Linear(256, 17)

    def forward(self, ids: Any) -> Any:
        """Return the logits (n, words, 17)."""
        return self.head(self.recurrent(self.embedding(ids))[0])


def tagger(kind: str) -> Built:
    """Return a tagger of two layers in both directions over 32 words."""
    return Built(Tagger(kind), (torch.randint(0, 8000, (2, 32)),), ("input_ids",), ("logits",))


def keywords() -> Built:
    """Return a DS-CNN for spoken keywords (Zhang et al. 2017) over 49 x 10 features."""
    steps: list[nn.Module] = [nn.Conv2d(1, 64, (10, 4), 2, (5, 1), bias=False), nn.BatchNorm2d(64), nn.ReLU()]
    for _ in range(4):
        for conv in (nn.Conv2d(64, 64, 3, 1, 1, groups=64, bias=False), nn.Conv2d(64, 64, 1, bias=False)):
            steps += [conv, nn.BatchNorm2d(64), nn.ReLU()]
    module = nn.Sequential(*steps, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 12))
    return Built(module, (torch.zeros(2, 1, 49, 10),), ("features",), ("logits",), last_layer(module))


def tabular() -> Built:
    """Return a perceptron of three layers over 20 numbers."""
    module = nn.Sequential(nn.Linear(20, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, 4))
    return Built(module, (torch.randn(2, 20),), ("features",), ("logits",), last_layer(module))


def autoencoder() -> Built:
    """Return a convolutional autoencoder whose answer is an image."""
    down = [nn.Conv2d(3, 32, 4, 2, 1), nn.ReLU(), nn.Conv2d(32, 64, 4, 2, 1), nn.ReLU()]
    up = [nn.ConvTranspose2d(64, 32, 4, 2, 1), nn.ReLU(), nn.ConvTranspose2d(32, 3, 4, 2, 1), nn.Sigmoid()]
    return of_images(nn.Sequential(*down, *up), size=64, output="images_out", centred=False)


def super_resolution() -> Built:
    """Return ESPCN (Shi et al. 2016): convolutions, then depth to space, three times as large."""
    body = [nn.Conv2d(3, 64, 5, 1, 2), nn.ReLU(), nn.Conv2d(64, 32, 3, 1, 1), nn.ReLU()]
    module = nn.Sequential(*body, nn.Conv2d(32, 27, 3, 1, 1), nn.PixelShuffle(3))
    return of_images(module, size=64, output="images_out", centred=False)
