"""Numba's words for kernels, untyped: its stubs know neither what only kernels have nor its own types."""

from __future__ import annotations

from typing import Any

import numba
import numba.cuda

cuda: Any = numba.cuda
types: Any = numba.types
