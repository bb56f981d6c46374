"""Conversations read back from their rows."""

from __future__ import annotations

import gc
import json
from collections import Counter, defaultdict
from functools import partial
from typing import TYPE_CHECKING, Any

from moa_tui.conversation import Conversation, Hit, Summary, Turn
from moa_tui.document_reader import metrics_from, recipe_from
from moa_tui.engine.events import CallId, Failure, Outcome, Reply, Usage
from moa_tui.engine.metrics import measure
from moa_tui.engine.plan import total_cost
from moa_tui.errors import StoreError
from moa_tui.preferences import Preference
from moa_tui.store.search_text import SearchQuery
from moa_tui.store.text_pool import KeptMessages, decoded

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping

    from moa_tui.conversation import Where
    from moa_tui.engine.recipe import Recipe

INTERRUPTED = Failure("interrupted", "moa-tui ended before this answer did")
_TURN_INTERRUPTED = Failure(
    "interrupted",
    "this turn has no end: moa-tui was stopped in the middle of it, or is at it elsewhere. What had come is "
    "kept.\n"
    "/again goes on from the answers that are whole, /retry asks all agents anew",
)

_HITS_EACH = 5

_SUMMARIES = """
SELECT c.id, coalesce(nullif(c.title, ''), c.first_line), c.created, c.used, coalesce(t.turns, 0),
       coalesce(t.recipe_name, ''), coalesce(t.cost, 0.0),
       (SELECT json_group_array(tag) FROM tags WHERE conversation = c.key), c.pinned, c.archived, c.deleted
FROM conversations AS c
LEFT JOIN (SELECT conversation, count(*) AS turns, total(paid) AS cost, max(key), recipe_name
      FROM turns GROUP BY conversation) AS t ON t.conversation = c.key
"""


def summaries(connection: sqlite3.Connection, *, archived: bool, deleted: bool) -> list[Summary]:
    """Every conversation in use, archived, or deleted: pinned first, then by last use."""
    if deleted:
        where = "c.deleted IS NOT NULL ORDER BY c.deleted DESC"
    else:
        where = "c.deleted IS NULL AND c.archived = ? ORDER BY c.pinned DESC, c.used DESC"
    rows = connection.execute(f"{_SUMMARIES} WHERE {where}", () if deleted else (archived,))
    return [_summary(row) for row in rows]


def search(connection: sqlite3.Connection, wanted: str, limit: int) -> list[Hit]:
    """The newest places that hold everything wanted, titles and tags first; a few of each conversation."""
    looked_for = SearchQuery(wanted)
    if not looked_for.match_expression:
        return []
    found: dict[int, Summary] = {}
    hits: list[Hit] = []
    named = connection.execute(
        "SELECT key, title, (SELECT group_concat('#' || tag, ' ') FROM tags WHERE conversation = key) "
        "FROM conversations WHERE deleted IS NULL ORDER BY used DESC"
    )
    for key, title, tags in named.fetchall():
        name = " ".join(filter(None, (title, tags)))
        if len(hits) < limit and name and looked_for.is_in(name):
            hits.append(Hit(_summary_of(connection, key, found), "", "title", "", *looked_for.context(name)))
    rows = connection.execute(
        "SELECT p.key, p.layer, t.id, t.conversation, p.key = t.answer, c.agent FROM search "
        "JOIN parts AS p ON p.key = search.rowid JOIN turns AS t ON t.key = p.turn "
        "JOIN conversations AS o ON o.key = t.conversation "
        "LEFT JOIN calls AS c ON c.turn = p.turn AND c.layer = p.layer AND c.place = p.place "
        "WHERE search MATCH ? AND o.deleted IS NULL ORDER BY search.rowid DESC",
        (looked_for.match_expression,),
    )
    shown: Counter[int] = Counter()
    for part, layer, turn, conversation, is_answer, agent in rows:
        if len(hits) >= limit:
            break
        shown[conversation] += 1
        # One conversation about the matter must not hide all others.
        if shown[conversation] <= _HITS_EACH:
            where: Where = "prompt" if not layer else "answer" if is_answer else "proposer"
            (text,) = connection.execute("SELECT text FROM parts WHERE key = ?", (part,)).fetchone()
            summary = _summary_of(connection, conversation, found)
            hits.append(Hit(summary, turn, where, agent or "", *looked_for.context(decoded(text))))
    return hits


