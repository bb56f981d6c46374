"""The chat, on a screen or in lines, which `moa-tui` opens where no command is given."""

from __future__ import annotations

import gc
import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

import click

from moa_tui.cli import wiring
from moa_tui.cli.group import leave, with_fault_log
from moa_tui.cli.hasten import hastened
from moa_tui.cli.options import (
    continue_option,
    conversation_name,
    plain_option,
    private_option,
    recipe_option,
    session_option,
    system_option,
)
from moa_tui.cli.streams import ClosedOutput
from moa_tui.errors import FileError, MoaTuiError, OpenElsewhereError, StoreError, UsageError
from moa_tui.text.safe import quoted_name, safe_text

if TYPE_CHECKING:
    from typing import Any, TextIO

    from moa_tui.chat.session import ChatSession
    from moa_tui.conversation import Conversation, Turn
    from moa_tui.engine.recipe import Recipe
    from moa_tui.plain.program import PlainProgram
    from moa_tui.recipes.catalog import RecipeCatalog
    from moa_tui.settings.config import Settings
    from moa_tui.store import Store
    from moa_tui.ui.app import MoaApp

_SIMPLE_TERMINALS = ("dumb", "unknown")
_WHY_PLAIN = "This terminal (TERM={}) can show no screen, so the chat is in lines."


@dataclass(frozen=True, slots=True)
class ChatOptions:
    """The options of `moa-tui` without a command, by the names that click gives them."""

    recipe_name: str | None
    system: str | None
    go_on: bool
    session: str | None
    private: bool
    plain: bool


@click.command("chat")
@recipe_option
@system_option
@continue_option
@session_option
@private_option
@plain_option
@click.pass_context
def chat(ctx: click.Context, /, **options: Any) -> None:
    """Chat, as without a command. With --plain in lines of text, as for a screen reader or a log."""
    # What stands before the command counts as well.
    before = ctx.parent.params if ctx.parent is not None else {}
    both: dict[str, Any] = {name: value or before.get(name) for name, value in options.items()}
    open_chat(ChatOptions(**both))


def open_chat(options: ChatOptions) -> NoReturn:
    """Open the chat and end the program with its exit code.

    What is wrong with the config is shown in the chat, and does not keep the chat from starting. Raises
    UsageError where there is no terminal, and what opening the recipe or conversation that is named raises.
    """
    name = conversation_name(options.go_on, options.session)
    with hastened():
        _open_chat(options, name)


@with_fault_log
def _open_chat(options: ChatOptions, name: str | None) -> NoReturn:
    """Open the chat, with the conversation of that name where one is given."""
    problems: list[str] = []
    settings = _settings(problems)
    is_simple = os.environ.get("TERM") in _SIMPLE_TERMINALS
    is_plain = options.plain or settings.plain
    if not is_plain:
        _require_terminal()
        is_plain = is_simple
    if is_plain:
        gc.enable()  # Nothing is drawn, so there is no first frame to wait for.
    store = _store(problems, is_needed=name is not None)
    conversation = wiring.kept_conversation(store, name) if store is not None and name is not None else None
    gateway = wiring.gateway_of(settings)
    last_turn = conversation.active if conversation is not None else None
    recipe, reason = _recipe(wiring.catalog_of(settings, gateway), options.recipe_name, last_turn, problems)
    ledger, drafts = wiring.ledger_of(settings, store), wiring.drafts()
    if clock_warning := ledger.clock_warning():
        problems.append(clock_warning)
    with wiring.running_backend(gateway, store, ledger, drafts) as backend:
        session = wiring.attended_session_of(
            backend,
            recipe,
            options.system,
            private=options.private,
            guided=settings.guided,
            attended=not is_plain or (_is_terminal(sys.stdin) and _is_terminal(sys.stdout)),
        )
        if conversation is not None:
            _open(session, conversation, options.system)
            if last_turn is not None and last_turn.imported_system and options.system is None:
                problems.append(
                    "the system prompt that was imported is not used; /system TEXT gives one: "
                    + quoted_name(last_turn.imported_system)
                )
        app: MoaApp | PlainProgram
        if is_plain:
            how = [_WHY_PLAIN.format(os.environ["TERM"])] if is_simple and not options.plain else []
            why = [f"{_begun_large(reason)}."] if reason else []
            notices = [*how, *why, *map(_not_as_configured, problems)]
            app = wiring.plain_chat_of(session, settings, notices=notices)
        else:
            app = wiring.app_of(session, settings, recipe_reason=reason, problems=problems)
        try:
            app.run()
        finally:
            if (problem := app.keep_unsent()) is not None:
                click.echo(f"moa-tui: {problem}", err=True)
    if store is not None and not store.close():
        click.echo(
            f"moa-tui: the newest turns were not kept: {store.problem or 'the disk is slow'}", err=True
        )
        leave(app.return_code or 1)
    leave(app.return_code or 0)


def _require_terminal() -> None:
    for name, stream in (("input", sys.stdin), ("output", sys.stdout)):
        if not _is_terminal(stream):
            is_closed = stream is None or isinstance(stream, ClosedOutput)
            raise UsageError(
                f"the chat needs a terminal, and standard {name} is "
                f'{"closed" if is_closed else "redirected"}; in a script use `moa-tui ask "…"`, or '
                "`moa-tui chat --plain`"
            )


def _is_terminal(stream: TextIO | None) -> bool:
    return stream is not None and not isinstance(stream, ClosedOutput) and stream.isatty()


def _begun_large(reason: str) -> str:
    """The words as a sentence begins; a setting's name stays as it is written."""
    is_name = "_" in reason.partition(" ")[0]
    return reason if is_name else reason[:1].upper() + reason[1:]


def _not_as_configured(problem: str) -> str:
    return f"Not as configured: {problem}"


def _settings(problems: list[str]) -> Settings:
    """The settings in force, or the defaults where the config file is wrong, which is added to `problems`."""
    try:
        return wiring.settings_in_force()
    except FileError as error:
        problems.append(f"{error}\nGoing on with the defaults.")
        return wiring.default_settings()


def _store(problems: list[str], *, is_needed: bool) -> Store | None:
    """The kept conversations; None where they cannot be opened, which is added to `problems`.

    Raises StoreError instead where one of them is to be opened.
    """
    try:
        return wiring.open_store()
    except StoreError as error:
        if is_needed:
            raise
        problems.append(f"{error}\nThis conversation is kept in memory only; /export saves it to a file.")
        return None


def _recipe(
    catalog: RecipeCatalog, name: str | None, last_turn: Turn | None, problems: list[str]
) -> tuple[Recipe, str | None]:
    """The recipe to start with and the reason for it; the demo where the configured one cannot be used."""
    try:
        return wiring.starting_recipe(catalog, name, last_turn)
    except MoaTuiError as error:
        if name is not None:
            raise
        problems.append(str(error))
        reason = "the configured recipe cannot be used, so these answers are simulated"
        return catalog.load("demo"), reason


def _open(session: ChatSession, conversation: Conversation, system: str | None) -> None:
    """Go on with a conversation, under `system` where that is given.

    Where another moa-tui has the conversation open, the user is asked whether to fork it.
    """
    import asyncio

    from moa_tui.chat.conversations import Conversations

    conversations = Conversations(session)
    try:
        asyncio.run(conversations.open(conversation.id))
    except OpenElsewhereError as error:
        click.echo(f"moa-tui: {safe_text(str(error))}", err=True)
        if not click.confirm("Fork it?", err=True):
            leave(1)
        asyncio.run(conversations.fork(conversation.id))
    if system is not None:
        session.chat.system = system
