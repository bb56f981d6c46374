"""The keys in force, on as many lines as they need: a footer for screens with many actions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.cells import cell_len
from textual.content import Content
from textual.style import Style
from textual.widgets import Static

from moa_tui.ui.rows.text_rows import MUTED

if TYPE_CHECKING:
    from textual import events
    from textual.screen import Screen

_GAP = "  "


class KeyBar(Static):
    """Names the keys of the focused widget and of its screen. A click on a key runs its action."""

    ALLOW_SELECT = False
    DEFAULT_CSS = """
    KeyBar {
        dock: bottom;
        height: auto;
        padding: 0 1;
        color: $footer-description-foreground;
        background: $footer-background;
    }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id, markup=False)

    def on_mount(self) -> None:
        """Show other keys when the focus moves."""
        self.screen.bindings_updated_signal.subscribe(self, self._bindings_changed)

    def on_resize(self, _: events.Resize) -> None:
        """Break the lines anew."""
        self.update(self._keys())
        # During a layout, Textual keeps the height that it has computed before.
        self.call_after_refresh(self.refresh, layout=True)

    def _bindings_changed(self, _: Screen[Any]) -> None:
        self.update(self._keys())

    def _keys(self) -> Content:
        """Every key with its description, broken into lines between keys."""
        lines: list[list[Content]] = [[]]
        used = 0
        seen_actions = set()
        for active in self.screen.active_bindings.values():
            binding = active.binding
            if not binding.show or active.node is self.app or binding.action in seen_actions:
                continue
            seen_actions.add(binding.action)
            key = self.app.get_key_display(binding)
            width = cell_len(f"{key} {binding.description}")
            if lines[-1] and used + len(_GAP) + width > self.content_size.width:
                lines.append([])
                used = 0
            used += width + (len(_GAP) if lines[-1] else 0)
            item = Content.assemble((key, "bold"), f" {binding.description}")
            click = Style.from_meta({"@click": f"app.simulate_key({binding.key!r})"})
            lines[-1].append(item.stylize(click) if active.enabled else item.stylize(f"{MUTED} strike"))
        return Content("\n").join(Content(_GAP).join(line) for line in lines)
