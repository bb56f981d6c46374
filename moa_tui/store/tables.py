"""Conversations, turns and calls as rows. Every function here runs within a transaction of the writer's."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar

from moa_tui.conversation import name_from
from moa_tui.document import failure_document, metrics_document, recipe_document
from moa_tui.errors import StoreError
from moa_tui.store.search_text import indexed
from moa_tui.store.text_pool import MessageCodec, as_json, decoded, encoded

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable

    from moa_tui.conversation import Conversation, Turn
    from moa_tui.engine.events import CallId, CallStarted, Failure, Outcome, Reply, Usage
    from moa_tui.engine.recipe import Recipe
    from moa_tui.preferences import Preference
    from moa_tui.store.text_pool import TextPool

T = TypeVar("T")


def keep_conversation(connection: sqlite3.Connection, conversation: Conversation, first: Turn | None) -> int:
    """The key of its row, which is made where there is none. `first` is its first turn."""
    insert = (
        "INSERT INTO conversations (id, created, used, title, first_line, pinned, archived, forked_from) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING"
    )
    made = connection.execute(
        insert,
        (
            conversation.id,
            conversation.created,
            max((turn.created for turn in conversation.turns), default=conversation.created),
            readable(conversation.title),
            readable(name_from(first.prompt)) if first is not None else "",
            conversation.pinned,
            conversation.archived,
            conversation.forked_from,
        ),
    )
    key = conversation_key(connection, conversation.id)
    if made.rowcount:
        keep_tags(connection, key, conversation.tags)
    return key


def conversation_key(connection: sqlite3.Connection, conversation_id: str) -> int:
    """The key of a conversation's row. Raises StoreError where there is none."""
    row = connection.execute("SELECT key FROM conversations WHERE id = ?", (conversation_id,)).fetchone()
    if row is None:
        raise StoreError(
            f"conversation {conversation_id} is not there any more; another moa-tui has removed it"
        )
    return int(row[0])


def turn_key(connection: sqlite3.Connection, conversation: int, turn_id: str) -> int:
    """The key of a turn's row. Raises StoreError where there is none."""
    row = connection.execute(
        "SELECT key FROM turns WHERE conversation = ? AND id = ?", (conversation, turn_id)
    ).fetchone()
    if row is None:
        raise StoreError("the turn is not there any more; what comes of it is not kept on disk")
    return int(row[0])


def keep_tags(connection: sqlite3.Connection, conversation: int, tags: Iterable[str]) -> None:
    """Let it have these tags."""
    connection.execute("DELETE FROM tags WHERE conversation = ?", (conversation,))
    rows = [(conversation, readable(tag)) for tag in dict.fromkeys(tags)]
    connection.executemany("INSERT OR IGNORE INTO tags (conversation, tag) VALUES (?, ?)", rows)


def keep_turn(connection: sqlite3.Connection, conversation: int, turn: Turn, pool: TextPool) -> int:
    """A turn as it is sent; the key of its row."""
    insert = (
        "INSERT INTO turns (conversation, id, parent, created, prompt, system, recipe, recipe_name) "
        "VALUES (?, ?, ?, ?, 0, ?, ?, ?)"
    )
    recipe = as_json(recipe_document(turn.recipe))
    made = connection.execute(
        insert,
        (
            conversation,
            turn.id,
            turn.parent.id if turn.parent is not None else None,
            turn.created,
            pool.keep(turn.system) if turn.system is not None else None,
            pool.keep(recipe),
            readable(turn.recipe.name),
        ),
    )
    key = int(made.lastrowid or 0)
    prompt = pool.keep_found(turn.prompt, key)
    connection.execute("UPDATE turns SET prompt = ? WHERE key = ?", (prompt, key))
    return key


def keep_whole_turn(connection: sqlite3.Connection, conversation: int, turn: Turn, pool: TextPool) -> None:
    """A turn with all that came of it."""
    key = keep_turn(connection, conversation, turn, pool)
    if turn.outcome is not None:
        codec = MessageCodec(turn)
        for call, reply in turn.outcome.replies.items():
            keep_reply(connection, key, call, reply, pool, codec)
        keep_outcome(connection, key, turn.outcome, pool)


def make_active(connection: sqlite3.Connection, conversation: int, turn: str | None) -> None:
    """Let `turn` be the last of the branch in view; what is worked on is no longer thrown away."""
    used = "UPDATE conversations SET active = ?, used = ?, deleted = NULL WHERE key = ?"
    connection.execute(used, (turn, time.time(), conversation))


def forget_turn(connection: sqlite3.Connection, turn: int, active: str | None) -> None:
    """Take away a turn that was never answered, and its conversation where it was the only one."""
    conversation = connection.execute("SELECT conversation FROM turns WHERE key = ?", (turn,)).fetchone()[0]
    unindex(connection, "turn = ?", turn)
    connection.execute("UPDATE parts SET turn = NULL WHERE turn = ?", (turn,))
    connection.execute("DELETE FROM turns WHERE key = ?", (turn,))
    make_active(connection, conversation, active)
    connection.execute(
        "DELETE FROM conversations WHERE key = ? AND NOT EXISTS (SELECT 1 FROM turns WHERE conversation = ?)",
        (conversation, conversation),
    )


