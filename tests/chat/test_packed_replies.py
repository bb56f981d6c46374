"""The replies of turns that are over: as they were, and no larger in memory than what was written in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from moa_tui.chat import packed_replies
from moa_tui.chat.packed_replies import HistoryMessages, PackedReplies
from moa_tui.conversation import Turn
from moa_tui.engine.run import run
from moa_tui.engine.values import CallId
from tests.chat.helpers import settled
from tests.fakes import FakeModels
from tests.helpers import recipe

if TYPE_CHECKING:
    from moa_tui.chat.chat import Chat

RECIPE = recipe(["a", "b"], ["judge"])
JUDGE = CallId(2, 1)
LONG = " ".join(f"word {number}" for number in range(2_000))


def replies_of(turn: Turn) -> PackedReplies:
    assert turn.outcome is not None
    assert isinstance(turn.outcome.replies, PackedReplies)
    return turn.outcome.replies


async def test_packed_replies_and_their_messages_read_as_they_were() -> None:
    models = FakeModels(a=[["short"]], b=[[LONG]], judge=[["it is \udcff so"]])
    parent = Turn(
        "earlier", RECIPE, await run(RECIPE, [{"role": "user", "content": "e"}], models, lambda _: None)
    )
    turn = Turn("now?", RECIPE, parent=parent, system="be brief")
    history = [
        {"role": "system", "content": "be brief"},
        {"role": "user", "content": "earlier"},
        {"role": "assistant", "content": "it is \udcff so"},
        {"role": "user", "content": "now?"},
    ]
    outcome = await run(RECIPE, history, models, lambda _: None)  # type: ignore[arg-type]  # as messages are
    packed = PackedReplies(outcome.replies, turn)
    assert list(packed) == list(outcome.replies)
    for call, reply in outcome.replies.items():
        assert tuple(packed[call].messages) == tuple(reply.messages)
        assert packed[call].messages == reply.messages
    assert packed == outcome.replies


def test_a_turn_takes_no_more_memory_the_longer_its_conversation_is(chat: Chat) -> None:
    turns = [settled(chat, chat.send(f"question {number:03}")) for number in range(30)]
    first, last = (len(replies_of(turns[number])._pack.data) for number in (1, -1))
    assert last < first * 1.2
    messages = replies_of(turns[-1])[JUDGE].messages
    assert isinstance(messages, HistoryMessages)
    assert len(messages) == 2 * 29 + len(replies_of(turns[0])[JUDGE].messages)


def test_the_messages_of_a_call_are_counted_without_the_history_they_repeat(
    chat: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    turns = [settled(chat, chat.send(f"question {number}")) for number in range(3)]
    messages = replies_of(turns[-1])[JUDGE].messages
    wanted = len(list(messages))
    monkeypatch.setattr(packed_replies, "history", lambda _: pytest.fail("read"))
    assert len(messages) == wanted


def test_replies_that_are_used_again_are_packed_with_the_turn_that_uses_them(chat: Chat) -> None:
    before = settled(chat, chat.send("?"))
    again = settled(chat, chat.aggregate_again())
    for call in (CallId(1, 1), CallId(1, 2)):
        assert replies_of(again)[call].reused
        assert replies_of(again)[call].text == replies_of(before)[call].text
        assert list(replies_of(again)[call].messages) == list(replies_of(before)[call].messages)


async def test_the_steps_of_a_growing_answer_keep_what_each_was_sent() -> None:
    growing = recipe(["a", "b"], {"agents": ["judge"], "stairs": {"chunk": 16, "wait": 1}})
    models = FakeModels(a=[[LONG]], b=[["It is so. " * 40]], judge=[["One sentence. And another. Cut"]])
    turn = Turn("now?", growing)
    outcome = await run(growing, [{"role": "user", "content": "now?"}], models, lambda _: None)
    reply = outcome.replies[JUDGE]
    packed = PackedReplies(outcome.replies, turn)[JUDGE]
    assert len(packed.steps) == len(reply.steps) > 0
    for step, before in zip(packed.steps, reply.steps, strict=True):
        assert tuple(step.messages) == tuple(before.messages)
    assert PackedReplies(outcome.replies, turn) == outcome.replies
