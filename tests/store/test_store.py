"""Whole conversations kept and read back, what is changed about them, and what is purged."""

from __future__ import annotations

import os
import sqlite3
import stat
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, example, given, settings

from moa_tui.conversation import Conversation, Turn, history
from moa_tui.engine.events import Delta
from moa_tui.engine.values import CallId
from moa_tui.errors import ConversationExistsError, StoreError
from moa_tui.formats.json_writer import conversation_document
from moa_tui.store import Store
from moa_tui.store.text_pool import decoded
from tests.conversations import (
    HOSTILE_TEXTS,
    NOON,
    a_conversation,
    a_recipe,
    a_reply,
    a_turn,
    an_outcome,
    conversation_of,
    conversations,
    with_branches,
)
from tests.helpers import recipe
from tests.store.helpers import Prose, ids, replay, size_of

if TYPE_CHECKING:
    from pathlib import Path

    from moa_tui.engine.values import Message


def cleaned(conversation: Conversation) -> Conversation:
    """The conversation as it is stored: lone surrogates replaced in title and tags, and each tag once."""

    def clean(text: str) -> str:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")

    tags = tuple(dict.fromkeys(map(clean, conversation.tags)))
    return replace(conversation, title=clean(conversation.title), tags=tags)


def assert_kept(store: Store, conversation: Conversation) -> None:
    """All of it; and a turn that was kept before it ended is shown as interrupted."""
    kept = conversation_document(store.load(conversation.id))
    expected = conversation_document(cleaned(conversation))
    for turn, its in zip(kept["turns"], expected["turns"], strict=True):
        if its["outcome"] is None:
            assert (turn["outcome"]["status"], turn["outcome"]["error"]["kind"]) == ("stopped", "interrupted")
            its["outcome"] = turn["outcome"]
    assert kept == expected


# Whole conversations


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(made=conversations())
@example(made=with_branches())
@example(
    made=conversation_of(
        *[(text, text[::-1]) for text in HOSTILE_TEXTS], title="\ud83d\ude00", tags=("b", "a")
    )
)
def test_any_conversation_comes_back_as_it_was(one_store: Store, made: Conversation) -> None:
    # An id may be drawn again, in an example that is made smaller.
    made = replace(made, id=Conversation().id)
    one_store.save(made)
    assert_kept(one_store, made)


def test_half_a_surrogate_pair_in_a_title_becomes_the_replacement_character(store: Store) -> None:
    made = conversation_of(("?", "!"), title="half \ud83d, whole \ud83d\ude00")
    store.save(made)
    assert store.load(made.id).title == "half \ufffd, whole 😀"


def test_a_text_of_a_megabyte_comes_back(store: Store) -> None:
    long = "".join(chr(0x20 + at * 7919 % 0x24F00) if at % 3 else "word " for at in range(360_000))
    made = conversation_of(("short", long), (long[::-1], "short"))
    assert len(long.encode("utf-8", "surrogatepass")) > 1_000_000
    store.save(made)
    assert_kept(store, made)


def test_twelve_layers_of_twelve_agents_come_back(store: Store) -> None:
    names = [f"agent-{number}" for number in range(12)]
    turn = Prose().turn(recipe(*[names] * 12, ["judge"]), size=600)
    made = Conversation((turn,), turn)
    store.save(made)
    assert_kept(store, made)
    assert len(store.load(made.id).turns[0].outcome.replies) == 145  # type: ignore[union-attr]


@pytest.mark.parametrize("text", ["-" * 100, "漢" * 120], ids=["dashes", "CJK"])
def test_a_text_that_repeats_a_prompt_thousands_of_times_comes_back(store: Store, text: str) -> None:
    """Cut where each known text stands: neither in depth nor in time may that grow out of bounds."""
    turn = Turn(text, a_recipe())
    sent = ({"role": "user", "content": text * 5000 + "x" + text * 3},)
    made = replace(turn, outcome=an_outcome({CallId(1, 1): a_reply(text * 2000, messages=sent)}))
    store.save(Conversation((made,), made, id="repeated"))
    assert_kept(store, Conversation((made,), made, id="repeated", created=store.load("repeated").created))


