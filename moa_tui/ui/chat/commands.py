"""What the slash commands of `moa_tui.chat.commands` do on the screen: the controller for each of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from moa_tui.chat import commands
from moa_tui.ui.chat.requests import HelpRequested, QuitRequested, ThemeRequested

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from moa_tui.chat.commands import CommandHint
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
        self.hint.check(argument)
        return self.action(controllers, argument)


def parse(prompt: PromptText) -> tuple[Command, PromptText] | None:
    """The command that a prompt is, and its argument; None where it is a message for the models."""
    parsed = commands.parse(prompt)
    return (COMMANDS[parsed[0]], parsed[1]) if parsed is not None else None


async def _retry(chat: Controllers, name: str) -> None:
    await (chat.changing.retry(name) if name else chat.asking.retry())


async def _resume(chat: Controllers, name: str) -> None:
    if name:
        await chat.switching.open(name)
    else:
        chat.switching.show_list()


_ACTIONS: dict[str, Action] = {
    "help": lambda chat, topic: chat.view.post(HelpRequested(topic)),
    "new": lambda chat, _: chat.switching.begin(),
    "recipe": lambda chat, name: chat.choosing.use_recipe(name),
    "model": lambda chat, name: chat.choosing.use_aggregator(name),
    "effort": lambda chat, word: chat.choosing.use_effort(word),
    "system": lambda chat, text: chat.asking.set_system_prompt(text),
    "retry": _retry,
    "without": lambda chat, name: chat.changing.leave_out(name),
    "amend": lambda chat, words: chat.changing.edit_answer(words),
    "propose": lambda chat, text: chat.changing.add_answer(text),
    "swap": lambda chat, words: chat.changing.swap_model(words),
    "add": lambda chat, words: chat.changing.add_agent(words),
    "again": lambda chat, words: chat.changing.aggregate_again(words),
    "full": lambda chat, _: chat.changing.write_from_all(),
    "use": lambda chat, name: chat.changing.use(name),
    "left": lambda chat, numbers: chat.leaving_out.show(numbers=numbers),
    "guided": lambda chat, _: chat.choosing.toggle_guided(),
    "points": lambda chat, _: chat.checklist.show(),
    "stats": lambda chat, _: chat.switching.show_stats(),
    "stop": lambda chat, name: chat.changing.stop(name),
    "edit": lambda chat, number: chat.asking.edit(number),
    "fork": lambda chat, _: chat.switching.fork(),
    "sessions": lambda chat, _: chat.switching.show_list(),
    "resume": _resume,
    "rename": lambda chat, title: chat.switching.rename(title),
    "export": lambda chat, words: chat.switching.export(words),
    "private": lambda chat, _: chat.switching.toggle_private(),
    "copy": lambda chat, what: chat.looking.copy_last(what),
    "cost": lambda chat, _: chat.labels.tell_cost(),
    "theme": lambda chat, name: chat.view.post(ThemeRequested(name)),
    "quit": lambda chat, _: chat.view.post(QuitRequested()),
}


def _compare(chat: Controllers, prompt: PromptText) -> Awaitable[None]:
    return chat.comparing.compare(prompt)


def _with_words(action: Action) -> Callable[[Controllers, PromptText], Awaitable[None] | None]:
    return lambda chat, prompt: action(chat, prompt.written)


COMMANDS = {
    name: Command(hint, _compare if hint.takes_message else _with_words(_ACTIONS[name]))
    for name, hint in commands.HINTS.items()
}
