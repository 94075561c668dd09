"""The step of a normalization of images: float32 in, float32 or u8 codes out."""

from __future__ import annotations

import numpy as np

from qbench.engine.container import Container
from qbench.engine.plans.plan import Buffers, Step
from qbench.engine.steps.tokens import Layouts, ends_of, numbers_of, reals_of, suffix
from qbench.graph import ImageNorm
from qbench.kernels.layout import Layout
from qbench.kernels.tasks import Task, task_of

NORMS = "qbench.kernels.tokens.image_norms"


def image_norm_step(
    node: ImageNorm, ends: tuple[str, str], layouts: Layouts, box: Container | None, operations: int
) -> Step:
    """Return the step of a normalization of images; `ends` are the buffers that it reads and writes."""
    a, out = (layouts[name] for name in ends)
    size, places = (a.height, a.width, a.channels), (_place(a), _place(out))
    affine = (np.ascontiguousarray(node.scale, np.float32), np.ascontiguousarray(node.offset, np.float32))
    kernel = "group_norm_f32" if node.groups else "pixel_norm_f32"

    def join(buffers: Buffers) -> Task:
        source, written = reals_of(buffers, ends[0]), ends_of(buffers, ends[1], box)
        last = (np.float32(node.epsilon), *numbers_of(box))
        if not node.groups:
            zeros = np.zeros(a.channels, np.float32)
            arguments: tuple[object, ...] = (source, zeros, *written, size, places, affine, *last)
            return task_of(f"{NORMS}:{kernel}", arguments, units=a.height)
        scratch = tuple(np.empty((out.images, 2, a.channels), kind) for kind in (np.float64, np.float32))
        arguments = (source, *written, size, places, affine, *scratch, node.groups, *last)
        return task_of(f"{NORMS}:{kernel}", arguments, units=1)

    return Step(node.name, f"{kernel}_{suffix(box)}/portable", operations, ends[:1], ends[1], join, False)


def _place(layout: Layout) -> tuple[int, int, int, int]:
    """Return items from image to image, row to row, pixel to pixel, and the first pixel's item."""
    row = layout.padded_width * layout.words
    return layout.padded_height * row, row, layout.words, layout.border[0] * row + layout.border[1] * layout.words
