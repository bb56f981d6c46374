"""Rows and words about one call: why it has no text, its messages, its figures, its error. Pure."""

from __future__ import annotations

import json
import re
from types import MappingProxyType
from typing import TYPE_CHECKING

from textual.content import Content
from textual.style import Style

from moa_tui.engine.plan import message_tokens
from moa_tui.engine.token_estimate import estimate_tokens
from moa_tui.text.cells import cell_len, pad
from moa_tui.text.safe import one_line
from moa_tui.text.wording import GLYPHS, counted, price
from moa_tui.ui.rows.markdown_rows import Rendered
from moa_tui.ui.rows.text_rows import HEADING, MUTED, Row, prefixed, wrap
from moa_tui.ui.rows.word_diff import as_shown
from moa_tui.ui.run.timeline import layer_began, waits_for

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from moa_tui.engine.agent import Agent
    from moa_tui.engine.values import CallId, Kind, Message, Reply, Usage
    from moa_tui.ui.run.call_state import CallState
    from moa_tui.ui.run.run_view import RunView

Figures = list[tuple[str, str]]
"""Names and values. A name without a value is a heading."""

# The lines around a reference. The engine defuses such lines inside a reference, so none can hold one.
_FENCE = re.compile(
    r'^<reference number="([0-9]+)"(?: [a-z-]+="[^"<>\n]*")*>\n|\n</reference>$', re.MULTILINE
)
# The characters that the engine changes to defuse a forged fence. Texts are compared without them.
_OPENERS = re.compile(r"[<＜﹤‹]\s*")
_SHORTENED = "[… shortened]"
_NAME_CELLS = 24
_NO_HEADINGS: Mapping[int, Sequence[Row]] = MappingProxyType({})


def silence(run: RunView, view: CallState, kind: Kind) -> str:
    """A sentence on why a call has no text or reasoning to show."""
    if view.reply is not None:
        if kind == "reasoning":
            return "No reasoning was sent."
        reason = "its reason stands under Error" if view.reply.error else "the model wrote nothing"
        return f"{view.state_words}, without any text: {reason}."
    if run.over:
        return "Not asked: the run ended before its turn came."
    if view.state == "retrying":
        wait = max(0.0, view.retry_at - run.now)
        return f"{view.state_words}: it failed (see Error) and is tried again in {wait:.0f} s."
    if view.state == "waiting":
        if layer_began(run, view.call.layer) is None:
            return _waiting_words(run, view)
        return f"{view.state_words} for a place at its endpoint."
    if kind == "text" and view.parts["reasoning"]:
        return f"{view.state_words} its reasoning; no answer yet."
    return f"{view.state_words}: no {'token' if kind == 'text' else 'reasoning'} yet."


def _waiting_words(run: RunView, view: CallState) -> str:
    """What a call whose layer has not begun waits for, as a sentence."""
    layer = run.recipe.layers[view.call.layer - 1]
    if layer.stairs is None and layer.start is None:
        return f"{view.state_words}: the answers of layer {view.call.layer - 1} are not all there yet."
    return f"{view.state_words}: it {waits_for(run, view.call.layer)}."


def plain_rows(text: str, width: int, style: str = "") -> list[Row]:
    """The rows of a text as it is written, without rendering its Markdown."""
    shown = as_shown(text)
    return [row for line in shown.split("\n") for row in wrap(Content(line).stylize(style), width)]


# Kinds of references whose text the engine makes from a reply, each with the task of that reply.
_TASK_OF_KIND = {"comparison": "judge", "checklist": "checklist"}

# Messages


def messages_text(messages: Sequence[Message]) -> str:
    """All messages, to be copied: a single one exactly as it was sent, several each below its role."""
    if len(messages) == 1:
        return messages[0]["content"]
    return "\n\n".join(f"[{message['role']}]\n{message['content']}" for message in messages)


