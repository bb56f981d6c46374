"""The JSON that stands in the database's columns: how it is written, and how it is read back.

This is a format of the store's own. It holds the fields of the engine's values under their names, and has
nothing to do with the files that are exported: either may change without the other. A row that was written
once must be readable for ever, so a key is never renamed or dropped; a field that a value gains later needs a
default, which rows without it are read with.

Only the store writes these columns, so reading is strict: a key that is not known raises TypeError, a missing
one KeyError or TypeError, anything that is no JSON ValueError. `figures` reads a few keys of a recipe and of
metrics (`layers`, `overlap`, `first_final_token_seconds`) by themselves, because it looks at every turn.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from moa_tui.engine.agent import KEPT
from moa_tui.engine.amounts import dollars
from moa_tui.engine.recipe import Recipe
from moa_tui.engine.values import CallId, Failure, LayerMetrics, Metrics, Overlap, Step, Usage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from moa_tui.engine.values import Message, Reply


def to_json(value: Any) -> str:
    """Return plain JSON values as text.

    Nothing is escaped: two lone surrogates that stand side by side would come back as one character.
    """
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def recipe_json(recipe: Recipe) -> str:
    """Return what a recipe sets, as its TOML file would have it; fields at their defaults are left out."""
    return to_json(recipe.model_dump(mode="json", exclude_defaults=True, exclude_none=True))


def recipe_from(text: str) -> Recipe:
    """Return the recipe of `recipe_json`. Raises ValueError where it is none."""
    try:
        # An earlier version may have let more into a recipe; what was kept must stay readable.
        return Recipe.model_validate(json.loads(text), context={"purpose": KEPT})
    except ValidationError as error:
        raise ValueError(f"the recipe: {error.errors()[0]['msg']}") from error


def metrics_json(metrics: Metrics) -> str:
    """Return the numbers of a run; an overlap has its call's `layer` and `index` beside its own numbers."""
    fields = asdict(metrics)
    return to_json({**fields, "overlap": [{**row.pop("call"), **row} for row in fields["overlap"]]})


def metrics_from(text: str) -> Metrics:
    """Return the numbers of `metrics_json`. Raises TypeError, KeyError or ValueError where they are none."""
    fields = json.loads(text)
    layers = tuple(
        LayerMetrics(**{**row, "slowest": CallId(**row["slowest"]) if row["slowest"] else None})
        for row in fields["layers"]
    )
    overlap = tuple(Overlap(CallId(row.pop("layer"), row.pop("index")), **row) for row in fields["overlap"])
    return Metrics(**{**fields, "layers": layers, "overlap": overlap})


def steps_json(reply: Reply, written: Iterable[tuple[int, list[Any]]]) -> str:
    """Return the requests of a call in steps; `written` has the messages of each as a codec writes them.

    Of the messages of a step, those that repeat the step before are counted in `same` and not written.
    """
    steps = [
        {
            "same": same,
            "messages": rows,
            "read": [[call.layer, call.index, characters] for call, characters in step.read.items()],
            "ended_replies": sorted([call.layer, call.index] for call in step.ended_replies),
            "characters": step.characters,
            "usage": asdict(step.usage),
            "cost": step.cost,
            "started": step.started,
            "first_token": step.first_token,
            "ended": step.ended,
        }
        for step, (same, rows) in zip(reply.steps, written, strict=True)
    ]
    return to_json({"steps": steps, "unread": [[call.layer, call.index] for call in reply.unread]})


def steps_from(
    text: str, messages: Callable[[Sequence[Message], int, list[Any]], Sequence[Message]]
) -> tuple[tuple[Step, ...], tuple[CallId, ...]]:
    """Return the requests of `steps_json`, and the answers that the call did not read.

    `messages` makes those of a step of the messages before it, the number that repeats them, and the rows of
    the others. Raises TypeError, KeyError or ValueError where the text is none of that.
    """
    fields = json.loads(text)
    steps: list[Step] = []
    for row in fields["steps"]:
        before = steps[-1].messages if steps else ()
        read = {CallId(layer, index): characters for layer, index, characters in row.pop("read")}
        ended_replies = frozenset(CallId(*place) for place in row.pop("ended_replies"))
        sent = messages(before, row.pop("same"), row.pop("messages"))
        usage, cost = Usage(**row.pop("usage")), dollars(row.pop("cost"))
        steps.append(
            Step(messages=sent, read=read, ended_replies=ended_replies, usage=usage, cost=cost, **row)
        )
    return tuple(steps), tuple(CallId(*place) for place in fields["unread"])


def failure_json(failure: Failure) -> str:
    """Return why a call or a run failed."""
    return to_json(asdict(failure))


def failure_from(text: str) -> Failure:
    """Return the failure of `failure_json`. Raises TypeError or ValueError where it is none."""
    return Failure(**json.loads(text))


def texts_json(texts: Iterable[str]) -> str:
    """Return notes or names as a list."""
    return to_json(list(texts))


def texts_from(text: str) -> tuple[str, ...]:
    """Return the texts of `texts_json`. Raises ValueError where they are none."""
    return tuple(json.loads(text))
