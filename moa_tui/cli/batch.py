"""`moa-tui batch`: many prompts through recipes, into a folder that can be gone on with."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import click

from moa_tui import __version__
from moa_tui.cli import wiring
from moa_tui.cli.completion import recipe_names
from moa_tui.cli.group import leave, with_fault_log
from moa_tui.errors import FileError, UntrustedServerError, UsageError
from moa_tui.text.safe import safe_row, safe_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from moa_tui.engine.recipe import Recipe
    from moa_tui.evaluation.benchmarks import BulkInput
    from moa_tui.evaluation.bulk import BulkRun, Job
    from moa_tui.evaluation.folder import RunFolder
    from moa_tui.evaluation.outputs import RecipeFigures
    from moa_tui.gateway.gateway import Gateway

FORMATS = ("auto", "alpaca-eval", "mt-bench", "flask", "arena-hard", "jsonl", "csv")


@dataclass(frozen=True, slots=True)
class BatchOptions:
    """The options of `batch`, by the names that click gives them."""

    input: Path
    recipe_names: tuple[str, ...]
    folder: Path | None
    format: str
    column: str | None
    limit: int | None
    concurrency: int | None
    schedule: str
    max_cost: float | None
    """In US dollars."""
    skip_bad: bool
    dry_run: bool
    trust_recipe: bool
    quiet: bool


@click.command()
@click.argument("input", metavar="INPUT", type=click.Path(path_type=Path))
@click.option(
    "-r",
    "--recipe",
    "recipe_names",
    multiple=True,
    metavar="RECIPE",
    shell_complete=recipe_names,
    help="A recipe's name, or a path to one; may be given again.",
)
@click.option(
    "-o",
    "--output",
    "folder",
    metavar="FOLDER",
    type=click.Path(path_type=Path),
    help="Where everything is kept; the same command goes on with it.",
)
@click.option(
    "--format", type=click.Choice(FORMATS), default="auto", show_default=True, help="What the input is."
)
@click.option("--column", metavar="NAME", help="The column of the prompts, in JSONL and CSV.")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Only the first N prompts.")
@click.option(
    "--concurrency", type=click.IntRange(min=1), metavar="N", help="The most calls at once to a server."
)
@click.option(
    "--schedule",
    type=click.Choice(["prompt", "model"]),
    default="prompt",
    show_default=True,
    help="Prompt by prompt; or model by model, for a server that loads one at a time.",
)
@click.option(
    "--max-cost",
    type=click.FloatRange(min=0, min_open=True),
    metavar="USD",
    help="Begin no call that would pass this price, all prompts together.",
)
@click.option("--skip-bad", is_flag=True, help="Leave out rows that cannot be used, and say which.")
@click.option("--dry-run", is_flag=True, help="Print the calls and their price, and make none.")
@click.option(
    "--trust-recipe", is_flag=True, help="Let these recipes send prompts to the servers they name, this once."
)
@click.option("-q", "--quiet", is_flag=True, help="No progress on stderr.")
@with_fault_log
def batch(**options: Any) -> None:
    """Answer all prompts of a file, each with every recipe given, and keep all calls in a folder.

    Started again with the same arguments it goes on where it was left. Exit code: 0 all answered, 1 some
    failed or were not reached, 2 wrong usage, 130 interrupted.
    """
    _batch(BatchOptions(**options))


def _batch(options: BatchOptions) -> None:
    from moa_tui.cli import streams
    from moa_tui.evaluation.benchmarks import open_input
    from moa_tui.evaluation.bulk import BulkOptions, BulkRun

    err = streams.best_effort(sys.stderr)
    settings = wiring.settings_in_force()
    gateway = wiring.gateway_of(settings)
    recipes = _recipes_of(options, wiring.catalog_of(settings, gateway), err)
    prompts = open_input(
        options.input, options.format, column=options.column, skip_bad=options.skip_bad, limit=options.limit
    )
    for problem in prompts.problems:
        err.write(f"moa-tui: left out: {safe_row(problem)}\n")
    if options.dry_run:
        _print_plan(prompts, recipes, gateway)
        return
    if options.trust_recipe:
        for recipe in recipes:
            gateway.allow_once(recipe)
    _check_recipes(recipes, gateway)
    with _folder_of(options, prompts, recipes) as folder:
        prompts = _kept_prompts(folder, prompts, options)
        store = wiring.open_store() if settings.budget.day is not None else None
        with wiring.running_backend(gateway, store, wiring.ledger_of(settings, store)) as backend:

            def jobs() -> Iterator[Job]:
                return jobs_of(prompts, recipes)

            bulk_options = BulkOptions(
                options.concurrency,
                "model" if options.schedule == "model" else "prompt",
                options.max_cost,
                paid_so_far(folder, prompts) if options.max_cost is not None else 0.0,
            )
            bulk = BulkRun(backend, folder, jobs, prompts.count * len(recipes), bulk_options)
            code = _run(bulk, options, folder, prompts, err)
        if store is not None:
            store.close()
    leave(code)


def _check_recipes(recipes: Sequence[Recipe], gateway: Gateway) -> None:
    """Raise what keeps these recipes from being run, before anything is written or asked."""
    try:
        for recipe in recipes:
            gateway.check_keys(recipe)
    except UntrustedServerError as error:
        hint = "\n--trust-recipe lets it, this once." if error.servers else ""
        raise UntrustedServerError(f"{error}{hint}", error.servers) from error


def _run(bulk: BulkRun, options: BatchOptions, folder: RunFolder, prompts: BulkInput, err: TextIO) -> int:
    """Answer what is not answered yet, and write the outputs; the exit code."""
    from moa_tui.cli.bulk_view import watch
    from moa_tui.evaluation.outputs import write_all

    interrupted = watch(bulk, "prompts", err, quiet=options.quiet)
    figures = write_all(folder, prompts)
    for line in _end_lines(folder, figures):
        err.write(f"{line}\n")
    stopped_by = bulk.progress().stopped_by
    missing = sum(each.missing for each in figures)
    if missing:
        why = f": {safe_row(stopped_by)}" if stopped_by is not None else ""
        err.write(f"moa-tui: {missing} not reached{why}; the same command goes on from here\n")
    if interrupted is not None:
        return interrupted
    return 1 if missing or any(each.failures for each in figures) else 0


def jobs_of(prompts: BulkInput, recipes: Sequence[Recipe]) -> Iterator[Job]:
    """Each prompt with each recipe, prompt by prompt."""
    from moa_tui.evaluation.bulk import Job

    return (Job(recipe, prompt) for prompt in prompts for recipe in recipes)


def paid_so_far(folder: RunFolder, prompts: BulkInput) -> float:
    """What the calls in the folder cost, in US dollars, unknown prices left out."""
    from moa_tui.engine.values import paid
    from moa_tui.evaluation.values import RunKey

    keys = (
        RunKey(recipe, prompt.id, turn)
        for prompt in prompts
        for recipe in folder.manifest.recipes
        for turn in range(1, len(prompt.turns) + 1)
    )
    return sum(paid(folder.calls(key).values()).known_cost for key in keys)


def _recipes_of(options: BatchOptions, catalog: Any, err: TextIO) -> list[Recipe]:
    """The recipes that are named, else the one that can run here. Raises UsageError."""
    if not options.recipe_names:
        recipe, reason = catalog.first(None)
        if reason:
            err.write(safe_row(f"moa-tui: recipe {recipe.name}: {reason}") + "\n")
        return [recipe]
    recipes = [catalog.load(name) for name in dict.fromkeys(options.recipe_names)]
    names = [recipe.name for recipe in recipes]
    if double := sorted({name for name in names if names.count(name) > 1}):
        raise UsageError(f"two of the recipes are called {double[0]}: give one of them another name")
    return recipes


def _folder_of(options: BatchOptions, prompts: BulkInput, recipes: Sequence[Recipe]) -> RunFolder:
    from moa_tui.evaluation.folder import RunFolder
    from moa_tui.evaluation.manifest import InputFacts, Manifest

    if options.folder is None:
        raise UsageError("name the folder for the answers: -o FOLDER")
    facts = InputFacts(
        prompts.path.name, prompts.format, prompts.sha256, prompts.count, options.column, options.skip_bad
    )
    manifest = Manifest(
        ("moa-tui", *sys.argv[1:]),
        time.time(),
        _versions(),
        facts,
        {recipe.name: recipe for recipe in recipes},
        None,
        options.limit,
    )
    return RunFolder.begin(options.folder, manifest, prompts.path)


def _kept_prompts(folder: RunFolder, prompts: BulkInput, options: BatchOptions) -> BulkInput:
    """The same prompts, read from the folder, whatever becomes of the file while it is at work."""
    from moa_tui.evaluation.benchmarks import open_input

    kept = open_input(
        folder.input_file,
        prompts.format,
        column=options.column,
        skip_bad=options.skip_bad,
        limit=options.limit,
    )
    if kept.sha256 != folder.manifest.input.sha256:
        raise FileError(
            f"{kept.path} is not the input that {folder.path} was begun with: {prompts.path} or the copy was "
            "changed. Put the copy right, or name another folder with -o"
        )
    return kept


def _versions() -> dict[str, str]:
    import platform
    from importlib.metadata import version

    return {"moa-tui": __version__, "litellm": version("litellm"), "python": platform.python_version()}


def _print_plan(prompts: BulkInput, recipes: Sequence[Recipe], gateway: Gateway) -> None:
    from moa_tui.evaluation.forecast import forecast

    for recipe in recipes:
        click.echo(safe_row(forecast(prompts, recipe, gateway.facts).words))
        for place in gateway.destinations(recipe):
            if not place.is_own_address:
                click.echo(safe_text(f"to {place.words}"))
        for variable, models in gateway.missing_keys(recipe.every_agent()).items():
            click.echo(safe_row(f"{variable} is not set; needed by {', '.join(models)}"))


def _end_lines(folder: RunFolder, figures: Sequence[RecipeFigures]) -> Iterator[str]:
    """What was reached, a line a recipe."""
    from moa_tui.evaluation.outputs import OUTPUTS
    from moa_tui.text.wording import counted, money

    for each in figures:
        words = [
            f"{counted(each.answered, 'prompt')} answered",
            counted(each.calls, "call"),
            money(each.cost),
        ]
        if each.failures:
            kinds = ", ".join(f"{number} {kind}" for kind, number in sorted(each.failures.items()))
            words.insert(1, f"{each.failures.total()} failed ({kinds})")
        yield safe_row(f"{each.recipe}: {', '.join(words)}")
    yield safe_row(f"answers: {folder.path / OUTPUTS}")
