"""What a page of 2,000 rows costs: bytes, milliseconds until it is open, and until a filter has been laid out.

Run by hand, as times are no test: `python -m tests.report.big_page`; with the path of a page, that one is measured.
"""

import html
import json
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import replace
from itertools import count
from pathlib import Path

from qbench.report import write_report
from qbench.results import RunWriter
from tests.report.conftest import Fabricator, fabricate, trials

ROWS, IMAGES = 2_000, 200
BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
SCRIPT = """
addEventListener("load", () => {
  document.body.offsetHeight;
  const found = { open_ms: performance.now(), filters_ms: {} };
  const bar = document.querySelector(".filters[data-table]");
  const words = bar.querySelector("input[type=search]");
  const say = (name, change) => {
    const start = performance.now();
    change().dispatchEvent(new Event("input", { bubbles: true }));
    document.body.offsetHeight;
    found.filters_ms[name] = performance.now() - start;
  };
  const all = bar.querySelector("input[name=all]");
  say("all rows", () => { all.checked = true; return all; });
  for (const text of ["w4", "w4 mse", "", "linear_floor", ""]) {
    say(`'${text}'`, () => { words.value = text; return words; });
  }
  for (const select of bar.querySelectorAll("select")) {
    say(select.name, () => { select.selectedIndex = 1; return select; });
  }
  const pre = document.body.appendChild(document.createElement("pre"));
  pre.id = "found";
  found.rows = tables.get("trials1").all.length;
  pre.textContent = JSON.stringify(found);
});
"""


def big_run(folder: Path) -> Path:
    """Write a run of 2,000 fabricated rows: the rows of a small one, drawn again and again."""
    fabricate(folder, images=IMAGES, methods=("mse", "minmax", "linear_floor"), bits=(8, 6, 4, 3, 2))
    maker = Fabricator(IMAGES)
    every = list(trials(("mse", "minmax", "linear_floor", "percentile"), (8, 7, 6, 5, 4, 3, 2)))
    with RunWriter.open(folder) as writer:
        for seed in count(1):
            for trial in every:
                if len(writer.results) == ROWS:
                    return folder
                writer.append(maker.result(replace(trial, seed=seed, batch_sizes=())))
    raise AssertionError


def measured(page: Path, folder: Path) -> dict[str, object]:
    """Return what the browser's clock says of a page."""
    assert BROWSER is not None
    text = page.read_text(encoding="utf-8").replace("</body>", f"<script>{SCRIPT}</script></body>")
    (folder / "timed.html").write_text(text, encoding="utf-8")
    done = subprocess.run(
        [BROWSER, "--headless=new", "--no-sandbox", "--disable-gpu", "--dump-dom", "--window-size=1280,900",
         f"--user-data-dir={folder / 'profile'}", (folder / "timed.html").as_uri()],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    told = re.search(r'<pre id="found">(.*?)</pre>', done.stdout, re.DOTALL)
    assert told is not None, done.stderr[-500:]
    return {"bytes": page.stat().st_size, **json.loads(html.unescape(told[1]))}


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch)
        made = Path(sys.argv[1]) if len(sys.argv) > 1 else write_report([big_run(place / "run")], place / "report")
        sys.stdout.write(json.dumps(measured(made, place), indent=1) + "\n")
