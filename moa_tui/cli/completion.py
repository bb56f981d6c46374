"""`moa-tui completion`: what makes a shell complete the command, and the names that it completes.

A shell asks for names at each press of Tab, so that nothing here asks a server or writes anything; where
something cannot be read there is nothing to complete. What is needed is imported inside each function.
"""

from __future__ import annotations

import re
from functools import wraps
from typing import TYPE_CHECKING

import click

from moa_tui.cli.group import ASK_CLICK
from moa_tui.errors import MoaTuiError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from click.shell_completion import CompletionItem

    _Names = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]

PROGRAM = "moa-tui"
_SHELLS = ("bash", "zsh", "fish")
_MOST_NAMES = 200
# Names that stand in a command line as they are; click's scripts quote nothing.
_NEEDS_NO_QUOTES = re.compile(r"[\w./:@%+-]+")


@click.command()
@click.argument("shell", type=click.Choice(_SHELLS))
def completion(shell: str) -> None:
    """Print a script that makes SHELL complete commands, options, recipes, conversations and models.

    \b
    bash: echo 'eval "$(moa-tui completion bash)"' >> ~/.bashrc
    zsh:  echo 'eval "$(moa-tui completion zsh)"' >> ~/.zshrc
    fish: moa-tui completion fish > ~/.config/fish/completions/moa-tui.fish
    """
    from click.shell_completion import get_completion_class

    if (class_of_shell := get_completion_class(shell)) is None:
        raise UsageError(f"this version of click completes nothing in {shell}")
    script = class_of_shell(click.get_current_context().find_root().command, {}, PROGRAM, ASK_CLICK)
    # Not `source`, which has bash started to see how old it is.
    click.echo(script.source_template % script.source_vars())


def _names_or_nothing(names: _Names) -> _Names:
    """Make `names` return nothing where something cannot be read: a shell has no place for a message."""

    @wraps(names)
    def names_or_nothing(ctx: click.Context, parameter: click.Parameter, typed: str) -> list[CompletionItem]:
        try:
            return names(ctx, parameter, typed)
        except (MoaTuiError, OSError, ValueError):
            return []

    return names_or_nothing


# What click asks for as `shell_complete` of a parameter


@_names_or_nothing
def recipe_names(ctx: click.Context, parameter: click.Parameter, typed: str) -> list[CompletionItem]:
    """Recipes by name; files once a path is begun."""
    from click.shell_completion import CompletionItem

    from moa_tui.recipes import files
    from moa_tui.recipes.local import MADE_HERE
    from moa_tui.settings import paths

    if typed.startswith("~") or "/" in typed:
        return [CompletionItem(typed, type="file")]
    return _items(((name, "") for name in (*files.available(paths.recipes_dir()), *MADE_HERE)), typed)


@_names_or_nothing
def conversation_names(ctx: click.Context, parameter: click.Parameter, typed: str) -> list[CompletionItem]:
    """Conversations by id, each with its title; the beginning of a title's word finds one too."""
    from moa_tui.cli import wiring

    word = typed.casefold()
    return [
        _item(summary.id, summary.name)
        for summary in wiring.listed_conversations()
        if summary.id.startswith(typed)
        or any(part.startswith(word) for part in summary.name.casefold().split())
    ][:_MOST_NAMES]


@_names_or_nothing
def model_names(ctx: click.Context, parameter: click.Parameter, typed: str) -> list[CompletionItem]:
    """Models of the demo and of providers whose key is set; where none of them fits, all that are known."""
    import os

    from moa_tui.cli import wiring
    from moa_tui.gateway import demo, discovery

    catalog = wiring.gateway_of(wiring.default_settings()).catalog
    providers = discovery.find_keys(os.environ)
    ready = [name for name, model in catalog.chat_models.items() if model.provider in providers]
    items = _items(((name, "") for name in (*ready, *demo.MODELS)), typed)
    return items or _items(((name, "") for name in catalog.chat_models), typed)


def schema_files(ctx: click.Context, parameter: click.Parameter, typed: str) -> list[CompletionItem]:
    """Files, whatever is typed: fields are the person's own words."""
    from click.shell_completion import CompletionItem

    return [CompletionItem(typed, type="file")]


def topics(ctx: click.Context, parameter: click.Parameter, typed: str) -> list[CompletionItem]:
    """The pages of the guide."""
    from moa_tui import guide

    return _items(((page.topic, page.summary) for page in guide.pages()), typed)


def export_formats(ctx: click.Context, parameter: click.Parameter, typed: str) -> list[CompletionItem]:
    """The formats that conversations are written in."""
    from moa_tui.formats.export import FORMATS

    return _items(((name, "") for name in FORMATS), typed)


def _items(names: Iterable[tuple[str, str]], typed: str) -> list[CompletionItem]:
    fitting = (pair for pair in names if pair[0].startswith(typed) and _NEEDS_NO_QUOTES.fullmatch(pair[0]))
    return [_item(name, words) for name, words in sorted(fitting)][:_MOST_NAMES]


def _item(name: str, words: str) -> CompletionItem:
    from click.shell_completion import CompletionItem

    from moa_tui.text.safe import safe_line

    return CompletionItem(name, help=safe_line(words)[:80])
