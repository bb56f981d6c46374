"""The line at the top: what the conversation is about, and which recipe answers next."""

from __future__ import annotations

from textual.content import Content
from textual.widget import Widget

from moa_tui.text.cells import cell_len, cut, shorten


class TitleBar(Widget):
    """The conversation's title at the left, the recipe at the right; the title gives way."""

    DEFAULT_CSS = "TitleBar { height: 1; padding: 0 1; background: $panel; color: $text; }"

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._title = ""
        self._recipe = ""

    def show(self, title: str, recipe: str) -> None:
        """Show this title and recipe."""
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
