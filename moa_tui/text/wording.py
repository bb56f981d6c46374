"""How states, prices, calls and runs are put into words, the same on every screen and in every pipe."""

from __future__ import annotations

from typing import TYPE_CHECKING

from moa_tui.engine.plan import estimate_tokens

if TYPE_CHECKING:
    from moa_tui.engine.recipe import Recipe
    from moa_tui.engine.values import Outcome, Reply

# State -> glyph; the word always stands beside it, so nothing hangs on colour or font.
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


# Less would be shown as 0 %.
_LEAST_OVERLAP = 0.005


def counted(number: int, thing: str) -> str:
    """`1 call`, `7 calls`."""
    return f"{number} {thing}{'' if number == 1 else 's'}"


def money(dollars: float | None) -> str:
    """A price; what is not known is said to be unknown."""
    if dollars is None:
        return "price unknown"
    return "$0" if dollars == 0 else f"${dollars:.4f}" if dollars < 0.1 else f"${dollars:.2f}"


def describe(reply: Reply) -> str:
    """How a call ended, in a line: `done, 380 tokens, 8.2 s, $0.0012`."""
    parts: list[str] = [reply.status]
    if reply.reused:
        parts.append("kept from before")
    if reply.text:
        tokens = reply.usage.completion_tokens or estimate_tokens(reply.text)
        parts.append(f"{'about ' if reply.usage.estimated else ''}{tokens} tokens")
    parts.append(f"{reply.seconds:.1f} s")
    if reply.text:
        parts.append(money(reply.cost))
    line = ", ".join(parts)
    return f"{line}: {one_line(reply.error.message)}" if reply.error else line


def summary(recipe: Recipe, outcome: Outcome) -> str:
    """How a run went, in a line and one more for each note: `5 of 6 used · 7 calls · 14.2 s · $0.021`."""
    measured, last = outcome.metrics.layers, len(recipe.layers)
    # A vote asks nobody, so the last layer measured is what it read; else that layer is the answer's.
    before = measured if recipe.task(last) == "vote" else measured[:-1]
    read = [layer for layer in before if 1 <= layer.number <= last and recipe.writes(layer.number)][-1:]
    parts = [f"{layer.used} of {layer.asked} used" for layer in read]
    made = sum(reply.started is not None and not reply.reused for reply in outcome.replies.values())
    parts.append(f"{made} of {recipe.calls} calls")
    parts.append(f"{outcome.seconds:.1f} s")
    parts.append(money(outcome.cost))
    best = sorted(outcome.metrics.overlap, key=lambda one: one.ngram_share, reverse=True)[:2]
    if top := [one for one in best if one.ngram_share >= _LEAST_OVERLAP]:
        named = ", ".join(f"{outcome.replies[one.call].agent} {one.ngram_share:.0%}" for one in top)
        parts.append(f"most overlap: {named}")
    return "\n".join([f"{recipe.name}: {' · '.join(parts)}", *(f"  note: {note}" for note in outcome.notes)])


def one_line(text: str) -> str:
    """`text` with every run of white space as one space."""
    return " ".join(text.split())
