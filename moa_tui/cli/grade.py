"""`moa-tui grade`: answers judged by a recipe, and whether the mixture is worth its price."""

from __future__ import annotations

import os
import shutil
import sys
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from moa_tui.cli import wiring
from moa_tui.cli.group import leave, with_fault_log
from moa_tui.cli.options import (
    bulk_quiet_option,
    concurrency_option,
    dry_run_option,
    json_option,
    judge_option,
    report_option,
    total_cost_option,
    trust_recipes_option,
)
from moa_tui.errors import FileError, UntrustedServerError, UsageError
from moa_tui.text.safe import safe_row, safe_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from moa_tui.chat.backend import Backend
    from moa_tui.engine.recipe import Recipe
    from moa_tui.evaluation.bulk_values import Job
    from moa_tui.evaluation.folder import RunFolder
    from moa_tui.evaluation.grade import Choosing, Expected, Grading
    from moa_tui.evaluation.judging.questions import Candidate
    from moa_tui.evaluation.judging.scores import JudgeRecord
    from moa_tui.evaluation.report import Report
    from moa_tui.gateway.gateway import Gateway

_NARROWEST = 80


@dataclass(frozen=True, slots=True)
class GradeOptions:
    """The options of `grade`, by the names that click gives them."""

    sources: tuple[Path, ...]
    judge: str
    baseline: str | None
    form: str
    questions: Path | None
    folder: Path | None
    out: Path | None
    as_json: bool
    no_members: bool
    concurrency: int | None
    max_cost: float | None
    """In US dollars."""
    dry_run: bool
    trust_recipe: bool
    quiet: bool


@click.command()
@click.argument(
    "sources", metavar="FOLDER|OUTPUTS...", nargs=-1, required=True, type=click.Path(path_type=Path)
)
@judge_option
@click.option("--baseline", metavar="NAME|FILE", help="What answers are compared with.")
@click.option(
    "--form",
    type=click.Choice(["auto", "pairs", "ratings", "skills"]),
    default="auto",
    show_default=True,
    help="Compare two answers; rate each from 1 to 10; or score its skills.",
)
@click.option(
    "--input",
    "questions",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="The prompts, where files of outputs do not have them.",
)
@click.option(
    "-o",
    "--output",
    "folder",
    metavar="FOLDER",
    type=click.Path(path_type=Path),
    help="Where judgements are kept, if not beside what is judged.",
)
@report_option
@json_option
@click.option("--no-members", is_flag=True, help="Judge the recipes alone, not their members.")
@concurrency_option
@total_cost_option
@dry_run_option
@trust_recipes_option
@bulk_quiet_option
@with_fault_log
def grade(**options: Any) -> None:
    """Have the answers of a folder that `batch` wrote judged, or those in files of outputs.

    Said first is whether the mixture beat its best member. Started again it goes on where it was left.
    Exit code: 0 all judged, 1 some verdicts missing or unreadable, 2 wrong usage, 130 interrupted.
    """
    _grade(GradeOptions(**options))


def _grade(options: GradeOptions) -> None:
    from moa_tui.evaluation.grade import choosings

    settings = wiring.settings_in_force()
    gateway = wiring.gateway_of(settings)
    grading = _grading_of(options, wiring.catalog_of(settings, gateway))
    check_out(options.out)
    for note in grading.graded.notes:
        click.echo(safe_row(f"moa-tui: {note}"), err=True)
    choices = choosings(grading.graded, grading.root) if not options.no_members else []
    recipes = [grading.judge, *(recipe for each in choices for recipe in each.choices().values())]
    if options.dry_run:
        _print_plan(grading, choices, recipes, gateway)
        return
    if options.trust_recipe:
        for recipe in recipes:
            gateway.allow_once(recipe)
    with _hint_of_trust():
        for recipe in recipes:
            gateway.check_keys(recipe)
    store = wiring.open_store() if settings.budget.day is not None else None
    with wiring.running_backend(gateway, store, wiring.ledger_of(settings, store)) as backend:
        code = _Run(options, grading, choices, backend).code()
    if store is not None:
        store.close()
    leave(code)


@contextmanager
def _hint_of_trust() -> Iterator[None]:
    """Say in the error how a recipe may send prompts to a server that is not set up, this once."""
    try:
        yield
    except UntrustedServerError as error:
        hint = "\n--trust-recipe lets it, this once." if error.servers else ""
        raise UntrustedServerError(f"{error}{hint}", error.servers) from error


