"""A run's calls as a waterfall in SVG: when each waited for its endpoint, for its first token, and wrote."""

from __future__ import annotations

import math
from html import escape
from typing import TYPE_CHECKING

from moa_tui.text.safe import safe_text
from moa_tui.text.wording import GLYPHS, one_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from moa_tui.engine.events import CallId, Outcome, Reply
    from moa_tui.engine.recipe import Recipe

_LEGEND = (
    ("queued", "waits for its endpoint"),
    ("asked", "waits for the first token"),
    ("writing", "writes"),
)
# In units of the drawing, of which a screen shows about one a pixel.
_WIDTH, _LABELS, _SECONDS, _ROW, _BAR = 1000, 210, 110, 24, 12
_TICKS = 8


def timeline(recipe: Recipe, outcome: Outcome) -> Iterator[str]:
    """A figure with a bar for each call, in order; `◆` marks the slowest of each layer."""
    asked = {
        call: reply
        for call, reply in outcome.replies.items()
        if reply.started is not None and not reply.reused
    }
    seconds = max([outcome.seconds, 0.1, *(reply.ended for reply in asked.values())])
    slowest = {layer.slowest for layer in outcome.metrics.layers}
    height = _ROW * (len(outcome.replies) + 1) + 8
    name = escape(f"Timeline of {len(outcome.replies)} calls over {seconds:.1f} s")
    yield f'<figure>\n<svg class="timeline" viewBox="0 0 {_WIDTH} {height}" role="img" aria-label="{name}">'
    yield from _grid(seconds, height)
    for number, (call, reply) in enumerate(outcome.replies.items(), 1):
        yield from _row(_ROW * number, call, reply, seconds, slowest=call in slowest, asked=call in asked)
    yield "</svg>\n<figcaption>"
    for kind, words in _LEGEND:
        drawn = f'<rect class="{kind}" x="1" y="2" width="22" height="{_BAR - 4}"/>'
        yield f'<span class="legend"><svg viewBox="0 0 24 {_BAR}">{drawn}</svg> {words}</span>'
    yield '<span class="legend">◆ slowest of its layer: the critical path, '
    yield f"{outcome.metrics.critical_path_seconds:.1f} s</span></figcaption>\n</figure>"


def _row(
    top: int, call: CallId, reply: Reply, seconds: float, *, slowest: bool, asked: bool
) -> Iterator[str]:
    label = escape(one_line(safe_text(f"{call} {reply.agent}")))
    weight = ' class="slowest"' if slowest else ""
    base, middle = top + 16, top + 6
    mark = f'<text x="0" y="{base}"{weight}>◆</text>' if slowest else ""
    # A drawing inside the drawing, which cuts off a name that is too long.
    yield f'{mark}<svg x="16" y="{top}" width="{_LABELS - 24}" height="{_ROW}">'
    yield f'<title>{label}</title><text x="0" y="16"{weight}>{label}</text></svg>'
    if not asked:
        why = f"{GLYPHS[reply.status]} {reply.status}, {'kept from before' if reply.reused else 'not asked'}"
        yield f'<text class="quiet" x="{_LABELS}" y="{base}">{why}</text>'
        return
    started = reply.started if reply.started is not None else reply.queued
    first = max(started, reply.first_token) if reply.first_token is not None else reply.ended
    for kind, begin, end in (
        ("queued", reply.queued, started),
        ("asked", started, first),
        ("writing", first, reply.ended),
    ):
        left, width = _x(begin, seconds), _x(end, seconds) - _x(begin, seconds)
        if width > 0:
            yield (
                f'<rect class="{kind}" x="{left:.1f}" y="{middle}" width="{width:.1f}" height="{_BAR}">'
                f"<title>{label}: {begin:.2f} s to {end:.2f} s</title></rect>"
            )
    tries = f" {GLYPHS['retrying']}{reply.attempts - 1}" if reply.attempts > 1 else ""
    words = f"{GLYPHS[reply.status]} {reply.ended - reply.queued:.1f} s{tries}"
    yield f'<text x="{_x(reply.ended, seconds) + 6:.1f}" y="{base}"{weight}>{words}</text>'


def _grid(seconds: float, height: int) -> Iterator[str]:
    step = _step(seconds / _TICKS)
    decimals = max(0, -math.floor(math.log10(step)))
    for number in range(int(seconds / step + 1e-9) + 1):
        x = _x(number * step, seconds)
        yield f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="20" y2="{height}"/>'
        yield f'<text class="quiet" x="{x + 3:.1f}" y="14">{number * step:.{decimals}f} s</text>'


def _step(least: float) -> float:
    """The smallest of 1, 2, 5, 10, 20 ... and of their tenths that is not less than `least`."""
    power = 10.0 ** math.floor(math.log10(least))
    return next(power * factor for factor in (1, 2, 5, 10) if power * factor >= least * 0.999)


def _x(at: float, seconds: float) -> float:
    """Where a time lies; those before the run's start or after its end on its edges."""
    return _LABELS + (_WIDTH - _LABELS - _SECONDS) * min(max(at / seconds, 0.0), 1.0)
