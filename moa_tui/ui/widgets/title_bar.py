"""The line at the top: the title of the conversation, and the recipe that answers next."""

from __future__ import annotations

from textual.content import Content
from textual.widget import Widget

from moa_tui.text.cells import cell_len, cut, shorten


class TitleBar(Widget):
    """Shows the title at the left and the recipe at the right; the title is cut where both do not fit."""

    DEFAULT_CSS = "TitleBar { height: 1; padding: 0 1; background: $panel; color: $text; }"

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._title = ""
        self._recipe = ""

    def show(self, title: str, recipe: str) -> None:
        """Show another title and recipe."""
        self._title, self._recipe = title, recipe
        self.refresh()

    def render(self) -> Content:
        width = self.size.width
        recipe = cut(self._recipe, width)
        room = width - cell_len(recipe) - 2
        title = self._title
        if cell_len(title) > room:
            title = shorten(title, room) if room > 8 else ""
        gap = max(0, width - cell_len(title) - cell_len(recipe))
        return Content.assemble((title, "bold"), " " * gap, (recipe, "$text-primary"))
