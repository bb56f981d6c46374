"""The timeline of a run in SVG: when each call waited for its endpoint and its first token, and wrote."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from moa_tui.formats.export.waterfall import (
    PHASES,
    SLOWEST_MARK,
    TimedCall,
    critical_path,
    lay_out,
    path_meaning,
    reply_span,
)
from moa_tui.text.safe import one_line, safe_text
from moa_tui.text.wording import GLYPHS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from moa_tui.engine.values import CallId, Outcome, Reply
    from moa_tui.formats.export.waterfall import Bar, Waterfall

# Lengths are in units of the drawing; one is about a pixel on a screen.
_WIDTH, _LABELS, _SECONDS, _ROW, _BAR = 1000, 210, 110, 24, 12
_TICKS = 8


def timeline(outcome: Outcome) -> Iterator[str]:
    """An HTML figure with a bar for each call, in order; `◆` marks the critical path."""
    calls = [_timed(call, reply) for call, reply in outcome.replies.items()]
    layout = lay_out(
        calls, outcome.seconds, critical_path(outcome.metrics, outcome.replies), most_ticks=_TICKS
    )
    height = _ROW * (len(outcome.replies) + 1) + 8
    name = escape(f"Timeline of {len(outcome.replies)} calls over {layout.seconds:.1f} s")
    yield f'<figure>\n<svg class="timeline" viewBox="0 0 {_WIDTH} {height}" role="img" aria-label="{name}">'
    yield from _grid(layout, height)
    for number, (reply, bar) in enumerate(zip(outcome.replies.values(), layout.bars, strict=True), 1):
        yield from _row(_ROW * number, reply, bar, layout.seconds)
    yield "</svg>\n<figcaption>"
    for phase, meaning in PHASES.items():
        drawn = f'<rect class="{phase}" x="1" y="2" width="22" height="{_BAR - 4}"/>'
        yield f'<span class="legend"><svg viewBox="0 0 24 {_BAR}">{drawn}</svg> {meaning}</span>'
    meaning = path_meaning(any(layer.in_turn for layer in outcome.metrics.layers))
    yield f'<span class="legend">{SLOWEST_MARK} {meaning}, '
    yield f"{outcome.metrics.critical_path_seconds:.1f} s</span></figcaption>\n</figure>"


def _timed(call: CallId, reply: Reply) -> TimedCall:
    """The call with its times; without times where it never left its endpoint's queue."""
    span = reply_span(reply) if reply.started is not None else None
    return TimedCall(call, reply.agent, span, reply.attempts - 1)


def _row(top: int, reply: Reply, bar: Bar, seconds: float) -> Iterator[str]:
    """The row of a call, `top` units below the drawing's upper edge; `seconds` is the length of the axis."""
    label = escape(one_line(safe_text(bar.label)))
    weight = ' class="slowest"' if bar.is_slowest else ""
    base, middle = top + 16, top + 6
    mark = f'<text x="0" y="{base}"{weight}>{SLOWEST_MARK}</text>' if bar.is_slowest else ""
    # An SVG of its own cuts off a name that is too long.
    yield f'{mark}<svg x="16" y="{top}" width="{_LABELS - 24}" height="{_ROW}">'
    yield f'<title>{label}</title><text x="0" y="16"{weight}>{label}</text></svg>'
    if bar.span is None:
        why = f"{GLYPHS[reply.status]} {reply.status}, {'kept from before' if reply.reused else 'not asked'}"
        yield f'<text class="quiet" x="{_LABELS}" y="{base}">{why}</text>'
        return
    for phase, begin, end in bar.span.phases():
        left, width = _x(begin, seconds), _x(end, seconds) - _x(begin, seconds)
        if width > 0 and phase != "between":
            yield (
                f'<rect class="{phase}" x="{left:.1f}" y="{middle}" width="{width:.1f}" height="{_BAR}">'
                f"<title>{label}: {begin:.2f} s to {end:.2f} s</title></rect>"
            )
    tries = f" {GLYPHS['retrying']}{bar.retries}" if bar.retries > 0 else ""
    words = f"{GLYPHS[reply.status]} {bar.span.seconds:.1f} s{tries}"
    yield f'<text x="{_x(bar.span.end, seconds) + 6:.1f}" y="{base}"{weight}>{words}</text>'


def _grid(layout: Waterfall, height: int) -> Iterator[str]:
    """A vertical line with a label for each tick of the axis."""
    for tick in layout.ticks:
        x = _x(tick.at, layout.seconds)
        yield f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="20" y2="{height}"/>'
        yield f'<text class="quiet" x="{x + 3:.1f}" y="14">{tick.label}</text>'


def _x(at: float, seconds: float) -> float:
    """The horizontal place of a time; one outside the run is put on the nearer edge."""
    return _LABELS + (_WIDTH - _LABELS - _SECONDS) * min(max(at / seconds, 0.0), 1.0)
