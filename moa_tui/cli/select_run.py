"""The runs of `moa-tui select`: the trials in each role and the judge, and what is proposed at their end."""

from __future__ import annotations

import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from moa_tui.cli.grade import write_report
from moa_tui.errors import UntrustedServerError, UsageError
from moa_tui.text.safe import safe_row

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from moa_tui.chat.backend import Backend
    from moa_tui.evaluation.benchmarks import BulkInput
    from moa_tui.evaluation.bulk_values import Job
    from moa_tui.evaluation.folder import RunFolder
    from moa_tui.evaluation.judging.questions import Candidate
    from moa_tui.evaluation.select import SelectFigures, Selection
    from moa_tui.evaluation.select_choice import Choice
    from moa_tui.evaluation.select_trials import Answers, Role
    from moa_tui.recipes.catalog import RecipeCatalog

_RECIPE_FILE = "recipe.toml"
_RECIPE_NAME = "selected"


@dataclass(frozen=True, slots=True)
class SelectOptions:
    """The options of `select`, by the names that click gives them. Prices are in US dollars."""

    input: Path
    models: tuple[str, ...]
    recipe_names: tuple[str, ...]
    judge: str
    folder: Path | None
    aggregator: str | None
    baseline: str | None
    weight: float
    calls: int | None
    price: float | None
    temperature: float
    max_tokens: int
    reuse: tuple[Path, ...]
    write: str | None
    replace: bool
    format: str
    column: str | None
    limit: int | None
    concurrency: int | None
    schedule: str
    max_cost: float | None
    skip_bad: bool
    out: Path | None
    as_json: bool
    dry_run: bool
    trust_recipe: bool
    quiet: bool


def tell(words: str) -> None:
    """Say something on standard error."""
    click.echo(safe_row(f"moa-tui: {words}"), err=True)


def written_path(name: str) -> Path | None:
    """The file that --write names; None where it names a recipe."""
    return Path(name).expanduser() if name.endswith(".toml") else None


def answers_of(
    options: SelectOptions, selection: Selection, alone: RunFolder | None, stack: ExitStack
) -> Answers:
    """The answers that are there. Raises UsageError and FileError."""
    from moa_tui.evaluation.folder import RunFolder, is_run_folder
    from moa_tui.evaluation.select_trials import Answers, reusable_folders

    paths = reusable_folders(options.reuse)
    if options.folder is not None and options.folder.is_dir():
        # What was answered in this folder before candidates were added.
        paths += filter(is_run_folder, sorted(options.folder.glob("alone-*")))
    own = selection.folder("alone")
    others = [stack.enter_context(RunFolder.read(path)) for path in dict.fromkeys(paths) if path != own]
    return Answers(selection.trials.contenders, alone, others)


