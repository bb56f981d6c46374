"""`moa-tui config`: show or change the settings.

What a command needs is imported inside it, as in `main`.
"""

from __future__ import annotations

import os

import click

from moa_tui.cli import wiring
from moa_tui.errors import FileError, UsageError


@click.group()
def config() -> None:
    """Show or change the settings."""


@config.command("path")
def config_path() -> None:
    """Print where the config file is, or would be."""
    from moa_tui.settings import paths

    click.echo(paths.config_file())


@config.command("show")
def config_show() -> None:
    """Print the settings in force as TOML."""
    import tomli_w

    from moa_tui.settings import paths

    path = paths.config_file()
    click.echo(f"# {path}{'' if path.exists() else ' (not there: defaults)'}")
    click.echo(tomli_w.dumps(wiring.settings_in_force().model_dump(exclude_none=True)).rstrip())


@config.command("edit")
def config_edit() -> None:
    """Open the config file in your editor ($VISUAL or $EDITOR), and check it afterwards."""
    from moa_tui.settings import paths, schemas
    from moa_tui.settings.config import TEMPLATE

    path = paths.config_file()
    try:
        if not os.path.lexists(path):
            paths.write_private(path, schemas.with_schema(TEMPLATE, "config", path.parent))
    except OSError as error:
        raise FileError(f"{path}: cannot be written: {paths.disk_words(error)}") from error
    try:
        click.edit(filename=str(path))
    except click.ClickException as error:
        raise UsageError(
            f"{error.message}. Set $EDITOR to an editor that is installed, or edit {path}"
        ) from error
    wiring.settings_in_force()
