"""Conversations, turns and calls as rows of the database.

Every function here is called on the writer's thread, within a transaction of the writer's, which is rolled
back where the function raises. A `connection` is the writer's own; a `conversation` or `turn` that is a
number is the key of its row. All of them raise sqlite3.Error where the disk does not take the change.
"""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, TypeVar

from moa_tui.conversation import name_from
from moa_tui.engine.amounts import MOST_SUM_DOLLARS, MOST_SUM_TOKENS, MOST_TOKENS, dollars
from moa_tui.engine.values import Reply, Usage, paid
from moa_tui.errors import StoreError
from moa_tui.store import search_text
from moa_tui.store.row_json import failure_json, metrics_json, recipe_json, steps_from, texts_json
from moa_tui.store.text_pool import MessageCodec, decoded, encoded
from moa_tui.text.safe import as_unicode

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Sequence

    from moa_tui.conversation import Conversation, Turn
    from moa_tui.engine.events import CallStarted
    from moa_tui.engine.recipe import Recipe
    from moa_tui.engine.values import CallId, Failure, Outcome, Step
    from moa_tui.stats.preferences import Preference
    from moa_tui.store.text_pool import TextPool

T = TypeVar("T")

_LARGEST_WHOLE = 2**63 - 1


def keep_conversation(
    connection: sqlite3.Connection, conversation: Conversation, first: Turn | None, used: float | None = None
) -> int:
    """Return the key of a conversation's row; insert the row where there is none.

    `first` is the conversation's first turn, whose prompt names it in the list as long as it has no title.
    `used` is when it came here, in Unix seconds, and now where it is None.
    """
    insert = (
        "INSERT INTO conversations (id, created, used, title, first_line, pinned, archived, forked_from) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING"
    )
    inserted = connection.execute(
        insert,
        (
            conversation.id,
            conversation.created,
            # When it came here: the dates in a file of anybody's must not say which conversation is the last.
            time.time() if used is None else used,
            storable(conversation.title),
            storable(name_from(first.prompt)) if first is not None else "",
            conversation.pinned,
            conversation.archived,
            conversation.forked_from,
        ),
    )
    key = conversation_key(connection, conversation.id)
    if inserted.rowcount:
        keep_tags(connection, key, conversation.tags)
    return key


def conversation_key(connection: sqlite3.Connection, conversation_id: str) -> int:
    """Return the key of a conversation's row. Raises StoreError where there is none."""
    row = connection.execute("SELECT key FROM conversations WHERE id = ?", (conversation_id,)).fetchone()
    if row is None:
        raise StoreError(
            f"conversation {conversation_id} is not there any more; another moa-tui has removed it"
        )
    return int(row[0])


def turn_ids(connection: sqlite3.Connection, conversation_id: str) -> set[str]:
    """Return the ids of the turns of a conversation; none where it is not there."""
    query = "SELECT t.id FROM turns AS t JOIN conversations AS c ON c.key = t.conversation WHERE c.id = ?"
    return {turn_id for (turn_id,) in connection.execute(query, (conversation_id,))}


def turn_key(connection: sqlite3.Connection, conversation: int, turn_id: str) -> int:
    """Return the key of a turn's row. Raises StoreError where there is none."""
    row = connection.execute(
        "SELECT key FROM turns WHERE conversation = ? AND id = ?", (conversation, turn_id)
    ).fetchone()
    if row is None:
        raise StoreError("the turn is not there any more; what comes of it is not kept on disk")
    return int(row[0])


def keep_tags(connection: sqlite3.Connection, conversation: int, tags: Iterable[str]) -> None:
    """Replace the tags of a conversation; a tag that is given twice is kept once."""
    connection.execute("DELETE FROM tags WHERE conversation = ?", (conversation,))
    rows = [(conversation, storable(tag)) for tag in dict.fromkeys(tags)]
    connection.executemany("INSERT OR IGNORE INTO tags (conversation, tag) VALUES (?, ?)", rows)


