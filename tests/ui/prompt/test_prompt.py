"""The prompt: keys, pastes and their tokens, history."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, ClassVar

import pytest
from textual import events
from textual.app import App
from textual.widgets import Button

from moa_tui.ui.prompt.completion import CompletionList
from moa_tui.ui.prompt.prompt import Prompt
from tests.ui.given import key

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.binding import BindingType
    from textual.pilot import Pilot

LONG = "".join(f"line {number}\n" for number in range(1, 215))
TOKEN = "[paste 1: 214 lines]".replace(" ", "\u00a0")


class Host(App[None]):
    CSS = "Screen { align: left bottom; }"
    AUTO_FOCUS = "Prompt"

    def __init__(self, earlier: list[str] | None = None) -> None:
        super().__init__()
        self.sent: list[str] = []
        completions = CompletionList()
        self.prompt = Prompt(completions)
        self.prompt.earlier = earlier or []
        self.completions = completions

    def compose(self) -> ComposeResult:
        yield Button("other")
        yield self.completions
        yield self.prompt

    def on_prompt_submitted(self, event: Prompt.Submitted) -> None:
        self.sent.append(event.text)


async def paste(pilot: Pilot[None], text: str) -> None:
    """As the terminal's paste comes in: through the app, to what has the focus."""
    pilot.app.post_message(events.Paste(text))
    await pilot.pause()


async def test_keys_reach_it_from_the_first_frame_and_enter_sends() -> None:
    app = Host()
    async with app.run_test() as pilot:
        await pilot.press(*"hi", "enter")
        assert app.sent == ["hi"]
        assert app.prompt.text == "hi"  # Whoever takes it on empties it.
        app.prompt.reset()
        assert app.prompt.text == ""


async def test_keys_that_come_in_a_burst_are_taken_in_their_order() -> None:
    app = Host()
    async with app.run_test() as pilot:
        burst = ["a", "b", "c", "left", "x", "backspace", "y", "enter", "z"]
        for key in burst:
            app.post_message(events.Key(key, key if len(key) == 1 else None))
        await pilot.pause()
        assert (app.sent, app.prompt.text) == (["abyc"], "abyzc")


@key("prompt.send")
async def test_only_spaces_are_not_sent_and_stay() -> None:
    app = Host()
    async with app.run_test() as pilot:
        await pilot.press("space", "ctrl+j", "space", "enter")
        assert (app.sent, app.prompt.text) == ([], " \n ")


@pytest.mark.parametrize("key", ["ctrl+j", "shift+enter"])
async def test_a_new_line_by_each_key_a_terminal_may_send(key: str) -> None:
    app = Host()
    async with app.run_test() as pilot:
        await pilot.press("a", key, "b", "enter")
        assert app.sent == ["a\nb"]


async def test_it_grows_to_ten_rows_and_then_scrolls() -> None:
    app = Host()
    async with app.run_test(size=(80, 24)) as pilot:
        heights = []
        for _ in range(12):
            heights.append(app.prompt.size.height)
            await pilot.press("x", "ctrl+j")
        assert heights == [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 10, 10]
        app.prompt.fill("word " * 40)
        await pilot.pause()
        assert app.prompt.size.height == 3
        app.prompt.reset()
        await pilot.pause()
        assert app.prompt.size.height == 1


async def test_tab_moves_the_focus_on() -> None:
    app = Host()
    async with app.run_test() as pilot:
        await pilot.press("a", "tab")
        assert isinstance(app.focused, Button)
        assert app.prompt.text == "a"


async def test_a_short_paste_stays_as_it_is_and_is_put_in_once() -> None:
    app = Host()
    async with app.run_test() as pilot:
        await pilot.press("a", "b", "left")
        await paste(pilot, "1\r\n\t2\r3\x1b[31m\0!")
        assert app.prompt.text == "a1\n\t2\n3!b"


async def test_a_paste_takes_the_selections_place() -> None:
    app = Host()
    async with app.run_test() as pilot:
        await pilot.press("a", "b", "shift+left")
        await paste(pilot, "X")
        assert app.prompt.text == "aX"


