"""How a run without a screen is shown on stderr: a live table on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TextIO

from rich.console import Console
from rich.live import Live
from rich.text import Text

from moa_tui.engine.events import (
    CallEnded,
    CallRetried,
    CallStarted,
    Delta,
    RunChanged,
    StepEnded,
    StepStarted,
)
from moa_tui.engine.values import CallId
from moa_tui.text.cells import cell_len, cut, fit, shorten
from moa_tui.text.safe import one_line, safe_text
from moa_tui.text.wording import GLYPHS, describe, price, step_words

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from moa_tui.engine.events import Event
    from moa_tui.engine.recipe import Recipe
    from moa_tui.engine.values import Reply


class Progress(Protocol):
    """Shows a run while it goes on; a context manager around the whole run."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def show(self, event: Event) -> None:
        """Show what an event of the run has changed."""

    def tick(self) -> None:
        """Bring the clocks up to date; called when no event came for a moment."""

    def make_way(self) -> None:
        """Leave the screen to the answer; called before each piece of the answer is written."""

    def answer_ended(self) -> None:
        """Take the screen back; called once the answer is whole."""

    def note(self, text: str) -> None:
        """Show a text between what is shown of the run; behind the answer, while that is being written."""


class NoProgress:
    """Shows notes alone.

    Where the answer is written to the same place, a note waits until the answer is whole: other agents may
    end while the answer is in the middle of a line.
    """

    def __init__(self, err: TextIO, *, shares_screen: bool = False) -> None:
        self._err = err
        self._shares_screen = shares_screen
        self._is_answering = False
        self._waiting_notes: list[str] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.answer_ended()

    def show(self, event: Event) -> None:
        return None

    def tick(self) -> None:
        return None

    def make_way(self) -> None:
        self._is_answering = True

    def answer_ended(self) -> None:
        self._is_answering = False
        notes, self._waiting_notes = self._waiting_notes, []
        for text in notes:
            self._write(text)

    def note(self, text: str) -> None:
        if self._is_answering and self._shares_screen:
            self._waiting_notes.append(text)
        else:
            self._write(text)

    def _write(self, text: str) -> None:
        self._err.write(f"{safe_text(text)}\n")
        self._err.flush()


class LinesProgress(NoProgress):
    """One line for every call that ends or is tried again, and for every part of an answer that is begun."""

    def __init__(self, recipe: Recipe, err: TextIO, *, shares_screen: bool = False) -> None:
        super().__init__(err, shares_screen=shares_screen)
        self._recipe = recipe
        self._parts: dict[CallId, list[int]] = {}
        """By each call that writes in several requests, the length of its text after each of them."""

    def show(self, event: Event) -> None:
        match event:
            case RunChanged(recipe):
                self._recipe = recipe
            case CallRetried(call, agent, _, wait_seconds, failure):
                seat = self._recipe.lineup[call.layer - 1][call.index - 1]
                name, why = one_line(agent.name), one_line(failure.message)
                if agent.name == seat.name:
                    self.note(f"{call} {name}: retrying in {wait_seconds:.1f} s: {why}")
                else:
                    self.note(f"{call} failed, asking {name} instead: {why}")
            case StepStarted(call, _, _, read, ended_replies, of):
                name = one_line(self._recipe.lineup[call.layer - 1][call.index - 1].name)
                lengths = self._parts.setdefault(call, [0])
                part = len(set(lengths))
                words = step_words(part, read, ended_replies, of, is_again=part < len(lengths))
                self.note(f"{call} {name}: {words}")
            case StepEnded(call, step):
                self._parts.setdefault(call, [0]).append(step.characters)
            case CallEnded(call, reply):
                self.note(f"{call} {one_line(reply.agent)}: {describe(reply)}")


@dataclass
class _Row:
    """A call as the table shows it. `began` and `again_at` are by the monotonic clock, in seconds.

    `again_at` is when the call is tried again; None where it does not wait for that.
    """

    name: str
    state: str = "waiting"
    detail: str = ""
    characters: int = 0
    began: float | None = None
    again_at: float | None = None
    reply: Reply | None = None


