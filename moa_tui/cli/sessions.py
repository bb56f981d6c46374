"""`moa-tui sessions`: the kept conversations from the shell."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from moa_tui.cli import wiring
from moa_tui.cli.completion import conversation_names, export_formats
from moa_tui.cli.options import json_option
from moa_tui.cli.streams import is_utf8
from moa_tui.errors import FileError
from moa_tui.text.safe import safe_row, safe_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from moa_tui.chat.library import Library
    from moa_tui.conversation import Hit, Summary


_format_option = click.option(
    "-f",
    "--format",
    "format_",
    default="markdown",
    show_default=True,
    metavar="FORMAT",
    shell_complete=export_formats,
    help="The format, by its name.",
)


@click.group(invoke_without_command=True)
@click.pass_context
def sessions(ctx: click.Context) -> None:
    """List, search, show, export, import and delete conversations."""
    if ctx.invoked_subcommand is None:
        ctx.invoke(list_)


@sessions.command("list")
@click.option("--archived", is_flag=True, help="Those that were archived.")
@click.option("--deleted", is_flag=True, help="Those in the bin; `sessions restore` takes them out.")
@click.option("--tag", metavar="TAG", help="Those with this tag.")
@click.option("-n", "limit", type=click.IntRange(min=1), metavar="N", help="The first N only.")
@json_option
def list_(
    archived: bool = False,
    deleted: bool = False,
    tag: str | None = None,
    limit: int | None = None,
    as_json: bool = False,
) -> None:
    """The conversations, the last used first."""
    with wiring.opened_library() as library:
        summaries = library.summaries(archived=archived, deleted=deleted)
    if tag is not None:
        summaries = [summary for summary in summaries if tag.removeprefix("#") in summary.tags]
    summaries = summaries[:limit]
    if as_json:
        click.echo(json.dumps([asdict(summary) for summary in summaries]))
    else:
        _print_table(summaries)


@sessions.command()
@click.argument("words", nargs=-1, required=True)
@click.option("-n", "limit", type=click.IntRange(min=1), default=20, show_default=True, metavar="N")
@json_option
def search(words: tuple[str, ...], limit: int, as_json: bool) -> None:
    """Find WORDS in prompts, answers and proposers' answers; the newest first."""
    with wiring.opened_library() as library:
        hits = library.search(" ".join(words), limit)
    if as_json:
        click.echo(json.dumps([asdict(hit) for hit in hits]))
        return
    for hit in hits:
        click.echo(safe_row(f"{hit.summary.id}  {_time(hit.summary.used)}  {hit.summary.name[:60]}"))
        author = f"{hit.where} {hit.agent}".rstrip()
        click.echo(f"    {safe_row(author)}: {_with_bold_marks(hit)}")
    if not hits:
        click.echo("nothing found", err=True)
        sys.exit(1)


@sessions.command()
@click.argument("name", shell_complete=conversation_names)
@_format_option
@json_option
def show(name: str, format_: str, as_json: bool) -> None:
    """Print the conversation NAME: its id, the beginning of its id, or its title."""
    from moa_tui.formats import export

    with wiring.opened_library() as library:
        conversation = library.load(library.find(name).id)
    format_ = "json" if as_json else format_
    text = export.render([conversation], format_)
    if not is_utf8(sys.stdout):
        text = export.in_ascii(text, format_)
    # What a model wrote must not steer the terminal; in a file it is as it was.
    click.echo(safe_text(text) if sys.stdout.isatty() else text, nl=False)


@sessions.command("export")
@click.argument("names", nargs=-1, required=True, shell_complete=conversation_names)
@_format_option
@click.option("-o", "--output", type=click.Path(path_type=Path), metavar="PATH", help="A file, or a folder.")
@click.option("--replace", is_flag=True, help="Write over a file that is there.")
def export_(names: tuple[str, ...], format_: str, output: Path | None, replace: bool) -> None:
    """Write the conversations NAMES to a file each, or to one where the format takes several.

    FORMAT is one of markdown, html, json, messages, jsonl, sharegpt.
    """
    with wiring.opened_library() as library:
        conversations = [library.load(library.find(name).id) for name in names]
        for path in library.export_all(conversations, format_, output, replace=replace):
            click.echo(safe_row(str(path)))


@sessions.command("import")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--tag", metavar="TAG", help="A tag for all of them; that of a run folder is else its name.")
def import_(files: tuple[Path, ...], tag: str | None) -> None:
    """Keep the conversations of FILES: moa-tui's own, and those of other programs.

    Read are exports of ChatGPT and Claude as they were downloaded, of Open WebUI, LibreChat and others, what
    `llm logs --json` prints, OpenAI messages and ShareGPT. A folder that `moa-tui batch` wrote gives a
    conversation for each of its prompts. What is left out is said.
    """
    failure = None
    with wiring.opened_library() as library:
        for file in files:
            try:
                if file.is_dir():
                    notes = _import_run_folder(library, file, tag)
                else:
                    notes = library.read_in(file, tag or "")
            except FileError as error:
                # A file that cannot be read keeps no other file out.
                if failure is not None:
                    click.echo(safe_row(f"moa-tui: {failure}"), err=True)
                failure = error
                continue
            for note in notes:
                click.echo(safe_row(f"{file}: {note}"))
    if failure is not None:
        raise failure


