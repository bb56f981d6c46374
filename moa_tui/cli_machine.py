"""`moa-tui recipes`, `doctor` and `config`: what is on this machine, and how the commands come by it.

As in `cli`, what a command needs is imported inside it.
"""

from __future__ import annotations

import os
import shutil
import sys
from typing import TYPE_CHECKING

import click

from moa_tui.errors import FileError, UsageError

if TYPE_CHECKING:
    from moa_tui.choices import Choices
    from moa_tui.config import Settings
    from moa_tui.gateway.models import Gateway


def settings_in_force() -> Settings:
    from moa_tui import config, paths

    return config.load(paths.config_file())


def gateway_of(settings: Settings) -> Gateway:
    from moa_tui.gateway.models import Gateway

    return Gateway(settings.endpoints, os.environ)


def choices_of(settings: Settings, gateway: Gateway) -> Choices:
    from moa_tui import paths
    from moa_tui.choices import Choices

    return Choices(settings, gateway, paths.recipes_dir(), os.environ)


@click.group()
def recipes() -> None:
    """List, show, check and write recipes."""


@recipes.command("list")
def recipes_list() -> None:
    """All recipes with their calls and what they are for."""
    from moa_tui import paths
    from moa_tui import recipes as shelf
    from moa_tui.text.cells import cell_len, pad, shorten

    found = shelf.available(paths.recipes_dir())
    columns = shutil.get_terminal_size().columns if sys.stdout.isatty() else 1000
    width = max(map(cell_len, [*found, shelf.LOCAL]))
    broken = []
    for name, file in found.items():
        try:
            recipe = shelf.read(file.path)
        except FileError as error:
            broken.append(error)
            continue
        first = recipe.description.split(". ")[0].removesuffix(".")
        origin = "" if file.origin == "built in" else " (yours)"
        line = f"{pad(name, width)}  {recipe.calls:>2} calls  {' '.join(first.split())}{origin}"
        click.echo(shorten(line, columns))
    click.echo(f"{pad(shelf.LOCAL, width)}   ? calls  Made at run time from the models local servers list")
    for problem in broken:
        click.echo(f"moa-tui: {problem}", err=True)
    if broken:
        sys.exit(1)


@recipes.command("show")
@click.argument("name")
def recipes_show(name: str) -> None:
    """Print a recipe as TOML."""
    from moa_tui.config import Settings

    settings = Settings()  # whatever state the config file is in
    click.echo(choices_of(settings, gateway_of(settings)).text(name).rstrip())


@recipes.command("explain")
@click.argument("name")
def recipes_explain(name: str) -> None:
    """Draw a recipe's calls, with their number, depth and price."""
    from moa_tui.plan_view import graph_lines

    settings = settings_in_force()
    choices = choices_of(settings, gateway_of(settings))
    recipe = choices.load(name)
    click.echo(graph_lines(recipe, choices.plan(recipe)))


@recipes.command("new")
@click.argument("name")
@click.option("--from", "source", default="duo", show_default=True, metavar="NAME", help="The one to copy.")
def recipes_new(name: str, source: str) -> None:
    """Write a recipe of your own, as a copy to change."""
    from moa_tui.config import Settings

    settings = Settings()  # whatever state the config file is in
    click.echo(choices_of(settings, gateway_of(settings)).copy(source, name))


@recipes.command("check")
@click.argument("path")
def recipes_check(path: str) -> None:
    """Say whether a recipe is valid, and what it would need here."""
    from moa_tui.text.wording import counted

    settings = settings_in_force()
    gateway = gateway_of(settings)
    recipe = choices_of(settings, gateway).load(path)
    click.echo(
        f"{recipe.name}: valid, {counted(len(recipe.layers), 'layer')}, {counted(recipe.calls, 'call')}"
    )
    for agent in recipe.every_agent():
        if gateway.facts(agent).prompt_price is None:
            click.echo(f"  {agent.model}: price unknown")
    for variable, models in gateway.missing_keys(recipe.every_agent()).items():
        click.echo(f"  {variable} is not set; needed by {', '.join(models)}")


@click.command()
def doctor() -> None:
    """Say what this machine has, what is missing, and which recipe would run."""
    from moa_tui.doctor import report

    if not report(os.environ, click.echo):
        sys.exit(1)


@click.group()
def config() -> None:
    """Show or change the settings."""


@config.command("path")
def config_path() -> None:
    """Print where the config file is, or would be."""
    from moa_tui import paths

    click.echo(paths.config_file())


@config.command("show")
def config_show() -> None:
    """Print the settings in force as TOML."""
    import tomli_w

    from moa_tui import paths

    path = paths.config_file()
    click.echo(f"# {path}{'' if path.exists() else ' (not there: defaults)'}")
    click.echo(tomli_w.dumps(settings_in_force().model_dump(exclude_none=True)).rstrip())


@config.command("edit")
def config_edit() -> None:
    """Open the config file in your editor ($VISUAL or $EDITOR), and check it afterwards."""
    from moa_tui import paths
    from moa_tui.config import TEMPLATE

    path = paths.config_file()
    try:
        if not os.path.lexists(path):
            paths.write_private(path, TEMPLATE)
    except OSError as error:
        raise FileError(f"{path}: cannot be written: {error.strerror or error}") from error
    try:
        click.edit(filename=str(path))
    except click.ClickException as error:
        raise UsageError(
            f"{error.message}. Set $EDITOR to an editor that is installed, or edit {path}"
        ) from error
    settings_in_force()
