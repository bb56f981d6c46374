"""A report as one HTML page that makes no request and has no script, in light and dark colours.

Everything in it is escaped, names of models and recipes too. A plot is drawn in SVG, and its points stand in
a table below it, so that nothing is in the drawing alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from moa_tui.evaluation import charts
from moa_tui.evaluation.bootstrap import Estimate
from moa_tui.evaluation.report import UNKNOWN, Column, Plot, Table, written
from moa_tui.formats.export.page import FOOT, escaped_line, head

if TYPE_CHECKING:
    from collections.abc import Iterator

    from moa_tui.evaluation.charts import Chart, Mark
    from moa_tui.evaluation.report import Figure, Report

_STYLE = """
h2 { font-size: 1.15rem; margin: 2.2rem 0 .5rem; }
.sentence { font-size: 1.2rem; line-height: 1.45; max-width: 52rem; margin: .2rem 0 1rem; }
.note, figcaption { color: var(--muted); font-size: .875rem; max-width: 52rem; margin: .5rem 0 0; }
.scroll { overflow-x: auto; background: var(--card); border: 1px solid var(--line); border-radius: .6rem; }
.scroll:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
table { border-collapse: collapse; width: 100%; font-size: .925rem; }
th, td { padding: .45rem .8rem; border-bottom: 1px solid var(--line); text-align: right; white-space: nowrap;
  font-variant-numeric: tabular-nums; vertical-align: baseline; }
tr:last-child > * { border-bottom: 0; }
thead th { color: var(--muted); font-size: .8rem; font-weight: 600; }
th[scope=row] { font-weight: 600; white-space: normal; min-width: 8rem; max-width: min(24rem, 45vw);
  position: sticky; left: 0; background: var(--card); }
