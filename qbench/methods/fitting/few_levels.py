"""What methods of one number format have alike: they quantize weights of its width and of no other."""

from __future__ import annotations

from qbench.core.formats import Binary, Float32, NumberFormat, Ternary
from qbench.core.spec import LayerSpec, QuantSpec, activation_uniform
from qbench.core.tensor import QParams
from qbench.errors import QBenchError
from qbench.methods.activation_stats import ActivationStats
from qbench.methods.method import granularity_reason, mse_activation_reason, refuse
from qbench.methods.mse import MSE


class FewLevels:
    """Weights of one format, activations of `mse`.

    Attributes:
        name: of the method, and of its format in messages.
        format: of weights, and of activations of as many bits.
        only: what the bits of the weights are, in words.
    """

    name: str
    format: Binary | Ternary
    only: str

    def weight_format(self, bits: int) -> NumberFormat:
        """Return the format; raise QBenchError at other widths than its own."""
        if bits != self.format.bits:
            raise QBenchError(f"{self.name}: weights have {self.only}, not {bits}")
        return self.format

    def activation_format(self, bits: int) -> NumberFormat:
        """Return the format at its width, unsigned codes with a zero point at other widths."""
        return self.format if bits == self.format.bits else activation_uniform(bits)

    def supports(self, spec: LayerSpec) -> str | None:
        """Return why the method cannot do `spec`, or None."""
        return (
            self.weights_reason(spec.weights.format)
            or mse_activation_reason(self.name, spec.activations.format)
            or granularity_reason(self.name, spec)
        )

    def weights_reason(self, number_format: NumberFormat) -> str | None:
        """Return why weights cannot have the format, or None."""
        if isinstance(number_format, Float32 | type(self.format)):
            return None
        return f"{self.name}: weights are {self.name}, not in the format {number_format}"

    def activation_params(self, stats: ActivationStats, spec: QuantSpec) -> QParams:
        """Return the parameters of `mse`."""
        refuse(mse_activation_reason(self.name, spec.format))
        return MSE.activation_params(stats, spec)
