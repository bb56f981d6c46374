"""Looking at what is there: panes, one agent alone, a text in the conversation; and taking it along."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

from moa_tui.errors import MoaTuiError, UsageError
from moa_tui.settings import paths, screen_choices
from moa_tui.ui.chat.requests import LinkRequested
from moa_tui.ui.rows import markdown_rows
from moa_tui.ui.run import room
from moa_tui.ui.screens import link_screen
from moa_tui.ui.screens.inspect import inspector_screen

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.widget import Widget

    from moa_tui.engine.values import CallId
    from moa_tui.ui.chat.state import ChatState
    from moa_tui.ui.chat.view import ChatView
    from moa_tui.ui.run.room import Mode
    from moa_tui.ui.run.run_view import RunView

# Code blocks are found in the same way at any width.
_WIDTH = 80


class Looking:
    """Shows parts of the conversation and copies them. Nothing is changed."""

    def __init__(self, state: ChatState, view: ChatView) -> None:
        self._state = state
        self._session = state.session
        self._view = view
        self._has_told_of_room = False

    @property
    def has_run(self) -> bool:
        """True where there is anything to look at."""
        return self._state.run_view is not None or bool(self._view.transcript.turns)

    # Panes

    async def restore_room(self) -> None:
        """Divide the room as the person chose at last, in this window or an earlier one."""
        mode = await asyncio.to_thread(screen_choices.read_room)
        if mode in room.MODES:
            self._view.body.set_mode(mode)

    def change_room(self) -> None:
        """Divide the room in the next way, and keep that; closed panes open in the way chosen last."""
        panel, body = self._view.panel, self._view.body
        run = panel.run or self._state.run_view or self._view.transcript.last_run
        if run is None:
            return
        if panel.has_class("-open") or body.mode == "chat":
            body.set_mode(room.next_mode(body.mode))
            self._view.start(partial(self._keep_room, body.mode), "room")
        if body.mode == "chat":
            self._view.open_panel(False)
            self._view.say("the panes stay closed, in the next runs too; ctrl+l opens them")
        elif not panel.has_class("-open"):
            panel.show_run(run)
            self._view.open_panel(True)
            panel.call_after_refresh(self._focus_first_pane)

    async def _keep_room(self, mode: Mode) -> None:
        try:
            await asyncio.to_thread(screen_choices.write_room, mode)
        except OSError as error:
            if not self._has_told_of_room:
                self._has_told_of_room = True
                words = paths.disk_words(error)
                self._view.say(f"{screen_choices.room_file()}: this choice is not kept: {words}", seconds=8)

    def _focus_first_pane(self) -> None:
        if self._view.panel.panes:
            self._view.panel.panes[0].focus()

    def toggle_panes_of(self, run: RunView) -> None:
        """Open the panes of a turn's run, or close them where they are open."""
        panel = self._view.panel
        is_shown = panel.run is run and panel.has_class("-open")
        panel.show_run(run)
        self._view.open_panel(not is_shown)

    def toggle_reasoning(self) -> None:
        """Show the agents' reasoning instead of their texts, or the texts again."""
        panel = self._view.panel
        panel.show_kind("text" if panel.kind == "reasoning" else "reasoning")

    # One agent

    def inspect_shown(self, focused_run: RunView | None) -> None:
        """Show one agent alone: of the focused turn, of the open panes, or of the newest run."""
        panel = self._view.panel
        is_open = panel.has_class("-open")
        run = focused_run or (panel.run if is_open else self._state.run_view)
        if run is not None:
            call = panel.selected if panel.run is run and is_open else None
            self.inspect(run, call or run.final.call)

    def inspect_pane(self, call: CallId) -> None:
        """Show the agent of a pane alone."""
        if self._view.panel.run is not None:
            self.inspect(self._view.panel.run, call)

    def inspect(self, run: RunView, call: CallId) -> None:
        """Show one agent alone."""
        self._view.show_dialog(self.inspector(run, call))

    def inspector(
        self, run: RunView, call: CallId, passage: tuple[int, int] | None = None
    ) -> inspector_screen.InspectorScreen:
        """The screen that shows one agent alone; `passage` is what of its answer is marked, in characters."""
        return inspector_screen.InspectorScreen(
            run, call, copy=self._view.copy, stop_call=self.stop_call, passage=passage
        )

    def stop_call(self, call: CallId) -> None:
        """Stop an agent of the run that goes; it may just have ended."""
        try:
            self._session.stop_call(call)
        except MoaTuiError as error:
            self._view.complain(error)

    def stop_pane(self, call: CallId) -> None:
        """Stop the agent of a pane, where its run is the one that goes."""
        if self._view.panel.run is self._state.run_view:
            self.stop_call(call)

    # Finding

    async def find(self, text: str, step: int) -> None:
        """Go to the next place of a text, `step` places on."""
        number, total = await self._view.transcript.find(text, step)
        words = f"{number} of {total}" if total else "nowhere"
        self._view.find_bar.show_count(words if text else "")

    async def end_find(self) -> None:
        """Take the marks of the search away."""
        await self._view.transcript.find("", 0)
        self._view.focus_prompt()

    def may_page(self, focused: Widget | None) -> bool:
        """True where page up and down are meant for the conversation."""
        return focused is None or focused is self._view.box.prompt

    # Taking along

    def copy_last(self, what: str) -> None:
        """Copy the last answer, or with `code` its code blocks. Raises UsageError."""
        turn = self._session.chat.turn
        if turn is None or turn.outcome is None:
            raise UsageError("there is no answer yet")
        if what == "code":
            blocks = markdown_rows.render(turn.outcome.answer, _WIDTH).code
            if not blocks:
                raise UsageError("there is no code in this answer")
            self._view.copy("\n\n".join(blocks))
        elif what:
            raise UsageError(f'/copy copies the answer and /copy code its code, but no "{what}"')
        else:
            self._view.copy(turn.outcome.answer)

    def choose_link(self, links: Sequence[tuple[str, str]]) -> None:
        """Let the person choose one of these links, each its text and address."""
        if not links:
            self._view.say("there is no link in this answer")
            return

        def chosen(address: str | None) -> None:
            if address:
                self._view.post(LinkRequested(address))

        self._view.show_dialog(link_screen.LinkListScreen(links), chosen)
