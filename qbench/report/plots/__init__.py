"""The report's plots: functions of a `RunView` that return a `Plot`, or None where there is no data."""

from __future__ import annotations

from qbench.registry import Registry

PLOTS = Registry(
    "qbench.plots",
    {
        "accuracy_by_method": "qbench.report.plots.accuracy:by_method",
        "accuracy_by_granularity": "qbench.report.plots.accuracy:by_granularity",
        "recipes": "qbench.report.plots.recipes:plot",
        "floor_against_rounding": "qbench.report.plots.floor:plot",
        "granularity_cliff": "qbench.report.plots.cliff:plot",
        "accuracy_against_size": "qbench.report.plots.pareto:plot",
        "throughput": "qbench.report.plots.throughput:plot",
        "waterfall": "qbench.report.plots.waterfall:plot",
        "sensitivity": "qbench.report.plots.sensitivity:plot",
        "layers": "qbench.report.plots.layers:plot",
    },
)
