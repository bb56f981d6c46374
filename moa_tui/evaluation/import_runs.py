"""The conversations of a run folder: each prompt with its runs, made of the calls that are kept of them.

A folder may come from anybody. Whatever is in it, reading it gives conversations or raises FileError, and no
model is asked: a recipe of a folder counts as imported, and runs only once it was confirmed.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import Counter
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import TYPE_CHECKING

from moa_tui.chat.library import clean_tag
from moa_tui.conversation import Conversation, Turn, name_from
from moa_tui.engine import run
from moa_tui.engine.limits import MAX_REPLY_CHARACTERS
from moa_tui.engine.metrics import with_times_of
from moa_tui.engine.recipe_edit import with_temperature
from moa_tui.engine.values import Failure, Reply, paid
from moa_tui.errors import FileError, ModelError, UsageError
from moa_tui.evaluation.benchmarks import open_input
from moa_tui.evaluation.folder import RunFolder
from moa_tui.evaluation.phases import calls_of
from moa_tui.evaluation.values import RunKey
from moa_tui.formats.foreign.values import LATEST
from moa_tui.formats.json_stream import Problems
from moa_tui.formats.json_writer import recipe_document
from moa_tui.text.safe import one_line
from moa_tui.text.wording import counted

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
    from pathlib import Path

    from moa_tui.engine.agent import Agent
    from moa_tui.engine.events import Event
    from moa_tui.engine.recipe import Recipe
    from moa_tui.engine.values import CallId, Chunk, Finish, Message, Outcome
    from moa_tui.evaluation.values import BulkPrompt, RunResult

_ID_BYTES = 6
_LONGEST_SECONDS = 1e9
_NOT_KEPT = Failure("interrupted", "the run folder has no reply of this call")
_UNFINISHED = Failure(
    "interrupted",
    "this run has no end in the run folder. What had come is kept.\n"
    "/again goes on from the answers that are whole, /retry asks all agents anew",
)
_OTHER_ANSWER = "the run folder gives this answer, and its calls another"
# What is counted while a folder is read, by its kind: a noun, and what is said of so many.
_NOTES = {
    "not reached": ("prompt", "not reached"),
    "unfinished": ("run", "without an end, with what had come of them"),
    "other answer": ("run", "whose calls give another answer or end than results.jsonl, which is taken"),
    "unknown": ("run", "left out, of a prompt or recipe that the folder does not have"),
    "call": ("call", "left out, for which the recipe has no place or no call can be like that"),
}


@dataclass(frozen=True, slots=True)
class _Run:
    """One run of a folder, with what is kept of it."""

    recipe: Recipe
    history: Sequence[Message]
    calls: Mapping[CallId, Reply]
    result: RunResult | None


class RunReading:
    """Iterates over the conversations of a run folder, one for each prompt of which anything is kept.

    The recipes' runs of a prompt are alternatives in one place, and a further turn stands behind the turn
    before it. The conversations have ids that follow from what the folder was begun with, and carry `tag`.
    """

    def __init__(self, path: Path, tag: str | None = None) -> None:
        """`tag` is the folder's name where it is None. Raises FileError, and UsageError for an empty tag."""
        self._problems = Problems()
        self._folder = RunFolder.read(path, self._problems)
        try:
            self.tag = clean_tag(path.resolve().name if tag is None else tag)
            if not self.tag:
                raise UsageError("the tag is empty; name one with --tag")
            manifest = self._folder.manifest
            facts = manifest.input
            # An entry that cannot be used is left out, and its calls are told of.
            self._input = open_input(
                self._folder.input_file,
                facts.format,
                column=facts.column if isinstance(facts.column, str) else None,
                skip_bad=True,
                limit=manifest.limit if isinstance(manifest.limit, int) else None,
            )
            self._identity = _identity(self._folder)
        except BaseException:
            self._folder.close()
            raise
        self._now = time.time()
        self._counts: Counter[str] = Counter()
        self._recipes: dict[tuple[str, float | None], Recipe] = {}
        self._keys: set[RunKey] = set()

    @property
    def total(self) -> int:
        """The number of prompts in the input."""
        return self._input.count

    def __iter__(self) -> Iterator[Conversation]:
        self._counts.clear()
        self._keys.clear()
        # No call is ever made, so that every run is over as soon as the loop has gone round a few times.
        with asyncio.Runner() as runner:
            for place, prompt in enumerate(self._input, 1):
                conversation = self._conversation(prompt, place, runner)
                if conversation is None:
                    self._counts["not reached"] += 1
                else:
                    yield conversation
        self._counts["unknown"] = len(self._folder.keys - self._keys)

    def notes(self) -> list[str]:
        """Sentences on what is not as in a finished folder; complete when all conversations are read."""
        sentences = [
            f"{counted(self._counts[kind], noun)} {words}"
            for kind, (noun, words) in _NOTES.items()
            if self._counts[kind]
        ]
        if self._input.sha256 != self._folder.manifest.input.sha256:
            sentences.append("the input is not the one that the folder was begun with")
        return [*sentences, *self._input.problems, *self._problems.notes()]

    def close(self) -> None:
        """Close the folder's files."""
        self._folder.close()

    def _conversation(self, prompt: BulkPrompt, place: int, runner: asyncio.Runner) -> Conversation | None:
        """The conversation of a prompt; None where nothing is kept of it."""
        id_ = self._id(prompt.id)
        turns: list[Turn] = []
        first_branch: Turn | None = None
        for name in self._folder.manifest.recipes:
            branch = self._branch(name, prompt, id_, runner)
            turns += branch
            is_answered = bool(branch) and _is_answered(branch[-1])
            if branch and (first_branch is None or (is_answered and not _is_answered(first_branch))):
                first_branch = branch[-1]
        if not turns:
            return None
        # The place of a prompt in its file names it no better than its words do.
        title = "" if prompt.id == str(place) else f"{one_line(prompt.id)}: {name_from(prompt.turns[0])}"
        created = min(turn.created for turn in turns)
        return Conversation(tuple(turns), first_branch, id_, created, title, (self.tag,))

    def _branch(self, name: str, prompt: BulkPrompt, id_: str, runner: asyncio.Runner) -> list[Turn]:
        """The turns of a prompt that one recipe answered, as far as anything is kept of them."""
        recipe = self._recipe(name, prompt.temperature)
        turns: list[Turn] = []
        messages: list[Message] = []
        for number, text in enumerate(prompt.turns, 1):
            key = RunKey(name, prompt.id, number)
            self._keys.add(key)
            calls, result = self._calls(key, recipe), self._folder.result(key)
            if not calls and result is None:
                break
            messages.append({"role": "user", "content": text})
            outcome = self._outcome(_Run(recipe, messages, calls, result), runner)
            # A run that goes on later ends as another turn, beside what had come of it.
            end = "" if outcome.error is not _UNFINISHED else "unfinished"
            parent = turns[-1] if turns else None
            turn_id = self._id(prompt.id, name, str(number), end)
            turns.append(Turn(text, recipe, outcome, parent, None, turn_id, self._created(result)))
            if not outcome.answer.strip():
                break
            messages.append({"role": "assistant", "content": outcome.answer})
        # Those of later turns that cannot be reached belong to the prompt all the same.
        self._keys |= {RunKey(name, prompt.id, number) for number in range(1, len(prompt.turns) + 1)}
        return turns

    def _recipe(self, name: str, temperature: float | None) -> Recipe:
        if (name, temperature) not in self._recipes:
            recipe = self._folder.manifest.recipes[name]
            self._recipes[name, temperature] = (
                recipe if temperature is None else with_temperature(recipe, temperature)
            )
        return self._recipes[name, temperature]

    def _calls(self, key: RunKey, recipe: Recipe) -> dict[CallId, Reply]:
        """The calls of a run that its recipe has a place for, as they were paid for in it."""
        seats = set(calls_of(recipe))
        calls = self._folder.calls(key)
        fitting = {
            call: replace(reply, reused=False)
            for call, reply in calls.items()
            if call in seats and _can_be(reply)
        }
        self._counts["call"] += len(calls) - len(fitting)
        return fitting

    def _outcome(self, made: _Run, runner: asyncio.Runner) -> Outcome:
        """How a run ended, with all that the engine makes of its calls."""
        missing = {
            call: Reply(agent.name, agent.model, "stopped", error=_NOT_KEPT, cost=0.0)
            for call in calls_of(made.recipe)
            if call not in made.calls
            for agent in (made.recipe.lineup[call.layer - 1][call.index - 1],)
        }
        replies = {**made.calls, **missing}
        outcome = runner.run(run.run(made.recipe, made.history, _refuse, _ignore, reused=replies))
        is_unfinished = made.result is None and any(call in missing for call in outcome.replies)
        outcome = _with_own_replies(outcome, made, keeps_missing=is_unfinished)
        if is_unfinished:
            self._counts["unfinished"] += 1
            return replace(outcome, status="stopped", answer="", error=_UNFINISHED, notes=())
        if made.result is None:
            return outcome
        result = made.result
        if (result.status, result.answer) != (outcome.status, outcome.answer):
            self._counts["other answer"] += 1
            notes = (*outcome.notes, _OTHER_ANSWER)
            return replace(
                outcome, status=result.status, answer=result.answer, error=result.error, notes=notes
            )
        return replace(outcome, error=result.error)

    def _created(self, result: RunResult | None) -> float:
        """When a run began, in Unix seconds, as far as the folder says it; never a time to come."""
        began = self._folder.manifest.created
        if result is not None and 0 <= result.ended <= LATEST and 0 <= result.seconds <= _LONGEST_SECONDS:
            began = max(0.0, result.ended - result.seconds)
        return min(began, self._now)

    def _id(self, *parts: str) -> str:
        """A lasting id of a prompt, or of a turn of it."""
        text = "\0".join((self._identity, *parts))
        return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=_ID_BYTES).hexdigest()


