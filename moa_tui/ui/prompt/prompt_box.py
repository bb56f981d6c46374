"""The prompt with its completion list, its row of files and pastes, and the estimate beside it."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from textual import work
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.message import Message
from textual.style import Style
from textual.widgets import Label, Static, TextArea

from moa_tui.chat import dropped
from moa_tui.chat.attachments import Attachment, attachment, mentioned, paste_label
from moa_tui.chat.prompt_text import PromptText
from moa_tui.errors import UsageError
from moa_tui.text.cells import shorten
from moa_tui.text.safe import one_line, without_controls
from moa_tui.ui.prompt import vim_keys
from moa_tui.ui.prompt.completion import CompletionList
from moa_tui.ui.prompt.editor import edit
from moa_tui.ui.prompt.prompt import Prompt
from moa_tui.ui.terminal.message import frozen_message

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from textual import events
    from textual.app import ComposeResult
    from textual.timer import Timer
    from textual.worker import Worker

    from moa_tui.chat.commands import CommandHint

    Mentions = Mapping[str, Attachment | UsageError]

_EDITED_AFTER_SECONDS = 0.3
# A file that is read faster is not told of.
_TOLD_AFTER_SECONDS = 0.3
# Cells of a file's name in the question whether it is attached.
_LONGEST_NAME = 60
# What may stand before the @ of a mention.
_BEFORE_MENTION = " \t\n([{"


class PromptBox(Vertical):
    """Posts the text together with the files that it mentions, once they are read."""

    DEFAULT_CSS = """
    PromptBox {
        height: auto;
        & > Horizontal { height: auto; }
        & .prompt--estimate {
            width: auto;
            max-width: 40%;
            padding: 0 1;
            color: $text-muted;
        }
        & .prompt--mode { width: 14; color: $text; }
    }
    """

    @frozen_message
    class Submitted(Message):
        """The user wants to send `prompt`, which has been removed from the box."""

        prompt: PromptText

    class Edited(Message):
        """The text or its files have changed, and nothing was typed for 0.3 s."""

    def __init__(
        self,
        commands: Sequence[CommandHint] = (),
        folder: Path | None = None,
        *,
        reader: vim_keys.Reader | None = None,
        id: str | None = None,
    ) -> None:
        """`folder` is where mentioned files are searched for; the working directory by default.

        With a `reader`, the prompt has Vim's keys.
        """
        super().__init__(id=id)
        self._folder = folder or Path.cwd()
        self._completions = CompletionList(commands, self._folder)
        self.prompt = Prompt(self._completions)
        self._chips = Chips()
        self._estimate = Label(markup=False, classes="prompt--estimate")
        self._mode = Label(markup=False, classes="prompt--mode") if reader is not None else None
        if reader is not None:
            self.prompt.vim = vim_keys.VimKeys(self.prompt, reader, self._show_mode)
        self._mentions: Mentions = {}
        self._timer: Timer | None = None
        self._is_reading = False
        self._slow_words: list[str] = []
        """The mentioned files whose reading takes long enough to be told."""
        self._submitted: list[PromptText] = []
        """What was taken out of the box, and is on its way to whoever sends it."""
        self._text_to_confirm: str | None = None
        """A text that was not sent because of unreadable files; submitted again, it is sent without them."""
        self._asked: tuple[str, dropped.Dropped] | None = None
        """The pasted text of which is asked whether its files are attached, and what would be."""
        self._attaches_always = False
        """True once the user has said so, for the rest of the session."""
        self._command_names = {hint.name for hint in commands if not hint.takes_message}

    def compose(self) -> ComposeResult:
        """The list is drawn over the widgets above the box; the others stand in rows."""
        yield self._completions
        yield self._chips
        with Horizontal():
            yield self.prompt
            yield self._estimate
            if self._mode is not None:
                yield self._mode

    def _show_mode(self, words: str) -> None:
        if self._mode is not None:
            # Its width is fixed: the screen need not be laid out at every key.
            self._mode.update(words, layout=False)

    @property
    def draft(self) -> PromptText:
        """The prompt as it would be sent now, with those of its files that have been read."""
        return PromptText(self.prompt.expanded, _readable(self._mentions))

    @property
    def unsent(self) -> list[str]:
        """All texts that were written and have not reached who sends them, in order."""
        return [*(prompt.written for prompt in self._submitted), *self.prompt.unsent]

    def accept(self, prompt: PromptText) -> None:
        """Take note that a submitted prompt has reached who sends it."""
        if prompt in self._submitted:
            self._submitted.remove(prompt)

    @property
    def estimate(self) -> str:
        """The words beside the prompt, as `7 calls · about $0.02`."""
        return str(self._estimate.content)

    @estimate.setter
    def estimate(self, text: str) -> None:
        if text != self.estimate:
            self._estimate.update(text)

    def _clear(self, submitted: str) -> None:
        """Empty the prompt of what was submitted; what was typed behind it since then stays.

        A text that was changed in front of its end stays whole: nobody could tell what of it is new.
        """
        text = self.prompt.text
        if text.startswith(submitted):
            self.prompt.reset()
            self.prompt.fill(text.removeprefix(submitted))
        self._mentions = {}
        self._text_to_confirm = None
        self._show_chips()

    def edit_outside(self) -> None:
        """Open the text in the user's own editor, and replace it by the edited one.

        A notice says why, where no editor can be run.
        """
        try:
            text = edit(self.app, self.prompt.expanded)
        except UsageError as error:
            self.notify(str(error), severity="error", markup=False)
            return
        if text is not None:
            self.prompt.fill(text)

    def on_text_area_changed(self, event: TextArea.Changed) -> None:
        """Update the row of pastes immediately, and the mentioned files once nothing is typed for 0.3 s."""
        event.stop()
        if self._asked is not None and self._asked[0] not in self.prompt.text:
            self._ask(None)
        self._show_chips()
        if self._timer is not None:
            self._timer.stop()
        self._timer = self.set_timer(_EDITED_AFTER_SECONDS, self._report_edit)

    def on_completion_list_chosen(self, event: CompletionList.Chosen) -> None:
        """Complete the word with the choice that was clicked."""
        event.stop()
        self.prompt.complete(event.choice)

    def on_chips_opened(self, event: Chips.Opened) -> None:
        """Open the paste whose chip was clicked."""
        event.stop()
        self.prompt.open_paste(event.token)

    async def on_prompt_pasted(self, event: Prompt.Pasted) -> None:
        """Find out whether the pasted text is nothing but paths of files."""
        event.stop()
        if not self._is_command(self.prompt.text):
            self._look_for_files(event.text)

    @work(group="dropped", exclusive=True)
    async def _look_for_files(self, pasted: str) -> None:
        files = await asyncio.to_thread(dropped.dropped, pasted, self._folder)
        text = "\n".join(pasted.splitlines()) + ("\n" if pasted.endswith(("\n", "\r")) else "")
        if files is not None and files.problems:
            self.notify("\n".join(files.problems), severity="warning", markup=False)
        if files is None or text not in self.prompt.text:  # It was sent, changed or folded.
            return
        if text.strip() in mentioned(self.prompt.text):  # Behind an @ that somebody had typed.
            return
        if files.names and self._attaches_always:
            self._mention(text, files)
        elif files.names:
            self._ask((text, files))

    def _ask(self, question: tuple[str, dropped.Dropped] | None) -> None:
        """Ask whether files are attached, or with None no more."""
        self._asked = question
        self.prompt.is_asked_to_attach = question is not None
        self._show_chips()
        self.prompt.refresh_bindings()

    def on_prompt_attach_answered(self, event: Prompt.AttachAnswered) -> None:
        """Mention the files in the place of their paths, or leave these as text."""
        event.stop()
        asked = self._asked
        self._attaches_always = self._attaches_always or event.answer == "always"
        self._ask(None)
        if asked is not None and event.answer != "no":
            self._mention(*asked)

    def _mention(self, pasted: str, files: dropped.Dropped) -> None:
        text = self.prompt.text
        start = text.rfind(pasted)
        end = start + len(pasted)
        if text[:start].endswith("@"):  # Typed by somebody who then dropped the file.
            start -= 1
        gap = " " if start and text[start - 1] not in _BEFORE_MENTION else ""
        behind = "" if text[end : end + 1].isspace() else " "
        self.prompt.replace(f"{gap}{files.mentions}{behind}", _location(text, start), _location(text, end))

    def on_prompt_submitted(self, event: Prompt.Submitted) -> None:
        """Read the mentioned files, then send the text."""
        event.stop()
        if not self._is_reading:
            self._is_reading = True
            # Not a coroutine yet: where the app is left before its turn comes, nobody would await it.
            send = partial(self._send, self.prompt.text, event.text)
            _: Worker[None] = self.run_worker(send, group="send")

    async def _send(self, written: str, expanded: str) -> None:
        try:
            mentions = await self._read(self._mentioned_paths(written))
        finally:
            self._is_reading = False
        errors = [str(mention) for mention in mentions.values() if isinstance(mention, UsageError)]
        # A word like @someone names no file, so the same text is sent when it is submitted a second time.
        if errors and self._text_to_confirm != written:
            self._text_to_confirm = written
            self._mentions = mentions
            self._show_chips()
            message = "\n".join([*errors, "Nothing was sent. Enter again sends it without."])
            self.notify(message, severity="error", markup=False)
            return
        prompt = PromptText(expanded, _readable(mentions))
        self._submitted.append(prompt)
        self._clear(written)
        self.post_message(self.Submitted(prompt))

    def _report_edit(self) -> None:
        self.post_message(self.Edited())
        if self._completions.is_open:  # The name is still being typed.
            return
        words = self._mentioned_paths(self.prompt.text)
        if words != list(self._mentions):
            self._read_mentions(words)

    def _mentioned_paths(self, text: str) -> list[str]:
        """The files that a message names. A slash command names files only where it takes a message."""
        return [] if self._is_command(text) else mentioned(text)

    def _is_command(self, text: str) -> bool:
        """True for a slash command that takes no message."""
        word = text[1:].split(maxsplit=1)[:1] if text.startswith("/") else []
        return bool(word) and word[0].lower() in self._command_names

    @work(group="mentions", exclusive=True)
    async def _read_mentions(self, words: list[str]) -> None:
        self._mentions = await self._read(words)
        self._show_chips()
        self.post_message(self.Edited())

    async def _read(self, words: list[str]) -> Mentions:
        if not words:
            return {}

        def show_slow_words() -> None:
            self._slow_words = words
            self._show_chips()

        timer = self.set_timer(_TOLD_AFTER_SECONDS, show_slow_words)
        try:
            return await asyncio.to_thread(_attachments, words, self._folder)
        finally:
            timer.stop()
            self._slow_words = []

    def _show_chips(self) -> None:
        pastes = self.prompt.pastes
        tokens = pastes.tokens(self.prompt.text) if pastes else []
        names = self._asked[1].names if self._asked else ()
        self._chips.show(self._mentions, tokens, self._slow_words, names)


class Chips(Static):
    """A row with a chip for each file and paste of the prompt, and for each file that cannot be read."""

    DEFAULT_CSS = """
    Chips {
        display: none;
        height: auto;
        max-height: 4;
        padding: 0 1;
        color: $text-muted;
    }
    """

    @frozen_message
    class Opened(Message):
        """The chip of a paste was clicked."""

        token: str

    def __init__(self) -> None:
        super().__init__()
        self._row = Content()

    def show(
        self,
        mentions: Mentions,
        tokens: Iterable[str],
        slow_words: Sequence[str],
        dropped_names: Sequence[str] = (),
    ) -> None:
        """Show one chip for each mention, each file that is still being read, and each token of a paste.

        Above them stands the question whether the files of `dropped_names` are attached. The row is hidden
        where there is nothing to show.
        """
        chips = [_mention_chip(mention) for word, mention in mentions.items() if word not in slow_words]
        chips += [Content(f"… reading {without_controls(word)}") for word in slow_words]
        chips += [_paste_chip(token) for token in tokens]
        row = Content("   ").join(chips)
        if dropped_names:
            row = Content("\n").join([_question(dropped_names), *([row] if chips else [])])
        if row.is_same(self._row):
            return  # Showing it anew would lay out the whole screen, and it is shown at every key.
        self._row = row
        self.update(row)
        self.display = bool(row.plain)

    def on_click(self, event: events.Click) -> None:
        """Post the token of the paste that was clicked."""
        if token := event.style.meta.get("paste"):
            self.post_message(self.Opened(token))


def _mention_chip(mention: Attachment | UsageError) -> Content:
    if isinstance(mention, UsageError):
        return Content.styled(f"✗ {mention}", "$text-error")
    return Content(f"✓ {mention.path.name} · ~{_thousands(mention.tokens)} tokens")


def _question(names: Sequence[str]) -> Content:
    # The keys behind it must not be pushed out of the row.
    what = shorten(one_line(names[0]), _LONGEST_NAME) if len(names) == 1 else f"{len(names)} files"
    return Content.styled(f"Attach {what}? Tab yes · shift+Tab always · Esc no, it stays text", "$text")


def _location(text: str, offset: int) -> tuple[int, int]:
    """The row and column of character `offset` of a text."""
    before = text[:offset]
    return before.count("\n"), offset - (before.rfind("\n") + 1)


def _paste_chip(token: str) -> Content:
    return Content.styled(f"▸ {paste_label(token)}", Style.from_meta({"paste": token}))


def _thousands(number: int) -> str:
    return str(number) if number < 1000 else f"{number / 1000:.1f}k"


def _readable(mentions: Mentions) -> tuple[Attachment, ...]:
    return tuple(mention for mention in mentions.values() if isinstance(mention, Attachment))


def _attachments(words: list[str], folder: Path) -> Mentions:
    """Each mention with its file, or with the error why it cannot be attached. Reads the disk."""
    mentions: dict[str, Attachment | UsageError] = {}
    for word in words:
        try:
            mentions[word] = attachment(word, folder)
        except UsageError as error:
            mentions[word] = error
    return mentions
