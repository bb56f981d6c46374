"""`moa-tui doctor`: the command; `doctor_report` writes what it prints."""

from __future__ import annotations

import os
import sys

import click


@click.command()
def doctor() -> None:
    """Say what this machine has, what is missing, and which recipe would run."""
    from moa_tui.cli.doctor_report import report

    if not report(os.environ, click.echo):
        sys.exit(1)
