"""The trials of a selection: each candidate alone, as a proposer and as the aggregator. Bulk runs, all three.

The paper tries models in both roles too (arXiv 2406.04692, table 4): each aggregates the answers of all, and
proposes to one fixed aggregator. There a proposer is asked six times for its six answers; here once, so that
a trial costs one call beside the answer that is there already.

    FOLDER/alone-HASH/            each candidate answers once
    FOLDER/as-proposer-HASH/      the fixed aggregator writes from that one answer
    FOLDER/as-aggregator-HASH/    the candidate writes from the answers of all

The hash is that of the input and of the recipes: with one candidate more a selection goes on in the same
folder, and pays nothing again that is still of use.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Literal, Protocol, get_args

from moa_tui.engine.layer import Layer, Limits
from moa_tui.engine.recipe import Recipe
from moa_tui.engine.recipe_edit import agent_of
from moa_tui.engine.values import CallId, Failure, Reply
from moa_tui.errors import UsageError
from moa_tui.evaluation.benchmarks import open_input
from moa_tui.evaluation.bulk_values import Job
from moa_tui.evaluation.folder import RunFolder, is_run_folder
from moa_tui.evaluation.judging.questions import Candidate, Given
from moa_tui.evaluation.manifest import recipe_hash
from moa_tui.evaluation.values import BulkPrompt, RunKey, is_settled

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from moa_tui.engine.agent import Agent, Sampling
    from moa_tui.evaluation.values import RunResult

Role = Literal["alone", "as proposer", "as aggregator"]
ROLES: tuple[Role, ...] = get_args(Role)
"""What a candidate is tried as, in the order of the trials."""

OWN_CALL = CallId(1, 1)
_WRITER = CallId(2, 1)
_NO_ANSWER = Failure("left_behind", "gave no answer when it was asked alone")
_HASH_CHARACTERS = 8
_LEAST_CANDIDATES = 2


@dataclass(frozen=True, slots=True)
class Contender:
    """A model that may sit in the recipe: its name in tables, and how it is asked."""

    name: str
    agent: Agent


def contenders_of(
    models: Iterable[str], recipes: Iterable[Recipe], sampling: Sampling
) -> tuple[tuple[Contender, ...], tuple[str, ...]]:
    """The candidates, and what is to be said of them in sentences.

    They are the models named, asked with `sampling`, and every agent of the recipes as that says. Those that
    are asked in the same way are one candidate. Raises UsageError for fewer than two, or no model's name.
    """
    agents = [agent_of({**sampling.model_dump(exclude_unset=True), "model": model}) for model in models]
    named = [(agent.model, agent) for agent in agents]
    number_given = len(named)
    for recipe in recipes:
        named += [(_written_name(recipe, agent), agent) for layer in recipe.lineup for agent in layer]
    known: dict[str, tuple[str, Agent]] = {}
    twice: Counter[str] = Counter()
    for place, (name, agent) in enumerate(named):
        bare = agent.model_copy(update={"name": "", "count": 1, "fallback": ()})
        if (key := settings_key(bare)) in known:
            twice[known[key][0]] += place < number_given  # In a recipe a model has several seats.
        else:
            known[key] = (name, bare)
    names: Counter[str] = Counter()
    contenders = []
    for name, agent in known.values():
        names[name] += 1
        unique = name if names[name] == 1 else f"{name} ({names[name]})"
        contenders.append(Contender(unique, agent))
    if len(contenders) < _LEAST_CANDIDATES:
        only = f"{contenders[0].name} is the only candidate" if contenders else "there is no candidate"
        raise UsageError(
            f"{only}, so there is nothing to choose: name two or more with --candidate, or a recipe with -r"
        )
    notes = [
        f"{name} is named {number + 1} times, and tried once" for name, number in twice.items() if number
    ]
    return tuple(contenders), tuple(notes)


def _written_name(recipe: Recipe, agent: Agent) -> str:
    """The name that a recipe gives an agent, without the number of one that is asked several times.

    Where it gives none, the model's.
    """
    name, _, number = agent.name.rpartition(" ")
    if agent.name not in recipe.written_names and number.isdecimal():
        return name if name in recipe.written_names else agent.model
    return agent.name if agent.name in recipe.written_names else agent.model


def settings_key(agent: Agent) -> str:
    """All that decides how an agent is asked, as a text that is the same where two are asked alike."""
    bare = agent.model_copy(update={"name": "", "count": 1, "fallback": ()})
    return bare.model_dump_json(exclude_none=True)


class OwnAnswers(Protocol):
    """The candidates' own answers: `Answers`, or what is assumed of them before they are there."""

    def reply(self, contender: Contender, prompt: BulkPrompt) -> Reply | None:
        """The answer of a candidate; None where there is none."""

    def elsewhere(self, contender: Contender, prompt: BulkPrompt) -> Reply | None:
        """The answer of a candidate in another run folder; None where there is none."""


