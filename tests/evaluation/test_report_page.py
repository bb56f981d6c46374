"""A report as a page: nothing loaded, nothing run, whatever names are in it, and all of it readable."""

from __future__ import annotations

import re
from dataclasses import replace
from xml.etree import ElementTree

import pytest

from moa_tui.evaluation.report import Plot, Point, Table
from moa_tui.evaluation.report_page import report_html
from tests.evaluation.reports import HOSTILE, REPORT, plot, points
from tests.formats.test_export_html import ELEMENTS, Page

MORE_ELEMENTS = {"desc", "circle", "polyline"}


def page_of(*sections: Table | Plot) -> Page:
    return Page(report_html(replace(REPORT, sections=sections)))


def test_the_page_has_no_script_and_loads_nothing() -> None:
    hostile = Table(HOSTILE, (HOSTILE, "b"), ((HOSTILE, HOSTILE),), note=HOSTILE)
    drawn = replace(
        plot(Point(HOSTILE, 1.0, 0.5)), title=HOSTILE, x_label=HOSTILE, y_label=HOSTILE, note=HOSTILE
    )
    report = replace(REPORT, title=HOSTILE, sentence=HOSTILE, sections=(hostile, drawn))
    text = report_html(report)
    text.encode()
    page = Page(text)
    assert {name for name, _ in page.elements} <= ELEMENTS | MORE_ELEMENTS
    for _, attributes in page.elements:
        assert not any(name.startswith("on") or name in ("href", "src", "xlink:href") for name in attributes)
    assert not re.search(r"url\(|@import|https?:", text)
    assert "default-src 'none'" in text
    assert "\x1b" not in text


def test_the_sentence_comes_first() -> None:
    text = report_html(REPORT)
    assert text.index("<h1") < text.index(REPORT.sentence) < text.index("<h2")


def test_every_figure_is_in_a_table_with_heads() -> None:
    text = report_html(REPORT)
    assert '<th scope="col" dir="auto">win rate</th>' in text
    assert '<th scope="row" class="words" dir="auto">moa-lite</th>' in text
    assert '53.1 % <span class="range">(49.9 to 55.6)</span>' in text
    assert text.count('class="unknown"') >= 3
    # The plot's points stand in a table too.
    details = text[text.index("<details") :]
    assert "unpriced" in details
    assert "27.3 %" in details or "(27.0 to 33.0)" in details


@pytest.mark.parametrize("count", [1, 2, 25, 100])
def test_a_drawing_is_valid_and_said_in_words(count: int) -> None:
    text = report_html(replace(REPORT, sections=(plot(*points(count)),)))
    drawing = ElementTree.fromstring(text[text.index("<svg") : text.index("</svg>") + len("</svg>")])
    assert drawing.get("role") == "img"
    names = (drawing.get("aria-labelledby") or "").split()
    words = {part.get("id"): part.text or "" for part in drawing if part.tag in ("title", "desc")}
    assert [name in words for name in names] == [True, True]
    assert words[names[1]].startswith(f"{count} points: win rate against price per answer.")
    assert len(drawing.findall("circle")) == count
    assert all((circle.find("title")) is not None for circle in drawing.findall("circle"))


def test_what_is_not_in_the_drawing_is_said() -> None:
    text = " ".join(page_of(plot(*points(3), Point("no price", None, 0.5))).texts)
    assert "Not drawn, since a figure is unknown: no price." in text
    assert "95 % intervals" in text
    nothing = page_of(plot(Point("no price", None, 0.5)))
    assert not any(name == "svg" for name, _ in nothing.elements)
    assert "No point of this plot is known on both axes." in " ".join(nothing.texts)


def test_ids_are_given_once() -> None:
    page = page_of(plot(*points(3)), plot(*points(3)))
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids)) == 6


def test_light_and_dark_and_a_phone() -> None:
    text = report_html(REPORT)
    assert "prefers-color-scheme: dark" in text
    assert 'name="viewport" content="width=device-width' in text
    for table in re.findall(r"<(?:table|svg viewBox)", text):
        assert table
    # What is wider than a phone scrolls in a region of its own, by keyboard too.
    assert text.count('class="scroll" role="region" tabindex="0"') == 3