def keep_turn(connection: sqlite3.Connection, conversation: int, turn: Turn, pool: TextPool) -> int:
    """Insert a turn as it is when it is sent, without an outcome, and return the key of its row."""
    insert = (
        "INSERT INTO turns (conversation, id, parent, created, prompt, system, recipe, recipe_name) "
        "VALUES (?, ?, ?, ?, 0, ?, ?, ?)"
    )
    inserted = connection.execute(
        insert,
        (
            conversation,
            turn.id,
            turn.parent.id if turn.parent is not None else None,
            turn.created,
            pool.keep(turn.system) if turn.system is not None else None,
            pool.keep(recipe_json(turn.recipe)),
            storable(turn.recipe.label),
        ),
    )
    key = int(inserted.lastrowid or 0)
    prompt = pool.keep_searchable(turn.prompt, key)
    connection.execute("UPDATE turns SET prompt = ? WHERE key = ?", (prompt, key))
    return key


def keep_whole_turn(connection: sqlite3.Connection, conversation: int, turn: Turn, pool: TextPool) -> None:
    """Insert a turn with its outcome, if it has one, whose calls were paid for elsewhere or earlier."""
    key = keep_turn(connection, conversation, turn, pool)
    if turn.outcome is not None:
        codec = MessageCodec(turn)
        for call, reply in turn.outcome.replies.items():
            keep_reply(connection, key, call, reply, pool, codec)
        keep_outcome(connection, key, turn.outcome, pool)


def make_active(connection: sqlite3.Connection, conversation: int, turn: str | None) -> None:
    """Make the turn of that id the last of the branch in view, and note that the conversation was just used.

    A conversation in the bin is taken out of it, because somebody works on it.
    """
    update = "UPDATE conversations SET active = ?, used = ?, deleted = NULL WHERE key = ?"
    connection.execute(update, (turn, time.time(), conversation))


def forget_turn(connection: sqlite3.Connection, turn: int, active: str | None) -> None:
    """Delete a turn that was never answered, and its conversation where that has no other turn.

    `active` is the id of the turn that becomes the last of the branch in view, None for none.
    """
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
    """Remove from the search index the texts of the rows of `parts` that `where`, SQL with one `?`, selects.

    The index keeps no texts itself: it must be told what it was given, to the letter.
    """
    select = f"SELECT key, text FROM parts WHERE turn IS NOT NULL AND {where}"  # noqa: S608 - own words
    texts = connection.execute(select, (value,))
    connection.executemany(
        "INSERT INTO search (search, rowid, text) VALUES ('delete', ?, ?)",
        [(key, search_text.indexed(decoded(text))) for key, text in texts.fetchall()],
    )


def keep_started(
    connection: sqlite3.Connection, turn: int, event: CallStarted, pool: TextPool, codec: MessageCodec
) -> None:
    """Insert a call whose request goes out, without a reply; an earlier call in its place is replaced."""
    connection.execute(
        "INSERT OR REPLACE INTO calls (turn, layer, place, agent, model, messages, started) "
        "VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            turn,
            event.call.layer,
            event.call.index,
            storable(event.agent.name),
            storable(event.agent.model),
            codec.write(event.call, event.messages, pool),
            event.at,
        ),
    )


