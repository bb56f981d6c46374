"""What stands in the pages of the guide: tables, code, links and names in code."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from moa_tui import guide

if TYPE_CHECKING:
    from collections.abc import Iterator

    from moa_tui.guide import Page

_FENCED = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_SPAN = re.compile(r"`([^`\n]+)`")
_LINK = re.compile(r"\[([^\]]+)\]\(([^)]+)\)")


@dataclass(frozen=True)
class Block:
    """A block of code: the words behind its fence, and what stands in it."""

    topic: str
    info: str
    text: str


@dataclass(frozen=True)
class Row:
    """A row of a table, by the words of the table's head."""

    topic: str
    cells: dict[str, str]

    def names(self, column: str) -> list[str]:
        """The names in code in one of the cells."""
        return _SPAN.findall(self.cells[column])


def blocks(page: Page) -> list[Block]:
    return [Block(page.topic, info.strip(), text) for info, text in _FENCED.findall(page.text)]


def prose(page: Page) -> str:
    """The page without its blocks of code."""
    return _FENCED.sub("", page.text)


def spans(page: Page) -> list[str]:
    """Everything that stands in code within the sentences and tables of a page."""
    return _SPAN.findall(prose(page))


def links(page: Page) -> list[tuple[str, str]]:
    """The words and the address of each link."""
    return _LINK.findall(prose(page))


def rows(head: str) -> list[Row]:
    """The rows of all tables of the guide whose first column is called `head`."""
    return [row for page in guide.pages() for row in _rows(page) if next(iter(row.cells)) == head]


def _rows(page: Page) -> Iterator[Row]:
    head: list[str] = []
    for line in prose(page).splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")] if line.startswith("|") else []
        if not cells:
            head = []
        elif not head:
            head = cells
        elif set(line) - set("|-: "):
            yield Row(page.topic, dict(zip(head, cells, strict=True)))


def commands() -> list[tuple[str, str]]:
    """The commands of moa-tui in sentences and in blocks for a shell, each with its page."""
    return [(page.topic, command) for page in guide.pages() for command in commands_of(page)]


def commands_of(page: Page) -> list[str]:
    """The commands of moa-tui in sentences and in blocks for a shell of a page."""
    found = [span for span in spans(page) if span.startswith("moa-tui ")]
    for block in blocks(page):
        if block.info == "sh":
            found += [
                f"moa-tui{match[1]}"
                for match in re.finditer(r"(?:^|\s|/)moa-tui((?: .*)?)$", block.text, re.MULTILINE)
            ]
    return found
