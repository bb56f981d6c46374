"""One recipe's answer among several: its name, state and numbers in the frame, the answer inside."""

from __future__ import annotations

from typing import TYPE_CHECKING

from moa_tui.text.safe import one_line, without_controls
from moa_tui.text.wording import GLYPHS, money, price
from moa_tui.ui.run.follower import AnswerCursor
from moa_tui.ui.widgets.framed_pane import FramedPane

if TYPE_CHECKING:
    from moa_tui.ui.run.run_view import RunView


class AnswerPane(FramedPane):
    """Shows a run's answer as it is written.

    While names are hidden, it also hides what would give them away, such as times, prices and errors.
    """

    HELP_TITLE = "A recipe's answer"
    DEFAULT_CSS = "AnswerPane.-chosen { border-title-style: bold reverse; }"

    def __init__(self, run: RunView, number: int, *, hidden: bool) -> None:
        """`number` is that of the column, from 1. `hidden` hides the recipe's name until `reveal`."""
        super().__init__()
        self.run_state = run
        self.number = number
        self.hidden = hidden
        self.chosen = False
        self.why_not: str | None = None
        """Why the run never began, once that is known."""
        self._cursor = AnswerCursor(run)

    @property
    def name_words(self) -> str:
        """The column's number and recipe: `1 duo`, or `1 A` while the names are hidden."""
        if self.hidden:
            return f"{self.number} {chr(ord('A') + self.number - 1)}"
        return f"{self.number} {without_controls(one_line(self.run_state.recipe.label)) or '(no name)'}"

    @property
    def state_words(self) -> str:
        """The run's state as glyph and word: `● L1 3/6`."""
        run = self.run_state
        if self.why_not is not None:
            return f"{GLYPHS['stopped']} not asked"
        if run.outcome is not None:
            return f"{GLYPHS[run.outcome.status]} {run.outcome.status}{', chosen' if self.chosen else ''}"
        views = run.layers[run.layer - 1]
        ready = f"{run.layer_name(run.layer)} {sum(view.over for view in views)}/{len(views)}"
        if run.answering:
            beside = f", {ready}" if run.answers_beside and not self.hidden else ""
            return f"{GLYPHS['writing']} writing{beside}"
        if self.hidden:
            return f"{GLYPHS['writing']} at work"
        if all(view.state == "waiting" for view in views):
            return f"{GLYPHS['waiting']} getting ready"
        return f"{GLYPHS['writing']} {ready}"

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
            return [
                f"{run.outcome.seconds:.1f} s",
                price(run.outcome.cost, is_local=run.outcome.local),
                f"{estimated}{tokens:,} tok",
            ]
        return [f"{run.now:.0f} s", *([money(run.cost)] if run.cost else []), f"~{run.tokens:,} tok written"]

    @property
    def answer(self) -> str:
        """The answer as far as it is written, in Markdown."""
        return self.run_state.answer

    @property
    def is_answered(self) -> bool:
        """Whether the run is over and came to an answer."""
        return self.run_state.over and bool(self.answer.strip())

    def reveal(self) -> None:
        """Show the recipe's name and all that was hidden with it."""
        self.hidden = False
        self.tick()

    def tick(self) -> None:
        """Bring text and frame up to date."""
        cursor = self._cursor
        news = cursor.news()
        self.show_news(news, has_text=cursor.has_text, is_over=self.run_state.over)
        if not cursor.has_text:
            self.show_notice(self._why_no_answer())
        self.draw_frame()

    def draw_frame(self) -> None:
        outcome = self.run_state.outcome
        status = outcome.status if outcome is not None else None
        self.show_frame(self.name_words, self.state_words, self.numbers, status)
        self.set_class(self.chosen, "-chosen")

    def _why_no_answer(self) -> str:
        """A sentence on why there is no answer, or not yet."""
        run = self.run_state
        if not run.over and self.why_not is None:
            return "no answer yet" if self.hidden else "\n".join(run.strip())
        if self.hidden:
            # What went wrong would name a model.
            return "no answer; why is told with the names"
        error = run.outcome.error.message if run.outcome is not None and run.outcome.error is not None else ""
        return self.why_not or error or "no answer"