def message_rows(
    run: RunView, view: CallState, width: int, headings: Mapping[int, Sequence[Row]] = _NO_HEADINGS
) -> Rendered:
    """Each message below its role, and each reference below a title. A title's copy mark copies its text.

    `headings` has the rows that stand above a message, by its number from 0.
    """
    rendered = Rendered()
    holders = _piece_holders(view) if view.in_steps else {_references_holder(run, view)}
    for number, message in enumerate(view.messages):
        content = message["content"]
        if rendered.rows:
            rendered.rows.append(Row(Content()))
        rendered.rows += headings.get(number, ())
        size = f"{len(content):,} characters · about {estimate_tokens(content):,} tokens"
        title = f"{number + 1} of {len(view.messages)} · {message['role']}"
        rendered.rows += title_rows(title, size, len(rendered.code), width)
        rendered.code.append(content)
        authors = _piece_authors(run, view, number) if view.in_steps else _authors(run, view)
        position = 0
        for opened, closed in _references(content) if number in holders else ():
            if opened.start() > position:
                rendered.rows += plain_rows(_inner_lines(content[position : opened.start()], position), width)
            text = content[opened.end() : closed.start()]
            author = _author(text, authors) or _judge(run, view, opened[0]) or _no_agent(run, view)
            name, size = f"reference {opened[1]} · from {as_shown(author)}", f"{len(text):,} characters"
            rendered.rows += title_rows(name, size, len(rendered.code), width, "┄", "bold")
            rendered.code.append(text)
            rendered.rows += plain_rows(opened[0].strip("\n"), width, MUTED)
            rendered.rows += plain_rows(text, width)
            rendered.rows += plain_rows(closed[0].strip("\n"), width, MUTED)
            position = closed.end()
        if position < len(content) or not content:
            rendered.rows += plain_rows(_inner_lines(content[position:] + "\n", position), width)
    return rendered


def _references(content: str) -> Iterator[tuple[re.Match[str], re.Match[str]]]:
    """The opening and closing fence of each reference. Of two opening fences, the second counts."""
    opened = None
    for fence in _FENCE.finditer(content):
        if fence[1]:
            opened = fence
        elif opened is not None:
            yield opened, fence
            opened = None


def _inner_lines(text: str, position: int) -> str:
    """`text` without the line ends between it and the fences; `position` is its place in the message."""
    return (text.removeprefix("\n") if position else text).removesuffix("\n")


def title_rows(
    name: str, size: str, number: int, width: int, rule: str = "━", style: str = HEADING
) -> list[Row]:
    """The row of a title, as `━━ 1 of 2 · system · 812 characters  copy ━━`.

    The size is left out where there is no room. `number` is that of the text that the copy mark copies.
    """
    mark = Content("copy").stylize(Style(underline=True) + Style.from_meta({"code": number}))
    parts = [Content.assemble((f"{rule * 2} ", MUTED), (name, style)), Content(f" · {size}").stylize(MUTED)]
    if sum(part.cell_length for part in parts) + 7 > width:
        parts.pop()
    parts.append(Content.assemble("  ", mark, " "))
    line = Content("").join(parts)
    return wrap(line + Content(rule * max(0, width - line.cell_length)).stylize(MUTED), width)


def _references_holder(run: RunView, view: CallState) -> int | None:
    """The number of the message, from 0, that holds the references; None where no message does."""
    if view.call.layer == 1 or not view.messages:
        return None
    # A recipe that was kept may say less than today's, so what was sent counts first.
    places = [len(view.messages) - 1, 0]
    if run.recipe.layers[view.call.layer - 1].placement == "system":
        places.reverse()
    return next((at for at in places if any(_references(view.messages[at]["content"]))), places[0])


def _piece_holders(view: CallState) -> Collection[int]:
    """The numbers of the messages, from 0, with pieces of references, of a call that writes in steps.

    That is the last message of its first request, and each user message that a later one has added.
    """
    first = len(view.steps[0].messages) if view.steps else len(view.messages)
    return {
        number
        for number, message in enumerate(view.messages)
        if number >= first - 1 and message["role"] == "user"
    }


def _authors(run: RunView, view: CallState) -> list[tuple[str, str]]:
    """Names and comparable texts of the calls that may have been read, the nearest layer first."""
    layers = run.layers[: view.call.layer - 1]
    earlier = [*(call for layer in reversed(layers) for call in layer), *_earlier_pieces(run, view)]
    return [
        (f"{call.call} {one_line(call.reply.agent)}", _comparable(call.reply.text))
        for call in earlier
        if call.reply is not None and call.reply.text
    ]


def _piece_authors(run: RunView, view: CallState, number: int) -> list[tuple[str, str]]:
    """Names and comparable texts of the pieces that message `number`, from 0, brought to a later step.

    Behind them stand the texts as far as they had been read, for a message that was sent again.
    """
    requests = [(len(step.messages), step.read) for step in view.steps]
    if view.step is not None:
        requests.append((len(view.messages), view.step.read))
    before: Mapping[CallId, int] = {}
    for size, read in requests:
        if number < size:
            break
        before = read
    else:
        return []
    views = [other for other in run.views if other.call in read]
    names = [f"{other.call} {one_line(other.agent.name)}" for other in views]
    texts = [other.written("text")[: read[other.call]] for other in views]
    pieces = [text[before.get(other.call, 0) :] for other, text in zip(views, texts, strict=True)]
    return [
        *zip(names, map(_comparable, pieces), strict=True),
        *zip(names, map(_comparable, texts), strict=True),
    ]


