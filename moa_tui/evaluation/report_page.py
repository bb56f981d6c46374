"""A report as one HTML page that makes no request and has no script, in light and dark colours."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from moa_tui.evaluation.report import Table, written
from moa_tui.text.safe import one_line, safe_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from moa_tui.evaluation.report import Plot, Report


def report_html(report: Report) -> str:
    """The report as the text of an HTML page."""
    parts = [f"<!DOCTYPE html>\n<title>{_line(report.title)}</title>", f"<p>{_line(report.sentence)}</p>"]
    for section in report.sections:
        parts += _table(section) if isinstance(section, Table) else _plot(section)
    return "\n".join(parts)


def _table(table: Table) -> Iterator[str]:
    columns = table.typed_columns
    yield f"<table><caption>{_line(table.title)}</caption>"
    yield "<tr>" + "".join(f"<th>{_line(column.heading)}</th>" for column in columns) + "</tr>"
    for row in table.rows:
        cells = [written(figure, column.kind) for figure, column in zip(row, columns, strict=True)]
        yield "<tr>" + "".join(f"<td>{_line(cell)}</td>" for cell in cells) + "</tr>"
    yield "</table>"


def _plot(plot: Plot) -> Iterator[str]:
    yield f"<h2>{_line(plot.title)}</h2>"


def _line(text: str) -> str:
    return escape(one_line(safe_text(text)))
