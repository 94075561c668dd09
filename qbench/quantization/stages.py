"""The table of stages beside the methods, and what a stage promises. To add one: one file, one line here."""

from __future__ import annotations

from typing import Literal, Protocol

from qbench.core.spec import LayerSpec
from qbench.graph import QuantizedNetwork
from qbench.quantization.observations import Observations
from qbench.registry import Registry

Place = Literal["before", "codes", "rounding", "after"]
"""Where a stage may stand: it changes the float network, makes codes, rounds them anew, or corrects what was made."""


class Stage(Protocol):
    """One step from a network in float32 to a quantized one. Stateless: the same input and seed give the same output.

    Attributes:
        name: the word in recipes.
        version: raised whenever what the stage computes changes: part of the hash under which rows are cached.
        place: where in a recipe it may stand.
        needs_samples: whether it looks at calibration samples (activations that are quantized always do).
    """

    @property
    def name(self) -> str:
        """The word in recipes."""
        ...

    @property
    def version(self) -> int:
        """Raised whenever what the stage computes changes."""
        ...

    @property
    def place(self) -> Place:
        """Where in a recipe it may stand."""
        ...

    @property
    def needs_samples(self) -> bool:
        """Whether it looks at calibration samples."""
        ...

    def supports(self, spec: LayerSpec) -> str | None:
        """Return why the stage cannot take part in making `spec` of a layer, or None."""
        ...

    def apply(self, quantized: QuantizedNetwork, seen: Observations, *, seed: int) -> QuantizedNetwork:
        """Return the network after this stage.

        Args:
            quantized: the network after the stages before; `specs` says what each layer is to become.
            seen: what the calibration samples show of its float network.
            seed: of every random choice.

        Raises:
            QBenchError: the stage cannot do this network or this spec.
        """
        ...


STAGES = Registry(
    "qbench.stages",
    {
        "cle": "qbench.quantization.cle:CrossLayerEqualization",
        "gptq": "qbench.quantization.gptq:Gptq",
        "variance": "qbench.quantization.corrections:Variance",
        "bias": "qbench.quantization.corrections:Bias",
        "both": "qbench.quantization.corrections:Both",
    },
)
