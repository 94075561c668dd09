"""The libraries that architectures come out of, imported when they are needed; what is not installed is said so."""

from __future__ import annotations

import importlib
import sys
import types
from typing import Any

from qbench.errors import ModelError
from qbench.zoo.public.exported import EXTRA


def library(name: str) -> Any:
    """Import and return `torch`, `torchvision`, `timm`, `transformers` or a module of theirs.

    torchvision's compiled operators are not needed; a wheel made for another build of torch lacks them and cannot
    describe them on import, so their descriptions are left out.

    Raises:
        ModelError: it is not installed, or does not work with what is.
    """
    described = "torchvision._meta_registrations"
    if described not in sys.modules and "torchvision" not in sys.modules:
        sys.modules[described] = types.ModuleType(described)
    try:
        return importlib.import_module(name)
    except (ImportError, OSError, RuntimeError) as error:
        line = " ".join(str(error).split())[:160]
        raise ModelError(f"{name.partition('.')[0]} is needed to export this network ({EXTRA}): {line}") from error
