"""`moa-tui batch`: many prompts through recipes, into a folder that can be gone on with."""

from __future__ import annotations

import sys
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import click

from moa_tui import __version__
from moa_tui.cli import wiring
from moa_tui.cli.completion import recipe_names
from moa_tui.cli.group import CommandWithOthers, leave, with_fault_log
from moa_tui.cli.options import (
    bulk_folder_option,
    bulk_quiet_option,
    column_option,
    concurrency_option,
    dry_run_option,
    format_option,
    limit_option,
    schedule_option,
    skip_bad_option,
    total_cost_option,
    trust_recipes_option,
)
from moa_tui.errors import UntrustedServerError, UsageError
from moa_tui.text.safe import safe_row, safe_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from moa_tui.engine.recipe import Recipe
    from moa_tui.evaluation.benchmarks import BulkInput
    from moa_tui.evaluation.bulk import BulkRun
    from moa_tui.evaluation.bulk_values import Job
    from moa_tui.evaluation.folder import RunFolder
    from moa_tui.evaluation.outputs import RecipeFigures
    from moa_tui.evaluation.ray_runs import RayRun
    from moa_tui.evaluation.shards import Shard
    from moa_tui.gateway.gateway import Gateway


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
    shard: str | None
    ray: str | None
    dry_run: bool
    trust_recipe: bool
    quiet: bool


@click.command(cls=CommandWithOthers)
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
@bulk_folder_option
@format_option
@column_option
@limit_option
@concurrency_option
@schedule_option
@total_cost_option
@skip_bad_option
@click.option("--shard", metavar="I/N", help="Only the I-th of N shares; `batch merge` joins them.")
@click.option(
    "--ray",
    metavar="auto|HOST:PORT",
    help="Answer on the machines of a Ray cluster: this machine's, or that one.",
)
@dry_run_option
@trust_recipes_option
@bulk_quiet_option
@with_fault_log
def batch(**options: Any) -> None:
    """Answer all prompts of a file, each with every recipe given, and keep all calls in a folder.

    Started again with the same arguments it goes on where it was left. Exit code: 0 all answered, 1 some
    failed or were not reached, 2 wrong usage, 130 interrupted.
    """
    _batch(BatchOptions(**options))


@batch.command()
@click.argument("folders", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    "folder",
    required=True,
    metavar="FOLDER",
    type=click.Path(path_type=Path),
    help="Where all of them are put together.",
)
@click.option("--partial", is_flag=True, help="Merge what there is, though shards or prompts are missing.")
@with_fault_log
def merge(folders: tuple[Path, ...], folder: Path, partial: bool) -> None:
    """Put the folders of all shards together, as if one batch had answered all prompts.

    Exit code: 0 all answered, 1 some failed or are missing, 2 the folders do not belong together.
    """
    from moa_tui.evaluation import shards
    from moa_tui.evaluation.outputs import write_all

    merged = shards.merge(folders, folder, ("moa-tui", *sys.argv[1:]), partial=partial)
    with merged.folder:
        figures = write_all(merged.folder, merged.prompts)
        for line in (*(f"missing: {each}" for each in merged.missing), *_end_lines(merged.folder, figures)):
            click.echo(safe_row(line), err=True)
    leave(1 if merged.missing or any(each.missing or each.failures for each in figures) else 0)


