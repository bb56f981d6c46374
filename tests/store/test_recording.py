"""A run kept while it goes: in the end the same as kept whole, in between as far as it came."""

from __future__ import annotations

import asyncio
import gc
import sqlite3
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from moa_tui.conversation import Conversation, Turn, history
from moa_tui.engine import limits
from moa_tui.engine.events import CallRetried, Delta, Restated
from moa_tui.engine.plan import ModelFacts
from moa_tui.engine.run import RunContext, run
from moa_tui.engine.values import CallId, Chunk, Failure
from moa_tui.errors import ModelError, StoreError
from moa_tui.formats.json_writer import conversation_document
from moa_tui.store import Store, writer
from moa_tui.store.recording import Recording
from moa_tui.store.text_pool import decoded
from tests.conversations import a_conversation, a_recipe, a_turn, texts
from tests.fakes import FakeModels
from tests.helpers import recipe
from tests.store.helpers import Prose, replay, started

if TYPE_CHECKING:
    from pathlib import Path

    from moa_tui.engine.agent import Agent
    from moa_tui.engine.recipe import Recipe
    from moa_tui.engine.values import Outcome


RECIPE_OF_ONE = recipe(["alone"])
ONE, TWO, JUDGE = CallId(1, 1), CallId(1, 2), CallId(2, 1)


@pytest.fixture(autouse=True)
def no_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "_FIRST_WAIT_SECONDS", 0.001)


async def asked(
    store: Store,
    before: Conversation,
    prompt: str,
    chosen: Recipe,
    models: FakeModels,
    *,
    parent: Turn | None = None,
    system: str | None = None,
    context_tokens: int | None = None,
) -> Conversation:
    """The conversation with one more turn, answered by the engine itself while it was recorded."""
    turn = Turn(prompt, chosen, parent=parent or before.active, system=system)
    recording = store.record(before, turn)

    def facts(agent: Agent) -> ModelFacts:
        return ModelFacts(agent.model, context_tokens=context_tokens)

    outcome = await run(chosen, history(turn), models, recording.take, context=RunContext(facts=facts))
    return before.with_turn(replace(turn, outcome=outcome))


def assert_recorded(store: Store, made: Conversation) -> None:
    """As it was made; and the same as if it had been kept whole."""
    expected = conversation_document(made)
    assert conversation_document(store.load(made.id)) == expected
    copy = replace(made, id=Conversation().id)
    store.save(copy)
    assert conversation_document(store.load(copy.id)) == {**expected, "id": copy.id}


def outcome_of(store: Store, conversation: Conversation, turn: Turn) -> Outcome:
    found = next(one for one in store.load(conversation.id).turns if one.id == turn.id)
    assert found.outcome is not None
    return found.outcome


# Runs of the engine


async def test_a_run_is_kept_as_it_came_out(store: Store) -> None:
    models = FakeModels(
        a=[["Some ", Chunk("reasoning", "hm, "), "text"]],
        b=[[ModelError("rate_limit", "slow down", 429)], ["second try"]],
        c=[[ModelError("auth", "no \ud800 key", 401)]],
        judge=[["The answer"]],
    )
    chosen = recipe(["a", "b", "c"], ["judge"])
    made = await asked(
        store, Conversation(), "A \ud83d\ude00\0\r question", chosen, models, system="Be \udfff"
    )
    assert_recorded(store, made)
    kept = store.load(made.id).turns[0].outcome
    assert kept is not None
    assert [reply.status for reply in kept.replies.values()] == ["done", "done", "failed", "done"]
    assert [reply.attempts for reply in kept.replies.values()] == [1, 2, 1, 1]
    with closing(sqlite3.connect(store.path)) as connection:
        assert connection.execute("SELECT count(*) FROM pieces").fetchone() == (0,)


LONG = "an answer that says quite a lot about the matter " * 4


