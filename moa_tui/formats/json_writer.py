"""Conversations, runs and events as plain JSON values; `json_reader` reads conversations back.

Scripts rely on the names of the fields, so a change in them raises the number `schema`.
"""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from moa_tui.engine.events import (
    CallEnded,
    CallRetried,
    CallStarted,
    Delta,
    PointsFound,
    ReplyChanged,
    Restated,
    RunChanged,
    RunEnded,
    StepEnded,
    StepStarted,
)
from moa_tui.engine.left_out import left_out
from moa_tui.engine.values import common_messages

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from moa_tui.conversation import Conversation
    from moa_tui.engine.events import Event
    from moa_tui.engine.recipe import Recipe
    from moa_tui.engine.values import CallId, Failure, Message, Metrics, Outcome, Reply, Step

SCHEMA = 1
FORMAT = "moa-tui conversation"


def conversation_document(conversation: Conversation) -> dict[str, Any]:
    """All of a conversation, with times in Unix seconds; `json_reader` makes an equal conversation of it."""
    active = conversation.active
    return {
        "format": FORMAT,
        "schema": SCHEMA,
        "id": conversation.id,
        "created": conversation.created,
        "title": conversation.title,
        "tags": list(conversation.tags),
        "pinned": conversation.pinned,
        "archived": conversation.archived,
        "forked_from": conversation.forked_from,
        "active": active.id if active is not None else None,
        "turns": [
            {
                "id": turn.id,
                "parent": turn.parent.id if turn.parent is not None else None,
                "created": turn.created,
                "system": turn.system,
                "prompt": turn.prompt,
                "recipe": recipe_document(turn.recipe),
                "outcome": _with_left_out(turn.recipe, turn.outcome) if turn.outcome is not None else None,
            }
            for turn in conversation.turns
        ],
    }


def recipe_document(recipe: Recipe) -> dict[str, Any]:
    """The fields that a recipe sets, as its TOML file has them.

    Raises ValueError for a recipe that is nested too deeply.
    """
    return recipe.model_dump(mode="json", exclude_defaults=True, exclude_none=True, exclude={"imported"})


def outcome_document(
    prompt: str, recipe: Recipe, outcome: Outcome, *, with_left_out: bool = False
) -> dict[str, Any]:
    """The outcome of a run. Layers and indexes count from 1, costs are in US dollars, null is unknown.

    What the answer left out of the others is in it `with_left_out`.
    """
    document = _with_left_out(recipe, outcome) if with_left_out else _outcome(recipe, outcome)
    return {"schema": SCHEMA, "prompt": prompt, "recipe": recipe.name, **document}


def left_out_document(recipe: Recipe, outcome: Outcome) -> list[dict[str, Any]]:
    """What the answer left out: each point with the calls that say it, and its place in the first one's text.

    It is worked out from the texts whenever it is written, so that a reader has no use for it.
    """
    replies = {call: replace(reply, text=_as_read(reply.text)) for call, reply in outcome.replies.items()}
    outcome = replace(outcome, answer=_as_read(outcome.answer), replies=replies)
    return [
        {
            "text": point.text,
            "calls": [{**_place(call), "agent": outcome.replies[call].agent} for call in point.calls],
            "start": point.start,
            "end": point.end,
        }
        for point in left_out(outcome, recipe)
    ]


