"""The network in float32, which can show every tensor on the way: what calibration runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import numpy as np
import numpy.typing as npt

from qbench.engine.kinds import has_tokens
from qbench.engine.plans.floats import float_layouts, float_plan, layer_step
from qbench.engine.plans.stages import micro_batch
from qbench.engine.session import Session
from qbench.engine.tokens.plan import token_plan
from qbench.graph.network import Conv, Network
from qbench.graph.quantized_network import QuantizedNetwork
from qbench.kernels.layout import aligned
from qbench.kernels.program import run_task
from qbench.kernels.tasks import Task
from qbench.kernels.variants import choose

Floats = npt.NDArray[np.float32]
Tap = Callable[[str, Floats], None]


class FloatSession(Session):
    """The network in float32, which can show every tensor on the way (for calibration)."""

    def __init__(self, network: Network, *, threads: int = 2, variant: str = "auto") -> None:
        self._variant = chosen = choose(variant)
        self._shown: frozenset[str] | None = None
        if has_tokens(network):
            made = token_plan(QuantizedNetwork(network), variant=chosen, integer=False)
            self._shown = frozenset(layer.input for layer in made.network.layers)
            super().__init__(
                made.network, made.plan, threads=threads, execution="float32", failures=made.failures, words=made.words
            )  # fmt: skip
            return
        size = micro_batch([*float_layouts(network, 1).values()])
        plan = float_plan(QuantizedNetwork(network), images=size, variant=chosen)
        super().__init__(network, plan, threads=threads, execution="float32")

    def run(self, x: Floats, *, tap: Tap | None = None) -> Floats:
        """Return logits; `tap` is called with every tensor but the output, as NHWC, a micro-batch at a time, in order.

        A convolution that adds a residual also shows its result before the addition, as `<name>:pre_add`. Networks over
        tokens show what enters a layer, and nothing else.
        """
        if tap is None:
            return super().run(x)
        befores = self._before_additions()
        parts = [
            np.ascontiguousarray(x[i : i + self.plan.images], self._kind) for i in range(0, len(x), self.plan.images)
        ]
        return np.concatenate([self._tapped(part, tap, befores) for part in parts])

    def tensor(self, x: Floats, name: str) -> Iterator[Floats]:
        """Yield one tensor as NHWC, a micro-batch at a time, computing nothing behind it.

        Args:
            x: images, or texts.
            name: of a tensor that `run` shows; nothing is yielded of any other.
        """
        if not self._shows(name):
            return
        space, plan = self._spaces[0], self.plan
        last = next((place for place, step in enumerate(plan.steps) if step.writes == name), -1)
        if last < 0 and name != plan.input:
            return
        for start in range(0, len(x), plan.images):
            part = np.ascontiguousarray(x[start : start + plan.images], self._kind)
            self._load(part)
            for task in space.tasks[1 : last + 2]:
                run_task(task, images=len(part))
            self._raise_failure()
            yield self._interior(name, len(part))

    def _before_additions(self) -> dict[str, tuple[Task, Floats]]:
        """Return, for every convolution that adds a residual, the task that computes it without, and what it writes."""
        found: dict[str, tuple[Task, Floats]] = {}
        for node in self.network.nodes:
            if isinstance(node, Conv) and node.residual is not None:
                layout = self.plan.layouts[node.output]
                scratch = aligned(layout.size_bytes)
                step = layer_step(node, self.plan.layouts, None, self._variant, 0, plain=True)
                task = step.bind({**self._spaces[0].buffers, node.output: scratch})
                found[node.name] = (task, layout.interior(scratch.view(np.float32)))  # type: ignore[assignment]
        return found

    def _tapped(self, part: Floats, tap: Tap, befores: Mapping[str, tuple[Task, Floats]]) -> Floats:
        space, plan, count = self._spaces[0], self.plan, len(part)
        self._load(part)
        if self._shows(plan.input):
            tap(plan.input, self._interior(plan.input, count))
        for step, task in zip(plan.steps, space.tasks[1:], strict=True):
            if step.name in befores:
                before, sums = befores[step.name]
                run_task(before, images=count)
                tap(f"{step.name}:pre_add", sums[:count])
            run_task(task, images=count)
            if self._shows(step.writes):
                tap(step.writes, self._interior(step.writes, count))
        self._raise_failure()
        return space.logits[:count].copy()

    def _shows(self, tensor: str) -> bool:
        return tensor != self.plan.output if self._shown is None else tensor in self._shown

    def _interior(self, tensor: str, count: int) -> Floats:
        layout = self.plan.layouts[tensor]
        return layout.interior(self._spaces[0].buffers[tensor].view(np.float32))[:count]  # type: ignore[return-value]
