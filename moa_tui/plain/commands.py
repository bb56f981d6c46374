"""What the slash commands do in the plain chat: each is handed the chat and the words behind it.

All commands of the screens are here; those that have no meaning in lines say why.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from moa_tui import guide
from moa_tui.chat import changes, command_words, sentences
from moa_tui.chat.commands import HINTS, CommandHint
from moa_tui.engine import recipe_edit
from moa_tui.errors import UsageError
from moa_tui.plain import comparing, leaving_out, looking, switching
from moa_tui.text.safe import one_line
from moa_tui.text.wording import counted, money

if TYPE_CHECKING:
    from collections.abc import Callable

    from moa_tui.chat.changes import Change
    from moa_tui.plain.chat import PlainChat

# So many models are named where none is given.
_MOST_MODELS = 30


@dataclass(frozen=True, slots=True)
class Command:
    """What a command does here. `act` is handed what was typed behind the name; it may raise MoaTuiError.

    `description` takes the place of the command's own where it is another thing here.
    """

    act: Callable[[PlainChat, str], object]
    description: str = ""


@dataclass(frozen=True, slots=True)
class PlainCommand:
    """A command that only the plain chat has."""

    hint: CommandHint
    act: Callable[[PlainChat, str], object]


def _not_here(reason: str) -> Command:
    """A command of the screens that has no meaning in lines."""

    def say(chat: PlainChat, _: str) -> None:
        chat.voice.say(f"Not here: {reason}.")

    return Command(say, f"not here: {reason}")


def _help(chat: PlainChat, topic: str) -> None:
    if topic:
        chat.voice.write_text(guide.page(topic).text)
        return
    for hint in [*HINTS.values(), *(command.hint for command in PLAIN_ONLY.values())]:
        command = COMMANDS.get(hint.name)
        chat.voice.say(f"{hint.words}: {(command and command.description) or hint.description}")
    chat.voice.say(
        "A line that ends with a backslash goes on in the next one. Lines between two lines of three quotes "
        "are one prompt. @FILE in a prompt sends a text file along. A space before a slash makes any line a "
        "message. Ctrl+C stops an answer and keeps what was written, twice leaves. Ctrl+D leaves."
    )


# By what the next prompt is answered


def _recipe(chat: PlainChat, name: str) -> None:
    if name:
        chat.session.require_idle()
        chat.chat.use_recipe(chat.catalog.load(name))
        _tell_recipe(chat)
        return
    for choice in chat.catalog.recipes():
        calls = counted(choice.recipe.calls, "call") if choice.recipe is not None else "unreadable"
        cost = f"at most {money(choice.cost)}" if choice.cost else money(choice.cost)
        needs = "".join(f", {variable} is not set" for variable in choice.missing)
        problem = f", cannot be used: {one_line(choice.problem)}" if choice.problem else ""
        chat.voice.say(f"{one_line(choice.name)}: {choice.origin}, {calls}, {cost}{needs}{problem}")
    chat.voice.say(f"In force: {one_line(chat.chat.recipe.name)}. /recipe NAME chooses another.")


def _model(chat: PlainChat, name: str) -> None:
    if name:
        chat.chat.use_aggregator(name)
        _tell_recipe(chat)
        return
    usable = [choice for choice in chat.models.models() if choice.missing_key is None]
    for choice in usable[:_MOST_MODELS]:
        chat.voice.say(f"{one_line(choice.name)}: {one_line(choice.where)}")
    if len(usable) > _MOST_MODELS:
        chat.voice.say(f"And {len(usable) - _MOST_MODELS} more.")
    writer = chat.chat.recipe.lineup[-1]
    now = one_line(writer[-1].model) if writer else "nobody: the answers are voted on"
    chat.voice.say(f"The answer is written by {now}. /model MODEL lets another write it.")


def _tell_recipe(chat: PlainChat) -> None:
    chat.voice.say(sentences.recipe_words(chat.chat))
    _tell_if_unguided(chat)


def _tell_if_unguided(chat: PlainChat) -> None:
    if words := sentences.why_unguided(chat.chat):
        chat.voice.say(words)


# Asking again, and changing the last turn


def _change(chat: PlainChat, change: Change) -> None:
    chat.show(chat.wait_for(chat.session.change(change)))


def _retry(chat: PlainChat, name: str) -> None:
    if name:
        _change(chat, changes.Retry(looking.call_of(chat, name)[1]))
    else:
        chat.show(chat.session.retry())


def _amend(chat: PlainChat, words: str) -> None:
    name, _, text = words.partition(" ")
    turn, call = looking.call_of(chat, name)
    if text.strip() or not chat.reader.can_edit:
        _change(chat, changes.EditAnswer(call, text))
        return
    reply = turn.outcome.replies.get(call) if turn.outcome is not None else None
    if reply is None:
        raise UsageError(f"{call} was not asked in this turn")
    chat.reader.put_back(f"/amend {call} {reply.text}")


def _add(chat: PlainChat, words: str) -> None:
    settings = command_words.agent_settings(words, "/add")
    if "model" not in settings:
        raise UsageError("a model is needed, as in /add gpt-6-luna")
    _change(chat, changes.AddAgent(recipe_edit.agent_of(settings)))


def _swap(chat: PlainChat, words: str) -> None:
    name, _, rest = words.partition(" ")
    call = looking.call_of(chat, name)[1]
    _change(chat, changes.SwapModel(call, command_words.agent_settings(rest, "/swap N")))


def _again(chat: PlainChat, words: str) -> None:
    name, prompt = command_words.rewriting(words)
    session = chat.session
    if prompt:
        result = chat.wait_for(session.aggregate_again(prompt=prompt))
    elif name:
        result = chat.wait_for(session.aggregate_again(by=chat.catalog.load(name)))
    else:
        result = chat.wait_for(session.aggregate_again())
    chat.show(result)


def _edit(chat: PlainChat, number: str) -> None:
    chat.session.require_idle()
    turn = command_words.turn_numbered(number, chat.chat.path)
    written = chat.session.edit(turn).written
    place = "the last turn's place" if turn is chat.chat.turn else "that turn's place, as another branch"
    if chat.reader.can_edit:
        chat.reader.put_back(written)
        chat.voice.say(
            f"What you send next takes {place}. It is in the line to be changed; Ctrl+C gives it up."
        )
    else:
        chat.voice.say(f"What you send next takes {place}. It was:")
        chat.voice.write_text(written)


def _cost(chat: PlainChat, _: str) -> None:
    caps = chat.wait_for(chat.chat.caps())
    for line in sentences.cost_lines(tuple(chat.chat.conversation.turns), caps):
        chat.voice.say(line)


def _points(chat: PlainChat, _: str) -> None:
    chat.voice.say("No points wait for you: they are asked about, by number, as soon as they are there.")


def _stop(chat: PlainChat, _: str) -> None:
    chat.voice.say("No run is going on. While one goes, Ctrl+C stops it and keeps what was written.")


COMMANDS: dict[str, Command] = {
    "help": Command(_help, "this list, or a page of the guide"),
    "new": Command(switching.begin),
    "recipe": Command(_recipe, "list the recipes, or choose one"),
    "model": Command(_model),
    "effort": Command(lambda chat, word: chat.voice.say(sentences.use_effort(chat.chat, word))),
    "system": Command(lambda chat, text: chat.voice.write_text(sentences.set_system_prompt(chat.chat, text))),
    "retry": Command(_retry),
    "without": Command(lambda chat, name: _change(chat, changes.LeaveOut(looking.call_of(chat, name)[1]))),
    "amend": Command(_amend),
    "propose": Command(lambda chat, text: _change(chat, changes.AddAnswer(text))),
    "swap": Command(_swap),
    "add": Command(_add),
    "again": Command(_again),
    "full": Command(lambda chat, _: chat.show(chat.session.full_synthesis())),
    "use": Command(lambda chat, name: chat.show(chat.session.use_answer(looking.call_of(chat, name)[1]))),
    "compare": Command(comparing.compare, "recipes one after another; blind A B hides names"),
    "left": Command(leaving_out.left_out, "what the answer left out; with numbers, write it again with them"),
    "guided": Command(lambda chat, _: chat.voice.say(sentences.toggle_guided(chat.chat))),
    "points": Command(_points),
    "stats": Command(looking.tell_stats),
    "stop": Command(_stop, "how to stop a run: Ctrl+C"),
    "edit": Command(_edit),
    "fork": Command(switching.fork),
    "sessions": Command(switching.tell_list, "list the conversations, numbered"),
    "resume": Command(switching.resume, "open a conversation by its number in /sessions, or its title"),
    "rename": Command(switching.rename),
    "export": Command(switching.export),
    "private": Command(switching.toggle_private),
    "copy": _not_here("a clipboard takes what a terminal shows; /show answer reads it, /export writes it"),
    "cost": Command(_cost),
    "theme": _not_here("there are no colours"),
    "quit": Command(lambda chat, _: None),
}
"""What each command of the screens does here."""

PLAIN_ONLY: dict[str, PlainCommand] = {
    "show": PlainCommand(
        CommandHint("show", "[N | L.N | answer | all]", "read an agent's answer, the answer, or all turns"),
        looking.show,
    ),
}
"""The commands that are of no use where panes are on the screen, by their names."""
