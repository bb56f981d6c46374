"""Claude's export, `chat_messages` of text or content blocks, and sessions of Claude Code in JSONL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from moa_tui.formats.foreign.chatgpt import fenced
from moa_tui.formats.foreign.messages import from_list, model_of, role_of, time_of
from moa_tui.formats.foreign.parts import Content
from moa_tui.formats.foreign.turns import Message
from moa_tui.formats.foreign.values import first_text, key, label, listed, string, table

if TYPE_CHECKING:
    from moa_tui.conversation import Conversation
    from moa_tui.formats.foreign.values import Tally

_LONGEST_NAME = 200
# Files elsewhere are the model's own notes and programs.
_FILES_FOR_READER = "/mnt/user-data/outputs/"


def from_claude(document: dict[str, Any], tally: Tally) -> Conversation:
    """The conversation of a record of Claude's `conversations.json`; an edited message is a branch."""
    return from_list(
        listed(document["chat_messages"]),
        document,
        tally,
        current=key(document.get("current_leaf_message_uuid")),
        read=_message,
    )


def _message(entry: dict[str, Any], tally: Tally) -> Message:
    """A message: its blocks, or its text where they hold none, and the files that came with it."""
    content = Content(tally, "\n\n")
    for block in listed(entry.get("content")):
        if artifact := _artifact(table(block)):
            content.add_text(artifact)
        else:
            content.add(block)
    if not content.text.strip():
        content.add(first_text(entry, "text") or first_text(entry, "content") or None)
    for attached in listed(entry.get("attachments")):
        content.add_attachment("attachment", attached)
        if extracted := first_text(table(attached), "extracted_content"):
            # The text of a file is taken, so that only its form is left out.
            tally.left_out["attachment"] -= 1
            content.add_text(fenced(extracted))
    named = {}
    for attached in (*listed(entry.get("files")), *listed(entry.get("files_v2"))):
        file = table(attached)
        named[key(file.get("file_uuid")) or first_text(file, "file_name") or string(attached)] = attached
    for attached in named.values():
        content.add_file(attached)
    return Message(role_of(entry), content.text, model_of(entry), time_of(entry, tally), content.reasoning)


def _artifact(block: dict[str, Any]) -> str:
    """The text that a block writes into an artifact, or into a file for the reader; empty for any other.

    What changes only a part of one is left out.
    """
    given = table(block.get("input"))
    tool, path = block.get("name"), string(given.get("path"))
    text = string(given.get("content")) if tool == "artifacts" else ""
    if tool == "create_file" and path.startswith(_FILES_FOR_READER):
        text = string(given.get("file_text"))
    if block.get("type") != "tool_use" or not text:
        return ""
    title = label(string(given.get("title")) or path.removeprefix(_FILES_FOR_READER), _LONGEST_NAME)
    is_markdown = given.get("type") == "text/markdown" or path.endswith(".md")
    written = text if is_markdown else fenced(text, string(given.get("language")))
    return f"**{title}**\n\n{written}" if title else written


def from_session(lines: list[dict[str, Any]], tally: Tally) -> Conversation:
    """The conversation of a session's lines, each with a message in it or with what the session is called.

    Claude Code and the web page of llama.cpp's server write such lines.
    """
    head: dict[str, Any] = {}
    entries = []
    for line in lines:
        message = table(line.get("message"))
        if not message:
            head |= {"title": first_text(line, "summary", "name", "title", "aiTitle", "customTitle")}
            head["current"] = key(line.get("currNode"))
        elif "uuid" in line:
            entries.append({**message, **line, "id": None})
        else:
            entries.append(message)
    return from_list(entries, head, tally, current=string(head.get("current")), read=_session_message)


def _session_message(entry: dict[str, Any], tally: Tally) -> Message | None:
    """The message of a line; None where it is for the program, an agent of it, or from a tool."""
    if entry.get("isMeta") or entry.get("isSidechain"):
        tally.left_out["hidden message"] += 1
        return None
    role, content = role_of(entry), Content(tally, "\n\n")
    content.add(entry.get("content"))
    content.add_thought(string(entry.get("reasoningContent")) or string(entry.get("reasoning_content")))
    for attached in listed(entry.get("extra")):
        content.add_attachment("attachment", attached)
    if role == "user" and not content.has_text:
        return None
    return Message(role, content.text, model_of(entry), time_of(entry, tally), content.reasoning)
