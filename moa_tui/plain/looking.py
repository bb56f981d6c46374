"""Reading what is there: an agent's answer, the whole conversation, the statistics."""

from __future__ import annotations

from typing import TYPE_CHECKING

from moa_tui.chat import command_words
from moa_tui.engine import recipe_edit
from moa_tui.errors import UsageError
from moa_tui.stats.figures import GROUP_KINDS
from moa_tui.stats.preference_table import preference_notes
from moa_tui.stats.tables import MEASURES, headline, notes, why_nothing
from moa_tui.text.safe import one_line
from moa_tui.text.wording import describe

if TYPE_CHECKING:
    from moa_tui.conversation import Turn
    from moa_tui.engine.values import CallId, Reply
    from moa_tui.plain.chat import PlainChat


def call_of(chat: PlainChat, name: str) -> tuple[Turn, CallId]:
    """The last turn, and its call that `2` (of the layer whose answers the last one reads) or `L1.2` names.

    Raises UsageError.
    """
    turn = chat.chat.turn
    if turn is None:
        raise UsageError("there is no answer yet")
    try:
        layer = recipe_edit.answering_layer(turn.recipe)
    except UsageError:
        layer = 1
    return turn, command_words.call_named(name, turn.recipe, layer)


def show(chat: PlainChat, words: str) -> None:
    """`N` or `L.N`: read that agent's answer; with `reasoning` behind it, that; or say who there is."""
    name, _, what = words.partition(" ")
    turn = chat.chat.turn
    if turn is None or turn.outcome is None:
        raise UsageError("there is no answer yet")
    if name == "all":
        for each in chat.chat.path:
            chat.tell_turn(each)
        return
    if name == "answer":
        chat.voice.write_text(turn.outcome.answer or "There is no answer.")
        return
    if not name:
        for call, reply in sorted(turn.outcome.replies.items()):
            _tell_reply(chat, call, reply)
        chat.voice.say("/show N or /show L.N reads one; with the word reasoning behind it, its reasoning.")
        return
    turn, call = call_of(chat, name)
    if turn.outcome is None or call not in turn.outcome.replies:
        raise UsageError(f"{call} was not asked in this turn")
    reply = turn.outcome.replies[call]
    if what not in ("", "reasoning"):
        raise UsageError(f"/show {name} reads the answer, /show {name} reasoning the reasoning")
    text = reply.reasoning if what else reply.text
    _tell_reply(chat, call, reply)
    chat.voice.write_text(text if text.strip() else f"There is no {what or 'text'}.")


def _tell_reply(chat: PlainChat, call: CallId, reply: Reply) -> None:
    chat.voice.say(f"{call} {one_line(f'{reply.agent}, {reply.model}')}: {describe(reply)}")


def tell_stats(chat: PlainChat, _: str) -> None:
    """Say what all conversations took, a sentence for each recipe, model, agent and month."""
    figures = chat.library.figures()
    if (reason := why_nothing(figures)) is not None:
        chat.voice.say(reason)
        return
    chat.voice.say(f"All together: {headline(figures)}")
    for kind in GROUP_KINDS:
        chat.voice.say(f"By {kind}:")
        for group in figures.groups(kind):
            parts = [
                f"{column} {text}"
                for column, measure in MEASURES.items()
                if (text := measure.written(group).strip()) not in ("", "0", "-", "–")
            ]
            chat.voice.say(f"{one_line(group.name)}: {', '.join(parts)}")
    for note in notes(figures):
        chat.voice.say(note)
    if figures.preferences is not None:
        for note in preference_notes(figures.preferences):
            chat.voice.say(note)
