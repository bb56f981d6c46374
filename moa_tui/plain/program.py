"""The plain chat: reads a line, does what it says, and tells in lines what comes of it."""

from __future__ import annotations

import asyncio
import queue
from typing import TYPE_CHECKING

from moa_tui import __version__
from moa_tui.chat import commands as known_commands
from moa_tui.chat import sentences
from moa_tui.chat.prompt_text import PromptText
from moa_tui.errors import StoreError, UsageError
from moa_tui.plain.chat import LeavingError, PlainChat
from moa_tui.plain.commands import COMMANDS, PLAIN_ONLY
from moa_tui.plain.signals import EndedBySignalError
from moa_tui.text.safe import one_line
from moa_tui.text.wording import counted

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TextIO

    from moa_tui.chat.library import Library
    from moa_tui.chat.session import ChatSession
    from moa_tui.recipes.catalog import RecipeCatalog
    from moa_tui.recipes.models import ModelCatalog
    from moa_tui.settings.config import Settings

ANSWERED, FAILED = 0, 1


class PlainProgram:
    """The chat from the first line to the last."""

    def __init__(
        self,
        session: ChatSession,
        catalog: RecipeCatalog,
        models: ModelCatalog,
        library: Library,
        settings: Settings,
        streams: tuple[TextIO, TextIO],
        *,
        notices: Sequence[str] = (),
    ) -> None:
        """`streams` are those to read and to write; `notices` are said first."""
        self.return_code: int | None = None
        """The exit code, once the chat is over."""
        names = [*COMMANDS, *PLAIN_ONLY]
        self.chat = PlainChat(session, catalog, models, library, settings, streams, names)
        self._notices = list(notices)
        self._disk_news: queue.SimpleQueue[StoreError | None] = queue.SimpleQueue()
        self._left_over: list[str] = []

    # From the beginning to the end

    def run(self) -> None:
        """Chat until the input ends, somebody leaves, or a signal ends the program.

        Raises UsageError where the output cannot be written.
        """
        chat = self.chat
        with asyncio.Runner() as runner, chat.signals:
            chat.runner = runner
            try:
                self._greet()
                while self._goes_on():
                    pass
                self.return_code = FAILED if chat.has_failed and not chat.reader.is_attended else ANSWERED
            except (LeavingError, EndedBySignalError):
                self.return_code = chat.signals.exit_code or ANSWERED
            except OSError as error:
                self.return_code = chat.signals.exit_code or FAILED
                if chat.signals.exit_code is None and not isinstance(error, BrokenPipeError):
                    raise UsageError(f"the chat cannot be written: {error.strerror or error}") from error
            finally:
                chat.runner = None

    def keep_unsent(self) -> str | None:
        """Write what was not sent to disk once the chat is over; why that cannot be, or None."""
        try:
            self.chat.unsent.keep_last(self.chat.reader.unsent)
        except StoreError as error:
            return str(error)
        return None

    def tell_of_the_disk(self, problem: StoreError | None) -> None:
        """Conversations cannot be written, or, with None, can be again. May be called on any thread."""
        self._disk_news.put(problem)

    def _greet(self) -> None:
        chat, voice = self.chat, self.chat.voice
        recipe = chat.chat.asked_recipe
        shape = f"{counted(len(recipe.layers), 'layer')}, {counted(recipe.calls, 'call')}"
        voice.say(f"moa-tui {__version__}, the plain chat. Recipe {one_line(recipe.label)}: {shape}.")
        if recipe.label == "demo":
            voice.say("These models are simulated: no key, no network, no price.")
        for notice in self._notices:
            voice.say(notice)
        if chat.chat.private:
            voice.say("Private: nothing of this conversation is written to disk.")
        if words := sentences.why_unguided(chat.chat):
            voice.say(words)
        voice.say(
            "Type a question and press Enter. /help lists the commands, Ctrl+C stops an answer, "
            "Ctrl+D leaves."
        )
        chat.tell_conversation()
        if chat.reader.can_edit:
            chat.attempt(self._recall)
            chat.attempt(chat.restore)
        chat.chat.warm_up()

    def _recall(self) -> None:
        if self.chat.library.keeps:
            self.chat.reader.remember(self.chat.library.prompts())

    def _goes_on(self) -> bool:
        """Read a line and do it; False where that was the last one, and nothing is lost by leaving."""
        chat = self.chat
        if self._read_and_obey():
            return True
        if chat.reader.is_attended:
            try:
                chat.require_may_leave()
            except UsageError as error:
                chat.voice.say(str(error))
                return True
        return False

    # Lines

    def _read_and_obey(self) -> bool:
        """Read a prompt or command and do it; False at the end."""
        chat = self.chat
        self._tell_news()
        chat.keep_draft()  # What was typed last has reached whom it was for.
        try:
            line = chat.reader.read()
        except KeyboardInterrupt:
            self._drop_line()
            return True
        if line is None:
            return False
        if line.strip():
            chat.reader.remember([line])
            return self.obey(PromptText(line))
        return True

    def _drop_line(self) -> None:
        """Give up the line that is being written; going back in the history finds it again."""
        chat = self.chat
        chat.voice.write_text("")
        text = chat.reader.take_unfinished()
        chat.session.instead_of = None
        if text.strip():
            chat.reader.remember([text])
            chat.voice.say("Not sent. Going back in the history finds it.")
        else:
            chat.voice.say("Ctrl+D or /quit leaves.")

    def obey(self, prompt: PromptText) -> bool:
        """Send a prompt or do a command; False where it was to leave."""
        chat = self.chat
        parsed = known_commands.parse(prompt, {**COMMANDS, **PLAIN_ONLY})
        if parsed is None:
            chat.stay()
            chat.attempt(lambda: chat.send(prompt), prompt)
            return True
        name, argument = parsed
        if name == "quit" and not argument.written:
            return False
        chat.attempt(lambda: self._command(name, argument))
        return True

    def _command(self, name: str, argument: PromptText) -> None:
        hint = known_commands.HINTS.get(name) or PLAIN_ONLY[name].hint
        hint.check(argument)
        command = PLAIN_ONLY[name] if name in PLAIN_ONLY else COMMANDS[name]
        command.act(self.chat, argument.written)

    def _tell_news(self) -> None:
        """Say what has happened meanwhile: to the title, and to the disk."""
        chat = self.chat
        chat.attempt(chat.tell_title)
        while not self._disk_news.empty():
            problem = self._disk_news.get()
            before, chat.conversations.disk_problem = chat.conversations.disk_problem, problem
            if problem is not None:
                chat.voice.say(f"Not written to disk: {problem}\n{sentences.KEPT_IN_MEMORY}")
            elif before is not None:
                chat.voice.say(sentences.written_again_words(chat.chat, before))
