"""How plans, rows and runs of networks look on the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console

from qbench.cli.kind import Words, state_of
from qbench.cli.terminal.style import print_fitting, result_line
from qbench.cli.terminal.summary import show_summary
from qbench.core.trial import Trial

if TYPE_CHECKING:
    from qbench.results import NetworkRun
    from qbench.runner import Plan


def show_network_plan(console: Console, plan: Plan) -> None:
    """Show every trial of a plan, and which layer gets what from rules for single layers."""
    rows = []
    for job in plan.jobs:
        state = state_of(plan, job)
        estimate = "" if state != "new" else f"{job.estimate_s:.1f} s"
        rows.append((job.trial.key, " ".join(job.measure), state, estimate, job.reason))
    headings = ("trial", "measure", "state", "estimate", "reason")
    print_fitting(console, rows, headings=headings, drop=("measure",), wrap=("reason",), right=("estimate",))
    trials = [job.trial for job in plan.jobs if isinstance(job.trial, Trial) and job.trial.overrides]
    for rules in dict.fromkeys(trial.overrides for trial in trials):
        _show_assignment(console, plan, rules)


def _show_assignment(console: Console, plan: Plan, rules: str) -> None:
    """Show which layer gets what from the rules, for every spec that they change."""
    from qbench.core.rules import edge_rules, parse_rules
    from qbench.quantization import layer_specs

    trials = [job.trial for job in plan.jobs if isinstance(job.trial, Trial) and not job.reason]
    named = [trial for trial in trials if trial.overrides == rules]
    columns = {(trial.spec, trial.edges, trial.method): trial for trial in named}
    headings = [" ".join(filter(None, key)) for key in columns]
    network = plan.world.network
    specs = [
        layer_specs(network, spec, method=method, rules=(*edge_rules(edges), *parse_rules(rules)))
        for spec, edges, method in columns
    ]
    rows = [(layer.name, *(found[layer.name].token for found in specs)) for layer in network.layers]
    print_fitting(console, rows, headings=("layer", *headings), title=f"layers under {rules}")


def _faults(run: NetworkRun) -> list[str]:
    """Return what the suite expects and rows do not show, a line each; failed rows are said anyway."""
    from qbench.results.gates.expected import shown

    wrong = [one for one in shown(run) if one.outcome in ("unmet", "missing", "skipped")]
    return [f"{one.outcome:8}{one.key}: {one.text}" for one in wrong]


NETWORKS = Words("trials", result_line, show_network_plan, show_summary, _faults)