def _earlier_pieces(run: RunView, view: CallState) -> list[CallState]:
    """The earlier calls of the layer, where it reads its references piece by piece; else none."""
    window = run.recipe.layers[view.call.layer - 1].window
    return run.layers[view.call.layer - 1][: view.call.index - 1] * window.repeat if window else []


def _author(reference: str, authors: list[tuple[str, str]]) -> str:
    """The name of the reference's author, or an empty text.

    The author is removed from `authors`, so that each of several equal texts gets an author of its own.
    """
    comparable = _comparable(reference)
    is_cut = comparable.endswith(_SHORTENED)
    for number, (name, text) in enumerate(authors):
        if text == comparable or (is_cut and text.startswith(comparable.removesuffix(_SHORTENED).rstrip())):
            del authors[number]
            return name
    return ""


def _judge(run: RunView, view: CallState, opened: str) -> str:
    """The agents whose comparison or checklist was passed on in other words; empty for other references."""
    task = next((task for kind, task in _TASK_OF_KIND.items() if f' kind="{kind}"' in opened), None)
    if task is None:
        return ""
    earlier = [call for layer in run.layers[: view.call.layer - 1] for call in layer]
    judges = [call for call in earlier if run.recipe.task(call.call.layer) == task]
    return ", ".join(
        f"{judge.call} {one_line(judge.reply.agent)}" for judge in judges if judge.reply is not None
    )


def _no_agent(run: RunView, view: CallState) -> str:
    """Words for a reference whose author is not found: `no agent of layer 1`."""
    read = run.recipe.read_layers(view.call.layer, range(1, view.call.layer))
    return f"no agent of layer {' or '.join(map(str, read))}"


def _comparable(text: str) -> str:
    """The text without the characters that the engine changes in a forged fence."""
    return _OPENERS.sub("‹", text)


# Numbers


def figures(run: RunView, view: CallState) -> Figures:
    """All figures of a call. Times are in seconds."""
    agent = _asked_agent(run, view)
    model = view.reply.model if view.reply else view.agent.model
    entries: Figures = [
        ("agent", view.reply.agent if view.reply else view.agent.name),
        ("model", model),
        ("state", "not asked" if run.over and view.reply is None else view.state_words),
    ]
    entries += _reply_figures(view.reply) if view.reply else _running_figures(run, view)
    entries += [("settings", ""), *(_settings(agent) if agent else [("", "not in the recipe any more")])]
    if view.reply and view.reply.notes:
        entries += [("notes", ""), *(("", note) for note in view.reply.notes)]
    return entries


def figures_text(entries: Figures) -> str:
    """The figures, a line each, to be copied."""
    return "\n".join(f"{name}: {value}" if name and value else f"{name}{value}" for name, value in entries)


