"""The commands, and the one place that wires their parts together.

What a command needs is imported inside it: `moa-tui --version` must not wait for what it does not use.
"""

from __future__ import annotations

import errno
import os
import sys
from functools import wraps
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal, NoReturn, ParamSpec, TypeVar

import click

from moa_tui import __version__
from moa_tui.cli.config import config
from moa_tui.cli.doctor import doctor
from moa_tui.cli.recipes import recipes
from moa_tui.cli.sessions import sessions, stats
from moa_tui.cli.wiring import catalog_of, gateway_of, models_of, settings_in_force
from moa_tui.errors import FileError, MoaTuiError, OpenElsewhereError, StoreError, UsageError
from moa_tui.text.safe import safe_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from moa_tui.chat.session import ChatSession
    from moa_tui.conversation import Conversation, Turn
    from moa_tui.engine.recipe import Recipe
    from moa_tui.recipes.catalog import RecipeCatalog
    from moa_tui.store import Store


P = ParamSpec("P")
R = TypeVar("R")


def _with_fault_log(command: Callable[P, R]) -> Callable[P, R]:
    """`command` with the log of faults open; a bug that ends the command is written there."""

    @wraps(command)
    def run_logged(*arguments: P.args, **options: P.kwargs) -> R:
        from moa_tui.settings import fault_log

        with fault_log.opened():
            try:
                return command(*arguments, **options)
            except (MoaTuiError, click.ClickException, click.Abort, click.exceptions.Exit):
                raise
            except Exception as error:
                fault_log.record_bug(error)
                raise

    return run_logged


class _Reported(click.ClickException):
    """An error of ours, shown as one message; exit code 2 where the call itself was wrong, else 1."""

    def __init__(self, error: MoaTuiError) -> None:
        super().__init__(safe_text(str(error)))
        self.exit_code = 2 if isinstance(error, UsageError | FileError) else 1  # type: ignore[misc]

    def show(self, file: IO[Any] | None = None) -> None:
        click.echo(f"moa-tui: {self.message}", file=file or sys.stderr)


class _Group(click.Group):
    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except MoaTuiError as error:
            _drop_unwritable("stdout")
            raise _Reported(error) from error
        except KeyboardInterrupt:
            _leave(130)
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EIO):
                raise
            _drop_unwritable("stdout")
            raise _Reported(UsageError(f"the output cannot be written: {error.strerror}")) from error


def _drop_unwritable(name: Literal["stdout", "stderr"]) -> None:
    """Drop what a standard stream holds and cannot write: Python tries again at exit, and fails with 120."""
    stream = getattr(sys, name)
    if stream is None:
        return
    try:
        stream.flush()
    except OSError:
        setattr(sys, name, Path(os.devnull).open("w"))  # noqa: SIM115 - open until the program ends


@click.group(
    cls=_Group, invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]}
)
@click.version_option(__version__, message="moa-tui %(version)s")
@click.option("-r", "--recipe", "recipe_name", metavar="RECIPE", help="A recipe's name, or a path to one.")
@click.option("--system", metavar="TEXT", help="A system prompt for every agent.")
@click.option("-c", "--continue", "go_on", is_flag=True, help="Go on with the last conversation.")
@click.option("-s", "--session", "session", metavar="ID|TITLE", help="Open a kept conversation.")
@click.option("--private", is_flag=True, help="Write nothing of the conversation to disk.")
@click.pass_context
def main(
    ctx: click.Context,
    recipe_name: str | None,
    system: str | None,
    go_on: bool,
    session: str | None,
    private: bool,
) -> None:
    """Several models answer side by side, read each other's answers, and one of them writes yours.

    Without a command the chat opens. Without any key: moa-tui -r demo
    """
    if ctx.invoked_subcommand is None:
        _chat(recipe_name, system, _wanted(go_on, session), private=private)


