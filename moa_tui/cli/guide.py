"""`moa-tui guide`: the manual in the terminal.

What the command needs is imported inside it, as in `main`.
"""

from __future__ import annotations

import re
import shutil
import sys
from typing import TYPE_CHECKING

import click

from moa_tui.cli.completion import topics

if TYPE_CHECKING:
    from collections.abc import Sequence

    from moa_tui.guide import Section

_MOST_HITS = 12
_WIDEST = 100  # columns; longer lines are hard to read
_PAGE_LINK = re.compile(r"\[([^\]]+)\]\([\w-]+\.md(?:#[\w-]+)?\)")


@click.command()
@click.argument("words", nargs=-1, metavar="[TOPIC]", shell_complete=topics)
@click.option("-s", "--search", "is_search", is_flag=True, help="Find the words behind it in all pages.")
def guide(words: tuple[str, ...], is_search: bool) -> None:
    """Print a page of the manual, or the list of its pages.

    TOPIC is the name of a page, or the beginning of it. With -s, the sections that are about some words.
    """
    from moa_tui import guide as manual
    from moa_tui.errors import UsageError

    name = " ".join(words)
    if is_search:
        if not name.strip():
            raise UsageError("what is to be found? As in moa-tui guide -s own server")
        _print_hits(name, manual.search(name)[:_MOST_HITS])
    elif name:
        _print_markdown(manual.page(name).text)
    else:
        _print_list()


def _is_terminal() -> bool:
    return sys.stdout.isatty()


def _print_list() -> None:
    from moa_tui import guide as manual
    from moa_tui.text.cells import shorten

    columns = shutil.get_terminal_size().columns if _is_terminal() else 1000
    width = max(map(len, manual.ORDER))
    for page in manual.pages():
        click.echo(shorten(f"{page.topic:<{width}}  {page.summary}", columns))
    if _is_terminal():
        click.echo(
            "\n`moa-tui guide TOPIC` prints a page, `moa-tui guide -s WORDS` finds words in all of them."
        )


def _print_hits(query: str, hits: Sequence[Section]) -> None:
    from moa_tui import guide as manual
    from moa_tui.text.safe import quoted_name

    if not hits:
        click.echo(f"the guide has nothing about {quoted_name(query)}", err=True)
        sys.exit(1)
    width = max(map(len, manual.ORDER))
    for section in hits:
        click.echo(f"{section.topic:<{width}}  {section.heading}")


def _print_markdown(text: str) -> None:
    """Print a page: laid out on a terminal, as it stands in a pipe or file."""
    if not _is_terminal():
        click.echo(text, nl=False)
        return
    from rich.console import Console
    from rich.markdown import Markdown

    console = Console(file=sys.stdout, width=min(_WIDEST, shutil.get_terminal_size().columns))
    # A link to another page leads nowhere in a terminal; its text is the topic to ask for.
    console.print(Markdown(_PAGE_LINK.sub(r"*\1*", text), hyperlinks=False))
