"""A run's calls as a waterfall: when each waited for its endpoint, for its first token, and wrote. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from rich.cells import cell_len
from textual.content import Content

from moa_tui.engine.metrics import measure
from moa_tui.ui.columns import fit
from moa_tui.ui.line_filter import visible
from moa_tui.ui.text_rows import MUTED, Row, wrap
from moa_tui.wording import GLYPHS

if TYPE_CHECKING:
    from moa_tui.engine.events import CallId
    from moa_tui.ui.run.run_view import CallState, RunView

QUEUED, ASKED, WRITING = "░", "▒", "█"
STYLES = {QUEUED: MUTED, ASKED: "$text-warning", WRITING: "$text-primary"}
SLOWEST, TRIED_AGAIN = "◆", GLYPHS["retrying"]
LEGEND = (
    f"{QUEUED} waits for its endpoint",
    f"{ASKED} waits for the first token",
    f"{WRITING} writes",
    f"{TRIED_AGAIN} tried again",
    f"{SLOWEST} slowest of its layer: the critical path",
)
# Cells that a tick's label needs, and those of the seconds and the retries at the right.
_TICK_CELLS, _SECONDS_CELLS, _RETRY_CELLS = 9, 8, 3


class Span(NamedTuple):
    """A call's times, in seconds since the run's start; None where it has not come that far."""

    queued: float
    started: float | None
    first_token: float | None
    end: float

    def character(self, at: float) -> str:
        """What the call was doing at that time."""
        if self.started is None or at < self.started:
            return QUEUED
        return ASKED if self.first_token is None or at < self.first_token else WRITING


@dataclass(frozen=True, slots=True)
class Timeline:
    """The time axis, a row for each call in order, and below them the run's times and what the signs mean."""

    axis: list[Row]
    calls: list[Row]
    notes: list[Row]


def timeline(run: RunView, width: int) -> Timeline:
    """The run so far, in rows of `width` cells at most."""
    views = list(run.views)
    spans = {view.call: span for view in views if (span := call_span(run, view)) is not None}
    labels = [visible(call_label(view)) for view in views]
    label_cells = max(8, min(max(map(cell_len, labels)), width // 4, 28))
    cells = max(10, width - 2 - label_cells - 1 - 1 - _SECONDS_CELLS - _RETRY_CELLS)
    seconds = max([run.now, 0.1, *(span.end for span in spans.values())])
    step = _tick_seconds(seconds, cells)
    # The axis of a running run grows by whole ticks, so that the bars do not shrink at every look.
    seconds = seconds if run.over else math.ceil(seconds / step) * step
    slowest = critical_path(run)
    rows = []
    for view, label in zip(views, labels, strict=True):
        span, critical = spans.get(view.call), view.call in slowest
        bar = _bar(span, view, cells, seconds) if span else Content(fit(why_no_bar(run, view), cells + 1))
        took = f"{span.end - span.queued:.1f} s" if span else ""
        retries = view.reply.attempts - 1 if view.reply else view.generation
        again = f"{TRIED_AGAIN}{retries}" if retries > 0 and span else ""
        row = Content.assemble(
            f"{SLOWEST if critical else ' '} ",
            fit(label, label_cells),
            " ",
            bar if span else bar.stylize(MUTED),
            fit(took, _SECONDS_CELLS, right=True),
            again.rjust(_RETRY_CELLS),
        )
        rows.append(Row(row.stylize("bold") if critical else row))
    notes = [*_packed(_summary(run), width), *_packed(LEGEND, width)]
    return Timeline(_axis(step, seconds, cells, 3 + label_cells), rows, notes)


def call_label(view: CallState) -> str:
    """`L1.2 thorough`."""
    return f"{view.call} {view.reply.agent if view.reply else view.agent.name}"


def call_span(run: RunView, view: CallState) -> Span | None:
    """The call's times so far; None if this run has not asked it."""
    if (reply := view.reply) is not None:
        return None if reply.reused else Span(reply.queued, reply.started, reply.first_token, reply.ended)
    queued = layer_began(run, view.call.layer)
    if run.over or queued is None:
        return None
    return Span(queued, view.started, view.first_token, max(queued, run.now))


def layer_began(run: RunView, number: int) -> float | None:
    """When the layer's calls could begin: once those of the layer before were over; None if they are not."""
    if number == 1:
        return 0.0
    before = [view.reply for view in run.layers[number - 2]]
    if any(reply is None for reply in before):
        return None
    return max([0.0, *(reply.ended for reply in before if reply and not reply.reused)])


def why_no_bar(run: RunView, view: CallState) -> str:
    """Why a call has no times in this run."""
    if view.reply is not None:
        return "kept from before"
    return "not asked" if run.over else f"waits for layer {view.call.layer - 1}"


def critical_path(run: RunView) -> set[CallId]:
    """The slowest call of each layer that is over."""
    over = {
        view.call: view.reply
        for layer in run.layers
        if all(view.over for view in layer)
        for view in layer
        if view.reply
    }
    # Without the calls that were passed on, only times are worked out.
    return {layer.slowest for layer in measure(over, {}, None).layers if layer.slowest is not None}


def _bar(span: Span, view: CallState, cells: int, seconds: float) -> Content:
    """The call's bar and how it ended, with blanks before and behind, one cell more than `cells`."""
    scale = cells / seconds
    begin = min(int(span.queued * scale), cells - 1)
    end = max(begin + 1, min(round(span.end * scale), cells))
    drawn = [span.character(max((cell + 0.5) / scale, span.queued)) for cell in range(begin, end)]
    if end - begin == 1:
        drawn = [span.character(span.end)]
    content = Content(" " * begin)
    for character in (QUEUED, ASKED, WRITING):
        content += Content(character * drawn.count(character)).stylize(STYLES[character])
    return content + Content(GLYPHS[view.state]) + Content(" " * (cells - end))


def _tick_seconds(seconds: float, cells: int) -> float:
    """The smallest round number of seconds that gives every tick's label its room."""
    least = seconds * _TICK_CELLS / cells
    power = 10.0 ** math.floor(math.log10(least))
    return next(step for step in (power, 2 * power, 5 * power, 10 * power) if step >= least * 0.999)


def _axis(step: float, seconds: float, cells: int, margin: int) -> list[Row]:
    labels, rule = "", ["─"] * cells
    for number in range(int(seconds / step + 1e-9) + 1):
        cell = round(number * step * cells / seconds)
        if cell < cells:
            rule[cell] = "┬"
        labels = labels.ljust(cell) + f"{number * step:.{max(0, -math.floor(math.log10(step)))}f} s"
    lines = (labels[: cells + _SECONDS_CELLS + 1], "".join(rule))
    return [Row(Content(" " * margin + line).stylize(MUTED)) for line in lines]


def _summary(run: RunView) -> tuple[str, ...]:
    if run.outcome is None:
        return run.stage(), f"{run.now:.0f} s"
    critical = run.outcome.metrics.critical_path_seconds
    one_by_one = critical + run.outcome.metrics.parallel_saving_seconds
    return (
        f"run {run.outcome.seconds:.1f} s",
        f"critical path {critical:.1f} s",
        f"one call after another {one_by_one:.1f} s",
    )


def _packed(items: tuple[str, ...], width: int) -> list[Row]:
    """The items, as many to a row as fit whole."""
    lines: list[str] = []
    for item in items:
        if lines and cell_len(f"{lines[-1]} · {item}") <= width:
            lines[-1] += f" · {item}"
        else:
            lines.append(item)
    return [row for line in lines for row in wrap(Content(line), width)]