def _summary_of(connection: sqlite3.Connection, key: int, found: dict[int, Summary]) -> Summary:
    if key not in found:
        one = _SUMMARIES.replace("FROM turns GROUP", "FROM turns WHERE conversation = :key GROUP")
        found[key] = _summary(connection.execute(f"{one} WHERE c.key = :key", {"key": key}).fetchone())
    return found[key]


def _summary(row: tuple[Any, ...]) -> Summary:
    id_, name, created, used, turns, recipe, cost, tags, pinned, archived, deleted = row
    named = tuple(sorted(json.loads(tags)))
    return Summary(
        id_, name, created, used, turns, recipe, cost, named, bool(pinned), bool(archived), deleted
    )


def prompts(connection: sqlite3.Connection, limit: int, longest: int) -> list[str]:
    """What was asked last, the newest at the end; nothing twice in a row, nothing longer than `longest`."""
    rows = connection.execute(
        "SELECT p.text FROM turns AS t JOIN parts AS p ON p.key = t.prompt "
        "JOIN conversations AS c ON c.key = t.conversation "
        "WHERE c.deleted IS NULL ORDER BY t.key DESC LIMIT ?",
        (limit,),
    )
    found: list[str] = []
    for (data,) in rows:
        text = decoded(data)
        if len(text) <= longest and found[-1:] != [text]:
            found.append(text)
    return found[::-1]


def preferences(connection: sqlite3.Connection, since: float | None) -> list[Preference]:
    """The choices among recipes since a time in Unix seconds, or all of them, oldest first."""
    rows = connection.execute(
        "SELECT recipes, chosen, blind, created FROM choices WHERE created >= ? ORDER BY key",
        (float("-inf") if since is None else since,),
    )
    return [
        Preference(tuple(map(str, json.loads(recipes))), chosen, bool(blind), created)
        for recipes, chosen, blind, created in rows
    ]


def labels(
    connection: sqlite3.Connection, conversation_id: str
) -> tuple[str, tuple[str, ...], bool, bool] | None:
    """What a conversation's owner has made of it: title, tags, pinned, archived."""
    query = "SELECT key, title, pinned, archived FROM conversations WHERE id = ?"
    row = connection.execute(query, (conversation_id,)).fetchone()
    if row is None:
        return None
    key, title, pinned, archived = row
    tags = connection.execute("SELECT tag FROM tags WHERE conversation = ? ORDER BY rowid", (key,))
    return title, tuple(tag for (tag,) in tags), bool(pinned), bool(archived)


def load(connection: sqlite3.Connection, conversation_id: str) -> Conversation:
    """A conversation with all its turns; one whose run did not end is shown as far as it came."""
    row = connection.execute(
        "SELECT key, id, created, title, active, pinned, archived, forked_from FROM conversations "
        "WHERE id = ?",
        (conversation_id,),
    ).fetchone()
    if row is None:
        raise StoreError(f"conversation {conversation_id} is not there any more")
    key, id_, created, title, active, pinned, archived, forked_from = row
    # Nothing made here is to be thrown away: looking for it takes as long again as all the rest.
    collecting = gc.isenabled()
    gc.disable()
    try:
        turns = _turns(connection, key)
    finally:
        if collecting:
            gc.enable()
    tags = connection.execute("SELECT tag FROM tags WHERE conversation = ? ORDER BY rowid", (key,))
    last = next(reversed(turns.values()), None)
    return Conversation(
        tuple(turns.values()),
        turns.get(active, last),
        id_,
        created,
        title,
        tuple(tag for (tag,) in tags),
        bool(pinned),
        bool(archived),
        forked_from,
    )