def _batch(options: BatchOptions) -> None:
    from moa_tui.cli import streams
    from moa_tui.evaluation import ray_cluster, ray_runs
    from moa_tui.evaluation.benchmarks import open_input
    from moa_tui.evaluation.bulk import BulkRun
    from moa_tui.evaluation.bulk_values import BulkOptions
    from moa_tui.evaluation.outputs import input_of
    from moa_tui.evaluation.parcels import Servers
    from moa_tui.evaluation.shards import shard_from

    _refuse_contrary(options)
    shard = None if options.shard is None else shard_from(options.shard)
    err = streams.best_effort(sys.stderr)
    settings = wiring.settings_in_force()
    gateway = wiring.gateway_of(settings)
    recipes = _recipes_of(options, wiring.catalog_of(settings, gateway), err)
    prompts = open_input(
        options.input, options.format, column=options.column, skip_bad=options.skip_bad, limit=options.limit
    )
    for problem in prompts.problems:
        err.write(f"moa-tui: {safe_row(problem)}\n")
    if shard is not None:
        prompts = prompts.share(shard.number, shard.total)
    if options.dry_run:
        _print_plan(prompts, recipes, gateway)
        return
    if options.trust_recipe:
        for recipe in recipes:
            gateway.allow_once(recipe)
    with ExitStack() as stack:
        cluster, servers = None, Servers(settings.endpoints, {})
        if options.ray is not None:
            # The keys are the workers' own.
            servers = Servers(settings.endpoints, _confirmed(recipes, gateway))
            cluster = stack.enter_context(ray_cluster.connect(options.ray))
        else:
            _check_recipes(recipes, gateway)
        folder = stack.enter_context(_folder_of(options, prompts, recipes, shard))
        # The file may be changed while its prompts are answered; the folder's copy of it stays.
        prompts = input_of(folder)
        if shard is not None:
            prompts = prompts.share(shard.number, shard.total)
        store = wiring.open_store() if settings.budget.day is not None else None
        if store is not None:
            stack.callback(store.close)
        backend = stack.enter_context(
            wiring.running_backend(gateway, store, wiring.ledger_of(settings, store))
        )

        def jobs() -> Iterator[Job]:
            return jobs_of(prompts, recipes)

        total = prompts.count * len(recipes)
        bulk_options = BulkOptions(
            options.concurrency,
            "model" if options.schedule == "model" else "prompt",
            options.max_cost,
            folder.paid() if options.max_cost is not None else 0.0,
        )
        bulk: BulkRun | RayRun
        if cluster is None:
            bulk = BulkRun(backend, folder, jobs, total, bulk_options)
        else:
            bulk = ray_runs.RayRun(cluster, backend, servers, folder, jobs, total, bulk_options)
        code = _run(bulk, options, folder, prompts, err)
    leave(code)


def _refuse_contrary(options: BatchOptions) -> None:
    if options.ray is not None and options.schedule == "model":
        raise UsageError(
            "--schedule model asks one model at a time, and the workers of --ray do not wait for each other: "
            "leave one of the two out"
        )


def _confirmed(recipes: Sequence[Recipe], gateway: Gateway) -> dict[str, str]:
    """The servers that were confirmed, in words by their marks. Raises UntrustedServerError."""
    with _hinted():
        return {mark: words for recipe in recipes for mark, words in gateway.check_places(recipe).items()}


def _check_recipes(recipes: Sequence[Recipe], gateway: Gateway) -> None:
    """Raise what keeps these recipes from being run, before anything is written or asked."""
    with _hinted():
        for recipe in recipes:
            gateway.check_keys(recipe)


@contextmanager
def _hinted() -> Iterator[None]:
    """Add to an error about servers by which option they may be asked."""
    try:
        yield
    except UntrustedServerError as error:
        hint = "\n--trust-recipe lets it, this once." if error.servers else ""
        raise UntrustedServerError(f"{error}{hint}", error.servers) from error


def _run(
    bulk: BulkRun | RayRun, options: BatchOptions, folder: RunFolder, prompts: BulkInput, err: TextIO
) -> int:
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
    from moa_tui.evaluation.bulk_values import Job

    return (Job(recipe, prompt) for prompt in prompts for recipe in recipes)


def _recipes_of(options: BatchOptions, catalog: Any, err: TextIO) -> list[Recipe]:
    """The recipes that are named, else the one that can run here. Raises UsageError."""
    from moa_tui.evaluation.benchmarks import output_name

    if not options.recipe_names:
        recipe, reason = catalog.first(None)
        if reason:
            err.write(safe_row(f"moa-tui: recipe {recipe.name}: {reason}") + "\n")
        return [recipe]
    recipes = [catalog.load(name) for name in dict.fromkeys(options.recipe_names)]
    names = [recipe.name for recipe in recipes]
    if double := sorted({name for name in names if names.count(name) > 1}):
        raise UsageError(f"two of the recipes are called {double[0]}: give one of them another name")
    files: dict[str, str] = {}
    for name in names:
        # Some disks take two names that differ in their case alone for one.
        other = files.setdefault(output_name("jsonl", name).casefold(), name)
        if other != name:
            raise UsageError(
                f'the answers of "{other}" and of "{name}" would have one file: give one of the recipes '
                "another name"
            )
    return recipes


def _folder_of(
    options: BatchOptions, prompts: BulkInput, recipes: Sequence[Recipe], shard: Shard | None
) -> RunFolder:
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
        versions(),
        facts,
        {recipe.name: recipe for recipe in recipes},
        None if shard is None else str(shard),
        options.limit,
    )
    return RunFolder.begin(options.folder, manifest, prompts.path)


def versions() -> dict[str, str]:
    """The versions that a run folder's manifest names."""
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
