"""Errors that are the user's to repair: one line that says where, what was expected, what came.

The command line prints that line and exits with 2. Any other exception is a bug of qbench and keeps its traceback.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class QBenchError(Exception):
    """The parent of all errors that the user can repair."""


class SuiteError(QBenchError):
    """A suite file, or a value given on the command line for it, is wrong."""


class ModelError(QBenchError):
    """A network file cannot be read, or holds something that qbench does not cover."""


class NotInstalledError(ModelError):
    """A network comes out of a package that is optional and not there; the line says how to get it."""


class DataError(QBenchError):
    """Images or labels are missing, damaged, or of the wrong shape."""


class ResultsError(QBenchError):
    """A file of results cannot be read or written."""


class UnsuitableError(QBenchError):
    """A stage or a source of samples cannot do a network: its rows are skipped with the reason, not failed."""


class MachineError(QBenchError):
    """This machine cannot do what was asked."""


def suggest(word: str, known: Iterable[str]) -> str:
    """Return "; did you mean 'x'?" for the nearest known word, or the list of known words when none is near."""
    names = sorted(known)
    near = difflib.get_close_matches(word, names, n=1, cutoff=0.6)
    return f"; did you mean '{near[0]}'?" if near else f"; known: {', '.join(names)}"