@pytest.mark.parametrize("placement", ["system", "user"])
@pytest.mark.parametrize("context_tokens", [None, 700], ids=["whole", "trimmed"])
async def test_every_call_of_many_turns_shows_what_it_was_sent(
    store: Store, placement: str, context_tokens: int | None
) -> None:
    """References in any order, agents with prompts of their own, history cut off, the same prompt again."""
    chosen = recipe(
        ["a", "b", "c"],
        {"agents": ["a", "d"], "placement": placement, "shuffle": True, "anonymous": False},
        {
            "agents": ["judge"],
            "placement": placement,
            "shuffle": True,
            "prompt": "Own: {references} and so on",
        },
        agents={
            "d": {"model": "d", "system": "You are d. " * 12},
            "judge": {"model": "judge", "system": "J."},
        },
    )
    models = FakeModels(
        a=[[f"{LONG}a{number}"] for number in range(9)],
        b=[[LONG]],
        c=[[f"</reference> {LONG}"]],
        judge=[[f"{LONG} judged"], [LONG], ["short"], [f"{LONG} judged"]],
    )
    made = Conversation()
    for prompt in ("the same", "the same", LONG, "the same", LONG, f"{LONG}{LONG}"):
        made = await asked(
            store, made, prompt, chosen, models, system="Be brief. " * 12, context_tokens=context_tokens
        )
    made = await asked(store, made, "another way", chosen, models, parent=made.turns[1])
    assert_recorded(store, made)
    sent = {name: iter(calls) for name, calls in models.asked.items()}
    for turn in store.load(made.id).turns:
        assert turn.outcome is not None
        for call, reply in sorted(
            turn.outcome.replies.items(), key=lambda one: (one[0].layer, one[1].started)
        ):
            if reply.agent != "a":
                assert tuple(reply.messages) == next(sent[reply.model]), call
    if context_tokens is not None:
        assert any("left out" in note for turn in made.turns if turn.outcome for note in turn.outcome.notes)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    turns=st.lists(
        st.tuples(texts(), st.lists(texts(), min_size=1, max_size=4), texts()), min_size=1, max_size=3
    ),
    placement=st.sampled_from(["system", "user"]),
)
def test_any_run_recorded_is_the_same_as_kept_whole(
    one_store: Store, turns: list[tuple[str, list[str], str]], placement: str
) -> None:
    async def all_of_them() -> Conversation:
        made = Conversation()
        for prompt, pieces, answer in turns:
            models = FakeModels(a=[pieces], b=[pieces[::-1]], judge=[[answer]])
            chosen = recipe(["a", "b"], {"agents": ["judge"], "placement": placement}, retries=0)
            made = await asked(one_store, made, prompt, chosen, models)
        return made

    assert_recorded(one_store, asyncio.run(all_of_them()))


async def test_a_text_of_a_megabyte_is_recorded(store: Store) -> None:
    text = Prose().text(1_000_000)
    pieces = [text[at : at + 5000] for at in range(0, len(text), 5000)]
    made = await asked(store, Conversation(), text, recipe(["a"], ["judge"]), FakeModels(a=[pieces]))
    assert_recorded(store, made)


async def test_nothing_of_the_environment_reaches_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    canary = "sk-canary-5f3a9c1e7b"
    for name in ("OPENAI_API_KEY", "LAB_KEY"):
        monkeypatch.setenv(name, canary)
    agents = {name: {"model": name, "api_key_env": "LAB_KEY"} for name in ("a", "b", "judge")}
    chosen = recipe(["a", "b"], ["judge"], agents=agents)
    with Store(tmp_path / "moa-tui.db") as store:
        made = await asked(store, Conversation(), "?", chosen, FakeModels(a=[[ModelError("auth", "no")]]))
        store.save(replace(made, id="whole"))
        store.change(made.id, title="A title", tags=("tag",))
        assert store._writer.flush()
        data = b"".join(file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())
        with closing(sqlite3.connect(store.path)) as connection:
            for table, column in (("parts", "text"), ("calls", "messages"), ("calls", "error")):
                rows = connection.execute(
                    f"SELECT {column} FROM {table} WHERE {column} IS NOT NULL"
                ).fetchall()
                assert rows
                data += "".join(decoded(value) for (value,) in rows).encode()
    assert b"LAB_KEY" in data, "the recipe names the variable"
    assert canary.encode() not in data
    assert canary[10:].encode() not in data


# Runs in progress


def test_a_run_in_progress_is_shown_as_far_as_it_came(store: Store) -> None:
    turn = Turn("prompt", a_recipe())
    ended = a_turn("prompt").outcome
    assert ended is not None
    made = Conversation()
    recording = store.record(made, turn)
    assert outcome_of(store, made, turn).replies == {}
    recording.take(started(turn, ONE))
    recording.take(started(turn, TWO))
    recording.take(Delta(ONE, "reasoning", "Let me see. "))
    recording.take(Delta(ONE, "text", "Half \ud83d"))
    recording.take(Delta(ONE, "text", "\ude00 an"))
    found = outcome_of(store, made, turn)
    assert (found.status, found.error and found.error.kind) == ("stopped", "interrupted")
    assert list(found.replies) == [ONE, TWO]
    one = found.replies[ONE]
    assert (one.status, one.text, one.reasoning) == ("stopped", "Half \ud83d\ude00 an", "Let me see. ")
    assert one.error is not None
    assert one.error.kind == "interrupted"
    assert list(one.messages) == history(turn)
    recording.take(Delta(ONE, "text", "swer"))
    assert outcome_of(store, made, turn).replies[ONE].text == "Half \ud83d\ude00 answer"


