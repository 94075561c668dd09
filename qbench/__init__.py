"""qbench measures how few bits a neural network needs: what it loses in accuracy, what it gains in size and speed.

The rooms and what may import what are drawn in `docs/architecture.md`; `tests/test_architecture.py` holds them to it.

From Python: `qbench.explore(model, data)` answers how low a network can go, `qbench.run(suite)` runs a suite,
`qbench.read(folder)` reads a run, `qbench.quantize(model, data=..., out=...)` quantizes a network once and
`qbench.load(folder)` reads that again. All are imported on first use.
"""

import importlib
from typing import Any

__version__ = "0.1.0"

_PLACES = {
    "explore": "qbench.python.calls:explore",
    "run": "qbench.python.calls:run",
    "track": "qbench.runner.tracked.values:track",
    "read": "qbench.python.calls:read",
    "quantize": "qbench.runner.own.once:quantize",
    "load": "qbench.runner.own.serving:load",
}


def __dir__() -> list[str]:
    return sorted([*globals(), *_PLACES])


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module 'qbench' has no attribute '{name}'")
    module, _, attribute = _PLACES[name].partition(":")
    return getattr(importlib.import_module(module), attribute)
