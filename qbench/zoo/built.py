"""Networks that are made on first use and cached: too large to carry, known by the hash of their file."""

from __future__ import annotations

import hashlib
import importlib
from dataclasses import dataclass
from pathlib import Path

from qbench.errors import ModelError
from qbench.zoo.cache import cache_folder, file_sha256, keep


@dataclass(frozen=True, slots=True)
class BuiltModel:
    """A network that a function builds.

    Args:
        name: its name in `qbench.zoo.MODELS`.
        builder: "module:function"; the function takes nothing and returns the bytes of an ONNX model.
        sha256: of those bytes.
        data: name of the data that suits it, as in `qbench.zoo.DATASETS`.
        summary: one line for lists.
    """

    name: str
    builder: str
    sha256: str
    data: str
    summary: str

    @property
    def path(self) -> Path:
        """Where the file lies in the cache; it is made when it is not there or was damaged.

        Raises:
            ModelError: what was built is not the known network, or cannot be kept.
        """
        path = cache_folder() / "models" / self.sha256[:12] / f"{self.name}.onnx"
        if path.is_file() and file_sha256(path) == self.sha256:
            return path
        module, _, function = self.builder.partition(":")
        content: bytes = getattr(importlib.import_module(module), function)()
        found = hashlib.sha256(content).hexdigest()
        if found != self.sha256:
            raise ModelError(f"model '{self.name}': expected sha256 {self.sha256[:12]}..., built {found[:12]}...")
        try:
            keep(path, content)
        except OSError as error:
            raise ModelError(f"{path}: cannot be written: {error.strerror}") from error
        return path


_SEEDED = "seeded weights: speed and agreement only"
RESNET18 = BuiltModel(
    "resnet18-seeded", "qbench.zoo.networks.resnet:resnet18",
    "3bd395a92cdc7d9a8ab3fbe82c292e07dc65b7cf1092e947590d8e7e7d3d2316",
    "smooth-224", f"ResNet-18 (He et al. 2016) for 224 x 224, 11.7 M {_SEEDED}",
)  # fmt: skip
RESNET50 = BuiltModel(
    "resnet50-seeded", "qbench.zoo.networks.resnet:resnet50",
    "4ad987229eb996c5f07f871775fc82b02ef8d25248c365cde6a5d4b171b6070f",
    "smooth-224", f"ResNet-50 (He et al. 2016) for 224 x 224, 25.5 M {_SEEDED}",
)  # fmt: skip
MOBILENET_V2 = BuiltModel(
    "mobilenet_v2-seeded", "qbench.zoo.networks.mobilenet_v2:mobilenet_v2",
    "159aee6e2e0e3f3bb8bc6dc12e34aa5e6359decec64b927d0b3f055216fa9e9d",
    "smooth-224", f"MobileNetV2 (Sandler et al. 2018) for 224 x 224, 3.5 M {_SEEDED}",
)  # fmt: skip
MOBILENET_V2_32 = BuiltModel(
    "mobilenet_v2_32-seeded", "qbench.zoo.networks.mobilenet_v2:mobilenet_v2_32",
    "ccf36932f25846b908bde23c5ab37338142338b19d66d5abfdcc4f7572dbace2",
    "smooth-32", f"MobileNetV2 (Sandler et al. 2018) for 32 x 32, 2.2 M {_SEEDED}",
)  # fmt: skip
MOBILENET_V2_32_UNEQUAL = BuiltModel(
    "mobilenet_v2_32-unequal", "qbench.zoo.networks.mobilenet_v2:mobilenet_v2_32_unequal",
    "82ec11cf95d2987a4c23f60d483b3229a285209a9541ef7bec60087ecd041538",
    "smooth-32", "the same with relus, and channels of unequal sizes between layers: per-tensor scales collapse",
)  # fmt: skip
EFFICIENTNET_LITE0 = BuiltModel(
    "efficientnet_lite0", "qbench.zoo.networks.efficientnet_lite0:efficientnet_lite0",
    "848e3cc4b223053603331a6adaa2647b02689332611248fda1c6ef315f38e064",
    "imagenet-samples", "EfficientNet-Lite0 (2020) for ImageNet, 4.6 M weights out of a package",
)  # fmt: skip
MINILM_BBC = BuiltModel(
    "minilm_l6-bbc", "qbench.zoo.networks.minilm:minilm_bbc",
    "789042c6ae2631900cb49e4bea837b13a2822efe2fb4b4bc94ce8b01b7dc43c5",
    "bbc-news", "all-MiniLM-L6-v2 (2020) for 128 tokens, nearest of five centroids, 22.5 M weights out of a package",
)  # fmt: skip
MINILM_BBC_OUTLIERS = BuiltModel(
    "minilm_l6-bbc-outliers", "qbench.zoo.networks.minilm:minilm_bbc_outliers",
    "e85d34edb2e0c6c9efb1ab68375f3239830af572c0b5fed332cd2c2c70238b42",
    "bbc-news", "the same network and float32 answers, with two channels of what enters layers 64 times as large",
)  # fmt: skip
