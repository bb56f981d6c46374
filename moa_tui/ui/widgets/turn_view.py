"""One turn of the conversation: the prompt, how its run stands, the answer, and what the run came to."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual import work
from textual.binding import Binding
from textual.content import Content
from textual.geometry import Region
from textual.message import Message

from moa_tui.ui.rows import markdown_rows
from moa_tui.ui.rows.layout_thread import on_layout_thread
from moa_tui.ui.rows.rows_widget import MARKS, SIDEWAYS_KEYS, RowsWidget
from moa_tui.ui.rows.text_rows import MOST_SHOWN, GrowingText, Row, blocks_in, find
from moa_tui.ui.run.follower import AnswerCursor, Appended, Begun, Whole
from moa_tui.ui.run.turn_rows import outcome_rows, progress_rows, prompt_rows
from moa_tui.ui.terminal.message import frozen_message

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual import events
    from textual.binding import BindingType
    from textual.geometry import Size
    from textual.strip import Strip

    from moa_tui.conversation import Turn
    from moa_tui.ui.run.run_view import RunView

# A longer answer is shown as it is written until a thread has laid it out.
_LONGEST_AT_ONCE = 20_000


class TurnView(RowsWidget, can_focus=True):
    """Draws a turn, running or over.

    The answer is drawn as Markdown up to the end of its last whole block, and as plain lines behind it.
    """

    HELP_TITLE = "A turn"
    HELP_TOPIC = "steering"
    # A click is for selecting text; the keys stay with the prompt.
    FOCUS_ON_CLICK = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "panes", "Its panes", id="turn.panes"),
        Binding("y", "copy_answer", "Copy answer", id="turn.copy"),
        Binding("c", "copy_code", "Copy code", id="turn.copy_code"),
        Binding("o", "links", "Links", id="turn.links"),
        Binding("l", "left_out", "Left out", id="turn.left_out"),
        Binding("e", "expand", "Whole prompt", id="turn.expand", show=False),
        Binding("left", "alternative(-1)", "Alternative before", id="turn.alternative_before", show=False),
        Binding("right", "alternative(1)", "Alternative after", id="turn.alternative_after", show=False),
        Binding("b", "branch", "Ask in another way", id="turn.branch", show=False),
        Binding("f", "fork", "Fork from here", id="turn.fork", show=False),
        *SIDEWAYS_KEYS,
    ]
    DEFAULT_CSS = """
    TurnView {
        height: auto; width: 1fr; padding: 0 1 1 1; border-left: blank $background;
        &:focus { border-left: outer $accent; }
    }
    """

    @frozen_message
    class PanesRequested(Message):
        """The user wants to see the panes of this turn's run, or to close them."""

        run: RunView

    @frozen_message
    class EndSeen(Message):
        """The turn is over, and a part of it has come into view for the first time."""

        turn: Turn
        run: RunView

    @frozen_message
    class LeftOutRequested(Message):
        """The user wants to see what the answer of this turn's run left out."""

        run: RunView

    @frozen_message
    class LinksRequested(Message):
        """The user wants to choose one of these links, each its text and address."""

        links: Sequence[tuple[str, str]]

    @frozen_message
    class AlternativeRequested(Message):
        """The user wants to see the turn that is `step` from this one among those in its place."""

        turn: Turn
        step: int

    @frozen_message
    class BranchRequested(Message):
        """The user wants to ask this turn's prompt in another way."""

        turn: Turn

    @frozen_message
    class ForkRequested(Message):
        """The user wants to go on from this turn in a new conversation."""

        turn: Turn

    def __init__(self, turn: Turn, run: RunView, *, place: tuple[int, int] = (1, 1)) -> None:
        super().__init__()
        self.turn = turn
        self.run = run
        self.whole_prompt = False
        self.place = place
        """The turn's number among its alternatives, counted from 1, and how many there are."""
        self._answer = GrowingText()
        self._rendered = markdown_rows.Rendered()
        self._cursor = AnswerCursor(run)
        self._above: list[Row] = []
        self._below: list[Row] = []
        self._rows: list[Row] = []
        self._frame_lines: list[str] = []
        self._is_rendering = False
        self._was_end_seen = False
        self._next_block_search = 0
        """Characters of the answer at which its whole blocks are looked for again."""

    @property
    def rows(self) -> Sequence[Row]:
        return self._rows

    def _assemble(self) -> int:
        """Join the rows of all parts, and return how many rows the turn had before."""
        before = len(self._rows)
        answer = self._answer.rows if self._answer.source else []
        self._rows = [*self._above, *answer, *self._below]
        return before

    @property
    def code(self) -> Sequence[str]:
        return self._rendered.code

    @property
    def answer(self) -> str:
        """The answer as far as it is written."""
        return self.run.answer

    def lay_out(self, width: int) -> None:
        """Lay the turn out in `width` cells.

        The answer of a run that is over is rendered before it is first shown, unless it is very long.
        """
        is_first_layout = not self._answer.width
        if self.run.over and self.answer:
            # The whole answer is laid out here: the cursor must not report it again at the next tick.
            self._cursor.news()
            self._answer.preview(self.answer, width)
            # At a change of width, only a turn on the screen is worth a wait of the reader.
            is_waited_for = is_first_layout or self.is_on_screen
            is_short = len(self.answer) <= _LONGEST_AT_ONCE
            rendered = (
                markdown_rows.render_at_once(self.answer, width) if is_waited_for and is_short else None
            )
            if rendered is None:
                self._start_rendering(len(self.answer))
            else:
                self._rendered = rendered
                self._answer.show_rendered(len(self.answer), rendered.rows)
        else:
            self._answer.resize(width)
            if end := markdown_rows.block_end(self._answer.source, 0):
                self._start_rendering(end)
        self._frame(width)
        self._assemble()
        self.forget()

    def tick(self) -> None:
        """Show what the run has written since the last tick."""
        width = self._answer.width
        if not width:
            return
        changed: int | None = None
        match self._cursor.news():
            case Begun(text):
                self._answer.replace(text)
                self.unscroll()
                self._next_block_search = 0
                changed = len(self._above)
                self._render_whole_blocks()
            case Appended(text):
                changed = len(self._above) + self._answer.append(text)
                self._render_whole_blocks()
            case Whole(text):
                self._answer.preview(text, width)
                self._start_rendering(len(text))
                changed = 0
        if self._frame(width):
            changed = 0
        if changed is not None:
            self._redraw(changed)

    def _render_whole_blocks(self) -> None:
        """Render the blocks that are whole, unless a thread renders at the moment.

        They are looked for again when the rest has grown by a part of itself, so that all looks together take
        no longer than the text is long.
        """
        length, start = len(self._answer.source), self._answer.rendered_characters
        if self._is_rendering or not self._next_block_search <= length <= MOST_SHOWN:
            return
        end = markdown_rows.block_end(self._answer.source, start)
        self._next_block_search = length + (length - end) // 8
        if end > start:
            self._start_rendering(end)

    def mark_occurrences(self, text: str) -> list[tuple[int, int, int]]:
        """Mark every occurrence of `text`; without text, remove the marks.

        Returns where each of them begins: its first row, and its start and end in this row.
        """
        beginnings: list[tuple[int, int, int]] = []
        marks: dict[int, list[tuple[int, int]]] = {}
        if text:
            self.whole_prompt = self.whole_prompt or text.casefold() in self.turn.prompt.casefold()
            self._frame(self._answer.width)
            self._redraw()
            for occurrence in find(self._rows, text):
                beginnings.append(occurrence[0])
                for row, start, end in occurrence:
                    marks.setdefault(row, []).append((start, end))
        if marks or self.found:
            self.found = marks
            self.forget()
            self.refresh()
        return beginnings

    def _redraw(self, changed: int = 0) -> None:
        """Redraw the rows from `changed` on. The screen is laid out only where the number of rows changed."""
        before = self._assemble()
        self.forget(changed)
        count = len(self._rows)
        if before == count and changed:
            self.refresh(Region(0, changed, self.size.width, count - changed))
        else:
            self.refresh(layout=before != count)

    def _start_rendering(self, end: int) -> None:
        """Render the answer up to character `end` on a thread."""
        self._is_rendering = True
        self._render_to(end)

    @work(exclusive=True)
    async def _render_to(self, end: int) -> None:
        """Render the answer up to character `end` on a thread, and show the rows.

        Blocks already rendered stay as they are, unless `end` is the end of the answer.
        """
        answer, width = self._answer, self._answer.width
        start = 0 if end == len(answer.source) else answer.rendered_characters
        piece = answer.source[start:end]
        earlier = markdown_rows.Rendered()
        if start:
            earlier = markdown_rows.Rendered(
                answer.rows[: answer.rendered_rows], self._rendered.code, self._rendered.links
            )
        rendered = await on_layout_thread(
            markdown_rows.render, piece, width, len(earlier.code), blocks_in(earlier.rows)
        )
        self._is_rendering = False
        if width != answer.width or answer.source[start:end] != piece:
            return
        gap = [Row(Content())] if earlier.rows and rendered.rows else []
        self._rendered = markdown_rows.Rendered(
            [*earlier.rows, *gap, *rendered.rows],
            [*earlier.code, *rendered.code],
            [*earlier.links, *rendered.links],
        )
        answer.show_rendered(end, self._rendered.rows)
        self._redraw(len(self._above) + len(earlier.rows))

    def _frame(self, width: int) -> bool:
        """Lay out the rows above and below the answer, and return whether they changed."""
        above = [*self._prompt_rows(width), *progress_rows(self.run, width)]
        if self._answer.source:
            above.append(Row(Content()))
        below = outcome_rows(self.run, width)
        lines = [row.content.plain for row in (*above, *below)]
        if lines == self._frame_lines:
            return False
        self._frame_lines, self._above, self._below = lines, above, below
        return True

    def _prompt_rows(self, width: int) -> list[Row]:
        return prompt_rows(self.turn.prompt, self.place, width, is_whole=self.whole_prompt)

    def get_content_width(self, container: Size, viewport: Size) -> int:
        return container.width

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        if width and width != self._answer.width:
            self.lay_out(width)
        return len(self._rows)

    def render_line(self, y: int) -> Strip:
        if self.run.over and not self._was_end_seen:
            self._was_end_seen = True
            self.post_message(self.EndSeen(self.turn, self.run))
        return self.paint(y, self.size.width)

    def action_panes(self) -> None:
        self.post_message(self.PanesRequested(self.run))

    def action_copy_answer(self) -> None:
        self.post_message(self.CopyRequested(self.answer))

    def action_copy_code(self) -> None:
        self.post_message(self.CopyRequested("\n\n".join(self.code)))

    def action_left_out(self) -> None:
        self.post_message(self.LeftOutRequested(self.run))

    def action_links(self) -> None:
        self.post_message(self.LinksRequested(self._rendered.links))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return action != "alternative" or self.place[1] > 1

    def action_alternative(self, step: int) -> None:
        self.post_message(self.AlternativeRequested(self.turn, step))

    def action_branch(self) -> None:
        self.post_message(self.BranchRequested(self.turn))

    def action_fork(self) -> None:
        self.post_message(self.ForkRequested(self.turn))

    def action_expand(self) -> None:
        self.whole_prompt = not self.whole_prompt
        self._frame(self._answer.width)
        self._redraw()

    def on_click(self, event: events.Click) -> None:
        if event.style.meta.keys() & MARKS:
            return
        if event.chain == 1 and event.y == 0 and self.place[1] > 1:
            self.action_alternative(1)
        progress = range(len(self._prompt_rows(self._answer.width)) + 1, len(self._above))
        if event.chain == 1 and event.y in progress:
            self.action_panes()
