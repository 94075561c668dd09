"""Filters over the rows of a kernel suite: the language of `qbench.suite.filter`, other fields."""

from __future__ import annotations

from dataclasses import dataclass

from qbench.core.cells.memory import MemoryProblem
from qbench.core.cells.product import ConvProblem, GemmProblem, KernelCell
from qbench.core.cells.result import KernelTrial
from qbench.suite.filter import Condition, parse_condition


def kernel_fields(trial: KernelTrial) -> dict[str, str | int]:
    """Return the values that a filter can name.

    A product has m, k and n; a convolution has those of the product that it is, its kernel, its stride, and its size; a
    memory operation has its pixels as m and its channels as n.
    `networks` is one text: `'resnet18' in networks`.
    """
    cell, problem = trial.cell, trial.cell.problem
    fields: dict[str, str | int] = {
        "sweep": trial.sweep,
        "networks": " ".join(trial.networks),
        "kind": trial.kind,
        "spec": cell.spec,
        "weight_bits": cell.layer_spec.weights.format.bits,
        "activation_bits": cell.layer_spec.activations.format.bits,
        "out": cell.out,
        "threads": cell.threads,
        "batch": trial.batch,
        "variant": trial.variant,
        "label": problem.label,
        "k": problem.depth,
    }
    if isinstance(problem, GemmProblem):
        return fields | {"m": problem.m, "n": problem.n, "kernel": 1, "stride": 1, "size": 1}
    if isinstance(problem, MemoryProblem):
        rows = problem.images * problem.height * problem.width
        return fields | {"m": rows, "n": problem.channels, "kernel": 1, "stride": 1, "size": problem.height}
    height, width = problem.out_size
    return fields | {
        "m": problem.images * height * width,
        "n": problem.out_channels,
        "kernel": problem.kernel[0],
        "stride": problem.strides[0],
        "size": problem.height,
    }


EXAMPLE = KernelTrial("sweep", ("resnet50",), 1, KernelCell(ConvProblem(1, 8, 8, 16, 16), "w8c-a8t", "u8"))


@dataclass(frozen=True, slots=True)
class KernelFilter:
    """A checked expression."""

    text: str
    _holds: Condition

    def __call__(self, trial: KernelTrial) -> bool:
        """Return whether the expression holds for `trial`."""
        return self._holds(kernel_fields(trial))


def parse_kernel_filter(text: str) -> KernelFilter:
    """Check `text` and return it as a filter; raise SuiteError when it cannot be read."""
    return KernelFilter(*parse_condition(text, kernel_fields(EXAMPLE)))
