"""What the device itself says while it is timed: clocks, temperature, power, and whether it holds itself back."""

from __future__ import annotations

import shutil
import subprocess
from typing import Any

QUESTIONS = (
    "clocks.sm", "clocks.mem", "temperature.gpu", "power.draw", "clocks_event_reasons.hw_slowdown",
    "clocks_event_reasons.sw_thermal_slowdown", "clocks_event_reasons.sw_power_cap",
)  # fmt: skip
THROTTLES = QUESTIONS[4:6]
"""Reasons that make a run unstable; a power cap is how the chip runs large products: shown, but not held against it."""
_PATIENCE_S = 10


def read(when: str) -> dict[str, Any]:
    """Return one reading; its answers are words as the vendor's tool prints them, none where there is no tool."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return {"when": when}
    command = [tool, f"--query-gpu={','.join(QUESTIONS)}", "--format=csv,noheader", "--id=0"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE_S, check=False)
    except subprocess.TimeoutExpired:
        return {"when": when, "error": f"no answer within {_PATIENCE_S} s"}
    return (
        {"when": when, **parse(done.stdout)} if done.returncode == 0 else {"when": when, "error": done.stderr.strip()}
    )


def parse(line: str) -> dict[str, str]:
    """Return the answers of one line of the tool."""
    words = [word.strip() for word in line.strip().split(",")]
    return dict(zip(QUESTIONS, words, strict=True)) if len(words) == len(QUESTIONS) else {"error": line.strip()}


def throttled(readings: list[dict[str, Any]]) -> bool:
    """Return whether the device held itself back for heat or by its hardware at any reading."""
    return any(reading.get(reason) == "Active" for reading in readings for reason in THROTTLES)
