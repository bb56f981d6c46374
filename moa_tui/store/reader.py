"""Conversations, summaries and search hits read back from the rows.

Each function takes a connection that its caller owns and begins no transaction: what it reads is of one
moment only where the caller has begun one. All of them raise sqlite3.Error for a file that cannot be read,
and one of SENSELESS_ROWS for rows that make no sense.
"""

from __future__ import annotations

import gc
import zlib
from collections import Counter, defaultdict
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from moa_tui.conversation import Conversation, Hit, Summary, Turn
from moa_tui.engine.amounts import (
    MOST_DOLLARS,
    MOST_SUM_DOLLARS,
    MOST_SUM_TOKENS,
    MOST_TOKENS,
    dollars,
)
from moa_tui.engine.metrics import measure
from moa_tui.engine.recipe import is_imported_label
from moa_tui.engine.values import CallId, Failure, Outcome, Reply, Step, Usage, paid
from moa_tui.errors import StoreError
from moa_tui.stats.preferences import Preference
from moa_tui.store.row_json import failure_from, metrics_from, recipe_from, texts_from
from moa_tui.store.search_text import SearchQuery
from moa_tui.store.tables import reply_so_far
from moa_tui.store.text_pool import KeptMessages, decoded, kept_steps

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping, Sequence

    from moa_tui.conversation import HitPlace
    from moa_tui.engine.recipe import Recipe
    from moa_tui.engine.values import Kind, Message, OutcomeStatus, Status

    Pieces = dict[CallId, dict[Kind, str]]

SENSELESS_ROWS = (
    LookupError,
    TypeError,
    ValueError,
    AttributeError,
    ArithmeticError,
    RecursionError,
    MemoryError,
    zlib.error,
)
"""What reading rows raises where their JSON is of another shape, nested too deep or too large, or torn."""

INTERRUPTED = Failure("interrupted", "moa-tui ended before this answer did")
_TURN_INTERRUPTED = Failure(
    "interrupted",
    "this turn has no end: moa-tui was stopped in the middle of it, or is at it elsewhere. What had come is "
    "kept.\n"
    "/again goes on from the answers that are whole, /retry asks all agents anew",
)

_HITS_OF_A_CONVERSATION = 5

# What the calls of a turn cost, of each the amount that can be meant.
_CALL_COSTS = f"SELECT total(cost) FROM calls WHERE NOT reused AND cost BETWEEN 0 AND {MOST_DOLLARS}"  # noqa: S608 - own numbers
_SUMMARIES = f"""
SELECT c.id, coalesce(nullif(c.title, ''), c.first_line), c.created, c.used, coalesce(t.turns, 0),
       coalesce(t.recipe_name, ''), coalesce(t.cost, 0.0),
       (SELECT json_group_array(tag) FROM tags WHERE conversation = c.key), c.pinned, c.archived, c.deleted
FROM conversations AS c
LEFT JOIN (SELECT conversation, count(*) AS turns, max(key), recipe_name,
      total(CASE WHEN paid BETWEEN 0 AND {MOST_SUM_DOLLARS} THEN paid
            ELSE ({_CALL_COSTS} AND turn = turns.key) END) AS cost
      FROM turns GROUP BY conversation) AS t ON t.conversation = c.key
"""  # noqa: S608 - own words


def summaries(connection: sqlite3.Connection, *, archived: bool, deleted: bool) -> list[Summary]:
    """Return the conversations in use, the archived or the deleted ones: pinned first, then by last use."""
    if deleted:
        where = "c.deleted IS NOT NULL ORDER BY c.deleted DESC"
    else:
        where = "c.deleted IS NULL AND c.archived = ? ORDER BY c.pinned DESC, c.used DESC"
    rows = connection.execute(f"{_SUMMARIES} WHERE {where}", () if deleted else (archived,))
    return [_summary(row) for row in rows]


