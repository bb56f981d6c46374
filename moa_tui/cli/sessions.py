"""`moa-tui sessions` and `moa-tui stats`: the kept conversations from the shell."""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from moa_tui.text.safe import safe_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from moa_tui.chat.library import Library
    from moa_tui.conversation import Summary

_as_json = click.option("--json", "as_json", is_flag=True, help="One JSON document, for scripts.")


@click.group(invoke_without_command=True)
@click.pass_context
def sessions(ctx: click.Context) -> None:
    """List, search, show, export, import and delete conversations."""
    if ctx.invoked_subcommand is None:
        ctx.invoke(list_)


@sessions.command("list")
@click.option("--archived", is_flag=True, help="Those that were archived.")
@click.option("--deleted", is_flag=True, help="Those in the bin; `sessions restore` takes them out.")
@click.option("-n", "limit", type=click.IntRange(min=1), metavar="N", help="The first N only.")
@_as_json
def list_(
    archived: bool = False, deleted: bool = False, limit: int | None = None, as_json: bool = False
) -> None:
    """The conversations, the last used first."""
    with _library() as library:
        found = library.summaries(archived=archived, deleted=deleted)[:limit]
    if as_json:
        click.echo(json.dumps([asdict(one) for one in found]))
    else:
        _table(found)


@sessions.command()
@click.argument("words", nargs=-1, required=True)
@click.option("-n", "limit", type=click.IntRange(min=1), default=20, show_default=True, metavar="N")
@_as_json
def search(words: tuple[str, ...], limit: int, as_json: bool) -> None:
    """Find WORDS in prompts, answers and proposers' answers; the newest first."""
    with _library() as library:
        hits = library.search(" ".join(words), limit)
    if as_json:
        click.echo(json.dumps([asdict(hit) for hit in hits]))
        return
    for hit in hits:
        who = f"{hit.where} {hit.agent}".rstrip()
        click.echo(safe_text(f"{hit.summary.id}  {_day(hit.summary.used)}  {hit.summary.name[:60]}"))
        pieces = []
        end = 0
        for start, stop in hit.marks:
            # Marks may lie within each other, as those of "art" and "article" do.
            found = safe_text(hit.context[max(end, start) : stop])
            pieces += [safe_text(hit.context[end:start]), click.style(found, bold=True)]
            end = max(end, stop)
        click.echo(f"    {safe_text(who)}: {''.join(pieces)}{safe_text(hit.context[end:])}")
    if not hits:
        click.echo("nothing found", err=True)
        sys.exit(1)


@sessions.command()
@click.argument("name")
@click.option("-f", "--format", "format_", default="markdown", show_default=True, metavar="FORMAT")
@_as_json
def show(name: str, format_: str, as_json: bool) -> None:
    """Print the conversation NAME: its id, the beginning of its id, or its title."""
    from moa_tui.formats import export

    with _library() as library:
        conversation = library.load(library.find(name).id)
    text = export.render([conversation], "json" if as_json else format_)
    # What a model wrote must not steer the terminal; in a file it is as it was.
    click.echo(safe_text(text) if sys.stdout.isatty() else text, nl=False)


@sessions.command("export")
@click.argument("names", nargs=-1, required=True)
@click.option("-f", "--format", "format_", default="markdown", show_default=True, metavar="FORMAT")
@click.option("-o", "--output", type=click.Path(path_type=Path), metavar="PATH", help="A file, or a folder.")
@click.option("--replace", is_flag=True, help="Write over a file that is there.")
def export_(names: tuple[str, ...], format_: str, output: Path | None, replace: bool) -> None:
    """Write the conversations NAMES to a file each, or to one where the format takes several.

    FORMAT is one of markdown, html, json, messages, jsonl, sharegpt.
    """
    with _library() as library:
        found = [library.load(library.find(name).id) for name in names]
        for path in library.export_all(found, format_, output, replace=replace):
            click.echo(path)


