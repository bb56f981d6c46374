"""The line at the top: what the conversation is about, and which recipe answers next."""

from __future__ import annotations

from rich.cells import cell_len, set_cell_size
from textual.content import Content
from textual.widget import Widget


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
        recipe = self._recipe
        if cell_len(recipe) > width:
            recipe = set_cell_size(recipe, width)
        room = width - cell_len(recipe) - 2
        title = self._title
        if cell_len(title) > room:
            title = set_cell_size(title, room - 1).rstrip() + "…" if room > 8 else ""
        gap = max(0, width - cell_len(title) - cell_len(recipe))
        return Content.assemble((title, "bold"), " " * gap, (recipe, "$text-primary"))
