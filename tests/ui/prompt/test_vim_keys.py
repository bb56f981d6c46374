"""The text area with Vim's keys comes to what the machine comes to without one."""

from __future__ import annotations

import random

import pytest
from textual import events
from textual.app import App, ComposeResult
from textual.widgets.text_area import Selection

from moa_tui.ui.prompt.prompt_box import PromptBox
from tests.ui.prompt.vim.typing_at import Typist

NAMES = {"\x1b": "escape", "\x12": "ctrl+r"}
KEYS = "hjklwWbBeE0^$fFtT;,gG{}%dcyxXDCYsSrpPJ~u.oOiIaAvV123(['\"ip<>\x12"
TEXT = "one (two) three\n\n  four 'five' 日本 e\u0301t\n👩\u200d👧 last"


class NoReader:
    """Nobody is around the prompt."""

    def scroll(self, pages: float) -> None:
        pass

    def open_find(self) -> None:
        pass

    def tell_what_stops(self) -> None:
        pass


class Host(App[None]):
    AUTO_FOCUS = "Prompt"

    def __init__(self) -> None:
        super().__init__()
        self.box = PromptBox(reader=NoReader())

    def compose(self) -> ComposeResult:
        yield self.box

    def type(self, keys: str) -> None:
        """Type keys, none of which opens something that would have to be waited for."""
        for key in keys:
            event = events.Key(NAMES.get(key, key), key if key.isprintable() else None)
            if not self.box.prompt.take_by_vim(event) and key.isprintable():
                self.box.prompt.replace(key, *self.box.prompt.selection, maintain_selection_offset=False)


@pytest.mark.parametrize("seed", range(6))
async def test_random_keys_are_undone_and_redone_as_a_whole(seed: int) -> None:
    numbers = random.Random(seed)
    app = Host()
    async with app.run_test():
        prompt = app.box.prompt
        for _ in range(25):
            keys = "\x1b" + "".join(numbers.choice(KEYS) for _ in range(8)) + "\x1b\x1b"
            prompt.reset()
            prompt.fill(TEXT)
            app.type("\x1bgg0")
            app.type(keys)
            text = prompt.text
            app.type("\x1b" + "u" * len(keys))
            assert prompt.text == TEXT, keys
            app.type("\x12" * len(keys))
            assert prompt.text == text, keys


@pytest.mark.parametrize("seed", range(4))
async def test_random_commands_come_to_the_same_text_and_cursor(seed: int) -> None:
    numbers = random.Random(seed)
    app = Host()
    async with app.run_test():
        prompt = app.box.prompt
        prompt.fill(TEXT)
        app.type("\x1bgg0")
        typist = Typist(TEXT, 0)
        for _ in range(40):
            # Undo may leave the cursor elsewhere.
            keys = "".join(numbers.choice(KEYS.replace("u", "").replace("\x12", "")) for _ in range(6))
            app.type(f"{keys}\x1b\x1b")
            typist.press(f"{keys}\x1b\x1b")
            row, column = prompt.selection.end
            cursor = sum(len(line) + 1 for line in prompt.text.split("\n")[:row]) + column
            assert (prompt.text, cursor) == (typist.text, typist.cursor), keys


async def test_what_was_selected_otherwise_is_a_selection() -> None:
    app = Host()
    async with app.run_test():
        prompt = app.box.prompt
        for selection in (Selection((0, 4), (0, 7)), Selection((0, 7), (0, 4))):
            prompt.fill("one two six")
            app.type("\x1b")
            prompt.selection = selection
            app.type("d")
            assert prompt.text == "one  six"


PASTE = "\n".join(f"line {number}" for number in range(30))
TOKEN = "[paste\u00a01:\u00a030\u00a0lines]"


@pytest.mark.parametrize(
    ("keys", "after"),
    [
        ("$x", f"one {TOKEN} two "),
        ("0wx", f"one  two {TOKEN}"),
        ("0wyl$p", f"one {TOKEN} two {TOKEN}{TOKEN}"),
        ("0wrz", f"one z two {TOKEN}"),
        ("0wdw", f"one two {TOKEN}"),
        ("$i!\x1b", f"one {TOKEN} two !{TOKEN}"),
        ("0fpx", f"ne {TOKEN} two {TOKEN}"),
        ("0wvd", f"one  two {TOKEN}"),
        ("0wv$d", "one "),
        ("0wxu", f"one {TOKEN} two {TOKEN}"),
        ("0wywP", f"one {TOKEN} {TOKEN} two {TOKEN}"),
    ],
)
async def test_the_token_of_a_paste_is_a_letter(keys: str, after: str) -> None:
    app = Host()
    async with app.run_test():
        prompt = app.box.prompt
        prompt.insert("one ")
        prompt.insert_paste(PASTE)
        prompt.insert(" two ")
        prompt.insert(TOKEN)
        app.type("\x1b" + keys)
        assert prompt.text == after


async def test_a_paste_that_was_copied_is_put_into_another_prompt_as_a_paste() -> None:
    app = Host()
    async with app.run_test():
        prompt = app.box.prompt
        prompt.insert_paste(PASTE)
        app.type("\x1byy")
        prompt.reset()
        prompt.insert_paste(PASTE.upper())
        app.type("p")
        assert prompt.expanded == f"{PASTE.upper()}\n{PASTE}"
        app.type("v")
        assert prompt.selected_text == PASTE


async def test_a_cursor_behind_the_last_letter_is_on_it() -> None:
    app = Host()
    async with app.run_test() as pilot:
        app.box.prompt.fill("one\ntwo")
        app.type("\x1b")
        await pilot.press("ctrl+e", "x", "up", "ctrl+e", "x")
        assert app.box.prompt.text == "on\ntw"


@pytest.mark.parametrize("key", ["ctrl+x", "delete", "ctrl+j"])
async def test_visual_mode_ends_where_another_key_has_changed_the_selection(key: str) -> None:
    app = Host()
    async with app.run_test() as pilot:
        prompt = app.box.prompt
        prompt.fill("one two\nthree")
        app.type("\x1bgg0ve")
        await pilot.press(key)
        text = prompt.text
        await pilot.press("l")
        assert (prompt.text, prompt.selection.is_empty) == (text, True)
        await pilot.press("i", "x")
        assert len(prompt.text) == len(text) + 1


async def test_a_click_ends_visual_mode_and_dragging_begins_it() -> None:
    app = Host()
    async with app.run_test() as pilot:
        prompt = app.box.prompt
        prompt.fill("one two three")
        app.type("\x1b0ve")
        await pilot.click(prompt, offset=(7, 0))
        await pilot.press("x")
        assert len(prompt.text) == len("one two three") - 1
        app.type("0ve")
        prompt.selection = Selection((0, 4), (0, 6))
        await pilot.press("d")
        assert prompt.text == "one  three"
