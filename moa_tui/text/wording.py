"""States, prices, calls and runs in words, the same on every screen and in every pipe."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

from moa_tui.engine.recipe import IMPORTED
from moa_tui.engine.token_estimate import estimate_tokens
from moa_tui.text.safe import one_line

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from moa_tui.engine.left_out import LeftOutPoint
    from moa_tui.engine.recipe import Recipe
    from moa_tui.engine.values import CallId, Outcome, Reply

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

# The agents that a line of what was left out names.
_MOST_NAMED = 4
# Bold text and code; two asterisks between letters or digits are a power, and code stands as it is.
_MARKED = re.compile(
    r"(`{1,2})(?P<code>[^`\n]{1,400})\1|(?<![A-Za-z0-9_*])\*\*(?=[^\s*])|(?<=[^\s*])\*\*(?![A-Za-z0-9_*])"
)


def counted(number: int, thing: str) -> str:
    """`number` and the noun `thing`, with an s where the number is not 1: `1 call`, `7 calls`."""
    return f"{number} {thing}{'' if number == 1 else 's'}"


def calls_words(calls: int, requests: int) -> str:
    """The number of calls, and of requests at most where some of the calls are asked several times."""
    words = counted(calls, "call")
    return words if requests <= calls else f"{words}, {requests} requests at most"


def money(dollars: float | None) -> str:
    """A price as text; None is `price unknown`."""
    if dollars is None:
        return "price unknown"
    return "$0" if dollars == 0 else f"${dollars:.4f}" if dollars < 0.1 else f"${dollars:.2f}"


def price(dollars: float | None, *, is_local: bool) -> str:
    """A price as text; `local` where a server on this machine asked nothing for it."""
    return "local" if is_local and not dollars else money(dollars)


def short_prompt_price(dollars: float | None, *, is_local: bool) -> str:
    """What a short prompt comes to at most, in words."""
    words = price(dollars, is_local=is_local)
    return f"{words} at most for a short prompt" if dollars else words


def read_words(read: Mapping[CallId, int], whole: Collection[CallId], total: int) -> str:
    """What a part of an answer was written from, such as `4 of 6 beginnings, 512 characters each`.

    `read` has the characters that were read of each of `total` answers, `whole` those that had ended.
    """
    lengths = [length for call, length in read.items() if call not in whole]
    if not lengths:
        return f"{len(read)} of {total} answers, whole"
    least, most = min(lengths), max(lengths)
    size = f"{most:,} characters" if least == most else f"{least:,} to {most:,} characters"
    if len(lengths) == len(read):
        each = " each" if least == most and len(read) > 1 else ""
        return f"{len(read)} of {total} beginnings, {size}{each}"
    begun = counted(len(lengths), "beginning")
    return f"{len(read)} of {total} answers: {len(read) - len(lengths)} whole, {begun} of {size}"


def step_words(
    part: int, read: Mapping[CallId, int], whole: Collection[CallId], total: int, *, is_again: bool
) -> str:
    """From what a part of an answer is written, such as `part 2 from 4 of 6 beginnings, 512 characters each`.

    Of an answer that is begun from whole answers, `begun from 4 of 6 answers, whole`. `is_again` is true
    where the request before has written nothing that is shown.
    """
    source = read_words(read, whole, total)
    if part == 1 and not read.keys() - set(whole):
        return f"begun{' again' if is_again else ''} from {source}"
    return f"part {part}{', begun again,' if is_again else ''} from {source}"


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
        parts.append(price(reply.cost, is_local=reply.local))
    line = ", ".join(parts)
    return f"{line}: {one_line(reply.error.message)}" if reply.error else line


def left_out_line(points: Sequence[LeftOutPoint], replies: Mapping[CallId, Reply]) -> str:
    """What an answer left out, in a line such as `left out: 7 points (glm 3, kimi 2, 2 more of others)`.

    A point that several agents make counts for the one whose words it is listed in.
    """
    if not points:
        return "left out: nothing"
    counts = left_out_counts(points, replies)
    named = [f"{agent} {count}" for agent, count in counts[:_MOST_NAMED]]
    if others := sum(count for _, count in counts[_MOST_NAMED:]):
        named.append(f"{others} more of others")
    return f"left out: {counted(len(points), 'point')} ({', '.join(named)})"


def left_out_counts(points: Sequence[LeftOutPoint], replies: Mapping[CallId, Reply]) -> list[tuple[str, int]]:
    """How many of the points stand in the words of each agent, with its name, the most first."""
    return Counter(one_line(replies[point.calls[0]].agent) for point in points).most_common()


def left_out_text(point: LeftOutPoint) -> str:
    """A point on one line, without the marks of bold text and of code."""
    return one_line(_MARKED.sub(lambda mark: mark["code"] or "", point.text))


def left_out_source(point: LeftOutPoint, replies: Mapping[CallId, Reply]) -> str:
    """Who makes a point and where that stands, such as `L1.2 glm, L1.3 kimi`."""
    return ", ".join(f"{call} {one_line(replies[call].agent)}" for call in point.calls)


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
    parts.append(price(outcome.cost, is_local=outcome.local))
    notes = (f"  note: {one_line(note)}" for note in outcome.notes)
    return "\n".join([one_line(f"{recipe.label}: {' · '.join(parts)}"), *notes])
