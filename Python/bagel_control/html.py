# SPDX-License-Identifier: Apache-2.0
# What a notebook shows. In: rows of a table, and reports of the command. Out: HTML, with the report's
# pictures inside it as images (so that their names and styles do not meet those of other pictures on the
# page).

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from html import escape, unescape
from pathlib import Path
from typing import List, Sequence, Tuple, Union

_PICTURE = re.compile(
    r"<svg\b.*?</svg>|<img\b[^>]*\bsrc=\"(data:image/[^\"]+)\"[^>]*>"
    r"|<p><em>([^<]*)</em>: (no picture[^<]*)</p>",
    re.DOTALL,
)
_STYLE = (
    "<style>.bagel table{border-collapse:collapse;margin:.5em 0}"
    ".bagel td,.bagel th{padding:.2em .7em;text-align:right;border-bottom:1px solid #8886}"
    ".bagel th:first-child,.bagel td:first-child{text-align:left}"
    ".bagel .warning{color:#b3261e}</style>"
)
# Reports give their pictures no size of their own.
_SIZE = "display:block;width:760px;max-width:100%;margin:.5em 0;background:#fff"


@dataclass(frozen=True)
class Picture:
    """A picture of a report: its title, and its data as a URL ("data:image/svg+xml;base64,...")."""

    title: str
    url: str

    def _repr_html_(self) -> str:
        if not self.url:
            return f"<p><em>{escape(self.title)}</em></p>"
        return f'<img alt="{escape(self.title)}" style="{_SIZE}" src="{self.url}">'

    def svg(self) -> str:
        """The text of an SVG picture; "" of others."""
        head = "data:image/svg+xml;base64,"
        return base64.b64decode(self.url[len(head):]).decode() if self.url.startswith(head) else ""


def pictures(report: Union[str, Path]) -> Tuple[Picture, ...]:
    """The pictures of a report, in their order; in the place of one that could not be drawn, why."""
    text = Path(report).read_text(encoding="utf-8")
    found: List[Picture] = []
    for match in _PICTURE.finditer(text):
        image, title, reason = match.groups()
        if image:
            found.append(Picture(f"picture {len(found) + 1}", image))
        elif reason:
            found.append(Picture(f"{unescape(title)}: {unescape(reason)}", ""))
        else:
            svg = match.group(0)
            url = "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode()
            found.append(Picture(_title(svg) or f"picture {len(found) + 1}", url))
    return tuple(found)


def _title(svg: str) -> str:
    """The last text of a picture, which is its heading."""
    texts = re.findall(r"<text\b[^>]*>(.*?)</text>", svg, re.DOTALL)
    return unescape(re.sub(r"<[^>]+>", "", texts[-1])).strip() if texts else ""


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of texts."""
    def row(cells: Sequence[str], tag: str) -> str:
        return "<tr>" + "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in cells) + "</tr>"

    top = row(head, "th") if head else ""
    return "<table>" + top + "".join(row(cells, "td") for cells in rows) + "</table>"


def page(
    title: str, lines: Sequence[str], tables: Sequence[str], warnings: Sequence[str],
    drawn: Sequence[Picture],
) -> str:
    """A result: a heading, sentences, tables, warnings, pictures."""
    parts = [_STYLE, f'<div class="bagel"><b>{escape(title)}</b>']
    parts += [f"<div>{escape(line)}</div>" for line in lines]
    parts += tables
    parts += [f'<div class="warning">{escape(line)}</div>' for line in warnings]
    parts += [picture._repr_html_() for picture in drawn]
    return "".join(parts) + "</div>"


def number(value: float) -> str:
    """Three significant digits."""
    if value != value:
        return "\u2013"
    return f"{value:.0f}" if 1e3 <= abs(value) < 1e7 else f"{value:.3g}"
