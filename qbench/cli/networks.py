"""How plans, rows and runs of networks look on the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console

from qbench.cli.kind import Words
from qbench.cli.terminal.style import plain_table, result_line
from qbench.cli.terminal.summary import show_summary
from qbench.core.trial import Trial

if TYPE_CHECKING:
    from qbench.results import NetworkRun
    from qbench.runner import Plan


def show_network_plan(console: Console, plan: Plan) -> None:
    """Show every trial of a plan, and which layer gets what from rules for single layers."""
    table = plain_table("trial", "measure", "state", "estimate", "reason", right=("estimate",))
    for job in plan.jobs:
        state = "cached" if job.trial.key in plan.cached else "skipped" if job.reason else "new"
        estimate = "" if state != "new" else f"{job.estimate_s:.1f} s"
        table.add_row(job.trial.key, " ".join(job.measure), state, estimate, job.reason)
    console.print(table)
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
    table = plain_table("layer", *headings, title=f"layers under {rules}")
    network = plan.world.network
    specs = [
        layer_specs(network, spec, method=method, rules=(*edge_rules(edges), *parse_rules(rules)))
        for spec, edges, method in columns
    ]
    for layer in network.layers:
        table.add_row(layer.name, *(found[layer.name].token for found in specs))
    console.print(table)


def _faults(run: NetworkRun) -> list[str]:
    """Return what the suite expects and rows do not show, a line each; failed rows are said anyway."""
    from qbench.results.gates.expected import shown

    wrong = [one for one in shown(run) if one.outcome in ("unmet", "missing", "skipped")]
    return [f"{one.outcome:8}{one.key}: {one.text}" for one in wrong]


NETWORKS = Words("trials", result_line, show_network_plan, show_summary, _faults)
