"""A turn as rows: the prompt, how its run stands, and what the run came to. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.content import Content

from moa_tui.chat import left_out
from moa_tui.text.safe import one_line
from moa_tui.text.wording import GLYPHS, counted, summary
from moa_tui.ui.rows.text_rows import MUTED, Row, lightly_styled, prefixed, wrap

if TYPE_CHECKING:
    from moa_tui.ui.run.run_view import RunView

# A longer prompt shows its beginning until the user opens it.
_SHOWN_PROMPT_LINES = 20
# Characters of one line of a prompt that are laid out; a pasted file may be a single line.
_LONGEST_PROMPT_LINE = 20_000
_NARROWEST_TEXT = 4
_MARGIN = Content("  ")
_STATUS_WORDS = {"partial": "cut off", "failed": "no answer", "stopped": "stopped"}


def prompt_rows(prompt: str, place: tuple[int, int], width: int, *, is_whole: bool) -> list[Row]:
    """The prompt behind a margin, in rows of `width` cells at most.

    `place` is the turn's number among its alternatives, from 1, and how many there are. Unless `is_whole`, a
    long prompt ends after 20 lines with a row that counts the others.
    """
    lines = prompt.split("\n")
    shown = lines if is_whole else lines[:_SHOWN_PROMPT_LINES]
    name = Content("You").stylize("bold $text-accent")
    number, total = place
    if total > 1:
        name = Content.assemble(name, f"  ‹{number}/{total}›")
    rows = [Row(name)]
    for line in shown:
        plain = lightly_styled(line[:_LONGEST_PROMPT_LINE]).without_spans
        rows += prefixed(wrap(plain, _behind_margin(width)), _MARGIN)
    if len(shown) < len(lines):
        more = f"… {counted(len(lines) - len(shown), 'more line')}; e shows them"
        rows.append(Row((_MARGIN + Content(more)).stylize(MUTED)))
    return rows


def progress_rows(run: RunView, width: int) -> list[Row]:
    """A blank row, the recipe with what the run does or how it ended, and the strip of its layers."""
    name = Content(one_line(run.recipe.label)).stylize("bold $text-primary")
    if run.outcome is None:
        name = Content.assemble(name, "  ", run.stage())
    elif (status := run.outcome.status) != "done":
        name = Content.assemble(name, f"  {GLYPHS[status]} {_STATUS_WORDS[status]}")
    rows = [Row(Content()), *wrap(name, width)]
    if len(run.layers) > 1 or len(run.layers[0]) > 1:
        layers = run.strip()
        joined = " │ ".join(layers)
        lines = [joined] if len(joined) + 2 <= width else layers
        for line in lines:
            rows += prefixed(wrap(Content(line).stylize(MUTED), _behind_margin(width)), _MARGIN)
    return rows


def outcome_rows(run: RunView, width: int) -> list[Row]:
    """The run's error, its numbers, what its answer left out, its notes and what it offers.

    There are no rows while it is running.
    """
    outcome = run.outcome
    if outcome is None:
        return []
    rows: list[Row] = []
    if outcome.status != "done" and outcome.error is not None:
        mark = Content(f"{GLYPHS[outcome.status]} ").stylize("$text-error")
        lines = [
            row
            for line in outcome.error.message.split("\n")
            for row in wrap(Content(line).stylize("$text-error"), _behind_margin(width))
        ]
        rows += [Row(Content()), *prefixed(lines, mark)]
    first, *notes = summary(run.recipe, outcome).split("\n")
    numbers = first.partition(": ")[2]
    rows += [Row(Content()), *wrap(Content(numbers).stylize(MUTED), width)]
    if run.left_out is not None and (words := left_out.line_words(run.left_out, width)):
        rows.append(Row(Content(words).stylize(MUTED)))
    for note in notes:
        rows += wrap(Content(note.strip()).stylize(MUTED), width)
    if run.offer:
        rows += wrap(Content(run.offer).stylize("$text-accent"), width)
    return rows


def _behind_margin(width: int) -> int:
    """The cells that are left for text behind a margin of two."""
    return max(_NARROWEST_TEXT, width - 2)
