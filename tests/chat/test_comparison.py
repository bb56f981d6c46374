"""Several recipes on one prompt, without a screen: turns side by side, the chosen one active."""

from __future__ import annotations

import asyncio
import random
import sqlite3
from typing import TYPE_CHECKING

import pytest

from moa_tui.chat.library import Library
from moa_tui.conversation import history
from moa_tui.engine.plan import ModelFacts
from moa_tui.engine.values import CallId
from moa_tui.errors import MissingKeyError
from tests.chat.helpers import events_of, wait_for_text
from tests.fakes import FakeModels
from tests.helpers import recipe, wait_until

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence
    from pathlib import Path

    from moa_tui.chat.chat import Chat
    from moa_tui.chat.comparison import Comparison
    from moa_tui.chat.run_handle import RunHandle
    from moa_tui.conversation import Turn
    from moa_tui.engine.agent import Agent
    from moa_tui.engine.recipe import Recipe
    from moa_tui.engine.values import Chunk, Finish, Message
    from moa_tui.store import Store
    from tests.chat.helpers import Gate
    from tests.fakes import FakeGateway


def named(name: str, *layers: object) -> Recipe:
    return recipe(*layers).model_copy(update={"name": name})


SOLO, PAIR, TALL = named("solo", ["a"]), named("pair", ["b", "c"], ["judge"]), named("tall", ["d"], ["e"])


@pytest.fixture
def chat_recipe() -> Recipe:
    return SOLO


def wait_for(*runs: RunHandle) -> None:
    for running in runs:
        events_of(running)


def settled(chat: Chat, comparison: Comparison) -> list[Turn]:
    wait_for(*comparison.runs)
    return chat.settle_comparison(comparison)


def answers(turns: list[Turn]) -> list[str]:
    return [turn.outcome.answer if turn.outcome else "" for turn in turns]


def test_each_recipe_answers_in_the_same_place(chat: Chat) -> None:
    wait_for(first := chat.send("before"))
    chat.settle(first)
    turns = settled(chat, chat.compare("What is a moa?", [SOLO, PAIR, TALL]))
    assert [turn.recipe.name for turn in turns] == ["solo", "pair", "tall"]
    assert answers(turns) == ["a says 2", "judge says 1", "e says 1"]
    assert {turn.parent.id for turn in turns if turn.parent} == {first.turn.id}
    assert [chat.conversation.places()[turn.id] for turn in turns] == [(1, 3), (2, 3), (3, 3)]
    assert [history(turn) for turn in turns[1:]] == [history(turns[0])] * 2
    assert chat.turn is turns[0]


def test_all_run_at_once_on_the_one_engine(chat: Chat, models: FakeModels, gate: Gate) -> None:
    models.scripts = {name: [["text", gate.event]] for name in ("a", "b", "c", "d")}
    comparison = chat.compare("?", [SOLO, PAIR, TALL])
    for running in comparison.runs:
        wait_for_text(running, CallId(1, 1))
    assert models.open >= 3
    gate.open()
    assert len(settled(chat, comparison)) == 3


def test_the_chosen_one_is_gone_on_with_here_and_after_the_next_start(chat: Chat, store: Store) -> None:
    comparison = chat.compare("?", [SOLO, PAIR, TALL])
    wait_for(*comparison.runs)
    assert comparison.choose(comparison.runs[1], comparison.runs)
    turns = chat.settle_comparison(comparison)
    assert chat.turn is turns[1]
    kept = store.load(chat.conversation.id)
    assert [turn.recipe.name for turn in kept.turns] == ["solo", "pair", "tall"]
    assert answers(list(kept.turns)) == answers(turns)
    assert kept.active is not None
    assert kept.active.id == turns[1].id


def test_none_is_a_choice_after_which_the_first_stays(chat: Chat, store: Store) -> None:
    comparison = chat.compare("?", [SOLO, PAIR])
    wait_for(*comparison.runs)
    comparison.choose(None, comparison.runs)
    assert chat.conversation.turns == ()
    turns = chat.settle_comparison(comparison)
    assert chat.turn is turns[0]
    (kept,) = store.preferences()
    assert (kept.recipes, kept.chosen, kept.blind) == (("solo", "pair"), None, False)


def test_without_a_choice_nothing_is_counted_and_the_first_answer_stays(
    chat: Chat, gateway: FakeGateway, store: Store
) -> None:
    gateway.stream.scripts = {"a": [[""]]}
    turns = settled(chat, chat.compare("?", [SOLO, PAIR]))
    assert answers(turns) == ["", "judge says 1"]
    assert chat.turn is turns[1]
    assert store.preferences() == []


def test_it_takes_the_place_of_a_turn(chat: Chat, store: Store) -> None:
    wait_for(first := chat.send("?"))
    turn = chat.settle(first)
    turns = settled(chat, chat.compare("?", [PAIR, TALL], instead_of=turn))
    assert [one.id for one in chat.conversation.siblings(turns[0])] == [first.turn.id, *(t.id for t in turns)]
    assert chat.path == (turns[0],)
    assert len(store.load(chat.conversation.id).turns) == 3


def test_a_missing_key_of_any_of_them_is_told_before_any_call(chat: Chat, gateway: FakeGateway) -> None:
    gateway.missing = {"e": "LAB_KEY"}
    with pytest.raises(MissingKeyError, match="LAB_KEY"):
        chat.compare("?", [SOLO, TALL])
    assert not gateway.stream.asked
    assert chat.turn is None