def figure_rows(entries: Figures, width: int) -> list[Row]:
    """The figures in two columns, in rows of `width` cells at most."""
    rows: list[Row] = []
    name_cells = min(max(cell_len(name) for name, _ in entries) + 2, _NAME_CELLS + 2, width // 2)
    for name, value in entries:
        if not value:
            rows += [Row(Content()), Row(Content(name).stylize(HEADING))]
            continue
        first = Content(pad(name, name_cells)).stylize(MUTED)
        rows += prefixed(plain_rows(value, max(4, width - name_cells)), first)
    return rows


def _reply_figures(reply: Reply) -> Figures:
    """The attempts, tokens, price and times of a call that is over."""
    about = "~" if reply.usage.estimated else ""
    entries: Figures = [("attempts", str(reply.attempts))]
    if reply.steps:
        entries.append(("parts", f"{len(reply.steps)}, each a request of its own (see Parts)"))
    entries.append(("finish reason", one_line(reply.finish_reason or "") or "the provider gave none"))
    if reply.reused:
        entries.append(("kept", "from an earlier run: it was not asked again and costs nothing again"))
    entries += [
        ("tokens and price", ""),
        ("tokens in", f"{about}{reply.usage.prompt_tokens:,}"),
        *_cache_figures(reply.usage),
        ("tokens out", f"{about}{reply.usage.completion_tokens:,}"),
    ]
    if about:
        entries.append(("", "~ estimated: the provider did not count them"))
    entries.append(
        ("price", price(reply.cost, is_local=reply.local) + (" in the earlier run" if reply.reused else ""))
    )
    rate = reply.tokens_per_second
    entries.append(("tokens/s", "not known" if rate is None else f"{about}{rate:.1f}"))
    entries.append(("seconds since the start" + (" of the earlier run" if reply.reused else ""), ""))
    for name, at in (
        ("queued", reply.queued),
        ("started", reply.started),
        ("first token", reply.first_token),
        ("ended", reply.ended),
    ):
        entries.append((name, "never" if at is None else f"{at:.2f} s"))
    place_given = reply.ended if reply.started is None else reply.started
    entries += [("seconds spent", ""), ("waiting for endpoint", f"{place_given - reply.queued:.2f} s")]
    if reply.started is not None:
        first = reply.ended if reply.first_token is None else reply.first_token
        retries = f", {GLYPHS['retrying']} retries included" if reply.attempts > 1 else ""
        entries.append(("waiting for first token", f"{first - reply.started:.2f} s{retries}"))
    if reply.first_token is not None:
        entries.append(("streaming", f"{reply.ended - reply.first_token:.2f} s"))
    entries.append(("in all", f"{reply.ended - reply.queued:.2f} s"))
    return entries


def _cache_figures(usage: Usage) -> Figures:
    """How many tokens of the prompt the provider read from its cache and wrote to it; nothing for none."""
    entries: Figures = []
    if usage.cached_tokens:
        share = usage.cached_tokens / max(1, usage.prompt_tokens)
        entries.append(("from the cache", f"{usage.cached_tokens:,} of them ({share:.0%}), which cost less"))
    if usage.cache_write_tokens:
        entries.append(("into the cache", f"{usage.cache_write_tokens:,} of them, which cost more"))
    return entries


def _running_figures(run: RunView, view: CallState) -> Figures:
    """What is known so far of a call that is not over; nothing before it has started."""
    entries: Figures = []
    if view.started is None:
        return entries
    entries += [
        ("attempts", str(view.generation + 1)),
        *([("parts", f"{view.part - 1} written so far (see Parts)")] if view.in_steps else []),
        ("tokens and price", ""),
        ("tokens in", f"~{sum(map(message_tokens, view.messages)):,}"),
        ("tokens out", f"~{(view.characters + 3) // 4:,} so far"),
        ("price", "known once it is over"),
        ("seconds since the start", ""),
        ("started", f"{view.started:.1f} s"),
        ("first token", "not yet" if view.first_token is None else f"{view.first_token:.1f} s"),
        ("now", f"{run.now:.1f} s"),
        ("seconds spent", ""),
    ]
    queued = layer_began(run, view.call.layer)
    if queued is not None:
        entries.append(("waiting for endpoint", f"{max(0.0, view.started - queued):.1f} s"))
    first = run.now if view.first_token is None else view.first_token
    entries.append(("waiting for first token", f"{first - view.started:.1f} s"))
    if view.first_token is not None:
        entries.append(("streaming", f"{run.now - view.first_token:.1f} s so far"))
    return entries


def _asked_agent(run: RunView, view: CallState) -> Agent | None:
    """The agent that was asked last, which may be a fallback with settings of its own.

    None where the recipe does not have that agent any more.
    """
    if view.reply is None:
        return view.agent
    seat = run.recipe.lineup[view.call.layer - 1][view.call.index - 1]
    asked = (view.reply.agent, view.reply.model)
    candidates = run.recipe.candidates(view.call.layer, seat)
    return next((agent for agent in candidates if (agent.name, agent.model) == asked), None)


_SETTINGS = (
    *("temperature", "top_p", "max_tokens", "max_cost", "reasoning_effort", "api_base", "api_key_env"),
)


def _settings(agent: Agent) -> Figures:
    """The settings that the agent has of its own."""
    settings: Figures = [
        (name, f"{value:g}" if isinstance(value, float) else str(value))
        for name in _SETTINGS
        if (value := getattr(agent, name)) is not None
    ]
    settings += [(name, json.dumps(value, ensure_ascii=False)) for name, value in agent.extra.items()]
    if agent.system:
        settings.append(("system", agent.system))
    if agent.fallback:
        settings.append(("fallback", ", ".join(agent.fallback)))
    return settings or [("", "none of its own: the model's defaults")]


# Error


def error_text(run: RunView, view: CallState) -> str:
    """The kind and message of the call's failure, and whether it is tried again; empty without a failure."""
    if view.failure is not None:
        status = "" if view.failure.status_code is None else f", status code {view.failure.status_code}"
        retry_words = ""
        if view.state == "retrying":
            wait = max(0.0, view.retry_at - run.now)
            retry_words = f"\n\n{GLYPHS['retrying']} tried again in {wait:.0f} s"
        elif view.reply is None:
            retry_words = (
                f"\n\n{GLYPHS['retrying']} tried again since, after {counted(view.generation, 'failure')}"
            )
        return f"{view.failure.kind}{status}\n\n{view.failure.message}{retry_words}"
    if view.reply is None and run.outcome is not None and run.outcome.error is not None:
        error = run.outcome.error
        return f"Not asked: the run ended before its turn came.\n\n{error.kind}\n\n{error.message}"
    return ""
