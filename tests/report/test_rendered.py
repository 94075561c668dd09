"""Pages as a browser renders them on three widths, light and dark: nothing is clipped, no text lies on another."""

import html
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

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


def rendered(page: Path, folder: Path) -> dict[str, Any]:
    """Return what `measure.js` finds in a page at every width and theme, all in one start of the browser."""
    script = (Path(__file__).parent / "measure.js").read_text(encoding="utf-8")
    text = page.read_text(encoding="utf-8").replace("</body>", f"<script>{script}</script></body>")
    (folder / "page.html").write_text(text, encoding="utf-8")
    frames = ""
    for frame in FRAMES:
        width, theme = frame.split()
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


@pytest.mark.skipif(BROWSER is None, reason="needs Chromium")
def test_nothing_is_clipped_and_no_text_lies_on_another(page: Path, tmp_path: Path) -> None:
    found = rendered(page, tmp_path)
    assert sorted(found) == sorted(FRAMES)
    assert all(one["texts"] > 100 for one in found.values())
    said = {frame: one["clipped"] + one["overlapping"] for frame, one in found.items()}
    assert not any(said.values()), json.dumps(said, indent=1, ensure_ascii=False)