def _with_own_replies(outcome: Outcome, made: _Run, *, keeps_missing: bool) -> Outcome:
    """The outcome with each call as it was made and paid for, and with the times that the calls took.

    With `keeps_missing`, calls that were not made stand among the others of a layer that had begun.
    """
    begun = {call.layer for call in made.calls}
    replies = dict(made.calls)
    for call, reply in outcome.replies.items():
        if call in made.calls or (keeps_missing and call.layer in begun):
            replies[call] = replace(reply, reused=False)
    replies = dict(sorted(replies.items()))
    writer = made.recipe.writer
    final = writer if writer in replies and replies[writer].text == outcome.answer else None
    beside = {
        number
        for number in made.recipe.layers_beside
        if any(reply.steps for call, reply in replies.items() if call.layer == number)
    }
    metrics = with_times_of(outcome.metrics, replies, final, made.recipe.layers_in_turn, beside)
    overlap = tuple(each for each in metrics.overlap if each.call in replies)
    together = paid(replies.values())
    return replace(
        outcome,
        replies=replies,
        metrics=replace(metrics, overlap=overlap),
        usage=together.usage,
        cost=together.cost,
        # When the calls of a run waited for others, that says nothing of the run.
        seconds=metrics.critical_path_seconds,
    )


async def _refuse(agent: Agent, messages: Sequence[Message]) -> AsyncGenerator[Chunk | Finish, None]:
    """Ask nobody: every call of the run has a reply."""
    nothing: tuple[Chunk, ...] = ()
    for chunk in nothing:
        yield chunk
    raise ModelError("stopped", "nothing is asked where a run folder is read")


