"""The full synthesis of a turn whose answer was begun before all that it reads was there. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from moa_tui.chat.changes import Rerun
from moa_tui.engine.recipe_edit import without_stairs
from moa_tui.errors import UsageError
from moa_tui.text.wording import money

if TYPE_CHECKING:
    from moa_tui.chat.run_handle import RunProgress
    from moa_tui.conversation import Turn
    from moa_tui.engine.values import CallId


@dataclass(frozen=True, slots=True)
class FullSynthesis:
    """A `chat.changes.Change`: write the answer again, from all answers at once."""

    def of_turn(self, turn: Turn) -> Rerun:
        """The layer that began early and what follows it is run anew; no answer before it is asked again.

        Raises UsageError where no layer began early, or there is no whole answer.
        """
        early = _early_layer(turn)
        if early is None or turn.outcome is None:
            raise UsageError("this answer was not begun early: there is no more to write it from")
        if not _whole_answers(turn, early):
            raise UsageError("no proposer's answer is whole; /retry asks them all")
        kept = {call: reply for call, reply in turn.outcome.replies.items() if call.layer < early}
        return Rerun(without_stairs(turn.recipe), kept)

    def of_run(self, progress: RunProgress) -> None:
        """Only a turn that is over is written again."""


def late_answers(turn: Turn) -> tuple[CallId, ...]:
    """The answers that came after the turn's answer was begun, and are unlike all that it was begun from.

    None where the answer cannot be written again, as that of a turn from a file, or of cut answers alone.
    """
    early = _early_layer(turn)
    if turn.outcome is None or early is None or not _whole_answers(turn, early):
        return ()
    return tuple(call for reply in turn.outcome.replies.values() for call in reply.unread)


def offer_words(turn: Turn, price: float | None, how: str) -> str:
    """The offer to write the answer again from all answers, in a line.

    `how` is what the user does for it, as "F9"; `price` is the most that it should cost, in US dollars, None
    where that is unknown.
    """
    late, early = late_answers(turn), _early_layer(turn)
    who = "an answer that came late differs"
    if len(late) > 1:
        who = f"{len(late)} answers that came late differ"
    whole = len(_whole_answers(turn, early)) if early is not None else 0
    cost = money(price) if not price else f"{money(price)} at most"
    return f"{who}: {how} writes the answer again from all {whole} ({cost})"


def _early_layer(turn: Turn) -> int | None:
    """The number of the first layer that begins while the one before it writes; None where none does."""
    return next((number for number, layer in enumerate(turn.recipe.layers, 1) if layer.begins_early), None)


def _whole_answers(turn: Turn, early: int) -> list[CallId]:
    """The whole answers of the layer before layer `early`."""
    replies = turn.outcome.replies if turn.outcome is not None else {}
    return [call for call, reply in replies.items() if call.layer == early - 1 and reply.status == "done"]