def search(connection: sqlite3.Connection, query: str, limit: int) -> list[Hit]:
    """Return at most `limit` places that hold all that the query asks for.

    Titles and tags come first, then texts, the newest first; of each conversation a few texts at most.
    """
    search_query = SearchQuery(query)
    if not search_query.match_expression:
        return []
    summaries_by_key: dict[int, Summary] = {}
    hits: list[Hit] = []
    titles = connection.execute(
        "SELECT key, title, (SELECT group_concat('#' || tag, ' ') FROM tags WHERE conversation = key) "
        "FROM conversations WHERE deleted IS NULL ORDER BY used DESC"
    )
    for key, title, tags in titles.fetchall():
        name = " ".join(filter(None, (title, tags)))
        if len(hits) < limit and name and search_query.is_in(name):
            summary = _summary_of(connection, key, summaries_by_key)
            hits.append(Hit(summary, "", "title", "", *search_query.context(name)))
    rows = connection.execute(
        "SELECT p.key, p.layer, t.id, t.conversation, p.key = t.answer, c.agent FROM search "
        "JOIN parts AS p ON p.key = search.rowid JOIN turns AS t ON t.key = p.turn "
        "JOIN conversations AS o ON o.key = t.conversation "
        "LEFT JOIN calls AS c ON c.turn = p.turn AND c.layer = p.layer AND c.place = p.place "
        "WHERE search MATCH ? AND o.deleted IS NULL ORDER BY search.rowid DESC",
        (search_query.match_expression,),
    )
    hits_by_conversation: Counter[int] = Counter()
    for text_key, layer, turn, conversation, is_answer, agent in rows:
        if len(hits) >= limit:
            break
        hits_by_conversation[conversation] += 1
        # One conversation about the matter must not hide all others.
        if hits_by_conversation[conversation] <= _HITS_OF_A_CONVERSATION:
            where: HitPlace = "prompt" if not layer else "answer" if is_answer else "proposer"
            (text,) = connection.execute("SELECT text FROM parts WHERE key = ?", (text_key,)).fetchone()
            summary = _summary_of(connection, conversation, summaries_by_key)
            hits.append(Hit(summary, turn, where, agent or "", *search_query.context(decoded(text))))
    return hits


def _summary_of(connection: sqlite3.Connection, key: int, summaries_by_key: dict[int, Summary]) -> Summary:
    """Return the summary of one conversation, read once for all of its hits."""
    if key not in summaries_by_key:
        query = _SUMMARIES.replace("FROM turns GROUP", "FROM turns WHERE conversation = :key GROUP")
        row = connection.execute(f"{query} WHERE c.key = :key", {"key": key}).fetchone()
        summaries_by_key[key] = _summary(row)
    return summaries_by_key[key]


def _summary(row: tuple[Any, ...]) -> Summary:
    id_, name, created, used, turns, recipe, cost, tags, pinned, archived, deleted = row
    sorted_tags = tuple(sorted(texts_from(tags)))
    return Summary(
        id_,
        name,
        created,
        used,
        turns,
        recipe,
        cost,
        sorted_tags,
        bool(pinned),
        bool(archived),
        deleted,
        is_imported_label(recipe),
    )


def prompts(connection: sqlite3.Connection, limit: int, longest: int) -> list[str]:
    """Return the prompts among the last `limit` turns, the newest at the end.

    A prompt that was sent twice in a row is there once; one of more than `longest` characters is left out.
    """
    rows = connection.execute(
        "SELECT p.text FROM turns AS t JOIN parts AS p ON p.key = t.prompt "
        "JOIN conversations AS c ON c.key = t.conversation "
        "WHERE c.deleted IS NULL ORDER BY t.key DESC LIMIT ?",
        (limit,),
    )
    newest_first: list[str] = []
    for (data,) in rows:
        text = decoded(data)
        if len(text) <= longest and newest_first[-1:] != [text]:
            newest_first.append(text)
    return newest_first[::-1]


def preferences(connection: sqlite3.Connection, since: float | None) -> list[Preference]:
    """Return the preferences given since a time in Unix seconds, or all of them, oldest first."""
    rows = connection.execute(
        "SELECT recipes, chosen, blind, created FROM choices WHERE created >= ? ORDER BY key",
        (float("-inf") if since is None else since,),
    )
    return [
        Preference(texts_from(recipes), chosen, bool(blind), created)
        for recipes, chosen, blind, created in rows
    ]


def paid_on(connection: sqlite3.Connection, day: str) -> float:
    """Return the US dollars paid on a day, `2026-03-14`, whatever has become of the conversations.

    Where an older version has booked an amount that cannot be meant, what the calls cost that are still there
    stands for the sum.
    """
    row = connection.execute("SELECT paid FROM spending WHERE day = ?", (day,)).fetchone()
    if row is None:
        return 0.0
    if (booked := dollars(row[0], MOST_SUM_DOLLARS)) is not None:
        return booked
    turns = "SELECT key FROM turns WHERE date(created, 'unixepoch', 'localtime') = ?"
    return float(connection.execute(f"{_CALL_COSTS} AND turn IN ({turns})", (day,)).fetchone()[0])


