"""Read the batch normalizations of an ONNX file beside a network that shows what they write."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from qbench.errors import ModelError
from qbench.graph.nodes import Given
from qbench.graph.norms import Norm, Normed
from qbench.graph.onnx.bound import with_bound
from qbench.graph.onnx.file import read_file
from qbench.graph.onnx.read import named_error, network_and_names
from qbench.graph.readers import NO_SHAPES


def read_norms(path: Path, *, shapes: Mapping[str, Given] = NO_SHAPES) -> Normed:
    """Return the batch normalizations of a file; raise ModelError where it cannot be read."""
    try:
        file, sizes = with_bound(read_file(path), shapes)
        norms: dict[str, Norm] = {}
        for node in file.nodes:
            numbers = [file.constants.get(name) for name in node.input[1:3]]
            if node.op_type == "BatchNormalization" and all(array is not None for array in numbers):
                scale, bias = (np.asarray(array, np.float32) for array in numbers)
                norms[node.output[0]] = Norm(bias, np.abs(scale))
        shown = (*file.outputs, *(tensor for tensor in norms if tensor not in file.outputs))
        network, _ = network_and_names(replace(file, outputs=shown), path.stem, shapes=sizes)
    except ModelError as error:
        raise named_error(path, error) from error
    return Normed(network, norms)