def _import_run_folder(library: Library, folder: Path, tag: str | None) -> list[str]:
    """Keep the conversations of a run folder, and return sentences on them. Raises FileError."""
    from contextlib import closing

    from rich.console import Console
    from rich.progress import Progress

    from moa_tui.evaluation.import_runs import RunReading

    console = Console(stderr=True, highlight=False)
    # A block of its own, so that whatever ends the import gives the cursor back.
    bar = Progress(console=console, transient=True, disable=not sys.stderr.isatty())
    with closing(RunReading(folder, tag)) as reading, bar:
        conversations = bar.track(reading, total=reading.total, description="prompts")
        notes = library.take_in(conversations, of_one_run=True)
        return [*notes, f"tagged {reading.tag}", *reading.notes()]


@sessions.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
def rescue(folder: Path) -> None:
    """Write what can still be read of a damaged database to FOLDER, a file for each conversation."""
    from moa_tui.formats import export
    from moa_tui.settings import paths
    from moa_tui.store.check import rescued
    from moa_tui.text.wording import counted

    lost = 0
    saved: list[Path] = []
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise FileError(f"{folder} cannot be made: {paths.disk_words(error)}; name another folder") from error
    for rescued_one in rescued(paths.database_file()):
        if rescued_one.conversation is None:
            lost += 1
            click.echo(safe_row(f"moa-tui: conversation {rescued_one.id} cannot be read"), err=True)
            continue
        conversation = rescued_one.conversation
        saved.append(export.write([conversation], "json", folder, folder, replace=True, taken=saved))
        click.echo(saved[-1])
        if rescued_one.lost_parts:
            parts = counted(rescued_one.lost_parts, "part")
            click.echo(safe_row(f"moa-tui: of conversation {rescued_one.id} {parts} lost"), err=True)
    click.echo(f"moa-tui: {len(saved)} saved, {lost} lost", err=True)
    if lost or not saved:
        sys.exit(1)


@sessions.command()
@click.argument("names", nargs=-1, required=True, shell_complete=conversation_names)
@click.option("--now", is_flag=True, help="Off the disk at once, for good.")
def delete(names: tuple[str, ...], now: bool) -> None:
    """Throw the conversations NAMES away. For a week at least `sessions restore` brings them back.

    With --now a name is the whole id or title.
    """
    with wiring.opened_library() as library:
        for summary in [library.find(name, deleted=now, whole=now) for name in names]:
            if not now:
                library.delete(summary.id)
                click.echo(safe_row(f"{summary.id}  {summary.name}: deleted"))
            elif remains := library.purge(summary.id):
                click.echo(safe_row(f"{summary.id}  {summary.name}: deleted for good"))
                click.echo(safe_row(f"moa-tui: words of it are still on the disk: {remains}"), err=True)
            else:
                click.echo(safe_row(f"{summary.id}  {summary.name}: gone for good"))


@sessions.command()
@click.argument("name", shell_complete=conversation_names)
def restore(name: str) -> None:
    """Take the conversation NAME back out of the bin."""
    with wiring.opened_library() as library:
        summary = library.find(name, deleted=True)
        library.restore(summary.id)
        click.echo(safe_row(f"{summary.id}  {summary.name}: there again"))


@sessions.command()
def path() -> None:
    """Print where the database is, or would be."""
    from moa_tui.settings import paths

    click.echo(paths.database_file())


def _print_table(summaries: Sequence[Summary]) -> None:
    if not summaries:
        click.echo("no conversations", err=True)
        return
    from moa_tui.text.wording import counted, money

    for summary in summaries:
        marks = " ".join([*(["pinned"] if summary.pinned else []), *(f"#{tag}" for tag in summary.tags)])
        numbers = f"{counted(summary.turns, 'turn')}, {summary.recipe}, {money(summary.cost)}"
        start = f"{summary.id}  {_time(summary.used)}  {summary.name}"
        click.echo(safe_row(f"{start}  ({numbers})  {marks}".rstrip()))


def _with_bold_marks(hit: Hit) -> str:
    """The text around what was found, with the words that were searched in bold."""
    pieces = []
    end = 0
    for start, stop in hit.marks:
        # Marks may lie within each other, as those of "art" and "article" do.
        marked = safe_text(hit.context[max(end, start) : stop])
        pieces += [safe_text(hit.context[end:start]), click.style(marked, bold=True)]
        end = max(end, stop)
    return "".join(pieces) + safe_text(hit.context[end:])


def _time(seconds: float) -> str:
    """A Unix time as date, hour and minute of the machine's clock."""
    try:
        return f"{datetime.fromtimestamp(seconds):%Y-%m-%d %H:%M}"
    except (OverflowError, ValueError, OSError):
        return "at an unknown time"  # An imported file may tell of any year.
