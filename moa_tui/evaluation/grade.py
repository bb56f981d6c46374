"""Grading: the answers of candidates judged by a recipe, in a bulk run whose calls are kept.

    FOLDER/grades/JUDGE-HASH/     a run folder: what the judge was asked, and every reply
        scores-BASELINE.jsonl     a line a score, with judge, judge's prompt, baseline and date
    FOLDER/grades/choices-HASH/   a run folder: votes and rankings among the first answers

The hash is that of the judge's recipe and of what it is asked, so scores of two judges, or of two versions of
one, never meet. A question's id is the hash of its text: whatever candidates or baselines are added later,
what was asked once is not paid again.
"""

from __future__ import annotations

import hashlib
import json
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from moa_tui import __version__
from moa_tui.engine.agent import Agent
from moa_tui.engine.layer import Layer
from moa_tui.engine.plan import plan
from moa_tui.engine.recipe import Recipe
from moa_tui.engine.values import paid
from moa_tui.errors import UsageError
from moa_tui.evaluation.bulk_values import Job
from moa_tui.evaluation.choices import choice_jobs, choice_recipes
from moa_tui.evaluation.folder import RunFolder, is_run_folder
from moa_tui.evaluation.judging.prompts import prompt_hash
from moa_tui.evaluation.judging.questions import judgements, question_id
from moa_tui.evaluation.judging.scores import score_document, score_of
from moa_tui.evaluation.manifest import InputFacts, Manifest, recipe_hash
from moa_tui.evaluation.values import BulkPrompt, RunKey

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from moa_tui.engine.plan import ModelFacts
    from moa_tui.engine.values import Paid
    from moa_tui.evaluation.graded import Graded
    from moa_tui.evaluation.judging.prompts import Form
    from moa_tui.evaluation.judging.questions import Candidate, Judgement
    from moa_tui.evaluation.judging.scores import Score

GRADES = "grades"
JUDGE_TOKENS = 2048
"""The longest reply of a judge that is named by its model alone."""
_NOT_IN_NAMES = re.compile(r"[^\w.-]+")
_LONGEST_NAME = 60
_HASH_CHARACTERS = 8
_VERSIONS = {"moa-tui": __version__}


def model_judge(model: str) -> Recipe:
    """A judge of one model, which is asked at temperature 0. Raises ValueError for what is no name."""
    agent = Agent(model=model, temperature=0.0, max_tokens=JUDGE_TOKENS)
    return Recipe(name=model, layers=(Layer(agents=(agent,)),))


@dataclass(frozen=True, slots=True)
class Grading:
    """What is graded, and by whom: in pairs against a `baseline`, which the other forms do not have."""

    graded: Graded
    form: Form
    judge: Recipe
    baseline: Candidate | None
    root: Path
    """The folder of all gradings."""

    @property
    def judge_hash(self) -> str:
        """The hash of the judge's recipe and of what it is asked."""
        return _digest(recipe_hash(self.judge), prompt_hash(self.form))

    @property
    def folder(self) -> Path:
        """The run folder of the judge."""
        return self.root / f"{_file_name(self.judge.name)}-{self.judge_hash[:_HASH_CHARACTERS]}"

    def judgements(self, candidates: Iterable[Candidate]) -> Iterator[Judgement]:
        """All judgements on these candidates; the baseline is not compared with itself."""
        for candidate in candidates:
            if self.baseline is None or candidate.name != self.baseline.name:
                yield from judgements(self.form, candidate, self.graded.prompts, self.baseline)

    def questions(self, candidates: Iterable[Candidate]) -> Iterator[BulkPrompt]:
        """What the judge is asked, each question once."""
        seen: set[str] = set()
        for judgement in self.judgements(candidates):
            for text in judgement.questions:
                if (name := question_id(text)) not in seen:
                    seen.add(name)
                    yield BulkPrompt(name, (text,), row={"id": name, "prompt": text})

    def about(self) -> dict[str, Any]:
        """What is kept with every score, besides what the judge said of which answer."""
        return {
            "form": self.form,
            "judge": self.judge.name,
            "judge_sha256": recipe_hash(self.judge),
            "judge_prompt_sha256": prompt_hash(self.form),
            "baseline": self.baseline.name if self.baseline is not None else None,
        }


# The judge's run


def judge_jobs(grading: Grading, candidates: Iterable[Candidate]) -> Iterator[Job]:
    """The jobs of the judge's bulk run."""
    return (Job(grading.judge, question) for question in grading.questions(candidates))


def begin_judge_folder(
    grading: Grading, candidates: Iterable[Candidate], command: tuple[str, ...], now: float
) -> RunFolder:
    """The judge's run folder, with all questions that were ever asked in it and these in its input.

    Raises UsageError where another program is at work in it, and FileError.
    """
    # Not the hash of its bytes: the questions of later gradings are added to the input.
    facts = InputFacts("questions", "jsonl", prompt_hash(grading.form), 0, "prompt")
    manifest = Manifest(command, now, _VERSIONS, facts, {grading.judge.name: grading.judge})
    with tempfile.TemporaryDirectory() as temporary:
        empty = Path(temporary) / "questions.jsonl"
        empty.touch()
        folder = RunFolder.begin(grading.folder, manifest, empty)
    try:
        texts = dict(_questions_in(folder.input_file))
        before = len(texts)
        texts |= {question.id: question.turns[0] for question in grading.questions(candidates)}
        if len(texts) > before:
            lines = (json.dumps({"id": name, "prompt": text}) + "\n" for name, text in texts.items())
            folder.write(folder.input_file.name, "".join(lines))
    except BaseException:
        folder.close()
        raise
    return folder


def _questions_in(path: Path) -> Iterator[tuple[str, str]]:
    with path.open(encoding="utf-8") as file:
        for line in file:
            entry = json.loads(line)
            yield entry["id"], entry["prompt"]


