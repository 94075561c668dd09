"""Detectors: backbones with their heads, up to the tensors that a program outside the network sorts into boxes."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from qbench.zoo.public.architectures.built import Built
from qbench.zoo.public.architectures.images import of_images
from qbench.zoo.public.architectures.libraries import library


class Heads(nn.Module):  # type: ignore[misc]
    """A detector of torchvision without its anchors and its suppression of doubles."""

    def __init__(self, name: str) -> None:
        super().__init__()
        network = getattr(library("torchvision.models.detection"), name)(weights=None, weights_backbone=None)
        self.backbone, self.head = network.backbone, network.head

    def forward(self, images: Any) -> Any:
        """Return the logits of classes (n, anchors, classes) and the boxes (n, anchors, 4)."""
        found = self.head(list(self.backbone(images).values()))
        return found["cls_logits"], found["bbox_regression"]


def heads(name: str) -> Built:
    """Return SSD or RetinaNet of torchvision."""
    built = of_images(Heads(name), size=320, centred=False)
    return Built(built.module, built.inputs, built.input_names, ("class_logits", "boxes"))


def _conv(before: int, width: int, kernel: int = 1, stride: int = 1) -> nn.Module:
    steps = [nn.Conv2d(before, width, kernel, stride, kernel // 2, bias=False), nn.BatchNorm2d(width), nn.SiLU()]
    return nn.Sequential(*steps)


class Split(nn.Module):  # type: ignore[misc]
    """Half of the channels go on, half through residual blocks, whose every step is kept and joined."""

    def __init__(self, before: int, width: int, *, blocks: int, added: bool) -> None:
        super().__init__()
        half = width // 2
        self.first = _conv(before, width)
        self.blocks = nn.ModuleList(nn.Sequential(_conv(half, half, 3), _conv(half, half, 3)) for _ in range(blocks))
        self.last = _conv((2 + blocks) * half, width)
        self.added = added

    def forward(self, x: Any) -> Any:
        """Return (n, width, h, w)."""
        parts = list(self.first(x).chunk(2, 1))
        for block in self.blocks:
            step = block(parts[-1])
            parts.append(parts[-1] + step if self.added else step)
        return self.last(torch.cat(parts, 1))


class Pyramid(nn.Module):  # type: ignore[misc]
    """One convolution, three maxima over 5 x 5, all joined."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first, self.last = _conv(width, width // 2), _conv(2 * width, width)

    def forward(self, x: Any) -> Any:
        """Return (n, width, h, w)."""
        parts = [self.first(x)]
        for _ in range(3):
            parts.append(nn.functional.max_pool2d(parts[-1], 5, 1, 2))
        return self.last(torch.cat(parts, 1))


class Yolo(nn.Module):  # type: ignore[misc]
    """A one-stage detector without anchors: SiLU, split blocks, a pyramid up and down, boxes as distributions."""

    BINS, CLASSES = 16, 80

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(_conv(3, 16, 3, 2), _conv(16, 32, 3, 2), Split(32, 32, blocks=1, added=True))
        self.p3 = nn.Sequential(_conv(32, 64, 3, 2), Split(64, 64, blocks=2, added=True))
        self.p4 = nn.Sequential(_conv(64, 128, 3, 2), Split(128, 128, blocks=2, added=True))
        self.p5 = nn.Sequential(_conv(128, 256, 3, 2), Split(256, 256, blocks=1, added=True), Pyramid(256))
        self.up4, self.up3 = Split(384, 128, blocks=1, added=False), Split(192, 64, blocks=1, added=False)
        self.down4, self.down5 = _conv(64, 64, 3, 2), _conv(128, 128, 3, 2)
        self.out4, self.out5 = Split(192, 128, blocks=1, added=False), Split(384, 256, blocks=1, added=False)
        self.boxes = nn.ModuleList(_branch(width, 4 * self.BINS) for width in (64, 128, 256))
        self.scores = nn.ModuleList(_branch(width, self.CLASSES) for width in (64, 128, 256))

    def forward(self, images: Any) -> Any:
        """Return boxes as distances and scores (n, 4 + classes, cells)."""
        p3 = self.p3(self.stem(images))
        p4 = self.p4(p3)
        p5 = self.p5(p4)
        n4 = self.up4(torch.cat([nn.functional.interpolate(p5, scale_factor=2.0), p4], 1))
        n3 = self.up3(torch.cat([nn.functional.interpolate(n4, scale_factor=2.0), p3], 1))
        n4 = self.out4(torch.cat([self.down4(n3), n4], 1))
        levels = (n3, n4, self.out5(torch.cat([self.down5(n4), p5], 1)))
        boxes = torch.cat([head(level).flatten(2) for head, level in zip(self.boxes, levels, strict=True)], 2)
        scores = torch.cat([head(level).flatten(2) for head, level in zip(self.scores, levels, strict=True)], 2)
        bins = boxes.reshape(boxes.shape[0], 4, self.BINS, -1).softmax(2)
        places = torch.arange(self.BINS, dtype=torch.float32).reshape(1, 1, -1, 1)
        return torch.cat([(bins * places).sum(2), scores.sigmoid()], 1)


def _branch(width: int, channels: int) -> nn.Module:
    return nn.Sequential(_conv(width, 64, 3), _conv(64, 64, 3), nn.Conv2d(64, channels, 1))


def yolo() -> Built:
    """Return a small detector for images of 320 x 320."""
    return of_images(Yolo(), size=320, output="predictions", centred=False)