def test_messages_are_shown_again_however_they_were_sent(store: Store) -> None:
    """The history whole, trimmed, repeated, out of its order, cut up, with roles in any row."""
    same = "the same prompt, " * 10
    before = conversation_of((same, same), (same, "answer " * 30), (same, same))
    turn = Turn(same, a_recipe(), parent=before.active, system="You are " + same)
    sent = history(turn)
    rows: tuple[list[Message], ...] = (
        sent,
        sent[3:],
        [*sent[1:4], sent[2], *sent[2:]],
        list(reversed(sent)),
        [*sent[:2], {"role": "user", "content": "in between"}, *sent[2:]],
        [{"role": "system", "content": f"{turn.system}\n\nOwn words.\n\n{same}{same}"}, *sent[1:]],
        [*sent[:-1], {"role": "user", "content": f"{same}\n\n{'new words ' * 20}{'answer ' * 30}"}],
        [{"role": "assistant", "content": ""}, {"role": "user", "content": "\ud83d\ude00" * 99}],
        [],
    )
    replies = {CallId(1, at): a_reply(messages=tuple(row)) for at, row in enumerate(rows, 1)}
    last = replace(turn, outcome=an_outcome(replies))
    made = before.with_turn(last)
    store.save(made)
    assert_kept(store, made)


def test_a_conversation_without_turns_is_listed_and_found(store: Store) -> None:
    store.save(Conversation(title="Empty as yet", id="empty"))
    assert_kept(store, Conversation(title="Empty as yet", id="empty", created=store.load("empty").created))
    assert [(one.name, one.turns, one.recipe, one.cost) for one in store.summaries()] == [
        ("Empty as yet", 0, "", 0.0)
    ]
    assert [hit.where for hit in store.search("empty", 5)] == ["title"]


def test_what_is_there_already_is_left_as_it_is(store: Store) -> None:
    made = a_conversation(2)
    store.save(made)
    with pytest.raises(ConversationExistsError, match="is there already"):
        store.save(replace(a_conversation(1), id=made.id))
    assert_kept(store, made)


def test_a_conversation_that_is_not_there_is_said_so(store: Store) -> None:
    for use in (store.load, store.purge, lambda id_: store.change(id_, pinned=True)):
        with pytest.raises(StoreError, match="conversation nowhere is not there"):
            use("nowhere")


# Changes by hand


def test_a_conversation_is_renamed_tagged_pinned_archived_and_thrown_away(store: Store) -> None:
    one, two = a_conversation(1), a_conversation(1)
    for each in (one, two):
        store.save(each)
    store.change(one.id, title="A name", tags=("b", "a", "b"), pinned=True)
    kept = store.load(one.id)
    assert (kept.title, kept.tags, kept.pinned) == ("A name", ("b", "a"), True)
    assert ids(store.summaries()) == [one.id, two.id]
    store.change(one.id, archived=True)
    assert (ids(store.summaries()), ids(store.summaries(archived=True))) == ([two.id], [one.id])
    store.change(two.id, deleted=NOON)
    assert (ids(store.summaries()), ids(store.summaries(deleted=True))) == ([], [two.id])
    store.change(two.id, deleted=None)
    assert ids(store.summaries()) == [two.id]


def test_a_change_that_cannot_be_made_is_told_to_who_asked_and_nothing_else(store: Store) -> None:
    told: list[StoreError | None] = []
    store.on_problem(told.append)
    made = a_conversation(1)
    store.save(made)
    with pytest.raises(StoreError, match="colour"):
        store.change(made.id, colour="red")
    with pytest.raises(StoreError, match="NOT NULL"):
        store.change(made.id, title=None)
    assert (told, store.problem) == ([], None)
    assert_kept(store, made)


def test_the_branch_in_view_is_remembered(store: Store) -> None:
    made = with_branches()
    store.save(made)
    store.set_active(made.id, made.turns[2])
    active = store.load(made.id).active
    assert active is not None
    assert active.id == made.turns[2].id


# Size and secrecy


