"""`moa-tui select`: which models should propose and which should aggregate, tried on one's own prompts."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from moa_tui.cli import wiring
from moa_tui.cli.completion import model_names, recipe_names
from moa_tui.cli.grade import check_out, expected_words, judge_of
from moa_tui.cli.group import leave, with_fault_log
from moa_tui.cli.options import (
    Dollars,
    bulk_folder_option,
    bulk_quiet_option,
    column_option,
    concurrency_option,
    dry_run_option,
    format_option,
    json_option,
    judge_option,
    limit_option,
    report_option,
    schedule_option,
    skip_bad_option,
    total_cost_option,
    trust_recipes_option,
)
from moa_tui.cli.select_run import SelectionRun, SelectOptions, answers_of, tell, written_path
from moa_tui.errors import UsageError
from moa_tui.text.safe import safe_row, safe_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from moa_tui.engine.recipe import Recipe
    from moa_tui.evaluation.benchmarks import BulkInput
    from moa_tui.evaluation.select import Selection
    from moa_tui.evaluation.select_trials import Contender
    from moa_tui.gateway.gateway import Gateway
    from moa_tui.recipes.catalog import RecipeCatalog

_TEMPERATURE, _MAX_TOKENS = 0.7, 2048  # Those of the built-in recipes, and of the paper.


@click.command()
@click.argument("input", metavar="INPUT", type=click.Path(path_type=Path))
@click.option(
    "--candidate",
    "models",
    multiple=True,
    metavar="MODEL",
    shell_complete=model_names,
    help="A model that may sit in the recipe; give two or more.",
)
@click.option(
    "-r",
    "--recipe",
    "recipe_names",
    multiple=True,
    metavar="RECIPE",
    shell_complete=recipe_names,
    help="A recipe whose agents are candidates, asked as it says.",
)
@judge_option
@bulk_folder_option
@click.option(
    "--aggregator",
    metavar="MODEL",
    shell_complete=model_names,
    help="Who writes from each proposer's answer, if not the first candidate.",
)
@click.option("--baseline", metavar="MODEL|FILE", help="What answers are compared with.")
@click.option(
    "--weight",
    type=click.FloatRange(min=0),
    default=0.5,
    show_default=True,
    metavar="W",
    help="How much diversity counts beside the win rate.",
)
@click.option(
    "--calls", type=click.IntRange(min=2), metavar="N", help="The most calls an answer; 4 without --price."
)
@click.option("--price", type=Dollars(), metavar="USD", help="The highest price an answer.")
@click.option(
    "--temperature",
    type=click.FloatRange(min=0, max=2),
    default=_TEMPERATURE,
    show_default=True,
    metavar="T",
    help="For the models of --candidate.",
)
@click.option(
    "--max-tokens",
    type=click.IntRange(min=1),
    default=_MAX_TOKENS,
    show_default=True,
    metavar="N",
    help="The longest answer, for the models of --candidate.",
)
@click.option(
    "--reuse",
    multiple=True,
    metavar="FOLDER",
    type=click.Path(path_type=Path),
    help="A folder of batch or select whose answers are used; may be given again.",
)
@click.option("--write", metavar="NAME|FILE", help="Keep the recipe among your own, or in a .toml file.")
@click.option("--replace", is_flag=True, help="Let --write replace a recipe that is there.")
@format_option
@column_option
@limit_option
@concurrency_option
@schedule_option
@total_cost_option
@skip_bad_option
@report_option
@json_option
@dry_run_option
@trust_recipes_option
@bulk_quiet_option
@with_fault_log
def select(**options: Any) -> None:
    """Try models on the prompts of a file, and propose who of them should propose and who aggregate.

    Each answers once and is tried in both roles; a judge compares all answers. Calls and price are said
    first. Started again it goes on where it was left. Exit code: 0 a recipe is proposed, 1 some answers or
    verdicts are missing, 2 wrong usage, 130 interrupted.
    """
    _select(SelectOptions(**options))


def _select(options: SelectOptions) -> None:
    from moa_tui.evaluation.benchmarks import open_input
    from moa_tui.evaluation.select import check_prices

    settings = wiring.settings_in_force()
    gateway = wiring.gateway_of(settings)
    catalog = wiring.catalog_of(settings, gateway)
    prompts = open_input(
        options.input, options.format, column=options.column, skip_bad=options.skip_bad, limit=options.limit
    )
    for problem in prompts.problems:
        tell(f"left out: {problem}")
    check_out(options.out)
    _check_write(options, catalog)
    if options.folder is None and not options.dry_run:
        raise UsageError("name the folder for the answers: -o FOLDER")
    selection = _selection_of(options, prompts, catalog)
    check_prices(selection, gateway.facts)
    recipes = _recipes_asked(selection)
    if options.dry_run:
        _print_plan(options, selection, gateway, err=False)
        for line in _needs(recipes, gateway):
            click.echo(line)
        return
    if options.trust_recipe:
        for recipe in recipes:
            gateway.allow_once(recipe)
    for recipe in recipes:
        gateway.check_keys(recipe)
    _print_plan(options, selection, gateway, err=True)
    store = wiring.open_store() if settings.budget.day is not None else None
    with wiring.running_backend(gateway, store, wiring.ledger_of(settings, store)) as backend:
        code = SelectionRun(options, selection, prompts, backend, catalog).code()
    if store is not None:
        store.close()
    leave(code)


# What is asked for


def _selection_of(options: SelectOptions, prompts: BulkInput, catalog: RecipeCatalog) -> Selection:
    """Who is tried on what. Raises UsageError and FileError."""
    from moa_tui.engine.agent import Sampling
    from moa_tui.engine.layer import Limits
    from moa_tui.evaluation.select import Selection, baseline_of
    from moa_tui.evaluation.select_choice import DEFAULT_CALLS, Budget
    from moa_tui.evaluation.select_trials import Trials, contenders_of, first_turns

    sampling = Sampling(temperature=options.temperature, max_tokens=options.max_tokens)
    recipes = [catalog.load(name) for name in dict.fromkeys(options.recipe_names)]
    contenders, notes = contenders_of(options.models, recipes, sampling)
    for note in notes:
        tell(note)
    # What a recipe says of slow servers holds for its agents here too; its own cap is for one answer.
    limits = recipes[0].limits.model_copy(update={"max_cost": None}) if len(recipes) == 1 else Limits()
    if any(len(prompt.turns) > 1 for prompt in prompts):
        tell("of conversations only the first turns are tried")
    aggregator = _aggregator_of(options.aggregator, contenders, sampling)
    trials = Trials(contenders, aggregator, first_turns(prompts), limits)
    calls = DEFAULT_CALLS if options.calls is None and options.price is None else options.calls
    return Selection(
        trials,
        judge_of(options.judge, catalog),
        baseline_of(trials, prompts.format, options.baseline),
        options.folder or Path(),
        prompts.sha256,
        prompts.format,
        Budget(calls, options.price),
        options.weight,
    )


def _aggregator_of(name: str | None, contenders: tuple[Contender, ...], sampling: Any) -> Contender:
    """Who writes from each proposer's answer: a candidate, or another model."""
    from moa_tui.engine.recipe_edit import agent_of
    from moa_tui.evaluation.select_trials import Contender

    if name is None:
        return contenders[0]
    for contender in contenders:
        if name in (contender.name, contender.agent.model):
            return contender
    return Contender(name, agent_of({**sampling.model_dump(exclude_unset=True), "model": name}))


