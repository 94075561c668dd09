"""Comparisons as a page of HTML by itself: the answer first, then tables; nothing is drawn."""

from __future__ import annotations

import html
from collections.abc import Sequence

from qbench.report.style import BLUE, GREEN, GRID, INK, MUTED, PAPER, ROSE
from qbench.results.compare_table import HEADINGS, table_rows
from qbench.results.gates.judged import Judged
from qbench.results.markdown import table_lines

_COLOURS = {"SLOWER": ROSE, "WORSE": ROSE, "LARGER": ROSE, "FASTER": GREEN, "BETTER": GREEN, "SMALLER": GREEN}
_PAGE = f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>%s</title><style>
body {{ font: 15px/1.5 system-ui, sans-serif; color: {INK}; background: {PAPER}; margin: 2rem auto; max-width: 80rem; padding: 0 1rem }}
h1 {{ font-size: 1.5rem }} h2 {{ font-size: 1.15rem; margin-top: 2rem }} .wrong {{ color: {ROSE} }} .said {{ color: {MUTED} }}
.wide {{ overflow-x: auto }} table {{ border-collapse: collapse; font-size: .87rem }}
th, td {{ text-align: left; padding: .3rem .8rem .3rem 0; border-bottom: 1px solid {GRID}; vertical-align: top }}
a {{ color: {BLUE} }}
</style></head><body>
%s
</body></html>
"""  # noqa: E501  # a line of CSS


def comparison_html(found: Judged) -> str:
    """Return the page of runs against the first of them."""
    names = ", ".join(one.after.folder.name for one in found.each)
    title = f"{names} against {found.before.folder.name}"
    parts = [f"<h1>{_text(title)}</h1>"]
    parts += [_list([one.line for one in found.wrong], "wrong")] if found.wrong else []
    for one in found.each:
        parts.append(f"<h2>{_text(one.after.folder.name)}</h2>")
        parts.append(_list(one.remarks, "said"))
        parts.append(_table(HEADINGS, table_rows(one.comparison)))
    return _PAGE % (_text(title), "\n".join(parts))


def table_html(title: str, lines: Sequence[str], headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return the page of one table with sentences above it."""
    return _PAGE % (_text(title), f"<h1>{_text(title)}</h1>\n{_list(lines, 'said')}\n{_table(headings, rows)}")


def table_markdown(title: str, lines: Sequence[str], headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return the same as Markdown."""
    text = [f"# {title}", "", *(f"- {line}" for line in lines), "", *table_lines(headings, rows)]
    return "\n".join(text) + "\n"


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f"<th>{_text(heading)}</th>" for heading in headings)
    body = "\n".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows)
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>\n{body}\n</tbody></table></div>'


def _cell(text: str) -> str:
    colour = _COLOURS.get(text)
    return f'<td style="color: {colour}">{text}</td>' if colour else f"<td>{_text(text)}</td>"


def _list(lines: Sequence[str], kind: str) -> str:
    return f'<ul class="{kind}">' + "".join(f"<li>{_text(line)}</li>" for line in lines) + "</ul>"


def _text(text: str) -> str:
    return html.escape(text)
