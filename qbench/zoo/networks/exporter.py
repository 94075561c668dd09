"""Write a network as an exporter writes it: convolution, batch normalization and clamp apart, named by module.

Nodes are called `/layer1/layer1.0/conv1/Conv` and weights `layer1.0.conv1.weight`, as PyTorch's exporter does when it
keeps the batch normalizations, so that the importer is exercised as by a user's own file.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
import numpy.typing as npt

from qbench.graph.writing.builder import Builder

Floats = npt.NDArray[np.float32]
Padding = int | Literal["SAME_UPPER"]


class Exporter:
    """Adds nodes by module name; every method returns the tensor that it writes.

    Args:
        name: of the network.
        size: height and width of its images.
    """

    def __init__(self, name: str, *, size: int) -> None:
        self._builder = Builder(name)
        self._size = size
        self._batch_norms = 0

    def conv(
        self, module: str, source: str, weight: Floats, *, stride: int = 1, padding: Padding = 0, groups: int = 1
    ) -> str:
        """Add a convolution without a bias; weight is (O, I / groups, kh, kw)."""
        inputs = [source, self._builder.constant(f"{module}.weight", weight)]
        shape = {"kernel_shape": weight.shape[2:], "strides": (stride, stride), "group": groups}
        if padding == "SAME_UPPER":
            return self._op("Conv", module, inputs, auto_pad=padding, **shape)
        return self._op("Conv", module, inputs, pads=(padding,) * 4, **shape)

    def batch_norm(
        self, module: str, source: str, parameters: tuple[Floats, Floats, Floats, Floats], *, epsilon: float
    ) -> str:
        """Add a batch normalization; the parameters are weight, bias, mean and variance, each (c,)."""
        words = ("weight", "bias", "running_mean", "running_var")
        constants = [
            self._builder.constant(f"{module}.{word}", array) for word, array in zip(words, parameters, strict=True)
        ]
        return self._op("BatchNormalization", module, [source, *constants], epsilon=epsilon)

    def relu(self, module: str, source: str) -> str:
        """Add max(x, 0)."""
        return self._op("Relu", module, [source])

    def relu6(self, module: str, source: str) -> str:
        """Add min(max(x, 0), 6)."""
        bounds = [
            self._builder.constant(f"{word}_bound", np.asarray(value, np.float32))
            for word, value in (("low", 0), ("high", 6))
        ]
        return self._op("Clip", module, [source, *bounds])

    def add(self, module: str, first: str, second: str) -> str:
        """Add the sum of two tensors of one shape."""
        return self._op("Add", module, [first, second])

    def max_pool(self, module: str, source: str, *, kernel: int, stride: int, padding: int) -> str:
        """Add a maximum over windows."""
        shape = {"kernel_shape": (kernel, kernel), "strides": (stride, stride), "pads": (padding,) * 4}
        return self._op("MaxPool", module, [source], **shape)

    def global_average(self, module: str, source: str) -> str:
        """Add the mean over the image, flattened to (batch, c)."""
        pooled = self._op("GlobalAveragePool", module, [source])
        return self._op("Flatten", "", [pooled], axis=1)

    def linear(self, module: str, source: str, weight: Floats, bias: Floats) -> str:
        """Add the classifier, which writes `logits`; weight is (classes, k)."""
        inputs = [source, self._constant(f"{module}.weight", weight), self._constant(f"{module}.bias", bias)]
        return self._builder.op("Gemm", inputs, "logits", name=_node(module, "Gemm"), transB=1)

    def to_bytes(self, *, classes: int, metadata: Mapping[str, str]) -> bytes:
        """Return the ONNX model from `images` to `logits`."""
        return self._builder.to_bytes(
            inputs={"images": (3, self._size, self._size)}, outputs={"logits": (classes,)}, metadata=metadata
        )

    def _constant(self, name: str, array: Floats) -> str:
        return self._builder.constant(name, array)

    def _op(self, op: str, module: str, inputs: list[str], **attributes: object) -> str:
        name = _node(module, op)
        return self._builder.op(op, inputs, f"{name}_output_0", name=name, **attributes)  # type: ignore[arg-type]


def _node(module: str, op: str) -> str:
    """Return the node name of a module: each of its parents in turn, then the operator."""
    parts = module.split(".") if module else []
    return "/" + "/".join([*(".".join(parts[: i + 1]) for i in range(len(parts))), op])
