"""Rows that show a run's calls as a waterfall: when each waited, was asked, and wrote. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from rich.cells import cell_len
from textual.content import Content

from moa_tui.engine.metrics import measure
from moa_tui.formats.export import waterfall
from moa_tui.formats.export.waterfall import (
    BETWEEN_MEANING,
    PHASES,
    Span,
    StepSpan,
    TimedCall,
    path_meaning,
)
from moa_tui.text.cells import fit
from moa_tui.text.safe import without_controls
from moa_tui.text.wording import GLYPHS, counted
from moa_tui.ui.rows.text_rows import MUTED, Row, wrap

if TYPE_CHECKING:
    from moa_tui.engine.values import CallId
    from moa_tui.formats.export.waterfall import Bar, Phase, Waterfall
    from moa_tui.ui.run.call_state import CallState
    from moa_tui.ui.run.run_view import RunView

QUEUED, ASKED, WRITING, BETWEEN = "░", "▒", "█", "┄"
CHARACTERS: dict[Phase, str] = {"queued": QUEUED, "asked": ASKED, "writing": WRITING, "between": BETWEEN}
STYLES: dict[Phase, str] = {
    "queued": MUTED,
    "asked": "$text-warning",
    "writing": "$text-primary",
    "between": MUTED,
}
SLOWEST, TRIED_AGAIN = waterfall.SLOWEST_MARK, GLYPHS["retrying"]
LEGEND = (
    *(f"{CHARACTERS[phase]} {meaning}" for phase, meaning in PHASES.items()),
    f"{TRIED_AGAIN} tried again",
)
# Cells of a tick's label, and of the columns of seconds and retries at the right.
_TICK_CELLS, _SECONDS_CELLS, _RETRY_CELLS = 9, 8, 3


@dataclass(frozen=True, slots=True)
class Timeline:
    """The time axis, one row for each call in order, and notes: the run's times and the legend."""

    axis: list[Row]
    calls: list[Row]
    notes: list[Row]


