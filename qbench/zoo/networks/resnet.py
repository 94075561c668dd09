"""ResNet-18 and ResNet-50 (He et al. 2016) for ImageNet, with the strides of torchvision's version ("v1.5")."""

from __future__ import annotations

from collections.abc import Callable

from qbench.zoo.networks.seeded import SeededNetwork, Tensor

Block = Callable[[SeededNetwork, str, Tensor, int, int], Tensor]
_GAIN = 0.25  # of what is added to a residual


def resnet18() -> bytes:
    """Return ResNet-18 with seeded weights as ONNX: 11.7 M weights."""
    return resnet("resnet18-seeded", basic, depths=(2, 2, 2, 2), widths=(64, 128, 256, 512), seed=18)


def resnet50() -> bytes:
    """Return ResNet-50 with seeded weights as ONNX: 25.5 M weights."""
    return resnet("resnet50-seeded", bottleneck, depths=(3, 4, 6, 3), widths=(64, 128, 256, 512), seed=50)


def resnet(
    name: str, block: Block, *, depths: tuple[int, ...], widths: tuple[int, ...], seed: int, size: int = 224,
    classes: int = 1000,
) -> bytes:  # fmt: skip
    """Return a residual network: `depths[i]` blocks of `widths[i]`, each stage but the first at stride 2."""
    network = SeededNetwork(name, size=size, seed=seed)
    x = network.conv("conv1", network.images, widths[0], kernel=7, stride=2, norm="bn1")
    x = network.max_pool("maxpool", network.relu("relu", x))
    for stage, (depth, width) in enumerate(zip(depths, widths, strict=True), start=1):
        for index in range(depth):
            x = block(network, f"layer{stage}.{index}", x, width, 2 if stage > 1 and not index else 1)
    return network.classify("avgpool", "fc", x, classes=classes)


def basic(network: SeededNetwork, module: str, source: Tensor, width: int, stride: int) -> Tensor:
    """Add two 3 x 3 convolutions and the shortcut."""
    x = network.conv(f"{module}.conv1", source, width, kernel=3, stride=stride, norm=f"{module}.bn1")
    x = network.relu(f"{module}.relu", x)
    x = network.conv(f"{module}.conv2", x, width, kernel=3, norm=(f"{module}.bn2", _GAIN))
    return _joined(network, module, x, source, stride)


def bottleneck(network: SeededNetwork, module: str, source: Tensor, width: int, stride: int) -> Tensor:
    """Add 1 x 1, 3 x 3 and 1 x 1 convolutions, the last four times as wide, and the shortcut."""
    x = network.relu(f"{module}.relu", network.conv(f"{module}.conv1", source, width, norm=f"{module}.bn1"))
    x = network.conv(f"{module}.conv2", x, width, kernel=3, stride=stride, norm=f"{module}.bn2")
    x = network.relu(f"{module}.relu_1", x)
    x = network.conv(f"{module}.conv3", x, 4 * width, norm=(f"{module}.bn3", _GAIN))
    return _joined(network, module, x, source, stride)


def _joined(network: SeededNetwork, module: str, x: Tensor, source: Tensor, stride: int) -> Tensor:
    """Add the shortcut, projected where the shape changes, and the last relu."""
    channels = x.values.shape[-1]
    shortcut = source
    if stride != 1 or source.values.shape[-1] != channels:
        shortcut = network.conv(
            f"{module}.downsample.0", source, channels, stride=stride, norm=f"{module}.downsample.1"
        )
    return network.relu(f"{module}.relu_2", network.add(module, x, shortcut))