def scores_of(grading: Grading, candidates: Iterable[Candidate], folder: RunFolder | None) -> list[Score]:
    """The scores that the kept replies of the judge come to; without a folder, nothing was asked yet."""
    name = grading.judge.name

    def result(question: str) -> Any:
        return folder.result(RunKey(name, question)) if folder is not None else None

    return [score_of(judgement, result) for judgement in grading.judgements(candidates)]


def keep_scores(grading: Grading, candidates: Iterable[Candidate], folder: RunFolder) -> Path:
    """Write all scores into the judge's folder, in the place of those of an earlier grading with the same
    baseline, and return the path of the file. Raises FileError."""
    about, name = grading.about(), grading.judge.name
    lines = []
    for judgement in grading.judgements(candidates):
        results = [folder.result(RunKey(name, question)) for question in judgement.ids]
        dates = [result.ended for result in results if result is not None]
        score = score_of(judgement, lambda question: folder.result(RunKey(name, question)))
        lines.append(json.dumps(score_document(score, about, max(dates, default=None))) + "\n")
    baseline = f"-{_file_name(grading.baseline.name)}" if grading.baseline is not None else ""
    file_name = f"scores{baseline}.jsonl"
    folder.write(file_name, "".join(lines))
    return folder.path / file_name


# The choices among first answers


@dataclass(frozen=True, slots=True)
class Choosing:
    """The bulk run that makes the votes and rankings of one run folder."""

    source: Path
    recipes: tuple[Recipe, ...]
    """The mixtures whose first answers are chosen among."""
    folder: Path

    def choices(self) -> dict[str, Recipe]:
        """The recipes that choose, by name."""
        return {choice.name: choice for recipe in self.recipes for choice in choice_recipes(recipe).values()}

    def jobs(self, folder: RunFolder, prompts: Iterable[BulkPrompt]) -> Iterator[Job]:
        """The jobs of the bulk run; `folder` is the one that is judged."""
        known = list(prompts)
        for recipe in self.recipes:
            yield from choice_jobs(folder, recipe, known)

    def begin(self, folder: RunFolder, command: tuple[str, ...], now: float) -> RunFolder:
        """The run folder of the choices. Raises UsageError and FileError."""
        manifest = Manifest(command, now, _VERSIONS, folder.manifest.input, self.choices())
        return RunFolder.begin(self.folder, manifest, folder.input_file)


def choosings(graded: Graded, root: Path) -> list[Choosing]:
    """The choices that there are to make, a bulk run for each run folder."""
    found = []
    for source in dict.fromkeys(graded.folders.values()):
        recipes = tuple(
            recipe
            for name, recipe in graded.recipes.items()
            if graded.folders[name] == source and choice_recipes(recipe)
        )
        if recipes:
            digest = _digest(*(recipe_hash(c) for r in recipes for c in choice_recipes(r).values()))
            with RunFolder.read(source) as folder:
                digest = _digest(digest, folder.manifest.input.sha256)
            found.append(Choosing(source, recipes, root / f"choices-{digest[:_HASH_CHARACTERS]}"))
    return found


# What it takes


@dataclass(frozen=True, slots=True)
class Expected:
    """The calls that are still to be made, and the most that they should cost in US dollars.

    `cost` is None where a price is unknown; `is_local` where all go to servers on this machine.
    """

    calls: int
    cost: float | None
    is_local: bool


def expected_of(
    jobs: Iterable[Job], folder: RunFolder | None, facts: Callable[[Agent], ModelFacts]
) -> Expected:
    """What these jobs should take, without the replies that are there already."""
    calls, cost, is_local = 0, 0.0, True
    is_known = True
    for job in jobs:
        key = RunKey(job.recipe.name, job.prompt.id)
        if folder is not None and (result := folder.result(key)) is not None and result.is_final:
            continue
        reused = {**job.reused, **(folder.calls(key) if folder is not None else {})}
        expected = plan(job.recipe, [{"role": "user", "content": job.prompt.turns[0]}], facts, reused)
        for layer in expected.layers:
            for index, call in enumerate(layer.calls, 1):
                if (layer.number, index) not in {(known.layer, known.index) for known in reused}:
                    calls += call.requests
                    is_local = is_local and call.facts.is_local
                    cost += call.cost or 0.0
                    is_known = is_known and call.cost is not None
    return Expected(calls, cost if is_known else None, is_local and calls > 0)


def paid_for(jobs: Iterable[Job], folder: RunFolder) -> Paid:
    """What the kept calls of these jobs cost."""
    keys = (RunKey(job.recipe.name, job.prompt.id) for job in jobs)
    return paid(reply for key in keys for reply in folder.calls(key).values())


def opened(path: Path) -> RunFolder | None:
    """The run folder at `path`, to read; None where there is none yet. Raises FileError."""
    return RunFolder.read(path) if is_run_folder(path) else None


def grades_root(sources: Iterable[Path], named: Path | None) -> Path:
    """Where gradings are kept: where it is said, else below the first folder, else beside the first file."""
    if named is not None:
        return named
    known = list(sources)
    folder = next((path for path in known if path.is_dir()), None)
    if folder is not None:
        return folder / GRADES
    if not known:
        raise UsageError("give a folder that `moa-tui batch` wrote, or files of outputs")
    return known[0].parent / f"{known[0].stem}-{GRADES}"


def _file_name(name: str) -> str:
    """`name` as part of a file's name; one that had to be changed has a hash, so that no two meet."""
    safe = _NOT_IN_NAMES.sub("-", name)[:_LONGEST_NAME].strip("-.") or "judge"
    return safe if safe == name else f"{safe}-{_digest(name)[:4]}"


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()
