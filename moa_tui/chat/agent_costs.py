"""What the calls of a conversation took, agent by agent. Pure."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from moa_tui.engine.values import paid
from moa_tui.text.safe import one_line
from moa_tui.text.wording import counted, money, price

if TYPE_CHECKING:
    from collections.abc import Iterable

    from moa_tui.conversation import Turn
    from moa_tui.engine.values import Reply

_MOST_AGENTS = 12


def replies_asked(turns: Iterable[Turn]) -> list[Reply]:
    """What was asked for in these turns, without the replies that were reused."""
    outcomes = (turn.outcome for turn in turns if turn.outcome is not None)
    replies = (reply for outcome in outcomes for reply in outcome.replies.values())
    return [reply for reply in replies if reply.started is not None and not reply.reused]


def agent_cost_lines(turns: Iterable[Turn]) -> list[str]:
    """A line for each agent that was asked, the dearest first: its calls, tokens and price.

    Reused replies count in the turn that they come from. Of very many agents the dearest are named and the
    others counted together.
    """
    replies: defaultdict[str, list[Reply]] = defaultdict(list)
    for reply in replies_asked(turns):
        replies[reply.agent].append(reply)
    ranked = sorted(replies.items(), key=lambda pair: (-paid(pair[1]).known_cost, pair[0]))
    lines = [f"{one_line(name)}: {_words(of_agent)}" for name, of_agent in ranked[:_MOST_AGENTS]]
    if others := [reply for _, of_agent in ranked[_MOST_AGENTS:] for reply in of_agent]:
        lines.append(f"{counted(len(ranked) - _MOST_AGENTS, 'other agent')}: {_words(others)}")
    return lines


def _words(replies: list[Reply]) -> str:
    total = paid(replies)
    unpriced = sum(reply.cost is None for reply in replies)
    if unpriced and total.known_cost:
        cost = f"{money(total.known_cost)} and {counted(unpriced, 'call')} of unknown price"
    else:
        cost = price(total.cost, is_local=all(reply.local for reply in replies))
    estimated = "~" if total.usage.estimated else ""
    return f"{counted(len(replies), 'call')}, {estimated}{total.tokens:,} tokens, {cost}"
