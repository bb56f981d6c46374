"""One recipe's answer among several: how its run stands in the frame, what it answers inside."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.content import Content

from moa_tui.ui.agent_pane import frame_words
from moa_tui.ui.line_filter import visible
from moa_tui.ui.live_text import LiveText
from moa_tui.wording import GLYPHS, money, one_line

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
        """`number` counts the columns from 1; `hidden` is whether the recipe's name is not to be told yet."""
        super().__init__()
        self.run_state = run
        self.number = number
        self.hidden = hidden
        self.chosen = False
        self.why_not: str | None = None
        """Why the run never began, once that is known."""
        self._seen = 0
        self._shown: object = None
        self._framed: list[str] = []

    @property
    def name_words(self) -> str:
        """`1 duo`, or `1 A` while the names are hidden."""
        if self.hidden:
            return f"{self.number} {chr(ord('A') + self.number - 1)}"
        return f"{self.number} {visible(one_line(self.run_state.recipe.name)) or '(no name)'}"

    @property
    def state_words(self) -> str:
        """How the run stands, glyph and word: `● L1 3/6`."""
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
        """What there is of the answer."""
        run = self.run_state
        if run.outcome is not None:
            return run.outcome.answer
        return run.writer.written("text") if run.writer is not None else ""

    @property
    def is_answered(self) -> bool:
        """Whether the run is over and came to an answer."""
        return self.run_state.over and bool(self.answer.strip())

    def reveal(self) -> None:
        """Tell the name and all that was hidden with it."""
        self.hidden = False
        self._shown, self._framed = None, []
        self.tick()

    def restart(self) -> None:
        """What was written does not count any more."""
        self._seen, self._shown = 0, None

    def tick(self) -> None:
        """Bring text and frame up to date."""
        run = self.run_state
        if run.over or self.why_not is not None:
            self._end()
        elif run.writer is not None and self._seen < len(parts := run.writer.parts["text"]):
            if self._seen == 0:
                self.show("", follow=True)
            text = "".join(parts[self._seen :])
            self._seen, self._shown = len(parts), None
            self.remove_class("-still")
            self.append(text)
        elif self._seen == 0:
            self._still("no answer yet" if self.hidden else "\n".join(run.strip()))
        else:
            self.settle_thumb()
        self._frame()

    def _end(self) -> None:
        if self.answer.strip():
            if self._shown is not self.run_state.outcome:
                self._shown = self.run_state.outcome
                self.remove_class("-still")
                self.finish(self.answer)
        elif self.hidden:
            # What went wrong would name a model.
            self._still("no answer; why is told with the names")
        else:
            outcome = self.run_state.outcome
            error = outcome.error.message if outcome is not None and outcome.error is not None else ""
            self._still(self.why_not or error or "no answer")

    def _still(self, words: str) -> None:
        """Say why there is no text."""
        if self._shown != words:
            self._shown = words
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
        for one in ("done", "failed", "partial", "stopped"):
            self.set_class(status == one, f"-{one}")
        self.set_class(self.chosen, "-chosen")

    def on_resize(self) -> None:
        """Fit the frame's words to the new width; after that of the text, which Textual calls itself."""
        self._framed = []
        self._frame()
