"""What a program that serves a saved network has to know: what is done to images before it, and what its answers mean.

`qbench quantize` writes it beside the network, as `serving.json`, where the network was given pictures. The file names
the `network.json` it belongs to by its hash, so that it can never be taken for another network's.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self, TypeAlias, cast, get_args

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from qbench.engine.saved.network import JSON_NAME, SavedNetwork, load_network
from qbench.errors import DataError, ModelError
from qbench.zoo.dataset import Dataset, as_taken
from qbench.zoo.pixels import fitted, read_images
from qbench.zoo.preprocessing import LARGEST_SIDE, Preprocessing, check_scale

NAME = "serving.json"
Dtype = Literal["float16", "float32", "float64", "uint8", "uint16", "int16", "int32", "int64"]
_DTYPES = get_args(Dtype)
Array = npt.NDArray[Any]
Picture: TypeAlias = "str | os.PathLike[str] | Array"
"""The path of an image, or its pixels: uint8 (h, w, c), or (h, w) where the network takes grey."""


class Serving(BaseModel):
    """What is done to images, in this order: scaled and cut, normalized, put in the network's order of axes."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal["qbench serving"] = "qbench serving"
    version: Literal[1] = 1
    network: str
    """SHA-256 of the `network.json` beside it."""
    height: int = Field(gt=0, le=LARGEST_SIDE)
    width: int = Field(gt=0, le=LARGEST_SIDE)
    channels: Literal["grey", "rgb"]
    """Order of the channels."""
    axes: Literal["nchw", "nhwc"] = "nchw"
    dtype: Dtype = "float32"
    """Floats: (x / 255 - mean) / std; whole numbers: the pixels as they are."""
    mean: tuple[float, ...]
    std: tuple[float, ...]
    scaled: bool = True
    """Whether anybody gave mean and std; where nobody did, they are 0 and 1."""
    resize: tuple[int, ...] | None = None
    """Pixels of the shorter side, or height and width, before the middle is cut out; None for what covers the cut."""
    crop: tuple[int, ...] | None = None
    """Side, or height and width, of that middle; None for the network's own size."""
    classes: tuple[str, ...] = ()
    """Names of the answers, in their order; empty where they are not known."""

    @model_validator(mode="after")
    def _check_channels(self) -> Self:
        count = 3 if self.channels == "rgb" else 1
        if len(self.mean) != count or len(self.std) != count:
            raise ValueError(f"expected mean and std of {count} channels, got {len(self.mean)} and {len(self.std)}")
        return self

    @property
    def how(self) -> Preprocessing:
        """Scaling and cutting."""
        return Preprocessing(resize=self.resize, crop=self.crop)

    def prepared(self, images: Picture | Sequence[Picture]) -> Array:
        """Return images as the network takes them, (n, c, h, w) or (n, h, w, c).

        Args:
            images: one picture or several; an array of several, uint8 (n, h, w, c), too.

        Raises:
            DataError: an image cannot be read, or has other channels than the network takes.
        """
        one = isinstance(images, str | os.PathLike) or (isinstance(images, np.ndarray) and images.ndim < 4)
        several = cast("Sequence[Picture]", [images] if one else images)
        pixels = [self._pixels(image, place) for place, image in enumerate(several)]
        if not pixels:
            return self._taken(np.empty((0, self.height, self.width, len(self.mean)), np.uint8))
        return self._taken(np.concatenate(pixels))

    def _pixels(self, image: Picture, place: int) -> Array:
        """Return one image as uint8 (1, h, w, c) of the network's size."""
        count = len(self.mean)
        if isinstance(image, str | os.PathLike):
            return read_images([Path(image)], shape=(count, self.height, self.width), how=self.how)
        found = np.asarray(image)
        found = found[..., None] if found.ndim == 2 else found
        if found.dtype != np.uint8 or found.ndim != 3 or found.shape[2] != count or not found.size:
            raise DataError(
                f"image {place}: expected a path, or pixels as uint8 (h, w, {count}), got {found.dtype} {found.shape}"
            )
        return fitted(found[None], size=(self.width, self.height), how=self.how, where=f"image {place}")

    def _taken(self, pixels: Array) -> Array:
        return as_taken(pixels, self.mean, self.std, dtype=self.dtype, channels_last=self.axes == "nhwc")


def write_serving(folder: Path, data: object, how: Preprocessing) -> None:
    """Write `serving.json` beside the network in a folder; remove an older one where the data are no pictures.

    Args:
        folder: of a saved network.
        data: what the network was scored on.
        how: scaling and cutting; mean and std are the data's.

    Raises:
        ModelError: the file cannot be written.
    """
    path = folder / NAME
    try:
        if not isinstance(data, Dataset) or data.images.shape[3] not in (1, 3) or data.dtype not in _DTYPES:
            path.unlink(missing_ok=True)
            return
        _, height, width, channels = data.images.shape
        serving = Serving(
            network=_hash(folder), height=height, width=width, channels="rgb" if channels == 3 else "grey",
            axes="nhwc" if data.channels_last else "nchw", dtype=cast(Dtype, data.dtype), mean=data.mean, std=data.std,
            scaled=data.scaled, resize=how.resize, crop=how.crop,
            classes=data.classes,
        )  # fmt: skip
        fresh = path.with_name(f".{NAME}.new")
        fresh.write_text(serving.model_dump_json(indent=1) + "\n", encoding="utf-8")
        fresh.replace(path)
    except OSError as error:
        raise ModelError(f"{path}: cannot write: {error.strerror}") from error


def _hash(folder: Path) -> str:
    return hashlib.sha256((folder / JSON_NAME).read_bytes()).hexdigest()


@dataclass(frozen=True, eq=False)
class ServedNetwork(SavedNetwork):
    """A saved network with what is done to images before it.

    Args:
        serving: None where the network takes no pictures, or was saved before this was kept.
    """

    serving: Serving | None = None

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the answers, in their order; empty where they are not known."""
        return self.serving.classes if self.serving else ()

    def preprocess(self, images: Picture | Sequence[Picture]) -> Array:
        """Return images as `session.run` takes them: read, scaled, cut and normalized as they were when it was scored.

        Args:
            images: paths or pixels, uint8 (h, w, c) of any size; one, or several.

        Raises:
            ModelError: it is not kept what is done to images.
            DataError: an image cannot be read, or has other channels than the network takes.
        """
        if self.serving is None:
            raise ModelError(
                f"expected {NAME} beside the network, found none: it takes no pictures, or was saved by an older qbench"
            )
        return self.serving.prepared(images)


def load(folder: str | Path) -> ServedNetwork:
    """Return the network that `qbench quantize` saved into `folder`, ready to serve.

    Raises:
        ModelError: one line: a file is missing, damaged, cut short, of a newer version, or of another network.
    """
    found, path = load_network(folder), Path(folder) / NAME
    return ServedNetwork(found.quantized, found.facts, found.disk_bytes, _read(path))


def _read(path: Path) -> Serving | None:
    """Return what stands beside a network, None where nothing does."""
    try:
        serving = Serving.model_validate_json(path.read_bytes())
        check_scale("", serving.mean, serving.std)
        assert serving.how is not None
        belongs = serving.network == _hash(path.parent)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ModelError(f"{path}: cannot read: {error.strerror}") from error
    except DataError as error:
        raise ModelError(f"{path}: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ModelError(f"{path}: damaged{f' at {where!r}' if where else ''}: {first['msg']}") from error
    if not belongs:
        raise ModelError(f"{path}: of another network: its hash is not that of {JSON_NAME} beside it")
    return serving
