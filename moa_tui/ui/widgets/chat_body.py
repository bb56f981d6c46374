"""The conversation and the panes, and the room that each of them has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.containers import Container

from moa_tui.ui.run import room
from moa_tui.ui.widgets.run_panel import RunPanel
from moa_tui.ui.widgets.transcript import Transcript

if TYPE_CHECKING:
    from textual import events

    from moa_tui.ui.run.room import Mode


_MODE_WORDS = {"half": "half the screen", "panes": "panes alone"}


class ChatBody(Container):
    """Divides its room between the conversation, `#chat`, and the panes, as `room` decides."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.mode: Mode = "automatic"
        """What the person has chosen. With "chat", panes that are opened nevertheless have what they need."""
        self._given: tuple[bool, int] | None = None
        """Whether the panes stand beside the conversation, and the rows or cells it has; None: all."""

    def set_mode(self, mode: Mode) -> None:
        """Divide the room in this way from now on."""
        panel = self.query_one(RunPanel)
        panel.end_zoom()
        self.mode = mode
        panel.set_mode_words(_MODE_WORDS.get(mode, ""))
        self.divide(anew=True)

    def uncover(self) -> None:
        """Show the conversation where the panes have all the room, for somebody who goes into it."""
        panel = self.query_one(RunPanel)
        if self.query_one("#chat").display:
            return
        if self.mode == "panes":
            panel.remove_class("-open")
        panel.end_zoom()
        self.divide(anew=True)

    def divide(self, *, anew: bool = False) -> None:
        """Give both their room. Unless `anew`, the conversation keeps what it has where that will do."""
        panel = self.query_one(RunPanel)
        width, height = self.size
        if not width:
            return
        is_beside = width >= room.SIDE_BY_SIDE_WIDTH
        given: tuple[bool, int] | None = None
        if panel.has_class("-open"):
            if is_beside:
                given = (True, room.chat_columns(width, self.mode))
            else:
                before = self._given[1] if self._given and not self._given[0] and not anew else None
                mode = "panes" if panel.is_zoomed else self.mode
                rows = room.chat_rows(height, mode, self.query_one(Transcript).need(height), before)
                given = (False, rows)
        panel.set_beside(is_beside and given is not None and given[1] > 0)
        if given != self._given:
            self._given = given
            self._apply(panel, given)

    def _apply(self, panel: RunPanel, given: tuple[bool, int] | None) -> None:
        chat = self.query_one("#chat")
        is_beside, chat_room = given or (False, 0)
        chat.display = given is None or chat_room > 0
        chat.styles.width = chat_room if is_beside and chat_room else "1fr"
        chat.styles.height = chat_room if given and not is_beside and chat_room else "1fr"
        panel.styles.height = "1fr"

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        if self.query_one("#chat") in event.widget.ancestors_with_self:
            self.uncover()

    def on_resize(self, _: events.Resize) -> None:
        self.divide()

    def on_run_panel_room_changed(self, event: RunPanel.RoomChanged) -> None:
        event.stop()
        self.divide()
