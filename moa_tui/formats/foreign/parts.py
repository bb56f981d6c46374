"""The text of a message's content: a text, or parts that are texts, thoughts, images, files and tool calls.

An image or a file is not taken; a line in its place names it.
"""

from __future__ import annotations

from html import unescape
from typing import TYPE_CHECKING, Any

from moa_tui.formats.foreign.values import first_text, label, listed, string, table

if TYPE_CHECKING:
    from moa_tui.formats.foreign.values import Tally

_LONGEST_NAME = 200
_THOUGHTS = (
    "thinking",
    "think",
    "reasoning",
    "thought",
    "thoughts",
    "reasoning_content",
    "redacted_thinking",
)
_CALLS = ("tool_use", "tool_call", "function_call", "tool_calls", "server_tool_use", "mcp_tool_use")
_RESULTS = ("tool_result", "function_call_output", "tool_response", "web_search_tool_result")
_TYPES = ("type", "content_type", "mime_type", "mimeType", "file_type", "file_kind")
_IMAGES = (".png", ".jpg", ".jpeg", ".gif", ".webp", ".heic", ".svg", ".bmp", ".avif")
# Parts that say nothing.
_SILENT = ("token_budget", "flag")
_NAMES = ("name", "file_name", "filename", "title", "path", "url", "asset_pointer", "id", "file_id")


class Content:
    """The texts and thoughts of a message, read from content of any form."""

    def __init__(self, tally: Tally, separator: str = "\n") -> None:
        self._tally = tally
        self._separator = separator
        self._texts: list[str] = []
        self._thoughts: list[str] = []

    @property
    def text(self) -> str:
        """All texts so far."""
        return self._separator.join(self._texts)

    @property
    def has_text(self) -> bool:
        """True where a text was added, be it an empty one."""
        return bool(self._texts)

    @property
    def reasoning(self) -> str:
        """All thoughts so far."""
        return "\n\n".join(self._thoughts)

    def add(self, content: object) -> None:
        """Add a text, a part, or a list of them."""
        for part in content if isinstance(content, list) else [content]:
            if isinstance(part, str):
                self.add_text(part)
            elif part is not None:
                self._add_part(table(part))

    def add_text(self, text: str) -> None:
        """Add a text, an empty one too, which is a line of its own between parts."""
        self._texts.append(text)

    def add_thought(self, text: str) -> None:
        """Add what a model thought before it answered."""
        if text.strip():
            self._thoughts.append(text)

    def add_tool_call(self) -> None:
        """Count a tool call, which has no place in a turn."""
        self._tally.left_out["tool call"] += 1

    def add_file(self, file: object) -> None:
        """Add the line that names a file, which is an image where its type or its name says so."""
        kinds = [string(table(file).get(name)).lower() for name in _TYPES]
        is_image = any("image" in kind for kind in kinds) or name_of(file).lower().endswith(_IMAGES)
        self.add_attachment("image" if is_image else "attachment", file)

    def add_attachment(self, kind: str, *sources: object) -> None:
        """Add the line that names an attachment by the first of the sources that has a name or address."""
        name = next((found for source in sources if (found := name_of(source))), "")
        self._texts.append(f"[{kind}: {name}]" if name else f"[{kind}]")
        self._tally.left_out[kind] += 1

    def _add_part(self, part: dict[str, Any]) -> None:
        kind = string(part.get("type")) or string(part.get("content_type"))
        if kind in _THOUGHTS or part.get("isThought") is True or part.get("thought") is True:
            self.add_thought(thought_of(part))
        elif kind in _CALLS:
            self.add_tool_call()
        elif kind in _RESULTS:
            self._tally.left_out["tool message"] += 1
        elif text := text_of(part):
            self.add_text(text)
        elif attached := _attachment_kind(kind, part):
            self.add_attachment(attached, part)
        elif "text" not in part and kind not in _SILENT:
            self._tally.left_out["non-text part"] += 1


def text_of(part: dict[str, Any]) -> str:
    """The text of a part: in `text`, or in a `value` below it; empty where it has none."""
    text = part.get("text")
    if isinstance(text, dict):
        text = text.get("value")
    if not string(text) and part.get("type") in (None, "text", "output_text", "input_text", "refusal"):
        text = first_text(part, "content", "value", "refusal")
    return string(text)


def thought_of(part: dict[str, Any]) -> str:
    """The text of a part that is a thought, whose form differs from model to model."""
    texts = [
        string(part.get(name)) for name in ("thinking", "think", "thought", "text", "reasoning", "content")
    ]
    for name in ("thoughts", "content", "summary", "summaries"):
        for entry in listed(part.get(name)):
            heading, thought = (
                first_text(table(entry), "summary"),
                first_text(table(entry), "content", "text"),
            )
            texts.append(string(entry) or "\n".join(text for text in (heading, thought) if text))
    return "\n\n".join(text for text in texts if text.strip())


def without_details(text: str, content: Content) -> str:
    """`text` without its blocks `<details type="…">`, in which Open WebUI keeps thoughts and tool calls.

    The thoughts go to `content`. A block that does not end, or of another type, stays as it is.
    """
    kept: list[str] = []
    here = 0
    while (start := text.find("<details", here)) >= 0:
        head_end = text.find(">", start)
        end = text.find("</details>", head_end)
        if head_end < 0 or end < 0:
            break
        head = text[start:head_end]
        if 'type="' not in head:
            kept.append(text[here:end])
            here = end
            continue
        kept.append(text[here:start])
        body = text[head_end + 1 : end]
        if 'type="reasoning"' in head:
            thought = unescape(body.partition("</summary>")[2] if "</summary>" in body else body)
            lines = [line.removeprefix(">").removeprefix(" ") for line in thought.splitlines()]
            content.add_thought("\n".join(lines).strip())
        else:
            content.add_tool_call()
        here = end + len("</details>")
    kept.append(text[here:])
    return "".join(kept).strip() if here else text


def name_of(source: object) -> str:
    """The name or address by which a part or a file's record calls what it stands for; empty for none."""
    if isinstance(source, str):
        return "" if source.startswith("data:") else label(source, _LONGEST_NAME)
    record = table(source)
    nested = (
        *("image_url", "file", "image_file", "document", "source", "input_audio", "image", "input_file"),
        *("driveImage", "driveDocument", "driveVideo", "driveAudio", "inlineFile", "fileData"),
    )
    for each in (record, *(record.get(name) for name in nested)):
        values = [each] if isinstance(each, str) else [table(each).get(name) for name in _NAMES]
        for value in values:
            name = name_of(string(value)) if isinstance(value, str) else ""
            if name:
                return name.removeprefix("file-service://").removeprefix("sediment://")
    return ""


def _attachment_kind(kind: str, part: dict[str, Any]) -> str:
    """What a part without a text is: an image, a file, a sound, a video; empty where it is none of them."""
    named = f"{kind} {' '.join(list(part)[:20])}".lower()
    for word, attached in (
        *(("image", "image"), ("video", "video"), ("audio", "audio clip")),
        *(("document", "attachment"), ("file", "attachment"), ("attachment", "attachment")),
    ):
        if word in named:
            return attached
    return ""
