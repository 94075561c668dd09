"""Float32 steps without weights, for calibration and for float parts of a network: sums, clamps, pools."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from qbench.engine.plans.plan import Buffers, Step
from qbench.engine.steps.layers import UNBOUNDED
from qbench.graph.network import Activation, Add, Pool, inputs_of
from qbench.kernels.layout import Layout
from qbench.kernels.tasks import Task, task_of

Layouts = Mapping[str, Layout]


def elementwise_step(node: Add | Activation, layouts: Layouts, operations: int) -> Step:
    """Return the step of a sum of two tensors, or of a clamp."""
    clamp = (node.activation or UNBOUNDED) if isinstance(node, Add) else node.clamp
    limits = (np.float32(clamp.low), np.float32(clamp.high))
    out = layouts[node.output]
    size = (out.height, out.width, out.channels)
    names = (*inputs_of(node), node.output)
    corners = tuple(layouts[name].border[:2] for name in names)
    kernel = "add_f32_f32_f32" if isinstance(node, Add) else "clamp_f32_f32"

    def join(buffers: Buffers) -> Task:
        arguments = (*(_whole(buffers, name, layouts) for name in names), size, corners, limits)
        return task_of(f"qbench.kernels.elementwise.portable:{kernel}", arguments, units=out.height)

    return Step(node.name, f"{kernel}/portable", operations, inputs_of(node), node.output, join, False)


def pool_step(node: Pool, layouts: Layouts, operations: int) -> Step:
    """Return the step of a pool."""
    a, out = layouts[node.input], layouts[node.output]
    kernel = (a.height, a.width) if node.kind == "global_average" else node.kernel
    window = (kernel, node.strides, node.pads[:2])
    sizes = ((a.height, a.width), (out.height, out.width), a.channels)
    corners = (a.border[:2], out.border[:2])
    is_max, include = node.kind == "max", node.count_include_pad

    def join(buffers: Buffers) -> Task:
        x, y = _whole(buffers, node.input, layouts), _whole(buffers, node.output, layouts)
        arguments = (x, y, sizes, corners, window, is_max, include)
        return task_of("qbench.kernels.pool.portable:pool_f32_f32", arguments, units=out.height)

    return Step(node.name, "pool_f32_f32/portable", operations, (node.input,), node.output, join, False)


def _whole(buffers: Buffers, name: str, layouts: Layouts) -> npt.NDArray[np.float32]:
    return buffers[name].view(np.float32).reshape(layouts[name].shape)
