"""What is to be judged: the prompts, and who has answered them, from run folders and files of outputs."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from moa_tui.engine.parsing import parse_closing
from moa_tui.errors import FileError, UsageError
from moa_tui.evaluation.benchmarks import open_input, read_outputs
from moa_tui.evaluation.folder import RunFolder, is_run_folder
from moa_tui.evaluation.judging.prompts import SKILLS
from moa_tui.evaluation.judging.questions import Candidate, Given, skills_of
from moa_tui.evaluation.outputs import results_of
from moa_tui.evaluation.values import BulkPrompt, RunKey
from moa_tui.text.wording import counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from moa_tui.engine.agent import Agent
    from moa_tui.engine.recipe import Recipe
    from moa_tui.engine.values import Reply
    from moa_tui.evaluation.benchmarks import Answer
    from moa_tui.evaluation.judging.prompts import Form

REFERENCE = "reference"
"""The name of the answers that an input brings along, where it does not say who gave them."""
_MOST_NAMED = 12
# What a recipe puts behind the name of an agent that is asked several times.
_NUMBER = re.compile(r" \d+$")


@dataclass(frozen=True, slots=True)
class Graded:
    """What is to be judged.

    `prompts` are all that are meant, in order; `recipes` are those of the run folders by name, `folders` has
    the folder of each. `reference` are the answers that the input brings along, None where it has none.
    `notes` say in sentences what is missing or left out.
    """

    prompts: tuple[BulkPrompt, ...]
    candidates: tuple[Candidate, ...]
    reference: Candidate | None
    recipes: Mapping[str, Recipe]
    folders: Mapping[str, Path]
    format: str
    notes: tuple[str, ...] = ()

    def candidate(self, name: str) -> Candidate | None:
        """The candidate of that name; None where there is none."""
        return next((candidate for candidate in self.candidates if candidate.name == name), None)

    @property
    def usual_form(self) -> Form:
        """How the answers are judged where nothing else is said, after what the input is."""
        if self.format == "mt-bench":
            return "ratings"
        named = [skill.casefold() for prompt in self.prompts for skill in skills_of(prompt)]
        # Other programs have columns of these names too.
        return "skills" if named and set(named) <= SKILLS.keys() else "pairs"


def read_graded(
    sources: Sequence[Path], *, questions: Path | None = None, with_members: bool = True
) -> Graded:
    """What is to be judged in these run folders and files of outputs.

    `questions` is the input that was answered, for files that do not have the prompts themselves. With
    members, the first-layer answers of every mixture are candidates of their own. Raises UsageError and
    FileError.
    """
    reading = _Reading(with_members)
    if questions is not None:
        reading.add_input(questions)
    folders = [path for path in sources if path.is_dir()]
    for path in folders:
        if not is_run_folder(path):
            raise UsageError(
                f"{path} is no folder of answers: give one that `moa-tui batch` wrote, or files of outputs"
            )
        reading.add_folder(path)
    for path in sources:
        if path not in folders:
            reading.add_outputs(path)
    return reading.graded()


def outputs_candidate(path: Path, prompts: Sequence[BulkPrompt]) -> Candidate:
    """The answers of one generator in a file, to these prompts. Raises FileError and UsageError."""
    outputs = read_outputs(path)
    if len(outputs.generators) > 1:
        raise UsageError(
            f"{path} has the answers of {_named(outputs.generators)}: give a file with one of them"
        )
    answers = _by_prompt(outputs, prompts)[outputs.generators[0]]
    return Candidate(outputs.generators[0], "outputs", answers)


class _Reading:
    """Puts together what is read from each source."""

    def __init__(self, with_members: bool) -> None:
        self._with_members = with_members
        self._prompts: dict[str, BulkPrompt] = {}
        self._candidates: dict[str, Candidate] = {}
        self._recipes: dict[str, Recipe] = {}
        self._folders: dict[str, Path] = {}
        self._format = ""
        self._notes: list[str] = []

    def add_input(self, path: Path) -> None:
        """Take the prompts of an input."""
        prompts = open_input(path)
        self._format = prompts.format
        self._add_prompts(prompts, path)

    def add_folder(self, path: Path) -> None:
        """Take the prompts of a run folder, its recipes, and their members."""
        with RunFolder.read(path) as folder:
            facts, limit = folder.manifest.input, folder.manifest.limit
            prompts = open_input(
                folder.input_file, facts.format, column=facts.column, skip_bad=facts.skip_bad, limit=limit
            )
            self._format = self._format or facts.format
            own = list(prompts)
            self._add_prompts(own, path)
            for name, recipe in folder.manifest.recipes.items():
                self._recipes[name], self._folders[name] = recipe, path
                answered = _answers_of(folder, name, own)
                if missing := len(own) - len(answered):
                    self._notes.append(
                        f"{name}: {counted(missing, 'prompt')} of {len(own)} without an answer, "
                        f"not judged; `moa-tui batch` with the same arguments goes on with the folder"
                    )
                self._add(Candidate(name, "recipe", answered, name), path)
                if self._with_members and len(recipe.layers) > 1:
                    for member in members_of(folder, recipe, own):
                        self._add(member, path)

    def add_outputs(self, path: Path) -> None:
        """Take the answers of a file; its prompts too, where there are no others."""
        outputs = read_outputs(path)
        for problem in outputs.problems:
            self._notes.append(f"{path}: left out: {problem}")
        if not self._prompts:
            texts = dict.fromkeys(answer.prompt for answer in outputs if answer.prompt)
            if not texts:
                raise UsageError(
                    f"{path} has answers without their prompts: give the input that was answered with --input"
                )
            self._format = outputs.format
            self._add_prompts(_prompts_of(outputs), path)
        for generator, answers in _by_prompt(outputs, tuple(self._prompts.values())).items():
            if not answers:
                raise UsageError(f"{path}: none of the answers of {generator} is to one of the prompts")
            self._add(Candidate(generator, "outputs", answers), path)

    def graded(self) -> Graded:
        """What was read."""
        prompts = tuple(self._prompts.values())
        if not any(candidate.answers for candidate in self._candidates.values()):
            raise UsageError("there is no answer yet that could be judged")
        return Graded(
            prompts,
            tuple(self._candidates.values()),
            reference_of(prompts) if self._format == "alpaca-eval" and self._recipes_or_input else None,
            self._recipes,
            self._folders,
            self._format,
            tuple(self._notes),
        )

    @property
    def _recipes_or_input(self) -> bool:
        """True where the prompts are those of an input, whose `output` is not what is judged."""
        return bool(self._recipes) or not any(_is_answer_row(prompt) for prompt in self._prompts.values())

    def _add_prompts(self, prompts: Iterable[BulkPrompt], path: Path) -> None:
        for prompt in prompts:
            before = self._prompts.setdefault(prompt.id, prompt)
            if before.turns != prompt.turns:
                raise UsageError(
                    f"{path}: its prompt {prompt.id} is another one than in the source before: "
                    "only answers to the same prompts can be compared"
                )

    def _add(self, candidate: Candidate, path: Path) -> None:
        if candidate.name in self._candidates:
            raise UsageError(
                f"{path}: there are answers of {candidate.name} already: give one of the two sources"
            )
        self._candidates[candidate.name] = candidate


def members_of(folder: RunFolder, recipe: Recipe, prompts: Iterable[BulkPrompt]) -> Iterator[Candidate]:
    """The agents of the first layer, each with its own replies to the first turn of the prompts."""
    answers: list[dict[str, Given]] = [{} for _ in recipe.lineup[0]]
    for prompt in prompts:
        for place, reply in enumerate(first_replies(folder, recipe, prompt)):
            if reply is not None:
                answers[place][prompt.id] = Given((reply.text,), reply.cost, reply.seconds)
    same = Counter(map(_settings, recipe.lineup[0]))
    for agent, given in zip(recipe.lineup[0], answers, strict=True):
        is_sample = same[_settings(agent)] > 1
        samples_of = f"{recipe.name}/{_NUMBER.sub('', agent.name)}" if is_sample else ""
        name = f"{recipe.name}/{agent.name}"
        yield Candidate(name, "member", given, recipe.name, agent.model, samples_of)


def _settings(agent: Agent) -> str:
    """All of an agent but the number by which a recipe tells its samples apart."""
    return repr(agent.model_copy(update={"name": _NUMBER.sub("", agent.name)}))


def first_replies(folder: RunFolder, recipe: Recipe, prompt: BulkPrompt) -> list[Reply | None]:
    """The reply of each agent of the first layer to a prompt's first turn; None where it gave no answer.

    What the layer asks for behind the answer, such as its short form, is left out.
    """
    calls = folder.calls(RunKey(recipe.name, prompt.id, 1))
    replies = {call.index: reply for call, reply in calls.items() if call.layer == 1}
    lines = recipe.layers[0].closing_lines
    given: list[Reply | None] = []
    for index in range(1, len(recipe.lineup[0]) + 1):
        reply = replies.get(index)
        if reply is None or reply.status not in ("done", "partial") or not reply.text.strip():
            given.append(None)
        else:
            given.append(replace(reply, text=parse_closing(reply.text, lines).answer) if lines else reply)
    return given


def _answers_of(folder: RunFolder, recipe: str, prompts: Sequence[BulkPrompt]) -> dict[str, Given]:
    """The answers of a recipe to the prompts of a folder."""
    answers = {}
    for result in results_of(folder, recipe, prompts):
        turns = tuple(turn.answer for turn in result.turns if turn.answer.strip() and turn.is_final)
        if turns:
            costs = [turn.cost for turn in result.turns]
            known = [cost for cost in costs if cost is not None]
            cost = sum(known) if len(known) == len(costs) else None
            seconds = sum(turn.seconds for turn in result.turns)
            first = result.turns[0]
            alone = Given(turns[:1], first.cost, first.seconds) if len(result.turns) > 1 else None
            answers[result.prompt.id] = Given(turns, cost, seconds, alone)
    return answers


def _prompts_of(outputs: Iterable[Answer]) -> Iterator[BulkPrompt]:
    """The prompts that answers say they are to, each once, with ids of their own where they have none."""
    seen: dict[str, None] = {}
    for answer in outputs:
        if answer.prompt and answer.key not in seen:
            seen[answer.key] = None
            yield BulkPrompt(answer.id or str(len(seen)), (answer.prompt,), row={"": ""})


def _is_answer_row(prompt: BulkPrompt) -> bool:
    return "" in prompt.row


def _by_prompt(outputs: Iterable[Answer], prompts: Sequence[BulkPrompt]) -> dict[str, dict[str, Given]]:
    """The answers by generator and by the prompt's id; those to no prompt are left out.

    Where a text was asked several times, the answers that only say the text are to one after the other.
    """
    ids = {prompt.id for prompt in prompts}
    by_text: dict[str, list[str]] = {}
    for prompt in prompts:
        by_text.setdefault(prompt.turns[0], []).append(prompt.id)
    answers: dict[str, dict[str, Given]] = {}
    seen: Counter[tuple[str, str]] = Counter()
    for answer in outputs:
        own = answers.setdefault(answer.generator, {})
        name: str | None = answer.id
        if name not in ids:
            same = by_text.get(answer.prompt, [])
            name = same[seen[answer.generator, answer.prompt] % len(same)] if same else None
            seen[answer.generator, answer.prompt] += 1
        turns = tuple(text for text in answer.turns if text.strip())
        if name is not None and turns:
            own[name] = Given(turns)
    return answers


def reference_of(prompts: Iterable[BulkPrompt]) -> Candidate | None:
    """The answers that the rows of an AlpacaEval input bring along."""
    answers, generator = {}, REFERENCE
    for prompt in prompts:
        output = prompt.row.get("output")
        if isinstance(output, str) and output.strip():
            answers[prompt.id] = Given((output,))
            named = prompt.row.get("generator")
            generator = named if isinstance(named, str) and named.strip() else generator
    return Candidate(generator, "outputs", answers) if answers else None


def choose_baseline(graded: Graded, named: str | None, file: Path | None) -> Candidate:
    """What answers are compared with in pairs.

    That is the candidate `named`, or the answers in `file`; else those that the input brings along, else the
    first candidate. Raises UsageError and FileError.
    """
    if file is not None:
        baseline = outputs_candidate(file, graded.prompts)
        if graded.candidate(baseline.name) is not None:
            # Such as the answers of the same recipe before a change.
            baseline = replace(baseline, name=f"{baseline.name} ({file.name})")
    elif named is not None:
        found = graded.candidate(named)
        if found is None and graded.reference is not None and graded.reference.name == named:
            found = graded.reference
        if found is None:
            names = [candidate.name for candidate in graded.candidates]
            raise UsageError(
                f'there is no baseline "{named}": give a file of outputs, or one of {_named(names)}'
            )
        baseline = found
    else:
        baseline = graded.reference or graded.candidates[0]
    others = [candidate for candidate in graded.candidates if candidate.name != baseline.name]
    if not others:
        raise UsageError(
            f"nothing can be compared with {baseline.name}: give --baseline, or the answers of another too"
        )
    if not any(baseline.answers.keys() & candidate.answers.keys() for candidate in others):
        raise UsageError(f"{baseline.name} has answered none of the prompts that the others have answered")
    return baseline


def _named(names: Iterable[str]) -> str:
    known = list(names)
    more = f" and {len(known) - _MOST_NAMED} more" if len(known) > _MOST_NAMED else ""
    return ", ".join(known[:_MOST_NAMED]) + more


def check_source(path: Path) -> None:
    """Raise FileError where there is nothing at `path`."""
    if not path.exists():
        raise FileError(f"{path}: there is no such file or folder")
