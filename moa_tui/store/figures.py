"""Counts the calls, tokens, costs and times of all conversations, by recipe, model, agent and month.

Costs are the calls' own, `calls.cost`, in US dollars, and times are in seconds.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from itertools import groupby
from math import fsum
from operator import itemgetter
from statistics import fmean, median
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from moa_tui.engine.amounts import dollars, token_count
from moa_tui.engine.layer import WRITING_TASKS
from moa_tui.engine.values import Usage
from moa_tui.stats.figures import Figures, Group
from moa_tui.store.row_json import failure_from
from moa_tui.store.text_pool import decoded

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection, Iterable, Mapping, Sequence

T = TypeVar("T")

_COUNTED = "FROM turns AS t JOIN conversations AS o ON o.key = t.conversation WHERE o.deleted IS NULL"
_CALLS = """
SELECT c.turn, c.layer, c.place, c.agent, c.model, c.status, c.reused, c.text,
       CASE c.status WHEN 'stopped' THEN c.error END, c.cost, c.started, c.first_token, c.ended,
       c.prompt_tokens, c.completion_tokens, c.estimated, c.cached_tokens, c.cache_write_tokens,
       c.local
FROM calls AS c
"""
_NO_MONTH = "unknown"
_ANSWERED = ("done", "partial")
_LEFT_BEHIND = "left_behind"
"""Among the statuses, stands for calls that were stopped because their layer went on without them."""


def figures(connection: sqlite3.Connection, *, since: float | None = None) -> Figures:
    """Count the turns of every conversation that is not deleted, sent since a time in Unix seconds or ever.

    The caller owns the connection. Raises sqlite3.Error for a file that cannot be read, and LookupError,
    TypeError, ValueError or zlib.error for rows that make no sense.
    """
    recent = "" if since is None else " AND t.created >= ?"
    values = () if since is None else (since,)
    flows = _flows(connection)
    count = _Count()
    turns: dict[int, _Turn] = {}
    seen_ids: set[str] = set()
    for key, id_, name, recipe, month, status, answer, seconds, metrics in connection.execute(
        "SELECT t.key, t.id, t.recipe_name, t.recipe, "
        "strftime('%Y-%m', t.created, 'unixepoch', 'localtime'), "
        f"t.status, t.answer, t.seconds, t.metrics {_COUNTED}{recent} ORDER BY t.key",
        values,
    ):
        # A fork holds the same turns once more, as does a copy that was read in.
        if id_ not in seen_ids:
            seen_ids.add(id_)
            turns[key] = _Turn(name, month or _NO_MONTH, flows[recipe], status, answer, seconds, metrics)
            count.sent[name, month or _NO_MONTH] += 1
    where = f"WHERE c.turn IN (SELECT t.key {_COUNTED}{recent})" if since is not None else ""
    calls = connection.execute(f"{_CALLS} {where} ORDER BY c.turn, c.layer, c.place", values)
    for key, rows in groupby(calls, itemgetter(0)):
        if (turn := turns.get(key)) is not None:
            count.turn(turn, list(rows))
    return count.figures(since)


class _Flow(NamedTuple):
    """What a recipe makes of its layers' replies.

    `passes` has, for each layer but the last, the statuses in which an answer is passed on; none where the
    layer writes no answers. `votes` is true where the last layer asks nobody and chooses among the answers.
    """

    passes: Sequence[tuple[str, ...]]
    votes: bool


def _flows(connection: sqlite3.Connection) -> dict[int, _Flow]:
    """Return the flow of each recipe, by the key of its text."""
    flows: dict[int, _Flow] = {}
    flows_by_text: dict[bytes, _Flow] = {}
    for key, text in connection.execute(
        "SELECT key, text FROM parts WHERE key IN (SELECT recipe FROM turns)"
    ):
        # Every conversation has its own copy of a recipe.
        if text not in flows_by_text:
            layers = json.loads(decoded(text))["layers"]
            passes = [_passed_statuses(layer) for layer in layers[:-1]]
            flows_by_text[text] = _Flow(passes, layers[-1].get("task") == "vote")
        flows[key] = flows_by_text[text]
    return flows


def _passed_statuses(layer: Mapping[str, Any]) -> tuple[str, ...]:
    if layer.get("task", WRITING_TASKS[0]) not in WRITING_TASKS:
        return ()
    if not layer.get("use_partial"):
        return ("done",)
    return ("done", "partial") if layer.get("window") else ("done", "partial", _LEFT_BEHIND)


@dataclass(slots=True)
class _Turn:
    """A row of `turns`, with the flow of its recipe; `month` is `2025-06`, `metrics` the stored JSON."""

    recipe: str
    month: str
    flow: _Flow
    status: str | None
    answer: int | None
    seconds: float | None
    metrics: str | None


@dataclass(slots=True)
class _Times:
    """Seconds to the first token and to the end."""

    first_token: list[float] = field(default_factory=list)
    whole: list[float] = field(default_factory=list)


@dataclass(slots=True)
class _Sum:
    """What the calls of one model and agent came to in the turns of one recipe and month."""

    calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    estimated: int = 0
    cost: float = 0.0
    unpriced: int = 0
    local: int = 0
    statuses: Counter[str | None] = field(default_factory=Counter)
    """Calls by status; None for a call that has not ended."""
    times: _Times = field(default_factory=_Times)
    proposed: int = 0
    used: int = 0
    left_out: int = 0
    taken: int = 0
    overlap: list[float] = field(default_factory=list)

    def add(
        self, usage: Usage, cost: float | None, started: float, first_token: float | None, ended: float
    ) -> None:
        """Add a call that was sent and is over; its times are from the start of the run."""
        self.calls += 1
        # An older version may have kept numbers that cannot be meant.
        self.prompt_tokens += token_count(usage.prompt_tokens) or 0
        self.completion_tokens += token_count(usage.completion_tokens) or 0
        self.cached_tokens += token_count(usage.cached_tokens) or 0
        self.cache_write_tokens += token_count(usage.cache_write_tokens) or 0
        self.estimated += usage.estimated
        if (believed := dollars(cost)) is None:
            self.unpriced += 1
        else:
            self.cost += believed
        if first_token is not None:
            self.times.first_token.append(first_token - started)
        self.times.whole.append(ended - started)


class _Count:
    """Sums by recipe, month, model and agent at once, of which the groups are made at the end."""

    def __init__(self) -> None:
        self.sent: Counter[tuple[str, str]] = Counter()
        """Turns by recipe and month."""
        self._turns_by_model: Counter[str] = Counter()
        self._turns_by_agent: Counter[str] = Counter()
        self._times: defaultdict[tuple[str, str], _Times] = defaultdict(_Times)
        """The times of whole turns by recipe and month."""
        self._sums: defaultdict[tuple[str, str, str, str], _Sum] = defaultdict(_Sum)

    def turn(self, turn: _Turn, rows: Sequence[tuple[Any, ...]]) -> None:
        """Count a turn with the rows of its calls, by layer and place."""
        self._turns_by_model.update({row[4] for row in rows})
        self._turns_by_agent.update({row[3] for row in rows})
        if all(row[6] for row in rows):
            # All replies are reused: an answer was taken by hand, and the rest was counted before.
            self._count_taken(turn, rows)
            return
        sums: dict[tuple[int, int], _Sum] = {}
        # An answer is used where a later layer was asked; a vote reads answers without asking anybody.
        read_until = rows[-1][1] + (turn.flow.votes and turn.status in _ANSWERED)
        for _, layer, place, agent, model, status, reused, _, why_stopped, *numbers in rows:
            cost, started, first_token, ended, *tokens, is_local = numbers
            own = sums[layer, place] = self._sums[turn.recipe, turn.month, model, agent]
            if not reused and started is not None:
                own.statuses[status] += 1
                if status is not None:
                    own.add(Usage(*tokens), cost, started, first_token, ended)
                    own.local += is_local
            if layer <= len(turn.flow.passes) and (passed := turn.flow.passes[layer - 1]):
                own.proposed += 1
                own.left_out += status == "excluded"
                is_passed = status in passed or (
                    _LEFT_BEHIND in passed
                    and why_stopped is not None
                    and failure_from(decoded(why_stopped)).kind == _LEFT_BEHIND
                )
                own.used += layer < read_until and is_passed
        metrics = json.loads(turn.metrics or "{}")
        for overlap in metrics.get("overlap", ()):
            if (call := (overlap["layer"], overlap["index"])) in sums:
                sums[call].overlap.append(overlap["ngram_share"])
        times = self._times[turn.recipe, turn.month]
        if turn.seconds is not None:
            times.whole.append(turn.seconds)
        if (first := metrics.get("first_final_token_seconds")) is not None:
            times.first_token.append(first)

    def _count_taken(self, turn: _Turn, rows: Sequence[tuple[Any, ...]]) -> None:
        """Count whose answer was made the final one by hand: the first whose text is the turn's answer."""
        for _, layer, _, agent, model, _, _, text, *_ in rows:
            if turn.status in _ANSWERED and layer <= len(turn.flow.passes) and text == turn.answer:
                self._sums[turn.recipe, turn.month, model, agent].taken += 1
                return

    def figures(self, since: float | None) -> Figures:
        """Return all that was counted."""
        return Figures(
            _group("all", self.sent.total(), self._sums.values(), self._times.values()),
            _busiest_first(self._of_turns(0)),
            _busiest_first(self._of_calls(2, self._turns_by_model)),
            _busiest_first(self._of_calls(3, self._turns_by_agent)),
            tuple(sorted(self._of_turns(1), key=lambda group: group.name)),
            since,
        )

    def _of_turns(self, part: int) -> list[Group]:
        """Return the groups by recipe (part 0 of the keys) or by month (part 1)."""
        turns: Counter[str] = Counter()
        for key, count in self.sent.items():
            turns[key[part]] += count
        sums, times = _gathered(self._sums, part), _gathered(self._times, part)
        return [_group(name, count, sums[name], times[name]) for name, count in turns.items()]

    def _of_calls(self, part: int, turns: Mapping[str, int]) -> list[Group]:
        """Return the groups by model (part 2 of the keys) or by agent (part 3), given the turns of each."""
        return [
            _group(name, turns[name], sums, [each.times for each in sums])
            for name, sums in _gathered(self._sums, part).items()
        ]


