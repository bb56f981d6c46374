"""How a bulk run is shown on stderr: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import time
from concurrent.futures import TimeoutError as NotYet
from typing import TYPE_CHECKING, TextIO

from rich.console import Console
from rich.live import Live
from rich.text import Text

from moa_tui.cli.signals import StopOnSignal
from moa_tui.text.cells import shorten
from moa_tui.text.safe import safe_row
from moa_tui.text.wording import money

if TYPE_CHECKING:
    from moa_tui.evaluation.bulk import BulkRun
    from moa_tui.evaluation.bulk_values import BulkProgress
    from moa_tui.evaluation.ray_runs import RayRun

INTERRUPTED = 130
_TICK_SECONDS = 0.25
_SECONDS_BETWEEN_LINES = 10.0
_BAR_CELLS = 24


def watch(bulk: BulkRun | RayRun, what: str, err: TextIO, *, quiet: bool) -> int | None:
    """Start a bulk run and show how far it is until it is over.

    `what` names what is counted, as "prompts". Returns the exit code of the signal by which it was stopped,
    None where none came. Raises whatever the run's future raises.
    """
    future = bulk.start()
    with StopOnSignal(lambda: bulk.stop("stopped by hand")) as signals, _view(what, err, quiet=quiet) as view:
        while True:
            try:
                future.result(timeout=_TICK_SECONDS)
                break
            except NotYet:
                view.show(bulk.progress())
        view.show(bulk.progress(), is_last=True)
    return None if signals.received is None else 128 + signals.received


def _view(what: str, err: TextIO, *, quiet: bool) -> _NoView:
    if quiet:
        return _NoView()
    return _BarView(what, err) if err.isatty() else _LineView(what, err)


class _NoView:
    """Shows nothing."""

    def __enter__(self) -> _NoView:
        return self

    def __exit__(self, *exc: object) -> None:
        pass

    def show(self, progress: BulkProgress, *, is_last: bool = False) -> None:
        """Show how far it is."""


class _LineView(_NoView):
    """Writes a line every ten seconds, where anything has changed, and one at the end."""

    def __init__(self, what: str, err: TextIO) -> None:
        self._what = what
        self._err = err
        self._next = time.monotonic() + _SECONDS_BETWEEN_LINES
        self._last = ""

    def show(self, progress: BulkProgress, *, is_last: bool = False) -> None:
        if not is_last and time.monotonic() < self._next:
            return
        self._next = time.monotonic() + _SECONDS_BETWEEN_LINES
        line = " · ".join(progress_words(progress, self._what))
        if line != self._last:
            self._err.write(f"{line}\n")
            self._err.flush()
        self._last = line


class _BarView(_NoView):
    """A bar with the figures below it, in two lines that stay in place."""

    def __init__(self, what: str, err: TextIO) -> None:
        self._what = what
        self._console = Console(file=err, highlight=False, markup=False)
        self._live = Live(console=self._console, auto_refresh=False, redirect_stdout=False)

    def __enter__(self) -> _BarView:
        self._live.__enter__()
        return self

    def __exit__(self, *exc: object) -> None:
        self._live.__exit__(None, None, None)

    def show(self, progress: BulkProgress, *, is_last: bool = False) -> None:
        share = progress.jobs / progress.total if progress.total else 1.0
        filled = int(share * _BAR_CELLS)
        first, *others = progress_words(progress, self._what)
        rows = [f"{'█' * filled}{'░' * (_BAR_CELLS - filled)} {share:4.0%}  {first}", " · ".join(others)]
        width = max(20, self._console.width - 1)
        self._live.update(Text("\n".join(shorten(row, width) for row in rows if row)), refresh=True)


def progress_words(progress: BulkProgress, what: str) -> list[str]:
    """How far it is, in short clauses; the first counts what is done."""
    words = [f"{progress.jobs:,} of {progress.total:,} {what}"]
    if progress.reused_jobs:
        words.append(f"{progress.reused_jobs:,} were there before")
    if progress.phase:
        words.append(safe_row(progress.phase))
    words.append(f"{progress.calls:,} calls")
    if progress.calls and progress.seconds > 1:
        words.append(f"{progress.calls / progress.seconds * 60:,.0f} calls a minute")
    left = progress.total - progress.jobs
    if progress.calls and left and progress.stopped_by is None and not progress.phase:
        calls_left = (progress.total - progress.reused_jobs) * progress.calls_a_job - progress.calls
        calls_left = min(max(calls_left, left), left * progress.calls_a_job)
        # The last calls are made beside each other, however fast many of them were.
        seconds = max(calls_left * progress.seconds / progress.calls, progress.call_seconds)
        words.append(f"{duration(seconds)} left")
    words.append(f"{money(progress.cost)} so far" if left else money(progress.cost))
    if progress.failures:
        kinds = ", ".join(f"{number} {kind}" for kind, number in sorted(progress.failures.items()))
        words.append(f"{sum(progress.failures.values())} failed: {kinds}")
    if progress.refusals:
        words.append(f"{progress.refusals:,} sent again (too many at once)")
    if progress.stopped_by is not None and left:
        words.append("stopping")
    return words


def duration(seconds: float) -> str:
    """`45 s`, `12 min`, `3 h 20 min`."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"
