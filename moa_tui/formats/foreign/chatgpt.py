"""ChatGPT's `conversations.json`, and DeepSeek's, which has the same tree with messages of its own form.

Each conversation has a `mapping` of nodes by id with `parent`, `children` and a `message`.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from moa_tui.formats.foreign.citations import with_plain_citations
from moa_tui.formats.foreign.messages import role_of
from moa_tui.formats.foreign.parts import Content, name_of, thought_of
from moa_tui.formats.foreign.tree import Record, conversation_of, earliest
from moa_tui.formats.foreign.turns import MISSING, Message, TurnReader
from moa_tui.formats.foreign.values import first_text, key, label, listed, string, table

if TYPE_CHECKING:
    from moa_tui.conversation import Conversation
    from moa_tui.formats.foreign.values import Tally

_INSTRUCTIONS = ("user_editable_context", "model_editable_context")
_CANVAS = "canmore."
_LONGEST_TITLE = 200
_FENCE = re.compile(r"^ {0,3}(`{3,})", re.MULTILINE)


def from_chatgpt(document: dict[str, Any], tally: Tally) -> Conversation:
    """The conversation of a tree of messages; a repeated answer or an edited question is a branch."""
    nodes = document["mapping"]
    # A link may use the id that stands in the node where that is not its name in the mapping.
    names = {own: name for name, node in nodes.items() if (own := key(table(node).get("id")))}
    names |= {name: name for name in nodes}
    records = []
    for name, node in nodes.items():
        tally.left_out["unreadable message"] += not isinstance(node, dict)
        node = table(node)
        message = table(node.get("message"))
        tally.left_out["unreadable message"] += node.get("message") is not None and not message
        parent = key(node.get("parent")) or key(table(message.get("metadata")).get("parent_id"))
        children = [names.get(child, child) for child in map(key, listed(node.get("children")))]
        read = _message(message, tally) if message else MISSING
        records.append(Record(name, names.get(parent, parent), children, read))
    created = tally.time(document, "create_time", "inserted_at", "created_at", "update_time")
    reader = TurnReader(
        created if created is not None else earliest(records),
        tally,
        first_text(document, "default_model_slug", "model_slug", "model"),
    )
    current = key(document.get("current_node"))
    return conversation_of(records, reader, document.get("title"), names.get(current, current))


def fenced(text: str, language: str = "") -> str:
    """`text` as a block of code, between fences that are longer than any in it."""
    longest = max((len(fence) for fence in _FENCE.findall(text)), default=2)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{label(language, 30)}\n{text}\n{fence}"


def _message(message: dict[str, Any], tally: Tally) -> Message | None:
    """What a node's message says; None where no message of it is for the reader."""
    if isinstance(message.get("fragments"), list):
        return _deepseek_message(message, tally)
    content, metadata = message.get("content"), table(message.get("metadata"))
    body = table(content)
    kind = string(body.get("content_type")) or "text"
    role = role_of(message)
    created = tally.time(message, "create_time", "inserted_at", "update_time")
    model = first_text(metadata, "model_slug") or string(message.get("model"))
    recipient = string(message.get("recipient")) or "all"
    if kind in _INSTRUCTIONS:
        tally.left_out["custom instruction"] += 1
    elif _is_hidden(message, metadata) or role == "system":
        tally.left_out["hidden message"] += _says_something(body) or bool(string(content).strip())
    elif role == "tool":
        return _drawn_images(body, metadata, created, tally)
    elif recipient.startswith(_CANVAS):
        if text := _canvas_text(recipient, body, tally):
            return Message("assistant", text, model, created)
    elif recipient != "all":
        tally.left_out["tool call"] += 1
    elif kind in ("thoughts", "reasoning"):
        return Message("assistant", "", model, created, thought_of(body))
    elif kind == "reasoning_recap":
        tally.left_out["reasoning recap"] += 1
    else:
        text = _text(content, metadata, kind, tally)
        if role == "assistant":
            text = with_plain_citations(text, metadata)
        thought = string(message.get("reasoning_content"))
        if message.get("channel") == "analysis":
            return Message("assistant", "", model, created, text)
        return Message(role, text, model, created, thought) if text or role == "user" or thought else None
    return None