def _ignore(event: Event) -> None:
    pass


def _is_answered(turn: Turn) -> bool:
    return turn.outcome is not None and bool(turn.outcome.answer.strip())


def _can_be(reply: Reply) -> bool:
    """True where times and lengths of a reply are such as a call can have."""
    times = [reply.queued, reply.started, reply.first_token, reply.ended]
    for step in reply.steps:
        times += [step.started, step.first_token, step.ended]
    return len(reply.text) + len(reply.reasoning) <= 2 * MAX_REPLY_CHARACTERS and all(
        seconds is None or abs(seconds) <= _LONGEST_SECONDS for seconds in times
    )


def _identity(folder: RunFolder) -> str:
    """What tells a run folder from every other, wherever it lies. Raises FileError for nonsense."""
    manifest = folder.manifest
    if not manifest.recipes:
        raise FileError(f"{folder.path}: its manifest names no recipe")
    if not math.isfinite(manifest.created) or not 0 <= manifest.created <= LATEST:
        raise FileError(f"{folder.path}: {manifest.created:g} is no time for a run")
    try:
        recipes = [repr(sorted(recipe_document(recipe).items())) for recipe in manifest.recipes.values()]
    except ValueError as error:
        raise FileError(f"{folder.path}: a recipe of it could not be kept: {error}") from error
    return "\0".join((manifest.input.sha256, repr(manifest.created), *recipes))
