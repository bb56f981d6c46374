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
