"""The slash commands: each a name, a line of help, and the controller that does it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from moa_tui import guide
from moa_tui.errors import UsageError
from moa_tui.ui.chat.requests import HelpRequested, QuitRequested, ThemeRequested
from moa_tui.ui.prompt.completion import CommandHint

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from moa_tui.chat.prompt_text import PromptText
    from moa_tui.ui.chat.controllers import Controllers

    Action = Callable[[Controllers, str], Awaitable[None] | None]


@dataclass(frozen=True, slots=True)
class Command:
    """A slash command. `action` is handed what was typed behind the name; it may raise MoaTuiError."""

    hint: CommandHint
    action: Callable[[Controllers, PromptText], Awaitable[None] | None]

    def act(self, controllers: Controllers, argument: PromptText) -> Awaitable[None] | None:
        """Do it. Raises UsageError for words behind a command that takes none: they were for the models."""
        if argument.written and not self.hint.usage:
            raise UsageError(
                f"/{self.hint.name} takes nothing behind it; with a space before the slash it goes to "
                "the models"
            )
        return self.action(controllers, argument)


def parse(prompt: PromptText) -> tuple[Command, PromptText] | None:
    """The command that a prompt is, and its argument; None where it is a message for the models.

    A space before the slash makes any text a message.
    """
    match = re.match(r"/(\w+)(?:\s+(.*))?\Z", prompt.written.rstrip(), re.DOTALL)
    command = COMMANDS.get(match[1].lower()) if match else None
    return (command, prompt.with_words((match[2] or "").strip())) if command and match else None


async def _retry(chat: Controllers, name: str) -> None:
    await (chat.changing.retry(name) if name else chat.asking.retry())


async def _resume(chat: Controllers, name: str) -> None:
    if name:
        await chat.switching.open(name)
    else:
        chat.switching.show_list()


def _topics() -> list[tuple[str, str]]:
    return [(page.topic, page.summary) for page in guide.pages()]


def _command(name: str, usage: str, description: str, action: Action) -> Command:
    return Command(
        CommandHint(name, usage, description, False), lambda chat, words: action(chat, words.written)
    )


_COMMANDS = (
    Command(
        CommandHint("help", "[TOPIC]", "the keys and the guide", choices=_topics),
        lambda chat, words: chat.view.post(HelpRequested(words.written)),
    ),
    _command("new", "", "begin another conversation", lambda chat, _: chat.switching.begin()),
    _command("recipe", "[NAME]", "choose the recipe", lambda chat, name: chat.choosing.use_recipe(name)),
    _command(
        "model",
        "[MODEL]",
        "another model for the aggregator",
        lambda chat, name: chat.choosing.use_aggregator(name),
    ),
    _command(
        "effort",
        "[LEVEL | -]",
        "how much the models think: none to high",
        lambda chat, word: chat.choosing.use_effort(word),
    ),
    _command(
        "system",
        "[TEXT | -]",
        "show, set or drop the system prompt",
        lambda chat, text: chat.asking.set_system_prompt(text),
    ),
    _command("retry", "[N | L.N]", "ask the last prompt again, or one agent", _retry),
    _command(
        "without",
        "N | L.N",
        "leave an answer out, or take it back in",
        lambda chat, name: chat.changing.leave_out(name),
    ),
    _command(
        "amend",
        "N TEXT",
        "put a text of yours in an answer's place",
        lambda chat, words: chat.changing.edit_answer(words),
    ),
    _command(
        "propose", "TEXT", "add an answer of your own", lambda chat, text: chat.changing.add_answer(text)
    ),
    _command(
        "swap",
        "N MODEL",
        "ask another model in an agent's place",
        lambda chat, words: chat.changing.swap_model(words),
    ),
    _command("add", "MODEL", "ask one more agent", lambda chat, words: chat.changing.add_agent(words)),
    _command(
        "again",
        "[RECIPE | prompt TEXT]",
        "aggregate again, proposers kept",
        lambda chat, words: chat.changing.aggregate_again(words),
    ),
    _command(
        "full",
        "",
        "write an answer that was begun early from all answers",
        lambda chat, _: chat.changing.write_from_all(),
    ),
    _command(
        "use", "N | L.N", "take an agent's answer as the answer", lambda chat, name: chat.changing.use(name)
    ),
    Command(
        CommandHint("compare", "A B [C] [PROMPT]", "recipes side by side; blind A B hides names", True),
        lambda chat, prompt: chat.comparing.compare(prompt),
    ),
    _command(
        "guided", "", "tick what the answer keeps, or not", lambda chat, _: chat.choosing.toggle_guided()
    ),
    _command("points", "", "the points that wait for your ticks", lambda chat, _: chat.checklist.show()),
    _command("stats", "", "what all conversations took", lambda chat, _: chat.switching.show_stats()),
    _command("stop", "[N | L.N]", "stop the run, or one agent", lambda chat, name: chat.changing.stop(name)),
    _command(
        "edit", "[N]", "change the last prompt, or the Nth", lambda chat, number: chat.asking.edit(number)
    ),
    _command("fork", "", "go on in a new conversation", lambda chat, _: chat.switching.fork()),
    _command("sessions", "", "find and open conversations", lambda chat, _: chat.switching.show_list()),
    _command("resume", "[TITLE]", "open a conversation", _resume),
    _command("rename", "TITLE", "name the conversation", lambda chat, title: chat.switching.rename(title)),
    _command(
        "export", "[FORMAT] [PATH]", "write it to a file", lambda chat, words: chat.switching.export(words)
    ),
    _command(
        "private", "", "keep it in memory only, or not", lambda chat, _: chat.switching.toggle_private()
    ),
    _command(
        "copy", "[code]", "copy the last answer, or its code", lambda chat, what: chat.looking.copy_last(what)
    ),
    _command("cost", "", "what the conversation has taken so far", lambda chat, _: chat.labels.tell_cost()),
    _command("theme", "[NAME]", "choose the theme", lambda chat, name: chat.view.post(ThemeRequested(name))),
    _command("quit", "", "leave", lambda chat, _: chat.view.post(QuitRequested())),
)
COMMANDS = {command.hint.name: command for command in _COMMANDS}
