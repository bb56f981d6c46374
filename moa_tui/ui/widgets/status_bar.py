"""The line at the bottom: what the run has taken so far, and the keys that work now."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.cells import cell_len
from textual.content import Content
from textual.widget import Widget

if TYPE_CHECKING:
    from textual.screen import Screen


class StatusBar(Widget):
    """Numbers at the left, keys at the right, as many of them as there is room for."""

    DEFAULT_CSS = "StatusBar { height: 1; padding: 0 1; background: $panel; color: $text-muted; }"

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._numbers: list[str] = []
        self._keys: list[tuple[int, str, str]] = []

    def on_mount(self) -> None:
        self.screen.bindings_updated_signal.subscribe(self, self._bindings_updated)

    def show(self, numbers: list[str]) -> None:
        """Show these numbers, the most telling first."""
        if numbers != self._numbers:
            self._numbers = numbers
            self.refresh()

    def _bindings_updated(self, screen: Screen[object]) -> None:
        keys: list[tuple[int, str, str]] = []
        for _, binding, enabled, _ in screen.active_bindings.values():
            if binding.show and enabled and binding.description:
                name = self.app.get_key_display(binding)
                group = (binding.id or "").partition(".")[0]
                # What steers a run matters most, then what the focused widget can do.
                rank = {"run": 0, "chat": 2, "app": 3}.get(group, 1)
                keys.append((rank, name, binding.description.lower()))
        keys.sort(key=lambda key: key[0])
        if keys != self._keys:
            self._keys = keys
            self.refresh()

    def render(self) -> Content:
        width = self.size.width
        numbers = list(self._numbers)
        # The first key is how to stop what goes on: it is worth more than the last number.
        first = sum(map(cell_len, self._keys[0][1:])) + 4 if self._keys else 0
        while len(numbers) > 1 and cell_len(" · ".join(numbers)) + first > width:
            numbers.pop()
        left = " · ".join(numbers)
        room = width - cell_len(left) - 2
        shown: list[Content] = []
        for _, key, words in self._keys:
            size = cell_len(key) + cell_len(words) + 3
            if size > room:
                break
            room -= size
            shown.append(Content.assemble((key, "bold $text"), f" {words}"))
        keys = Content("  ").join(shown)
        gap = max(1, width - cell_len(left) - keys.cell_length)
        return Content.assemble((left, "$text"), " " * gap, keys)