.words { text-align: left; white-space: normal; min-width: 6rem; }
.range, .unknown { color: var(--muted); }
figure { margin: .5rem 0 0; }
figure svg { display: block; width: 100%; min-width: 36rem; max-width: 60rem; height: auto;
  font: 12px system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
svg text { fill: var(--text); } svg .quiet { fill: var(--muted); } svg .axis { font-weight: 600; }
svg .grid { stroke: var(--line); } svg .zero { stroke: var(--muted); stroke-dasharray: 2 3; }
svg .interval { stroke: var(--muted); } svg .leader { stroke: var(--muted); stroke-width: .7; }
svg .front { fill: none; stroke: var(--accent); stroke-width: 1.5; stroke-dasharray: 6 3; }
svg .point { fill: var(--card); stroke: var(--accent); stroke-width: 2; } svg .best { fill: var(--accent); }
svg .label { paint-order: stroke; stroke: var(--card); stroke-width: 3px; stroke-linejoin: round; }
details { margin-top: .6rem; }
summary { cursor: pointer; color: var(--accent); font-size: .9rem; width: fit-content; }
summary:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
@media print { .scroll { overflow: visible; border: 0; } }
"""


def report_html(report: Report) -> str:
    """The report as the text of an HTML page."""
    title = escaped_line(report.title)
    parts = [head(title, _STYLE), f'<h1 dir="auto">{title}</h1>']
    parts.append(f'<p class="sentence" dir="auto">{escaped_line(report.sentence)}</p>')
    for number, section in enumerate(report.sections, 1):
        name = f"section-{number}"
        parts.append(f'<section aria-labelledby="{name}">')
        parts.append(f'<h2 id="{name}" dir="auto">{escaped_line(section.title)}</h2>')
        parts += _plot(section, name) if isinstance(section, Plot) else _table(section, name)
        parts.append("</section>")
    return "\n".join([*parts, FOOT])


# Tables


def _table(table: Table, name: str) -> Iterator[str]:
    """A table that scrolls sideways where it is too wide; `name` is the id of its heading."""
    columns = table.typed_columns
    yield f'<div class="scroll" role="region" tabindex="0" aria-labelledby="{name}">\n<table>\n<thead><tr>'
    for column in columns:
        words = ' class="words"' if column.kind == "text" else ""
        yield f'<th scope="col"{words} dir="auto">{escaped_line(column.heading)}</th>'
    yield "</tr></thead>\n<tbody>"
    for row in table.rows:
        yield "<tr>" + "".join(map(_cell, row, columns, [True] + [False] * len(columns))) + "</tr>"
    yield "</tbody>\n</table>\n</div>"
    yield from _note(table.note)


def _cell(figure: Figure, column: Column, is_name: bool) -> str:
    text = written(figure, column.kind)
    if isinstance(figure, Estimate):
        value = written(figure.value, column.kind)
        interval = escaped_line(text.removeprefix(value).strip())
        text = f'{escaped_line(value)} <span class="range">{interval}</span>'
    else:
        text = escaped_line(text)
    if is_name:
        return f'<th scope="row" class="words" dir="auto">{text}</th>'
    names = ["words"] if column.kind == "text" else []
    names += ["unknown"] if text == UNKNOWN else []
    attribute = f' class="{" ".join(names)}"' if names else ""
    return f'<td{attribute} dir="auto">{text}</td>'


def _note(note: str) -> Iterator[str]:
    if note:
        yield f'<p class="note" dir="auto">{escaped_line(note)}</p>'


# Plots


def _plot(plot: Plot, name: str) -> Iterator[str]:
    """The drawing, what it leaves out, and the points as a table that unfolds."""
    chart = charts.lay_out(plot)
    yield "<figure>"
    if chart is None:
        yield '<p class="note">No point of this plot is known on both axes.</p>'
    else:
        yield f'<div class="scroll" role="region" tabindex="0" aria-labelledby="{name}">'
        yield from _drawing(plot, chart, name)
        yield "</div>"
    if caption := _caption(plot, chart):
        yield f'<figcaption dir="auto">{escaped_line(caption)}</figcaption>'
    yield "</figure>"
    yield from _note(plot.note)
    yield "<details>\n<summary>The figures</summary>"
    heads = (Column(""), Column(plot.x_label, plot.x_kind), Column(plot.y_label, plot.y_kind))
    rows = tuple((point.label, point.x, point.y_figure) for point in plot.points)
    yield from _table(Table(plot.title, heads, rows), name)
    yield "</details>"


def _caption(plot: Plot, chart: Chart | None) -> str:
    """What a reader of the drawing must know: its lines, the numbers in it, and what is not in it."""
    parts = []
    marks = chart.marks if chart else ()
    if any(mark.top < mark.bottom for mark in marks):
        parts.append("Bars are 95 % intervals.")
    if plot.front and marks:
        parts.append("Filled points, joined by the broken line: none is better on both axes.")
    numbers = [
        f"{mark.number} {mark.point.label}" for mark in marks if mark.label and mark.label.text.isdecimal()
    ]
    if numbers and len(numbers) < len(marks) + 1:
        parts.append(f"Numbers: {', '.join(numbers)}.")
    if chart and any(mark.label is None for mark in marks):
        parts.append("Points without a label stand under The figures.")
    if chart and chart.not_drawn:
        names = ", ".join(point.label for point in chart.not_drawn)
        parts.append(f"Not drawn, since a figure is unknown: {names}.")
    return " ".join(parts)


def _drawing(plot: Plot, chart: Chart, name: str) -> Iterator[str]:
    yield f'<svg viewBox="0 0 {charts.WIDTH} {charts.HEIGHT}" role="img" '
    yield f'aria-labelledby="{name}-title {name}-words">'
    yield f'<title id="{name}-title">{escaped_line(plot.title)}</title>'
    yield f'<desc id="{name}-words">{escaped_line(_description(plot, chart))}</desc>'
    yield from _axes(plot, chart)
    if len(chart.front) > 1:
        corners = " ".join(f"{x:.1f},{y:.1f}" for x, y in chart.front)
        yield f'<polyline class="front" points="{corners}"/>'
    for mark in chart.marks:
        yield from _interval(mark)
    for mark in chart.marks:
        yield from _point(plot, mark)
    for mark in chart.marks:
        yield from _label(mark)
    yield "</svg>"


def _description(plot: Plot, chart: Chart) -> str:
    """The drawing in words, for whoever does not see it."""
    points = [mark.point for mark in chart.marks]
    best = max(points, key=lambda point: point.y or 0.0)
    words = f"{len(points)} points: {plot.y_label} against {plot.x_label}. The highest is {best.label} with "
    words += f"{written(best.y, plot.y_kind)} at {written(best.x, plot.x_kind)}."
    if front := [mark.point.label for mark in chart.marks if mark.is_on_front]:
        words += f" On the front: {', '.join(front)}."
    return words


def _axes(plot: Plot, chart: Chart) -> Iterator[str]:
    left, right, top, bottom = charts.LEFT, charts.RIGHT, charts.TOP, charts.BOTTOM
    for tick in chart.y_axis.ticks:
        y = chart.y_axis.at(tick.at)
        yield _line("grid", (left, y), (right, y))
        yield f'<text class="quiet" x="{left - 8}" y="{y + 4:.1f}" text-anchor="end">{tick.label}</text>'
    for tick in chart.x_axis.ticks:
        x = chart.x_axis.at(tick.at)
        yield _line("grid", (x, top), (x, bottom))
        yield f'<text class="quiet" x="{x:.1f}" y="{bottom + 18}" text-anchor="middle">{tick.label}</text>'
    if chart.zero is not None:
        edge = chart.zero * 2 - left
        yield _line("zero", (edge, top), (edge, bottom))
        label = written(0.0, plot.x_kind)
        yield (
            f'<text class="quiet" x="{chart.zero:.1f}" y="{bottom + 18}" text-anchor="middle">{label}</text>'
        )
    scale = " (logarithmic)" if chart.x_axis.is_log else ""
    middle = (left + right) / 2
    x_label, y_label = escaped_line(plot.x_label + scale), escaped_line(plot.y_label)
    yield f'<text class="axis" x="{middle}" y="{bottom + 42}" text-anchor="middle">{x_label}</text>'
    yield f'<text class="axis" x="8" y="{top - 16}">{y_label}</text>'


def _interval(mark: Mark) -> Iterator[str]:
    if mark.top >= mark.bottom:
        return
    yield _line("interval", (mark.x, mark.top), (mark.x, mark.bottom))
    for end in (mark.top, mark.bottom):
        yield _line("interval", (mark.x - 4, end), (mark.x + 4, end))


def _point(plot: Plot, mark: Mark) -> Iterator[str]:
    best = " best" if mark.is_on_front else ""
    words = f"{mark.point.label}: {written(mark.point.x, plot.x_kind)}, "
    words += written(mark.point.y_figure, plot.y_kind)
    yield f'<circle class="point{best}" cx="{mark.x:.1f}" cy="{mark.y:.1f}" r="{charts.MARK}">'
    yield f"<title>{escaped_line(words)}</title></circle>"


def _label(mark: Mark) -> Iterator[str]:
    if mark.label is None:
        return
    box = mark.label.box
    if mark.label.leader is not None:
        yield _line("leader", (mark.x, mark.y), mark.label.leader)
    anchor = "start" if box.left >= mark.x else "end" if box.right <= mark.x else "middle"
    x = {"start": box.left + 1, "end": box.right - 1, "middle": (box.left + box.right) / 2}[anchor]
    text = escaped_line(mark.label.text)
    yield f'<text class="label" x="{x:.1f}" y="{box.bottom - 3:.1f}" text-anchor="{anchor}">{text}</text>'


def _line(name: str, begin: tuple[float, float], end: tuple[float, float]) -> str:
    """A straight line of the class `name`."""
    return (
        f'<line class="{name}" x1="{begin[0]:.1f}" y1="{begin[1]:.1f}" x2="{end[0]:.1f}" y2="{end[1]:.1f}"/>'
    )
