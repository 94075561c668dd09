"""A group normalization spelled as an InstanceNormalization between two reshapes becomes an `ImageNorm`."""

from __future__ import annotations

import numpy as np

from qbench.graph.nodes import ImageNorm
from qbench.graph.onnx.draft import Affine, Draft, Raw, UntypedError
from qbench.graph.patterns.web import Web, operator


def fuse_group_norms(web: Web) -> None:
    """Replace every InstanceNormalization of groups of an image's channels, with scale and offset that follow."""
    for node in list(web.nodes):
        if isinstance(node, Raw) and operator(node) == "InstanceNormalization" and len(node.reads) == 1:
            found = _norm(web, node)
            if found is not None:
                web.put(*found)


def _norm(web: Web, node: Raw) -> tuple[ImageNorm, list[Draft]] | None:
    before, after = web.writer(node.reads[0]), web.only_reader(node.output)
    if operator(before) != "Reshape" or operator(after) != "Reshape" or web.only_reader(node.reads[0]) is not node:
        return None
    assert isinstance(before, Raw), "it has an operator"
    assert isinstance(after, Raw), "it has an operator"
    source, grouped = web.shape(before.reads[0]), web.shape(node.reads[0])
    plain = len(source) == 3 and min(source) > 0 and web.shape(after.output) == source and len(after.reads) == 1
    if not plain or len(before.reads) != 1 or not grouped or min(grouped) < 1 or source[0] % grouped[0]:
        return None
    reader = web.reader(node)
    try:
        of_groups = [reader.floats(i, what).reshape(-1) for i, what in ((1, "scale"), (2, "bias"))]
    except UntypedError:
        return None
    groups = grouped[0]
    if any(values.size != groups for values in of_groups):
        return None
    scale, offset = (np.repeat(values, source[0] // groups).astype(np.float64) for values in of_groups)
    region: list[Draft] = [before, node, after]
    while isinstance(affine := web.only_reader(region[-1].output), Affine) and affine.axis in (0, None):
        scale, offset = scale * affine.scale, offset * affine.scale + affine.offset
        region.append(affine)
    scale, offset = (np.broadcast_to(values, source[:1]) for values in (scale, offset))
    made = ImageNorm(
        reader.scope(1), before.reads[0], region[-1].output, np.array(scale, np.float32), np.array(offset, np.float32),
        reader.number("epsilon", 1e-5), groups,
    )  # fmt: skip
    return made, region