def size(path: Path) -> int:
    """The bytes of the file, once all is in it."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return path.stat().st_size


def test_each_text_is_kept_once(path: Path) -> None:
    """A turn of 13 calls takes at most half as much again as its texts, its share of the search included."""
    chosen = recipe([f"p{n}" for n in range(6)], [f"q{n}" for n in range(6)], ["judge"])
    prose = Prose()
    made = [prose.conversation(chosen, 10) for _ in range(10)]
    with Store(path) as store:
        empty = size(path)
        for one in made:
            store.save(one)
    own = sum(size_of(turn) for one in made for turn in one.turns)
    assert 18_000 < own / 100 < 21_000
    assert (path.stat().st_size - empty) / own <= 1.5
    with closing(sqlite3.connect(path)) as connection:
        parts = [
            (key, decoded(text)) for key, text in connection.execute("SELECT conversation, text FROM parts")
        ]
    assert len(set(parts)) == len(parts)
    # What is no turn's own text is the recipe and the aggregators' instructions.
    assert sum(len(text) for _, text in parts) <= own + len(made) * 3_000


def test_nobody_else_can_read_it(path: Path) -> None:
    before = os.umask(0)
    try:
        with Store(path) as store:
            store.save(a_conversation(1))
            store.hold("one")
            files = [file for file in path.parent.rglob("*") if file.is_file()]
            assert {file.name for file in files} >= {"moa-tui.db", "moa-tui.db-wal", "moa-tui.db-shm"}
            assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
            folders = [path.parent, path.parent / "open"]
            assert {stat.S_IMODE(folder.stat().st_mode) for folder in folders} == {0o700}
    finally:
        os.umask(before)


def test_purged_is_gone_from_the_file_to_the_last_word(path: Path) -> None:
    words = ("Quetzalcoatlus", "Archaeopteryx", "Zygomaticus", "Xenolithic", "Katzenjammer", "Kookaburra")
    chosen = a_recipe()
    agent = chosen.lineup[0][0].model_copy(update={"system": words[3] * 30})
    chosen = chosen.model_copy(update={"agents": {**chosen.agents, agent.name: agent}})
    gone = conversation_of(
        (f"{words[0]} " * 900, f"{words[1]} {'padding ' * 3000}"), title=words[2], tags=(words[4],)
    )
    gone = gone.with_turn(a_turn("more", "more", recipe=chosen, parent=gone.active))
    left = conversation_of(("The plesiosaur stays", "It stays"))

    def found() -> set[str]:
        data = b"".join(file.read_bytes() for file in path.parent.glob("moa-tui.db*")).lower()
        return {word for word in (*words, "plesiosaur", "padding") if word.lower().encode() in data}

    with Store(path) as store:
        store.save(left)
        store.save(gone)
        recording = store.record(gone, again := a_turn("again", "ended", parent=gone.active))
        recording.take(Delta(CallId(1, 1), "text", f"{words[5]} in progress " * 700))
        store._writer.flush()
        replay(recording, again)
        assert store.search("quetz", 5)
        # What is looked for in the raw bytes can be seen there: a short title, and a word of the index.
        assert {words[0], words[2], words[4]} <= found()
        store.purge(gone.id)
        assert found() == {"plesiosaur"}, "it is gone while the program still runs"
        for word in (*words, "padding", "more"):
            assert store.search(word, 5) == []
        assert ids(store.summaries()) == [left.id]
        assert {hit.where for hit in store.search("plesiosaur", 5)} == {"prompt", "proposer"}
    assert found() == {"plesiosaur"}
    with closing(sqlite3.connect(path)) as connection:
        texts = [decoded(text) for (text,) in connection.execute("SELECT text FROM parts")]
        assert not any(word in text for word in words for text in texts)
        connection.execute("INSERT INTO search (search) VALUES ('integrity-check')")


# Costs


def test_what_a_turn_costs_does_not_grow_with_the_conversation(store: Store) -> None:
    """Counted in statements and in bytes, since a clock tells of the machine."""
    made = Prose().conversation(a_recipe(6), 100)
    counts = []
    for length in (1, 100):
        whole = replace(made, turns=made.turns[:length], active=made.turns[length - 1], id=f"of {length}")
        store.save(whole)
        statements: list[str] = []
        store._writer._connection.set_trace_callback(statements.append)
        before = size(store.path)
        replay(store.record(whole, turn := a_turn("prompt", "answer", 6, parent=whole.active)), turn)
        assert store._writer.flush()
        store._writer._connection.set_trace_callback(None)
        # The index merges now and then, with statements of its own.
        own = [statement for statement in statements if "search_" not in statement]
        counts.append((len(own), size(store.path) - before))
        assert_kept(store, whole.with_turn(turn))
    (few, small), (many, large) = counts
    # How many changes share a transaction, which takes three statements, depends on the machine.
    assert abs(few - many) <= 9 < 20 < many
    assert large <= small + 30_000