def labels(
    connection: sqlite3.Connection, conversation_id: str
) -> tuple[str, tuple[str, ...], bool, bool] | None:
    """Return a conversation's title, tags, whether it is pinned and archived; None where it is not there."""
    query = "SELECT key, title, pinned, archived FROM conversations WHERE id = ?"
    row = connection.execute(query, (conversation_id,)).fetchone()
    if row is None:
        return None
    key, title, pinned, archived = row
    tags = connection.execute("SELECT tag FROM tags WHERE conversation = ? ORDER BY rowid", (key,))
    return title, tuple(tag for (tag,) in tags), bool(pinned), bool(archived)


def load(connection: sqlite3.Connection, conversation_id: str) -> Conversation:
    """Return a conversation with all its turns; a turn whose run did not end has what had come of it.

    Raises StoreError where there is none of that id.
    """
    row = connection.execute(
        "SELECT key, id, created, title, active, pinned, archived, forked_from FROM conversations "
        "WHERE id = ?",
        (conversation_id,),
    ).fetchone()
    if row is None:
        raise StoreError(f"conversation {conversation_id} is not there any more")
    key, id_, created, title, active, pinned, archived, forked_from = row
    # Nothing made here is garbage, and the collector's search for some takes as long again as all the rest.
    gc_was_enabled = gc.isenabled()
    gc.disable()
    try:
        turns = _turns(connection, key)
    finally:
        if gc_was_enabled:
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


class _TurnRow(NamedTuple):
    """A row of `turns`, typed as it is once the run has ended; until then, `status` and the rest are NULL."""

    key: int
    id: str
    parent: str | None
    created: float
    prompt: int
    system: int | None
    recipe: int
    status: OutcomeStatus | None
    answer: int
    error: bytes | None
    notes: bytes | None
    metrics: str
    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int
    cache_write_tokens: int
    estimated: int
    cost: float | None
    seconds: float


class _CallRow(NamedTuple):
    """A row of `calls`, typed as it is once the call has ended; until then, `status` is NULL.

    So is everything behind it then, except `started`.
    """

    turn: int
    layer: int
    place: int
    agent: str
    model: str
    messages: bytes
    status: Status | None
    text: int
    reasoning: int | None
    error: bytes | None
    finish_reason: str | None
    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int
    cache_write_tokens: int
    estimated: int
    cost: float | None
    queued: float
    started: float | None
    first_token: float | None
    ended: float
    attempts: int
    reused: int
    notes: bytes | None
    local: int


_SELECT_TURNS = f"SELECT {', '.join(_TurnRow._fields)} FROM turns WHERE conversation = ? ORDER BY key"  # noqa: S608 - own names
_SELECT_CALLS = (
    f"SELECT {', '.join(f'c.{name}' for name in _CallRow._fields)} FROM turns AS t "  # noqa: S608 - own names
    "JOIN calls AS c ON c.turn = t.key WHERE t.conversation = ? ORDER BY c.turn, c.layer, c.place"
)

_SELECT_STEPS = (
    "SELECT s.turn, s.layer, s.place, s.data FROM turns AS t JOIN steps AS s ON s.turn = t.key "
    "WHERE t.conversation = ?"
)


def _turns(connection: sqlite3.Connection, conversation: int) -> dict[str, Turn]:
    """Return the turns of a conversation by id, each after its parent."""
    pool = connection.execute("SELECT key, text FROM parts WHERE conversation = ?", (conversation,))
    texts = {key: decoded(text) for key, text in pool}
    recipes: dict[int, Recipe] = {}
    turns: dict[str, Turn] = {}
    steps = {
        (turn, layer, place): data
        for turn, layer, place, data in connection.execute(_SELECT_STEPS, (conversation,))
    }
    calls: defaultdict[int, list[_CallRow]] = defaultdict(list)
    for call in map(_CallRow._make, connection.execute(_SELECT_CALLS, (conversation,))):
        calls[call.turn].append(call)
    for row in map(_TurnRow._make, connection.execute(_SELECT_TURNS, (conversation,)).fetchall()):
        if row.recipe not in recipes:
            recipes[row.recipe] = recipe_from(texts[row.recipe])
        recipe = recipes[row.recipe]
        pieces = _pieces(connection, row.key) if any(call.status is None for call in calls[row.key]) else {}
        turn_of_messages = partial(turns.__getitem__, row.id)
        replies: dict[CallId, Reply] = {}
        for call in calls[row.key]:
            place = CallId(call.layer, call.place)
            messages = KeptMessages(call.messages, turn_of_messages, texts)
            reply = _reply(call, messages, texts, pieces.get(place, {}))
            if (data := steps.get((call.turn, call.layer, call.place))) is not None:
                reply = _with_steps(reply, *kept_steps(data, turn_of_messages, texts))
            replies[place] = reply
        turns[row.id] = Turn(
            texts[row.prompt],
            recipe,
            _outcome(row, recipe, replies, texts),
            turns.get(row.parent) if row.parent is not None else None,
            None if row.system is None else texts[row.system],
            row.id,
            row.created,
        )
    return turns


