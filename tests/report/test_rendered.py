"""Pages as a browser renders them on three widths, light and dark: no text is clipped, pale, or lies on another.

In one more frame a reader works with the page: filters, sorts, saves and chooses axes.
"""

import base64
import csv
import html
import io
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest

from qbench.report.view import load

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FRAMES = [f"{width} {theme}" for width in (390, 1280, 1920) for theme in ("light", "dark")]
OPTIONS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=20000", "--dump-dom")
WRAPPER = """<body><pre id="found"></pre>{frames}<script>
const found = {{}};
addEventListener("message", ({{ data }}) => {{
  found[data[0]] = data[1];
  document.getElementById("found").textContent = JSON.stringify(found);
}});
</script></body>"""


def rendered(page: Path, folder: Path, *, more: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return what the scripts find in a page at every width and theme, all in one start of the browser."""
    script = "".join((Path(__file__).parent / name).read_text(encoding="utf-8") for name in ("measure.js", "work.js"))
    text = page.read_text(encoding="utf-8").replace("</body>", f"<script>{script}</script></body>")
    (folder / "page.html").write_text(text, encoding="utf-8")
    frames = ""
    for frame in (*FRAMES, *more):
        width, theme = frame.split() if frame in FRAMES else ("1280", "light")
        frames += f'<iframe src="page.html?theme={theme}&frame={frame}" style="width:{width}px;height:900px"></iframe>'
    wrapper = folder / "wrapper.html"
    wrapper.write_text(WRAPPER.format(frames=frames), encoding="utf-8")
    assert BROWSER is not None
    done = subprocess.run(
        [BROWSER, *OPTIONS, f"--user-data-dir={folder / 'profile'}", wrapper.as_uri()],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    told = re.search(r'<pre id="found">(.*?)</pre>', done.stdout, re.DOTALL)
    assert told is not None, done.stderr[-500:]
    found: dict[str, Any] = json.loads(html.unescape(told[1]))
    return found


needs_browser = pytest.mark.skipif(BROWSER is None, reason="needs Chromium")


def complaints(found: dict[str, Any]) -> str:
    """Return what is clipped, lies on another text or is too pale in any frame; "" where nothing is."""
    said = {frame: found[frame]["clipped"] + found[frame]["overlapping"] + found[frame]["pale"] for frame in FRAMES}
    return json.dumps(said, indent=1, ensure_ascii=False) if any(said.values()) else ""


@pytest.fixture(scope="module")
def seen(page: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    if BROWSER is None:
        pytest.skip("needs Chromium")
    return rendered(page, tmp_path_factory.mktemp("rendered"), more=("work",))


@needs_browser
def test_nothing_is_clipped_no_text_lies_on_another_and_all_can_be_read(seen: dict[str, Any]) -> None:
    assert sorted(seen) == sorted([*FRAMES, "work"])
    assert all(seen[frame]["texts"] > 100 for frame in FRAMES)
    assert complaints(seen) == ""


@needs_browser
def test_a_filter_leaves_rows_out_of_the_table_and_pales_them_in_plots(seen: dict[str, Any], run_folder: Path) -> None:
    work, view = seen["work"], load(run_folder)
    assert work["opened"] == work["laid"] == 15
    assert work["all"] == work["flushed"] == len(view.rows)
    lines = {str(row.line): row for row in view.rows}
    assert {lines[line].method for line in work["filtered"]} == {"mse"}
    assert work["words"]
    assert set(work["pale"]).isdisjoint(work["filtered"])
    assert len(set(work["pale"])) > 10
    assert work["sorted"] == sorted(work["sorted"], reverse=True)
    assert work["address"].startswith("#show?0.words=w4+mse&0.all=1&0.sort=")
    assert work["revealed"][0] == work["revealed"][1]
    assert len(work["linked"]) >= 6  # cards, and the best of each width
    assert all(asked == found for asked, found in work["linked"])


@needs_browser
def test_what_is_shown_is_saved_as_csv_latex_and_parquet(seen: dict[str, Any], run_folder: Path) -> None:
    work, view = seen["work"], load(run_folder)
    of_line = {row.line: row for row in view.rows}
    rows = list(csv.DictReader(io.StringIO(work["csv"])))
    table = pyarrow.parquet.read_table(io.BytesIO(base64.b64decode(work["parquet"]))).to_pandas()
    assert len(rows) == len(table) == len(work["filtered"])
    for row, (_, other) in zip(rows, table.iterrows(), strict=True):
        packed = of_line[int(row["line"])].value("packed_bytes")
        assert float(row["packed"]) == other["packed"] == pytest.approx(packed, rel=1e-7)
        assert row["spec"] == other["spec"] == of_line[int(other["line"])].result.trial.spec
    assert work["latex"].count("\\\\\n") == len(rows) + 1
    assert "\\toprule" in work["latex"]
    assert "%" not in work["latex"].split("\n", 1)[1].replace("\\%", "")


@needs_browser
def test_any_axis_is_drawn_and_a_legend_leaves_points_out(seen: dict[str, Any]) -> None:
    work = seen["work"]
    assert len(work["charts"]) >= 8
    assert all(marks > 5 and not broken for _, marks, broken in work["charts"].values())
    assert work["charts"]["packed score"][0] == "top-1, % against packed"
    before, after, pressed = work["legend"]
    assert 0 < after < before
    assert pressed == "false"
    assert work["png"][0] > 1000
    assert work["png"][2] == "data:image/png;base64,"