@main.command()
@click.argument("prompt", nargs=-1)
@click.option("-r", "--recipe", "recipe_name", metavar="RECIPE", help="A recipe's name, or a path to one.")
@click.option(
    "-f",
    "--file",
    "files",
    multiple=True,
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Put a text file into the prompt; may be given again.",
)
@click.option("--system", metavar="TEXT", help="A system prompt for every agent.")
@click.option(
    "--output",
    type=click.Choice(["text", "json", "events"]),
    default="text",
    show_default=True,
    help="The answer; one JSON document at the end; or each event as a JSON line.",
)
@click.option("--show-proposers", is_flag=True, help="Print each earlier answer to stderr as it ends.")
@click.option("--no-stream", is_flag=True, help="Print the answer once it is whole.")
@click.option("--dry-run", is_flag=True, help="Print the calls and their price, and make none.")
@click.option(
    "--max-cost",
    type=click.FloatRange(min=0, min_open=True),
    metavar="USD",
    help="Stop before the layer that would pass this price.",
)
@click.option("-q", "--quiet", is_flag=True, help="No progress and no summary on stderr.")
@click.option("-c", "--continue", "go_on", is_flag=True, help="Go on with the last conversation.")
@click.option("-s", "--session", "session", metavar="ID|TITLE", help="Go on with a kept conversation.")
@click.option("--over-budget", is_flag=True, help="Pass the budgets of the config this once.")
@click.option("--no-save", "--private", "private", is_flag=True, help="Write nothing of it to disk.")
@_with_fault_log
def ask(
    prompt: tuple[str, ...],
    recipe_name: str | None,
    files: tuple[Path, ...],
    system: str | None,
    output: Any,
    show_proposers: bool,
    no_stream: bool,
    dry_run: bool,
    max_cost: float | None,
    quiet: bool,
    go_on: bool,
    session: str | None,
    over_budget: bool,
    private: bool,
) -> None:
    """Answer one PROMPT, print the answer to stdout and exit.

    What is piped in is put below the prompt. Exit code: 0 answered, 1 failed, 2 wrong usage, 130 interrupted.
    """
    from moa_tui.chat.ledger import Ledger
    from moa_tui.cli import ask as headless

    if sys.stdout is None:
        raise UsageError("standard output is closed: there is nowhere to write the answer")
    headless.make_tolerant(sys.stdout, sys.stderr)
    text = headless.assemble_prompt(" ".join(prompt), headless.read_piped(sys.stdin), files)
    settings = settings_in_force()
    gateway = gateway_of(settings)
    counts = settings.budget.day is not None and not (over_budget or dry_run)
    store, conversation = _for_ask(_wanted(go_on, session), private=private or dry_run, counts=counts)
    last = conversation.active if conversation is not None else None
    if last is not None:
        system = last.system if system is None else system
    recipe, why = _recipe(catalog_of(settings, gateway), recipe_name, last)
    if max_cost is not None:
        recipe = recipe.model_copy(update={"limits": recipe.limits.model_copy(update={"max_cost": max_cost})})
    request = headless.Request(
        text,
        recipe,
        system,
        output,
        show_proposers=show_proposers,
        stream=not no_stream,
        quiet=quiet,
        conversation=conversation,
    )
    if dry_run:
        from moa_tui.cli.plan_view import plan_document, plan_lines
        from moa_tui.engine.plan import plan

        expected = plan(recipe, request.messages, gateway.facts)
        missing = gateway.missing_keys(recipe.every_agent())
        click.echo(
            plan_document(recipe, expected) if output != "text" else plan_lines(recipe, expected, missing)
        )
        return
    if why and (not quiet or recipe.name == "demo"):
        click.echo(f"moa-tui: recipe {recipe.name}: {why}", err=True)
    if max_cost is not None:
        from moa_tui.engine.plan import plan

        calls = plan(recipe, request.messages, gateway.facts).calls
        unknown = [call.agent.name for call in calls if call.cost is None]
        if unknown:
            names = ", ".join(dict.fromkeys(unknown))
            click.echo(f"moa-tui: price of {names} unknown: not counted against --max-cost", err=True)
    err = headless.best_effort(sys.stderr)
    kept_in = None if private else store
    ledger = None if over_budget else Ledger(settings.budget, store)
    code = headless.ask(request, gateway, sys.stdout, err, kept_in, ledger)
    if store is not None and not store.close():
        err.write(f"moa-tui: this was not kept: {store.problem or 'the disk takes too long'}\n")
    _leave(code)


def _wanted(go_on: bool, session: str | None) -> str | None:
    """Which conversation -c and -s name: "" is the last one."""
    if go_on and session is not None:
        raise UsageError(
            "-c goes on with the last conversation and -s with the one it names: give one of them"
        )
    return "" if go_on else session


def _for_ask(wanted: str | None, *, private: bool, counts: bool) -> tuple[Store | None, Conversation | None]:
    """Where to keep what is asked, and what to go on with. A store that cannot be opened costs no answer.

    `counts` is whether what was paid before must be known, even where nothing is kept.
    """
    from moa_tui.settings import paths
    from moa_tui.store import Store

    if private and wanted is None and not (counts and paths.database_file().exists()):
        return None, None
    try:
        store = Store(paths.database_file())
    except StoreError as error:
        if wanted is not None:
            raise
        click.echo(f"moa-tui: this will not be kept: {error}", err=True)
        return None, None
    return store, None if wanted is None else _found(store, wanted)


