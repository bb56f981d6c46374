"""The slash commands of the chat: their names, what may stand behind them, and how a prompt is read as one.

Every way to use the chat has all of them. What a command does is said where it is done: `ui.chat.commands`
has it for the screens, `plain.commands` for the chat in lines.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from moa_tui import guide
from moa_tui.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable

    from moa_tui.chat.prompt_text import PromptText


@dataclass(frozen=True, slots=True)
class CommandHint:
    """A slash command: `name` without the slash, `usage` its arguments, as in `N` or `[NAME]`."""

    name: str
    usage: str
    description: str
    takes_message: bool = False
    """True where the argument is a message for the models, whose mentioned files are attached."""
    choices: Callable[[], Iterable[tuple[str, str]]] | None = None
    """The arguments to choose from, each with what it means; None where there is no such list."""

    @property
    def needs_argument(self) -> bool:
        """Whether the command cannot be run without an argument."""
        return bool(self.usage) and not self.usage.startswith("[")

    @property
    def words(self) -> str:
        """The command as it is typed, with its arguments."""
        return f"/{self.name} {self.usage}".rstrip()

    def check(self, argument: PromptText) -> None:
        """Raise UsageError for words behind a command that takes none: they were for the models."""
        if argument.written and not self.usage:
            raise UsageError(
                f"/{self.name} takes nothing behind it; with a space before the slash it goes to the models"
            )


def _topics() -> list[tuple[str, str]]:
    return [(page.topic, page.summary) for page in guide.pages()]


_HINTS = (
    CommandHint("help", "[TOPIC]", "the keys and the guide", choices=_topics),
    CommandHint("new", "", "begin another conversation"),
    CommandHint("recipe", "[NAME]", "choose the recipe"),
    CommandHint("model", "[MODEL]", "another model for the aggregator"),
    CommandHint("effort", "[LEVEL | -]", "how much the models think: none to high"),
    CommandHint("system", "[TEXT | -]", "show, set or drop the system prompt"),
    CommandHint("retry", "[N | L.N]", "ask the last prompt again, or one agent"),
    CommandHint("without", "N | L.N", "leave an answer out, or take it back in"),
    CommandHint("amend", "N TEXT", "put a text of yours in an answer's place"),
    CommandHint("propose", "TEXT", "add an answer of your own"),
    CommandHint("swap", "N MODEL", "ask another model in an agent's place"),
    CommandHint("add", "MODEL", "ask one more agent"),
    CommandHint("again", "[RECIPE | prompt TEXT]", "aggregate again, proposers kept"),
    CommandHint("full", "", "write an answer that was begun early from all answers"),
    CommandHint("use", "N | L.N", "take an agent's answer as the answer"),
    CommandHint(
        "compare", "A B [C] [PROMPT]", "recipes side by side; blind A B hides names", takes_message=True
    ),
    CommandHint("left", "[N ...]", "what the answer left out"),
    CommandHint("guided", "", "tick what the answer keeps, or not"),
    CommandHint("points", "", "the points that wait for your ticks"),
    CommandHint("stats", "", "what all conversations took"),
    CommandHint("stop", "[N | L.N]", "stop the run, or one agent"),
    CommandHint("edit", "[N]", "change the last prompt, or the Nth"),
    CommandHint("fork", "", "go on in a new conversation"),
    CommandHint("sessions", "", "find and open conversations"),
    CommandHint("resume", "[TITLE]", "open a conversation"),
    CommandHint("rename", "TITLE", "name the conversation"),
    CommandHint("export", "[FORMAT] [PATH]", "write it to a file"),
    CommandHint("private", "", "keep it in memory only, or not"),
    CommandHint("copy", "[code]", "copy the last answer, or its code"),
    CommandHint("cost", "", "what the conversation has taken so far"),
    CommandHint("theme", "[NAME]", "choose the theme"),
    CommandHint("quit", "", "leave"),
)
HINTS = {hint.name: hint for hint in _HINTS}
"""The commands by their names, in the order in which lists show them."""


def parse(prompt: PromptText, names: Container[str] = HINTS.keys()) -> tuple[str, PromptText] | None:
    """The name of the command that a prompt is, and its argument; None where it is a message for the models.

    A space before the slash makes any text a message.
    """
    match = re.match(r"/(\w+)(?:\s+(.*))?\Z", prompt.written.rstrip(), re.DOTALL)
    if match is None or match[1].lower() not in names:
        return None
    return match[1].lower(), prompt.with_words((match[2] or "").strip())
