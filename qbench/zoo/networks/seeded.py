"""A network with seeded weights whose batch norms are fitted to images while it is built, layer after layer.

Without the fit, activations of a deep random network grow or die and its times and codes say nothing. With it each
channel has the mean and spread that its batch norm gives it, as in a trained network. There is no accuracy in it.

Random networks magnify small differences, rounding too: with biases around 0 and residuals at half strength 8 bits left
14 dB in the logits of MobileNetV2. Biases around 0.5, residuals at a quarter and blurring windows leave 18 dB.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from qbench.zoo.networks import exact
from qbench.zoo.networks.exporter import Exporter
from qbench.zoo.networks.numbers import Numbers, Reals, rounded
from qbench.zoo.smooth import SCALING, smooth_images

EPSILON = 1e-5
FITTED_IMAGES = 8
LARGEST_EXPONENT = 4  # of two, by which channels are unequal
_SPREAD = 6.0  # of the classifier's weights: logits then spread by 2 or 3
_WEIGHT_BITS = 10  # of a standard deviation: the grid that weights lie on, fine beside 8 bits


@dataclass(frozen=True, slots=True, eq=False)
class Tensor:
    """A tensor of the file, and its values (n, h, w, c) or (n, k) on the images of the fit.

    In the file channel j is 2^exponents_j times as large, where exponents (c,) are given.
    """

    name: str
    values: Reals
    exponents: Reals | None = None

    @property
    def factors(self) -> Reals:
        """What channels of the file's tensor are times those of the values, (c,): powers of two."""
        return np.ones(self.values.shape[-1]) if self.exponents is None else 2.0**self.exponents


class SeededNetwork:
    """Builds and fits at once; every method adds a module and returns its tensor.

    Args:
        name: of the network.
        size: height and width of its images.
        seed: of all weights.
        unequal: whether channels between a clamped convolution and what reads it have drawn sizes, 2^-4 to 2^4. Clamps
            are relus then, since those pass factors on: float32 answers are those of equal channels to the bit.
    """

    def __init__(self, name: str, *, size: int, seed: int, unequal: bool = False) -> None:
        self._name, self._seed, self._unequal = name, seed, unequal
        self._exponents = Numbers(seed + 1)
        self._file = Exporter(name, size=size)
        self._numbers = Numbers(seed)
        images = smooth_images(FITTED_IMAGES, size=size, seed=seed) / 255.0
        self.images = Tensor("images", rounded((images - np.asarray(SCALING[0])) / np.asarray(SCALING[1])))

    def conv(
        self,
        module: str,
        source: Tensor,
        channels: int,
        *,
        kernel: int = 1,
        stride: int = 1,
        groups: int = 1,
        norm: tuple[str, float] | str,
    ) -> Tensor:
        """Add a convolution with its batch norm; padding keeps the size at stride 1.

        Args:
            module: name of the convolution.
            source: what it reads.
            channels: that it writes.
            kernel: height and width of the window.
            stride: of the window.
            groups: 1, or the channels of a depthwise convolution.
            norm: name of the batch norm, and the size of what it gives: below 1 where a residual is added. The name
                alone stands for 1 and a clamp behind it, so that channels may be unequal.
        """
        named, gain = (norm, 1.0) if isinstance(norm, str) else norm
        weight = self._weights(channels, source.values.shape[-1] // groups, kernel, kernel)
        padding = kernel // 2
        values = exact.conv(source.values, weight, stride=stride, padding=padding, groups=groups)
        inputs = source.factors.reshape((-1, 1, 1, 1) if groups > 1 else (1, -1, 1, 1))
        written = (weight / inputs).astype(np.float32)
        name = self._file.conv(module, source.name, written, stride=stride, padding=padding, groups=groups)
        exponents = None
        if isinstance(norm, str) and self._unequal:
            drawn = [self._exponents.index(2 * LARGEST_EXPONENT + 1) - LARGEST_EXPONENT for _ in range(channels)]
            exponents = np.asarray(drawn, np.float64)
        return self._batch_norm(named, Tensor(name, rounded(values), exponents), gain=gain)

    def relu(self, module: str, source: Tensor) -> Tensor:
        """Add max(x, 0)."""
        return Tensor(self._file.relu(module, source.name), np.maximum(source.values, 0), source.exponents)

    def relu6(self, module: str, source: Tensor) -> Tensor:
        """Add min(max(x, 0), 6); max(x, 0) where channels are unequal."""
        if self._unequal:
            return self.relu(module, source)
        return Tensor(self._file.relu6(module, source.name), np.clip(source.values, 0, 6))

    def add(self, module: str, first: Tensor, second: Tensor) -> Tensor:
        """Add a sum."""
        return Tensor(self._file.add(module, first.name, second.name), first.values + second.values)

    def max_pool(self, module: str, source: Tensor) -> Tensor:
        """Add the maximum over windows of 3 x 3 at stride 2."""
        window = {"kernel": 3, "stride": 2, "padding": 1}
        return Tensor(self._file.max_pool(module, source.name, **window), exact.max_pool(source.values, **window))

    def classify(self, pool: str, module: str, source: Tensor, *, classes: int) -> bytes:
        """Add the mean over the image and the classifier; return the ONNX model.

        Its bias takes out what all images have in common, so that different images win different classes.
        """
        features = rounded(source.values.sum(axis=(1, 2)) / math.prod(source.values.shape[1:3]))
        depth = features.shape[-1]
        weight = rounded(self._numbers.normal(classes, depth) * (_SPREAD / math.sqrt(depth)), 2 * _WEIGHT_BITS)
        bias = -(weight @ rounded(features.sum(axis=0) / len(features)))
        mean = self._file.global_average(pool, source.name)
        self._file.linear(module, mean, (weight / source.factors).astype(np.float32), bias.astype(np.float32))
        facts = {"weights": "seeded", "seed": str(self._seed), "recipe": "qbench.zoo.networks"}
        return self._file.to_bytes(classes=classes, metadata=facts)

    def _weights(self, *shape: int) -> Reals:
        """Return normal weights (He et al. 2015) on a grid, so that sums of products are exact.

        Depthwise windows (I / groups is 1) have a mean above zero and so blur, as many trained ones do.
        """
        std = math.sqrt(2.0 / math.prod(shape[1:]))
        drawn = self._numbers.normal(*shape) * std
        blurred = 0.7 * drawn + 0.7 * std if shape[1] == 1 else drawn
        return rounded(blurred, _WEIGHT_BITS - math.floor(math.log2(std)))

    def _batch_norm(self, module: str, source: Tensor, *, gain: float) -> Tensor:
        """Add a batch norm with the statistics of its input, a seeded weight near `gain` and a seeded bias."""
        values = source.values
        channels, count = values.shape[-1], values.size // values.shape[-1]
        mean = (values.sum(axis=(0, 1, 2)) / count).astype(np.float32)
        variance = (np.square(values - rounded(mean)).sum(axis=(0, 1, 2)) / count).astype(np.float32)
        weight = (self._numbers.uniform(channels, low=0.6, high=1.4) * gain).astype(np.float32)
        bias = ((self._numbers.normal(channels) * 0.3 + 0.5) * gain).astype(np.float32)
        given = tuple((part * source.factors).astype(np.float32) for part in (weight, bias))
        name = self._file.batch_norm(module, source.name, (*given, mean, variance), epsilon=EPSILON)
        factor = weight.astype(np.float64) / np.sqrt(variance.astype(np.float64) + EPSILON)
        return Tensor(name, rounded((values - mean) * factor + bias), source.exponents)
