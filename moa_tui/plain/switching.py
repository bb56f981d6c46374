"""Which conversation is open in the plain chat: listing, opening, forking, exporting."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from moa_tui.chat import command_words, sentences
from moa_tui.chat.conversations import Resumed
from moa_tui.conversation import paid_for
from moa_tui.errors import OpenElsewhereError, UsageError
from moa_tui.text.safe import one_line
from moa_tui.text.wording import counted

if TYPE_CHECKING:
    from moa_tui.conversation import Conversation
    from moa_tui.engine.values import Paid
    from moa_tui.plain.chat import PlainChat

_MOST_LISTED = 30


def taken_by(conversation: Conversation) -> Paid:
    """What all turns of a conversation took."""
    return paid_for(conversation.turns)


def begin(chat: PlainChat, _: str) -> None:
    """Begin another conversation."""
    chat.session.require_idle()
    chat.require_may_leave(program=False)
    chat.wait_for(chat.conversations.new())
    chat.voice.say("A new conversation.")


def tell_list(chat: PlainChat, _: str) -> None:
    """List the kept conversations by numbers, which /resume takes."""
    summaries = chat.library.summaries()
    chat.listed = [summary.id for summary in summaries]
    if not summaries:
        chat.voice.say("No conversation is kept yet.")
    for number, summary in enumerate(summaries[:_MOST_LISTED], 1):
        used = time.strftime("%Y-%m-%d", time.localtime(summary.used))
        here = ", open here" if summary.id == chat.chat.conversation.id else ""
        pinned = ", pinned" if summary.pinned else ""
        chat.voice.say(
            f"{number}. {one_line(summary.name)}: {used}, {counted(summary.turns, 'turn')}{pinned}{here}"
        )
    if len(summaries) > _MOST_LISTED:
        more = len(summaries) - _MOST_LISTED
        chat.voice.say(f"And {more} more. /resume TITLE opens any of them by a part of its title.")
    elif summaries:
        chat.voice.say("/resume N opens one.")


def resume(chat: PlainChat, name: str) -> None:
    """Open a conversation by its number in the list, its title or id; without a name, list them."""
    if not name:
        tell_list(chat, "")
        return
    chat.session.require_idle()
    is_number = name.isdecimal() and 1 <= int(name) <= len(chat.listed)
    summary = chat.library.find(chat.listed[int(name) - 1] if is_number else name)
    if summary.id == chat.chat.conversation.id:
        chat.voice.say("that is the conversation that is open")
        return
    chat.require_may_leave(program=False)
    try:
        chat.wait_for(chat.conversations.open(summary.id))
    except OpenElsewhereError as error:
        chat.voice.say(str(error))
        if not chat.questions.confirm("Fork it?"):
            return
        chat.wait_for(chat.conversations.fork(summary.id))
    _tell_opened(chat)


def fork(chat: PlainChat, _: str) -> None:
    """Go on in a new conversation that holds this branch."""
    chat.wait_for(chat.conversations.fork())
    chat.voice.say("this is a conversation of its own now; the other one stays as it is")


def _tell_opened(chat: PlainChat) -> None:
    resumed = chat.wait_for(chat.conversations.resume_recipe(chat.catalog))
    if resumed is not Resumed.SAME:
        chat.voice.say(sentences.resumed_words(resumed, chat.chat))
    for words in (sentences.why_unguided(chat.chat), sentences.unused_system_words(chat.chat.turn)):
        if words:
            chat.voice.say(words)
    chat.tell_conversation()


def export(chat: PlainChat, words: str) -> None:
    """Write the conversation to a file."""
    conversation = chat.session.with_running_turn()
    format_, path, may_replace = command_words.export_words(words)
    path = path or chat.conversations.export_folder
    written = chat.library.export(conversation, format_, path, replace=may_replace)
    chat.voice.write_text(f"Written: {written}")


def toggle_private(chat: PlainChat, _: str) -> None:
    """Keep what is sent in memory only from now on, or all of it on disk."""
    chat.wait_for(chat.conversations.set_private(not chat.chat.private))
    chat.voice.say(sentences.privacy_words(chat.chat))


def rename(chat: PlainChat, title: str) -> None:
    """Give the conversation a title."""
    chat.wait_for(chat.conversations.rename(title))
    if not chat.chat.conversation.title:
        raise UsageError("a title is needed")
    chat.voice.say(f"Title: {one_line(chat.chat.conversation.title)}")
