"""`brecq`, `qdrop`, `lsq`: what is learned a block at a time, by gradients, in torch (extra `train`).

The loop and what it minimizes are in `blocks/reconstruct.py`. Sources: Li et al. 2021, "BRECQ: pushing the limit of
post-training quantization by block reconstruction", 3.2; Wei et al. 2022, "QDrop: randomly dropping quantization for
extremely low-bit post-training quantization", 3.4; Esser et al. 2020, "Learned step size quantization", 2.1, whose
scaling of the gradient is left to Adam. Left out of BRECQ: the Fisher weights of a block's outputs.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from importlib.util import find_spec
from typing import TYPE_CHECKING, ClassVar

from qbench.core.formats import Float32, Ternary, Uniform
from qbench.core.granularity import Dynamic
from qbench.core.spec import LayerSpec
from qbench.errors import MachineError
from qbench.graph import QuantizedNetwork
from qbench.quantization.equal_steps import equal_steps_reason, moved_steps_reason
from qbench.quantization.observations import Observations
from qbench.quantization.stages import Place

if TYPE_CHECKING:
    from qbench.quantization.blocks.reconstruct import How


class _Reconstruction(ABC):
    """Learn block after block."""

    name: ClassVar[str]
    version: ClassVar[int] = 1
    place: ClassVar[Place] = "rounding"
    needs_samples: ClassVar[bool] = True

    @abstractmethod
    def how(self) -> How:
        """Return what is learned."""

    def supports(self, spec: LayerSpec) -> str | None:
        """Return why weights or activations of `spec` have no steps to be learned on, or None."""
        if not isinstance(spec.activations.format, Float32 | Uniform | Ternary):
            return f"{self.name}: activations need equal steps, not the format {spec.activations.format}"
        if isinstance(spec.activations.granularity, Dynamic):
            return f"{self.name}: activations need steps that are known before, not dynamic ones"
        return equal_steps_reason(self.name, spec.weights)

    def apply(self, quantized: QuantizedNetwork, seen: Observations, *, seed: int) -> QuantizedNetwork:
        """Return the network with other codes, steps or both.

        Raises:
            MachineError: torch is not installed.
        """
        if find_spec("torch") is None:
            raise MachineError(f"{self.name}: it learns in torch, which is not installed: pip install 'qbench[train]'")
        from qbench.quantization.blocks.reconstruct import reconstructed  # with torch, which takes a second

        return reconstructed(quantized, seen, self.how(), seed=seed)


class Brecq(_Reconstruction):
    """Learn up or down for every weight of a block at once, and the steps of its activations."""

    name: ClassVar[str] = "brecq"

    def how(self) -> How:
        """Return what is learned."""
        from qbench.quantization.blocks.reconstruct import How

        return How(rounding=True)


class Qdrop(_Reconstruction):
    """As `brecq`, with half of the activations left float at random while a block is learned."""

    name: ClassVar[str] = "qdrop"

    def how(self) -> How:
        """Return what is learned."""
        from qbench.quantization.blocks.reconstruct import How

        return How(rounding=True, drop=0.5)


class Lsq(_Reconstruction):
    """Learn the steps of weights and activations, block after block; codes are rounded to nearest on them."""

    name: ClassVar[str] = "lsq"

    def supports(self, spec: LayerSpec) -> str | None:
        """Return why weights or activations of `spec` have no steps to be moved, or None."""
        return super().supports(spec) or moved_steps_reason(self.name, spec.weights)

    def how(self) -> How:
        """Return what is learned."""
        from qbench.quantization.blocks.reconstruct import How

        return How(rounding=False, rate=1e-3)