def timeline(run: RunView, width: int) -> Timeline:
    """The timeline of the run so far, in rows of `width` cells at most."""
    calls = list(run.views)
    labels = [without_controls(call_label(call)) for call in calls]
    label_cells = max(8, min(max(map(cell_len, labels)), width // 4, 28))
    bar_cells = max(10, width - 2 - label_cells - 1 - 1 - _SECONDS_CELLS - _RETRY_CELLS)
    layout = waterfall.lay_out(
        [_timed(run, call) for call in calls],
        run.now,
        critical_path(run),
        most_ticks=bar_cells / _TICK_CELLS,
        whole_ticks=not run.over,
    )
    rows = [
        _row(run, call, bar, fit(label, label_cells), bar_cells / layout.seconds, bar_cells)
        for call, bar, label in zip(calls, layout.bars, labels, strict=True)
    ]
    steps = (f"{BETWEEN} {BETWEEN_MEANING}",) if any(call.in_steps for call in calls) else ()
    legend = (*LEGEND, *steps, f"{SLOWEST} {path_meaning(bool(run.recipe.layers_in_turn))}")
    notes = [*_in_rows(_summary(run), width), *_in_rows(legend, width)]
    return Timeline(_axis(layout, bar_cells, 3 + label_cells), rows, notes)


def _timed(run: RunView, call: CallState) -> TimedCall:
    retries = call.reply.attempts - 1 if call.reply else call.generation
    agent = call.reply.agent if call.reply else call.agent.name
    return TimedCall(call.call, agent, call_span(run, call), retries)


def _row(run: RunView, call: CallState, bar: Bar, label: str, scale: float, cells: int) -> Row:
    """The row of one call. `scale` is in cells a second, `cells` the width of the bars."""
    if bar.span is None:
        drawn = Content(fit(why_no_bar(run, call), cells + 1)).stylize(MUTED)
        seconds = retries = ""
    else:
        drawn = _bar(bar.span, call, cells, scale)
        seconds = f"{bar.span.seconds:.1f} s"
        retries = f"{TRIED_AGAIN}{bar.retries}" if bar.retries > 0 else ""
    row = Content.assemble(
        f"{SLOWEST if bar.is_slowest else ' '} ",
        label,
        " ",
        drawn,
        fit(seconds, _SECONDS_CELLS, right=True),
        retries.rjust(_RETRY_CELLS),
    )
    return Row(row.stylize("bold") if bar.is_slowest else row)


def call_label(view: CallState) -> str:
    """The call's place and its agent's name, as `L1.2 thorough`."""
    return waterfall.call_label(view.call, view.reply.agent if view.reply else view.agent.name)


def call_span(run: RunView, view: CallState) -> Span | None:
    """The call's times so far, in seconds since the run's start; None where this run has not asked it."""
    if (reply := view.reply) is not None:
        return waterfall.reply_span(reply)
    queued = layer_began(run, view.call.layer)
    if run.over or queued is None:
        return None
    if run.recipe.asks_in_turn(view.call.layer):
        if view.started is None:
            return None
        replies = [other.reply for other in run.layers[view.call.layer - 1] if other.reply is not None]
        before = [reply.ended for reply in replies if not reply.reused and reply.ended <= view.started]
        queued = max([queued, *before])
    end = max(queued, run.now)
    steps = [StepSpan(step.started, step.first_token, step.ended) for step in view.steps]
    if view.step is not None:
        steps.append(StepSpan(view.step.started, view.step.first_token, end))
    return Span(queued, view.started, view.first_token, end, tuple(steps))


def layer_began(run: RunView, number: int) -> float | None:
    """Seconds from the run's start until the layer could begin; None while it waits for the layer before.

    That is when the layer before was over; or earlier, where this one reads its answers as they grow.
    """
    if number == 1:
        return 0.0
    started = min((view.started for view in run.layers[number - 1] if view.started is not None), default=None)
    before = [view.reply for view in run.layers[number - 2]]
    if any(reply is None for reply in before):
        return started
    ended = max([0.0, *(reply.ended for reply in before if reply and not reply.reused)])
    return ended if started is None else min(started, ended)


def why_no_bar(run: RunView, view: CallState) -> str:
    """Words on why a call has no times in this run."""
    if view.reply is not None:
        return "kept from before"
    if run.over:
        return "not asked"
    has_begun = layer_began(run, view.call.layer) is not None
    return "waits for its turn" if has_begun else waits_for(run, view.call.layer)


def waits_for(run: RunView, number: int) -> str:
    """What a layer that has not begun waits for: the layer before, or the first of its answers."""
    layer = run.recipe.layers[number - 1]
    if layer.stairs is not None:
        return f"waits for {counted(layer.stairs.wait, 'beginning')} of layer {number - 1}"
    if layer.start is not None:
        return f"waits for {counted(layer.start.with_, 'whole answer')} of layer {number - 1}"
    return f"waits for layer {number - 1}"


def critical_path(run: RunView) -> set[CallId]:
    """The calls of the critical path among the layers that are over."""
    replies = {
        view.call: view.reply
        for layer in run.layers
        if all(view.over for view in layer)
        for view in layer
        if view.reply
    }
    # Without the calls that were passed on, only times are worked out.
    recipe = run.recipe
    metrics = measure(replies, {}, None, in_turn=recipe.layers_in_turn, beside=recipe.layers_beside)
    return waterfall.critical_path(metrics, replies)


def _bar(span: Span, call: CallState, cells: int, scale: float) -> Content:
    """The call's bar and the glyph of its state, with blanks on both sides: one cell more than `cells`."""
    begin = min(int(span.queued * scale), cells - 1)
    end = max(begin + 1, min(round(span.end * scale), cells))
    phases = [span.phase_at(max((cell + 0.5) / scale, span.queued)) for cell in range(begin, end)]
    if end - begin == 1:
        phases = [span.phase_at(span.end)]
    for step in span.steps[1:]:
        # A step is told from the one before even where the wait between them is shorter than a cell.
        cell = min(int(min(step.started, span.end) * scale), end - 1) - begin
        if cell > 0 and phases[cell - 1] == phases[cell] == "writing":
            phases[cell] = "asked"
    content = Content(" " * begin)
    for phase, same in groupby(phases):
        content += Content(CHARACTERS[phase] * len(list(same))).stylize(STYLES[phase])
    return content + Content(GLYPHS[call.state]) + Content(" " * (cells - end))


def _axis(layout: Waterfall, cells: int, margin: int) -> list[Row]:
    """A row with the labels of the ticks, and a row with the rule and its ticks."""
    labels, rule = "", ["─"] * cells
    for tick in layout.ticks:
        cell = round(tick.at * cells / layout.seconds)
        if cell < cells:
            rule[cell] = "┬"
        labels = labels.ljust(cell) + tick.label
    lines = (labels[: cells + _SECONDS_CELLS + 1], "".join(rule))
    return [Row(Content(" " * margin + line).stylize(MUTED)) for line in lines]


def _summary(run: RunView) -> tuple[str, ...]:
    """The times of the whole run, or what it does while it goes on."""
    if run.outcome is None:
        return run.stage(), f"{run.now:.0f} s"
    critical = run.outcome.metrics.critical_path_seconds
    one_by_one = critical + run.outcome.metrics.parallel_saving_seconds
    return (
        f"run {run.outcome.seconds:.1f} s",
        f"critical path {critical:.1f} s",
        f"one call after another {one_by_one:.1f} s",
    )


def _in_rows(items: tuple[str, ...], width: int) -> list[Row]:
    """The items in rows, as many in each as fit whole."""
    lines: list[str] = []
    for item in items:
        if lines and cell_len(f"{lines[-1]} · {item}") <= width:
            lines[-1] += f" · {item}"
        else:
            lines.append(item)
    return [row for line in lines for row in wrap(Content(line), width)]
