"""One recipe's answer among several: how its run stands in the frame, what it answers inside."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.content import Content

from moa_tui.text.safe import without_controls
from moa_tui.text.wording import GLYPHS, money, one_line
from moa_tui.ui.run.follower import AnswerCursor, Appended, Begun, Nothing, Whole
from moa_tui.ui.widgets.agent_pane import frame_words
from moa_tui.ui.widgets.live_text import LiveText

if TYPE_CHECKING:
    from moa_tui.ui.run.run_view import RunView


class AnswerPane(LiveText):
    """Shows a run's answer as it is written; while names are hidden, nothing that would give them away."""

    HELP_TITLE = "A recipe's answer"
    DEFAULT_CSS = """
    AnswerPane {
        border: round $foreground 40%; padding: 0 1;
        border-title-color: $text; border-subtitle-color: $text-muted;
        &:focus { border: heavy $accent; }
        &.-done { border-title-color: $text-success; }
        &.-failed { border-title-color: $text-error; }
        &.-partial, &.-stopped { border-title-color: $text-warning; }
        &.-chosen { border-title-style: bold reverse; }
        &.-still { color: $text-muted; }
    }
    """

    def __init__(self, run: RunView, number: int, *, hidden: bool) -> None:
        """`number` counts the columns from 1; `hidden` keeps the recipe's name back until `reveal`."""
        super().__init__()
        self.run_state = run
        self.number = number
        self.hidden = hidden
        self.chosen = False
        self.why_not: str | None = None
        """Why the run never began, once that is known."""
        self._cursor = AnswerCursor(run)
        self._notice = ""
        """The words that stand in the place of an answer; empty where an answer stands."""
        self._framed: list[str] = []

    @property
    def name_words(self) -> str:
        """The column's number and recipe: `1 duo`, or `1 A` while the names are hidden."""
        if self.hidden:
            return f"{self.number} {chr(ord('A') + self.number - 1)}"
        return f"{self.number} {without_controls(one_line(self.run_state.recipe.name)) or '(no name)'}"

    @property
    def state_words(self) -> str:
        """The run's state as glyph and word: `● L1 3/6`."""
        run = self.run_state
        if self.why_not is not None:
            return f"{GLYPHS['stopped']} not asked"
        if run.outcome is not None:
            return f"{GLYPHS[run.outcome.status]} {run.outcome.status}{', chosen' if self.chosen else ''}"
        if run.answering:
            return f"{GLYPHS['writing']} writing"
        if self.hidden:
            return f"{GLYPHS['writing']} at work"
        views = run.layers[run.layer - 1]
        if all(view.state == "waiting" for view in views):
            return f"{GLYPHS['waiting']} getting ready"
        ready = sum(view.over for view in views)
        return f"{GLYPHS['writing']} {run.layer_name(run.layer)} {ready}/{len(views)}"

    @property
    def numbers(self) -> list[str]:
        """Seconds, tokens and price; none of them while the names are hidden."""
        run = self.run_state
        if self.hidden or self.why_not is not None:
            return []
        if run.outcome is not None:
            usage = run.outcome.usage
            estimated = "~" if usage.estimated else ""
            tokens = usage.prompt_tokens + usage.completion_tokens
            return [f"{run.outcome.seconds:.1f} s", money(run.outcome.cost), f"{estimated}{tokens:,} tok"]
        return [f"{run.now:.0f} s", *([money(run.cost)] if run.cost else []), f"~{run.tokens:,} tok written"]

    @property
    def answer(self) -> str:
        """The answer as far as it is written."""
        return self.run_state.answer

    @property
    def is_answered(self) -> bool:
        """Whether the run is over and came to an answer."""
        return self.run_state.over and bool(self.answer.strip())

    def reveal(self) -> None:
        """Show the recipe's name and all that was hidden with it."""
        self.hidden = False
        self._framed = []
        self.tick()

    def tick(self) -> None:
        """Bring text and frame up to date."""
        match self._cursor.news():
            case Begun(text):
                self._show_text()
                self.show(text, follow=True)
            case Appended(text):
                self.append(text)
            case Whole(text) if self._cursor.has_text:
                self._show_text()
                self.finish(text)
            case Nothing() if self._cursor.has_text and not self.run_state.over:
                self.settle_thumb()
        if not self._cursor.has_text:
            self._show_notice(self._why_no_answer())
        self._frame()

    def _why_no_answer(self) -> str:
        """Why there is no answer to show, or not yet."""
        run = self.run_state
        if not run.over and self.why_not is None:
            return "no answer yet" if self.hidden else "\n".join(run.strip())
        if self.hidden:
            # What went wrong would name a model.
            return "no answer; why is told with the names"
        error = run.outcome.error.message if run.outcome is not None and run.outcome.error is not None else ""
        return self.why_not or error or "no answer"

    def _show_text(self) -> None:
        """Make room for an answer where a notice may stand."""
        self._notice = ""
        self.remove_class("-still")

    def _show_notice(self, words: str) -> None:
        """Say why there is no answer."""
        if self._notice != words:
            self._notice = words
            self.add_class("-still")
            self.show(words)

    def _frame(self) -> None:
        room = self.size.width - 2
        if room <= 0:
            return
        frame = frame_words(self.name_words, self.state_words, self.numbers, room)
        if frame != self._framed:
            self._framed = frame
            # As Content: a name must not be read as markup.
            self.border_title, self.border_subtitle = map(Content, frame)
        status = self.run_state.outcome.status if self.run_state.outcome is not None else None
        for end in ("done", "failed", "partial", "stopped"):
            self.set_class(status == end, f"-{end}")
        self.set_class(self.chosen, "-chosen")

    def on_resize(self) -> None:
        """Fit the frame's words to the new width; after that of the text, which Textual calls itself."""
        self._framed = []
        self._frame()