def test_what_kept_a_run_from_beginning_does_not_lose_the_others(
    chat: Chat, gateway: FakeGateway, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def prepare(these: Recipe) -> None:
        if these.name == "solo":
            raise MissingKeyError("LATE_KEY is not set")

    monkeypatch.setattr(gateway, "prepare", prepare)
    comparison = chat.compare("?", [SOLO, PAIR])
    turns = settled(chat, comparison)
    assert [turn.recipe.name for turn in turns] == ["pair"]
    assert [str(fault) for fault in comparison.faults()] == ["LATE_KEY is not set"]
    assert [turn.id for turn in store.load(chat.conversation.id).turns] == [turns[0].id]


def test_what_never_began_leaves_everything_as_it_was(chat: Chat, gateway: FakeGateway, store: Store) -> None:
    wait_for(first := chat.send("?"))
    chat.settle(first)
    gateway.ready = asyncio.Event()
    comparison = chat.compare("other", [SOLO, PAIR])
    comparison.stop()
    assert settled(chat, comparison) == []
    assert chat.turn is not None
    assert chat.turn.id == first.turn.id
    kept = store.load(chat.conversation.id)
    assert [turn.id for turn in kept.turns] == [first.turn.id]
    assert kept.active is not None


def test_blind_the_order_is_drawn(chat: Chat, monkeypatch: pytest.MonkeyPatch, store: Store) -> None:
    monkeypatch.setattr(random, "sample", lambda these, count: list(these)[::-1])
    comparison = chat.compare("?", [SOLO, PAIR, TALL], blind=True)
    assert [running.turn.recipe.name for running in comparison.runs] == ["tall", "pair", "solo"]
    wait_for(*comparison.runs)
    comparison.choose(comparison.runs[2], comparison.runs)
    chat.settle_comparison(comparison)
    (kept,) = store.preferences()
    assert (kept.chosen, kept.blind) == ("solo", True)
    open_one = chat.compare("?", [SOLO, PAIR])
    assert [running.turn.recipe.name for running in open_one.runs] == ["solo", "pair"]
    settled(chat, open_one)


def test_only_answers_that_were_seen_are_compared(chat: Chat, store: Store) -> None:
    comparison = chat.compare("?", [SOLO, PAIR, TALL])
    wait_for(*comparison.runs)
    assert not comparison.choose(comparison.runs[0], comparison.runs[:1])
    chat.settle_comparison(comparison)
    assert store.preferences() == []
    again = chat.compare("?", [SOLO, PAIR, TALL])
    wait_for(*again.runs)
    assert again.choose(again.runs[0], again.runs[:2])
    chat.settle_comparison(again)
    assert [kept.recipes for kept in store.preferences()] == [("solo", "pair")]


def test_of_a_private_conversation_no_choice_and_no_turn_is_written(
    chat: Chat, store: Store, tmp_path: Path
) -> None:
    chat.private = True
    comparison = chat.compare("?", [SOLO, PAIR])
    wait_for(*comparison.runs)
    assert not comparison.choose(comparison.runs[1], comparison.runs)
    turns = chat.settle_comparison(comparison)
    assert chat.turn is turns[1]
    assert store.preferences() == []
    assert store.summaries() == []


def test_choices_are_read_back_since_a_time_and_added_up(chat: Chat, store: Store, tmp_path: Path) -> None:
    library = Library(store, tmp_path)
    assert library.figures().preferences is None
    for at in (0, 1):
        comparison = chat.compare("?", [SOLO, PAIR])
        wait_for(*comparison.runs)
        comparison.choose(comparison.runs[at], comparison.runs)
        chat.settle_comparison(comparison)
    (first, second) = store.preferences()
    assert first.created <= second.created
    assert [one.chosen for one in (first, second)] == ["solo", "pair"]
    assert store.preferences(second.created + 1) == []
    found = library.figures().preferences
    assert found is not None
    assert [(one.recipe, one.wins, one.losses) for one in found.standings] == [
        ("pair", 1, 1),
        ("solo", 1, 1),
    ]
    assert library.figures(second.created + 1).preferences is None


def test_an_odd_name_comes_back_as_far_as_a_file_can_hold_it(chat: Chat, store: Store) -> None:
    odd = SOLO.model_copy(update={"name": 'a "b" \ud800 ✓'})
    comparison = chat.compare("?", [odd, PAIR])
    wait_for(*comparison.runs)
    comparison.choose(comparison.runs[0], comparison.runs)
    chat.settle_comparison(comparison)
    (kept,) = store.preferences()
    assert kept.recipes == ('a "b" \ufffd ✓', "pair")
    assert kept.chosen == kept.recipes[0]


def test_choices_that_make_no_sense_are_an_error_of_the_file(store: Store) -> None:
    with sqlite3.connect(store.path) as connection:
        connection.execute("INSERT INTO choices (created, recipes, blind) VALUES (1, 'x', 0)")
    connection.close()
    with pytest.raises(Exception, match="makes no sense"):
        store.preferences()


class WatchedModels(FakeModels):
    """Models that remember how many of their replies were open at once."""

    most_open = 0

    async def __call__(
        self, agent: Agent, messages: Sequence[Message]
    ) -> AsyncGenerator[Chunk | Finish, None]:
        async for item in super().__call__(agent, messages):
            self.most_open = max(self.most_open, self.open)
            yield item


async def test_the_runs_share_the_concurrency_of_an_endpoint(
    chat: Chat, gateway: FakeGateway, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    ready: set[str] = set()

    def facts(agent: Agent) -> ModelFacts:
        ready.add(agent.name)
        return ModelFacts("server", concurrency=2)

    models = WatchedModels(**{name: [["text", gate.event]] for name in ("a", "b", "c", "d")})
    gateway.stream = models
    monkeypatch.setattr(gateway, "facts", facts)
    comparison = chat.compare("?", [PAIR, TALL, SOLO])
    await wait_until(lambda: ready >= {"a", "b", "c", "d"} and models.open >= 2)
    gate.open()
    assert len(settled(chat, comparison)) == 3
    assert models.most_open == 2
