"""Conversations as files that others can read: for people, for scripts, for training models.

Way in: `FORMATS` names what can be written, `render` gives the text and `write` puts it into a new file.
Each format is a module that turns a conversation into text. None of them reads the store or asks a model.
"""

from __future__ import annotations

import json
import re
import unicodedata
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain, count
from typing import TYPE_CHECKING, Any

from moa_tui.errors import FileError, UsageError
from moa_tui.formats.export.html import html_page
from moa_tui.formats.export.markdown import markdown
from moa_tui.formats.export.text import numbered_turns
from moa_tui.formats.json_writer import conversation_document, failure_document, left_out_document
from moa_tui.settings.paths import disk_words, write_private
from moa_tui.text.safe import as_json_unicode, as_unicode

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from pathlib import Path

    from moa_tui.conversation import Conversation, Turn
    from moa_tui.engine.values import Message

# Bytes of a file name's parts. Most systems allow 255 for the whole, some sync tools about half of that.
_LONGEST_NAME, _LONGEST_ID = 80, 24
_LINE_END = re.compile("[\x85\u2028\u2029]")


@dataclass(frozen=True, slots=True)
class Format:
    """A format: how its files' names end, what it is good for, and if several conversations fit in a file."""

    suffix: str
    description: str
    holds_several: bool = False


_NOT_ASCII = re.compile(r"[^\x00-\x7f]+")
FORMATS: dict[str, Format] = {
    "markdown": Format(".md", "to read and to keep in notes; proposers fold away"),
    "html": Format(".html", "one page for a browser, proposers side by side, with a timeline"),
    "json": Format(".json", "everything, to import again without loss"),
    "messages": Format(".messages.json", "OpenAI messages with the final answers, the rest under moa"),
    "jsonl": Format(".jsonl", "OpenAI fine-tuning: one conversation a line", holds_several=True),
    "sharegpt": Format(".sharegpt.json", "ShareGPT: prompts and final answers", holds_several=True),
}


def render(conversations: Sequence[Conversation], format: str) -> str:
    """Conversations as the text of a file of that format, which can always be written as UTF-8.

    Raises UsageError for an unknown format, for no conversation, and for several where a file holds one.
    """
    known = _known(format)
    if not conversations:
        raise UsageError("there is no conversation to export")
    if len(conversations) > 1 and not known.holds_several:
        several = ", ".join(name for name, format_ in FORMATS.items() if format_.holds_several)
        raise UsageError(
            f"a {format} file holds one conversation, not {len(conversations)}; these hold more: {several}"
        )
    match format:
        case "markdown":
            return markdown(conversations[0])
        case "html":
            return html_page(conversations[0])
        case "json":
            return as_json_unicode(_indented(conversation_document(conversations[0])))
        case "messages":
            return as_unicode(_indented(_messages_document(conversations[0])))
        case "jsonl":
            return "".join(f"{_on_one_line(_messages_document(each))}\n" for each in conversations)
        case _:
            return as_unicode(_indented([_sharegpt_document(each) for each in conversations]))


def write(
    conversations: Sequence[Conversation],
    format: str,
    path: Path | None,
    folder: Path,
    *,
    replace: bool = False,
    taken: Collection[Path] = (),
) -> Path:
    """Write a file that only its owner can read, and return its absolute path.

    Without `path`, the file goes to `folder`. Without `path`, and where `path` is a folder, `file_name` names
    the file, with a number behind it where one of `taken` has that name. Raises UsageError where `render`
    does and for a file that exists while `replace` is False; FileError where the file cannot be written.
    """
    text = render(conversations, format)
    target = path or folder
    try:
        # ValueError: a NUL, or a surrogate that no file name can have; RuntimeError: no such user's home.
        target = target.expanduser().absolute()
        if path is None or target.is_dir():
            target = _another(target / file_name(conversations, format), taken)
        write_private(target, text, replace=replace)
    except FileExistsError as error:
        raise UsageError(
            f"{target} is there already; name another file, or say that it may be replaced"
        ) from error
    except (ValueError, RuntimeError) as error:
        raise UsageError(f"{str(path)!r} cannot be a file's name: {error}") from error
    except OSError as error:
        raise FileError(f"{target} cannot be written: {disk_words(error)}") from error
    return target


def _another(target: Path, taken: Collection[Path]) -> Path:
    """Return `target`, numbered where one of these files has its name, in whatever case."""
    names = {path.name.casefold() for path in taken}
    suffix = "".join(target.suffixes)
    stem = target.name.removesuffix(suffix)
    numbered = (target.with_name(f"{stem}-{number}{suffix}") for number in count(2))
    return next(path for path in chain([target], numbered) if path.name.casefold() not in names)


def file_name(conversations: Sequence[Conversation], format: str) -> str:
    """A name for a file, made of the name, date and id of the first conversation, that every system accepts.

    It has letters, digits, `-` and `_` only; with date and id it cannot be a device's name on Windows.
    Raises UsageError for an unknown format.
    """
    first = conversations[0]
    name = _slug(first.name, _LONGEST_NAME) or "conversation"
    if len(conversations) > 1:
        name = f"{len(conversations)}-conversations"
    try:
        date = f"{datetime.fromtimestamp(first.created, UTC):%Y-%m-%d}"
    except (OverflowError, ValueError, OSError):
        date = "undated"
    return f"{name}-{date}-{_slug(first.id, _LONGEST_ID) or 'x'}{_known(format).suffix}"