class TableProgress(NoProgress):
    """A live table of all calls.

    Where the answer is written to the same screen, the table stops changing when the answer begins.
    """

    def __init__(self, recipe: Recipe, err: TextIO, *, shares_screen: bool) -> None:
        super().__init__(err, shares_screen=shares_screen)
        self._rows = {
            CallId(number, index): _Row(agent.name)
            for number, agents in enumerate(recipe.lineup, 1)
            for index, agent in enumerate(agents, 1)
        }
        self._has_begun = False
        self._console = Console(file=err, highlight=False, markup=False, emoji=False)
        self._live = Live(
            console=self._console, auto_refresh=False, redirect_stdout=False, redirect_stderr=False
        )
        self._drawn_at = 0.0

    def __enter__(self) -> Self:
        self._live.start()
        self._draw()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live.is_started:
            self._draw()
            self._live.stop()
        self.answer_ended()

    def show(self, event: Event) -> None:
        self._has_begun = True
        match event:
            case CallStarted(call, agent):
                self._rows[call] = _Row(agent.name, "writing", began=time.monotonic())
            case Delta(call, _, text):
                if call in self._rows:
                    self._rows[call].characters += len(text)
            case CallRetried(call, agent, _, wait_seconds, failure):
                now = time.monotonic()
                why = str(failure.status_code or failure.kind)
                self._rows[call] = _Row(agent.name, "retrying", why, began=now, again_at=now + wait_seconds)
            case StepStarted(call, _, _, read, _, of):
                self._tell(call, f"written from {len(read)} of {of} answers")
            case StepEnded(call):
                self._tell(call, "waits for more to read")
            case CallEnded(call, reply):
                detail = reply.error.message if reply.error else ""
                self._rows[call] = _Row(reply.agent, reply.status, detail, reply=reply)
                if not self._live.is_started:
                    self.note(f"{call} {one_line(reply.agent)}: {describe(reply)}")
        self.tick()

    def _tell(self, call: CallId, detail: str) -> None:
        """Put words behind a call, which has no row any more where the table has made way for the answer."""
        if call in self._rows:
            self._rows[call].detail = detail

    def tick(self) -> None:
        if self._live.is_started and time.monotonic() - self._drawn_at > 0.1:
            self._draw()

    def make_way(self) -> None:
        super().make_way()
        if self._shares_screen and self._live.is_started:
            # The answer follows the table: a row that stays at "writing" would be untrue.
            self._rows = {call: row for call, row in self._rows.items() if row.state != "writing"}
            self._draw()
            self._live.stop()
            self._console.print()

    def _write(self, text: str) -> None:
        self._console.print(Text(safe_text(text)))

    def _draw(self) -> None:
        self._drawn_at = time.monotonic()
        # A line that fills the screen to its edge would wrap as soon as anything is typed.
        size = (self._console.width - 1, self._console.height - 2)
        lines = table_lines(self._rows, *size) if self._rows else []  # A heading alone says nothing.
        if not self._has_begun:
            lines.append("getting ready: the first call to a provider loads its library, a few seconds")
        self._live.update(Text("\n".join(lines), no_wrap=True, overflow="ellipsis"), refresh=True)


# The columns of id, state, tokens, seconds and price, which are never cut.
_NUMBERS_WIDTH = 42


def table_lines(rows: dict[CallId, _Row], width: int, height: int) -> list[str]:
    """The lines of the table, at most `width` columns wide and at most `height` in number.

    Where there are more rows than fit, a layer that is over or has not begun takes one line, and the calls
    that are running come first.
    """
    longest = max((cell_len(row.name) for row in rows.values()), default=0)
    # Half of what the numbers leave goes to the name, the other half to what went wrong.
    name_width = min(longest, max(8, (width - _NUMBERS_WIDTH) // 2, min(16, width - _NUMBERS_WIDTH)))
    title = f"{'':<6}{fit('agent', name_width)} {'state':<11}{'tokens':>7}{'s':>7}{'price':>9}"
    lines = [cut(title, width)]
    has_room = len(rows) + 1 <= height
    layer_lines: list[tuple[bool, str]] = []
    for number in sorted({call.layer for call in rows}):
        layer = {call: row for call, row in rows.items() if call.layer == number}
        if has_room or any(map(_is_busy, layer.values())):
            layer_lines += [
                (_is_busy(row), _line(call, row, name_width, width)) for call, row in layer.items()
            ]
        else:
            glyphs = " ".join(GLYPHS[row.state] for row in layer.values())
            layer_lines.append((False, f"L{number:<5}{glyphs}"))
    if len(layer_lines) + 1 > height:
        layer_lines = sorted(layer_lines, key=lambda line: not line[0])
        room = max(1, height - 2)
        layer_lines = [*layer_lines[:room], (False, f"… and {len(layer_lines) - room} more")]
    return lines + [line for _, line in layer_lines]


def _is_busy(row: _Row) -> bool:
    return row.state in ("writing", "retrying")


def _line(call: CallId, row: _Row, name_width: int, width: int) -> str:
    state = f"{GLYPHS[row.state]} {row.state}"
    seconds, cost = "", ""
    tokens = f"~{row.characters // 4}" if row.characters else ""
    if row.reply is not None:
        usage = row.reply.usage
        tokens = f"{'~' if usage.estimated else ''}{usage.completion_tokens}" if row.reply.text else ""
        cost = "?" if row.reply.cost is None else price(row.reply.cost, is_local=row.reply.local)
        seconds = f"{row.reply.seconds:.1f}"
    elif row.began is not None:
        seconds = f"{time.monotonic() - row.began:.1f}"
    line = f"{call!s:<6}{fit(row.name, name_width)} {state:<11}{tokens:>7}{seconds:>7}{cost:>9}"
    detail = one_line(row.detail)
    if row.again_at is not None:
        detail = f"{detail}, again in {max(0.0, row.again_at - time.monotonic()):.0f} s"
    room = width - cell_len(line) - 2
    return f"{line}  {shorten(detail, room)}" if detail and room > 8 else line