@dataclass(frozen=True)
class Trials:
    """Who is tried on which prompts. The prompts are single turns; `limits` hold for every run."""

    contenders: tuple[Contender, ...]
    aggregator: Contender
    """The one that writes from each proposer's answer."""
    prompts: tuple[BulkPrompt, ...]
    limits: Limits = field(default_factory=Limits)

    @cached_property
    def recipes(self) -> Mapping[Role, Mapping[str, Recipe]]:
        """The recipe of each trial, by role and by the candidate's name."""
        everybody = Layer(agents=tuple(contender.agent for contender in self.contenders))
        written: dict[Role, dict[str, Recipe]] = {role: {} for role in ROLES}
        for contender in self.contenders:
            own = Layer(agents=(contender.agent,))
            layers: dict[Role, tuple[Layer, ...]] = {
                "alone": (own,),
                "as proposer": (own, Layer(agents=(self.aggregator.agent,))),
                "as aggregator": (everybody, own),
            }
            for role, its_layers in layers.items():
                name = candidate_name(contender.name, role)
                written[role][contender.name] = Recipe(name=name, layers=its_layers, limits=self.limits)
        return written

    def folder_name(self, role: Role, input_sha256: str) -> str:
        """The name of the run folder of a role."""
        parts = [input_sha256, *map(recipe_hash, self.recipes[role].values())]
        digest = hashlib.sha256("\0".join(parts).encode()).hexdigest()
        return f"{role.replace(' ', '-')}-{digest[:_HASH_CHARACTERS]}"

    def jobs(self, role: Role, answers: OwnAnswers) -> Iterator[Job]:
        """The jobs of a role, prompt by prompt.

        A proposer is not tried where it gave no answer, and no aggregator where nobody did.
        """
        for prompt in self.prompts:
            if role == "alone":
                for contender in self.contenders:
                    known = answers.elsewhere(contender, prompt)
                    reused = {} if known is None else {OWN_CALL: known}
                    yield Job(self.recipes[role][contender.name], prompt, reused)
                continue
            replies = [answers.reply(contender, prompt) for contender in self.contenders]
            if all(reply is None for reply in replies):
                continue
            everybody = {
                CallId(1, place): reply or _failed(contender.agent)
                for place, (reply, contender) in enumerate(zip(replies, self.contenders, strict=True), 1)
            }
            for contender, reply in zip(self.contenders, replies, strict=True):
                recipe = self.recipes[role][contender.name]
                if role == "as aggregator":
                    yield Job(recipe, prompt, everybody)
                elif reply is not None:
                    yield Job(recipe, prompt, {OWN_CALL: reply})


def candidate_name(name: str, role: Role) -> str:
    """The name under which a candidate's answers in a role are judged."""
    return name if role == "alone" else f"{name} {role}"


def first_turns(prompts: Iterable[BulkPrompt]) -> tuple[BulkPrompt, ...]:
    """The prompts with their first turns alone."""
    return tuple(
        BulkPrompt(prompt.id, prompt.turns[:1], prompt.temperature, prompt.row) for prompt in prompts
    )


def _failed(agent: Agent) -> Reply:
    """What stands in the place of an answer that is not there."""
    return Reply(agent.name or agent.model, agent.model, "failed", error=_NO_ANSWER, cost=0.0)


# Answers that are there already


