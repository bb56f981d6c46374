"""`moa-tui schema`: the JSON Schemas of the config file and of recipes.

What the command needs is imported inside it, as in `main`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from moa_tui.settings.schemas import SchemaKind


@click.command()
@click.argument("kind", type=click.Choice(["config", "recipe"]))
def schema(kind: SchemaKind) -> None:
    """Print the JSON Schema of the config file or of a recipe, for editors that check TOML."""
    from moa_tui.settings import schemas

    click.echo(schemas.schema_text(kind), nl=False)
