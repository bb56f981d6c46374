"""Counting what the kept conversations came to."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from itertools import groupby
from math import fsum
from operator import itemgetter
from statistics import fmean, median
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from moa_tui.engine.recipe import WRITING_TASKS
from moa_tui.stats import Figures, Group
from moa_tui.store.text_pool import decoded

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection, Iterable, Mapping, Sequence

T = TypeVar("T")

_COUNTED = "FROM turns AS t JOIN conversations AS o ON o.key = t.conversation WHERE o.deleted IS NULL"
_CALLS = """
SELECT c.turn, c.layer, c.place, c.agent, c.model, c.status, c.reused, c.text, c.prompt_tokens,
       c.completion_tokens, c.estimated, c.cost, c.started, c.first_token, c.ended
FROM calls AS c
"""
_NO_MONTH = "unknown"


def figures(connection: sqlite3.Connection, *, since: float | None = None) -> Figures:
    """What every conversation that is not deleted came to, in the turns sent since a time in Unix seconds."""
    recent = "" if since is None else " AND t.created >= ?"
    values = () if since is None else (since,)
    flows = _flows(connection)
    count = _Count()
    turns: dict[int, _Turn] = {}
    seen: set[str] = set()
    for key, id_, name, recipe, month, status, answer, seconds, metrics in connection.execute(
        "SELECT t.key, t.id, t.recipe_name, t.recipe, "
        "strftime('%Y-%m', t.created, 'unixepoch', 'localtime'), "
        f"t.status, t.answer, t.seconds, t.metrics {_COUNTED}{recent} ORDER BY t.key",
        values,
    ):
        # A fork holds the same turns once more, as does a copy that was read in.
        if id_ not in seen:
            seen.add(id_)
            turns[key] = _Turn(name, month or _NO_MONTH, flows[recipe], status, answer, seconds, metrics)
            count.sent[name, month or _NO_MONTH] += 1
    wanted = f"WHERE c.turn IN (SELECT t.key {_COUNTED}{recent})" if since is not None else ""
    calls = connection.execute(f"{_CALLS} {wanted} ORDER BY c.turn, c.layer, c.place", values)
    for key, rows in groupby(calls, itemgetter(0)):
        if (turn := turns.get(key)) is not None:
            count.turn(turn, list(rows))
    return count.figures(since)


class _Flow(NamedTuple):
    """What a recipe makes of its layers' replies.

    `passes` are the states that an answer of each layer but the last is passed on in, none where the layer
    writes no answers. `votes` is whether the last layer asks nobody, and chooses among the answers before.
    """

    passes: Sequence[tuple[str, ...]]
    votes: bool


def _flows(connection: sqlite3.Connection) -> dict[int, _Flow]:
    """The flow of each recipe, by its key."""
    found: dict[int, _Flow] = {}
    known: dict[bytes, _Flow] = {}
    for key, text in connection.execute(
        "SELECT key, text FROM parts WHERE key IN (SELECT recipe FROM turns)"
    ):
        # Every conversation has its own copy.
        if text not in known:
            layers = json.loads(decoded(text))["layers"]
            passes = [_states(layer) for layer in layers[:-1]]
            known[text] = _Flow(passes, layers[-1].get("task") == "vote")
        found[key] = known[text]
    return found


def _states(layer: Mapping[str, Any]) -> tuple[str, ...]:
    if layer.get("task", WRITING_TASKS[0]) not in WRITING_TASKS:
        return ()
    return ("done", "partial") if layer.get("use_partial") else ("done",)


@dataclass(slots=True)
class _Turn:
    recipe: str
    month: str
    flow: _Flow
    status: str | None
    answer: int | None
    seconds: float | None
    metrics: str | None


@dataclass(slots=True)
class _Times:
    first_token: list[float] = field(default_factory=list)
    whole: list[float] = field(default_factory=list)


@dataclass(slots=True)
class _Sum:
    """What the calls of one model and agent came to in the turns of one recipe and month."""

    calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    estimated: int = 0
    cost: float = 0.0
    unpriced: int = 0
    states: Counter[str | None] = field(default_factory=Counter)
    times: _Times = field(default_factory=_Times)
    proposed: int = 0
    used: int = 0
    left_out: int = 0
    taken: int = 0
    overlap: list[float] = field(default_factory=list)

    def take(
        self,
        prompt_tokens: int,
        completion_tokens: int,
        estimated: int,
        cost: float | None,
        started: float,
        first_token: float | None,
        ended: float,
    ) -> None:
        """A call that was made and is over."""
        self.calls += 1
        self.prompt_tokens += prompt_tokens
        self.completion_tokens += completion_tokens
        self.estimated += estimated
        if cost is None:
            self.unpriced += 1
        else:
            self.cost += cost
        if first_token is not None:
            self.times.first_token.append(first_token - started)
        self.times.whole.append(ended - started)


class _Count:
    """Sums by recipe, month, model and agent at once; the groups are put together of them at the end."""

    def __init__(self) -> None:
        self.sent: Counter[tuple[str, str]] = Counter()
        """Turns by recipe and month."""
        self._with: tuple[Counter[str], Counter[str]] = (Counter(), Counter())
        """Turns by model, and by agent."""
        self._times: defaultdict[tuple[str, str], _Times] = defaultdict(_Times)
        """Of turns, by recipe and month."""
        self._sums: defaultdict[tuple[str, str, str, str], _Sum] = defaultdict(_Sum)

    def turn(self, turn: _Turn, rows: Sequence[tuple[Any, ...]]) -> None:
        """One turn with its calls, in their order."""
        models, agents = self._with
        models.update({row[4] for row in rows})
        agents.update({row[3] for row in rows})
        if all(row[6] for row in rows):
            # It asked nobody: an answer was taken by hand, and all else is the earlier run's.
            self._taken(turn, rows)
            return
        whose: dict[tuple[int, int], _Sum] = {}
        # Where no later layer was asked, nobody has read it; a vote reads without being asked.
        read_until = rows[-1][1] + (turn.flow.votes and turn.status == "done")
        for _, layer, place, agent, model, status, reused, _, *numbers in rows:
            own = whose[layer, place] = self._sums[turn.recipe, turn.month, model, agent]
            if not reused and numbers[4] is not None:
                own.states[status] += 1
                if status is not None:
                    own.take(*numbers)
            if layer <= len(turn.flow.passes) and (states := turn.flow.passes[layer - 1]):
                own.proposed += 1
                own.left_out += status == "excluded"
                own.used += layer < read_until and status in states
        metrics = json.loads(turn.metrics or "{}")
        for one in metrics.get("overlap", ()):
            if (place_of := (one["layer"], one["index"])) in whose:
                whose[place_of].overlap.append(one["ngram_share"])
        times = self._times[turn.recipe, turn.month]
        if turn.seconds is not None:
            times.whole.append(turn.seconds)
        if (first := metrics.get("first_final_token_seconds")) is not None:
            times.first_token.append(first)

    def _taken(self, turn: _Turn, rows: Sequence[tuple[Any, ...]]) -> None:
        for _, layer, _, agent, model, _, _, text, *_ in rows:
            if turn.status == "done" and layer <= len(turn.flow.passes) and text == turn.answer:
                self._sums[turn.recipe, turn.month, model, agent].taken += 1
                return

    def figures(self, since: float | None) -> Figures:
        """All of it."""
        models, agents = self._with
        return Figures(
            _group("all", self.sent.total(), self._sums.values(), self._times.values()),
            _busiest_first(self._of_turns(0)),
            _busiest_first(self._of_calls(2, models)),
            _busiest_first(self._of_calls(3, agents)),
            tuple(sorted(self._of_turns(1), key=lambda group: group.name)),
            since,
        )

    def _of_turns(self, part: int) -> list[Group]:
        """The groups of turns by that part of the keys."""
        turns: Counter[str] = Counter()
        for key, count in self.sent.items():
            turns[key[part]] += count
        sums, times = _gathered(self._sums, part), _gathered(self._times, part)
        return [_group(name, count, sums[name], times[name]) for name, count in turns.items()]

    def _of_calls(self, part: int, turns: Mapping[str, int]) -> list[Group]:
        """The groups of calls by that part of the keys."""
        return [
            _group(name, turns[name], sums, [one.times for one in sums])
            for name, sums in _gathered(self._sums, part).items()
        ]


def _gathered(found: Mapping[Any, T], part: int) -> defaultdict[str, list[T]]:
    gathered: defaultdict[str, list[T]] = defaultdict(list)
    for key, one in found.items():
        gathered[key[part]].append(one)
    return gathered


def _busiest_first(groups: Iterable[Group]) -> tuple[Group, ...]:
    return tuple(sorted(groups, key=lambda group: (-group.calls, group.name)))


def _group(name: str, turns: int, sums: Collection[_Sum], times: Collection[_Times]) -> Group:
    first_tokens = [seconds for one in times for seconds in one.first_token]
    wholes = [seconds for one in times for seconds in one.whole]
    overlap = [share for one in sums for share in one.overlap]
    states = sum((one.states for one in sums), Counter[str | None]())
    return Group(
        name,
        turns,
        calls=sum(one.calls for one in sums) + states[None],
        prompt_tokens=sum(one.prompt_tokens for one in sums),
        completion_tokens=sum(one.completion_tokens for one in sums),
        estimated=sum(one.estimated for one in sums),
        cost=fsum(one.cost for one in sums),
        unpriced=sum(one.unpriced for one in sums),
        failed=states["failed"],
        partial=states["partial"],
        stopped=states["stopped"],
        unfinished=states[None],
        first_token_seconds=median(first_tokens) if first_tokens else None,
        seconds=median(wholes) if wholes else None,
        proposed=sum(one.proposed for one in sums),
        used=sum(one.used for one in sums),
        left_out=sum(one.left_out for one in sums),
        taken=sum(one.taken for one in sums),
        overlap=fmean(overlap) if overlap else None,
    )