def _gathered(values: Mapping[Any, T], part: int) -> defaultdict[str, list[T]]:
    """Return the values by one part of their keys."""
    gathered: defaultdict[str, list[T]] = defaultdict(list)
    for key, value in values.items():
        gathered[key[part]].append(value)
    return gathered


def _busiest_first(groups: Iterable[Group]) -> tuple[Group, ...]:
    return tuple(sorted(groups, key=lambda group: (-group.calls, group.name)))


def _group(name: str, turns: int, sums: Collection[_Sum], times: Collection[_Times]) -> Group:
    first_tokens = [seconds for each in times for seconds in each.first_token]
    wholes = [seconds for each in times for seconds in each.whole]
    overlap = [share for each in sums for share in each.overlap]
    statuses = sum((each.statuses for each in sums), Counter[str | None]())
    return Group(
        name,
        turns,
        calls=sum(each.calls for each in sums) + statuses[None],
        prompt_tokens=sum(each.prompt_tokens for each in sums),
        completion_tokens=sum(each.completion_tokens for each in sums),
        cached_tokens=sum(each.cached_tokens for each in sums),
        cache_write_tokens=sum(each.cache_write_tokens for each in sums),
        estimated=sum(each.estimated for each in sums),
        cost=fsum(each.cost for each in sums),
        unpriced=sum(each.unpriced for each in sums),
        local=sum(each.local for each in sums),
        failed=statuses["failed"],
        partial=statuses["partial"],
        stopped=statuses["stopped"],
        unfinished=statuses[None],
        first_token_seconds=median(first_tokens) if first_tokens else None,
        seconds=median(wholes) if wholes else None,
        proposed=sum(each.proposed for each in sums),
        used=sum(each.used for each in sums),
        left_out=sum(each.left_out for each in sums),
        taken=sum(each.taken for each in sums),
        overlap=fmean(overlap) if overlap else None,
    )
