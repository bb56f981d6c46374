"""Words that run an action when they are clicked, and the line of numbered tabs made of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.content import Content
from textual.style import Style

if TYPE_CHECKING:
    from collections.abc import Mapping


def clickable(words: str, action: str) -> Content:
    """The words, which run `action` of the screen when they are clicked."""
    return Content(words).stylize(Style.from_meta({"@click": f"screen.{action}"}))


def tab_line(labels: Mapping[str, str], current: str, action: str) -> Content:
    """The tabs side by side, numbered from 1, with the current one marked and the others clickable.

    `labels` has the words of each tab by its name; `action` is the screen's action that shows a tab by name.
    """
    items = []
    for number, (name, label) in enumerate(labels.items(), 1):
        words = f"{number} {label}"
        if name == current:
            items.append(Content(f"[{words}]").stylize("bold reverse"))
        else:
            items.append(Content.assemble(" ", clickable(words, f"{action}('{name}')"), " "))
    return Content("").join(items)
