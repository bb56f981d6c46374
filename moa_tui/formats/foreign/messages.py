"""Lists of messages: OpenAI's messages, ShareGPT, LMSYS, chatbot-ui, llama.cpp's web page, and their like.

They differ in what they call the speaker, the text, the id and the links of a message.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from moa_tui.formats.foreign.parts import Content
from moa_tui.formats.foreign.tree import Record, conversation_of, earliest
from moa_tui.formats.foreign.turns import MISSING, Message, TurnReader
from moa_tui.formats.foreign.values import first_text, key, listed, string, table

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from moa_tui.conversation import Conversation
    from moa_tui.formats.foreign.values import Tally

    _MessageReader = Callable[[dict[str, Any], Tally], Message | None]

_SPEAKERS = {
    "user": ("user", "human", "prompter", "you", "me"),
    "assistant": (
        *("assistant", "gpt", "chatgpt", "model", "bot", "ai", "bing", "bard", "claude", "grok", "gemini"),
        *("gpt4", "gpt-4", "chatbot", "deepseek"),
    ),
    "system": ("system", "developer", "context"),
    "tool": ("tool", "function", "function_call", "function_response", "observation", "tool_response"),
}
_ROLES = {name: role for role, names in _SPEAKERS.items() for name in names}
_KEYS = ("id", "uuid", "messageId", "message_id", "_id")
_PARENTS = (
    *("parent", "parentId", "parent_id", "parentUuid", "parent_uuid", "parentMessageId"),
    *("parent_message_id", "parent_message_uuid", "parentID", "parentResponseId", "parent_response_id"),
    "logicalParentUuid",
)
_CHILDREN = ("children", "childrenIds", "children_ids", "childIds")
_TIMES = (
    "create_time",
    "created_at",
    "createdAt",
    "timestamp",
    "inserted_at",
    "created",
    "createTime",
    "date",
)
_MODELS = ("model", "model_slug", "modelName", "model_name", "modelId")


def role_of(entry: dict[str, Any]) -> str:
    """Who speaks: user, assistant, system, tool; unknown where the file's word for it says none of them."""
    is_user = entry.get("isCreatedByUser")
    if isinstance(is_user, bool):
        return "user" if is_user else "assistant"
    author = entry.get("author")
    named = (entry.get("role"), table(author).get("role"), author, entry.get("from"), entry.get("sender"))
    for name in named:
        if isinstance(name, str) and name:
            return _ROLES.get(name[:40].strip().lower(), "unknown")
    return "unknown"


def message_of(entry: dict[str, Any], tally: Tally) -> Message | None:
    """The message of an entry; None where it holds nothing but the results of tools."""
    role = role_of(entry)
    content = Content(tally)
    body = next(
        (entry[name] for name in ("content", "parts", "text", "value", "message") if entry.get(name)), ""
    )
    for name in ("reasoning_content", "reasoning", "thinking"):
        content.add_thought(string(entry.get(name)))
    if body or role != "assistant":
        content.add(body)
    calls = listed(entry.get("tool_calls"))
    tally.left_out["tool call"] += len(calls) + isinstance(entry.get("function_call"), dict)
    if not content.text and role == "assistant":
        content.add(first_text(entry, "refusal") or first_text(table(entry.get("audio")), "transcript"))
    for attached in (*listed(entry.get("attachments")), *listed(entry.get("files"))):
        content.add_file(attached)
    for attached in listed(entry.get("images")):
        content.add_attachment("image", attached)
    if role == "user" and not content.text and isinstance(body, list) and body and not content.has_text:
        return None
    return Message(role, content.text, first_text(entry, *_MODELS), time_of(entry, tally), content.reasoning)


def time_of(entry: dict[str, Any], tally: Tally) -> float | None:
    """When an entry was written, in Unix seconds; None where it does not say so."""
    return tally.time(entry, *_TIMES)


def records_of(
    entries: Sequence[object],
    tally: Tally,
    read: _MessageReader = message_of,
) -> list[Record]:
    """The entries with their links, those that are nested in their parents' `children` too."""
    records: list[Record] = []
    waiting = [(entry, "") for entry in reversed(entries)]
    while waiting:
        entry, container = waiting.pop()
        if not isinstance(entry, dict):
            tally.left_out["unknown message"] += 1
            records.append(Record("", message=MISSING))
            continue
        own_key = next((named for name in _KEYS if (named := key(entry.get(name)))), "")
        children = next((listed(entry[name]) for name in _CHILDREN if entry.get(name)), [])
        ancestors = listed(entry.get("ancestors"))
        parent = container or next((named for name in _PARENTS if (named := key(entry.get(name)))), "")
        parent = parent or (key(ancestors[-1]) if ancestors else "")
        nested = [child for child in children if isinstance(child, dict)]
        if nested and not own_key:
            own_key = f"\0{len(records)}"
        records.append(Record(own_key, parent, [*map(key, children)], read(entry, tally)))
        waiting += [(child, own_key) for child in reversed(nested)]
    return records


