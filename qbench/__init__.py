"""qbench measures how few bits a neural network needs: what it loses in accuracy, what it gains in size and speed.

The rooms and what may import what are drawn in `docs/architecture.md`; `tests/test_architecture.py` holds them to it.

From Python: `qbench.quantize(model, data=..., out=...)` quantizes a network once, `qbench.load(folder)` reads it again;
both are imported on first use.
"""

import importlib
from typing import Any

__version__ = "0.1.0"

_PLACES = {"quantize": "qbench.runner.own.once:quantize", "load": "qbench.engine.saved.network:load_network"}


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module 'qbench' has no attribute '{name}'")
    module, _, attribute = _PLACES[name].partition(":")
    return getattr(importlib.import_module(module), attribute)
