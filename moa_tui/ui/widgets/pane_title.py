"""The title line of an agent's pane that is folded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.content import Content
from textual.widget import Widget

from moa_tui.text.cells import shorten
from moa_tui.text.safe import one_line

if TYPE_CHECKING:
    from moa_tui.ui.run.call_state import CallState

# Characters of an error that are looked at; a page of one may have been sent.
_LONGEST_ERROR = 500


class PaneTitle(Widget, can_focus=True):
    """Says in one line whose pane is folded, how its call ended, and why it failed. Focused, it is opened."""

    DEFAULT_CSS = """
    PaneTitle {
        height: 1; padding: 0 1; color: $text; background: $panel;
        &.-failed { color: $text-error; }
        &.-partial, &.-stopped { color: $text-warning; }
        &:focus { text-style: reverse; }
    }
    """

    def __init__(self) -> None:
        super().__init__()
        self.view: CallState | None = None
        self._layer_name = ""
        self._words = ""

    def show(self, view: CallState, layer_name: str) -> None:
        """Show another call; a `layer_name` is put before its name."""
        self.view, self._layer_name = view, layer_name
        self.tick()

    def tick(self) -> None:
        """Bring the words up to date."""
        view = self.view
        if view is None:
            return
        error = view.reply.error if view.reply is not None else None
        if error is not None:
            tail = f": {one_line(error.message[:_LONGEST_ERROR])}"
        else:
            tail = "".join(f" · {number}" for number in view.numbers(0.0)[:2])
        words = f"▸ {view.label_in(self._layer_name)} {view.state_words}{tail}"
        if words != self._words:
            self._words = words
            for state in ("failed", "partial", "stopped"):
                self.set_class(view.state == state, f"-{state}")
            self.refresh()

    def render(self) -> Content:
        return Content(shorten(self._words, self.size.width) if self.size.width > 1 else "")