def _is_hidden(message: dict[str, Any], metadata: dict[str, Any]) -> bool:
    """True for a message that ChatGPT's page does not show."""
    weight = message.get("weight")
    is_weightless = isinstance(weight, int | float) and not isinstance(weight, bool) and weight == 0
    return bool(metadata.get("is_visually_hidden_from_conversation")) or is_weightless


def _says_something(body: dict[str, Any]) -> bool:
    """True where the content of a message holds any text."""
    parts = [string(part) or string(table(part).get("text")) for part in listed(body.get("parts"))]
    return any(text.strip() for text in (*parts, string(body.get("text"))))


def _text(content: object, metadata: dict[str, Any], kind: str, tally: Tally) -> str:
    """The text of a message that is shown, with a line for each image and file that came with it."""
    body = table(content)
    code = string(body.get("text"))
    if kind == "code" and code:
        language = string(body.get("language"))
        return fenced(code, "" if language == "unknown" else language)
    attached = {key(table(each).get("id")): table(each) for each in listed(metadata.get("attachments"))}
    text = Content(tally)
    parts = body.get("parts")
    for part in parts if isinstance(parts, list) else [parts or code or string(content) or None]:
        pointer = string(table(part).get("asset_pointer")).rpartition("/")[2].partition("#")[0]
        text.add([{**table(part), "name": name_of(attached.pop(pointer, part))} if pointer else part])
    for each in attached.values():
        text.add_file(each)
    if not text.has_text:
        tally.left_out["non-text message"] += 1
    return text.text


def _drawn_images(
    body: dict[str, Any], metadata: dict[str, Any], created: float | None, tally: Tally
) -> Message | None:
    """The lines that name the images a tool has drawn; None for what else tools say."""
    parts = [table(part) for part in listed(body.get("parts"))]
    images = [part for part in parts if part.get("content_type") == "image_asset_pointer"]
    if not images:
        tally.left_out["tool message"] += 1
        return None
    content = Content(tally)
    for image in images:
        content.add_attachment("image", first_text(metadata, "image_gen_title"), image)
    return Message("assistant", content.text, "", created)


def _canvas_text(recipient: str, body: dict[str, Any], tally: Tally) -> str:
    """The text that a message writes into a canvas; empty where it changes a part of one."""
    parts = listed(body.get("parts"))
    given = string(body.get("text")) or (parts[0] if parts else "")
    document = table(_from_json(given) if isinstance(given, str) else given)
    for update in map(table, listed(document.get("updates"))):
        if string(update.get("pattern")) in (".*", "^.*$", "(?s).*", "[\\s\\S]*"):
            document = {"content": update.get("replacement")}
    text = string(document.get("content"))
    if recipient != f"{_CANVAS}create_textdoc" and not text:
        tally.left_out["canvas change"] += 1
        return ""
    kind = string(document.get("type"))
    name = label(string(document.get("name")), _LONGEST_TITLE)
    text = text or (string(given) if not document else "")
    written = fenced(text, kind.removeprefix("code/")) if kind.startswith("code") or not document else text
    return "\n\n".join(part for part in (f"**{name}**" if name else "", written) if part)


def _from_json(text: str) -> object:
    """The value that a text is in JSON; None where it is none."""
    try:
        return json.loads(text, strict=False)
    except (ValueError, RecursionError):
        return None


def _deepseek_message(message: dict[str, Any], tally: Tally) -> Message:
    """DeepSeek's message: fragments, each a request, a thought, a response, or what a search found."""
    role, content = "assistant", Content(tally, "\n\n")
    for fragment in map(table, message["fragments"]):
        kind, text = string(fragment.get("type")).upper(), first_text(fragment, "content")
        if kind == "REQUEST":
            role = "user"
        if kind in ("REQUEST", "RESPONSE"):
            content.add_text(text)
        elif kind == "THINK":
            content.add_thought(text)
        else:
            tally.left_out["tool message"] += 1
    for attached in listed(message.get("files")):
        content.add_attachment("attachment", attached)
    created = tally.time(message, "inserted_at", "create_time")
    return Message(role, content.text, string(message.get("model")), created, content.reasoning)