def _recipes_asked(selection: Selection) -> list[Recipe]:
    """Every recipe of which a call is made."""
    trials = selection.trials
    alone = list(trials.recipes["alone"].values())
    writing = trials.recipes["as proposer"][trials.contenders[0].name]
    return [*alone, writing, selection.judge]


def _check_write(options: SelectOptions, catalog: RecipeCatalog) -> None:
    """Raise UsageError, before anything is paid, where the recipe could not be written."""
    if options.write is None:
        return
    path = written_path(options.write)
    taken = catalog.has_own(options.write) if path is None else path.exists()
    if taken and not options.replace:
        raise UsageError(f"--write {options.write}: it is there already; --replace lets it be replaced")
    if path is not None and not path.parent.is_dir():
        raise UsageError(f"--write {options.write}: there is no folder {path.parent}")


# What it takes


def _print_plan(options: SelectOptions, selection: Selection, gateway: Gateway, *, err: bool) -> None:
    """Print the calls that are still to be made, and the most that they should cost."""
    from moa_tui.evaluation.grade import opened
    from moa_tui.evaluation.select import expected_stages, total_of
    from moa_tui.text.wording import counted

    trials = selection.trials
    with ExitStack() as stack:
        alone = None
        if options.folder is not None and (alone := opened(selection.folder("alone"))) is not None:
            stack.enter_context(alone)
        answers = answers_of(options, selection, alone, stack)
        stages = expected_stages(selection, answers, gateway.facts)
    number = counted(len(trials.contenders), "candidate")
    names = {
        "alone": f"{number} on {counted(len(trials.prompts), 'prompt')}",
        "as proposer": f"as proposer, with {trials.aggregator.name} as aggregator",
        "as aggregator": "as aggregator of all answers",
        "judge": f"{selection.judge.name} judges them against {selection.baseline_name}",
    }
    for stage, expected in stages.items():
        click.echo(safe_row(f"{names[stage]}: {expected_words(expected)}"), err=err)
    click.echo(safe_row(f"together: {expected_words(total_of(stages.values()))}"), err=err)


def _needs(recipes: Iterable[Recipe], gateway: Gateway) -> Iterator[str]:
    """Where prompts go, and the keys that are missing, each once."""
    lines: dict[str, None] = {}
    for recipe in recipes:
        for place in gateway.destinations(recipe):
            if not place.is_own_address:
                lines[safe_text(f"to {place.words}")] = None
        for variable, models in gateway.missing_keys(recipe.every_agent()).items():
            lines[safe_row(f"{variable} is not set; needed by {', '.join(models)}")] = None
    yield from lines