def unindex(connection: sqlite3.Connection, where: str, value: int) -> None:
    """No search finds these parts any more. The index must be told what it was given, to the letter."""
    texts = connection.execute(f"SELECT key, text FROM parts WHERE turn IS NOT NULL AND {where}", (value,))  # noqa: S608 - own words
    connection.executemany(
        "INSERT INTO search (search, rowid, text) VALUES ('delete', ?, ?)",
        [(key, indexed(decoded(text))) for key, text in texts.fetchall()],
    )


def keep_started(
    connection: sqlite3.Connection, turn: int, event: CallStarted, pool: TextPool, codec: MessageCodec
) -> None:
    """A call whose request goes out."""
    connection.execute(
        "INSERT OR REPLACE INTO calls (turn, layer, place, agent, model, messages, started) "
        "VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            turn,
            event.call.layer,
            event.call.index,
            readable(event.agent.name),
            readable(event.agent.model),
            codec.write(event.call, event.messages, pool),
            event.at,
        ),
    )


def keep_reply(
    connection: sqlite3.Connection, turn: int, call: CallId, reply: Reply, pool: TextPool, codec: MessageCodec
) -> None:
    """A call that is over, all of it, instead of what was there of it."""
    columns = {
        "turn": turn,
        "layer": call.layer,
        "place": call.index,
        "agent": readable(reply.agent),
        "model": readable(reply.model),
        "messages": codec.write(call, reply.messages, pool),
        "status": reply.status,
        "text": pool.keep_found(reply.text, turn, call.layer, call.index),
        "reasoning": pool.keep(reply.reasoning) if reply.reasoning else None,
        "error": _failure(reply.error),
        "finish_reason": readable(reply.finish_reason),
        **_usage(reply.usage),
        "cost": reply.cost,
        "queued": reply.queued,
        "started": reply.started,
        "first_token": reply.first_token,
        "ended": reply.ended,
        "attempts": reply.attempts,
        "reused": reply.reused,
        "notes": _list(reply.notes),
    }
    codec.learn(call, reply.text)
    marks = ", ".join("?" * len(columns))
    insert = f"INSERT OR REPLACE INTO calls ({', '.join(columns)}) VALUES ({marks})"  # noqa: S608 - own names
    connection.execute(insert, tuple(columns.values()))
    drop_pieces(connection, turn, call)
    if not reply.reused and reply.cost:
        connection.execute("UPDATE turns SET paid = paid + ? WHERE key = ?", (reply.cost, turn))


def keep_paid(connection: sqlite3.Connection, day: str, cost: float) -> None:
    """What a call cost, on the day it ended."""
    add = "INSERT INTO spending (day, paid) VALUES (?, ?) ON CONFLICT (day) DO UPDATE SET paid = paid + ?"
    connection.execute(add, (day, cost, cost))


def change_reply(connection: sqlite3.Connection, turn: int, call: CallId, reply: Reply) -> None:
    """A reply that was left out or taken back in: what it is now, all of it else as it was."""
    update = "UPDATE calls SET status = ?, notes = ? WHERE turn = ? AND layer = ? AND place = ?"
    connection.execute(update, (reply.status, _list(reply.notes), turn, call.layer, call.index))


def change_recipe(connection: sqlite3.Connection, turn: int, recipe: Recipe, pool: TextPool) -> None:
    """The recipe of a turn that was changed while its run goes."""
    key = pool.keep(as_json(recipe_document(recipe)))
    connection.execute("UPDATE turns SET recipe = ? WHERE key = ?", (key, turn))


def keep_preference(connection: sqlite3.Connection, preference: Preference) -> None:
    """A choice among recipes."""
    connection.execute(
        "INSERT INTO choices (created, recipes, chosen, blind) VALUES (?, ?, ?, ?)",
        (
            preference.created,
            as_json([readable(one) for one in preference.recipes]),
            readable(preference.chosen),
            preference.blind,
        ),
    )


def drop_pieces(connection: sqlite3.Connection, turn: int, call: CallId) -> None:
    """What a call had written so far does not count any more."""
    delete = "DELETE FROM pieces WHERE turn = ? AND layer = ? AND place = ?"
    connection.execute(delete, (turn, call.layer, call.index))


def keep_outcome(connection: sqlite3.Connection, turn: int, outcome: Outcome, pool: TextPool) -> None:
    """What the turn's run came to."""
    columns = {
        "status": outcome.status,
        "answer": pool.keep(outcome.answer),
        "error": _failure(outcome.error),
        "notes": _list(outcome.notes),
        "metrics": as_json(metrics_document(outcome.metrics)),
        **_usage(outcome.usage),
        "cost": outcome.cost,
        "seconds": outcome.seconds,
    }
    named = ", ".join(f"{name} = ?" for name in columns)
    update = f"UPDATE turns SET {named} WHERE key = ?"  # noqa: S608 - own names
    connection.execute(update, (*columns.values(), turn))


def _usage(usage: Usage) -> dict[str, int]:
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "estimated": usage.estimated,
    }


def _failure(failure: Failure | None) -> bytes | None:
    return None if failure is None else encoded(as_json(failure_document(failure)))


def _list(notes: Iterable[str]) -> bytes | None:
    return encoded(as_json(list(notes))) if notes else None


def readable(value: T) -> T | str:
    """A value as SQLite takes it: a text without lone surrogates."""
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value
