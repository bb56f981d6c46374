"""Makes `moa_tui/cli/moa-tui.1`, the manual page, from the commands and from tables of the guide.

python -m tests.cli.make_man_page
"""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

import moa_tui.cli
from moa_tui.cli import main
from tests.guide import reading

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = Path(moa_tui.cli.__file__).with_name("moa-tui.1")


def man_page() -> str:
    """The manual page in roff's macros for manuals."""
    lines = [
        r".\" Made from the commands by tests/cli/make_man_page.py; change them, not this.",
        '.TH MOA\\-TUI 1 "" "moa\\-tui" "User Commands"',
        ".SH NAME",
        r"moa\-tui \- a terminal chat in which every answer comes from a Mixture of Agents",
        ".SH SYNOPSIS",
        ".B moa\\-tui",
        f"{_roff(_usage(main))}",
        ".SH DESCRIPTION",
        *_paragraphs(main.help or ""),
        ".SH OPTIONS",
        *_options(main),
        ".SH COMMANDS",
        *_commands(main, "moa-tui"),
        ".SH EXIT STATUS",
        *_table("exit code", "means"),
        ".SH ENVIRONMENT",
        *_table("variable", "does"),
        ".SH FILES",
        *_table("file", "what it is"),
        ".SH SEE ALSO",
        r".B moa\-tui guide",
        "prints the manual, a page for each topic.",
    ]
    return "\n".join(lines) + "\n"


def _commands(group: click.Group, path: str) -> Iterator[str]:
    for name, command in sorted(group.commands.items()):
        inner = f"{path} {name}"
        yield f'.SS "{_roff(inner.removeprefix("moa-tui "))}"'
        yield f".B {_roff(inner)}"
        if usage := _usage(command):
            yield _roff(usage)
        yield ".PP"
        yield from _paragraphs(command.help or "")
        yield from _options(command)
        if isinstance(command, click.Group):
            yield from _commands(command, inner)


# Not click's own words for a usage and an option: these change from version to version.


def _usage(command: click.Command) -> str:
    arguments = [each for each in command.params if isinstance(each, click.Argument)]
    words = ["[OPTIONS]"] * any(isinstance(each, click.Option) for each in command.params)
    for argument in arguments:
        name = argument.metavar or _choices(argument) or (argument.name or "").upper()
        needs_brackets = not argument.required and not name.startswith("[")
        words.append((f"[{name}]" if needs_brackets else name) + "..." * (argument.nargs == -1))
    if isinstance(command, click.Group):
        words.append("[COMMAND]" if command.invoke_without_command else "COMMAND")
    return " ".join(words)


def _options(command: click.Command) -> Iterator[str]:
    for option in command.params:
        if isinstance(option, click.Option) and not option.hidden:
            value = "" if option.is_flag else option.metavar or _choices(option) or "TEXT"
            yield ".TP"
            yield f".B {_roff(' '.join((', '.join(option.opts), value)).rstrip())}"
            yield _roff(option.help or "")


def _choices(parameter: click.Parameter) -> str:
    return "|".join(parameter.type.choices) if isinstance(parameter.type, click.Choice) else ""


def _paragraphs(text: str) -> Iterator[str]:
    for number, paragraph in enumerate(re.split(r"\n\s*\n", inspect.cleandoc(text))):
        if number:
            yield ".PP"
        lines = paragraph.removeprefix("\b\n").splitlines()
        if paragraph.startswith("\b"):
            yield from (".nf", *map(_roff, lines), ".fi")
        else:
            yield _roff(" ".join(line.strip() for line in lines))


def _table(head: str, column: str) -> Iterator[str]:
    """The rows of the guide's tables whose first column is `head`, with what their `column` says."""
    for row in reading.rows(head):
        yield ".TP"
        yield f".B {_roff(_words(row.cells[head]))}"
        yield _roff(_words(row.cells[column]))


def _words(markdown: str) -> str:
    """A cell of a table without code marks and links."""
    return re.sub(r"\[([^\]]+)\]\([^)]+\)", r"\1", markdown).replace("`", "")


def _roff(text: str) -> str:
    """A line of text as roff writes it."""
    text = text.replace("\\", r"\e").replace("-", r"\-").replace("…", "...")
    return rf"\&{text}" if text.startswith((".", "'")) else text


if __name__ == "__main__":
    PAGE.write_text(man_page(), encoding="utf-8")
