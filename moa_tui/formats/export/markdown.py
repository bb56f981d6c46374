"""A conversation as a Markdown file that people read: front matter, turns, calls that fold away.

Headings of level 1 to 3, HTML and the front matter are the file's own. No prompt or answer can end its
section or look like another turn.
"""

from __future__ import annotations

import html
import json
import re
from contextlib import suppress
from typing import TYPE_CHECKING

from moa_tui.conversation import paid_for
from moa_tui.engine.left_out import left_out
from moa_tui.formats.export.text import numbered_turns, run_lines, unknown_costs, when
from moa_tui.text.markdown import LIBRARY_FAULTS, CountedParser, TooMuchWorkError, Work
from moa_tui.text.safe import one_line, safe_text
from moa_tui.text.wording import GLYPHS, describe, left_out_line, left_out_source, left_out_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from markdown_it.token import Token

    from moa_tui.conversation import Conversation
    from moa_tui.engine.values import CallId, Reply
    from moa_tui.formats.export.text import NumberedTurn

LONGEST_MARKDOWN = 60_000
"""The characters of the longest text that is parsed; to parse a longer one could take seconds."""
MOST_SECONDS = 0.5
"""The seconds of the processor for one text."""
_TEXTS_FIRST_LEVEL = 4
_END = "</details>"
_NOT_YAML = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
_PUNCTUATION = re.compile(r"([\\`*_\[\]<>#|~$&])")
_LIST_OR_RULE = re.compile(r"^(\d*)([-+=.)])")
# Matches escapes and code spans, in which a `<` begins no HTML, as a whole, and every other `<` alone.
_MAYBE_HTML = re.compile(r"\\[\s\S]|(?<!`)(`+)(?!`)[\s\S]*?(?<!`)\1(?!`)|<")


def markdown(conversation: Conversation) -> str:
    """A conversation as the text of a Markdown file."""
    active, others = numbered_turns(conversation)
    parsers = (CountedParser(), CountedParser(["table", "strikethrough"]))
    name = one_line(safe_text(conversation.name)) or "Conversation"
    parts = [_front_matter(conversation, name), f"# {_escaped(name)}"]
    parts += [part for numbered in active for part in _turn(numbered, parsers)]
    if others:
        parts.append("# Other branches")
        parts += [part for numbered in others for part in _turn(numbered, parsers)]
    return "\n\n".join(parts) + "\n"


def contained(text: str, parsers: Sequence[CountedParser]) -> str:
    """`text` as Markdown that has no effect on what follows it, and no HTML and no heading of level 1 to 3.

    Its headings are moved down and its HTML is escaped. The whole text becomes a code block where that is not
    enough, as with a code fence that is left open, and where reading it would take too long. `parsers`
    read Markdown as different readers do: the result holds for all, and the last one knows most syntax.
    """
    text = safe_text(text).strip("\n")
    if not text.strip():
        return "*no text*"
    if len(text) <= LONGEST_MARKDOWN:
        work = Work(MOST_SECONDS, rests=True)
        with suppress(TooMuchWorkError, *LIBRARY_FAULTS):
            escaped = _without_headings(_without_html(text, parsers[-1], work), parsers[-1], work)
            if all(_is_contained(escaped, parser, work) for parser in parsers):
                return escaped
    longest_run = max(map(len, re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest_run + 1)
    return f"{fence}text\n{text}\n{fence}"


def _front_matter(conversation: Conversation, name: str) -> str:
    """What the file says of the conversation, in YAML."""
    recipes = dict.fromkeys(turn.recipe.label for turn in conversation.turns)
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


def _turn(numbered: NumberedTurn, parsers: Sequence[CountedParser]) -> Iterator[str]:
    """The paragraphs of a turn."""
    turn, outcome = numbered.turn, numbered.turn.outcome
    yield f"## Turn {numbered.number}{f', {numbered.place}' if numbered.place else ''}"
    yield f"{when(turn.created)} · {_escaped(turn.recipe.label)}"
    if numbered.system:
        yield "### System prompt"
        yield contained(numbered.system, parsers)
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
    if points := left_out(outcome, turn.recipe):
        line = left_out_line(points, outcome.replies)
        yield f"<details>\n<summary>{_one_html_line(line)}</summary>"
        yield "\n".join(
            f"- {_escaped(left_out_text(point))} ({_escaped(left_out_source(point, outcome.replies))})"
            for point in points
        )
        yield _END
    if outcome.replies:
        yield "### Calls"
    for call, reply in outcome.replies.items():
        is_answer = call.layer == len(turn.recipe.layers) and reply.text == outcome.answer
        yield from _call(call, reply, is_answer, parsers)


def _call(call: CallId, reply: Reply, is_answer: bool, parsers: Sequence[CountedParser]) -> Iterator[str]:
    """The paragraphs of a call; `is_answer` is true where its text is the turn's answer."""
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


def _without_html(text: str, parser: CountedParser, work: Work) -> str:
    """`text` with every `<` escaped in blocks that hold HTML, except in code spans."""
    lines = text.split("\n")
    for token in parser.counted(text, work):
        if token.map and _has_html(token):
            begin, end = token.map
            block = "\n".join(lines[begin:end])
            escaped = _MAYBE_HTML.sub(lambda match: "\\<" if match[0] == "<" else match[0], block)
            lines[begin:end] = escaped.split("\n")
    return "\n".join(lines)


def _without_headings(text: str, parser: CountedParser, work: Work) -> str:
    """`text` with its headings moved below the level of the file's; underlined headings become paragraphs."""
    lines = text.split("\n")
    for token in parser.counted(text, work):
        if token.type == "heading_open" and token.level == 0 and token.map:
            begin, end = token.map
            if token.markup.startswith("#"):
                level = len(token.markup)
                added = min(6, level + _TEXTS_FIRST_LEVEL - 1) - level
                lines[begin] = lines[begin].replace("#", "#" * (added + 1), 1)
            else:
                lines[end - 1] = f"\n{lines[end - 1]}"
    return "\n".join(lines)


def _is_contained(text: str, parser: CountedParser, work: Work) -> bool:
    """True where `</details>` after `text` closes the section, and `text` has no HTML or too high heading."""
    *tokens, last = parser.counted(f"{text}\n\n{_END}\n", work)
    if last.type != "html_block" or last.level or last.content.strip() != _END:
        return False
    too_high = {f"h{level}" for level in range(1, _TEXTS_FIRST_LEVEL)}
    return not any(
        _has_html(token) or (token.type == "heading_open" and token.level == 0 and token.tag in too_high)
        for token in tokens
    )


def _has_html(token: Token) -> bool:
    """True for a block of HTML, and for one with HTML in its text."""
    return token.type == "html_block" or any(child.type == "html_inline" for child in token.children or ())


def _quoted(text: str) -> str:
    """`text` as a double-quoted YAML scalar."""
    plain = json.dumps(safe_text(text), ensure_ascii=False)
    return _NOT_YAML.sub(lambda match: f"\\u{ord(match[0]):04x}", plain)


def _escaped(text: str) -> str:
    """`text` on one line, with whatever would be Markdown escaped."""
    return _LIST_OR_RULE.sub(r"\1\\\2", _PUNCTUATION.sub(r"\\\1", one_line(safe_text(text))))


def _one_html_line(text: str) -> str:
    """`text` on one line of HTML."""
    return html.escape(one_line(safe_text(text)), quote=False)
