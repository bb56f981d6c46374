"""`moa-tui ask`: one prompt through a recipe, the answer on stdout, everything else on stderr."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import click

from moa_tui.cli import wiring
from moa_tui.cli.completion import conversation_names, schema_files
from moa_tui.cli.group import leave, with_fault_log
from moa_tui.cli.options import (
    Dollars,
    continue_option,
    conversation_name,
    model_option,
    recipe_option,
    system_option,
)
from moa_tui.errors import DatabaseLostError, StoreError, UntrustedServerError, UsageError
from moa_tui.text.safe import quoted_name, safe_row, safe_text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from moa_tui.chat.answer_check import AnswerCheck
    from moa_tui.cli.headless import Output, Request
    from moa_tui.conversation import Conversation
    from moa_tui.engine.recipe import Recipe
    from moa_tui.formats.answer_schema import AnswerSchema
    from moa_tui.gateway.gateway import Gateway
    from moa_tui.settings.config import Settings
    from moa_tui.store import Store


@dataclass(frozen=True, slots=True)
class AskOptions:
    """The options of `ask`, by the names that click gives them."""

    prompt: tuple[str, ...]
    recipe_name: str | None
    aggregator: str | None
    files: tuple[Path, ...]
    system: str | None
    output: Output
    show_proposers: bool
    left_out: bool
    schema: str | None
    no_stream: bool
    dry_run: bool
    max_cost: float | None
    """In US dollars."""
    effort: str | None
    quiet: bool
    go_on: bool
    session: str | None
    over_budget: bool
    trust_recipe: bool
    private: bool


@click.command()
@click.argument("prompt", nargs=-1)
@recipe_option
@model_option
@click.option(
    "-f",
    "--file",
    "files",
    multiple=True,
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Put a text file into the prompt; may be given again.",
)
@system_option
@click.option(
    "--output",
    type=click.Choice(["text", "json", "events"]),
    default="text",
    show_default=True,
    help="The answer; one JSON document at the end; or each event as a JSON line.",
)
@click.option("--show-proposers", is_flag=True, help="Print each earlier answer to stderr as it ends.")
@click.option("--left-out", is_flag=True, help="Print below the answer what it left out of the others.")
@click.option(
    "--schema",
    metavar="FILE|FIELDS",
    shell_complete=schema_files,
    help='Print JSON of this schema: a JSON Schema file, or fields such as "name, age int".',
)
@click.option("--no-stream", is_flag=True, help="Print the answer once it is whole.")
@click.option("--dry-run", is_flag=True, help="Print the calls and their price, and make none.")
@click.option(
    "--max-cost",
    type=Dollars(),
    metavar="USD",
    help="Stop before the layer that would pass this price.",
)
@click.option(
    "--effort",
    type=click.Choice(["none", "minimal", "low", "medium", "high"]),
    help="How much the models think before they answer.",
)
@click.option("-q", "--quiet", is_flag=True, help="No progress and no summary on stderr.")
@continue_option
@click.option(
    "-s",
    "--session",
    "session",
    metavar="ID|TITLE",
    shell_complete=conversation_names,
    help="Go on with a kept conversation.",
)
@click.option("--over-budget", is_flag=True, help="Pass the budgets of the config this once.")
@click.option(
    "--trust-recipe", is_flag=True, help="Let this recipe send prompts to the servers it names, this once."
)
@click.option("--no-save", "--private", "private", is_flag=True, help="Write nothing of it to disk.")
@with_fault_log
def ask(**options: Any) -> None:
    """Answer one PROMPT, print the answer to stdout and exit.

    What is piped in is put below the prompt. Exit code: 0 answered, 1 failed, 2 wrong usage, 130 interrupted.
    """
    _ask(AskOptions(**options))


def _ask(options: AskOptions) -> None:
    from moa_tui.cli import headless, streams

    if isinstance(sys.stdout, streams.ClosedOutput):
        raise UsageError("standard output is closed: there is nowhere to write the answer")
    schema = _schema_of(options)
    prompt = assemble_prompt(" ".join(options.prompt), streams.read_piped(sys.stdin), options.files)
    settings = wiring.settings_in_force()
    gateway = wiring.gateway_of(settings)
    store, conversation = _store_and_conversation(options, settings)
    last_turn = conversation.active if conversation is not None else None
    recipe, reason = wiring.starting_recipe(
        wiring.catalog_of(settings, gateway), options.recipe_name, last_turn
    )
    system = last_turn.own_system if last_turn is not None and options.system is None else options.system
    if last_turn is not None and last_turn.imported_system and system is None and not options.quiet:
        click.echo(
            "moa-tui: the system prompt that was imported is not used; --system TEXT gives one: "
            + quoted_name(last_turn.imported_system),
            err=True,
        )
    request = headless.Request(
        prompt,
        _with_schema(_with_options(recipe, options), schema),
        system,
        options.output,
        show_proposers=options.show_proposers,
        left_out=options.left_out,
        check=_check_of(schema),
        stream=not options.no_stream,
        quiet=options.quiet,
        conversation=conversation,
    )
    if options.dry_run:
        _print_plan(request, gateway)
        return
    if options.trust_recipe:
        gateway.allow_once(request.recipe)
    if reason and (not options.quiet or recipe.name == "demo"):
        click.echo(safe_row(f"moa-tui: recipe {recipe.name}: {reason}"), err=True)
    if schema is not None and not options.quiet and _may_hurry(recipe):
        click.echo(
            safe_row(f"moa-tui: recipe {recipe.name} waits for all its answers, as --schema needs them"),
            err=True,
        )
    if options.max_cost is not None:
        _warn_of_unknown_prices(request, gateway)
    err = streams.best_effort(sys.stderr)
    lost: list[str] = []
    if store is not None:
        store.on_problem(partial(_note_what_is_lost, store, lost, err))
    if not options.quiet:
        for line in _server_lines(request, gateway):
            err.write(f"moa-tui: {line}\n")
    ledger = None if options.over_budget else wiring.ledger_of(settings, store)
    with wiring.running_backend(gateway, None if options.private else store, ledger) as backend:
        session = wiring.session_of(backend, request.recipe)
        try:
            code = headless.answer(request, session, sys.stdout, err)
        except UntrustedServerError as error:
            hint = "\n--trust-recipe lets it, this once." if error.servers else ""
            raise UntrustedServerError(f"{error}{hint}", error.servers) from error
    if store is not None and not store.close():
        err.write(f"moa-tui: this was not kept: {store.problem or 'the disk takes too long'}\n")
    elif lost:
        err.write(f"moa-tui: not all of this was kept: {'; '.join(dict.fromkeys(lost))}\n")
    leave(code)


def _note_what_is_lost(store: Store, lost: list[str], err: TextIO, problem: StoreError | None) -> None:
    """Add to `lost` why a change will never be on disk; what only waits for the disk may still be written.

    A database that was lost while this runs is told at once. Called on the store's own thread.
    """
    if isinstance(problem, DatabaseLostError):
        err.write(f"moa-tui: {problem}\n")
    elif problem is not None and store.problem is None:
        lost.append(str(problem))


def assemble_prompt(prompt: str, piped: str, files: Iterable[Path]) -> str:
    """Join the prompt, what was piped in and files to one text. Raises UsageError where all are empty."""
    from moa_tui.chat.attachments import attach

    # A shell may pass bytes of another encoding as surrogates, which no model's server accepts.
    prompt = prompt.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    texts = [text for text in (prompt, piped.rstrip("\n")) if text.strip()]
    attached = [attach(path) for path in files]
    if not texts and not attached:
        raise UsageError('nothing to ask: give a prompt, as in moa-tui ask "why is the sky blue?"')
    return "\n\n".join(["\n".join(texts), *attached] if texts else attached)


def _store_and_conversation(
    options: AskOptions, settings: Settings
) -> tuple[Store | None, Conversation | None]:
    """Where to keep what is asked, and the conversation to go on with.

    There is no store where none is needed, or where it cannot be opened: the answer comes all the same.
    Raises StoreError where a conversation is named and the store cannot be opened.
    """
    name = conversation_name(options.go_on, options.session)
    counts_spending = settings.budget.day is not None and not (options.over_budget or options.dry_run)
    keeps_nothing = options.private or options.dry_run
    if keeps_nothing and name is None and not (counts_spending and wiring.database_exists()):
        return None, None
    try:
        store = wiring.open_store()
    except StoreError as error:
        if name is not None:
            raise
        click.echo(f"moa-tui: this will not be kept: {error}", err=True)
        return None, None
    if store.problem is not None and not keeps_nothing:
        click.echo(f"moa-tui: this will not be kept: {store.problem}", err=True)
    return store, None if name is None else wiring.kept_conversation(store, name)


def _with_options(recipe: Recipe, options: AskOptions) -> Recipe:
    """The recipe with the aggregator, the limit of its price and the effort that the options give, if any."""
    from moa_tui.engine.recipe_edit import effort_named, with_aggregator, with_effort

    if options.aggregator is not None:
        recipe = with_aggregator(recipe, options.aggregator)
    if options.effort is not None:
        recipe = with_effort(recipe, effort_named(options.effort))
    if options.max_cost is None:
        return recipe
    limits = recipe.limits.model_copy(update={"max_cost": options.max_cost})
    return recipe.model_copy(update={"limits": limits})


def _schema_of(options: AskOptions) -> AnswerSchema | None:
    """The schema of the answer. Raises UsageError or FileError where it cannot be used."""
    if options.schema is None:
        return None
    from moa_tui.formats.answer_schema import answer_schema

    if options.left_out and options.output == "text":
        raise UsageError(
            "--left-out prints words below the answer, where --schema leaves nothing but JSON: give only one "
            "of them, or --output json too"
        )
    return answer_schema(options.schema)


def _with_schema(recipe: Recipe, schema: AnswerSchema | None) -> Recipe:
    """The recipe with its last agent asked for JSON of the schema, if any. Raises UsageError."""
    if schema is None:
        return recipe
    from moa_tui.engine.answer_form import with_answer_form

    return with_answer_form(recipe, schema.schema)


def _may_hurry(recipe: Recipe) -> bool:
    """True where a layer begins before all it reads is there, or may end the run with one of its answers."""
    return any(layer.begins_early or layer.enough or layer.confident for layer in recipe.layers)


def _check_of(schema: AnswerSchema | None) -> AnswerCheck | None:
    if schema is None:
        return None
    from moa_tui.chat.answer_check import AnswerCheck

    return AnswerCheck(schema)


def _price_of_repair(request: Request, gateway: Gateway) -> float | None:
    """The most that the call should cost by which an answer is repaired, in US dollars; None for unknown."""
    from moa_tui.engine.answer_form import with_repair
    from moa_tui.engine.plan import plan

    call = plan(with_repair(request.recipe, ""), request.messages, gateway.facts).layers[-1].calls[0]
    return call.cost


def _print_plan(request: Request, gateway: Gateway) -> None:
    from moa_tui.cli.plan_view import plan_document, plan_lines
    from moa_tui.engine.plan import plan
    from moa_tui.text.wording import money

    expected = plan(request.recipe, request.messages, gateway.facts)
    repair = None if request.check is None else _price_of_repair(request, gateway)
    if request.output == "text":
        missing = gateway.missing_keys(request.recipe.every_agent())
        click.echo(plan_lines(request.recipe, expected, missing))
        if request.check is not None:
            click.echo(f"one call more, {money(repair)}, where the answer does not fit the schema")
        for line in _server_lines(request, gateway):
            click.echo(line)
    else:
        document = plan_document(request.recipe, expected)
        if request.check is not None:
            document = json.dumps({**json.loads(document), "repair_cost": repair})
        click.echo(document)


def _server_lines(request: Request, gateway: Gateway) -> list[str]:
    """The servers that are not a provider's own, before anything is sent there."""
    places = gateway.destinations(request.recipe)
    return [safe_text(f"to {place.words}") for place in places if not place.is_own_address]


def _warn_of_unknown_prices(request: Request, gateway: Gateway) -> None:
    """Name the agents whose price is unknown, and so does not count against --max-cost."""
    from moa_tui.engine.plan import plan

    calls = plan(request.recipe, request.messages, gateway.facts).calls
    if names := ", ".join(dict.fromkeys(call.agent.name for call in calls if call.cost is None)):
        click.echo(safe_row(f"moa-tui: price of {names} unknown: not counted against --max-cost"), err=True)
