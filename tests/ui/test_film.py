"""Screenshots made into one moving picture."""

from __future__ import annotations

import io
import re
from xml.etree import ElementTree

from rich.console import Console

from tests.ui.film import Frame, Row, film, frame
from tests.ui.fixed_chat import QUESTION, ask, held_app

SIZE = (20, 3)
SVG = "{http://www.w3.org/2000/svg}"


def shot(*lines: str, seconds: float = 1.0) -> Frame:
    """A frame of lines in Rich's markup on a terminal of 20 columns."""
    console = Console(
        width=SIZE[0], height=SIZE[1], record=True, file=io.StringIO(), color_system="truecolor"
    )
    console.print("\n".join(lines))
    return frame(console.export_svg(), SIZE, seconds)


def words(row: Row) -> str:
    return "".join(cell.character for cell in row).replace("\u00a0", " ").rstrip()


def shown(svg: str) -> dict[str, tuple[str, bool]]:
    """By the name of a group of rows: its words, and whether it stands where nothing moves."""
    groups = [group for group in ElementTree.fromstring(svg).iter(f"{SVG}g") if group.get("id")]
    return {
        group.get("id", ""): ("".join(group.itertext()).strip(), group.get("visibility") != "hidden")
        for group in groups
    }


def test_characters_are_where_they_were_with_their_colours() -> None:
    rows = shot("[#ff0000 on #000080]a b[/] c", "\u5b57x").rows
    assert [words(row) for row in rows] == ["a b c", "\u5b57x", ""]
    assert "#ff0000" in rows[0][0].style
    assert [cell.behind for cell in rows[0][:4]] == ["#000080", "#000080", "#000080", "none"]
    assert [cell.character for cell in rows[1][:3]] == ["\u5b57", "", "x"]


def test_a_row_that_stays_is_drawn_once_and_one_frame_stands_still() -> None:
    svg = film([shot("same", "one"), shot("same", "two"), shot("same", "three")], still=1, words="a < b")
    assert shown(svg) == {
        "f0-3": ("same", True),
        "f0-1": ("one", False),
        "f1-2": ("two", True),
        "f2-3": ("three", False),
    }
    assert "<title>a &lt; b</title>" in svg


def test_each_frame_has_its_time_of_the_round() -> None:
    svg = film([shot("one"), shot("two", seconds=3.0)], still=0, words="x")
    assert dict(re.findall(r"#(f\S+?)\{animation:k\S+ (4s step-end infinite)\}", svg)).keys() == {
        "f0-1",
        "f1-2",
    }
    assert "k0-1{0.00%{visibility:visible}25.00%{visibility:hidden}100.00%{visibility:hidden}}" in svg
    assert "k1-2{0.00%{visibility:hidden}25.00%{visibility:visible}100.00%{visibility:visible}}" in svg
    # Without motion none of these rules is in force.
    assert svg.index("@keyframes") > svg.index("@media (prefers-reduced-motion:no-preference){")


async def test_a_screenshot_of_the_program_is_read_whole() -> None:
    app = held_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await ask(pilot)
        rows = frame(app.export_screenshot(), (80, 24), 1.0).rows
    text = [words(row) for row in rows]
    assert any(QUESTION[:50] in line for line in text)
    assert all(len(row) == 80 for row in rows)
    assert all(
        cell.behind != "none" and (cell.style or not cell.character.strip()) for row in rows for cell in row
    )
