"""States, prices, calls and runs in words, the same on every screen and in every pipe."""

from __future__ import annotations

from typing import TYPE_CHECKING

from moa_tui.engine.recipe import IMPORTED
from moa_tui.engine.token_estimate import estimate_tokens
from moa_tui.text.safe import one_line

if TYPE_CHECKING:
    from moa_tui.engine.recipe import Recipe
    from moa_tui.engine.values import Outcome, Reply

# State -> glyph. The word for the state always stands beside it, so nothing depends on colour or font.
GLYPHS = {
    "waiting": "·",
    "writing": "●",
    "retrying": "↻",
    "your turn": "?",
    "done": "✓",
    "partial": "◐",
    "failed": "✗",
    "stopped": "■",
    "excluded": "–",
}

# A smaller share would be shown as 0 %.
_LEAST_OVERLAP = 0.005


def counted(number: int, thing: str) -> str:
    """`number` and the noun `thing`, with an s where the number is not 1: `1 call`, `7 calls`."""
    return f"{number} {thing}{'' if number == 1 else 's'}"


def money(dollars: float | None) -> str:
    """A price as text; None is `price unknown`."""
    if dollars is None:
        return "price unknown"
    return "$0" if dollars == 0 else f"${dollars:.4f}" if dollars < 0.1 else f"${dollars:.2f}"


def describe(reply: Reply) -> str:
    """A line on how a call ended, such as `done, 380 tokens, 8.2 s, $0.0012`."""
    parts: list[str] = [reply.status]
    if reply.reused:
        parts.append("kept from before")
    if reply.text:
        tokens = reply.usage.completion_tokens or estimate_tokens(reply.text)
        parts.append(f"{'about ' if reply.usage.estimated else ''}{tokens} tokens")
    if reply.steps:
        parts.append(counted(len(reply.steps), "step"))
    parts.append(f"{reply.seconds:.1f} s")
    if reply.text:
        parts.append(money(reply.cost))
    line = ", ".join(parts)
    return f"{line}: {one_line(reply.error.message)}" if reply.error else line


def summary(recipe: Recipe, outcome: Outcome) -> str:
    """A line on how a run went, and one more for each note.

    The line is like `balanced: 5 of 6 used · 7 of 7 calls · 14.2 s · $0.02`. Of an answer that was
    imported from another program only the model is known: `imported: model gpt-4o`.
    """
    if recipe.label == IMPORTED:
        answered = f"model {recipe.lineup[0][0].name}" if outcome.replies else "not answered"
        return one_line(f"{recipe.label}: {answered}")
    layers, last = outcome.metrics.layers, len(recipe.layers)
    # A vote makes no calls, so all layers with metrics come before it.
    before = layers if recipe.task(last) == "vote" else layers[:-1]
    answering = [layer for layer in before if 1 <= layer.number <= last and recipe.writes(layer.number)]
    parts = [f"{layer.used} of {layer.asked} used" for layer in answering[-1:]]
    calls = sum(reply.started is not None and not reply.reused for reply in outcome.replies.values())
    parts.append(f"{calls} of {recipe.calls} calls")
    parts.append(f"{outcome.seconds:.1f} s")
    parts.append(money(outcome.cost))
    ranked = sorted(outcome.metrics.overlap, key=lambda overlap: overlap.ngram_share, reverse=True)
    if top := [overlap for overlap in ranked[:2] if overlap.ngram_share >= _LEAST_OVERLAP]:
        shares = (f"{outcome.replies[overlap.call].agent} {overlap.ngram_share:.0%}" for overlap in top)
        parts.append(f"most overlap: {', '.join(shares)}")
    notes = (f"  note: {one_line(note)}" for note in outcome.notes)
    return "\n".join([one_line(f"{recipe.label}: {' · '.join(parts)}"), *notes])
