"""Steps of activations whose scales only a run shows: their codes, what sums of codes become, their simulation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from qbench.core.granularity import Dynamic
from qbench.core.tensor import QParams
from qbench.engine.plans.plan import Buffers, Step
from qbench.graph.nodes import Clamp
from qbench.kernels.layout import Layout
from qbench.kernels.product import U8_S8
from qbench.kernels.tasks import Task, task_of

Layouts = Mapping[str, Layout]
Floats = npt.NDArray[np.float32]
KERNELS = "qbench.kernels.quantize.dynamic"


def by_rows(params: QParams) -> bool:
    """Whether every row of channels has a scale, not every sample."""
    return isinstance(params.spec.granularity, Dynamic) and params.spec.granularity.rows


def layouts_of(reals: Layout, params: QParams) -> tuple[Layout, Layout]:
    """Return the layouts of a tensor's codes and of their scales and zero points, given that of its reals."""
    height, width = (reals.height, reals.width) if by_rows(params) else (1, 1)
    codes = replace(reals, words=U8_S8.pixel_words(reals.channels), item_bytes=1)
    return codes, Layout(reals.images, height, width, 2, 2, 4)


def codes_step(tensor: str, source: str, targets: tuple[str, str], layouts: Layouts, params: QParams) -> Step:
    """Return the step that writes codes and, for every range, its scale and zero point; `targets` are both buffers."""
    a, out, rows = layouts[source], layouts[targets[0]], by_rows(params)
    size, corners, top = (a.height, a.width, a.channels), (a.border[:2], out.border[:2]), _top(params)
    kernel = f"dynamic_{'rows_' if rows else ''}f32_u8"

    def join(buffers: Buffers) -> Task:
        x = _floats(buffers, source, a)
        codes, numbers = buffers[targets[0]].reshape(out.shape), _floats(buffers, targets[1], layouts[targets[1]])
        arguments = (x, x.view(np.int32), codes, numbers, size, corners, top)
        return task_of(f"{KERNELS}:{kernel}", arguments, units=a.height if rows else 1)

    return Step(f"{tensor}:count", f"{kernel}/portable", 0, (source,), targets[0], join, True, more=targets[1:])


def reals_step(tensor: str, sources: tuple[str, str], target: str, layouts: Layouts) -> Step:
    """Return the step that writes what codes stand for; `sources` are codes and scales."""
    a, out = layouts[sources[0]], layouts[target]
    size, corners = (out.height, out.width, out.channels), (a.border[:2], out.border[:2])

    def join(buffers: Buffers) -> Task:
        codes, numbers = buffers[sources[0]].reshape(a.shape), _floats(buffers, sources[1], layouts[sources[1]])
        arguments = (codes, numbers, _floats(buffers, target, out), size, corners)
        return task_of(f"{KERNELS}:counted_f32", arguments, units=out.height)

    return Step(f"{tensor}:fake", "counted_f32/portable", 0, sources, target, join, False)


def scale_step(
    name: str, ends: tuple[str, str, str], layouts: Layouts, totals: Floats, bias: Floats, clamp: Clamp
) -> Step:
    """Return the step that makes a layer's results of its sums; `ends` are sums, scales and results."""
    out = layouts[ends[2]]
    size, limits = (out.height, out.width, out.channels), (np.float32(clamp.low), np.float32(clamp.high))

    def join(buffers: Buffers) -> Task:
        sums, numbers, results = (_floats(buffers, end, layouts[end]) for end in ends)
        arguments = (sums, numbers, results, size, out.border[:2], totals, bias, limits)
        return task_of(f"{KERNELS}:scale_sums_f32", arguments, units=out.height)

    return Step(name, "scale_sums_f32/portable", 0, ends[:2], ends[2], join, True, totals.nbytes + bias.nbytes)


def fake_step(tensor: str, name: str, layouts: Layouts, params: QParams) -> Step:
    """Return the step that replaces reals, in place, by what their codes stand for."""
    layout, rows = layouts[name], by_rows(params)
    place = (*layout.border[:2], layout.height, layout.width, layout.channels)
    kernel = f"fake_dynamic_{'rows_' if rows else ''}f32"

    def join(buffers: Buffers) -> Task:
        x = _floats(buffers, name, layout)
        arguments = (x, x.view(np.int32), place, _top(params))
        return task_of(f"{KERNELS}:{kernel}", arguments, units=layout.height if rows else 1)

    return Step(f"{tensor}:fake", f"{kernel}/portable", 0, (name,), name, join, False)


def _top(params: QParams) -> np.float32:
    return np.float32(2**params.spec.format.bits - 1)


def _floats(buffers: Buffers, name: str, layout: Layout) -> Floats:
    return buffers[name].view(np.float32).reshape(layout.shape)
