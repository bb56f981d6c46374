"""The chat, which `moa-tui` opens where no command is given."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

import click

from moa_tui.cli import wiring
from moa_tui.cli.group import leave, with_fault_log
from moa_tui.cli.hasten import hastened
from moa_tui.cli.options import conversation_name
from moa_tui.cli.streams import ClosedOutput
from moa_tui.errors import FileError, MoaTuiError, OpenElsewhereError, StoreError, UsageError
from moa_tui.text.safe import quoted_name, safe_text

if TYPE_CHECKING:
    from moa_tui.chat.session import ChatSession
    from moa_tui.conversation import Conversation, Turn
    from moa_tui.engine.recipe import Recipe
    from moa_tui.recipes.catalog import RecipeCatalog
    from moa_tui.settings.config import Settings
    from moa_tui.store import Store


@dataclass(frozen=True, slots=True)
class ChatOptions:
    """The options of `moa-tui` without a command, by the names that click gives them."""

    recipe_name: str | None
    system: str | None
    go_on: bool
    session: str | None
    private: bool


def open_chat(options: ChatOptions) -> NoReturn:
    """Open the chat and end the program with its exit code.

    What is wrong with the config is shown in the chat, and does not keep the chat from starting. Raises
    UsageError where there is no terminal, and what opening the recipe or conversation that is named raises.
    """
    name = conversation_name(options.go_on, options.session)
    _require_terminal()
    with hastened():
        _open_chat(options, name)


@with_fault_log
def _open_chat(options: ChatOptions, name: str | None) -> NoReturn:
    """Open the chat, with the conversation of that name where one is given."""
    problems: list[str] = []
    settings = _settings(problems)
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
            backend, recipe, options.system, private=options.private, guided=settings.guided
        )
        if conversation is not None:
            _open(session, conversation, options.system)
            if last_turn is not None and last_turn.imported_system and options.system is None:
                problems.append(
                    "the system prompt that was imported is not used; /system TEXT gives one: "
                    + quoted_name(last_turn.imported_system)
                )
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
        is_closed = stream is None or isinstance(stream, ClosedOutput)
        if is_closed or not stream.isatty():
            raise UsageError(
                f"the chat needs a terminal, and standard {name} is "
                f'{"closed" if is_closed else "redirected"}; in a script use `moa-tui ask "…"`'
            )
    if os.environ.get("TERM") in ("dumb", "unknown"):
        raise UsageError(
            f"this terminal (TERM={os.environ['TERM']}) cannot show the chat; set TERM to what it is, "
            "or use `moa-tui ask`"
        )


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
