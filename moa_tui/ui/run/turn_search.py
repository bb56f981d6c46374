"""Searching the turns of a conversation, mounted or not. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from moa_tui.text.safe import one_line

if TYPE_CHECKING:
    from moa_tui.conversation import Turn
    from moa_tui.ui.run.run_view import RunView

# An address in parentheses is bounded: many beginnings of one would take quadratic time.
_MARKS = re.compile(r"\*+|`+|^#+ |(?<=\w\])\([^)]{0,500}\)", re.MULTILINE)


def occurrences(text: str, turn: Turn, run: RunView | None) -> int:
    """How often the turn's prompt and answer hold `text`, whatever its case; 0 for an empty text.

    `run` follows a turn that is running, or was read before; without it the turn's own outcome counts.
    """
    if not text:
        return 0
    outcome = run.outcome if run is not None else turn.outcome
    answer = _as_shown(outcome.answer) if outcome is not None else ""
    return sum(searched.count(text.casefold()) for searched in (turn.prompt.casefold(), answer))


def _as_shown(markdown: str) -> str:
    """About the words that are shown for a Markdown text: without its marks, in one line and one case."""
    return one_line(_MARKS.sub("", markdown)).casefold()
