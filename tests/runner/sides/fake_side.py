"""A stand-in for a side's Python: answers as a worker does, with times that its file says, and keeps no clock."""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path
from typing import Any


def main(facts_file: str) -> None:
    """Answer until there are no more questions. The file holds `rows`: name -> seconds, and what goes wrong."""
    facts = json.loads(Path(facts_file).read_text(encoding="utf-8"))
    chance = random.Random(facts.get("seed", 0))
    if "dies" in facts:
        sys.exit(facts["dies"])

    def answer(verb: str, row: str = "") -> dict[str, Any]:
        if verb == "hello":
            return {"ok": {"package": facts.get("package", ""), "version": "0"}}
        if verb == "rows":
            return {"ok": list(facts["rows"])}
        if row in facts.get("broken", {}):
            return {"failed": facts["broken"][row]}
        if verb == "prepare":
            return {"ok": {"loops": 3, "answer": facts.get("answers", {}).get(row, "same")}}
        if row in facts.get("stopped", {}):
            return {"failed": facts["stopped"][row]}
        return {"ok": facts["rows"][row] * chance.lognormvariate(0, facts.get("noise", 0.002))}

    for line in sys.stdin:
        asked = json.loads(line)
        sys.stdout.write(json.dumps(answer(asked["verb"], asked.get("row", ""))) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1])
