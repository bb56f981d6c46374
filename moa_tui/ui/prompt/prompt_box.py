"""The prompt with all that belongs to it: completion above, what goes along, the estimate beside it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from textual import work
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.message import Message
from textual.style import Style
from textual.widgets import Label, Static, TextArea

from moa_tui.chat.attachments import Attachment, attachment, mentioned, paste_label
from moa_tui.chat.prompt_text import PromptText
from moa_tui.errors import UsageError
from moa_tui.ui.prompt.completion import CompletionList
from moa_tui.ui.prompt.editor import edit
from moa_tui.ui.prompt.prompt import Prompt
from moa_tui.ui.terminal.message import frozen_message

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from textual import events
    from textual.app import ComposeResult
    from textual.timer import Timer

    from moa_tui.ui.prompt.completion import CommandHint

    Mentions = Mapping[str, Attachment | UsageError]

_EDITED_AFTER_SECONDS = 0.3


class PromptBox(Vertical):
    """Sends what is written together with the files it mentions, which leaves the box once they are read."""

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
    }
    """

    @frozen_message
    class Submitted(Message):
        """`prompt` is to be sent; it has left the box."""

        prompt: PromptText

    class Edited(Message):
        """The text has changed, and nothing was typed for a moment."""

    def __init__(
        self,
        commands: Sequence[CommandHint] = (),
        folder: Path | None = None,
        *,
        id: str | None = None,
    ) -> None:
        super().__init__(id=id)
        self._folder = folder or Path.cwd()
        self._completions = CompletionList(commands, self._folder)
        self.prompt = Prompt(self._completions)
        self._chips = Chips()
        self._estimate = Label(markup=False, classes="prompt--estimate")
        self._mentions: Mentions = {}
        self._timer: Timer | None = None
        self._is_reading = False
        self._refused: str | None = None
        self._command_names = {hint.name for hint in commands if not hint.takes_message}

    def compose(self) -> ComposeResult:
        """The list lies over what is above, the rest stands in rows."""
        yield self._completions
        yield self._chips
        with Horizontal():
            yield self.prompt
            yield self._estimate

    @property
    def draft(self) -> PromptText:
        """What would be sent: the text with its pastes, and the files it names as far as they were read."""
        return PromptText(self.prompt.expanded, _readable(self._mentions))

    @property
    def estimate(self) -> str:
        """What stands beside the prompt, as `7 calls · about $0.02`."""
        return str(self._estimate.content)

    @estimate.setter
    def estimate(self, text: str) -> None:
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
        self._refused = None
        self._show_chips()

    def edit_outside(self) -> None:
        """Hand the text to the person's own editor, and take what comes back."""
        try:
            text = edit(self.app, self.prompt.expanded)
        except UsageError as error:
            self.notify(str(error), severity="error", markup=False)
            return
        if text is not None:
            self.prompt.fill(text)

    def on_text_area_changed(self, event: TextArea.Changed) -> None:
        """Show at once what was pasted; look for files, and say so, when typing rests."""
        event.stop()
        self._show_chips()
        if self._timer is not None:
            self._timer.stop()
        self._timer = self.set_timer(_EDITED_AFTER_SECONDS, self._look_again)

    def on_completion_list_chosen(self, event: CompletionList.Chosen) -> None:
        """Take what was clicked in the list."""
        event.stop()
        self.prompt.complete(event.choice)

    def on_chips_opened(self, event: Chips.Opened) -> None:
        """Open a paste whose chip was clicked."""
        event.stop()
        self.prompt.open_paste(event.token)

    def on_prompt_submitted(self, event: Prompt.Submitted) -> None:
        """Read the mentioned files, then send."""
        event.stop()
        if not self._is_reading:
            self._is_reading = True
            self.run_worker(self._send(self.prompt.text, event.text), group="send")

    async def _send(self, written: str, expanded: str) -> None:
        try:
            mentions = await self._read(self._mentioned(written))
        finally:
            self._is_reading = False
        errors = [str(found) for found in mentions.values() if isinstance(found, UsageError)]
        # A word like @someone names no file; whoever says so twice is believed.
        if errors and self._refused != written:
            self._refused = written
            self._mentions = mentions
            self._show_chips()
            message = "\n".join([*errors, "Nothing was sent. Enter again sends it without."])
            self.notify(message, severity="error", markup=False)
            return
        self._clear(written)
        self.post_message(self.Submitted(PromptText(expanded, _readable(mentions))))

    def _look_again(self) -> None:
        self.post_message(self.Edited())
        if self._completions.is_open:  # The name is still being typed.
            return
        words = self._mentioned(self.prompt.text)
        if words != list(self._mentions):
            self._look_at(words)

    def _mentioned(self, text: str) -> list[str]:
        """The files a message names; what stands behind most slash commands is the command's."""
        word = text[1:].split(maxsplit=1)[:1] if text.startswith("/") else []
        return [] if word and word[0].lower() in self._command_names else mentioned(text)

    @work(group="mentions", exclusive=True)
    async def _look_at(self, words: list[str]) -> None:
        self._mentions = await self._read(words)
        self._show_chips()
        self.post_message(self.Edited())

    async def _read(self, words: list[str]) -> Mentions:
        return await asyncio.to_thread(_attachments, words, self._folder) if words else {}

    def _show_chips(self) -> None:
        pastes = self.prompt.pastes
        self._chips.show(self._mentions, pastes.tokens(self.prompt.text) if pastes else [])


class Chips(Static):
    """A row of what goes along with the prompt: files, pastes, and files that cannot be read."""

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

    def show(self, mentions: Mentions, tokens: Iterable[str]) -> None:
        """Show one chip for each; no row where there are none."""
        chips = [_mention_chip(found) for found in mentions.values()]
        chips += [_paste_chip(token) for token in tokens]
        self.update(Content("   ").join(chips))
        self.display = bool(chips)

    def on_click(self, event: events.Click) -> None:
        """Say which paste was clicked."""
        if token := event.style.meta.get("paste"):
            self.post_message(self.Opened(token))


def _mention_chip(found: Attachment | UsageError) -> Content:
    if isinstance(found, UsageError):
        return Content.styled(f"✗ {found}", "$text-error")
    return Content(f"✓ {found.path.name} · ~{_thousands(found.tokens)} tokens")


def _paste_chip(token: str) -> Content:
    return Content.styled(f"▸ {paste_label(token)}", Style.from_meta({"paste": token}))


def _thousands(number: int) -> str:
    return str(number) if number < 1000 else f"{number / 1000:.1f}k"


def _readable(mentions: Mentions) -> tuple[Attachment, ...]:
    return tuple(mention for mention in mentions.values() if isinstance(mention, Attachment))


def _attachments(words: list[str], folder: Path) -> Mentions:
    """Each mention with its file, or with why it cannot go along."""
    found: dict[str, Attachment | UsageError] = {}
    for word in words:
        try:
            found[word] = attachment(word, folder)
        except UsageError as error:
            found[word] = error
    return found
