"""Markdown in the pieces of which an answer can be put together: sentences, items, rows and code.

`read` takes a text apart, `write` puts pieces together again, whatever is left out between them. Both take
time in proportion to the text. What is no such piece, such as a quotation, is read as sentences.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

Kind = Literal["heading", "sentence", "item", "row", "code"]

_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})[ \t]*([^`]*)$")
_HEADING = re.compile(r"#{1,6}[ \t]+(\S.*)")
_ITEM = re.compile(r"[ \t]{0,8}(?:[-*+]|(\d{1,4})[.)])[ \t]+(\S.*)")
_RULE = re.compile(r"\|[-:| \t]+")
# A piece of code within a sentence, or where a sentence may end. Possessive, so that the time is linear.
_SENTENCE_END = re.compile(r"`[^`]*+`|(?<![.!?])[.!?]++[)\"”*’]*+(?=\s|$)|[。！？]++")


@dataclass(frozen=True)
class Piece:
    """A part of a text that can stand by itself, or with what leads to it.

    `block` is the number of its paragraph, list, table or piece of code within the text. `head` is a table's
    head and rule, the language of code, or how an item is marked ("-" or "1.").
    """

    kind: Kind
    text: str
    block: int
    head: str = ""

    @property
    def key(self) -> str:
        """The text without differences in spaces, and without the marks of a row."""
        text = spoken(self) if self.kind == "row" else self.text
        return " ".join(text.split()).rstrip(" .:")

    @property
    def is_lead(self) -> bool:
        """True for a sentence that breaks off before what it leads to."""
        return self.kind == "sentence" and self.text[-1:] not in '.!?)”"*'


def read(markdown: str) -> tuple[Piece, ...]:
    """The pieces of a text in order."""
    return tuple(_read(markdown.splitlines()))


def write(pieces: Iterable[Piece]) -> str:
    """The pieces as well-formed Markdown. A sentence that leads to nothing here ends with a full stop."""
    ordered = list(pieces)
    blocks = [
        list(group) for _, group in groupby(ordered, key=lambda piece: (piece.block, piece.kind, piece.head))
    ]
    parts: list[str] = []
    for number, block in enumerate(blocks):
        leads_on = number + 1 < len(blocks) and blocks[number + 1][0].kind not in ("sentence", "heading")
        parts.append(_write_block(block, leads_on))
    return "\n\n".join(parts)


def spoken(row: Piece) -> str:
    """A row of a table as a sentence: its first cell, and behind a colon the others that hold something."""
    first, *others = [cell for cell in cells(row.text) if cell]
    return f"{first}: {'; '.join(others)}." if others else f"{first}."


def cells(row: str) -> list[str]:
    """The cells of a table's row."""
    return [cell.strip() for cell in row.strip().strip("|").split("|")]


def _read(lines: Sequence[str]) -> Iterator[Piece]:
    number, block = 0, 0
    paragraph: list[str] = []

    def sentences() -> Iterator[Piece]:
        text = " ".join(" ".join(paragraph).split())
        paragraph.clear()
        for sentence in _sentences(text):
            yield Piece("sentence", sentence, block)

    while number < len(lines):
        line = lines[number]
        if fence := _FENCE.match(line):
            yield from sentences()
            end = number + 1
            while end < len(lines) and not lines[end].strip().startswith(fence[1]):
                end += 1
            code = "\n".join(lines[number + 1 : end]).strip("\n")
            block += 1
            if code.strip():
                yield Piece("code", code, block, fence[2].partition(" ")[0].strip())
            number, block = end + 1, block + 1
            continue
        if line.startswith("|") and number + 1 < len(lines) and _is_rule(lines[number + 1]):
            yield from sentences()
            head, number, block = f"{line}\n{lines[number + 1]}", number + 2, block + 1
            while number < len(lines) and lines[number].startswith("|"):
                if any(cells(lines[number])):
                    yield Piece("row", lines[number].strip(), block, head)
                number += 1
            block += 1
            continue
        if heading := _HEADING.match(line):
            yield from sentences()
            block += 1
            yield Piece("heading", heading[1], block)
            block += 1
        elif item := _ITEM.match(line):
            yield from sentences()
            text = [item[2]]
            while number + 1 < len(lines) and re.match(r"[ \t]+[^\s*+-]", lines[number + 1]):
                number += 1
                text.append(lines[number].strip())
            yield Piece("item", " ".join(text), block, "1." if item[1] else "-")
        elif line.strip():
            paragraph.append(line.strip())
        else:
            yield from sentences()
            follows = number + 1 < len(lines) and _ITEM.match(lines[number + 1]) is not None
            block += not follows
        number += 1
    yield from sentences()


def _sentences(text: str) -> Iterator[str]:
    begin = 0
    for match in _SENTENCE_END.finditer(text):
        is_code = match[0].startswith("`")
        # "Python 3. the" and "e.g. this" go on.
        goes_on = text[match.end() : match.end() + 2].strip()[:1].islower()
        if not is_code and not goes_on:
            yield text[begin : match.end()].strip()
            begin = match.end()
    if rest := text[begin:].strip():
        yield rest


def _is_rule(line: str) -> bool:
    return "-" in line and _RULE.fullmatch(line) is not None


def _write_block(block: Sequence[Piece], leads_on: bool) -> str:
    first = block[0]
    match first.kind:
        case "heading":
            return f"### {first.text}"
        case "code":
            fence = "`" * max([3, *(len(run) + 1 for run in re.findall("`{3,}", first.text))])
            return "\n\n".join(f"{fence}{piece.head}\n{piece.text}\n{fence}" for piece in block)
        case "row":
            return "\n".join([first.head, *(piece.text for piece in block)])
        case "item":
            numbered = enumerate(block, 1)
            return "\n".join(
                f"{f'{number}.' if piece.head == '1.' else '-'} {piece.text}" for number, piece in numbered
            )
    text = " ".join(piece.text for piece in block)
    return text if leads_on or not block[-1].is_lead else f"{text.rstrip(' :,')}."