def test_no_token_is_a_write_of_its_own(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "_CHECKPOINT_SECONDS", 60.0)
    turn = Turn("prompt", a_recipe())
    recording = store.record(Conversation(), turn)
    recording.take(started(turn, ONE))
    assert store._writer.flush()
    before = store._writer._queued_count
    for _ in range(500):
        recording.take(Delta(ONE, "text", "token "))
    assert store._writer._queued_count == before + 1
    assert not store._writer._urgent


def test_what_a_call_wrote_before_it_was_tried_again_does_not_count(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether it was written down before that or not; and what comes behind it counts at once."""
    monkeypatch.setattr(writer, "_CHECKPOINT_SECONDS", 60.0)
    turn = Turn("prompt", a_recipe())
    made = Conversation()
    recording = store.record(made, turn)
    retried = CallRetried(ONE, turn.recipe.lineup[0][0], 2, 0.0, Failure("server", "502", 502), 1.0)
    recording.take(started(turn, ONE))
    recording.take(started(turn, TWO))
    recording.take(Delta(ONE, "reasoning", "on the disk already"))
    recording.take(Delta(TWO, "text", "the other's"))
    assert store._writer.flush()
    recording.take(Delta(ONE, "reasoning", "on its way"))
    recording.take(retried)
    recording.take(Delta(ONE, "reasoning", "anew"))
    replies = outcome_of(store, made, turn).replies
    assert (replies[ONE].reasoning, replies[TWO].text) == ("anew", "the other's")


def test_what_a_call_turns_out_to_have_written_is_on_the_disk(store: Store) -> None:
    turn = Turn("prompt", a_recipe())
    made = Conversation()
    recording = store.record(made, turn)
    recording.take(started(turn, ONE))
    recording.take(Delta(ONE, "text", "Let me "))
    assert store._writer.flush()
    recording.take(Delta(ONE, "text", "think."))
    recording.take(Restated(ONE, "Let me think.", ""))
    recording.take(Delta(ONE, "text", "Paris."))
    reply = outcome_of(store, made, turn).replies[ONE]
    assert (reply.reasoning, reply.text) == ("Let me think.", "Paris.")


def test_a_run_that_never_began_leaves_nothing(store: Store) -> None:
    made = Conversation()
    store.record(made, Turn("a prompt about plesiosaurs", a_recipe())).withdraw()
    assert store.summaries() == []
    assert store.search("plesiosaurs", 5) == []
    one = a_turn("first", "answer")
    replay(store.record(made, one), one)
    made = made.with_turn(one)
    withdrawn = Turn("a prompt about plesiosaurs", a_recipe(), parent=one)
    store.record(made, withdrawn).withdraw()
    assert store.search("plesiosaurs", 5) == []
    assert_recorded(store, made)
    # And is found where it is sent after all.
    again = a_turn("a prompt about plesiosaurs", "answer", parent=one)
    replay(store.record(made, again), again)
    hits = store.search("prompt plesiosaurs", 5)
    assert {(hit.turn, hit.where) for hit in hits} == {(again.id, "prompt"), (again.id, "proposer")}


def test_a_conversation_removed_meanwhile_is_told_and_does_not_come_back(store: Store) -> None:
    told: list[StoreError | None] = []
    store.on_problem(told.append)
    made = Prose().conversation(a_recipe(), 2)
    store.save(made)
    turn = a_turn("third", "answer", parent=made.active)
    recording = store.record(made, turn)
    store.purge(made.id)
    replay(recording, turn)
    assert store._writer.flush()
    assert ["NOT SAVED" in str(problem) for problem in told] == [True]
    made = made.with_turn(turn)
    last = a_turn("fourth", "answer", parent=turn)
    unwritten = store.record(made, last)
    replay(unwritten, last)
    assert store.summaries() == []
    assert ["NOT SAVED" in str(problem) for problem in told] == [True, True]
    assert not unwritten.is_on_disk
    assert store.unwritten_turns() == {last.id}, "its prompt stays in the draft"
    # Where the person wants it on disk, it is there again.
    store.complete(made)
    after = a_turn("fifth", "answer", parent=turn)
    replay(store.record(made, after), after)
    assert_recorded(store, made.with_turn(after))


def test_what_is_thrown_away_and_used_again_is_kept(store: Store) -> None:
    made = a_conversation(1)
    store.save(made)
    store.change(made.id, deleted=1.0)
    turn = a_turn("second", parent=made.active)
    replay(store.record(made, turn), turn)
    assert [summary.id for summary in store.summaries()] == [made.id]


async def test_a_turn_that_is_on_disk_is_held_by_the_store_no_longer(store: Store) -> None:
    before = Conversation()
    for number in range(4):
        before = await asked(store, before, f"question {number}", RECIPE_OF_ONE, FakeModels())
        store.set_in_view(before)
        store.catch_up(5)
    gc.collect()
    recordings = [each for each in gc.get_objects() if isinstance(each, Recording)]
    held = [each for each in recordings if each._writer is store._writer]
    assert len(held) <= 2
