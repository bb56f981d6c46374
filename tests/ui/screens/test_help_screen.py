"""The help: it lists the keys in force, narrows down while typing, and closes by its keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.events import Paste
from textual.screen import ModalScreen
from textual.widgets import Input, Static, TextArea

from moa_tui.ui.screens.help_screen import HelpScreen, keys_in_force
from tests.helpers import wait_until
from tests.ui.given import key

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.pilot import Pilot

SECTIONS = [
    ("Pane", [("s", "Stop this agent"), ("^g", "Aggregate now")]),
    ("Chat", [("^q", "Quit [bold]now[/]"), ("f2", "Recipes")]),
    ("Long", [(f"f{number}", f"Do thing {number}") for number in range(40)]),
]


class Pane(Static, can_focus=True):
    HELP_TITLE = "Pane"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("s", "stop", "Stop this agent", id="pane.stop"),
        Binding("j,down", "next", "Next pane", id="pane.next"),
        Binding("z", "nothing", id="pane.nothing"),
        Binding("x", "leave_out", "Leave out", id="pane.leave_out"),
        Binding("u", "use", "Use as the answer", id="pane.use"),
    ]

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return {"leave_out": False, "use": None}.get(action, True)


class Helped(App[None]):
    """An app with one pane and keys of its own."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+n", "new", "New conversation", id="app.new"),
        Binding("s", "save", "Save", id="app.save"),
    ]
    closed = False

    def compose(self) -> ComposeResult:
        yield Pane("pane")
        yield Input()

    async def show(self, sections: Sequence[tuple[str, Sequence[tuple[str, str]]]] = SECTIONS) -> None:
        await self.push_screen(HelpScreen(sections), self._gone)

    def _gone(self, _: object) -> None:
        self.closed = True


async def sections_of(app: App[Any], pilot: Pilot[None], focus: str = "Pane") -> dict[str, dict[str, str]]:
    """The keys in force with `focus` focused: title -> what it does -> keys."""
    app.screen.query_one(focus).focus()
    await pilot.pause()
    return {title: {does: keys for keys, does in rows} for title, rows in keys_in_force(app.screen)}


def text(app: App[Any]) -> str:
    """What the rows of the screen say."""
    return "\n".join(
        "".join(segment.text for segment in strip).rstrip()
        for strip in app.screen._compositor.render_strips()
    )


async def test_keys_are_grouped_from_the_focus_outwards_and_named_with_the_id_config_knows() -> None:
    app = Helped()
    async with app.run_test(size=(80, 24)) as pilot:
        found = await sections_of(app, pilot)
        assert next(iter(found)) == "Pane"
        assert list(found)[-1] == "Helped"
        assert found["Pane"]["Stop this agent  (pane.stop)"] == "s"
        assert found["Helped"]["New conversation  (app.new)"] == "^n"


async def test_the_many_keys_of_a_text_field_come_last() -> None:
    class WithText(Helped):
        def compose(self) -> ComposeResult:
            yield from super().compose()
            yield TextArea()

    app = WithText()
    async with app.run_test(size=(80, 24)) as pilot:
        found = await sections_of(app, pilot, "TextArea")
        assert list(found)[-1] == "Writing"
        assert "Cursor left" in " ".join(found["Writing"])
        assert found["WithText"]["New conversation  (app.new)"] == "^n"


async def test_a_binding_of_two_keys_is_one_row() -> None:
    app = Helped()
    async with app.run_test(size=(80, 24)) as pilot:
        assert (await sections_of(app, pilot))["Pane"]["Next pane  (pane.next)"] == "j, ↓"


async def test_what_is_hidden_disabled_or_without_words_is_left_out() -> None:
    app = Helped()
    async with app.run_test(size=(80, 24)) as pilot:
        found = await sections_of(app, pilot)
        assert set(found["Pane"]) == {"Stop this agent  (pane.stop)", "Next pane  (pane.next)"}
        assert "Save  (app.save)" not in found["Helped"], "the pane's key goes before"


async def test_the_keymap_decides_which_key_is_shown() -> None:
    app = Helped()
    async with app.run_test(size=(80, 24)) as pilot:
        app.set_keymap({"pane.stop": "f8", "pane.next": "n"})
        found = await sections_of(app, pilot)
        assert found["Pane"] == {"Stop this agent  (pane.stop)": "f8", "Next pane  (pane.next)": "n"}
        assert found["Helped"]["Save  (app.save)"] == "s", "the key is free now"


async def test_keys_an_input_would_take_are_not_in_force() -> None:
    app = Helped()
    async with app.run_test(size=(80, 24)) as pilot:
        found = await sections_of(app, pilot, "Input")
        assert "Pane" not in found
        assert "Save  (app.save)" not in found["Helped"]