def _grading_of(options: GradeOptions, catalog: Any) -> Grading:
    """What is graded. Raises UsageError and FileError."""
    from moa_tui.evaluation.grade import Grading, grades_root
    from moa_tui.evaluation.graded import check_source, choose_baseline, read_graded
    from moa_tui.evaluation.judging.questions import skills_of

    for path in (*options.sources, *([options.questions] if options.questions is not None else [])):
        check_source(path)
    judge = judge_of(options.judge, catalog)
    graded = read_graded(options.sources, questions=options.questions, with_members=not options.no_members)
    form: Any = options.form
    if form == "auto":
        form = "pairs" if options.baseline is not None else graded.usual_form
    if form != "pairs" and options.baseline is not None:
        raise UsageError("--baseline is for --form pairs: the other forms compare with nothing")
    if form == "skills" and not any(map(skills_of, graded.prompts)):
        raise UsageError("no prompt names skills to score: they stand in a field `metrics` or `skills`")
    baseline = None
    if form == "pairs":
        named = options.baseline
        is_file = named is not None and graded.candidate(named) is None and Path(named).is_file()
        file = Path(named) if named is not None and is_file else None
        baseline = choose_baseline(graded, named if file is None else None, file)
    return Grading(graded, form, judge, baseline, grades_root(options.sources, options.folder))


def judge_of(name: str, catalog: Any) -> Recipe:
    """The judge: a recipe, or one model that is asked at temperature 0. Raises UsageError or FileError."""
    from moa_tui.evaluation.grade import model_judge

    if "/" in name and not catalog.is_known(name) and not name.endswith(".toml"):
        try:
            return model_judge(name)
        except ValueError as error:
            raise UsageError(f"{name!r} cannot name a model: {error}") from error
    try:
        recipe: Recipe = catalog.load(name)
    except UsageError as error:
        raise UsageError(f"{error} A model is named with its provider, as in openai/gpt-5.") from error
    return recipe


def check_out(out: Path | None) -> None:
    """Raise UsageError, before anything is paid, where the report could not be written."""
    if out is None:
        return
    if out.suffix.lower() not in (".html", ".htm", ".json"):
        raise UsageError(f"--out {out}: the report is an .html page or .json; name a file that ends so")
    if not out.parent.is_dir():
        raise UsageError(f"--out {out}: there is no folder {out.parent}")
    if out.is_dir():
        raise UsageError(f"--out {out}: that is a folder; name a file")
    if not os.access(out.parent, os.W_OK):
        raise UsageError(f"--out {out}: nothing may be written in {out.parent}")


class _Run:
    """The runs of one grading: first the choices among members' answers, then the judge."""

    def __init__(
        self, options: GradeOptions, grading: Grading, choices: Sequence[Choosing], backend: Backend
    ) -> None:
        self._options = options
        self._grading = grading
        self._choices = choices
        self._backend = backend
        self._command = ("moa-tui", *sys.argv[1:])
        self._paid: float | None = 0.0
        """What all calls have cost so far, in US dollars; None where a price is unknown."""
        self._known_cost = 0.0
        self._interrupted: int | None = None
        self._stopped_by: str | None = None

    def code(self) -> int:
        """Judge what is not judged yet, write the report, and return the exit code."""
        from moa_tui.evaluation.grade import begin_judge_folder, judge_jobs, keep_scores, scores_of
        from moa_tui.evaluation.grade_figures import GradeFigures
        from moa_tui.evaluation.grade_report import grade_report

        grading = self._grading
        candidates = [*grading.graded.candidates, *self._chosen()]
        with begin_judge_folder(grading, candidates, self._command, time.time()) as folder:
            if self._stopped_by is None:
                total = sum(1 for _ in grading.questions(candidates))
                self._answer(folder, partial(judge_jobs, grading, candidates), total, "questions")
            if not self._options.quiet:
                click.echo("working out the figures", err=True)
            keep_scores(grading, candidates, folder)
            scores = scores_of(grading, candidates, folder)
            figures = GradeFigures(grading, candidates, scores, self._unsettled(), self._paid)
        write_report(grade_report(figures), self._options.out, as_json=self._options.as_json)
        return self._code(figures.record)

    def _chosen(self) -> Iterator[Candidate]:
        """The answers that a vote and a ranker choose, made where they are not there yet."""
        from moa_tui.evaluation.choices import choice_candidates
        from moa_tui.evaluation.folder import RunFolder

        for choosing in self._choices:
            with ExitStack() as stack:
                source = stack.enter_context(RunFolder.read(choosing.source))
                folder = stack.enter_context(choosing.begin(source, self._command, time.time()))
                jobs = partial(choosing.jobs, source, self._grading.graded.prompts)
                if self._stopped_by is None:
                    self._answer(folder, jobs, sum(1 for _ in jobs()), "choices")
                for recipe in choosing.recipes:
                    yield from choice_candidates(source, folder, recipe, self._grading.graded.prompts)

    def _answer(self, folder: RunFolder, jobs: Callable[[], Iterable[Job]], total: int, what: str) -> None:
        """Make a bulk run, and count what all of its calls cost."""
        from moa_tui.cli.bulk_view import watch
        from moa_tui.evaluation.bulk import BulkRun
        from moa_tui.evaluation.bulk_values import BulkOptions
        from moa_tui.evaluation.grade import paid_for

        options = self._options
        before = self._known_cost + paid_for(jobs(), folder).known_cost
        bulk = BulkRun(
            self._backend,
            folder,
            jobs,
            total,
            BulkOptions(options.concurrency, "prompt", options.max_cost, before),
        )
        with _hint_of_trust():
            self._interrupted = watch(bulk, what, sys.stderr, quiet=options.quiet)
        self._stopped_by = bulk.progress().stopped_by
        together = paid_for(jobs(), folder)
        self._known_cost += together.known_cost
        self._paid = None if self._paid is None or together.cost is None else self._paid + together.cost

    def _unsettled(self) -> dict[str, int]:
        """On how many prompts no vote could be counted, by the name of the mixture."""
        from moa_tui.evaluation.choices import choice_recipes, unsettled_votes

        graded = self._grading.graded
        prompts = {prompt.id: prompt for prompt in graded.prompts}
        members = [candidate for candidate in graded.candidates if candidate.kind == "member"]
        return {
            name: unsettled_votes([each for each in members if each.recipe == name], prompts)
            for name, recipe in graded.recipes.items()
            if not self._options.no_members and "vote" in choice_recipes(recipe)
        }

    def _code(self, record: JudgeRecord) -> int:
        """The exit code, with what is missing said on stderr."""
        judge = self._grading.judge.name
        click.echo(safe_row(f"verdicts: {self._grading.folder}"), err=True)
        if record.unreadable:
            click.echo(
                safe_row(
                    f"moa-tui: {record.unreadable} verdicts of {judge} cannot be read, and were not guessed"
                ),
                err=True,
            )
        for why, number in record.failures.items():
            click.echo(safe_row(f"moa-tui: {number} questions to {judge} {why}"), err=True)
        if record.not_reached:
            why = f": {self._stopped_by}" if self._stopped_by is not None else ""
            click.echo(
                safe_row(
                    f"moa-tui: {record.not_reached} not judged yet{why}; the same command goes on from here"
                ),
                err=True,
            )
        if self._interrupted is not None:
            return self._interrupted
        return 0 if record.is_whole and record.judged else 1