def _as_read(text: str) -> str:
    """`text` as it is read from JSON: two halves of a character are one, and count as one."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")


def _with_left_out(recipe: Recipe, outcome: Outcome) -> dict[str, Any]:
    return {**_outcome(recipe, outcome), "left_out": left_out_document(recipe, outcome)}


def _outcome(recipe: Recipe, outcome: Outcome) -> dict[str, Any]:
    reached = {call.layer for call in outcome.replies}
    return {
        "status": outcome.status,
        "answer": outcome.answer,
        "error": failure_document(outcome.error),
        "notes": list(outcome.notes),
        "layers": [
            {
                "task": recipe.task(number),
                "calls": [
                    reply_document(call, reply)
                    for call, reply in outcome.replies.items()
                    if call.layer == number
                ],
            }
            for number in sorted(reached)
        ],
        "usage": asdict(outcome.usage),
        "cost": outcome.cost,
        "seconds": outcome.seconds,
        "critical_path_seconds": outcome.metrics.critical_path_seconds,
        "first_token_seconds": outcome.metrics.first_final_token_seconds,
        "metrics": metrics_document(outcome.metrics),
    }


def event_document(
    event: Event, prompt: str, recipe: Recipe, *, with_left_out: bool = False
) -> dict[str, Any]:
    """One event of a run on `prompt` with `recipe`; the last one has the whole outcome."""
    match event:
        case CallStarted(call, agent, messages, at):
            return {
                "event": "call_started",
                **_place(call),
                "agent": agent.name,
                "model": agent.model,
                "messages": list(messages),
                "at": at,
            }
        case Delta(call, kind, text):
            return {"event": "delta", **_place(call), "kind": kind, "text": text}
        case Restated(call, reasoning, text):
            return {"event": "restated", **_place(call), "reasoning": reasoning, "text": text}
        case CallRetried(call, agent, attempt, wait_seconds, failure, at):
            return {
                "event": "call_retried",
                **_place(call),
                "agent": agent.name,
                "model": agent.model,
                "attempt": attempt,
                "wait_seconds": wait_seconds,
                "error": failure_document(failure),
                "at": at,
            }
        case PointsFound(call, points, at):
            return {"event": "points_found", **_place(call), "points": list(points), "at": at}
        case StepStarted(call, number, messages, read, ended_replies, of, at):
            return {
                "event": "step_started",
                **_place(call),
                "number": number,
                "messages": list(messages),
                "read": _read(read, ended_replies),
                "of": of,
                "at": at,
            }
        case StepEnded(call, step):
            # What was sent is told as the step starts.
            return {"event": "step_ended", **_place(call), **_step(step, step.messages)}
        case CallEnded(call, reply):
            return {"event": "call_ended", **reply_document(call, reply)}
        case ReplyChanged(call, reply):
            return {"event": "reply_changed", **reply_document(call, reply)}
        case RunChanged(changed, at):
            return {"event": "run_changed", "recipe": recipe_document(changed), "at": at}
        case RunEnded(outcome):
            document = outcome_document(prompt, recipe, outcome, with_left_out=with_left_out)
            return {"event": "run_ended", **document}


def reply_document(call: CallId, reply: Reply) -> dict[str, Any]:
    """A call with how it ended, in seconds since its run's start; `json_reader.reply_from` reads it."""
    return {
        **_place(call),
        "agent": reply.agent,
        "model": reply.model,
        "status": reply.status,
        "text": reply.text,
        "reasoning": reply.reasoning,
        "error": failure_document(reply.error),
        "finish_reason": reply.finish_reason,
        "attempts": reply.attempts,
        "usage": asdict(reply.usage),
        "cost": reply.cost,
        "local": reply.local,
        "queued": reply.queued,
        "started": reply.started,
        "first_token": reply.first_token,
        "ended": reply.ended,
        "first_token_seconds": reply.first_token_seconds,
        "tokens_per_second": reply.tokens_per_second,
        "seconds": reply.seconds,
        "reused": reply.reused,
        "notes": list(reply.notes),
        "messages": list(reply.messages),
        "steps": _steps(reply.steps),
        "unread": [_place(late) for late in reply.unread],
    }


def _steps(steps: Sequence[Step]) -> list[dict[str, Any]]:
    before: list[Sequence[Message]] = [(), *(step.messages for step in steps)]
    return [_step(step, messages) for step, messages in zip(steps, before, strict=False)]


def _step(step: Step, before: Sequence[Message]) -> dict[str, Any]:
    """One request of a call; of its messages those that are not among those of the request `before` it."""
    repeated = common_messages(before, step.messages)
    return {
        "repeated_messages": repeated,
        "messages": list(step.messages[repeated:]),
        "read": _read(step.read, step.ended_replies),
        "characters": step.characters,
        "usage": asdict(step.usage),
        "cost": step.cost,
        "started": step.started,
        "first_token": step.first_token,
        "ended": step.ended,
    }


def _read(read: Mapping[CallId, int], ended: Iterable[CallId]) -> list[dict[str, Any]]:
    return [
        {**_place(call), "characters": characters, "ended": call in ended}
        for call, characters in sorted(read.items())
    ]


def metrics_document(metrics: Metrics) -> dict[str, Any]:
    """The metrics of a run: times in seconds, shares from 0 to 1, null where a number is unknown."""
    return {
        "layers": [
            {
                "number": layer.number,
                "asked": layer.asked,
                "used": layer.used,
                "slowest": _place(layer.slowest) if layer.slowest else None,
                "seconds": layer.seconds,
                "in_turn": layer.in_turn,
            }
            for layer in metrics.layers
        ],
        "critical_path_seconds": metrics.critical_path_seconds,
        "first_final_token_seconds": metrics.first_final_token_seconds,
        "parallel_saving_seconds": metrics.parallel_saving_seconds,
        "first_proposer_token_seconds": metrics.first_proposer_token_seconds,
        "overlap": [
            {**_place(overlap.call), "ngram_share": overlap.ngram_share, "cosine": overlap.cosine}
            for overlap in metrics.overlap
        ],
        "diversity": metrics.diversity,
        "novelty": metrics.novelty,
    }


def _place(call: CallId) -> dict[str, int]:
    return {"layer": call.layer, "index": call.index}


def failure_document(failure: Failure | None) -> dict[str, Any] | None:
    """Why a call or a run failed; None where there is no failure."""
    if failure is None:
        return None
    return {"kind": failure.kind, "message": failure.message, "status_code": failure.status_code}
