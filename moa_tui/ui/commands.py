"""The slash commands: each a name, a line of help, and what it asks the chat screen to do."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from moa_tui.errors import UsageError
from moa_tui.ui.chat_actions import call_named
from moa_tui.ui.completion import CommandHint

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from moa_tui.ui.chat_screen import ChatScreen


@dataclass(frozen=True, slots=True)
class Command:
    """A slash command; `does` gets the screen and what was typed behind the name. May raise MoaTuiError."""

    hint: CommandHint
    does: Callable[[ChatScreen, str], Awaitable[None] | None]

    def act(self, screen: ChatScreen, argument: str) -> Awaitable[None] | None:
        """Do it. Raises UsageError for words behind a command that takes none: they were for the models."""
        if argument and not self.hint.usage:
            raise UsageError(
                f"/{self.hint.name} takes nothing behind it; with a space before the slash it goes to "
                "the models"
            )
        return self.does(screen, argument)


def parse(text: str) -> tuple[Command, str] | None:
    """The command that `text` is, and its argument; None where it is a message for the models.

    A space before the slash makes any text a message.
    """
    match = re.match(r"/(\w+)(?:\s+(.*))?\Z", text.rstrip(), re.DOTALL)
    command = COMMANDS.get(match[1].lower()) if match else None
    return (command, (match[2] or "").strip()) if command and match else None


async def _recipe(screen: ChatScreen, name: str) -> None:
    if name:
        await screen.load_recipe(name)
    else:
        screen.action_recipes()


def _model(screen: ChatScreen, name: str) -> None:
    if name:
        screen.use_aggregator(name)
    else:
        screen.choose_aggregator()


def _system(screen: ChatScreen, text: str) -> None:
    if text == "-":
        screen.session.chat.system = None
        screen.say("no system prompt from now on")
    elif text:
        screen.session.chat.system = text
        screen.say("the system prompt goes before everything from now on; /system - takes it away")
    else:
        now = screen.session.chat.system
        screen.say(f"system prompt: {now}" if now else "no system prompt; /system TEXT sets one")


async def _retry(screen: ChatScreen, name: str) -> None:
    await (screen.steer_last("retry", name) if name else screen.retry())


def _steer(what: str) -> Callable[[ChatScreen, str], Awaitable[None]]:
    return lambda screen, words: screen.steer_last(what, words)


def _stop(screen: ChatScreen, name: str) -> None:
    if name and screen.session.running is not None:
        screen.stop_call(call_named(screen.session.run, name))
    else:
        screen.stop_run()


async def _use(screen: ChatScreen, name: str) -> None:
    turn = screen.session.chat.turn
    run = screen.transcript.last_run
    if turn is None or run is None:
        raise UsageError("there is no answer yet")
    text = name if "." in name else f"{run.proposing}.{name}"
    await screen.use_answer(call_named(run, text))


async def _resume(screen: ChatScreen, name: str) -> None:
    if name:
        await screen.open_kept(name)
    else:
        screen.action_sessions()


def _theme(screen: ChatScreen, name: str) -> None:
    screen.wish("theme", name)


def _command(
    name: str, usage: str, description: str, act: Callable[[ChatScreen, str], Awaitable[None] | None]
) -> tuple[str, Command]:
    return name, Command(CommandHint(name, usage, description), act)


COMMANDS: dict[str, Command] = dict(
    [
        _command("help", "", "list the keys", lambda screen, _: screen.wish("help")),
        _command("new", "", "begin another conversation", lambda screen, _: screen.action_new()),
        _command("recipe", "[NAME]", "choose the recipe", _recipe),
        _command("model", "[MODEL]", "another model for the aggregator", _model),
        _command("system", "[TEXT | -]", "show, set or drop the system prompt", _system),
        _command("retry", "[N | L.N]", "ask the last prompt again, or one agent", _retry),
        _command("without", "N | L.N", "leave an answer out, or take it back in", _steer("leave out")),
        _command("amend", "N TEXT", "put a text of yours in an answer's place", _steer("amend")),
        _command("propose", "TEXT", "add an answer of your own", _steer("propose")),
        _command("swap", "N MODEL", "ask another model in an agent's place", _steer("swap")),
        _command("again", "", "aggregate again, proposers kept", lambda screen, _: screen.again()),
        _command(
            "guided", "", "tick what the answer keeps, or not", lambda screen, _: screen.toggle_guided()
        ),
        _command("points", "", "the points that wait for your ticks", lambda screen, _: screen.show_points()),
        _command("use", "N | L.N", "take an agent's answer as the answer", _use),
        _command("stats", "", "what all conversations took", lambda screen, _: screen.stats()),
        _command("stop", "[N | L.N]", "stop the run, or one agent", _stop),
        _command(
            "edit", "[N]", "change the last prompt, or the Nth", lambda screen, number: screen.edit(number)
        ),
        _command("fork", "", "go on in a new conversation", lambda screen, _: screen.fork()),
        _command("sessions", "", "find and open conversations", lambda screen, _: screen.action_sessions()),
        _command("resume", "[TITLE]", "open a conversation", _resume),
        _command("rename", "TITLE", "name the conversation", lambda screen, title: screen.rename(title)),
        _command(
            "export", "[FORMAT] [PATH]", "write it to a file", lambda screen, words: screen.export(words)
        ),
        _command("private", "", "keep it in memory only, or not", lambda screen, _: screen.toggle_private()),
        _command(
            "copy", "[code]", "copy the last answer, or its code", lambda screen, what: screen.copy_last(what)
        ),
        _command("cost", "", "what the conversation has taken so far", lambda screen, _: screen.tell_cost()),
        _command("theme", "[NAME]", "choose the theme", _theme),
        _command("quit", "", "leave", lambda screen, _: screen.wish("quit")),
    ]
)
