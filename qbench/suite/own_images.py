"""The keys of a suite that say what is done to the pixels of the user's own images."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from qbench.errors import DataError
from qbench.suite.axes import ListOf
from qbench.suite.base import Strict
from qbench.zoo.preprocessing import Preprocessing


class OwnImages(Strict):
    """What is done to the pixels of the user's own images; numbers for each channel are on a scale of 0 to 1."""

    mean: ListOf[float] | None = None
    """Mean of each channel, to normalize your own images with."""
    std: ListOf[float] | None = None
    """Standard deviation of each channel."""
    resize: ListOf[Annotated[int, Field(ge=1)]] | None = None
    """Pixels of the shorter side, or [height, width], that images are scaled to before they are cut."""
    crop: ListOf[Annotated[int, Field(ge=1)]] | None = None
    """Side, or [height, width], of the middle that is cut out of images; the network's size where it is left out."""

    @model_validator(mode="after")
    def _check_images(self) -> OwnImages:
        try:
            assert self.how is not None
        except DataError as error:
            raise ValueError(str(error)) from error
        return self

    @property
    def how(self) -> Preprocessing:
        """The same as one value; raise DataError for numbers on another scale."""
        return Preprocessing.of(self.mean, self.std, self.resize, self.crop)
