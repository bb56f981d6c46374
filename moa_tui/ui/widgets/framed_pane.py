"""A growing text in a frame that names its author; a notice stands in its place while there is none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.content import Content

from moa_tui.text.cells import cell_len, shorten
from moa_tui.ui.run.follower import Appended, Begun, Nothing, Whole
from moa_tui.ui.terminal.textual_private import set_frame_words
from moa_tui.ui.widgets.live_text import LiveText

if TYPE_CHECKING:
    from collections.abc import Sequence

    from moa_tui.ui.run.follower import News

_STATES = ("done", "failed", "retrying", "partial", "stopped")


class FramedPane(LiveText):
    """A live text with a frame. What it shows, and the words in its frame, are given by its subclasses."""

    DEFAULT_CSS = """
    FramedPane {
        border: round $border-blurred; padding: 0 1;
        border-title-color: $text; border-subtitle-color: $text-muted;
        &:focus { border: heavy $accent; }
        &.-failed { border-title-color: $text-error; }
        &.-retrying, &.-partial, &.-stopped { border-title-color: $text-warning; }
        &.-done { border-title-color: $text-success; }
        &.-notice { color: $text-muted; }
    }
    """

    def __init__(self) -> None:
        super().__init__()
        self._notice = ""
        """The words that stand in the place of a text; empty where a text stands."""
        self._frame_words: list[str] = []

    def show_news(self, news: News, *, has_text: bool, is_over: bool) -> None:
        """Draw what is new of the text. `has_text` is False where a notice is to stand in its place."""
        match news:
            case Begun(text):
                self._remove_notice()
                self.show(text, follow=True)
            case Appended(text):
                self.append(text)
            case Whole(text) if has_text:
                self._remove_notice()
                self.finish(text)
            case Nothing() if not is_over:
                self.draw_thumb()

    def show_notice(self, words: str) -> None:
        """Say in the place of the text why there is none."""
        if self._notice != words:
            self._notice = words
            self.add_class("-notice")
            self.show(words)

    def _remove_notice(self) -> None:
        self._notice = ""
        self.remove_class("-notice")

    def show_frame(self, name: str, state_words: str, numbers: Sequence[str], state: str | None) -> None:
        """Show the words in the frame, and `state` by the colour of its title. Nothing without a width."""
        room = self.size.width - 2
        if room <= 0:
            return
        words = frame_words(name, state_words, numbers, room)
        if words != self._frame_words:
            self._frame_words = words
            # As Content: a name must not be read as markup.
            set_frame_words(self, *map(Content, words))
        for shown_state in _STATES:
            self.set_class(state == shown_state, f"-{shown_state}")

    def draw_frame(self) -> None:
        """Call `show_frame` with the words as they are now."""
        raise NotImplementedError

    def on_resize(self) -> None:
        # Textual calls `on_resize` of LiveText by itself, after this.
        self._frame_words = []
        self.draw_frame()


def frame_words(name: str, state: str, numbers: Sequence[str], room: int) -> list[str]:
    """A frame's title and subtitle, fitted to `room` cells: first the name is cut, then numbers go."""
    if cell_len(name) + cell_len(state) + 1 > room:
        name = shorten(name, max(5, room - cell_len(state) - 1))
    fitting = list(numbers)
    while len(fitting) > 1 and cell_len(" · ".join(fitting)) > room:
        fitting.pop()
    return [f"{name} {state}", " · ".join(fitting)]