async def test_under_a_modal_screen_only_its_own_keys_are_in_force() -> None:
    class Dialog(ModalScreen[None]):
        BINDINGS: ClassVar[list[BindingType]] = [Binding("o", "open", "Open it")]

        def compose(self) -> ComposeResult:
            yield Pane("pane")

    app = Helped()
    async with app.run_test(size=(80, 24)) as pilot:
        await app.push_screen(Dialog())
        found = await sections_of(app, pilot)
        assert found["Dialog"]["Open it"] == "o"
        assert "Helped" not in found


@pytest.mark.parametrize("key", ["escape", "f1", "q"])
async def test_it_closes_by(key: str) -> None:
    app = Helped()
    async with app.run_test(size=(80, 24)) as pilot:
        await app.show()
        await pilot.press(key)
        await wait_until(lambda: app.closed)


@key("help.close", "help.quit")
async def test_q_is_a_letter_once_something_is_typed() -> None:
    app = Helped()
    async with app.run_test(size=(80, 24)) as pilot:
        await app.show()
        await pilot.press("^", "q")
        await pilot.pause()
        assert not app.closed
        assert app.screen.query_one(Input).value == "^q"
        await pilot.press("backspace", "backspace", "q")
        await wait_until(lambda: app.closed)


async def test_it_shows_every_section_as_plain_text() -> None:
    app = Helped()
    async with app.run_test(size=(80, 24)) as pilot:
        await app.show()
        await pilot.pause()
        shown = text(app)
        assert "Stop this agent" in shown
        assert "Quit [bold]now[/]" in shown


@pytest.mark.parametrize(
    ("typed", "there", "gone"),
    [
        ("STOP", "Stop this agent", "Recipes"),
        ("ctrl+g", "Aggregate now", "Stop this agent"),
        ("^g", "Aggregate now", "Stop this agent"),
        ("chat", "Recipes", "Stop this agent"),
        ("now aggr", "Aggregate now", "Quit"),
    ],
)
async def test_typing_narrows_it_down_by(typed: str, there: str, gone: str) -> None:
    app = Helped()
    async with app.run_test(size=(80, 24)) as pilot:
        await app.show()
        app.screen.query_one(Input).value = typed
        await wait_until(lambda: there in text(app) and gone not in text(app))
        await pilot.pause()


async def test_it_says_so_when_nothing_is_found() -> None:
    app = Helped()
    async with app.run_test(size=(80, 24)) as pilot:
        await app.show()
        await pilot.press(*"[/x]")
        await wait_until(lambda: 'holds "[/x]"' in text(app))


TRACEBACK = """Traceback (most recent call last):
  File "/app.py", line 12, in ask
ConnectionRefusedError: [Errno 111] Connection refused
"""


@pytest.mark.parametrize("pasted", [TRACEBACK, TRACEBACK.replace("ask\n", "ask\n    call()\n" * 50_000)])
async def test_all_lines_of_a_pasted_error_are_searched_for(pasted: str) -> None:
    app = Helped()
    async with app.run_test(size=(80, 24)) as pilot:
        await app.show()
        app.screen.query_one(Input).post_message(Paste(pasted))
        await wait_until(lambda: "troubleshooting  Connections" in text(app))
        await pilot.pause()
        value = app.screen.query_one(Input).value
        assert value.startswith("Traceback (most recent call last): File")
        assert value.endswith("[Errno 111] Connection refused")
        assert len(value) <= 3_001
        app.screen.query_one(Input).post_message(Paste("\n"))
        await pilot.pause()
        assert app.screen.query_one(Input).value == value


@key("help.page_down", "help.page_up")
async def test_its_keys_scroll_while_the_filter_has_the_focus() -> None:
    app = Helped()
    async with app.run_test(size=(60, 20)) as pilot:
        await app.show()
        await pilot.pause()
        keys = app.screen.query_one("#help-keys")
        await pilot.press("pagedown")
        await wait_until(lambda: 0 < keys.scroll_y < keys.max_scroll_y)
        await pilot.press(*["pagedown"] * 9)
        await wait_until(lambda: keys.scroll_y == keys.max_scroll_y)
        assert "Do thing 39" in text(app)
        await pilot.press("pageup")
        await wait_until(lambda: keys.scroll_y < keys.max_scroll_y)
        await pilot.press("d")
        await wait_until(lambda: keys.scroll_y == 0)
        assert keys.max_scroll_y > 0
        assert isinstance(app.focused, Input)


async def test_help_without_any_section_opens() -> None:
    app = Helped()
    async with app.run_test(size=(60, 20)) as pilot:
        await app.show([])
        await pilot.pause()
        assert "No key" in text(app)