def write_report(report: Report, out: Path | None, *, as_json: bool) -> None:
    """Print the report, and write it to a file where one is named. Raises FileError."""
    from moa_tui.evaluation.report import report_json
    from moa_tui.evaluation.report_page import report_html
    from moa_tui.evaluation.report_text import report_lines
    from moa_tui.settings.paths import disk_words, write_private

    if as_json:
        click.echo(report_json(report))
    else:
        width = shutil.get_terminal_size((_NARROWEST, 24)).columns if sys.stdout.isatty() else 100
        click.echo(safe_text(report_lines(report, width)))
    if out is not None:
        is_json = out.suffix.lower() == ".json"
        try:
            write_private(out, report_json(report) if is_json else report_html(report))
        except OSError as error:
            raise FileError(
                f"{out} cannot be written: {disk_words(error)}. All verdicts are kept; the same "
                "command writes it without paying again"
            ) from error
        click.echo(safe_row(f"report: {out}"), err=True)


def _print_plan(
    grading: Grading, choices: Sequence[Choosing], recipes: Iterable[Recipe], gateway: Gateway
) -> None:
    """Print the calls that would be made, and the most that they should cost."""
    from moa_tui.evaluation.folder import RunFolder
    from moa_tui.evaluation.grade import expected_of, judge_jobs, opened
    from moa_tui.text.wording import counted

    for choosing in choices:
        with RunFolder.read(choosing.source) as source:
            jobs: Iterable[Job] = choosing.jobs(source, grading.graded.prompts)
            expected = expected_of(jobs, opened(choosing.folder), gateway.facts)
        click.echo(safe_row(f"vote and ranker among members' answers: {expected_words(expected)}"))
    # What a vote or a ranker chooses is an answer of a member, word for word, about which the judge is asked
    # anyway.
    expected = expected_of(
        judge_jobs(grading, grading.graded.candidates), opened(grading.folder), gateway.facts
    )
    baseline = grading.baseline
    judged = [each for each in grading.graded.candidates if baseline is None or each.name != baseline.name]
    names = counted(len(judged), "candidate")
    against = f" against {baseline.name}" if baseline is not None else ""
    click.echo(safe_row(f"{grading.judge.name} judges {names}{against}: {expected_words(expected)}"))
    known = list(recipes)
    places = [place for recipe in known for place in gateway.destinations(recipe)]
    for words in dict.fromkeys(place.words for place in places if not place.is_own_address):
        click.echo(safe_text(f"to {words}"))
    agents = [agent for recipe in known for agent in recipe.every_agent()]
    for variable, models in gateway.missing_keys(agents).items():
        click.echo(safe_row(f"{variable} is not set; needed by {', '.join(dict.fromkeys(models))}"))


def expected_words(expected: Expected) -> str:
    from moa_tui.text.wording import counted, money

    if not expected.calls:
        return "no call to make"
    if expected.is_local:
        price = "local, which costs nothing"
    elif expected.cost is None:
        price = "a price is unknown"
    elif not expected.cost:
        price = "which costs nothing"
    else:
        price = f"at most about {money(expected.cost)}"
    return f"{counted(expected.calls, 'call')} at most, {price}"
