"""The networks that come with qbench: an ONNX file each, with its recipe and declared accuracy in its metadata."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

_FOLDER = Path(__file__).parent / "models"


@dataclass(frozen=True, slots=True)
class PackagedModel:
    """A network of the package.

    Args:
        file: name of the ONNX file in `qbench/zoo/models`.
        data: name of the data that it was trained for, as in `qbench.zoo.DATASETS`.
        summary: one line for lists.
    """

    file: str
    data: str
    summary: str

    @property
    def path(self) -> Path:
        """Where the file lies."""
        return _FOLDER / self.file


RESNET20 = PackagedModel("resnet20_cifar10.onnx", "cifar10", "ResNet-20 (He et al. 2016) for CIFAR-10, 272 k weights")
