"""How a network becomes a quantized one: recipes of stages, and what the stages may look at.

A **recipe** is an ordered list of **stages**, each of which takes a `QuantizedNetwork` and returns another one. It is
written as text, `cle/mse+gptq/bias`: transforms of the float network come first, then the method that chooses ranges
and codes, then `+` another rounding of its codes, then corrections. Stages look at the calibration samples through
`Observations`, which computes what is asked for, of the network so far, once.

To add a stage: one file, one line in `STAGES`. A method that looks only at the weights of one layer belongs to
`qbench.methods`; `PerLayer` makes a stage of it. A quantizer of another tool belongs to `qbench.peers.quantizers`;
`ByQuantizer` makes a stage of it.
"""

from qbench.quantization.observations import Observations
from qbench.quantization.recipe import Recipe, parse_recipe, stage_names
from qbench.quantization.specs import activation_specs, assigned, formats_of, layer_kinds, layer_specs
from qbench.quantization.stages import STAGES, Stage

__all__ = [
    "STAGES",
    "Observations",
    "Recipe",
    "Stage",
    "activation_specs",
    "assigned",
    "formats_of",
    "layer_kinds",
    "layer_specs",
    "parse_recipe",
    "stage_names",
]