class Answers:
    """The candidates' own answers: those that were made for the selection, and those of other run folders.

    A reply of another folder counts where the same model was asked the same prompt with the same settings,
    in a first layer, which reads nothing.
    """

    def __init__(
        self, contenders: Iterable[Contender], alone: RunFolder | None, others: Iterable[RunFolder] = ()
    ) -> None:
        self._alone = alone
        self._others: list[tuple[RunFolder, dict[str, list[tuple[str, int]]], dict[object, str]]] = []
        wanted = {settings_key(contender.agent) for contender in contenders}
        for folder in others:
            if seats := _seats_of(folder, wanted):
                self._others.append((folder, seats, _prompt_ids(folder)))

    def reply(self, contender: Contender, prompt: BulkPrompt) -> Reply | None:
        """The answer of a candidate; None where there is none."""
        own = None
        if self._alone is not None:
            own = self._alone.calls(RunKey(contender.name, prompt.id)).get(OWN_CALL)
        if own is not None and _is_answer(own):
            return own
        return self.elsewhere(contender, prompt)

    def elsewhere(self, contender: Contender, prompt: BulkPrompt) -> Reply | None:
        """The answer of a candidate in another run folder; None where there is none."""
        key = settings_key(contender.agent)
        for folder, seats, ids in self._others:
            prompt_id = ids.get(_prompt_key(prompt))
            if prompt_id is None:
                continue
            for recipe, index in seats.get(key, ()):
                reply = folder.calls(RunKey(recipe, prompt_id)).get(CallId(1, index))
                if reply is not None and _is_answer(reply) and is_settled(reply.status, reply.error):
                    return reply
        return None


def reusable_folders(paths: Iterable[Path]) -> list[Path]:
    """The run folders at these paths: each path itself, or those of a selection below it.

    Raises UsageError where there is none.
    """
    folders: list[Path] = []
    for path in paths:
        below = [path] if is_run_folder(path) else sorted(filter(is_run_folder, path.glob("alone-*")))
        if not below:
            raise UsageError(f"{path} has no answers to reuse: give a folder that batch or select wrote")
        folders += below
    return folders


def _seats_of(folder: RunFolder, wanted: set[str]) -> dict[str, list[tuple[str, int]]]:
    """By the settings that are wanted, the recipes and places of the first layers that ask so."""
    seats: dict[str, list[tuple[str, int]]] = {}
    for name, recipe in folder.manifest.recipes.items():
        if recipe.layers[0].closing_lines:
            continue  # These agents were asked for more than an answer.
        for index, agent in enumerate(recipe.lineup[0], 1):
            if (key := settings_key(agent)) in wanted:
                seats.setdefault(key, []).append((name, index))
    return seats


def _prompt_ids(folder: RunFolder) -> dict[object, str]:
    """The ids of a folder's prompts by what was asked."""
    facts = folder.manifest.input
    prompts = open_input(
        folder.input_file,
        facts.format,
        column=facts.column,
        skip_bad=facts.skip_bad,
        limit=folder.manifest.limit,
    )
    return {_prompt_key(prompt): prompt.id for prompt in prompts}


def _prompt_key(prompt: BulkPrompt) -> object:
    return prompt.turns[0], prompt.temperature


def _is_answer(reply: Reply) -> bool:
    return reply.status in ("done", "partial") and bool(reply.text.strip())


# What came of the trials


def candidates_of(trials: Trials, role: Role, folder: RunFolder, answers: OwnAnswers) -> list[Candidate]:
    """The answers in a role as candidates for a judge, each with what the call took that wrote it."""
    candidates = []
    for contender in trials.contenders:
        recipe = trials.recipes[role][contender.name]
        given = {}
        for prompt in trials.prompts:
            key = RunKey(recipe.name, prompt.id)
            result = folder.result(key)
            if result is None or not (result.is_final and result.answer.strip()):
                continue
            # Of an answer that is from another folder, the run here does not know how long it took.
            reply = answers.reply(contender, prompt) if role == "alone" else folder.calls(key).get(_WRITER)
            given[prompt.id] = (
                Given((result.answer,))
                if reply is None
                else Given((result.answer,), reply.cost, reply.seconds)
            )
        candidates.append(Candidate(recipe.name, "recipe", given, contender.name, contender.agent.model))
    return candidates


def unanswered(trials: Trials, role: Role, folder: RunFolder, answers: Answers) -> Iterator[tuple[str, str]]:
    """The trials that have no answer: by the candidate's name, why; empty where they were not made."""
    for job in trials.jobs(role, answers):
        result = folder.result(RunKey(job.recipe.name, job.prompt.id))
        if result is None or not (result.is_final and result.answer.strip()):
            name = job.recipe.name.removesuffix(f" {role}")
            yield name, "" if result is None else _why(result)


def _why(result: RunResult) -> str:
    return result.error.message if result.error is not None else f"the run is {result.status}"
