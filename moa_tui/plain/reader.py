"""What the plain chat reads: prompts of one line or many, and answers to questions.

On a terminal Python's readline edits the line and goes through earlier prompts, where Python has it. Of all
that readline can send to a terminal, what draws attention (the bell, colours, marks around a paste) is off.
"""

from __future__ import annotations

import re
import select
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TextIO

from moa_tui.chat.attachments import paths_for
from moa_tui.errors import UsageError
from moa_tui.text.safe import without_escapes

try:
    import readline
    import termios
except ImportError:  # Windows has none.
    readline = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from moa_tui.plain.signals import Signals
    from moa_tui.plain.voice import Voice

PROMPT, MORE = "You: ", "more: "
_QUOTES = '"""'
# What is pasted reaches the program in one go; nobody types a line within this time.
_PASTE_SECONDS = 0.05
_SETTINGS = (
    "set enable-bracketed-paste off",
    "set bell-style none",
    "set colored-stats off",
    "set colored-completion-prefix off",
    "set enable-active-region off",
    "set show-mode-in-prompt off",
    "set page-completions off",
    "set completion-query-items 0",
    "tab: complete",
)


class Reader:
    """Reads lines from standard input. Methods that read may raise what `Signals.reading` raises."""

    def __init__(
        self,
        voice: Voice,
        signals: Signals,
        stdin: TextIO,
        *,
        is_attended: bool,
        commands: Collection[str],
        editing: Literal["emacs", "vi"] = "emacs",
    ) -> None:
        """`is_attended`: both ends are a terminal, so that somebody reads what is asked."""
        self.is_attended = is_attended
        self.unfinished: list[str] = []
        """The lines of a prompt that is still being written."""
        self._voice = voice
        self._signals = signals
        self._stdin = stdin
        self._commands = sorted(commands)
        self._ahead: list[str] = []
        """Lines that were typed before they were asked for."""
        self._to_edit = ""
        self.typed = ""
        """What stood in the line that is being read when it was last looked at."""
        self._is_asking = False
        self._prompt = ""
        """What stands before the line that is being read."""
        self._matches: list[str] = []
        self._edits = is_attended and readline is not None
        if self._edits:
            for setting in (*_SETTINGS, f"set editing-mode {editing}"):
                readline.parse_and_bind(setting)
            readline.set_auto_history(False)
            readline.clear_history()
            readline.set_completer_delims(" \t\n")
            readline.set_completer(self._complete)
            readline.set_startup_hook(self._fill)
            signals.on_go_on = self._show_again
        signals.on_raise = self._keep_typed

    # Earlier prompts

    def remember(self, prompts: Iterable[str]) -> None:
        """Add prompts to those that can be gone back to, the newest last."""
        if not self._edits:
            return
        for prompt in prompts:
            text = without_escapes(prompt)
            count = readline.get_current_history_length()
            if text.strip() and (not count or readline.get_history_item(count) != text):
                readline.add_history(text)

    @property
    def can_edit(self) -> bool:
        """True where a text can be put into the line that is read next."""
        return self._edits

    def put_back(self, text: str) -> None:
        """Have the next line begin with a text, which can be edited; before one that was put back already."""
        self._to_edit = "\n".join(filter(None, [without_escapes(text), self._to_edit]))

    def _fill(self) -> None:
        text, self._to_edit = self._to_edit, ""
        if text:
            self.typed = text
            readline.insert_text(text)

    # Reading

    def read(self) -> str | None:
        """The next prompt; None at the end of the input.

        A line that ends with a backslash goes on in the next one. Lines between two lines with three quotes
        are one prompt, and so are lines that were pasted at once.
        """
        was_typed_ahead = bool(self._ahead) or self._is_waiting()
        line = self._line(PROMPT)
        if line is None:
            return None
        if "\n" in line:  # An earlier prompt, gone back to.
            return line
        if line.lstrip().startswith(_QUOTES):
            return self._quoted(line.lstrip().removeprefix(_QUOTES))
        while line.endswith("\\"):
            self.unfinished.append(line.removesuffix("\\"))
            line = self._line(MORE) or ""
        self.unfinished.append(line)
        is_command = len(self.unfinished) == 1 and self._is_command(line)
        while self.is_attended and not was_typed_ahead and not is_command and self._is_waiting():
            pasted = self._line(MORE)
            if pasted is None:
                break
            self.unfinished.append(pasted)
        return self.take_unfinished()

    def ask(self, question: str) -> str:
        """The answer to a question, in small letters; empty where nobody is there to answer it.

        What was typed before the question was asked does not answer it, and is read as prompts later.
        """
        if not self.is_attended:
            return ""
        while self._is_waiting():
            line = self._line("")
            if line is None:
                break
            self._ahead.append(line)
        ahead, self._ahead = self._ahead, []
        to_edit, self._to_edit = self._to_edit, ""
        self._is_asking = True
        try:
            answer = self._line(f"{question} ")
        except KeyboardInterrupt:
            answer = None
        finally:
            self._ahead, self._to_edit, self._is_asking = ahead, to_edit, False
        return (answer or "").strip().lower()

    @property
    def unsent(self) -> list[str]:
        """The texts that were written and not given to anybody."""
        unfinished = "\n".join(filter(None, [*self.unfinished, self.typed]))
        return [text for text in (self._to_edit, unfinished, *self._ahead) if text]

    def take_unfinished(self) -> str:
        """Remove and return the prompt that is being written."""
        text = "\n".join(self.unfinished)
        self.unfinished.clear()
        self.typed = ""
        return text

    def _quoted(self, line: str | None) -> str:
        """The lines up to the one that ends with three quotes, or to the end of the input."""
        while line is not None and not line.rstrip().endswith(_QUOTES):
            self.unfinished.append(line)
            line = self._line(MORE)
        if line is not None:
            self.unfinished.append(line.rstrip().removesuffix(_QUOTES))
        return self.take_unfinished().strip("\n")

    def _line(self, prompt: str) -> str | None:
        if self._ahead:
            return self._ahead.pop(0)
        self._voice.end_text()
        try:
            with self._signals.reading():
                if self.is_attended:
                    self._prompt = prompt
                    line = input(prompt)
                    self.typed = ""
                else:
                    line = self._stdin.readline()
                    if not line:
                        return None
        except EOFError:
            if self.is_attended:
                self._voice.write_text("")
            return None
        except OSError:  # The terminal is gone.
            return None
        return without_escapes(line.removesuffix("\n").removesuffix("\r"))

    def look(self) -> bool:
        """Look at what stands in the line that is being read; True where it is another text than before."""
        if not self._edits or self._is_asking:
            return False
        before, self.typed = self.typed, without_escapes(readline.get_line_buffer())
        return before != self.typed

    def _show_again(self) -> None:
        """Go on with the line after ctrl+z, where the shell has had the terminal for itself."""
        with suppress(termios.error):  # The terminal is gone, which reading notices.
            state = termios.tcgetattr(self._stdin)
            if state[3] & termios.ICANON:
                # As readline sets it up (prepare_terminal_settings in rltty.c), which it does once a line.
                state[0] &= ~(termios.ICRNL | termios.INLCR)
                state[3] &= ~(termios.ICANON | termios.ECHO)
                state[6][termios.VMIN], state[6][termios.VTIME] = 1, 0
                termios.tcsetattr(self._stdin, termios.TCSADRAIN, state)
                self._voice.show(f"{self._prompt}{readline.get_line_buffer()}")

    def _keep_typed(self) -> None:
        """Keep what stands in the line that is broken off."""
        self.look()
        if self.typed:
            self.unfinished.append(self.typed)
        self.typed = ""

    def _is_waiting(self) -> bool:
        """True where more was typed or pasted already."""
        if not self.is_attended or sys.platform == "win32":
            return False
        with suppress(OSError, ValueError):
            return bool(select.select([self._stdin], [], [], _PASTE_SECONDS)[0])
        return False

    def _is_command(self, line: str) -> bool:
        match = re.match(r"/(\w+)(?:\s|\Z)", line)
        return match is not None and match[1].lower() in self._commands

    # Completion

    def _complete(self, word: str, number: int) -> str | None:
        if number == 0:
            self._matches = self._matches_of(word)
        return self._matches[number] if number < len(self._matches) else None

    def _matches_of(self, word: str) -> list[str]:
        if word.startswith("@"):
            with suppress(UsageError):
                return [f"@{path}" for path in paths_for(word[1:], Path.cwd())]
            return []
        if word.startswith("/") and readline.get_begidx() == 0:
            return [f"/{name} " for name in self._commands if name.startswith(word[1:].lower())]
        return []
