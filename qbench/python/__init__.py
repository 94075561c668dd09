"""What Python users call beside `qbench.quantize` and `qbench.load`: runs, and what is read of them."""

from qbench.python.calls import explore, read, run
from qbench.python.reading import Reading

__all__ = ["Reading", "explore", "read", "run"]
