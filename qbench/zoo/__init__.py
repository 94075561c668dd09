"""Networks and images that come with qbench, and loaders of those that are fetched or are the user's own.

To add a network: one `PackagedModel` in `packaged.py` or `BuiltModel` in `built.py`, one line in `MODELS`. To add data:
a function `load(*, folder: Path | None) -> Samples`, one line in `DATASETS`; other packages add theirs by the
entry-point group.
"""

from __future__ import annotations

import os
from pathlib import Path

from qbench.errors import DataError, ModelError, suggest
from qbench.registry import Registry
from qbench.zoo.dataset import Dataset, Samples
from qbench.zoo.public import NETWORKS, FromPackage
from qbench.zoo.seeded import is_seeded, load_seeded, parts_of

MODELS = Registry(
    "qbench.models",
    {
        "resnet20": "qbench.zoo.packaged:RESNET20",
        "resnet18-seeded": "qbench.zoo.built:RESNET18",
        "resnet50-seeded": "qbench.zoo.built:RESNET50",
        "mobilenet_v2-seeded": "qbench.zoo.built:MOBILENET_V2",
        "mobilenet_v2_32-seeded": "qbench.zoo.built:MOBILENET_V2_32",
        "mobilenet_v2_32-unequal": "qbench.zoo.built:MOBILENET_V2_32_UNEQUAL",
        "efficientnet_lite0": "qbench.zoo.built:EFFICIENTNET_LITE0",
        "minilm_l6-bbc": "qbench.zoo.built:MINILM_BBC",
        "minilm_l6-bbc-outliers": "qbench.zoo.built:MINILM_BBC_OUTLIERS",
        **{name: f"qbench.zoo.public:{name}" for name in NETWORKS},
    },
)
DATASETS = Registry(
    "qbench.datasets",
    {
        "bbc-news": "qbench.zoo.text.documents:load_bbc_news",
        "cifar10": "qbench.zoo.cifar10_sources:load_whole",
        "cifar10-shard": "qbench.zoo.cifar10:load_shard",
        "imagenet-samples": "qbench.zoo.imagenet_samples:load_samples",
        "smooth-224": "qbench.zoo.smooth:load_224",
        "smooth-32": "qbench.zoo.smooth:load_32",
    },
)

__all__ = ["DATASETS", "MODELS", "Dataset", "Samples", "known_shapes", "load_data", "model_path", "suited_data"]


def model_path(name_or_path: str) -> Path:
    """Return the ONNX file of a packaged network's name or of a path; raise ModelError when there is neither."""
    if name_or_path in MODELS:
        packaged: Path = MODELS.load(name_or_path).path
        return packaged
    path = Path(name_or_path)
    if os.path.isfile(path):
        return path
    raise ModelError(f"model '{name_or_path}': no such file and no packaged network{suggest(name_or_path, MODELS)}")


def known_shapes(name: str) -> dict[str, tuple[int, ...]]:
    """Return the sizes, without the batch, that a packaged network's file leaves free and its data fix."""
    row = NETWORKS.get(name)
    if not isinstance(row, FromPackage) or not row.free:
        return {}
    return {part.name: part.shape for part in parts_of(row.data) if part.name in row.free}


def suited_data(name: str) -> str:
    """Return the name of the data that suits a packaged network, "" for any other."""
    return str(MODELS.load(name).data) if name in MODELS else ""


def data_for(model: str, data: str) -> str:
    """Return the data that were named for a network, else those that suit a packaged one.

    Raises:
        DataError: none were named, and none are known that suit it.
    """
    found = data or suited_data(model)
    if not found:
        raise DataError(f"data: expected a folder, an .npz file or a known name to try '{model}' on, got none")
    return found


def load_data(name: str, *, folder: Path | None = None) -> Samples:
    """Return evaluation data by its name in `DATASETS`, or from the user's own `.npz` file.

    Args:
        name: a name, or the path of an `.npz` file (`qbench.zoo.own_file`).
        folder: where the user keeps the files of `name`; the loader of each name says which.

    Raises:
        DataError: when there is no such data, or it is damaged or of the wrong shape.
    """
    if is_seeded(name):
        return load_seeded(name)
    if name in DATASETS:
        dataset: Samples = DATASETS.load(name)(folder=folder)
        return dataset
    if name.endswith(".npz"):
        from qbench.zoo.own_file import load_npz

        return load_npz(Path(name))
    raise DataError(f"data '{name}': expected a known name or the path of an .npz file{suggest(name, DATASETS)}")