def keep_reply(
    connection: sqlite3.Connection,
    turn: int,
    call: CallId,
    reply: Reply,
    pool: TextPool,
    codec: MessageCodec,
    paid_on: str | None = None,
) -> None:
    """Write a call that is over, in the place of what there was of it, and book what it cost.

    `paid_on` is the local day on which it ended, `2026-03-14`; None where it was not paid just now.
    """
    columns = {
        "turn": turn,
        "layer": call.layer,
        "place": call.index,
        "agent": storable(reply.agent),
        "model": storable(reply.model),
        "messages": codec.write(call, reply.messages, pool),
        "status": reply.status,
        "text": pool.keep_searchable(reply.text, turn, call.layer, call.index),
        "reasoning": pool.keep(reply.reasoning) if reply.reasoning else None,
        "error": _failure(reply.error),
        "finish_reason": storable(reply.finish_reason),
        **_usage(reply.usage, MOST_TOKENS),
        "cost": dollars(reply.cost),
        "queued": reply.queued,
        "started": reply.started,
        "first_token": reply.first_token,
        "ended": reply.ended,
        "attempts": reply.attempts,
        "reused": reply.reused,
        "notes": _notes(reply.notes),
        "local": reply.local,
    }
    codec.learn(call, reply.text)
    booked = _booked(connection, turn, call)
    marks = ", ".join("?" * len(columns))
    insert = f"INSERT OR REPLACE INTO calls ({', '.join(columns)}) VALUES ({marks})"  # noqa: S608 - own names
    connection.execute(insert, tuple(map(storable, columns.values())))
    drop_pieces(connection, turn, call)
    _keep_steps(connection, turn, call, reply, pool, codec)
    book_cost(connection, turn, reply, paid_on, booked)


def keep_step(
    connection: sqlite3.Connection,
    turn: int,
    call: CallId,
    steps: Sequence[Step],
    pool: TextPool,
    codec: MessageCodec,
    paid_on: str,
) -> None:
    """Write the requests of a call that have ended so far, `steps`, and book what the last of them cost.

    `paid_on` is the local day on which it ended, `2026-03-14`.
    """
    booked = _booked(connection, turn, call)
    so_far = reply_so_far(steps)
    _keep_steps(connection, turn, call, so_far, pool, codec)
    book_cost(connection, turn, so_far, paid_on, booked)


def reply_so_far(steps: Sequence[Step]) -> Reply:
    """Return a reply with what the requests of a call have used and cost that have ended so far."""
    usage = sum((step.usage for step in steps), Usage(estimated=False))
    costs = [dollars(step.cost) for step in steps]
    known_cost = sum(cost for cost in costs if cost is not None)
    cost = None if None in costs else known_cost
    return Reply("", "", "stopped", usage=usage, cost=cost, steps=tuple(steps), known_cost=known_cost)


def _keep_steps(
    connection: sqlite3.Connection,
    turn: int,
    call: CallId,
    reply: Reply,
    pool: TextPool,
    codec: MessageCodec,
) -> None:
    place = (turn, call.layer, call.index)
    connection.execute("DELETE FROM steps WHERE turn = ? AND layer = ? AND place = ?", place)
    if reply.steps or reply.unread:
        insert = "INSERT INTO steps (turn, layer, place, data) VALUES (?, ?, ?, ?)"
        connection.execute(insert, (*place, codec.steps(call, reply, pool)))


def _booked(connection: sqlite3.Connection, turn: int, call: CallId) -> float:
    """Return the US dollars that the requests of an open call have cost, which are booked already."""
    select = (
        "SELECT s.data FROM steps AS s JOIN calls AS c ON c.turn = s.turn AND c.layer = s.layer "
        "AND c.place = s.place AND c.status IS NULL WHERE s.turn = ? AND s.layer = ? AND s.place = ?"
    )
    row = connection.execute(select, (turn, call.layer, call.index)).fetchone()
    if row is None:
        return 0.0
    steps, _ = steps_from(decoded(row[0]), lambda *_: ())
    return reply_so_far(steps).known_cost


def book_cost(
    connection: sqlite3.Connection, turn: int, reply: Reply, day: str | None, booked: float = 0.0
) -> None:
    """Add what a call cost, in US dollars, to its turn and to the day on which it was paid.

    This is the only code that books the payment of a call in a turn, and both sums change in the one
    transaction that writes the call. A reply reused from an earlier run was booked with that run, and an
    unknown cost cannot be booked.
    `booked` is what was added before, as requests of the call ended that writes in several.
    `day` is None for the calls of a conversation that was read in or copied, which nobody paid for just now.
    """
    cost = paid([reply]).known_cost - booked
    if not cost:
        return
    connection.execute("UPDATE turns SET paid = paid + ? WHERE key = ?", (cost, turn))
    if day is not None:
        book_aside(connection, day, cost)


