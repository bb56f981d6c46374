"""One prompt through several recipes at once, and which of their answers was preferred."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from moa_tui.stats import preferences

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from moa_tui.chat.run_handle import RunHandle
    from moa_tui.conversation import Turn


class Comparison:
    """Runs of one prompt, in the order they are shown in; each of them becomes a turn in the same place."""

    def __init__(
        self,
        runs: Sequence[RunHandle],
        *,
        record_choice: Callable[[preferences.Preference], bool],
        is_blind: bool = False,
    ) -> None:
        """`is_blind`: the person is to choose without knowing which recipe is which.

        `record_choice` writes a choice down and returns True where it was kept.
        """
        self.runs = tuple(runs)
        self.is_blind = is_blind
        self.is_decided = False
        """True once the person has chosen, be it none of them."""
        self.chosen: RunHandle | None = None
        self._record_choice = record_choice

    def stop(self) -> None:
        """Stop all that still runs; what was received is kept."""
        for run in self.runs:
            run.stop()

    def choose(self, chosen: RunHandle | None, seen: Collection[RunHandle]) -> bool:
        """Take one run's answer for the best, or none of them; True if that adds to the table of recipes.

        Only recipes whose answers were `seen` have been compared; where those are fewer than two, the choice
        says only which answer the conversation goes on with. In a private conversation nothing is kept of it.
        """
        self.is_decided, self.chosen = True, chosen
        names = tuple(run.turn.recipe.name for run in self.runs if run in seen)
        name = chosen.turn.recipe.name if chosen is not None else None
        return len(names) > 1 and self._record_choice(
            preferences.Preference(names, name, self.is_blind, time.time())
        )

    def fault(self, run: RunHandle) -> Exception | None:
        """What kept an ended run from beginning, or is a bug that ended it."""
        try:
            run.result()
        except Exception as error:  # the others' answers must not be lost with it
            return error
        return None

    def faults(self) -> list[Exception]:
        """The faults of all runs, once every one of them has ended."""
        return [fault for run in self.runs if (fault := self.fault(run)) is not None]

    def turns(self) -> tuple[list[Turn], Turn | None]:
        """Once every run has ended: the turns they made, and the one to go on from.

        That is the chosen one; without a choice the first with an answer. Runs that never began, or that a
        bug ended, make no turn.
        """
        turns: list[Turn] = []
        chosen = None
        for run in self.runs:
            turn = run.result() if self.fault(run) is None else None
            if turn is not None:
                turns.append(turn)
                chosen = turn if run is self.chosen else chosen
        answered = [turn for turn in turns if turn.outcome is not None and turn.outcome.answer.strip()]
        return turns, chosen or next(iter([*answered, *turns]), None)