@sessions.command("import")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
def import_(files: tuple[Path, ...]) -> None:
    """Keep the conversations of FILES: moa-tui's JSON, OpenAI messages, or ChatGPT's conversations.json."""
    with _library() as library:
        for file in files:
            for note in library.read_in(file):
                click.echo(safe_text(f"{file}: {note}"))


@sessions.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
def rescue(folder: Path) -> None:
    """Write what can still be read of a damaged database to FOLDER, a file for each conversation."""
    from moa_tui.formats import export
    from moa_tui.settings import paths
    from moa_tui.store.check import rescued

    lost = saved = 0
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for found in rescued(paths.database_file()):
        if isinstance(found, str):
            lost += 1
            click.echo(f"moa-tui: conversation {found} cannot be read", err=True)
        else:
            saved += 1
            click.echo(export.write([found], "json", folder, folder, replace=True))
    click.echo(f"moa-tui: {saved} saved, {lost} lost", err=True)
    if lost or not saved:
        sys.exit(1)


@sessions.command()
@click.argument("names", nargs=-1, required=True)
@click.option("--now", is_flag=True, help="Off the disk at once, for good.")
def delete(names: tuple[str, ...], now: bool) -> None:
    """Throw the conversations NAMES away. For a week `sessions restore` brings them back."""
    with _library() as library:
        for one in [library.find(name, deleted=now) for name in names]:
            if now:
                library.purge(one.id)
            else:
                library.delete(one.id)
            click.echo(safe_text(f"{one.id}  {one.name}: {'gone for good' if now else 'deleted'}"))


@sessions.command()
@click.argument("name")
def restore(name: str) -> None:
    """Take the conversation NAME back out of the bin."""
    with _library() as library:
        one = library.find(name, deleted=True)
        library.restore(one.id)
        click.echo(safe_text(f"{one.id}  {one.name}: there again"))


@sessions.command()
def path() -> None:
    """Print where the database is, or would be."""
    from moa_tui.settings import paths

    click.echo(paths.database_file())


@click.command()
@click.option("--since", type=click.DateTime(["%Y-%m-%d"]), metavar="YYYY-MM-DD", help="From that day on.")
@_as_json
def stats(since: datetime | None, as_json: bool) -> None:
    """What was asked, answered and paid, per recipe, model, agent and month; and which recipes you prefer."""
    from moa_tui.stats.preference_table import preference_lines
    from moa_tui.stats.tables import stats_document, stats_lines

    with _library() as library:
        figures = library.figures(since.timestamp() if since is not None else None)
    if as_json:
        click.echo(json.dumps(stats_document(figures)))
        return
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else 100
    click.echo(safe_text(stats_lines(figures, width)))
    if figures.preferences is not None:
        click.echo(safe_text(f"\n{preference_lines(figures.preferences, width)}"))


class _library:
    """The library over the user's database, closed at the end."""

    def __enter__(self) -> Library:
        from moa_tui.chat.library import Library
        from moa_tui.settings import paths
        from moa_tui.store import Store

        self._store = Store(paths.database_file())
        return Library(self._store, paths.exports_dir())

    def __exit__(self, *exc: object) -> None:
        self._store.close()


def _table(found: Sequence[Summary]) -> None:
    if not found:
        click.echo("no conversations", err=True)
        return
    from moa_tui.text.wording import counted, money

    for one in found:
        marks = " ".join([*(["pinned"] if one.pinned else []), *(f"#{tag}" for tag in one.tags)])
        numbers = f"{counted(one.turns, 'turn')}, {one.recipe}, {money(one.cost)}"
        click.echo(safe_text(f"{one.id}  {_day(one.used)}  {one.name}  ({numbers})  {marks}".rstrip()))


def _day(seconds: float) -> str:
    try:
        return f"{datetime.fromtimestamp(seconds):%Y-%m-%d %H:%M}"
    except (OverflowError, ValueError, OSError):
        return "at an unknown time"  # An imported file may tell of any year.
