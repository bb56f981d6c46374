"""Reads conversations back from the JSON documents of `json_writer`.

A file may come from anybody, so every value is checked.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, TypeVar, get_args

from pydantic import ValidationError

from moa_tui.conversation import Conversation, Turn
from moa_tui.engine.agent import SHOWN
from moa_tui.engine.amounts import MOST_SUM_DOLLARS, MOST_SUM_TOKENS, MOST_TOKENS, dollars
from moa_tui.engine.recipe import Recipe
from moa_tui.engine.recipe_edit import problems_of
from moa_tui.engine.values import (
    CallId,
    Failure,
    LayerMetrics,
    Metrics,
    Outcome,
    OutcomeStatus,
    Overlap,
    Reply,
    Status,
    Step,
    Usage,
)
from moa_tui.errors import FailureKind, FileError
from moa_tui.formats.foreign.values import LATEST
from moa_tui.formats.json_writer import FORMAT, SCHEMA

if TYPE_CHECKING:
    from moa_tui.engine.values import Message

T = TypeVar("T")

_ROLES = ("system", "user", "assistant")
# Each holds the messages of all before it, and no call comes near: that is 64,000 tokens, 16 a request.
_MOST_STEPS = 4_000


def conversation_from(document: object) -> Conversation:
    """The conversation of a document. Raises FileError, which says where the document is wrong."""
    table = _Table(document, "the file")
    if table.text("format") != FORMAT:
        raise FileError(f'the file is no conversation of moa-tui: "format" is not "{FORMAT}"')
    if (schema := table.whole("schema")) > SCHEMA:
        raise FileError(f"the file is of schema {schema}; this moa-tui knows {SCHEMA}: install a newer one")
    turns: dict[str, Turn] = {}
    recipe_document, recipe = None, None
    for entry in table.tables("turns"):
        outcome = entry.table("outcome")
        parent = entry.maybe_text("parent")
        if parent is not None and parent not in turns:
            raise FileError(f"{entry.where}: its parent is not among the turns before it")
        # Most turns of a conversation have the recipe of the turn before.
        if recipe is None or entry.get("recipe") != recipe_document:
            recipe_document = entry.get("recipe")
            recipe = recipe_from(recipe_document, f"{entry.where}.recipe")
        turn = Turn(
            entry.text("prompt"),
            recipe,
            outcome_from(outcome) if outcome is not None else None,
            turns[parent] if parent is not None else None,
            entry.maybe_text("system"),
            entry.text("id"),
            _past(entry.number("created")),
        )
        if turn.id in turns:
            raise FileError(f"{entry.where}: its id is another turn's already")
        turns[turn.id] = turn
    active = table.maybe_text("active")
    if (active is None) != (not turns) or (active is not None and active not in turns):
        raise FileError('the file\'s "active" is none of its turns')
    return Conversation(
        tuple(turns.values()),
        turns[active] if active is not None else None,
        table.text("id"),
        _past(table.number("created")),
        table.text("title"),
        table.texts("tags"),
        table.flag("pinned"),
        table.flag("archived"),
        table.maybe_text("forked_from"),
    )


def _past(created: float) -> float:
    """A time in Unix seconds, and now for one to come. What is no time at all stays to be refused."""
    return min(created, time.time()) if created <= LATEST else created


def recipe_from(document: object, where: str = "the recipe") -> Recipe:
    """The recipe of a document, which is at `where` in the file: an imported one. Raises FileError."""
    # Whatever the file says of it: a recipe that came from elsewhere does not run by itself.
    table = {**document, "imported": True} if isinstance(document, dict) else document
    try:
        return Recipe.model_validate(table, context={"purpose": SHOWN})
    except ValidationError as error:
        raise FileError(f"{where}: {problems_of(error)[0].message}") from error


def outcome_from(table: _Table) -> Outcome:
    """The outcome of a run. Raises FileError."""
    calls = [call for layer in table.tables("layers") for call in layer.tables("calls")]
    return Outcome(
        table.one_of("status", get_args(OutcomeStatus)),
        table.text("answer"),
        {_call_id(call): _reply(call) for call in calls},
        metrics_from(table.get("metrics"), f"{table.where}.metrics"),
        _failure_from(table.table("error")),
        _usage(table, MOST_SUM_TOKENS),
        dollars(table.maybe_number("cost"), MOST_SUM_DOLLARS),
        table.number("seconds"),
        table.texts("notes"),
    )


def metrics_from(document: object, where: str = "the metrics") -> Metrics:
    """The metrics of a run, whose document is at `where` in the file. Raises FileError."""
    table = _Table(document, where)
    return Metrics(
        tuple(
            LayerMetrics(
                layer.whole("number"),
                layer.whole("asked"),
                layer.whole("used"),
                _call_id(slowest) if (slowest := layer.table("slowest")) is not None else None,
                layer.number("seconds"),
                layer.flag("in_turn"),
            )
            for layer in table.tables("layers")
        ),
        table.number("critical_path_seconds"),
        table.number("parallel_saving_seconds"),
        table.maybe_number("first_proposer_token_seconds"),
        table.maybe_number("first_final_token_seconds"),
        tuple(
            Overlap(_call_id(overlap), overlap.number("ngram_share"), overlap.number("cosine"))
            for overlap in table.tables("overlap")
        ),
        table.maybe_number("diversity"),
        table.maybe_number("novelty"),
    )


def reply_from(document: object, where: str) -> tuple[CallId, Reply]:
    """A call with how it ended, of a document that is at `where`. Raises FileError."""
    table = _Table(document, where)
    return _call_id(table), _reply(table)


def failure_from(document: object, where: str) -> Failure | None:
    """Why a call or a run failed; None where there is no failure. Raises FileError."""
    return None if document is None else _failure_from(_Table(document, where))


def _reply(table: _Table) -> Reply:
    return Reply(
        table.text("agent"),
        table.text("model"),
        table.one_of("status", get_args(Status)),
        tuple(_message(message) for message in table.tables("messages")),
        table.text("text"),
        table.text("reasoning"),
        _failure_from(table.table("error")),
        table.maybe_text("finish_reason"),
        _usage(table, MOST_TOKENS),
        dollars(table.maybe_number("cost")),
        table.number("queued"),
        table.maybe_number("started"),
        table.maybe_number("first_token"),
        table.number("ended"),
        table.whole("attempts"),
        table.flag("reused"),
        table.texts("notes"),
        _steps(table),
        tuple(_call_id(late) for late in table.tables("unread")) if table.get("unread") is not None else (),
        local=table.get("local") is not None and table.flag("local"),
    )


def _steps(reply: _Table) -> tuple[Step, ...]:
    """The requests of a call, none where the file has none, as those of older versions."""
    steps: list[Step] = []
    sent: tuple[Message, ...] = ()
    tables = reply.tables("steps") if reply.get("steps") is not None else []
    if len(tables) > _MOST_STEPS:
        raise FileError(f"{reply.where}.steps: has {len(tables):,} requests, more than any call makes")
    for table in tables:
        repeated = table.whole("repeated_messages")
        if not 0 <= repeated <= len(sent):
            raise FileError(f"{table.where}.repeated_messages: the step before has not as many messages")
        sent = (*sent[:repeated], *(_message(message) for message in table.tables("messages")))
        read = table.tables("read")
        steps.append(
            Step(
                sent,
                {_call_id(each): each.whole("characters") for each in read},
                frozenset(_call_id(each) for each in read if each.flag("ended")),
                table.whole("characters"),
                _usage(table, MOST_TOKENS),
                dollars(table.maybe_number("cost")),
                table.number("started"),
                table.maybe_number("first_token"),
                table.number("ended"),
            )
        )
    return tuple(steps)


def _message(table: _Table) -> Message:
    return {"role": table.one_of("role", _ROLES), "content": table.text("content")}


def _call_id(table: _Table) -> CallId:
    return CallId(table.whole("layer"), table.whole("index"))


def _usage(table: _Table, most: int) -> Usage:
    """The usage of a call or run; an unknown one where a count is not from 0 to `most`."""
    usage = table.table("usage")
    if usage is None:
        return Usage()
    counted = Usage.counted(
        usage.whole("prompt_tokens"),
        usage.whole("completion_tokens"),
        estimated=usage.flag("estimated"),
        # Files written before cached tokens were counted have neither.
        cached=usage.get("cached_tokens"),
        cache_write=usage.get("cache_write_tokens"),
        most=most,
    )
    return counted or Usage()


def _failure_from(table: _Table | None) -> Failure | None:
    if table is None:
        return None
    status_code = table.whole("status_code") if table.get("status_code") is not None else None
    return Failure(table.one_of("kind", get_args(FailureKind)), table.text("message"), status_code)


class _Table:
    """A JSON object at `where` in the file, whose values are checked as they are read.

    Every method but `get` raises FileError, which names the place, for a value of another kind than it reads.
    """

    def __init__(self, value: object, where: str) -> None:
        if not isinstance(value, dict):
            raise FileError(f"{where}: should be a JSON object")
        self._values: dict[str, Any] = value
        self.where = where

    def get(self, key: str) -> Any:
        """The value of a key as it is; None where the key is missing."""
        return self._values.get(key)

    def text(self, key: str) -> str:
        """A text."""
        return self._checked(key, str, "a text")

    def maybe_text(self, key: str) -> str | None:
        """A text; None where the key is missing or null."""
        return None if self.get(key) is None else self.text(key)

    def number(self, key: str) -> float:
        """A number."""
        value = self.get(key)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self._wrong(key, "a number")
        return value

    def maybe_number(self, key: str) -> float | None:
        """A number; None where the key is missing or null."""
        return None if self.get(key) is None else self.number(key)

    def whole(self, key: str) -> int:
        """A whole number."""
        if isinstance(self.get(key), bool):
            raise self._wrong(key, "a whole number")
        return self._checked(key, int, "a whole number")

    def flag(self, key: str) -> bool:
        """A boolean."""
        return self._checked(key, bool, "true or false")

    def one_of(self, key: str, known: tuple[str, ...]) -> Any:
        """A text that is one of `known`."""
        value = self.text(key)
        if value not in known:
            raise self._wrong(key, f"one of {', '.join(known)}")
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of texts."""
        values = self._checked(key, list, "a list")
        if not all(isinstance(value, str) for value in values):
            raise self._wrong(key, "a list of texts")
        return tuple(values)

    def table(self, key: str) -> _Table | None:
        """An object; None where the key is missing or null."""
        value = self.get(key)
        return None if value is None else _Table(value, f"{self.where}.{key}")

    def tables(self, key: str) -> list[_Table]:
        """A list of objects."""
        values = self._checked(key, list, "a list")
        return [_Table(value, f"{self.where}.{key}[{at}]") for at, value in enumerate(values)]

    def _checked(self, key: str, kind: type[T], words: str) -> T:
        value = self.get(key)
        if not isinstance(value, kind):
            raise self._wrong(key, words)
        return value

    def _wrong(self, key: str, words: str) -> FileError:
        return FileError(f"{self.where}.{key}: should be {words}")
