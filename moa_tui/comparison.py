"""One prompt through several recipes at once, and which of their answers was preferred."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from moa_tui.preferences import Preference

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from moa_tui.chat import Chat
    from moa_tui.conversation import Turn
    from moa_tui.running import Running


class Comparison:
    """Runs of one prompt, in the order they are shown in; each of them becomes a turn in the same place."""

    def __init__(self, chat: Chat, runs: Sequence[Running], *, blind: bool = False) -> None:
        """`blind` is whether the person is to choose without knowing which recipe is which."""
        self.runs = tuple(runs)
        self.blind = blind
        self.decided = False
        """Whether the person has chosen, be it none of them."""
        self.chosen: Running | None = None
        self.faults: list[Exception] = []
        """What kept runs from beginning, or is a bug that ended them; known once settled."""
        self._chat = chat

    def stop(self) -> None:
        """Stop all that still runs; what was received is kept."""
        for running in self.runs:
            running.stop()

    def choose(self, chosen: Running | None, seen: Collection[Running]) -> bool:
        """Take one run's answer for the best, or none of them; whether that adds to the table of recipes.

        Only recipes whose answers were `seen` have been compared; where those are fewer than two, the choice
        says only which answer the conversation goes on with. In a private conversation nothing is kept of it.
        """
        self.decided, self.chosen = True, chosen
        names = tuple(one.turn.recipe.name for one in self.runs if one in seen)
        name = chosen.turn.recipe.name if chosen is not None else None
        return len(names) > 1 and self._chat.prefer(Preference(names, name, self.blind, time.time()))

    def fault(self, running: Running) -> Exception | None:
        """What kept an ended run from beginning, or is a bug that ended it."""
        try:
            running.result()
        except Exception as error:  # the others' answers must not be lost with it
            return error
        return None

    def settle(self) -> list[Turn]:
        """Once every run has ended: take the turns up side by side, the chosen one active.

        Without a choice that is the first with an answer. Runs that never began are left out.
        """
        turns: list[Turn] = []
        active = None
        for running in self.runs:
            if (fault := self.fault(running)) is not None:
                self.faults.append(fault)
            elif (turn := running.result()) is not None:
                turns.append(turn)
                active = turn if running is self.chosen else active
        if turns:
            answered = [one for one in turns if one.outcome is not None and one.outcome.answer.strip()]
            self._chat.take_up(turns, active or (answered or turns)[0])
        return turns