def in_ascii(text: str, format: str) -> str:
    """What `render` gave, with other characters as the format itself writes them; Markdown cannot.

    For an output in another encoding than UTF-8: what is put in the place of a character that it lacks could
    be a quotation mark.
    """
    match FORMATS[format].suffix.rpartition(".")[2]:
        case "json" | "jsonl":
            return _NOT_ASCII.sub(lambda characters: json.dumps(characters[0])[1:-1], text)
        case "html":
            return text.encode("ascii", "xmlcharrefreplace").decode("ascii")
        case _:
            return text


def _known(format: str) -> Format:
    """The format of that name. Raises UsageError for an unknown one."""
    if format not in FORMATS:
        raise UsageError(f'there is no format "{format}"; known: {", ".join(FORMATS)}')
    return FORMATS[format]


def _slug(text: str, longest: int) -> str:
    """The letters and digits of `text` with `-` between them, in `longest` bytes at most."""
    composed = unicodedata.normalize("NFC", as_unicode(text[: 4 * longest]))
    allowed = "".join(
        character if character == "_" or unicodedata.category(character)[0] in "LMN" else "-"
        for character in composed
    )
    words = "-".join(word for word in allowed.split("-") if word)
    return words.encode()[:longest].decode(errors="ignore").strip("-")


def _messages_document(conversation: Conversation) -> dict[str, Any]:
    """The messages of the active branch, and under `moa` all that messages cannot say."""
    active, others = numbered_turns(conversation)
    return {
        "messages": _messages(conversation),
        "moa": {
            "id": conversation.id,
            "title": conversation.title,
            "created": conversation.created,
            "tags": list(conversation.tags),
            "turns": [_turn_document(numbered.turn, active=True) for numbered in active]
            + [_turn_document(numbered.turn, active=False) for numbered in others],
        },
    }


def _messages(conversation: Conversation) -> list[Message]:
    """The prompts and final answers of the active branch; a turn without an answer is left out whole."""
    turns = [numbered.turn for numbered in numbered_turns(conversation)[0]]
    messages: list[Message] = []
    for turn in turns:
        if turn.outcome is not None and turn.outcome.answer.strip():
            messages.append({"role": "user", "content": turn.prompt})
            messages.append({"role": "assistant", "content": turn.outcome.answer})
    if messages and (system := turns[-1].system):
        messages.insert(0, {"role": "system", "content": system})
    return messages


def _turn_document(turn: Turn, *, active: bool) -> dict[str, Any]:
    """A turn with all of its calls; `active` is true for a turn of the active branch."""
    outcome = turn.outcome
    return {
        "id": turn.id,
        "parent": turn.parent.id if turn.parent is not None else None,
        "active": active,
        "created": turn.created,
        "prompt": turn.prompt,
        "system": turn.system,
        "recipe": turn.recipe.name,
        "status": outcome.status if outcome else None,
        "answer": outcome.answer if outcome else None,
        "error": failure_document(outcome.error) if outcome else None,
        "notes": list(outcome.notes) if outcome else [],
        "left_out": left_out_document(turn.recipe, outcome) if outcome else [],
        "cost": outcome.cost if outcome else None,
        "seconds": outcome.seconds if outcome else None,
        "calls": [
            {
                "layer": call.layer,
                "index": call.index,
                "agent": reply.agent,
                "model": reply.model,
                "status": reply.status,
                "text": reply.text,
                "reasoning": reply.reasoning,
                "error": failure_document(reply.error),
                "prompt_tokens": reply.usage.prompt_tokens,
                "completion_tokens": reply.usage.completion_tokens,
                "cached_tokens": reply.usage.cached_tokens,
                "cache_write_tokens": reply.usage.cache_write_tokens,
                "estimated": reply.usage.estimated,
                "cost": reply.cost,
                "seconds": reply.seconds,
                "reused": reply.reused,
                "notes": list(reply.notes),
            }
            for call, reply in (outcome.replies.items() if outcome else ())
        ],
    }


def _sharegpt_document(conversation: Conversation) -> dict[str, Any]:
    """The messages of the active branch as a ShareGPT record."""
    speakers = {"system": "system", "user": "human", "assistant": "gpt"}
    return {
        "id": conversation.id,
        "conversations": [
            {"from": speakers[message["role"]], "value": message["content"]}
            for message in _messages(conversation)
        ],
    }


def _indented(value: object) -> str:
    """`value` as JSON that people can read."""
    return json.dumps(value, ensure_ascii=False, indent=2) + "\n"


def _on_one_line(value: object) -> str:
    """`value` as JSON without any character that a reader could take for a line's end."""
    text = as_unicode(json.dumps(value, ensure_ascii=False))
    return _LINE_END.sub(lambda match: f"\\u{ord(match[0]):04x}", text)
