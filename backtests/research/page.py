"""One HTML page without scripts and without network: headings, tables and pictures drawn as SVG."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from typing import Any

STYLE = """
body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:62rem;padding:0 1rem;color:#1c2430;background:#fff}
h1{font-size:1.5rem;margin-bottom:.2rem}h2{font-size:1.1rem;margin-top:2rem}
p.verdict{font-size:1.1rem;padding:.7rem 1rem;border-left:.3rem solid #3566a8;background:#f1f5fa}
table{border-collapse:collapse;font-variant-numeric:tabular-nums}th,td{padding:.2rem .8rem;text-align:right}
th:first-child,td:first-child{text-align:left}td{white-space:nowrap}td.long{white-space:normal}
thead th{border-bottom:1px solid #8a94a3}
tbody tr:nth-child(even){background:#f6f7f9}div.wide{overflow-x:auto}p.note{color:#57606e;font-size:.9rem}
svg text{font:12px system-ui,sans-serif;fill:#1c2430}
@media(max-width:40rem){th,td{padding:.2rem .4rem}}
@media(prefers-color-scheme:dark){body{background:#14181f;color:#e4e8ee}p.verdict{background:#1e2733}
tbody tr:nth-child(even){background:#1a2029}p.note{color:#a4adba}svg text{fill:#e4e8ee}}
"""

LONG_CELL = 28
"""Characters of a cell from which on it may be broken into lines."""
BINS = 30
"""Equal ranges of a histogram."""


def page(title: str, parts: Sequence[str]) -> str:
    """The whole page; ``parts`` are HTML already."""
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width,initial-scale=1"><style>{STYLE}</style></head>\n<body>'
        f"<h1>{escape(title)}</h1>\n" + "\n".join(parts) + "\n</body></html>\n"
    )


def heading(text: str) -> str:
    """A heading of a section."""
    return f"<h2>{escape(text)}</h2>"


def paragraph(text: str, kind: str = "") -> str:
    """A paragraph; ``kind`` is ``verdict`` or ``note``."""
    return f'<p class="{kind}">{escape(text)}</p>' if kind else f"<p>{escape(text)}</p>"


def table(header: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """A table; the first column is text, the others are set right."""
    head = "".join(f"<th>{escape(str(name))}</th>" for name in header)
    body = "".join("<tr>" + "".join(_cell(told(value)) for value in row) + "</tr>" for row in rows)
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _cell(text: str) -> str:
    return f"<td{' class=long' if len(text) > LONG_CELL else ''}>{escape(text)}</td>"


def told(value: Any) -> str:
    """A value for a reader: four significant digits, a dash for what is not defined."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return "–"
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) < 1e4 else f"{value:,.0f}"
    return str(value)


def heat_map(
    rows: Sequence[str], columns: Sequence[str], cells: Sequence[Sequence[float | None]], x: str, y: str
) -> str:
    """Cells coloured from low (red) over the middle (white) to high (blue); empty ones stay grey."""
    known = [v for line in cells for v in line if v is not None and math.isfinite(v)]
    low, high = min(known, default=0.0), max(known, default=0.0)
    side, left, top = 46, 110, 34
    width, height = left + side * len(columns) + 10, top + side * len(rows) + 28
    parts = [f'<text x="{left}" y="14">{escape(x)} →</text>', f'<text x="4" y="{top - 6}">{escape(y)} ↓</text>']
    for i, name in enumerate(rows):
        middle = top + side * i + side / 2 + 4
        parts.append(f'<text x="{left - 6}" y="{middle}" text-anchor="end">{escape(name)}</text>')
        for k, value in enumerate(cells[i]):
            place = f'x="{left + side * k}" y="{top + side * i}" width="{side - 1}" height="{side - 1}"'
            if value is None or not math.isfinite(value):
                parts.append(f'<rect {place} fill="#c9ced6"><title>not tried</title></rect>')
                continue
            share = 0.5 if high == low else (value - low) / (high - low)
            label = f"{y} {rows[i]}, {x} {columns[k]}: {value:.4g}"
            parts.append(f'<rect {place} fill="{_colour(share)}"><title>{escape(label)}</title></rect>')
            at = f'x="{left + side * k + side / 2}" y="{middle}" text-anchor="middle"'
            parts.append(f'<text {at} style="fill:#1c2430">{value:.2f}</text>')
    for k, name in enumerate(columns):
        at = f'x="{left + side * k + side / 2}" y="{height - 10}" text-anchor="middle"'
        parts.append(f"<text {at}>{escape(name)}</text>")
    return _svg(width, height, parts)


def histogram(values: Sequence[float], split: float, label: str) -> str:
    """Bars of how often values fall into equal ranges; those at or below ``split`` are red."""
    low, high = min(values), max(values)
    if high == low:
        low, high = low - 1, high + 1
    step = (high - low) / BINS
    counts = [0] * BINS
    for value in values:
        counts[min(BINS - 1, int((value - low) / step))] += 1
    width, height, base, most = 640, 220, 180, max(counts)
    bar = width / BINS
    parts = []
    for k, count in enumerate(counts):
        tall = 150 * count / most
        colour = "#c0553f" if low + step * (k + 0.5) <= split else "#3566a8"
        place = f'x="{bar * k:.1f}" y="{base - tall:.1f}" width="{bar - 1:.1f}" height="{tall:.1f}"'
        parts.append(f'<rect {place} fill="{colour}"><title>{count} times</title></rect>')
    if low < split < high:
        x = width * (split - low) / (high - low)
        parts.append(f'<line x1="{x:.1f}" y1="20" x2="{x:.1f}" y2="{base}" stroke="#57606e" stroke-dasharray="4 3"/>')
        parts.append(f'<text x="{x + 4:.1f}" y="30">{told(float(split))}</text>')
    parts.append(f'<text x="0" y="{base + 16}">{told(float(low))}</text>')
    parts.append(f'<text x="{width}" y="{base + 16}" text-anchor="end">{told(float(high))}</text>')
    parts.append(f'<text x="{width / 2}" y="{base + 32}" text-anchor="middle">{escape(label)}</text>')
    return _svg(width, height, parts)


def bars(
    names: Sequence[str],
    values: Sequence[float],
    spans: Sequence[tuple[float, float]] = (),
    form: str = "+,.0f",
    *,
    costs: bool = False,
) -> str:
    """A bar to each side of zero for each name, blue for a gain and red for a loss.

    ``spans`` are intervals, drawn as lines across the bars; ``costs`` says that above zero is a loss.
    """
    ends = [0.0, *values, *(end for span in spans for end in span)]
    low, high = min(ends), max(ends)
    left, wide, step = 150, 480, 24
    scale = wide / ((high - low) or 1.0)
    zero = left + -low * scale
    parts = []
    for k, (name, value) in enumerate(zip(names, values, strict=True)):
        y, end = step * k + 6, left + (value - low) * scale
        colour = "#3566a8" if (value >= 0) != costs else "#c0553f"
        place = f'x="{min(zero, end):.1f}" y="{y}" width="{abs(end - zero):.1f}" height="{step - 8}"'
        parts.append(f'<rect {place} fill="{colour}"><title>{escape(name)} {value:{form}}</title></rect>')
        parts.append(f'<text x="{left - 8}" y="{y + 12}" text-anchor="end">{escape(name)}</text>')
        parts.append(f'<text x="{left + wide + 8}" y="{y + 12}">{value:{form}}</text>')
        if spans:
            one, other = (left + (end - low) * scale for end in spans[k])
            at = f'y1="{y + 8}" y2="{y + 8}"'
            parts.append(f'<line x1="{one:.1f}" x2="{other:.1f}" {at} stroke="#8a94a3" stroke-width="2"/>')
    tall = step * len(values) + 8
    parts.append(f'<line x1="{zero:.1f}" y1="0" x2="{zero:.1f}" y2="{tall}" stroke="#57606e"/>')
    return _svg(left + wide + 100, tall, parts)


def curve(values: Sequence[float], first: str, last: str, marks: Sequence[int] = ()) -> str:
    """A line over equal steps; ``marks`` are the steps at which a dashed line stands."""
    # The labels of both ends stand left of the plot, where no curve passes.
    left, width, height, top, base = 76, 760, 280, 14, 240
    low, high = min(values), max(values)
    spread = (high - low) or 1.0
    across = (width - left) / max(1, len(values) - 1)
    points = " ".join(
        f"{left + across * k:.1f},{base - (v - low) / spread * (base - top):.1f}" for k, v in enumerate(values)
    )
    parts = [
        f'<line x1="{left + across * k:.1f}" y1="{top}" x2="{left + across * k:.1f}" y2="{base}" stroke="#8a94a3" '
        'stroke-dasharray="3 4"/>'
        for k in marks
    ]
    parts.append(f'<polyline points="{points}" fill="none" stroke="#3566a8" stroke-width="1.6"/>')
    parts.append(f'<text x="{left}" y="{base + 18}">{escape(first)}</text>')
    parts.append(f'<text x="{width}" y="{base + 18}" text-anchor="end">{escape(last)}</text>')
    for value, y in ((high, top + 4), (low, base + 4)):
        parts.append(f'<text x="{left - 8}" y="{y}" text-anchor="end">{value:,.0f}</text>')
    return _svg(width, height, parts)


def _svg(width: float, height: float, parts: Sequence[str]) -> str:
    box = f'viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" style="max-width:100%"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" role="img" {box}>{"".join(parts)}</svg>'


def _colour(share: float) -> str:
    red, white, blue = (214, 110, 90), (246, 246, 246), (104, 150, 210)
    one, other, part = (red, white, share * 2) if share < 0.5 else (white, blue, share * 2 - 1)
    return "#" + "".join(f"{round(a + (b - a) * part):02x}" for a, b in zip(one, other, strict=True))
