"""The composition root: the one place that builds what the commands run on, and joins the parts.

What a function needs is imported inside it: `moa-tui --version` must not wait for what it does not use, and
the chat imports nothing before its first paint that can come later.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from moa_tui.chat.backend import Backend
    from moa_tui.chat.ledger import Ledger
    from moa_tui.chat.library import Library
    from moa_tui.chat.session import ChatSession
    from moa_tui.conversation import Conversation, Summary, Turn
    from moa_tui.engine.recipe import Recipe
    from moa_tui.gateway.gateway import Gateway
    from moa_tui.plain.program import PlainProgram
    from moa_tui.recipes.catalog import RecipeCatalog
    from moa_tui.recipes.models import ModelCatalog
    from moa_tui.settings.config import Settings
    from moa_tui.store import Store
    from moa_tui.store.drafts import Drafts
    from moa_tui.ui.app import MoaApp

LAST_CONVERSATION = ""
"""Stands for the last conversation where a conversation is named."""


# Settings, models and recipes


def settings_in_force() -> Settings:
    """The settings of the config file, the defaults where there is none. Raises FileError."""
    from moa_tui.settings import config, paths

    return config.load(paths.config_file())


def default_settings() -> Settings:
    """The settings without a config file, for what must work whatever state that file is in."""
    from moa_tui.settings.config import Settings

    return Settings()


def gateway_of(settings: Settings) -> Gateway:
    """The way to the models, with the keys of the environment."""
    from moa_tui.gateway.answers import Answers
    from moa_tui.gateway.gateway import Gateway
    from moa_tui.settings import paths

    return Gateway(settings.endpoints, os.environ, answers=Answers(paths.answers_file()))


def models_of(settings: Settings, gateway: Gateway) -> ModelCatalog:
    """The models of this machine."""
    from moa_tui.recipes.models import ModelCatalog

    return ModelCatalog(settings, gateway, os.environ)


def catalog_of(settings: Settings, gateway: Gateway) -> RecipeCatalog:
    """The recipes of this machine."""
    from moa_tui.recipes.catalog import RecipeCatalog
    from moa_tui.settings import paths

    return RecipeCatalog(settings, gateway, paths.recipes_dir(), models_of(settings, gateway).local_servers)


def starting_recipe(
    catalog: RecipeCatalog, name: str | None, last_turn: Turn | None
) -> tuple[Recipe, str | None]:
    """The recipe to start with: the one named, else that of the last turn, else the one that can run here.

    With the reason for it in words where it was chosen by what can run here. Raises UsageError, FileError or
    NoLocalModelError.
    """
    if name is None and last_turn is not None and (recipe := catalog.reload(last_turn.recipe)) is not None:
        return recipe, None
    return catalog.first(name)


# Kept conversations


def open_store() -> Store:
    """The database of kept conversations, opened. Raises StoreError."""
    from moa_tui.settings import paths
    from moa_tui.store import Store

    return Store(paths.database_file())


def drafts() -> Drafts:
    """What was written and not sent, beside the database."""
    from moa_tui.settings import paths
    from moa_tui.store.drafts import Drafts

    return Drafts(paths.drafts_dir())


def database_exists() -> bool:
    """True where anything was ever kept."""
    from moa_tui.settings import paths

    return paths.database_file().exists()


def listed_conversations() -> list[Summary]:
    """The conversations in use, read without a change to anything. Raises OSError or ValueError."""
    import sqlite3
    from contextlib import closing

    from moa_tui.settings import paths
    from moa_tui.store import reader
    from moa_tui.store.schema import connect_read_only

    if not database_exists():
        return []
    try:
        with closing(connect_read_only(paths.database_file())) as connection:
            return reader.summaries(connection, archived=False, deleted=False)
    except sqlite3.Error as error:
        raise OSError(str(error)) from error


def library_of(store: Store | None) -> Library:
    """What can be done with the conversations that `store` keeps."""
    from moa_tui.chat.library import Library
    from moa_tui.settings import paths

    # A write that was killed has words of a conversation that may be deleted for good.
    paths.drop_left_behind(paths.exports_dir())
    return Library(store, paths.exports_dir())


@contextmanager
def opened_library() -> Iterator[Library]:
    """The library over the user's database, which is closed at the end. Raises StoreError.

    Where the database can only be read, standard error says why.
    """
    store = open_store()
    if store.problem is not None:
        click.echo(f"moa-tui: can be read, not written: {store.problem}", err=True)
    try:
        yield library_of(store)
    finally:
        store.close()


def kept_conversation(store: Store, name: str) -> Conversation:
    """The conversation of that id or title, or the last one. Raises UsageError where there is none."""
    library = library_of(store)
    summary = library.last() if name == LAST_CONVERSATION else library.find(name)
    return library.load(summary.id)


# The chat


def ledger_of(settings: Settings, store: Store | None) -> Ledger:
    """What has been spent, and the budgets that the settings give."""
    from moa_tui.chat.ledger import Ledger

    return Ledger(settings.budget, store)


@contextmanager
def running_backend(
    gateway: Gateway, store: Store | None, ledger: Ledger | None, drafts: Drafts | None = None
) -> Iterator[Backend]:
    """What conversations run on; the engine's thread runs until the block ends.

    Without a store nothing is kept on disk, without drafts nothing of what was not sent; without a ledger
    there are no budgets.
    """
    from moa_tui.chat.backend import Backend
    from moa_tui.gateway.thread import EngineThread

    with EngineThread() as engine:
        backend = Backend(gateway, engine, store, drafts=drafts)
        yield backend if ledger is None else replace(backend, ledger=ledger)


def session_of(backend: Backend, recipe: Recipe) -> ChatSession:
    """A new conversation for a command that nobody attends."""
    from moa_tui.chat.chat import Chat
    from moa_tui.chat.session import ChatSession

    return ChatSession(Chat(backend, recipe))


def attended_session_of(
    backend: Backend,
    recipe: Recipe,
    system: str | None,
    *,
    private: bool,
    guided: bool,
    attended: bool = True,
) -> ChatSession:
    """A new conversation for the chat. `attended`: somebody is there to tick the points of a checklist."""
    from moa_tui.chat.chat import Chat
    from moa_tui.chat.session import ChatSession

    return ChatSession(Chat(backend, recipe, system, private=private, attended=attended, guided=guided))


def app_of(
    session: ChatSession, settings: Settings, *, recipe_reason: str | None, problems: Sequence[str]
) -> MoaApp:
    """The chat in a terminal, over what the session runs on.

    `recipe_reason` says why the chat begins with its recipe, and `problems` what is not as configured; the
    app shows both.
    """
    from moa_tui.ui.app import MoaApp

    backend = session.chat.backend
    catalog, models = catalog_of(settings, backend.gateway), models_of(settings, backend.gateway)
    library = library_of(backend.store)
    app = MoaApp(session, catalog, models, library, settings, why=recipe_reason, problems=problems)
    if backend.store is not None:
        backend.store.on_problem(app.tell_of_the_disk)
    return app


def plain_chat_of(session: ChatSession, settings: Settings, *, notices: Sequence[str]) -> PlainProgram:
    """The chat in lines of text on the standard streams; it says `notices` first."""
    import io
    import sys

    from moa_tui.cli.streams import prepare_lines
    from moa_tui.plain.program import PlainProgram

    stdin = sys.stdin or io.StringIO()  # None where it is closed.
    prepare_lines(stdin)
    backend = session.chat.backend
    catalog, models = catalog_of(settings, backend.gateway), models_of(settings, backend.gateway)
    library, streams = library_of(backend.store), (stdin, sys.stdout)
    program = PlainProgram(session, catalog, models, library, settings, streams, notices=notices)
    if backend.store is not None:
        backend.store.on_problem(program.tell_of_the_disk)
    return program
