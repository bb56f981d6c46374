"""Everything that can be read on a screen can be read in every theme.

Real screens are drawn in each theme, and each cell that is not blank is compared with the ground below it.
Of the theme that leaves all colours to the terminal nothing can be said but that it sets none of its own,
which `test_shipped_themes` does.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from textual.color import Color

from moa_tui.errors import ModelError
from moa_tui.ui import themes
from tests.ui import contrast
from tests.ui.chat_app import DUO, chat_app
from tests.ui.screens_at_rest import SCREENS

if TYPE_CHECKING:
    from textual.theme import Theme

    from tests.ui.chat_app import Bench

THEMES = {name: theme for name, theme in themes.load(themes.shipped_dir())[0].items() if not theme.ansi}
TEXT, STRONG, DECORATION = 4.5, 7.0, 3.0
ANSWER = """# Heading

Some `code`, **strong** and *stressed* words, and [a link](https://moa.example).

> quoted

- an item

| a | b |
|---|---|
| 1 | 2 |

```python
# a comment
@decorated
def double(word: str, times: int = 2) -> str:
    return "a" + word * times if word is not None else f"{1.5}"
```
"""


def least(theme: Theme, cells: contrast.Cells) -> float:
    """The contrast ratio that these cells need."""
    if cells.is_decoration or cells.is_disabled:
        return DECORATION
    return STRONG if theme.name.startswith("contrast") else TEXT


async def expect_readable(bench: Bench) -> None:
    """Wear each theme, and compare all that is on the screen with what is below it."""
    poor: dict[str, set[str]] = {}
    texts = 0
    for theme in THEMES.values():
        bench.app.register_theme(theme)
        bench.app.theme = theme.name
        await bench.settle()
        await bench.settle()
        for cells in contrast.cells(bench.app):
            texts += not cells.is_decoration
            if cells.ratio < least(theme, cells) and (widget := contrast.widget_at(bench.app, cells)):
                what = f"{cells.text.strip()[:40]!r} in {widget.css_identifier_styled}"
                poor.setdefault(what, set()).add(f"{theme.name} {cells.ratio:.2f}")
    assert not poor
    assert texts > len(THEMES) * 10, "there was something to read"


@pytest.mark.parametrize("name", SCREENS)
async def test_what_is_on_the_screen_can_be_read_in_every_theme(name: str) -> None:
    async with chat_app(DUO, size=(100, 30), judge=[[ANSWER]]) as bench:
        await bench.ask("a question")
        await SCREENS[name](bench)
        await expect_readable(bench)


async def test_panes_can_be_read_while_agents_write_and_fail() -> None:
    gate = asyncio.Event()
    failure = ModelError("auth", "the key is wrong", 401)
    async with chat_app(DUO, size=(100, 30), one=[["some text", gate]], two=[[failure]]) as bench:
        await bench.submit("a question")
        await bench.until_writing("one")
        await bench.until_shown("✗")
        await expect_readable(bench)
        bench.open(gate)
        await bench.until_idle()


def test_a_theme_of_ones_own_has_visible_lines() -> None:
    for theme in (
        themes.ThemeFile(name="mine", primary="#ff0000"),
        themes.ThemeFile(name="mine", primary="teal", dark=False),
        themes.ThemeFile(name="mine", primary="teal", background="#222222", foreground="#dddddd"),
    ):
        found = theme.theme().to_color_system().generate() | theme.theme().variables
        for line in ("border-blurred", "scrollbar"):
            for ground in ("background", "surface", "panel"):
                ratio = contrast.contrast(Color.parse(found[line]), Color.parse(found[ground]))
                assert ratio >= DECORATION, (line, ground)


def test_a_theme_that_names_its_own_lines_keeps_them() -> None:
    theme = themes.ThemeFile(name="mine", primary="red", variables={"border-blurred": "#123456"}).theme()
    assert theme.variables["border-blurred"] == "#123456"


def test_the_contrast_is_that_of_the_guidelines() -> None:
    white, black, grey = Color.parse("#ffffff"), Color.parse("#000000"), Color.parse("#767676")
    assert contrast.contrast(white, black) == pytest.approx(21)
    assert contrast.contrast(grey, white) == pytest.approx(4.54, abs=0.01)
    assert contrast.contrast(white, grey) == contrast.contrast(grey, white)
    assert themes.contrast(white, grey) == contrast.contrast(white, grey)
