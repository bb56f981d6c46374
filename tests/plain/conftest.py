"""What the tests of the plain chat share: a chat whose lines are written by the test."""

from __future__ import annotations

import builtins
import io
from typing import TYPE_CHECKING, Any, cast

import pytest

from moa_tui.chat.backend import Backend
from moa_tui.chat.ledger import Ledger
from moa_tui.chat.library import Library
from moa_tui.plain import reader
from moa_tui.plain.program import PlainProgram
from moa_tui.recipes.catalog import RecipeCatalog
from moa_tui.recipes.models import ModelCatalog
from moa_tui.settings.config import Settings
from moa_tui.store.drafts import Drafts
from tests.chat.helpers import Gate

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from moa_tui.chat.session import ChatSession
    from moa_tui.gateway.gateway import Gateway
    from moa_tui.gateway.thread import EngineThread
    from moa_tui.settings.config import Budget
    from moa_tui.store import Store
    from tests.fakes import FakeGateway

Typed = str | type[BaseException]


class Output(io.StringIO):
    """What was written; `on_write` is called with each piece."""

    def __init__(self) -> None:
        super().__init__()
        self.on_write: Callable[[str], None] = lambda _: None
        self.is_terminal = False

    def isatty(self) -> bool:
        return self.is_terminal

    def write(self, text: str) -> int:
        self.on_write(text)
        return super().write(text)


class Terminal(io.StringIO):
    """An input that says that it is a terminal."""

    def isatty(self) -> bool:
        return True


class Lines:
    """Runs the plain chat on lines of the test, from its beginning to its end."""

    def __init__(self, session: ChatSession, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.session = session
        self.folder = folder
        self.settings = Settings()
        self.program: PlainProgram | None = None
        self.out = Output()
        self._monkeypatch = monkeypatch

    def _run(self, stdin: Any) -> str:
        gateway, recipes = self.session.chat.backend.gateway, self.folder / "recipes"
        catalog = RecipeCatalog(self.settings, gateway, recipes, lambda: [])
        models = ModelCatalog(self.settings, gateway, {})
        library = Library(self.session.chat.backend.store, self.folder / "exports")
        self.program = PlainProgram(
            self.session, catalog, models, library, self.settings, (stdin, self.out), notices=[]
        )
        self.program.run()
        return self.out.getvalue()

    def piped(self, *lines: str) -> str:
        """What is written where the lines come from a pipe."""
        return self._run(io.StringIO("".join(f"{line}\n" for line in lines)))

    def typed(self, *typed: Typed) -> str:
        """What is written where the lines are typed at a terminal without readline; then its input ends.

        An exception among them is raised where the line is read.
        """
        left = list(typed)

        def read(prompt: str = "") -> str:
            self.out.write(prompt)
            line = left.pop(0) if left else EOFError
            if not isinstance(line, str):
                raise line
            return line

        self._monkeypatch.setattr(reader, "readline", None)
        self._monkeypatch.setattr(builtins, "input", read)
        self.out.is_terminal = True
        written = self._run(Terminal())
        assert not left, f"nobody has read {left}"
        return written

    def recipe(self, name: str, model: str) -> None:
        """Write a recipe of one model among the user's own."""
        folder = self.folder / "recipes"
        folder.mkdir(exist_ok=True)
        (folder / f"{name}.toml").write_text(
            f'name = "{name}"\n[[layers]]\nagents = [{{ model = "lab/{model}" }}]\n'
        )


@pytest.fixture
def gate(engine: EngineThread) -> Gate:
    return Gate(engine)


@pytest.fixture
def budget() -> Budget | None:
    return None


@pytest.fixture
def backend(
    gateway: FakeGateway, engine: EngineThread, store: Store, tmp_path: Path, budget: Budget | None
) -> Backend:
    drafts = Drafts(tmp_path / "drafts")
    if budget is None:
        return Backend(cast("Gateway", gateway), engine, store, drafts=drafts)
    return Backend(cast("Gateway", gateway), engine, store, Ledger(budget, store), drafts=drafts)


@pytest.fixture
def lines(session: ChatSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lines:
    return Lines(session, tmp_path, monkeypatch)