def _found(store: Store, wanted: str) -> Conversation:
    from moa_tui.chat.library import Library
    from moa_tui.settings import paths

    library = Library(store, paths.exports_dir())
    return library.load((library.find(wanted) if wanted else library.last()).id)


def _leave(code: int) -> NoReturn:
    """Exit now: with litellm loaded, Python's own farewell takes more than a second, and for nothing."""
    _drop_unwritable("stderr")
    if code > 1 or "moa_tui.gateway.litellm_stream" in sys.modules:
        sys.stdout.flush()
        os._exit(code)
    sys.exit(code)


for _command in (sessions, stats, recipes, doctor, config):
    main.add_command(_command)


@_with_fault_log
def _chat(recipe_name: str | None, system: str | None, wanted: str | None, *, private: bool) -> NoReturn:
    """Open the chat. What is wrong with the config is told there, and does not keep it from starting."""
    from moa_tui.settings import paths
    from moa_tui.settings.config import Settings
    from moa_tui.store import Store

    for stream in (sys.stdin, sys.stdout):
        if stream is None or not stream.isatty():
            raise UsageError('the chat needs a terminal; in a script use `moa-tui ask "…"`')
    if os.environ.get("TERM") in ("dumb", "unknown"):
        raise UsageError(
            f"this terminal (TERM={os.environ['TERM']}) cannot show the chat; set TERM to what it is, "
            "or use `moa-tui ask`"
        )
    problems = []
    try:
        settings = settings_in_force()
    except FileError as error:
        settings = Settings()
        problems.append(f"{error}\nGoing on with the defaults.")
    store = conversation = None
    try:
        store = Store(paths.database_file())
    except StoreError as error:
        if wanted is not None:
            raise
        problems.append(f"{error}\nThis conversation is kept in memory only; /export saves it to a file.")
    if store is not None and wanted is not None:
        conversation = _found(store, wanted)
    gateway = gateway_of(settings)
    catalog = catalog_of(settings, gateway)
    try:
        recipe, why = _recipe(catalog, recipe_name, conversation.active if conversation is not None else None)
    except MoaTuiError as error:
        if recipe_name is not None:
            raise
        problems.append(str(error))
        recipe, why = (
            catalog.load("demo"),
            "the configured recipe cannot be used, so these answers are simulated",
        )

    from moa_tui.chat.backend import Backend
    from moa_tui.chat.chat import Chat
    from moa_tui.chat.ledger import Ledger
    from moa_tui.chat.library import Library
    from moa_tui.chat.session import ChatSession
    from moa_tui.gateway.thread import EngineThread
    from moa_tui.ui.app import MoaApp

    with EngineThread() as engine:
        backend = Backend(gateway, engine, store, Ledger(settings.budget, store))
        session = ChatSession(
            Chat(backend, recipe, system, private=private, attended=True, guided=settings.guided)
        )
        if conversation is not None:
            _open(session, conversation.id)
            session.chat.system = session.chat.system if system is None else system
        library = Library(store, paths.exports_dir())
        app = MoaApp(
            session, catalog, models_of(settings, gateway), library, settings, why=why, problems=problems
        )
        if store is not None:
            store.on_problem(app.tell_of_the_disk)
        app.run()
    if store is not None and not store.close():
        click.echo(
            f"moa-tui: the newest turns were not kept: {store.problem or 'the disk is slow'}", err=True
        )
        _leave(app.return_code or 1)
    _leave(app.return_code or 0)


def _open(session: ChatSession, conversation_id: str) -> None:
    """Go on with it, or with a fork where another moa-tui has it open and the person wants one."""
    import asyncio

    from moa_tui.chat.conversations import Conversations

    conversations = Conversations(session)
    try:
        asyncio.run(conversations.open(conversation_id))
    except OpenElsewhereError as error:
        click.echo(f"moa-tui: {safe_text(str(error))}", err=True)
        if not click.confirm("Fork it?", err=True):
            _leave(1)
        asyncio.run(conversations.fork(conversation_id))


def _recipe(catalog: RecipeCatalog, name: str | None, last: Turn | None) -> tuple[Recipe, str | None]:
    """The recipe named, else the one the last turn was answered by, else the one to start with; and why."""
    if name is None and last is not None and (recipe := catalog.reload(last.recipe)) is not None:
        return recipe, None
    return catalog.first(name)