def book_aside(connection: sqlite3.Connection, day: str, cost: float) -> None:
    """Add what was paid, in US dollars, to a day alone."""
    add = "INSERT INTO spending (day, paid) VALUES (?, ?) ON CONFLICT (day) DO UPDATE SET paid = paid + ?"
    connection.execute(add, (day, cost, cost))


def change_reply(connection: sqlite3.Connection, turn: int, call: CallId, reply: Reply) -> None:
    """Update the status and notes of a reply that was left out or taken back in; nothing else changes."""
    update = "UPDATE calls SET status = ?, notes = ? WHERE turn = ? AND layer = ? AND place = ?"
    connection.execute(update, (reply.status, _notes(reply.notes), turn, call.layer, call.index))


def change_recipe(connection: sqlite3.Connection, turn: int, recipe: Recipe, pool: TextPool) -> None:
    """Replace the recipe of a turn whose run was changed on its way."""
    key = pool.keep(recipe_json(recipe))
    connection.execute("UPDATE turns SET recipe = ? WHERE key = ?", (key, turn))


def keep_preference(connection: sqlite3.Connection, preference: Preference) -> None:
    """Insert which of several compared recipes was preferred."""
    connection.execute(
        "INSERT INTO choices (created, recipes, chosen, blind) VALUES (?, ?, ?, ?)",
        (
            preference.created,
            texts_json(map(as_unicode, preference.recipes)),
            storable(preference.chosen),
            preference.blind,
        ),
    )


def drop_pieces(connection: sqlite3.Connection, turn: int, call: CallId) -> None:
    """Delete the checkpoints of what a call has written so far."""
    delete = "DELETE FROM pieces WHERE turn = ? AND layer = ? AND place = ?"
    connection.execute(delete, (turn, call.layer, call.index))


def keep_outcome(connection: sqlite3.Connection, turn: int, outcome: Outcome, pool: TextPool) -> None:
    """Write how a turn's run ended; its calls are written by `keep_reply`."""
    columns = {
        "status": outcome.status,
        "answer": pool.keep(outcome.answer),
        "error": _failure(outcome.error),
        "notes": _notes(outcome.notes),
        "metrics": metrics_json(outcome.metrics),
        **_usage(outcome.usage, MOST_SUM_TOKENS),
        "cost": dollars(outcome.cost, MOST_SUM_DOLLARS),
        "seconds": outcome.seconds,
    }
    named = ", ".join(f"{name} = ?" for name in columns)
    update = f"UPDATE turns SET {named} WHERE key = ?"  # noqa: S608 - own names
    connection.execute(update, (*map(storable, columns.values()), turn))


def _usage(usage: Usage, most: int) -> dict[str, int]:
    """The columns of a usage; a count is written as the nearest number from 0 to `most`."""
    return {
        "prompt_tokens": min(max(usage.prompt_tokens, 0), most),
        "completion_tokens": min(max(usage.completion_tokens, 0), most),
        "cached_tokens": min(max(usage.cached_tokens, 0), most),
        "cache_write_tokens": min(max(usage.cache_write_tokens, 0), most),
        "estimated": usage.estimated,
    }


def _failure(failure: Failure | None) -> bytes | None:
    return None if failure is None else encoded(failure_json(failure))


def _notes(notes: Sequence[str]) -> bytes | None:
    return encoded(texts_json(notes)) if notes else None


def storable(value: T) -> T | str | int | float:
    """Return a value that SQLite can store and give back.

    In a text, each lone surrogate is replaced by U+FFFD. A whole number that is too large becomes the nearest
    one that a column holds, and 0.0 stands for NaN and the infinities, so that no number loses its row.
    """
    if isinstance(value, str):
        return as_unicode(value)
    if isinstance(value, float) and not math.isfinite(value):
        return 0.0
    if isinstance(value, int) and abs(value) > _LARGEST_WHOLE:
        return _LARGEST_WHOLE if value > 0 else -_LARGEST_WHOLE
    return value
