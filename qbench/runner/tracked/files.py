"""The files by which asv follows a suite: its configuration, and benchmarks that hand it the numbers of `track`."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from qbench.core.cells.memory import MemoryProblem
from qbench.core.cells.result import CEILING, STREAMS, KernelTrial
from qbench.core.trial import Trial
from qbench.errors import SuiteError
from qbench.metrics import load_task
from qbench.results.columns import timed_column
from qbench.runner.plan import Plan, plan_run
from qbench.runner.tracked.values import one_suite
from qbench.suite import Suite

CONFIG, FOLDER = "asv.conf.json", "benchmarks"


@dataclass(frozen=True, slots=True)
class Group:
    """Benchmarks that become one class.

    Args:
        name: of the class.
        method: what follows `track_` in the method's name.
        unit: of its values.
        doc: what they are.
        names: of the figures, as `track` gives them, without what is the same in all.
        prefix: what is the same in all, with `{}` where a name goes.
    """

    name: str
    method: str
    unit: str
    doc: str
    names: tuple[str, ...]
    prefix: str


def write_asv(suite: Path, folder: Path, *, force: bool) -> list[Path]:
    """Write what asv wants to follow a suite, and return the files' paths.

    Args:
        suite: its file, or the name of a packaged one.
        folder: of the repository whose commits are followed.
        force: whether files that are there are written over.

    Raises:
        SuiteError: a file is there already or cannot be written, or the suite names several networks.
        QBenchError: the suite, its network or its data are not what they should be.
    """
    loaded = one_suite(suite)
    module = f"{loaded.name.replace('-', '_')}.py"
    texts = {
        folder / CONFIG: _config(folder),
        folder / FOLDER / "__init__.py": "",
        folder / FOLDER / module: _module(suite, folder, groups(plan_run(loaded, folder / ".none", fresh=True))),
    }
    there = [path for path in texts if path.exists() and path.name != "__init__.py"]
    if there and not force:
        raise SuiteError(f"{there[0]}: is there already; --force writes over it, -o names another folder")
    for path, text in texts.items():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        except OSError as error:
            raise SuiteError(f"{path}: cannot write: {error.strerror or error}") from error
    return list(texts)


def groups(plan: Plan) -> tuple[Group, ...]:
    """Return what of a plan is followed: times beside a party of the same rounds, scores, sizes."""
    jobs = [job.trial for job in plan.jobs if not job.reason]
    if isinstance(plan.suite, Suite):
        return tuple(_of_network(plan.suite, [one for one in jobs if isinstance(one, Trial)], plan.world.task.name))
    return tuple(_of_kernels([one for one in jobs if isinstance(one, KernelTrial)]))


def _of_network(suite: Suite, trials: Sequence[Trial], task: str) -> Iterator[Group]:
    keys = tuple(trial.key for trial in trials)
    score = load_task(task).primary
    yield Group("Score", score.name, score.unit, score.doc, keys, f"{score.name} {{}}")
    sized = tuple(trial.key for trial in trials if trial.backend == "qbench")
    yield Group("Size", "packed_bytes", "bytes", "Packed bytes, with scales and zero points", sized, "packed_bytes {}")
    for batch in dict.fromkeys(size for trial in trials for size in trial.batch_sizes):
        timed = tuple(trial.key for trial in trials if batch in trial.batch_sizes)
        column = timed_column("images_per_s", batch)
        if suite.timing.references:
            yield _ratio(f"Batch{batch}", column, suite.timing.references[0], timed)
        else:
            yield Group(f"Batch{batch}", column, "images/s", "Images per second", timed, f"{column} {{}}")


def _of_kernels(trials: Sequence[KernelTrial]) -> Iterator[Group]:
    for name, party, memory in (("Product", CEILING, False), ("Memory", STREAMS[0], True)):
        keys = tuple(one.key for one in trials if isinstance(one.cell.problem, MemoryProblem) == memory)
        if keys:
            yield _ratio(name, "gops", party, keys)


def _ratio(name: str, column: str, party: str, keys: tuple[str, ...]) -> Group:
    doc = f"How many times as fast as {party} in the same rounds"
    return Group(name, "speed", "x", doc, keys, f"{column}/{party} {{}}")


def _config(folder: Path) -> str:
    facts = {
        "version": 1,
        "project": folder.resolve().name,
        "repo": ".",
        "branches": ["HEAD"],
        "benchmark_dir": FOLDER,
        "environment_type": "existing",
        "results_dir": ".asv/results",
        "html_dir": ".asv/html",
        "default_benchmark_timeout": 3600,
    }
    return json.dumps(facts, indent=4) + "\n"


def _module(suite: Path, folder: Path, found: Sequence[Group]) -> str:
    place = f'"{suite}"'
    if os.path.isfile(suite):
        beside = Path(os.path.relpath(suite, folder)).as_posix()
        place = f"Path(__file__).resolve().parents[1] / {json.dumps(beside)}"
    path = "from pathlib import Path\n\n" if os.path.isfile(suite) else ""
    return HEAD.format(name=suite.name, path=path, suite=place) + "".join(map(_class, found))


def _class(group: Group) -> str:
    rows = "".join(f"            {json.dumps(name, ensure_ascii=False)},\n" for name in group.names)
    return CLASS.format(
        name=group.name, doc=group.doc, rows=rows, method=group.method, unit=json.dumps(group.unit),
        key=json.dumps(group.prefix, ensure_ascii=False),
    )  # fmt: skip


HEAD = '''\
"""What asv follows of {name}; written by `qbench asv init`, to be changed at will.

The suite is run once, in `setup_cache`; times are ratios within the same rounds, as a host drifts by more than most
changes are worth. Rows are named here, as asv wants them written out: `qbench asv init --force` does so again.

asv shows values of one `version` only: raise it by hand where numbers begin to mean something else (other data, another
reference), never because code has changed. A row that fails is a failed benchmark.
"""

{path}import qbench

SUITE = {suite}


def setup_cache():
    return qbench.track(SUITE)


setup_cache.timeout = 3600
'''

CLASS = '''

class {name}:
    """{doc}."""

    params = (
        [
{rows}        ],
    )
    param_names = ("row",)
    version = "1"

    def track_{method}(self, values, row):
        return values[{key}.format(row)]

    track_{method}.unit = {unit}
'''
