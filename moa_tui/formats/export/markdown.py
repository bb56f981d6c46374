"""A conversation as a Markdown file that a person reads: front matter, turns, proposers that fold away.

Headings of level 1 to 3, HTML and the front matter are the file's own: no text of a person or a model can
end its section or look like another turn.
"""

from __future__ import annotations

import html
import json
import re
from typing import TYPE_CHECKING

from markdown_it import MarkdownIt

from moa_tui.conversation import paid_for
from moa_tui.formats.export.text import run_lines, told, unknown_costs, when
from moa_tui.text.safe import safe_text
from moa_tui.text.wording import GLYPHS, describe, one_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from markdown_it.token import Token

    from moa_tui.conversation import Conversation
    from moa_tui.engine.values import CallId, Reply
    from moa_tui.formats.export.text import Told

# A longer text is kept as it stands in a code block: to parse it could take seconds.
LONGEST_MARKDOWN = 60_000
_TEXTS_FIRST_LEVEL = 4
_END = "</details>"
_NOT_YAML = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
_PUNCTUATION = re.compile(r"([\\`*_\[\]<>#|~$&])")
_LIST_OR_RULE = re.compile(r"^(\d*)([-+=.)])")
# What keeps a `<` from being HTML stays: an escape, a code span. A `<` elsewhere is matched alone.
_MAYBE_HTML = re.compile(r"\\[\s\S]|(?<!`)(`+)(?!`)[\s\S]*?(?<!`)\1(?!`)|<")


def markdown(conversation: Conversation) -> str:
    """The file's text."""
    first, rest = told(conversation)
    parsers = (MarkdownIt("commonmark"), MarkdownIt("commonmark").enable(["table", "strikethrough"]))
    name = one_line(safe_text(conversation.name)) or "Conversation"
    parts = [_front_matter(conversation, name), f"# {_escaped(name)}"]
    parts += [part for one in first for part in _turn(one, parsers)]
    if rest:
        parts.append("# Other branches")
        parts += [part for one in rest for part in _turn(one, parsers)]
    return "\n\n".join(parts) + "\n"