class SelectionRun:
    """The runs of one selection: the trials in each role, and then the judge."""

    def __init__(
        self,
        options: SelectOptions,
        selection: Selection,
        prompts: BulkInput,
        backend: Backend,
        catalog: RecipeCatalog,
    ) -> None:
        self._options = options
        self._selection = selection
        self._prompts = prompts
        self._backend = backend
        self._catalog = catalog
        self._command = ("moa-tui", *sys.argv[1:])
        self._paid = 0.0
        self._interrupted: int | None = None
        self._stopped_by: str | None = None
        self._missing = 0
        """The answers that candidates did not give."""

    def code(self) -> int:
        """Make what is not made yet, propose a recipe, and return the exit code."""
        from moa_tui.evaluation.select import SelectFigures
        from moa_tui.evaluation.select_choice import choose

        candidates = self._candidates()
        if candidates is None:
            return self._left_undone()
        scores = self._scores(candidates)
        if scores is None:
            return self._left_undone()
        figures = SelectFigures(self._selection, candidates, scores, self._backend.gateway.facts)
        for why, number in figures.record.failures.items():
            tell(f"{number} questions to {self._selection.judge.name} {why}")
        if (undecided := figures.undecided) is not None:
            tell(f"no recipe is proposed: {undecided}")
            tell("answers and verdicts are kept; the same command asks again what failed")
            return 1
        try:
            choice = choose(figures.options(), figures.criteria())
        except UsageError as error:
            raise UsageError(f"{error}. Every answer is kept: another budget asks nobody again") from error
        self._propose(figures, choice)
        return 0 if figures.record.is_whole and not self._missing else 1

    def _candidates(self) -> Mapping[Role, list[Candidate]] | None:
        """The answers in each role, made where they are not there yet; None where that was stopped."""
        from moa_tui.evaluation.select_trials import ROLES, candidates_of, unanswered

        selection, trials = self._selection, self._selection.trials
        made: dict[Role, list[Candidate]] = {}
        with ExitStack() as stack:
            alone = stack.enter_context(self._begin("alone"))
            answers = answers_of(self._options, selection, alone, stack)
            for role in ROLES:
                with ExitStack() as inner:
                    folder = alone if role == "alone" else inner.enter_context(self._begin(role))

                    def jobs(role: Role = role) -> Iterator[Job]:
                        return trials.jobs(role, answers)

                    self._answer(folder, jobs, "answers" if role == "alone" else f"answers {role}")
                    if self._stopped_by is not None:
                        return None
                    made[role] = candidates_of(trials, role, folder, answers)
                    for name, why in unanswered(trials, role, folder, answers):
                        self._missing += 1
                        tell(f"{name}{'' if role == 'alone' else f' {role}'} gave no answer: {why}")
        return made

    def _begin(self, role: Role) -> RunFolder:
        """The run folder of a role. Raises UsageError and FileError."""
        from moa_tui.cli.batch import versions
        from moa_tui.evaluation.folder import RunFolder
        from moa_tui.evaluation.manifest import InputFacts, Manifest

        prompts, options = self._prompts, self._options
        facts = InputFacts(
            prompts.path.name, prompts.format, prompts.sha256, prompts.count, options.column, options.skip_bad
        )
        recipes = {recipe.name: recipe for recipe in self._selection.trials.recipes[role].values()}
        manifest = Manifest(self._command, time.time(), versions(), facts, recipes, None, options.limit)
        return RunFolder.begin(self._selection.folder(role), manifest, prompts.path)

    def _scores(self, candidates: Mapping[Role, list[Candidate]]) -> list[Any] | None:
        """The judge's scores of all answers; None where the judge was stopped."""
        from moa_tui.evaluation.grade import begin_judge_folder, judge_jobs, keep_scores, scores_of

        grading = self._selection.grading(candidates)
        everybody = grading.graded.candidates
        with begin_judge_folder(grading, everybody, self._command, time.time()) as folder:
            self._answer(folder, lambda: judge_jobs(grading, everybody), "questions")
            keep_scores(grading, everybody, folder)
            return None if self._stopped_by is not None else scores_of(grading, everybody, folder)

    def _answer(self, folder: RunFolder, jobs: Callable[[], Iterable[Job]], what: str) -> None:
        """Make a bulk run, and count what all of its calls cost."""
        from moa_tui.cli.bulk_view import watch
        from moa_tui.evaluation.bulk import BulkRun
        from moa_tui.evaluation.bulk_values import BulkOptions
        from moa_tui.evaluation.grade import paid_for

        options = self._options
        bulk = BulkRun(
            self._backend,
            folder,
            jobs,
            sum(1 for _ in jobs()),
            BulkOptions(
                options.concurrency,
                "model" if options.schedule == "model" else "prompt",
                options.max_cost,
                self._paid + paid_for(jobs(), folder).known_cost,
            ),
        )
        try:
            self._interrupted = watch(bulk, what, sys.stderr, quiet=options.quiet)
        except UntrustedServerError as error:
            hint = "\n--trust-recipe lets it, this once." if error.servers else ""
            raise UntrustedServerError(f"{error}{hint}", error.servers) from error
        self._stopped_by = bulk.progress().stopped_by
        self._paid += paid_for(jobs(), folder).known_cost

    def _left_undone(self) -> int:
        tell(f"no recipe is proposed yet: {self._stopped_by}; the same command goes on from here")
        return 1 if self._interrupted is None else self._interrupted

    def _propose(self, figures: SelectFigures, choice: Choice) -> None:
        """Write the recipe, and print the report. Raises UsageError and FileError."""
        from moa_tui.evaluation.select import recipe_of
        from moa_tui.evaluation.select_report import select_report
        from moa_tui.text.wording import money

        options, root = self._options, self._selection.root
        path = None if options.write is None else written_path(options.write)
        name = options.write if options.write is not None else _RECIPE_NAME
        recipe = recipe_of(self._selection, choice, path.stem if path else name, self._prompts.path.name)
        written = self._catalog.save_at(root / _RECIPE_FILE, recipe, replace=True)
        if path is not None:
            written = self._catalog.save_at(path, recipe, replace=options.replace)
        elif options.write is not None:
            written = self._catalog.save(name, recipe, replace=options.replace)
        write_report(select_report(figures, choice), options.out, as_json=options.as_json)
        if self._paid:
            click.echo(f"all answers and verdicts together: {money(self._paid)}", err=True)
        click.echo(safe_row(f"recipe: {written}"), err=True)
        named = options.write if options.write is not None and path is None else str(written)
        click.echo(safe_row(f"to try it: moa-tui batch {options.input} -r {named} -o FOLDER"), err=True)