async def test_a_long_paste_is_a_token_and_is_sent_whole() -> None:
    app = Host()
    async with app.run_test() as pilot:
        await pilot.press("a", "space")
        await paste(pilot, LONG)
        await pilot.press("b")
        assert app.prompt.text == f"a {TOKEN}b"
        assert app.prompt.expanded == f"a {LONG}b"
        await pilot.press("enter")
        assert app.sent == [f"a {LONG}b"]


async def test_the_same_words_typed_by_hand_mean_nothing() -> None:
    app = Host()
    async with app.run_test() as pilot:
        await paste(pilot, LONG)
        await pilot.press("ctrl+u", *"[paste 1: 214 lines]", "enter")
        assert app.sent == ["[paste 1: 214 lines]"]


@pytest.mark.parametrize("key", ["backspace", "ctrl+w"])
async def test_a_key_that_deletes_backwards_takes_the_whole_token(key: str) -> None:
    app = Host()
    async with app.run_test() as pilot:
        await pilot.press("a")
        await paste(pilot, LONG)
        await pilot.press("b", "left", key)
        assert app.prompt.text == "ab"
        await pilot.press("ctrl+z")
        assert app.prompt.expanded == f"a{LONG}b"


async def test_delete_in_front_of_a_token_takes_it_whole() -> None:
    app = Host()
    async with app.run_test() as pilot:
        await paste(pilot, LONG)
        await pilot.press("b", "home", "delete")
        assert app.prompt.text == "b"


async def test_the_cursor_steps_over_a_token() -> None:
    app = Host()
    async with app.run_test() as pilot:
        await pilot.press("a")
        await paste(pilot, LONG)
        end = 1 + len(TOKEN)
        assert app.prompt.cursor_location == (0, end)
        await pilot.press("left")
        assert app.prompt.cursor_location == (0, 1)
        await pilot.press("right")
        assert app.prompt.cursor_location == (0, end)
        await pilot.press("shift+left")
        assert app.prompt.selected_text == LONG
        app.prompt.move_cursor((0, 0))
        app.prompt.move_cursor((0, 4))
        assert app.prompt.cursor_location == (0, 1)


@key("prompt.open_paste")
async def test_a_paste_is_opened_by_key_and_folded_again_by_undo() -> None:
    app = Host()
    async with app.run_test() as pilot:
        await paste(pilot, LONG)
        await paste(pilot, "y" * 10_001)
        await pilot.press("home", "f5")
        assert app.prompt.text.startswith(LONG)
        assert "10,001\u00a0characters" in app.prompt.text
        await pilot.press("ctrl+z")
        assert app.prompt.text.startswith(TOKEN)
        await pilot.press("ctrl+y")
        assert app.prompt.text.startswith(LONG)


async def test_a_paste_is_opened_by_a_click() -> None:
    app = Host()
    async with app.run_test() as pilot:
        await pilot.press("a")
        await paste(pilot, LONG)
        await pilot.click(Prompt, offset=(10, 0))
        assert app.prompt.text == f"a{LONG}"


async def test_the_key_that_opens_is_offered_only_with_a_paste() -> None:
    app = Host()
    async with app.run_test() as pilot:
        assert "f5" not in app.screen.active_bindings
        await pilot.press("f5")
        await paste(pilot, LONG)
        assert "f5" in app.screen.active_bindings


async def test_five_megabytes_are_a_token_at_once() -> None:
    app = Host()
    async with app.run_test() as pilot:
        text = "some words of a line\n" * 250_000
        before = time.thread_time()
        app.prompt.insert_paste(text)
        assert time.thread_time() - before < 1, "seconds of this thread's work"
        assert app.prompt.text.startswith("[paste\u00a01:\u00a0250,000")
        await pilot.press("f5")
        assert app.prompt.text.startswith("[paste")  # Too long to be edited here.
        await pilot.press("enter")
        assert app.sent == [text]


async def test_a_binary_paste_is_refused_with_a_notice() -> None:
    app = Host()
    async with app.run_test() as pilot:
        await paste(pilot, "\x89PNG\ufffd\ufffd\x01\x02abc")
        assert app.prompt.text == ""
        assert any("no text" in notice.message for notice in app._notifications)