def _outcome(
    row: _TurnRow, recipe: Recipe, replies: Mapping[CallId, Reply], texts: Mapping[int, str]
) -> Outcome:
    """Return what a run came to, as far as it did."""
    if row.status is None:
        return _interrupted(recipe, replies)
    return Outcome(
        row.status,
        texts[row.answer],
        replies,
        metrics_from(row.metrics),
        _failure(row.error),
        _usage(row, MOST_SUM_TOKENS),
        dollars(row.cost, MOST_SUM_DOLLARS),
        row.seconds,
        _notes(row.notes),
    )


def _interrupted(recipe: Recipe, replies: Mapping[CallId, Reply]) -> Outcome:
    """Return the outcome of a run that was never told to have ended, made of the replies that are there."""
    final = replies.get(recipe.writer) if recipe.writer is not None else None
    last_layer = max((call.layer for call in replies), default=0)
    used: dict[int, list[CallId]] = defaultdict(list)
    for call, reply in replies.items():
        if call.layer < last_layer and reply.status == "done":
            used[call.layer].append(call)
    total = paid(replies.values())
    return Outcome(
        "stopped",
        final.text if final is not None else "",
        replies,
        measure(replies, used, None, in_turn=recipe.layers_in_turn, beside=recipe.layers_beside),
        _TURN_INTERRUPTED,
        total.usage,
        total.cost,
        max((reply.ended for reply in replies.values()), default=0.0),
    )


def _pieces(connection: sqlite3.Connection, turn: int) -> Pieces:
    """Return what the calls of a turn that have not ended had written at the last checkpoint."""
    select = "SELECT layer, place, kind, text FROM pieces WHERE turn = ? ORDER BY key"
    pieces: Pieces = defaultdict(lambda: {"text": "", "reasoning": ""})
    for layer, place, kind, data in connection.execute(select, (turn,)):
        pieces[CallId(layer, place)][kind] += decoded(data)
    return pieces


def _reply(
    row: _CallRow, messages: Sequence[Message], texts: Mapping[int, str], pieces: Mapping[Kind, str]
) -> Reply:
    """Return how a call ended; one that has not ended is stopped, with the `pieces` that it had written."""
    if row.status is None:
        return Reply(
            row.agent,
            row.model,
            "stopped",
            messages,
            pieces.get("text", ""),
            pieces.get("reasoning", ""),
            INTERRUPTED,
            started=row.started,
            ended=row.started or 0.0,
        )
    return Reply(
        row.agent,
        row.model,
        row.status,
        messages,
        texts[row.text],
        "" if row.reasoning is None else texts[row.reasoning],
        _failure(row.error),
        row.finish_reason,
        _usage(row, MOST_TOKENS),
        dollars(row.cost),
        row.queued,
        row.started,
        row.first_token,
        row.ended,
        row.attempts,
        bool(row.reused),
        _notes(row.notes),
        local=bool(row.local),
    )


def _with_steps(reply: Reply, steps: tuple[Step, ...], unread: tuple[CallId, ...]) -> Reply:
    """Return the reply with its requests; one that has not ended, with what those that have used and cost."""
    if reply.error == INTERRUPTED and not reply.attempts and steps:
        so_far = reply_so_far(steps)
        reply = replace(
            reply,
            messages=steps[-1].messages,
            usage=so_far.usage,
            cost=so_far.cost,
            known_cost=so_far.known_cost,
            first_token=steps[0].first_token,
            ended=steps[-1].ended,
            attempts=1,
        )
    return replace(reply, steps=steps, unread=unread)


def _usage(row: _TurnRow | _CallRow, most: int) -> Usage:
    """Return the usage of a row; an unknown one where a count is not from 0 to `most`."""
    counted = Usage.counted(
        row.prompt_tokens,
        row.completion_tokens,
        estimated=bool(row.estimated),
        cached=row.cached_tokens,
        cache_write=row.cache_write_tokens,
        most=most,
    )
    return counted or Usage()


def _failure(data: bytes | None) -> Failure | None:
    return None if data is None else failure_from(decoded(data))


def _notes(data: bytes | None) -> tuple[str, ...]:
    return () if data is None else texts_from(decoded(data))
