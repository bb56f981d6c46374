"""A checklist around the chat's screen: in scripts, in documents, in what is explained, and on /again."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, cast

import pytest

from moa_tui.chat.backend import Backend
from moa_tui.chat.changes import EditAnswer, Retry
from moa_tui.chat.chat import Chat
from moa_tui.cli.plan_view import graph_lines, plan_lines
from moa_tui.engine.events import PointsFound
from moa_tui.engine.plan import facts_unknown, plan
from moa_tui.engine.recipe_edit import with_checklist
from moa_tui.engine.values import CallId
from moa_tui.errors import UsageError
from moa_tui.formats.json_reader import conversation_from
from moa_tui.formats.json_writer import conversation_document, event_document
from moa_tui.settings.config import Settings
from tests.fakes import FakeGateway, FakeModels
from tests.helpers import recipe

if TYPE_CHECKING:
    from moa_tui.chat.run_handle import RunHandle
    from moa_tui.conversation import Turn
    from moa_tui.gateway.gateway import Gateway
    from moa_tui.gateway.thread import EngineThread

DUO = recipe(["a", "b"], ["writer"])
OWN = recipe(["a", "b"], {"agents": ["lister"], "task": "checklist"}, {"agents": ["writer"], "reads": "all"})
LIST = "- [ ] It was a bird.\n- [ ] It could fly."
DRAWN = CallId(2, 1)


def ended(chat: Chat, running: RunHandle, ticked: frozenset[int] | None = None) -> Turn:
    """The turn once it is over; what is asked is answered with `ticked`."""
    while (event := running.events.get(timeout=5)) is not None:
        if isinstance(event, PointsFound):
            assert ticked is not None, "nobody should be asked"
            running.decide(event.call, ticked)
    turn = chat.settle(running)
    assert turn is not None
    return turn


def test_a_script_is_asked_nothing_and_keeps_every_point(engine: EngineThread) -> None:
    gateway = FakeGateway(FakeModels(lister=[[LIST]]))
    chat = Chat(Backend(cast("Gateway", gateway), engine), OWN)
    outcome = ended(chat, chat.send("What is a moa?")).outcome
    assert outcome is not None
    assert (outcome.status, outcome.answer) == ("done", "writer says 1")
    assert outcome.notes == ("L2.1 lister: all 2 points kept: nobody was asked to choose",)


def test_guided_begins_as_configured_and_is_off_by_default() -> None:
    assert Settings().guided is False
    assert Settings.model_validate({"guided": True}).guided is True


def test_a_changed_aggregator_keeps_the_ticks_on_again(engine: EngineThread) -> None:
    models = FakeModels(writer=[[LIST], ["Mine."]])
    chat = Chat(Backend(cast("Gateway", FakeGateway(models)), engine), DUO, attended=True, guided=True)
    ended(chat, chat.send("?"), frozenset({1}))
    chat.recipe = recipe(["a", "b"], ["other"])
    second = ended(chat, chat.aggregate_again())
    assert second.outcome is not None
    assert second.outcome.answer == "other says 1"
    assert second.outcome.replies[DRAWN].text == "- [ ] It was a bird.\n- [x] It could fly."
    assert len(models.asked["other"]) == len(models.asked["a"]) == 1
    chat.recipe = recipe(["a", "c"], ["other"])
    with pytest.raises(UsageError, match="other proposers"):
        chat.aggregate_again()


def test_a_list_can_be_ticked_anew_afterwards_by_asking_or_by_hand(engine: EngineThread) -> None:
    models = FakeModels(lister=[[LIST]])
    chat = Chat(Backend(cast("Gateway", FakeGateway(models)), engine), OWN, attended=True)
    turn = ended(chat, chat.send("?"), frozenset({1}))
    turn = ended(chat, chat.rerun(turn, Retry(DRAWN).of_turn(turn)), frozenset({0}))
    assert turn.outcome is not None
    assert turn.outcome.replies[DRAWN].text == "- [x] It was a bird.\n- [ ] It could fly."
    by_hand = EditAnswer(DRAWN, "- [x] It swam.\n- [ ] It flew.").of_turn(turn)
    turn = ended(chat, chat.rerun(turn, by_hand))
    assert turn.outcome is not None
    sent = models.asked["writer"][-1][0]["content"]
    assert "keep:\n- It swam.\n\nleave out:\n- It flew." in sent
    assert len(models.asked["lister"]) == 2


def test_documents_hold_the_checklist(engine: EngineThread) -> None:
    models = FakeModels(writer=[[LIST], ["Mine."]])
    chat = Chat(Backend(cast("Gateway", FakeGateway(models)), engine), DUO, attended=True, guided=True)
    ended(chat, chat.send("?"), frozenset({1}))
    text = json.dumps(conversation_document(chat.conversation))
    second = conversation_from(json.loads(text))
    assert json.dumps(conversation_document(second)) == text
    assert second.turns[0].recipe == with_checklist(DUO).model_copy(update={"imported": True})
    event = event_document(PointsFound(DRAWN, ("one", "two"), 1.5), "?", DUO)
    assert event == {"event": "points_found", "layer": 2, "index": 1, "points": ["one", "two"], "at": 1.5}


def test_what_explains_a_recipe_knows_the_checklist() -> None:
    expected = plan(OWN, [{"role": "user", "content": "?"}], facts_unknown)
    drawn = " ".join(graph_lines(OWN, expected).split())
    assert "L2 checklist, 1 call: lister; reads L1, 2 references; you tick what to keep" in drawn
    assert "L3 synthesize, 1 call: writer; reads L1, L2, 3 references" in drawn
    assert "layer 2: checklist, 1 call" in plan_lines(OWN, expected, {})