def contained(text: str, parsers: Sequence[MarkdownIt]) -> str:
    """`text` as Markdown whose effect ends with it, and that has neither HTML nor headings of the file's own.

    Its headings are moved down and its HTML is escaped. Where that is not enough, or a fence is left open,
    it becomes a code block, to the letter.
    """
    text = safe_text(text).strip("\n")
    if not text.strip():
        return "*no text*"
    if len(text) <= LONGEST_MARKDOWN:
        mended = _without_headings(_without_html(text, parsers[-1]), parsers[-1])
        if all(_ends_by_itself(mended, parser) for parser in parsers):
            return mended
    longest = max(map(len, re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{text}\n{fence}"


def _front_matter(conversation: Conversation, name: str) -> str:
    recipes = dict.fromkeys(turn.recipe.name for turn in conversation.turns)
    lines = [
        "---",
        f"title: {_quoted(name)}",
        f"id: {_quoted(conversation.id)}",
        f"created: {_quoted(when(conversation.created))}",
        f"recipes: [{', '.join(map(_quoted, recipes))}]",
        f"turns: {len(conversation.turns)}",
        f"cost_usd: {paid_for(conversation.turns).known_cost:.6f}",
    ]
    if unknown := unknown_costs(conversation):
        lines.append(f"turns_of_unknown_cost: {unknown}")
    if conversation.tags:
        lines.append(f"tags: [{', '.join(map(_quoted, conversation.tags))}]")
    return "\n".join([*lines, 'generator: "moa-tui"', "---"])


def _turn(one: Told, parsers: Sequence[MarkdownIt]) -> Iterator[str]:
    turn, outcome = one.turn, one.turn.outcome
    yield f"## Turn {one.number}{f', {one.place}' if one.place else ''}"
    yield f"{when(turn.created)} · {_escaped(turn.recipe.name)}"
    if one.system:
        yield "### System prompt"
        yield contained(one.system, parsers)
    yield "### Prompt"
    yield contained(turn.prompt, parsers)
    yield "### Answer"
    if outcome is None:
        yield "*not ended*"
        return
    if outcome.status != "done":
        why = f": {_escaped(outcome.error.message)}" if outcome.error else ""
        yield f"**{GLYPHS[outcome.status]} {outcome.status}**{why}"
    yield contained(outcome.answer, parsers)
    yield "### Numbers"
    yield "\n".join(f"- {_escaped(line)}" for line in run_lines(turn))
    if outcome.replies:
        yield "### Calls"
    for call, reply in outcome.replies.items():
        is_answer = call.layer == len(turn.recipe.layers) and reply.text == outcome.answer
        yield from _call(call, reply, is_answer, parsers)


def _call(call: CallId, reply: Reply, is_answer: bool, parsers: Sequence[MarkdownIt]) -> Iterator[str]:
    who = f"{call} {reply.agent}{'' if reply.agent == reply.model else f' ({reply.model})'}"
    state = f"{GLYPHS[reply.status]} {describe(reply)}"
    yield f"<details>\n<summary>{_one_html_line(who)} · {_one_html_line(state)}</summary>"
    if reply.notes:
        yield "\n".join(f"- note: {_escaped(note)}" for note in reply.notes)
    if reply.reasoning:
        yield "<details>\n<summary>Reasoning</summary>"
        yield contained(reply.reasoning, parsers)
        yield _END
    yield "*its text is the answer above*" if is_answer and reply.text else contained(reply.text, parsers)
    yield _END


def _without_html(text: str, parser: MarkdownIt) -> str:
    """`text` with every `<` escaped that begins HTML, and its neighbours in that block that could."""
    lines = text.split("\n")
    for token in parser.parse(text):
        if token.map and _has_html(token):
            begin, end = token.map
            block = "\n".join(lines[begin:end])
            escaped = _MAYBE_HTML.sub(lambda match: "\\<" if match[0] == "<" else match[0], block)
            lines[begin:end] = escaped.split("\n")
    return "\n".join(lines)


def _without_headings(text: str, parser: MarkdownIt) -> str:
    """`text` with its headings moved below the file's own, and underlined ones as paragraphs."""
    lines = text.split("\n")
    for token in parser.parse(text):
        if token.type == "heading_open" and token.level == 0 and token.map:
            begin, end = token.map
            if token.markup.startswith("#"):
                level = len(token.markup)
                more = min(6, level + _TEXTS_FIRST_LEVEL - 1) - level
                lines[begin] = lines[begin].replace("#", "#" * (more + 1), 1)
            else:
                lines[end - 1] = f"\n{lines[end - 1]}"
    return "\n".join(lines)


def _ends_by_itself(text: str, parser: MarkdownIt) -> bool:
    """Whether a section's end that follows `text` is one, and `text` has no HTML and no heading too high."""
    *tokens, last = parser.parse(f"{text}\n\n{_END}\n")
    if last.type != "html_block" or last.level or last.content.strip() != _END:
        return False
    too_high = {f"h{level}" for level in range(1, _TEXTS_FIRST_LEVEL)}
    return not any(
        _has_html(token) or (token.type == "heading_open" and token.level == 0 and token.tag in too_high)
        for token in tokens
    )


def _has_html(token: Token) -> bool:
    return token.type == "html_block" or any(child.type == "html_inline" for child in token.children or ())


def _quoted(text: str) -> str:
    """`text` as a double-quoted YAML scalar."""
    plain = json.dumps(safe_text(text), ensure_ascii=False)
    return _NOT_YAML.sub(lambda match: f"\\u{ord(match[0]):04x}", plain)


def _escaped(text: str) -> str:
    """`text` in one line in which nothing is Markdown."""
    return _LIST_OR_RULE.sub(r"\1\\\2", _PUNCTUATION.sub(r"\\\1", one_line(safe_text(text))))


def _one_html_line(text: str) -> str:
    return html.escape(one_line(safe_text(text)), quote=False)
