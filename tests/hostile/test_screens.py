"""Keys in one read, work that is late or early, and faults of widgets: none of them ends the chat."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import pytest
from textual import events
from textual.containers import Vertical
from textual.geometry import Size
from textual.screen import Screen
from textual.widgets import Input, OptionList, Static

from moa_tui.settings import fault_log, paths
from moa_tui.settings.config import Settings
from moa_tui.ui.chat.fault_net import NOTE
from moa_tui.ui.chat.screen import ChatScreen
from moa_tui.ui.screens import history_screen
from moa_tui.ui.screens.checklist_screen import ChecklistScreen
from moa_tui.ui.screens.help_screen import HelpScreen
from moa_tui.ui.screens.history_screen import HistoryScreen
from moa_tui.ui.screens.link_screen import LinkScreen
from moa_tui.ui.screens.palette import Palette
from moa_tui.ui.screens.recipes.model_screen import ModelScreen
from moa_tui.ui.screens.recipes.recipe_dialogs import DropScreen, NameScreen
from moa_tui.ui.screens.recipes.recipe_editor import RecipeEditor
from moa_tui.ui.screens.recipes.recipe_screen import RecipeScreen
from moa_tui.ui.screens.sessions.sessions_screen import SessionsScreen
from moa_tui.ui.screens.sessions.stats_screen import StatsScreen
from moa_tui.ui.screens.theme_screen import ThemeScreen
from moa_tui.ui.widgets.agent_pane import AgentPane
from moa_tui.ui.widgets.status_bar import StatusBar
from moa_tui.ui.widgets.turn_view import TurnView
from tests.helpers import wait_until
from tests.ui.chat_app import ALONE, DUO, chat_app

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.ui.chat_app import Bench

DRAFT = "what is written here stays"


def post(bench: Bench, *keys: str) -> None:
    """Press keys as a terminal sends them in one read: none waits for what the one before does."""
    for key in keys:
        bench.app.post_message(events.Key(key, key if len(key) == 1 else None))


async def rest(bench: Bench) -> None:
    """Let all that was posted be dealt with."""
    for _ in range(8):
        await bench.settle()


async def opened(bench: Bench, kind: type[Screen[Any]]) -> Screen[Any]:
    """Wait until a screen of that kind lies uppermost, with its widgets, and has the keys."""
    await wait_until(lambda: isinstance(bench.app.screen, kind) and bench.app.screen.is_mounted)
    await rest(bench)
    return bench.app.screen


def stack(bench: Bench) -> list[str]:
    """The names of all screens above the chat."""
    return [type(screen).__name__ for screen in bench.app.screen_stack[1:]]


# Two keys in one read

OPENERS: dict[type[Screen[Any]], Callable[[Bench], object]] = {
    ThemeScreen: lambda bench: bench.app.choose_theme(),
    HelpScreen: lambda bench: bench.app.action_help(),
    LinkScreen: lambda bench: bench.app.ask_to_open("https://moa.example"),
    HistoryScreen: lambda bench: bench.screen.controllers.asking.search_history(),
    SessionsScreen: lambda bench: bench.screen.controllers.switching.show_list(),
    StatsScreen: lambda bench: bench.screen.controllers.switching.show_stats(),
    RecipeScreen: lambda bench: bench.screen.controllers.choosing.show_recipes(),
    ModelScreen: lambda bench: bench.screen.controllers.choosing.use_aggregator(""),
}


@pytest.mark.parametrize("kind", OPENERS, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize(
    "keys", [("enter", "enter", "enter"), ("escape", "enter"), ("escape", "escape")], ids="-".join
)
async def test_keys_in_one_read_close_a_screen_once_and_do_nothing_below(
    kind: type[Screen[Any]], keys: tuple[str, ...]
) -> None:
    async with chat_app(ALONE) as bench:
        await bench.ask("an earlier prompt")
        bench.prompt.fill(DRAFT)
        OPENERS[kind](bench)
        await opened(bench, kind)
        post(bench, *keys)
        await rest(bench)
        # Enter in the help opens a page above it, once.
        assert len(stack(bench)) <= (2 if kind is HelpScreen else 1)
        assert len(bench.transcript.turns) == 1, "nothing was sent"
        if keys[0] == "escape":
            assert stack(bench) == []
            assert bench.prompt.expanded == DRAFT


async def test_an_escape_too_many_does_not_stop_the_run_below() -> None:
    gate = asyncio.Event()
    async with chat_app(ALONE, alone=[["begun", gate]]) as bench:
        await bench.submit("hello")
        await bench.until_writing("alone")
        bench.app.choose_theme()
        await opened(bench, ThemeScreen)
        post(bench, "escape", "escape")
        await rest(bench)
        assert stack(bench) == []
        assert bench.session.is_running
        await bench.press("escape")
        await bench.until_idle()
        bench.open(gate)


async def test_letters_typed_behind_an_escape_are_not_lost_to_the_prompt() -> None:
    async with chat_app(ALONE) as bench:
        await bench.press("f1")
        await opened(bench, HelpScreen)
        post(bench, "escape")
        await wait_until(lambda: not stack(bench))
        post(bench, *"hi")
        await wait_until(lambda: bench.prompt.expanded == "hi")


async def test_two_enters_in_the_history_take_the_prompt_once() -> None:
    async with chat_app(ALONE) as bench:
        await bench.ask("an earlier prompt")
        post(bench, "ctrl+r")
        await opened(bench, HistoryScreen)
        await wait_until(lambda: bench.app.screen.query_one(OptionList).highlighted == 0)
        post(bench, "enter", "enter")
        await rest(bench)
        assert stack(bench) == []
        assert bench.prompt.expanded == "an earlier prompt"


async def test_enters_in_the_palette_over_five_screens_run_its_command_once() -> None:
    async with chat_app(ALONE) as bench:
        for kind in (RecipeScreen, ModelScreen, StatsScreen, SessionsScreen, LinkScreen):
            OPENERS[kind](bench)
            await opened(bench, kind)
        await bench.press("ctrl+p")
        palette = await opened(bench, Palette)
        palette.query_one(Input).value = "Theme"
        await wait_until(lambda: palette.query_one(OptionList).option_count)
        await bench.press("down")
        post(bench, "enter", "enter", "enter")
        await wait_until(lambda: "Palette" not in stack(bench))
        await rest(bench)
        assert len(stack(bench)) == 6
        assert stack(bench).count("ThemeScreen") <= 1


@pytest.mark.parametrize(
    "keys", [("ctrl+p", "escape", "ctrl+p"), ("ctrl+p", "f1", "ctrl+p"), ("f1", "f1", "f1")]
)
async def test_one_screen_is_opened_closed_and_opened_again_in_one_read(keys: tuple[str, ...]) -> None:
    async with chat_app(ALONE) as bench:
        post(bench, *keys)
        await rest(bench)
        assert all(stack(bench).count(name) <= 2 for name in stack(bench))


@pytest.mark.parametrize("opener", ["ctrl+s", "ctrl+r", "f2", "f1", "ctrl+p"])
@pytest.mark.parametrize("key", ["enter", "escape", "down", "tab", "ctrl+e", "f7", "delete", "a"])
async def test_a_key_may_come_before_the_screen_that_it_is_for_has_its_widgets(opener: str, key: str) -> None:
    async with chat_app(ALONE) as bench:
        post(bench, opener, key)
        await rest(bench)
        assert isinstance(bench.app.screen_stack[0], ChatScreen)


@pytest.mark.parametrize("opener", ["ctrl+s", "ctrl+r", "f2", "ctrl+p"])
@pytest.mark.parametrize("key", ["pageup", "pagedown", "home", "end"])
async def test_a_page_may_be_turned_in_a_list_before_it_is_drawn_and_while_it_has_no_room(
    opener: str, key: str
) -> None:
    async with chat_app(ALONE) as bench:
        await bench.ask("an earlier prompt")
        post(bench, opener, key, key)
        await rest(bench)
        bench.app.post_message(events.Resize(Size(1, 1), Size(1, 1)))
        post(bench, key, key)
        await rest(bench)
        assert len(stack(bench)) == 1


# What lies above


async def test_a_screen_that_is_left_below_another_waits_until_that_one_is_left() -> None:
    async with chat_app(ALONE) as bench:
        results: list[str | None] = []
        history = HistoryScreen(["x"])
        bench.app.push_screen(history, results.append)
        await opened(bench, HistoryScreen)
        await bench.press("f1")
        await opened(bench, HelpScreen)
        history.dismiss("first")
        history.dismiss("second")
        await rest(bench)
        assert stack(bench) == ["HistoryScreen", "HelpScreen"]
        await bench.press("escape")
        await wait_until(lambda: not stack(bench))
        await rest(bench)
        assert results == ["first"]


async def test_the_checklist_of_a_stopped_run_goes_once_the_help_above_it_does() -> None:
    points = "- [ ] It was a bird.\n- [ ] It could fly."
    async with chat_app(DUO, settings=Settings(guided=True), judge=[[points]]) as bench:
        await bench.submit("hello")
        await opened(bench, ChecklistScreen)
        await bench.press("f1")
        await opened(bench, HelpScreen)
        bench.session.stop()
        await wait_until(lambda: bench.session.run is None)
        await rest(bench)
        assert "HelpScreen" in stack(bench)
        await bench.press("escape")
        await wait_until(lambda: not stack(bench))


async def test_a_result_for_a_screen_that_has_left_is_dropped() -> None:
    async with chat_app(ALONE) as bench:
        OPENERS[RecipeScreen](bench)
        recipes = await opened(bench, RecipeScreen)
        assert isinstance(recipes, RecipeScreen)
        results: list[bool | None] = []
        recipes.open(DropScreen("Dropped?"), results.append)
        dialog = await opened(bench, DropScreen)
        recipes.is_deaf = True
        dialog.dismiss(True)
        await rest(bench)
        recipes.open(DropScreen("Dropped?"), results.append)
        assert results == []
        assert stack(bench) == ["RecipeScreen"]
        recipes.is_deaf = False
        recipes.dismiss(None)


async def test_the_changes_of_a_recipe_are_not_dropped_by_keys_in_one_read() -> None:
    async with chat_app(DUO) as bench:
        await bench.press("f2")
        recipes = await opened(bench, RecipeScreen)
        await wait_until(lambda: recipes.query_one(OptionList).option_count)
        await bench.press("ctrl+e")
        await opened(bench, RecipeEditor)
        await bench.press("c")
        post(bench, "escape", "enter", "enter")
        await rest(bench)
        assert stack(bench) == ["RecipeScreen", "RecipeEditor"]


# Work that ends late


async def test_a_search_that_ends_after_its_screen_was_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def search(*arguments: Any) -> list[Any]:
        begun.set()
        go_on.wait(10)
        return []

    async with chat_app(ALONE) as bench:
        monkeypatch.setattr(history_screen, "search", search)
        await bench.press("ctrl+r")
        screen = await opened(bench, HistoryScreen)
        await wait_until(begun.is_set)
        post(bench, "escape")
        await wait_until(lambda: not screen.is_attached)
        go_on.set()
        await rest(bench)


@pytest.mark.parametrize(
    ("kind", "target"),
    [
        (ModelScreen, "moa_tui.recipes.models.ModelCatalog.models"),
        (RecipeScreen, "moa_tui.recipes.catalog.RecipeCatalog.recipes"),
        (StatsScreen, "moa_tui.chat.library.Library.figures"),
        (SessionsScreen, "moa_tui.ui.screens.sessions.sessions_screen.find"),
    ],
)
@pytest.mark.parametrize("when", ["closing", "closed"])
async def test_what_is_read_for_a_screen_may_come_while_it_closes(
    kind: type[Screen[Any]], target: str, when: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def read(*arguments: Any) -> object:
        begun.set()
        go_on.wait(10)
        return figures if kind is StatsScreen else ()

    async with chat_app(ALONE) as bench:
        figures = bench.library.figures(None)
        monkeypatch.setattr(target, read)
        OPENERS[kind](bench)
        screen = await opened(bench, kind)
        await wait_until(begun.is_set)
        if when == "closing":
            go_on.set()
            post(bench, "escape")
        else:
            post(bench, "escape")
            await wait_until(lambda: not screen.is_attached)
            go_on.set()
        await wait_until(lambda: not stack(bench))
        await rest(bench)


async def test_a_name_is_looked_up_while_its_dialog_closes() -> None:
    begun, go_on = threading.Event(), threading.Event()

    def is_taken(name: str) -> bool:
        begun.set()
        return go_on.wait(10)

    async with chat_app(ALONE) as bench:
        results: list[object] = []
        bench.app.push_screen(NameScreen("mine", is_taken), results.append)
        await opened(bench, NameScreen)
        post(bench, "enter")
        await wait_until(begun.is_set)
        post(bench, "escape")
        await wait_until(lambda: not stack(bench))
        go_on.set()
        await rest(bench)
        assert results == [None]


# Faults of widgets


@pytest.fixture(autouse=True)
def log() -> Iterator[None]:
    with fault_log.opened():
        yield


class Fault(Exception):
    """A fault of ours, on purpose."""


def fail(*_: object, **__: object) -> Any:
    raise Fault("canary-of-the-text")


async def expect_faults(bench: Bench) -> None:
    """Wait for a fault of `fail`, and take it out: it was meant."""
    await wait_until(lambda: bench.app.faults)
    await rest(bench)
    assert all(isinstance(error, Fault) for error in bench.app.faults)
    bench.app.faults.clear()


def logged() -> str:
    text = paths.fault_log_file().read_text(encoding="utf-8")
    assert "canary-of-the-text" not in text
    return text


@pytest.mark.parametrize("method", ["render_line", "render_lines", "get_content_height"])
async def test_a_turn_that_cannot_be_drawn_shows_a_note_and_the_chat_goes_on(
    method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with chat_app(ALONE) as bench:
        await bench.ask("first")
        with monkeypatch.context() as patch:
            patch.setattr(TurnView, method, fail)
            bench.app.post_message(events.Resize(bench.app.size, bench.app.size))
            bench.screen.refresh(layout=True)
            bench.turn.refresh(layout=True)
            await expect_faults(bench)
            await bench.until_shown(NOTE[:40])
            assert "moa-tui has a fault" in bench.notices
            assert "canary" not in bench.notices
            faults = logged().count(" bug ")
            bench.screen.refresh()
            await rest(bench)
            assert logged().count(" bug ") == faults, "the note is drawn without a fault"
        await bench.ask("second")
        await bench.until_shown("alone says 2")


class Dialog(Screen[None]):
    """A screen with a widget that fails where a test wants it to."""

    BINDINGS = [("escape", "dismiss", "Close")]  # noqa: RUF012

    def __init__(self, widget: Static) -> None:
        super().__init__()
        self._widget = widget

    def compose(self) -> Any:
        with Vertical():
            yield self._widget
            yield Input()


class FailsAtKey(Input):
    """Fails at one key."""

    async def _on_key(self, event: events.Key) -> None:
        if event.key == "x":
            fail()
        await super()._on_key(event)


class FailsInCompose(Static):
    compose = fail


class FailsAtMount(Static):
    on_mount = fail


class FailsInTimer(Static):
    def on_mount(self) -> None:
        self.set_interval(0.01, fail)


class FailsInWorker(Static):
    def on_mount(self) -> None:
        async def work() -> None:
            fail()

        self.run_worker(work())


class FailsAfterRefresh(Static):
    def on_mount(self) -> None:
        self.call_after_refresh(fail)


class FailsAtResize(Static):
    on_resize = fail


class FailsInRender(Static):
    render_line = fail


@pytest.mark.parametrize(
    "kind",
    [
        *(FailsInCompose, FailsAtMount, FailsInTimer, FailsInWorker),
        *(FailsAfterRefresh, FailsAtResize, FailsInRender),
    ],
    ids=lambda kind: kind.__name__,
)
async def test_the_chat_and_its_run_outlive_a_fault_of_any_widget(kind: type[Static]) -> None:
    gate = asyncio.Event()
    async with chat_app(ALONE, alone=[["begun", gate, " and ended"]]) as bench:
        await bench.submit("hello")
        await bench.until_writing("alone")
        bench.app.push_screen(Dialog(kind("text")))
        await expect_faults(bench)
        await rest(bench)
        assert len([line for line in bench.notices.splitlines() if "has a fault" in line]) == 1
        assert 1 <= logged().count(" bug ") <= 3, "a repeated fault does not flood the log"
        post(bench, "escape")
        await wait_until(lambda: not stack(bench))
        bench.open(gate)
        await bench.until_idle()
        bench.app.faults.clear()
        await bench.until_shown("begun and ended")


async def test_a_widget_takes_keys_after_one_of_them_has_failed() -> None:
    async with chat_app(ALONE) as bench:
        field = FailsAtKey()
        await bench.app.push_screen(Dialog(field))  # type: ignore[arg-type]
        field.focus()
        await rest(bench)
        post(bench, "x", "a", "b")
        await expect_faults(bench)
        await wait_until(lambda: field.value == "ab")


@pytest.mark.parametrize("kind", [TurnView, AgentPane], ids=lambda kind: kind.__name__)
async def test_a_run_ends_and_is_stored_though_its_widget_fails_at_every_tick(
    kind: type[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with chat_app(DUO) as bench:
        with monkeypatch.context() as patch:
            patch.setattr(kind, "tick", fail)
            await bench.submit("hello")
            await wait_until(lambda: bench.session.run is None and bench.chat.turn is not None)
            await expect_faults(bench)
        assert bench.chat.turn is not None
        assert bench.chat.turn.outcome is not None
        assert bench.chat.turn.outcome.answer == "judge says 1"
        assert bench.notices.count("has a fault") <= 2
        await bench.ask("again")


async def test_ctrl_q_leaves_though_the_question_whether_it_may_fails(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with chat_app(ALONE) as bench:
        monkeypatch.setattr(bench.screen.controllers.switching, "require_may_leave", fail)
        post(bench, "ctrl+q")
        await wait_until(lambda: bench.app.is_leaving)
        bench.app.faults.clear()


# What cannot go on


async def test_a_screen_that_cannot_be_drawn_at_all_ends_the_program(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Fault):
        async with chat_app(ALONE) as bench:
            monkeypatch.setattr("textual._compositor.Compositor._render_chops", fail)

            def is_over() -> bool:
                bench.screen.refresh()
                return not bench.app.is_running

            await wait_until(is_over)
    assert "bug" in logged()


async def test_a_chat_that_cannot_be_built_ends_the_program(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(StatusBar, "__init__", fail)
    with pytest.raises(Fault):
        async with chat_app(ALONE):
            pass


async def test_faults_without_end_end_the_program(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("moa_tui.ui.chat.fault_net._MOST_IN_WINDOW", 50)
    with pytest.raises(Fault):
        async with chat_app(ALONE) as bench:
            for _ in range(60):
                bench.app.call_later(fail)
            await wait_until(lambda: not bench.app.is_running)
