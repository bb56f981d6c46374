"""Rows about the parts of an answer that a call writes in steps, while others still write. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.content import Content

from moa_tui.engine.values import common_messages
from moa_tui.text.safe import one_line
from moa_tui.text.wording import counted, money, read_words
from moa_tui.ui.rows.markdown_rows import Rendered
from moa_tui.ui.rows.text_rows import MUTED, Row
from moa_tui.ui.run.inspector_rows import figure_rows, figures_text, plain_rows, title_rows

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from moa_tui.engine.values import CallId, Message, Step
    from moa_tui.ui.run.call_state import CallState
    from moa_tui.ui.run.inspector_rows import Figures
    from moa_tui.ui.run.run_view import RunView

# Lines of the messages tab that say where the messages of a part begin.
_PART_RULE = "═"
_NOT_SHOWN = "begun, and nothing of it shown"


def step_rows(run: RunView, view: CallState, width: int) -> Rendered:
    """Each part below a title: what it was written from, what it took, and its text.

    A title's copy mark copies the text of its part.
    """
    rendered = Rendered()
    text, number = view.written("text"), 0
    total = view.part if view.step is not None else view.part - 1
    for step, part, sent in _parts(view):
        number += bool(part)
        _add_title(rendered, f"part {number} of {total}" if part else _NOT_SHOWN, part, width)
        rendered.rows += figure_rows(_step_figures(run, view, step, sent), width)
        rendered.rows += [Row(Content()), *_text_rows(part, width)]
    if view.step is not None:
        before = view.steps[-1] if view.steps else None
        part = text[before.characters if before else 0 :]
        repeated = common_messages(before.messages, view.messages) if before else 0
        _add_title(rendered, f"part {total} of {total}", part, width)
        entries: Figures = [
            ("written from", read_words(view.step.read, view.step.ended, _asked_before(run, view))),
            *_read_figures(run, view.step.read, view.step.ended),
            ("sent", _sent_words(view.messages[repeated:])),
            ("started", f"{view.step.started:.2f} s"),
            ("first token", "not yet" if view.step.first_token is None else f"{view.step.first_token:.2f} s"),
        ]
        rendered.rows += [*figure_rows(entries, width), Row(Content()), *_text_rows(part, width)]
    elif not view.over:
        words = f"{view.part_words}: {counted(total, 'part')} so far"
        rendered.rows += [Row(Content()), *plain_rows(words, width, MUTED)]
    return rendered


def step_text(run: RunView, view: CallState) -> str:
    """What the rows of the parts say, to be copied."""
    pieces, number = [], 0
    for step, part, sent in _parts(view):
        number += bool(part)
        title = f"[part {number}]" if part else f"[{_NOT_SHOWN}]"
        pieces.append(f"{title}\n{figures_text(_step_figures(run, view, step, sent))}\n\n{part.strip()}")
    return "\n\n".join(pieces)


def _parts(view: CallState) -> Iterator[tuple[Step, str, Sequence[Message]]]:
    """The parts that have been written: each with its text, and the messages that its request added."""
    text, begin = view.written("text"), 0
    messages: Sequence[Message] = ()
    for step in view.steps:
        yield step, text[begin : step.characters], step.messages[common_messages(messages, step.messages) :]
        begin, messages = step.characters, step.messages


def part_titles(run: RunView, view: CallState, width: int) -> Mapping[int, Sequence[Row]]:
    """The rows that say where the messages of each part begin, by the number of its first message, from 0.

    A part's request has all messages before it too; empty for a call that does not write in steps.
    """
    titles: dict[int, Sequence[Row]] = {}
    total = _asked_before(run, view)
    messages: Sequence[Message] = ()
    number = 1
    for step, part, _ in _parts(view):
        words = read_words(step.read, step.ended_replies, total)
        # What a request has sent that wrote nothing is sent once more, as a part of the next one.
        titles[common_messages(messages, step.messages)] = _part_title(number, words, width)
        number += bool(part)
        messages = step.messages
    if view.step is not None:
        words = read_words(view.step.read, view.step.ended, total)
        begin = common_messages(messages, view.messages)
        titles[begin] = _part_title(view.part, words, width)
    return titles


def _part_title(number: int, words: str, width: int) -> list[Row]:
    before = " and all before it" if number > 1 else ""
    return plain_rows(f"{_PART_RULE * 2} sent for part {number}{before}: {words}", width, "bold")


def _add_title(rendered: Rendered, name: str, part: str, width: int) -> None:
    if rendered.rows:
        rendered.rows.append(Row(Content()))
    size = f"{len(part):,} characters"
    rendered.rows += title_rows(name, size, len(rendered.code), width)
    rendered.code.append(part)


def _step_figures(run: RunView, view: CallState, step: Step, sent: Sequence[Message]) -> Figures:
    about = "~" if step.usage.estimated else ""
    first = "never" if step.first_token is None else f"{step.first_token:.2f} s"
    return [
        ("written from", read_words(step.read, step.ended_replies, _asked_before(run, view))),
        *_read_figures(run, step.read, step.ended_replies),
        ("sent", _sent_words(sent)),
        ("tokens in", f"{about}{step.usage.prompt_tokens:,}"),
        ("tokens out", f"{about}{step.usage.completion_tokens:,}"),
        ("price", money(step.cost)),
        ("started", f"{step.started:.2f} s"),
        ("first token", first),
        ("ended", f"{step.ended:.2f} s"),
    ]


def _read_figures(run: RunView, read: Mapping[CallId, int], whole: Collection[CallId]) -> Figures:
    """Which answers were read, and how far."""
    # A conversation from a file may name calls that its recipe does not have.
    names = {view.call: view.reply.agent if view.reply else view.agent.name for view in run.views}
    return [
        (
            "",
            f"{call} {one_line(names.get(call, ''))}: "
            f"{'whole, ' if call in whole else 'the first '}{length:,} characters",
        )
        for call, length in sorted(read.items())
    ]


def _sent_words(messages: Sequence[Message]) -> str:
    characters = sum(len(message["content"]) for message in messages)
    return f"{counted(len(messages), 'new message')}, {characters:,} characters (Messages shows them)"


def _asked_before(run: RunView, view: CallState) -> int:
    """The number of agents in the layer that the call reads."""
    return len(run.layers[view.call.layer - 2])


def _text_rows(part: str, width: int) -> list[Row]:
    return plain_rows(part.strip("\n"), width) if part.strip() else plain_rows("no text", width, MUTED)
