"""A prompt and its files: what the models are sent, and what the person wrote."""

from __future__ import annotations

from pathlib import Path

from moa_tui.chat.attachments import Attachment
from moa_tui.chat.prompt_text import PromptText

NOTES = Attachment(Path("notes"), "File `notes`: moa", 4)
MORE = Attachment(Path("more"), "File `more`: kiwi", 4)


def test_the_files_stand_below_what_was_written_in_order() -> None:
    prompt = PromptText("Sum up @notes and @more", (NOTES, MORE))
    assert prompt.sent == "Sum up @notes and @more\n\nFile `notes`: moa\n\nFile `more`: kiwi"


def test_without_files_what_was_written_is_sent_as_it_is() -> None:
    assert PromptText("  two\nlines ").sent == "  two\nlines "


def test_other_words_keep_the_files() -> None:
    prompt = PromptText("/compare a b Sum up @notes", (NOTES,)).with_words("Sum up @notes")
    assert (prompt.written, prompt.attachments) == ("Sum up @notes", (NOTES,))