def from_list(
    entries: Sequence[object],
    document: dict[str, Any],
    tally: Tally,
    *,
    system: str = "",
    current: str = "",
    read: _MessageReader = message_of,
) -> Conversation:
    """The conversation of a list of messages; title, time and model are those of `document`.

    `current` is the id of the last message in view; `read` makes a message of an entry.
    """
    records = records_of(entries, tally, read)
    created = time_of(document, tally)
    if created is None:
        created = earliest(records)
    reader = TurnReader(created, tally, model_of(document))
    title = first_text(document, "title", "name", "conversation_name")
    return conversation_of(records, reader, title, current, system)


def model_of(document: dict[str, Any]) -> str:
    """The model of a whole conversation, by its name; empty where the file names none."""
    model = document.get("model")
    models = [name for name in listed(document.get("models")) if isinstance(name, str)]
    return string(model) or first_text(table(model), "id", "name") or (models[0] if models else "")


def from_messages(document: dict[str, Any], tally: Tally) -> Conversation:
    """The conversation of OpenAI messages, with title and time from the key `moa`, which moa-tui writes."""
    moa = document["moa"] if isinstance(document.get("moa"), dict) else document
    for turn in listed(moa.get("turns")):
        if isinstance(turn, dict) and isinstance(turn.get("calls"), list):
            tally.left_out["proposer answer"] += max(0, len(turn["calls"]) - 1)
            tally.left_out["branch turn"] += turn.get("active") is False
    return from_list(
        document["messages"],
        {"model": document.get("model")} | moa,
        tally,
        system=string(document.get("system")) or string(document.get("systemPrompt")),
        current=key(document.get("current_node")) or key(document.get("currentId")),
    )


def from_conversations(document: dict[str, Any], tally: Tally) -> Conversation:
    """The conversation of a record of ShareGPT, or of a data set in its manner."""
    entries = next(
        listed(document[name]) for name in ("conversations", "conversation", "items") if name in document
    )
    return from_list(_spoken(entries), document, tally, system=string(document.get("system")))


def from_llama_cpp(document: dict[str, Any], tally: Tally) -> Conversation:
    """The conversation that the web page of llama.cpp's server exports: `conv` and its `messages`."""
    head = table(document.get("conv"))
    # The root of the tree there is a message without a text.
    return from_list(
        document["messages"],
        {"title": first_text(head, "name"), "timestamp": head.get("lastModified")},
        tally,
        current=key(head.get("currNode")),
    )


def from_gemini(document: dict[str, Any], tally: Tally) -> Conversation:
    """The conversation of Google's AI Studio, or of a request to the Gemini API."""
    chunks = table(document.get("chunkedPrompt")).get("chunks", document.get("contents"))
    instruction = Content(tally)
    for name in ("systemInstruction", "system_instruction"):
        stated = document.get(name)
        instruction.add(table(stated).get("parts", first_text(table(stated), "text")) or stated or None)
    entries = [
        {**chunk, "content": [chunk]} if isinstance(chunk, dict) and "parts" not in chunk else chunk
        for chunk in listed(chunks)
    ]
    model = first_text(table(document.get("runSettings")), "model").removeprefix("models/")
    document = {"title": document.get("title"), "model": model}
    return from_list(entries, document, tally, system=instruction.text)


def from_grok(document: dict[str, Any], tally: Tally) -> Conversation:
    """The conversation of Grok's export: its head, and responses that hold a message each."""
    entries = [
        entry["response"] if isinstance(entry, dict) and isinstance(entry.get("response"), dict) else entry
        for entry in document["responses"]
    ]
    return from_list(entries, table(document.get("conversation")), tally)


def _spoken(entries: Sequence[object]) -> list[object]:
    """Entries with one speaker each; some data sets have question and answer in one entry."""
    spoken: list[object] = []
    for entry in entries:
        if isinstance(entry, dict) and isinstance(entry.get("input"), str) and "role" not in entry:
            spoken.append({"role": "user", "content": entry["input"]})
            spoken.append({"role": "assistant", "content": entry.get("output")})
        else:
            spoken.append(entry)
    return spoken
