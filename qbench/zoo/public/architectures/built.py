"""What a builder of an architecture hands to the exporter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, eq=False)
class Built:
    """A module with seeded weights, and how it is called.

    Args:
        module: in evaluation mode after `torch_export.settle`.
        inputs: example tensors, in the order of the module's arguments; the batch is their first axis.
        input_names: a name for each.
        output_names: a name for each output.
        classifier: dotted name of the layer that gives the logits of images; its outputs are spread and centred,
            "" where there is no such layer.
    """

    module: Any
    inputs: tuple[Any, ...]
    input_names: tuple[str, ...]
    output_names: tuple[str, ...]
    classifier: str = ""
