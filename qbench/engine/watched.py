"""A float network with watches on its tensors: a compiled program for each thread counts what calibration asks for."""

from __future__ import annotations

from qbench.engine.lowering.groups import Part, parts_of
from qbench.engine.plans.plan import Buffers, Plan, Step, Workspace
from qbench.engine.steps.floats import elementwise_step
from qbench.engine.steps.layers import float_layer_step
from qbench.engine.windows import has_own_windows
from qbench.graph.network import Add, Conv, Network
from qbench.kernels.layout import aligned
from qbench.kernels.observe.operation import Watch
from qbench.kernels.program import program_of
from qbench.kernels.tasks import Task

PRE_ADD = ":pre_add"
"""Behind a convolution's name: its result before a residual is added."""


class Bare:
    """Convolutions that add a residual, and how each is computed without it, into a buffer of its own."""

    def __init__(self, network: Network, plan: Plan, variant: str) -> None:
        self._plan, self._variant = plan, variant
        self._nodes = {
            node.name: node
            for node in network.nodes
            if isinstance(node, Conv) and node.residual is not None and node.output in plan.layouts
        }

    def __contains__(self, name: str) -> bool:
        """Whether a step of that name adds a residual."""
        return name in self._nodes

    def output(self, name: str) -> str:
        """Return the tensor that a convolution writes."""
        return self._nodes[name].output

    def step(self, name: str) -> Step:
        """Return the step that computes a convolution without its residual."""
        return float_layer_step(Part(self._nodes[name]), None, self._plan.layouts, self._variant, 0, plain=True)

    def aside(self, name: str, buffers: Buffers) -> Buffers:
        """Return the buffers with another one in place of what a convolution writes."""
        output = self.output(name)
        return {**buffers, output: aligned(self._plan.layouts[output].size_bytes)}

    def rest(self, step: Step) -> Step | None:
        """Return the step that adds the residual to a convolution's result, as it itself would to the last bit.

        None where the convolution's own step sums otherwise than the one without a residual does.
        """
        node, layouts = self._nodes[step.name], self._plan.layouts
        usual = {*step.reads} == {node.input, node.residual} and step.writes == node.output
        if node.residual is None or not usual or has_own_windows(node) or len(parts_of(node)) > 1:
            return None
        name = f"{node.name}{PRE_ADD}"
        added = Add(node.name, (name, node.residual), node.output, node.activation)
        return elementwise_step(added, {**layouts, name: layouts[node.output]}, 0)


class Watched:
    """The program of one thread, and what it sees.

    Args:
        space: its buffers and tasks.
        bare: the network's convolutions that add a residual.
        shown: the tensors that are watched, beside the results of those before the addition.
        most: samples that there is room for.
    """

    def __init__(self, space: Workspace, bare: Bare, *, shown: frozenset[str], most: int) -> None:
        self._space, self._bare, self._most = space, bare, most
        self.watches: dict[str, Watch] = {}
        plan, tasks = space.plan, list[Task]()
        for step, task in zip((*plan.loads, *plan.steps), space.tasks, strict=True):
            tasks += self._parted(step, task) if step.name in bare else [task]
            tasks += [self._watch(tensor, tensor, space.buffers) for tensor in step.written if tensor in shown]
        self._tasks = tasks
        self.program = program_of(tasks)

    def _parted(self, step: Step, task: Task) -> list[Task]:
        """Return the tasks of a convolution that adds a residual, with a look at its result before that."""
        name, output = f"{step.name}{PRE_ADD}", self._bare.output(step.name)
        aside = self._bare.aside(step.name, self._space.buffers)
        rest = self._bare.rest(step)
        last = task if rest is None else rest.bind({**self._space.buffers, name: aside[output]})
        return [self._bare.step(step.name).bind(aside), self._watch(name, output, aside), last]

    def _watch(self, name: str, tensor: str, buffers: Buffers) -> Task:
        self.watches[name] = watch = Watch(self._space.plan.layouts[tensor], self._most)
        return watch.task(buffers[tensor])