def _turns(connection: sqlite3.Connection, conversation: int) -> dict[str, Turn]:
    texts = {
        key: decoded(text)
        for key, text in connection.execute(
            "SELECT key, text FROM parts WHERE conversation = ?", (conversation,)
        )
    }
    recipes: dict[int, Recipe] = {}
    turns: dict[str, Turn] = {}
    calls = defaultdict(list)
    for turn_key, *columns in connection.execute(
        "SELECT c.turn, c.layer, c.place, c.agent, c.model, c.messages, c.status, c.text, c.reasoning, "
        "c.error, c.finish_reason, c.prompt_tokens, c.completion_tokens, c.estimated, c.cost, c.queued, "
        "c.started, c.first_token, c.ended, c.attempts, c.reused, c.notes "
        "FROM turns AS t JOIN calls AS c ON c.turn = t.key WHERE t.conversation = ? "
        "ORDER BY c.turn, c.layer, c.place",
        (conversation,),
    ):
        calls[turn_key].append(columns)
    for turn_key, id_, parent, created, prompt, system, recipe, *ended in connection.execute(
        "SELECT key, id, parent, created, prompt, system, recipe, status, answer, error, notes, metrics, "
        "prompt_tokens, completion_tokens, estimated, cost, seconds "
        "FROM turns WHERE conversation = ? ORDER BY key",
        (conversation,),
    ).fetchall():
        if recipe not in recipes:
            recipes[recipe] = recipe_from(json.loads(texts[recipe]))
        whose = partial(turns.__getitem__, id_)
        replies = {
            CallId(layer, place): _reply(connection, turn_key, layer, place, rest, texts, whose)
            for layer, place, *rest in calls[turn_key]
        }
        turns[id_] = Turn(
            texts[prompt],
            recipes[recipe],
            _outcome(ended, replies, texts)
            if ended[0] is not None
            else _interrupted(recipes[recipe], replies),
            turns.get(parent),
            None if system is None else texts[system],
            id_,
            created,
        )
    return turns


def _outcome(row: list[Any], replies: Mapping[CallId, Reply], texts: Mapping[int, str]) -> Outcome:
    status, answer, error, notes, metrics, prompt_tokens, completion_tokens, estimated, cost, seconds = row
    return Outcome(
        status,
        texts[answer],
        replies,
        metrics_from(json.loads(metrics)),
        _failure(error),
        Usage(prompt_tokens, completion_tokens, bool(estimated)),
        cost,
        seconds,
        _list(notes),
    )


def _interrupted(recipe: Recipe, replies: Mapping[CallId, Reply]) -> Outcome:
    """What there is of a run that was never told to have ended."""
    paid = [reply for reply in replies.values() if not reply.reused]
    final = replies.get(recipe.writer) if recipe.writer is not None else None
    reached = max((call.layer for call in replies), default=0)
    used: dict[int, list[CallId]] = defaultdict(list)
    for call, reply in replies.items():
        if call.layer < reached and reply.status == "done":
            used[call.layer].append(call)
    return Outcome(
        "stopped",
        final.text if final is not None else "",
        replies,
        measure(replies, used, None),
        _TURN_INTERRUPTED,
        sum((reply.usage for reply in paid), Usage(estimated=False)),
        total_cost(reply.cost for reply in paid),
        max((reply.ended for reply in replies.values()), default=0.0),
    )


def _reply(
    connection: sqlite3.Connection,
    turn: int,
    layer: int,
    place: int,
    row: list[Any],
    texts: Mapping[int, str],
    whose: Any,
) -> Reply:
    (
        agent,
        model,
        messages,
        status,
        text,
        reasoning,
        error,
        finish_reason,
        prompt,
        completion,
        estimated,
        *rest,
    ) = row
    cost, queued, started, first_token, ended, attempts, reused, notes = rest
    sent = KeptMessages(messages, whose, texts)
    if status is None:
        written = {"text": "", "reasoning": ""}
        for kind, piece in connection.execute(
            "SELECT kind, text FROM pieces WHERE turn = ? AND layer = ? AND place = ? ORDER BY key",
            (turn, layer, place),
        ):
            written[kind] += decoded(piece)
        return Reply(
            agent,
            model,
            "stopped",
            sent,
            written["text"],
            written["reasoning"],
            INTERRUPTED,
            started=started,
            ended=started or 0.0,
        )
    return Reply(
        agent,
        model,
        status,
        sent,
        texts[text],
        "" if reasoning is None else texts[reasoning],
        _failure(error),
        finish_reason,
        Usage(prompt, completion, bool(estimated)),
        cost,
        queued,
        started,
        first_token,
        ended,
        attempts,
        bool(reused),
        _list(notes),
    )


def _failure(data: bytes | None) -> Failure | None:
    return None if data is None else Failure(**json.loads(decoded(data)))


def _list(data: bytes | None) -> tuple[str, ...]:
    return () if data is None else tuple(json.loads(decoded(data)))
