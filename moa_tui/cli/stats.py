"""`moa-tui stats`: what the kept conversations add up to."""

from __future__ import annotations

import json
import shutil
import sys
from typing import TYPE_CHECKING

import click

from moa_tui.cli import wiring
from moa_tui.cli.options import json_option
from moa_tui.text.safe import safe_text

if TYPE_CHECKING:
    from datetime import datetime


@click.command()
@click.option("--since", type=click.DateTime(["%Y-%m-%d"]), metavar="YYYY-MM-DD", help="From that day on.")
@json_option
def stats(since: datetime | None, as_json: bool) -> None:
    """What was asked, answered and paid, per recipe, model, agent and month; and which recipes you prefer."""
    from moa_tui.stats.preference_table import preference_lines
    from moa_tui.stats.tables import stats_document, stats_lines

    with wiring.opened_library() as library:
        figures = library.figures(since.timestamp() if since is not None else None)
    if as_json:
        click.echo(json.dumps(stats_document(figures)))
        return
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else 100
    click.echo(safe_text(stats_lines(figures, width)))
    if figures.preferences is not None:
        click.echo(safe_text(f"\n{preference_lines(figures.preferences, width)}"))
