"""`moa-tui recipes`: list, show, explain, write and check recipes.

What a command needs is imported inside it, as in `main`.
"""

from __future__ import annotations

import shutil
import sys

import click

from moa_tui.cli import wiring
from moa_tui.cli.completion import recipe_names
from moa_tui.errors import FileError
from moa_tui.text.safe import safe_line, safe_row, safe_text


@click.group()
def recipes() -> None:
    """List, show, check and write recipes."""


@recipes.command("list")
def recipes_list() -> None:
    """All recipes with their calls and what they are for."""
    from moa_tui.recipes import files
    from moa_tui.settings import paths
    from moa_tui.text.cells import cell_len, pad, shorten

    recipe_files = files.available(paths.recipes_dir())
    columns = shutil.get_terminal_size().columns if sys.stdout.isatty() else 1000
    names = {name: safe_line(name) for name in (*recipe_files, files.LOCAL, files.SLIM)}
    width = max(map(cell_len, names.values()))
    problems = []
    for name, file in recipe_files.items():
        try:
            recipe = files.read(file.path)
        except FileError as error:
            problems.append(error)
            continue
        first_sentence = safe_line(recipe.description.split(". ")[0].removesuffix("."))
        origin = "" if file.origin == "built in" else " (yours)"
        line = f"{pad(names[name], width)}  {recipe.calls:>2} calls  {first_sentence}{origin}"
        click.echo(shorten(line, columns))
    for name, models in ((files.LOCAL, "the models"), (files.SLIM, "the largest models that fit, of those")):
        click.echo(f"{pad(name, width)}   ? calls  Made at run time from {models} local servers list")
    for problem in problems:
        click.echo(f"moa-tui: {safe_text(str(problem))}", err=True)
    if problems:
        sys.exit(1)


@recipes.command("show")
@click.argument("name", shell_complete=recipe_names)
def recipes_show(name: str) -> None:
    """Print a recipe as TOML."""
    settings = wiring.default_settings()
    text = wiring.catalog_of(settings, wiring.gateway_of(settings)).text(name).rstrip()
    # A file of anybody's must not steer the terminal; in a pipe it is as it was, and TOML is always UTF-8.
    if sys.stdout.isatty():
        click.echo(safe_text(text))
    else:
        click.echo(text.encode() + b"\n", nl=False)


@recipes.command("explain")
@click.argument("name", shell_complete=recipe_names)
def recipes_explain(name: str) -> None:
    """Draw a recipe's calls, with their number, depth and price."""
    from moa_tui.cli.plan_view import graph_lines

    settings = wiring.settings_in_force()
    catalog = wiring.catalog_of(settings, wiring.gateway_of(settings))
    recipe = catalog.load(name)
    click.echo(graph_lines(recipe, catalog.plan(recipe)))
    for line in catalog.servers(recipe):
        click.echo(safe_text(line))


@recipes.command("new")
@click.argument("name")
@click.option(
    "--from",
    "source",
    default="duo",
    show_default=True,
    metavar="NAME",
    shell_complete=recipe_names,
    help="The one to copy.",
)
def recipes_new(name: str, source: str) -> None:
    """Write a recipe of your own, as a copy to change."""
    settings = wiring.default_settings()
    click.echo(safe_row(str(wiring.catalog_of(settings, wiring.gateway_of(settings)).copy(source, name))))


@recipes.command("check")
@click.argument("path", shell_complete=recipe_names)
def recipes_check(path: str) -> None:
    """Say whether a recipe is valid, and what it would need here."""
    from moa_tui.text.wording import counted

    settings = wiring.settings_in_force()
    gateway = wiring.gateway_of(settings)
    recipe = wiring.catalog_of(settings, gateway).load(path)
    size = f"{counted(len(recipe.layers), 'layer')}, {counted(recipe.calls, 'call')}"
    click.echo(safe_row(f"{recipe.name}: valid, {size}"))
    for agent in recipe.every_agent():
        if gateway.facts(agent).prompt_price is None:
            click.echo(safe_row(f"  {agent.model}: price unknown"))
    for line in wiring.catalog_of(settings, gateway).servers(recipe):
        click.echo(safe_row(f"  {line}"))
    for variable, models in gateway.missing_keys(recipe.every_agent()).items():
        click.echo(safe_row(f"  {variable} is not set; needed by {', '.join(models)}"))
