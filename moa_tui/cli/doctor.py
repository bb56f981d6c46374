"""`moa-tui doctor`: the command; `doctor_report` gathers what it prints."""

from __future__ import annotations

import sys

import click

from moa_tui.text.safe import safe_row


@click.command()
def doctor() -> None:
    """Say what this machine has, what is missing, and which recipe would run."""
    from moa_tui.cli.doctor_report import Report

    report = Report()
    for line in report.lines():
        click.echo(safe_row(line))
    if report.problems:
        sys.exit(1)
