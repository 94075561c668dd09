"""Runs from Python: what `qbench run`, `qbench explore` and reading a folder are called here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypedDict, Unpack

from qbench.errors import SuiteError
from qbench.python.reading import Reading, reading
from qbench.report import write_report
from qbench.runner import run_suite
from qbench.suite import load_suite
from qbench.suite.starter import started, write_starter
from qbench.zoo.preprocessing import Preprocessing


class Images(TypedDict, total=False):
    """What is done to the pixels of your own images, and how many samples are evaluated on how many threads."""

    mean: float | tuple[float, ...]
    """Per channel, on a scale of 0 to 1."""
    std: float | tuple[float, ...]
    """Per channel."""
    resize: int | tuple[int, ...]
    """Pixels of the shorter side, or height and width, that images are scaled to before they are cut."""
    crop: int | tuple[int, ...]
    """Side, or height and width, of the middle that is cut out."""
    limit: int
    """Evaluate on at most so many samples."""
    threads: int
    """Threads to run on; 2."""
    shapes: Mapping[str, tuple[int, ...] | float]
    """Input -> its sizes without the batch, or the number that it is bound to, where the file leaves it free."""


def run(
    suite: str | Path,
    *,
    out: str | Path = "results",
    changes: Sequence[str] = (),
    quick: bool = False,
    fresh: bool = False,
) -> Reading:
    """Run a suite of one network, or of kernels, or continue it; write its page, and return what came out.

    Args:
        suite: a suite's file, or the name of a packaged one (`qbench list suites`).
        out: folder for all results.
        changes: `key=value` strings that change single keys, e.g. `timing.precision=0.05`.
        quick: time roughly.
        fresh: take no row of an earlier run.

    Raises:
        QBenchError: the suite, its network or its data are not what they should be, or it names several networks.
    """
    loaded = load_suite(Path(suite), overrides=tuple(changes))
    if loaded.each() != (loaded,):
        raise SuiteError(f"{suite}: expected a suite of one network, got one of {len(loaded.each())}; use `qbench run`")
    folder = run_suite(loaded, results_root=Path(out), quick=quick, fresh=fresh)
    write_report([folder], folder)
    return reading(folder)


def explore(
    model: str | Path,
    data: str | Path = "",
    *,
    out: str | Path = "results",
    quick: bool = False,
    fresh: bool = False,
    **images: Unpack[Images],
) -> Reading:
    """Answer how low a network can go, as `qbench explore` does.

    Args:
        model: path of an ONNX file, or name of a packaged network.
        data: folder of images or arrays, `.npz` file or known name; left out, what suits a packaged network.
        out: folder for all results; the suite that is run lies in it.
        quick: time roughly.
        fresh: take no row of an earlier run.
        images: see `Images`.

    Raises:
        QBenchError: the network, the data or an argument is not what it should be.
    """
    how = Preprocessing.of(images.get("mean"), images.get("std"), images.get("resize"), images.get("crop"))
    start = started(
        str(model),
        str(data),
        how,
        images.get("shapes", {}),
        limit=images.get("limit"),
        threads=images.get("threads", 2),
    )
    return run(write_starter(start, Path(out) / start.name / "suite.yaml"), out=out, quick=quick, fresh=fresh)


def read(folder: str | Path) -> Reading:
    """Return the run in a folder, `latest` of a suite's folder too.

    Raises:
        ResultsError: it cannot be read.
    """
    return reading(Path(folder))
