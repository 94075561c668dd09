"""The channels that the mean of an image takes at a time."""

from __future__ import annotations

LINE = 64
BLOCK = 64 * LINE
"""Channels of a unit of the mean, all of most networks': whole pixels are read one behind the other."""
