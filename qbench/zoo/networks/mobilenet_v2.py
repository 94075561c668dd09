"""MobileNetV2 (Sandler et al. 2018): for ImageNet, and with later strides for images of 32 x 32."""

from __future__ import annotations

from qbench.zoo.networks.seeded import SeededNetwork, Tensor

Stages = tuple[tuple[int, int, int, int], ...]  # expansion, channels, blocks, stride of the first
_IMAGENET: Stages = (
    (1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1),
)  # fmt: skip
_SMALL: Stages = (
    (1, 16, 1, 1), (6, 24, 2, 1), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1),
)  # fmt: skip
_GAIN = 0.25  # of what is added to a residual


def mobilenet_v2() -> bytes:
    """Return MobileNetV2 for 224 x 224 with seeded weights as ONNX: 3.5 M weights."""
    return build("mobilenet_v2-seeded", _IMAGENET, size=224, stem_stride=2, classes=1000, seed=2)


def mobilenet_v2_32() -> bytes:
    """Return MobileNetV2 for 32 x 32 and ten classes with seeded weights as ONNX: 2.2 M weights."""
    return build("mobilenet_v2_32-seeded", _SMALL, size=32, stem_stride=1, classes=10, seed=32)


def mobilenet_v2_32_unequal() -> bytes:
    """Return it with relus, and with channels of drawn sizes between layers: one scale per tensor suits none."""
    return build("mobilenet_v2_32-unequal", _SMALL, size=32, stem_stride=1, classes=10, seed=32, unequal=True)


def build(
    name: str, stages: Stages, *, size: int, stem_stride: int, classes: int, seed: int, unequal: bool = False
) -> bytes:
    """Return a network of inverted residuals, from a stem of 32 channels to 1280 before the mean."""
    network = SeededNetwork(name, size=size, seed=seed, unequal=unequal)
    x = _unit(network, "features.0", network.images, 32, kernel=3, stride=stem_stride)
    index = 1
    for expansion, channels, blocks, first_stride in stages:
        for block in range(blocks):
            x = _inverted_residual(
                network, f"features.{index}", x, channels, expansion=expansion, stride=1 if block else first_stride
            )
            index += 1
    x = _unit(network, f"features.{index}", x, 1280)
    return network.classify("pool", "classifier.1", x, classes=classes)


def _unit(
    network: SeededNetwork, module: str, source: Tensor, channels: int, *, kernel: int = 1, stride: int = 1,
    groups: int = 1,
) -> Tensor:  # fmt: skip
    """Add a convolution, its batch norm and relu6, the three modules of a Sequential."""
    x = network.conv(f"{module}.0", source, channels, kernel=kernel, stride=stride, groups=groups, norm=f"{module}.1")
    return network.relu6(f"{module}.2", x)


def _inverted_residual(
    network: SeededNetwork, module: str, source: Tensor, channels: int, *, expansion: int, stride: int
) -> Tensor:
    """Add expansion, depthwise convolution and linear projection, and the residual where shapes allow."""
    given = source.values.shape[-1]
    wide, x, place = given * expansion, source, 0
    if expansion != 1:
        x, place = _unit(network, f"{module}.conv.0", x, wide), 1
    x = _unit(network, f"{module}.conv.{place}", x, wide, kernel=3, stride=stride, groups=wide)
    residual = stride == 1 and given == channels
    x = network.conv(
        f"{module}.conv.{place + 1}", x, channels, norm=(f"{module}.conv.{place + 2}", _GAIN if residual else 1.0)
    )
    return network.add(module, x, source) if residual else x
