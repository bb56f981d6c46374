"""The list above the prompt, which completes slash commands and @paths while the user types."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from rich.cells import cell_len
from textual import work
from textual.content import Content
from textual.message import Message
from textual.widgets import OptionList

from moa_tui.chat.attachments import paths_for
from moa_tui.errors import UsageError
from moa_tui.ui.terminal.message import frozen_message

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Sequence

    from textual.binding import BindingType

    from moa_tui.chat.commands import CommandHint

_MOST_ROWS = 8
_BORDERS = 2
_ARGUMENT = re.compile(r"/(\w+) +(\S*)")
_PATH = re.compile(r'(?:^|(?<=[\s(\[{]))@("[^"]*|[^\s"@][^\s"]*|)$')


@dataclass(frozen=True, slots=True)
class Word:
    """The word being completed: from `start`, a column of the row, to the cursor."""

    kind: Literal["command", "argument", "path"]
    row: int
    start: int
    text: str

    def is_same_place(self, other: Word) -> bool:
        """Whether both words are of one kind and begin at the same place."""
        return (self.kind, self.row, self.start) == (other.kind, other.row, other.start)


@dataclass(frozen=True, slots=True)
class Choice:
    """A text that may replace the word; `shown` and `detail` are its row in the list."""

    text: str
    shown: str
    detail: str = ""


def word_at(row: int, column: int, line: str, with_choices: Container[str] = ()) -> Word | None:
    """The word that ends at the cursor, where it can be completed; None else.

    `with_choices` are the names of the commands whose argument can be.
    """
    before = line[:column]
    if row == 0 and before.startswith("/") and not re.search(r"\s", before):
        return Word("command", row, 0, before)
    if row == 0 and (match := _ARGUMENT.fullmatch(before)) and match[1].lower() in with_choices:
        return Word("argument", row, match.start(2), match[2])
    if match := _PATH.search(before):
        return Word("path", row, match.start(), match[0])
    return None


def commands_for(word: Word, commands: Sequence[CommandHint]) -> list[Choice]:
    """The commands that begin as `word` does; a command that is written out comes first."""
    typed = word.text.lower()
    fitting = [hint for hint in commands if f"/{hint.name}".startswith(typed)]
    fitting.sort(key=lambda hint: f"/{hint.name}" != typed)
    return [
        Choice(f"/{hint.name}{' ' if hint.needs_argument else ''}", hint.words, hint.description)
        for hint in fitting
    ]


def arguments_for(word: Word, hint: CommandHint) -> list[Choice]:
    """The arguments of a command that begin as `word` does."""
    typed = word.text.lower()
    pairs = hint.choices() if hint.choices is not None else ()
    return [Choice(text, text, detail) for text, detail in pairs if text.startswith(typed)]


def path_choices(paths: Iterable[str]) -> list[Choice]:
    """The paths as choices. A space follows a file, and nothing a folder, whose path may go on."""
    return [
        Choice(f"@{path}{'' if path.endswith('/') else ' '}", path.removeprefix('"').rstrip('"'))
        for path in paths
    ]


class CompletionList(OptionList, can_focus=False):
    """Is drawn over the widgets above the prompt, which keeps the focus and moves the highlight."""

    BINDINGS: ClassVar[list[BindingType]] = []

    DEFAULT_CSS = """
    CompletionList {
        display: none;
        overlay: screen;
        constrain: inside;
        width: auto;
        max-width: 100%;
        max-height: 10;
        border: round $border;
        background: $surface;
        scrollbar-size-vertical: 1;
        text-wrap: nowrap;
        text-overflow: ellipsis;
        & > .option-list--option-highlighted {
            color: $block-cursor-foreground;
            background: $block-cursor-background;
            text-style: $block-cursor-text-style;
        }
    }
    """

    @frozen_message
    class Chosen(Message):
        """A choice was clicked."""

        choice: Choice

    def __init__(self, commands: Sequence[CommandHint] = (), folder: Path | None = None) -> None:
        """`folder` is where relative paths begin; the working directory by default."""
        super().__init__(markup=False)
        self.commands = commands
        self._with_choices = {hint.name: hint for hint in commands if hint.choices is not None}
        self._folder = folder or Path.cwd()
        self._choices: list[Choice] = []
        self._word: Word | None = None
        self._dismissed: Word | None = None

    @property
    def is_open(self) -> bool:
        """Whether there are choices, and so the list is shown."""
        return bool(self._choices)

    @property
    def highlighted_choice(self) -> Choice | None:
        """The choice that is highlighted; None while the list is closed."""
        return self._choices[self.highlighted] if self._choices and self.highlighted is not None else None

    @property
    def unwritten_choice(self) -> Choice | None:
        """The choice that is highlighted; None where the prompt already holds its text."""
        choice, word = self.highlighted_choice, self._word
        if choice is None or word is None:
            return None
        # The space that ends a path may come later; the one behind a command waits for its argument.
        written_out = {word.text} if word.kind == "command" else {word.text, f"{word.text} "}
        return None if choice.text in written_out else choice

    @property
    def word_start(self) -> int:
        """The column in which the word begins; 0 without a word."""
        return self._word.start if self._word else 0

    def update_choices(self, row: int, column: int, line: str) -> None:
        """Offer the choices for the word that ends at the cursor, and close the list where there are none."""
        word = word_at(row, column, line, self._with_choices)
        if word is None or self._dismissed is None or not word.is_same_place(self._dismissed):
            self._dismissed = None
        else:
            word = None
        if word == self._word:
            return
        self._word = word
        if word is None:
            self._offer([])
        elif word.kind == "command":
            self._offer(commands_for(word, self.commands))
        elif word.kind == "argument":
            self._offer(arguments_for(word, self._with_choices[line[1:].partition(" ")[0].lower()]))
        else:
            # Until the folder is read, only choices that fit the word stay, since Enter may complete one.
            typed = word.text.casefold()
            self._offer([choice for choice in self._choices if choice.text.casefold().startswith(typed)])
            self._offer_paths(word)

    def dismiss(self, row: int, column: int, line: str) -> None:
        """Close the list until another word is begun than the one that ends at the cursor."""
        self._dismissed = word_at(row, column, line, self._with_choices)
        self._word = None
        self._offer([])

    @work(group="paths", exclusive=True)
    async def _offer_paths(self, word: Word) -> None:
        try:
            paths = await asyncio.to_thread(paths_for, word.text.removeprefix("@"), self._folder)
        except UsageError:  # There is no such folder; its name may not be typed out yet.
            paths = []
        if word == self._word:
            self._offer(path_choices(paths))

    def _offer(self, choices: list[Choice]) -> None:
        if not choices and not self._choices:
            return
        self._choices = choices
        width = max((cell_len(choice.shown) for choice in choices), default=0)
        self.set_options([_row(choice, width) for choice in choices])
        self.display = bool(choices)
        if choices:
            self.highlighted = 0
            self.styles.offset = (0, -(min(len(choices), _MOST_ROWS) + _BORDERS))
        self.refresh_bindings()

    def move(self, steps: int) -> None:
        """Highlight the choice that is so many rows further down; the first follows the last."""
        if self._choices:
            self.highlighted = ((self.highlighted or 0) + steps) % len(self._choices)

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Post the choice that was clicked."""
        event.stop()
        self.post_message(self.Chosen(self._choices[event.option_index]))


def _row(choice: Choice, width: int) -> Content:
    if not choice.detail:
        return Content(choice.shown)
    padding = " " * (width - cell_len(choice.shown) + 2)
    # Without colours, which could not be read on the highlighted row.
    return Content.assemble((choice.shown, "bold"), padding, choice.detail)
