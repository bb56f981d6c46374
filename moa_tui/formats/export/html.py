"""A conversation as one HTML page that makes no request and has no script, in light and dark colours.

Every text is escaped or goes through Markdown with HTML off, and a content security policy would stop what
slipped through. Each answer has its source with it, so that nothing of it is lost in the rendering.
"""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING

from markdown_it.token import Token

from moa_tui.conversation import paid_for
from moa_tui.engine.left_out import left_out
from moa_tui.formats.export.markdown import LONGEST_MARKDOWN, MOST_SECONDS
from moa_tui.formats.export.page import FOOT, head
from moa_tui.formats.export.page import escaped_line as _line
from moa_tui.formats.export.page import escaped_text as _text
from moa_tui.formats.export.svg import timeline
from moa_tui.formats.export.text import numbered_turns, run_lines, unknown_costs, when
from moa_tui.text.markdown import LIBRARY_FAULTS, TooMuchWorkError, Work
from moa_tui.text.safe import one_line, safe_text
from moa_tui.text.shown_markdown import ShownMarkdown
from moa_tui.text.wording import (
    GLYPHS,
    counted,
    describe,
    left_out_line,
    left_out_source,
    left_out_text,
    money,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from moa_tui.conversation import Conversation
    from moa_tui.engine.recipe import Recipe
    from moa_tui.engine.values import CallId, Failure, Outcome, Reply
    from moa_tui.formats.export.text import NumberedTurn

# The levels of the page's own headings. Those of texts are below, so that none can look like a turn's.
_HEADINGS_ABOVE = 3
_LINKED = re.compile(r"(?:https?://|mailto:)", re.IGNORECASE)

_STYLE = """\
h2 { font-size: 1.05rem; margin: 0; }
h3, h4 { font-size: .8rem; margin: 1.2rem 0 .35rem; color: var(--muted); text-transform: uppercase;
  letter-spacing: .05em; }
.meta, .numbers, .place, .notes, figcaption { color: var(--muted); font-size: .875rem; }
.meta, .numbers, .notes { margin: .3rem 0; padding: 0; list-style: none; }
.meta li, .numbers li { display: inline; }
.meta li + li::before, .numbers li + li::before { content: " · "; }
.turn { margin: 1.75rem 0; padding: 1.1rem 1.25rem 1.25rem; background: var(--card);
  border: 1px solid var(--line); border-radius: .6rem; }
.turn > header { display: flex; flex-wrap: wrap; gap: .2rem .75rem; align-items: baseline; }
.text { max-width: 52rem; unicode-bidi: isolate; }
.plain, pre { white-space: pre-wrap; }
.prompt { padding-left: .9rem; border-left: 3px solid var(--accent); }
.text > :first-child { margin-top: 0; } .text > :last-child { margin-bottom: 0; }
.text :is(h4, h5, h6) { color: inherit; text-transform: none; letter-spacing: 0;
  line-height: 1.3; margin: 1.1em 0 .4em; font-size: 1rem; }
.text h4 { font-size: 1.25rem; } .text h5 { font-size: 1.1rem; }
.text table { display: block; overflow-x: auto; border-collapse: collapse; }
.text :is(th, td) { border: 1px solid var(--line); padding: .25rem .6rem; overflow-wrap: break-word; }
.text blockquote { margin: .6em 0; padding-left: .9em; border-left: 3px solid var(--line); }
pre, code { font: .875em/1.5 ui-monospace, "Cascadia Mono", Menlo, Consolas, monospace; }
code { background: var(--code); padding: .1em .3em; border-radius: .25em; }
pre { background: var(--code); padding: .7rem .9rem; border-radius: .4rem; margin: .6em 0; }
pre code { background: none; padding: 0; }
a { color: var(--accent); }
details { margin-top: .9rem; }
summary { cursor: pointer; color: var(--accent); font-size: .9rem; width: fit-content; }
summary:focus-visible, a:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
.source { margin-top: .4rem; } .source > summary { color: var(--muted); font-size: .8rem; }
.columns { display: grid; gap: .75rem; align-items: start; grid-auto-flow: column; overflow-x: auto;
  grid-auto-columns: minmax(min(15.5rem, 85vw), 1fr); padding-bottom: .25rem; }
.call { padding: .7rem .85rem .85rem; border: 1px solid var(--line); border-radius: .45rem; min-width: 0;
  font-size: .925rem; }
.call header { margin-bottom: .6rem; padding-bottom: .5rem; border-bottom: 1px solid var(--line); }
.call header p { margin: 0; font-size: .85rem; color: var(--muted); }
.status { font-weight: 600; color: var(--muted); }
.status.done { color: var(--good); } .status.failed { color: var(--bad); }
.status.partial, .status.stopped { color: var(--warn); }
.error, .call header .error { color: var(--bad); }
figure { margin: .6rem 0 0; overflow-x: auto; }
.legend { display: inline-block; margin: .3rem 1.2rem 0 0; }
.legend svg { width: 1.7rem; height: .8rem; vertical-align: -.1rem; }
.timeline { display: block; width: 100%; min-width: 40rem; max-width: 66rem; height: auto;
  font: 12px system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
svg text { fill: var(--text); } svg .quiet { fill: var(--muted); } svg .grid { stroke: var(--line); }
svg .slowest { font-weight: 700; }
svg .queued { fill: none; stroke: var(--muted); stroke-dasharray: 3 2; }
svg .asked { fill: var(--bar); } svg .writing { fill: var(--accent); }
@media print { .turn { border: 0; padding: 0; } }
"""


class _Markdown(ShownMarkdown):
    """Markdown whose links lead to the web or to mail; the source of any other link is shown as text."""

    def validateLink(self, url: str) -> bool:
        return _LINKED.match(url) is not None


def html_page(conversation: Conversation) -> str:
    """A conversation as the text of an HTML page."""
    parser = _Markdown(["table", "strikethrough"])
    active, others = numbered_turns(conversation)
    name = _line(conversation.name) or "Conversation"
    parts = [
        head(name, _STYLE),
        f'<h1 dir="auto">{name}</h1>',
        _meta(conversation),
    ]
    parts += [part for numbered in active for part in _turn(numbered, parser)]
    if others:
        parts.append('<section class="branches">\n<h1>Other branches</h1>')
        parts += [part for numbered in others for part in _turn(numbered, parser)]
        parts.append("</section>")
    return "\n".join([*parts, FOOT])


def _meta(conversation: Conversation) -> str:
    """The line below the title: time, size, cost, tags and id of the conversation."""
    unknown = unknown_costs(conversation)
    items = [
        when(conversation.created),
        counted(len(conversation.turns), "turn"),
        money(paid_for(conversation.turns).known_cost)
        + (f" and {counted(unknown, 'unknown price')}" if unknown else ""),
        *conversation.tags,
        f"id {conversation.id}",
    ]
    return _list("meta", items)


def _turn(numbered: NumberedTurn, parser: ShownMarkdown) -> Iterator[str]:
    """The article of a turn."""
    turn, outcome = numbered.turn, numbered.turn.outcome
    yield f'<article class="turn">\n<header><h2>Turn {numbered.number}</h2>'
    details = [numbered.place, turn.recipe.label, when(turn.created)]
    yield f'<span class="place">{" · ".join(_line(part) for part in details if part)}</span></header>'
    if numbered.system:
        yield f'<h3>System prompt</h3>\n<div class="text plain" dir="auto">{_text(numbered.system)}</div>'
    yield f'<h3>Prompt</h3>\n<div class="text plain prompt" dir="auto">{_text(turn.prompt)}</div>'
    yield "<h3>Answer</h3>"
    if outcome is None:
        yield '<p class="place">not ended</p>'
    else:
        yield from _answer(turn.recipe, outcome, run_lines(turn), parser)
    yield "</article>"


def _answer(recipe: Recipe, outcome: Outcome, lines: list[str], parser: ShownMarkdown) -> Iterator[str]:
    """A turn's answer, its numbers and notes from `run_lines`, its calls by layer, and the timeline."""
    if outcome.status != "done":
        yield f"<p>{_status(outcome.status)}</p>{_error(outcome.error)}"
    yield from _rendered(outcome.answer, parser)
    yield _list("numbers", lines[:2])
    if lines[2:]:
        yield _list("notes", lines[2:])
    if points := left_out(outcome, recipe):
        items = [
            f'<li dir="auto">{_line(left_out_text(point))} '
            f'<span class="place">{_line(left_out_source(point, outcome.replies))}</span></li>'
            for point in points
        ]
        title = _line(left_out_line(points, outcome.replies))
        yield f"<details>\n<summary>{title}</summary>\n<ul>{''.join(items)}</ul>\n</details>"
    if not outcome.replies:
        return
    yield f"<details>\n<summary>{counted(len(outcome.replies), 'call')}, layer by layer</summary>"
    for number in sorted({call.layer for call in outcome.replies}):
        calls = {call: reply for call, reply in outcome.replies.items() if call.layer == number}
        is_last = number == len(recipe.layers)
        yield f'<h4>Layer {number}{", the answer" if is_last else ""}</h4>\n<div class="columns">'
        for call, reply in calls.items():
            yield from _call(call, reply, is_last and reply.text == outcome.answer, parser)
        yield "</div>"
    yield "</details>\n<details>\n<summary>Timeline</summary>"
    yield from timeline(outcome)
    yield "</details>"


def _call(call: CallId, reply: Reply, is_answer: bool, parser: ShownMarkdown) -> Iterator[str]:
    """The card of a call; `is_answer` is true where its text is the turn's answer."""
    yield f'<article class="call">\n<header><strong dir="auto">{call} {_line(reply.agent)}</strong>'
    if reply.model != reply.agent:
        yield f'<p dir="auto">{_line(reply.model)}</p>'
    numbers = describe(reply).removeprefix(reply.status).removeprefix(", ")
    if reply.error:
        numbers = numbers.removesuffix(f": {one_line(reply.error.message)}")
    yield f"<p>{_status(reply.status)}, {_line(numbers)}</p>{_error(reply.error)}</header>"
    if reply.notes:
        yield _list("notes", [f"note: {note}" for note in reply.notes])
    if reply.reasoning:
        yield f"<details>\n<summary>Reasoning</summary>\n<pre>\n{_text(reply.reasoning)}</pre>\n</details>"
    if is_answer and reply.text:
        yield '<p class="place">its text is the answer above</p>'
    else:
        yield from _rendered(reply.text, parser)
    yield "</article>"


def _rendered(text: str, parser: ShownMarkdown) -> Iterator[str]:
    """A model's text as Markdown with its source; a text that takes long to parse is shown as it is."""
    if not text.strip():
        yield '<p class="place">no text</p>'
        return
    tokens: list[Token] = []
    if len(text) <= LONGEST_MARKDOWN:
        with suppress(TooMuchWorkError, *LIBRARY_FAULTS):
            tokens = parser.counted(safe_text(text), Work(MOST_SECONDS, rests=True))
    if not tokens:
        yield f'<div class="text plain" dir="auto">{_text(text)}</div>'
    else:
        for token in tokens:
            token.children = _without_images(token.children) if token.children else token.children
            if token.type in ("heading_open", "heading_close"):
                token.tag = f"h{min(6, int(token.tag[1:]) + _HEADINGS_ABOVE)}"
        yield f'<div class="text" dir="auto">{parser.renderer.render(tokens, parser.options, {})}</div>'
        yield f'<details class="source">\n<summary>Source</summary>\n<pre>\n{_text(text)}</pre>\n</details>'


def _without_images(tokens: list[Token]) -> list[Token]:
    """The tokens with a link in the place of each image, and links that send no referrer."""
    shown: list[Token] = []
    links = 0
    for token in tokens:
        links += token.nesting if token.type.startswith("link_") else 0
        if token.type == "link_open":
            token.attrSet("rel", "noreferrer noopener")
        if token.type != "image":
            shown.append(token)
            continue
        source = str(token.attrs.get("src", ""))
        if links:
            shown.append(Token("text", "", 0, content=f"[image: {token.content} {source}]"))
        else:
            attrs: dict[str, str | int | float] = {"href": source, "rel": "noreferrer noopener"}
            shown.append(Token("link_open", "a", 1, attrs=attrs))
            shown.append(Token("text", "", 0, content=f"image: {token.content or source}"))
            shown.append(Token("link_close", "a", -1))
    return shown


def _status(status: str) -> str:
    """The status of a call or run, with its glyph and colour."""
    return f'<span class="status {status}">{GLYPHS[status]} {status}</span>'


def _error(error: Failure | None) -> str:
    """The message of a failure; empty where there is none."""
    return f'<p class="error" dir="auto">{_line(error.message)}</p>' if error else ""


def _list(name: str, items: list[str]) -> str:
    """A list of the class `name`."""
    return f'<ul class="{name}">{"".join(f"<li>{_line(item)}</li>" for item in items)}</ul>'
