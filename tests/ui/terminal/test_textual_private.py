"""The private parts of Textual that are relied on are as they were, and only one module reaches into any."""

from __future__ import annotations

import ast
import asyncio
import importlib
import inspect
import pkgutil
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from textual import events
from textual._xterm_parser import XTermParser
from textual.app import App
from textual.content import Content
from textual.driver import Driver
from textual.message import Message
from textual.message_pump import MessagePump
from textual.strip import Strip
from textual.widget import Widget
from textual.widgets import Input, OptionList

import moa_tui.ui
from moa_tui.ui.terminal import textual_private
from moa_tui.ui.terminal.textual_private import (
    DeafScreen,
    PrivateTracebackApp,
    replace_output,
    set_frame_words,
    write_to_terminal,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

HOME = Path(moa_tui.ui.__file__).parent
ALLOWED = Path(textual_private.__file__)
CANARY = "sk-canary-local-1f9e"
# Public, though a named tuple gives them a leading underscore.
NAMED_TUPLE = {"_replace", "_asdict", "_fields", "_make"}
OWN = {"self", "cls", "super()"}


def parameters(function: Any) -> list[str]:
    return list(inspect.signature(function).parameters)


# Each private part


def test_the_parser_is_made_fed_and_ticked_as_the_guarded_driver_does() -> None:
    assert parameters(XTermParser) == ["debug"]
    assert parameters(XTermParser.feed) == ["self", "data"]
    assert parameters(XTermParser.tick) == ["self"]
    parser = textual_private.XTermParser(False)
    (key,) = parser.feed("a")
    assert isinstance(key, events.Key)
    assert key.key == "a"
    assert not list(parser.tick())
    (paste,) = parser.feed("\x1b[200~\x1b[201~")
    assert isinstance(paste, events.Paste), "a paste whose text was cut out still comes as a paste"


class Failing(PrivateTracebackApp):
    """An app with a bug, and a secret beside it."""

    def __init__(self) -> None:
        super().__init__()
        self.bugs: list[BaseException | None] = []

    def on_bug(self, error: BaseException | None) -> None:
        self.bugs.append(error)

    def on_mount(self) -> None:
        key = CANARY[:]
        raise ZeroDivisionError(len(key))


async def test_a_bug_ends_the_app_through_our_traceback_without_locals(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert parameters(App._fatal_error) == ["self"]
    app = Failing()
    with pytest.raises(ZeroDivisionError) as raised:
        async with app.run_test():
            pass
    assert app.bugs == [raised.value]
    shown = capsys.readouterr().err
    assert "ZeroDivisionError" in shown
    assert "on_mount" in shown
    assert CANARY not in shown


async def test_a_fault_of_what_deals_with_faults_ends_the_app_with_the_first_one() -> None:
    class Worse(Failing):
        def survives(self, error: Exception) -> bool:
            raise LookupError

    app = Worse()
    with pytest.raises(ZeroDivisionError):
        async with app.run_test():
            pass
    assert list(map(type, app.bugs)) == [LookupError, ZeroDivisionError]


async def test_textuals_own_traceback_shows_locals_so_that_ours_is_needed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    class Plain(App[None]):
        def on_mount(self) -> None:
            key = CANARY[:]
            raise ZeroDivisionError(len(key))

    with pytest.raises(ZeroDivisionError):
        async with Plain().run_test():
            pass
    assert CANARY in capsys.readouterr().err


class Surviving(PrivateTracebackApp):
    """An app that survives everything, with a button-like widget that fails at each message."""

    def __init__(self) -> None:
        super().__init__()
        self.survived: list[Exception] = []

    def survives(self, error: Exception) -> bool:
        self.survived.append(error)
        return True


class Deaf(Message):
    """Something that a widget says."""


class Hearing(Input):
    """Fails at every message, and counts them."""

    heard = 0

    def on_deaf(self) -> None:
        self.heard += 1
        raise ZeroDivisionError

    def fail_in_worker(self) -> None:
        async def work() -> None:
            raise LookupError

        self.run_worker(work())


async def test_an_app_may_survive_what_handlers_and_workers_raise_and_the_widget_goes_on() -> None:
    assert parameters(App._handle_exception) == ["self", "error"]
    assert parameters(MessagePump._dispatch_message) == ["pump", "message"]
    assert parameters(textual_private._dispatch_message) == ["self", "message"]
    app = Surviving()
    async with app.run_test() as pilot:
        widget = Hearing()
        await app.mount(widget)
        widget.post_message(Deaf())
        widget.post_message(Deaf())
        await pilot.pause()
        assert widget.heard == 2, "it takes messages after the first has failed"
        widget.fail_in_worker()
        await pilot.pause()
        assert list(map(type, app.survived)) == [ZeroDivisionError, ZeroDivisionError, LookupError]
        assert not app.is_leaving
        app.exit()
        assert app.is_leaving


async def test_a_deaf_screen_hears_no_keys_and_nothing_of_its_widgets_but_can_be_removed() -> None:
    class Screened(DeafScreen[None]):
        heard: ClassVar[list[str]] = []

        def on_key(self, event: events.Key) -> None:
            event.stop()
            self.heard.append(event.key)

        def on_deaf(self) -> None:
            self.heard.append("widget")

    app = Surviving()
    async with app.run_test() as pilot:
        screen = Screened()
        await app.push_screen(screen)
        await asyncio.wait_for(screen.wait_until_mounted(), 5)
        for screen.is_deaf in (False, True):
            screen.post_message(events.Key("a", "a"))
            screen.post_message(Deaf())
            await pilot.pause()
        assert screen.heard == ["a", "widget"]
        await app.pop_screen()
        assert not screen.is_attached
    assert not app.survived


async def test_a_page_can_be_turned_in_a_list_that_was_not_drawn_yet() -> None:
    assert parameters(OptionList._move_page) == ["options", "direction"]
    app = Surviving()
    async with app.run_test() as pilot:
        options = OptionList("a", "b")
        options.action_page_down()
        await app.mount(options)
        options.action_page_down()
        await pilot.pause()
        options.highlighted = 0
        options.action_page_down()
        assert options.highlighted == 1


async def test_an_app_writes_to_the_terminal_through_its_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    app: App[None] = App()
    assert app._driver is None
    write_to_terminal(app, "lost, and no error")
    written: list[str] = []
    async with app.run_test():
        assert isinstance(app._driver, Driver)
        assert parameters(Driver.write) == ["self", "data"]
        monkeypatch.setattr(app._driver, "write", written.append)
        write_to_terminal(app, "\x1b]9;words\x07")
        assert written == ["\x1b]9;words\x07"]
        app.copy_to_clipboard("x")
        assert written[-1].startswith("\x1b]52;"), "Textual's own sequences take the same way"


@pytest.mark.skipif(sys.platform == "win32", reason="another driver")
async def test_the_linux_driver_writes_to_the_file_put_in_the_place_of_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from textual.drivers import linux_driver

    class Recorded(Exception):
        """Ends the start of the driver once it has made its writer."""

    given: list[object] = []

    def record(file: object) -> None:
        given.append(file)
        raise Recorded

    class Input:
        """A keyboard that is no terminal."""

        def fileno(self) -> int:
            return 0

        def isatty(self) -> bool:
            return False

    monkeypatch.setattr(sys, "__stdin__", Input())
    monkeypatch.setattr(linux_driver.signal, "signal", lambda *_: None)
    monkeypatch.setattr(linux_driver.os, "isatty", lambda _: False)
    monkeypatch.setattr(linux_driver, "WriterThread", record)
    options = ["app", "debug", "mouse", "size"]
    assert parameters(linux_driver.LinuxDriver) == options
    driver = linux_driver.LinuxDriver(App())
    assert driver._file is sys.__stderr__
    replace_output(driver, lambda file: ("wrapped", file))
    with pytest.raises(Recorded):
        driver.start_application_mode()
    assert given == [("wrapped", sys.__stderr__)]


class Framed(Widget):
    """Ten lines in a frame, which says which of them were drawn."""

    DEFAULT_CSS = "Framed { border: round red; padding: 1 2; height: 10; width: 30; }"

    def __init__(self) -> None:
        super().__init__()
        self.drawn: list[int] = []

    def render_line(self, y: int) -> Strip:
        self.drawn.append(y)
        return Strip.blank(self.size.width)


async def test_words_in_a_frame_draw_their_lines_and_not_what_is_framed() -> None:
    class Showing(App[None]):
        def compose(self) -> Iterable[Widget]:
            yield Framed()

    app = Showing()
    async with app.run_test() as pilot:
        widget = app.query_one(Framed)
        for title, subtitle in (("a name", "1 s"), ("a name", "2 s"), ("[b]another[/b]", "2 s")):
            widget.drawn.clear()
            set_frame_words(widget, Content(title), Content(subtitle))
            await pilot.pause()
            lines = [strip.text for strip in app.screen._compositor.render_strips()]
            assert title in lines[0]
            assert subtitle in lines[9]
            assert not widget.drawn
        # The public names draw all of it. Where they no longer do, they can be used.
        widget.border_subtitle = "3 s"
        await pilot.pause()
        assert widget.drawn


# Nowhere else


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__") and name not in {"_", *NAMED_TUPLE}


@cache
def own_private_names(cls: type) -> frozenset[str]:
    """The private methods and attributes that a class of Textual itself sets or defines."""
    names = {name for name in vars(cls) if is_private(name)}
    tree = ast.parse(inspect.cleandoc("\n" + inspect.getsource(cls)))
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and is_private(node.attr):
            names.add(node.attr)
    return frozenset(names)


def textual_names(cls: type) -> set[str]:
    """The private names that the Textual classes which `cls` inherits from take for themselves."""
    bases = [base for base in cls.__mro__ if base.__module__.partition(".")[0] == "textual"]
    return {name for base in bases for name in own_private_names(base)}


def private_imports(tree: ast.AST) -> Iterator[str]:
    """Every import from a private module of Textual, or of a private name of it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            modules: Iterable[str] = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            modules = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for module in modules:
            first, *rest = module.split(".")
            if first == "textual" and any(map(is_private, rest)):
                yield f"line {node.lineno}: {module}"


def names_of_class(tree: ast.ClassDef) -> Iterator[tuple[int, str]]:
    """Every private method and attribute that a class defines, overrides or uses of itself."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and is_private(node.name):
            yield node.lineno, node.name
        elif isinstance(node, ast.Attribute) and is_private(node.attr) and ast.unparse(node.value) in OWN:
            yield node.lineno, node.attr


def foreign_private_attributes(tree: ast.AST) -> Iterator[str]:
    """Every private attribute of something that is neither `self`, `cls` nor `super()`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and is_private(node.attr):
            receiver = ast.unparse(node.value)
            if receiver not in OWN:
                yield f"line {node.lineno}: {receiver}.{node.attr}"


def offences(tree: ast.Module, classes: dict[str, type]) -> list[str]:
    """What a module does with private parts of Textual, or with private parts that might be Textual's."""
    offences_seen = [*private_imports(tree), *foreign_private_attributes(tree)]
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef) and (cls := classes.get(node.name)) is not None:
            taken = textual_names(cls)
            offences_seen += [
                f"line {line}: {name} is Textual's" for line, name in names_of_class(node) if name in taken
            ]
    return offences_seen


MODULES = sorted(module.name for module in pkgutil.walk_packages(moa_tui.ui.__path__, "moa_tui.ui."))


@pytest.mark.parametrize("name", MODULES)
def test_no_other_module_reaches_into_private_parts_of_textual(name: str) -> None:
    module = importlib.import_module(name)
    path = Path(str(module.__file__))
    if path == ALLOWED:
        return
    classes = {each.__name__: each for each in vars(module).values() if isinstance(each, type)}
    assert not offences(ast.parse(path.read_text(encoding="utf-8")), classes)


def test_all_modules_of_the_screens_are_looked_at() -> None:
    files = {path for path in HOME.rglob("*.py") if path.parent != HOME or path.name != "__init__.py"}
    assert {Path(str(importlib.import_module(name).__file__)) for name in MODULES} == files


@pytest.mark.parametrize(
    "code",
    [
        "from textual._xterm_parser import XTermParser",
        "import textual.document._edit",
        "from textual import _loop",
        "def write(app):\n    app._driver.write('x')",
        "class Mine(App):\n    def _fatal_error(self):\n        pass",
        "class Mine(App):\n    def leave(self):\n        self._close_messages_no_wait()",
        "class Mine(App):\n    def leave(self):\n        super()._fatal_error()",
        "class Mine(App):\n    def __init__(self):\n        self._exit_renderables = []",
    ],
)
def test_reaching_in_is_seen(code: str) -> None:
    class Mine(App[None]):
        """Stands for the class of the same name in the code."""

    assert offences(ast.parse(code), {"Mine": Mine})
