"""The channels that the mean of an image takes at a time."""

from __future__ import annotations

LINE, LINES = 64, 4
BLOCK = LINES * LINE
"""Channels of a unit of the mean: four cache lines of a pixel side by side, sixteen vectors of sums."""