async def test_what_was_cut_or_copied_comes_back_with_its_pastes() -> None:
    app = Host()
    async with app.run_test() as pilot:
        await paste(pilot, LONG)
        await pilot.press("f7", "ctrl+x")
        assert (app.prompt.text, app.clipboard) == ("", LONG)
        await pilot.press("ctrl+v")
        assert app.prompt.expanded == LONG
        assert app.prompt.text != LONG


class Quitting(Host):
    BINDINGS: ClassVar[list[BindingType]] = [("ctrl+c", "ask_to_quit")]
    asked = 0

    def action_ask_to_quit(self) -> None:
        self.asked += 1


async def test_the_copy_key_is_the_apps_own_while_nothing_is_selected() -> None:
    app = Quitting()
    async with app.run_test() as pilot:
        await pilot.press("a", "ctrl+c")
        assert (app.asked, app.clipboard) == (1, "")
        await pilot.press("f7", "ctrl+c")
        assert (app.asked, app.clipboard) == (1, "a")


async def test_up_and_down_walk_the_history_and_keep_the_draft() -> None:
    app = Host(["first", "second\nof two lines"])
    async with app.run_test() as pilot:
        await pilot.press(*"draft", "up")
        assert app.prompt.text == "second\nof two lines"
        await pilot.press("up")
        assert app.prompt.text == "first"
        await pilot.press("up")
        assert app.prompt.text == "first"
        await pilot.press("!", "down", "down", "down", "down")
        assert app.prompt.text == "draft"
        await pilot.press("up", "up")
        assert app.prompt.text == "!first"  # What was changed on the way is not lost either.


@key("prompt.newline")
async def test_within_several_lines_up_and_down_move_the_cursor() -> None:
    app = Host(["earlier"])
    async with app.run_test() as pilot:
        await pilot.press("a", "ctrl+j", "b", "up")
        assert app.prompt.text == "a\nb"
        await pilot.press("c", "down", "d")
        assert app.prompt.text == "ac\nbd"
        await pilot.press("up", "up")
        assert app.prompt.text == "earlier"


async def test_a_wrapped_line_is_walked_row_by_row() -> None:
    app = Host(["earlier"])
    async with app.run_test(size=(40, 12)) as pilot:
        app.prompt.fill("word " * 15)
        await pilot.pause()
        assert app.prompt.size.height == 3
        await pilot.press("up", "up")
        assert app.prompt.text.startswith("word")
        await pilot.press("up")
        assert app.prompt.text == "earlier"


async def test_the_history_takes_no_prompt_twice_in_a_row() -> None:
    app = Host()
    async with app.run_test():
        for text in ("a", "a", "b", "a", " "):
            app.prompt.remember(text)
        assert app.prompt.earlier == ["a", "b", "a"]


async def test_sending_ends_the_walk() -> None:
    app = Host(["first", "second"])
    async with app.run_test() as pilot:
        await pilot.press("up", "up", "enter")
        app.prompt.reset()
        await pilot.press("up")
        assert app.prompt.text == "second"
        app.prompt.remember("third")
        await pilot.press("up")
        assert app.prompt.text == "third"


async def test_a_text_put_back_stands_in_front_of_what_is_typed() -> None:
    app = Host()
    async with app.run_test() as pilot:
        await pilot.press(*"new")
        app.prompt.put_back("old\nlines")
        await pilot.press("!")
        assert app.prompt.text == "old\nlines\nnew!"
        app.prompt.reset()
        app.prompt.put_back("old")
        await pilot.press("!")
        assert app.prompt.text == "old!"


async def test_markup_and_brackets_are_only_text() -> None:
    app = Host()
    async with app.run_test() as pilot:
        await pilot.press(*"[/] [b]", "enter")
        assert app.sent == ["[/] [b]"]


async def test_the_newline_key_can_be_bound_anew() -> None:
    app = Host()
    async with app.run_test() as pilot:
        app.set_keymap({"prompt.send": "ctrl+s", "prompt.newline": "enter"})
        await pilot.press("a", "enter", "b", "ctrl+s")
        assert app.sent == ["a\nb"]
