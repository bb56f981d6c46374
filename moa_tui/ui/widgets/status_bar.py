"""The line at the bottom: the numbers of the run so far, and the keys in force."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.cells import cell_len
from textual.content import Content
from textual.widget import Widget

if TYPE_CHECKING:
    from textual.screen import Screen
    from textual.timer import Timer


# Nobody reads numbers that change faster, and each change is painted.
_PAINTED_AGAIN_AFTER_SECONDS = 0.2


class StatusBar(Widget):
    """Shows numbers at the left and keys at the right, as many of them as there is room for.

    Where only values change, they are painted again after 0.2 s.
    """

    DEFAULT_CSS = "StatusBar { height: 1; padding: 0 1; background: $panel; color: $text-muted; }"

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._numbers: list[str] = []
        self._shown_numbers: list[str] = []
        self._rest: Timer | None = None
        self._keys: list[tuple[int, str, str]] = []

    def on_mount(self) -> None:
        self.screen.bindings_updated_signal.subscribe(self, self._bindings_updated)

    def show(self, numbers: list[str]) -> None:
        """Show these numbers; where there is no room for all, the last are left out."""
        self._numbers = numbers
        if self._rest is None:
            self._paint_numbers()
        elif len(numbers) != len(self._shown_numbers):  # Others than before, as when a run begins or ends.
            self._rest.stop()
            self._paint_numbers()

    def _paint_numbers(self) -> None:
        """Paint the numbers if they have changed, and then none again for a while."""
        self._rest = None
        if self._numbers != self._shown_numbers:
            self._shown_numbers = self._numbers
            self.refresh()
            self._rest = self.set_timer(_PAINTED_AGAIN_AFTER_SECONDS, self._paint_numbers)

    def _bindings_updated(self, screen: Screen[object]) -> None:
        keys: list[tuple[int, str, str]] = []
        for _, binding, enabled, _ in screen.active_bindings.values():
            if binding.show and enabled and binding.description:
                name = self.app.get_key_display(binding)
                group = (binding.id or "").partition(".")[0]
                # The keys that steer a run come first, then those of the focused widget.
                rank = {"run": 0, "chat": 2, "app": 3}.get(group, 1)
                keys.append((rank, name, binding.description.lower()))
        keys.sort(key=lambda key: key[0])
        if keys != self._keys:
            self._keys = keys
            self.refresh()

    def render(self) -> Content:
        width = self.size.width
        numbers = list(self._shown_numbers)
        # The first key, which stops the run, is more important than the last number.
        first_key_cells = sum(map(cell_len, self._keys[0][1:])) + 4 if self._keys else 0
        while len(numbers) > 1 and cell_len(" · ".join(numbers)) + first_key_cells > width:
            numbers.pop()
        left = " · ".join(numbers)
        room = width - cell_len(left) - 2
        key_items: list[Content] = []
        for _, key, words in self._keys:
            size = cell_len(key) + cell_len(words) + 3
            if size > room:
                break
            room -= size
            key_items.append(Content.assemble((key, "bold $text"), f" {words}"))
        keys = Content("  ").join(key_items)
        gap = max(1, width - cell_len(left) - keys.cell_length)
        return Content.assemble((left, "$text"), " " * gap, keys)
