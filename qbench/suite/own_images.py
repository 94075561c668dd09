"""The keys of a suite that say what is done to pixels of the user's own images, and what is fixed of inputs."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from qbench.errors import DataError
from qbench.graph.nodes import Given
from qbench.graph.readers import parse_shape
from qbench.suite.axes import ListOf, Shapes, Word
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


class Described(OwnImages):
    """What is fixed of a network's inputs beside its file."""

    shapes: Shapes = Field(default={})
    """Input -> sizes without the batch, e.g. `x: 3x48x192`, for inputs that the network's file leaves free."""
    bind: dict[Word, float] = Field(default={})
    """Input -> the one number that it always is, e.g. `sr: 16000`; it is no input then."""

    @property
    def given(self) -> dict[str, Given]:
        """Return what is said of inputs: the sizes that `shapes` gives, and the numbers that `bind` does."""
        return {**{name: parse_shape(text) for name, text in self.shapes.items()}, **self.bind}
