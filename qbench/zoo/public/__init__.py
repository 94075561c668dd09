"""Public networks: files out of packages that install, and well-known architectures as exporters write them.

`table.py` has a line for each. Nothing here imports torch: architectures are exported in a process of their own.
"""

from __future__ import annotations

from qbench.zoo.public.exported import Exported
from qbench.zoo.public.from_package import FromPackage
from qbench.zoo.public.table import NETWORKS

__all__ = ["NETWORKS", "Exported", "FromPackage"]


def __getattr__(name: str) -> FromPackage | Exported:
    """Return a network by its name, as the table of models asks for it."""
    if name in NETWORKS:
        return NETWORKS[name]
    raise AttributeError(name)
