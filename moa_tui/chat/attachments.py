"""What goes along with a prompt: files that it mentions with @, and long pastes, shown in it as tokens."""

from __future__ import annotations

import os
import re
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from moa_tui.engine.token_estimate import estimate_tokens
from moa_tui.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

# A file larger than this is no text to ask a model about.
MAX_FILE_BYTES = 5_000_000

# Tildes fence a text that has more backticks in a row than this, if it has fewer tildes.
_MANY_MARKS = 20
_MOST_MARKS = 1_000

# A paste of more lines or characters than this stands in the prompt as a token.
_MOST_PASTED_LINES = 20
_MOST_PASTED_CHARACTERS = 10_000
# A paste in which more of the characters than this are no text was read from a binary.
_MOST_ODD = 0.2

_MENTION = re.compile(r'(?<![^\s(\[{])@(?:"([^"\n]+)"|([^\s"@]\S*))')
_INLINE_CODE = re.compile(r"`[^`]*`")
# What follows a word in a sentence and is no part of a name there.
_PUNCTUATION = ".,;:!?'\")]}>"

# The spaces in a token are no-break spaces: the same words typed by hand are no token.
_TOKEN = re.compile("\\[paste\u00a0\\d+:\u00a0[\\d,]+\u00a0\\w+\\]")

_ODD = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\ufffd]")


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that is sent with a prompt: `text` is its fenced block, `tokens` an estimate of its size."""

    path: Path
    text: str
    tokens: int


def attach(path: Path) -> str:
    """A text file as part of a prompt: its name, and its text in a fence longer than any inside it.

    Raises UsageError for a file that cannot be read, is no text, cannot be fenced, or is larger than
    MAX_FILE_BYTES.
    """
    try:
        if path.is_dir():
            raise UsageError(f"{path} is a directory; name the files in it")
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror or error}") from error
    if len(data) > MAX_FILE_BYTES:
        raise _too_large(str(path))
    text = read_text(data, str(path))
    fence = _fence(text)
    if len(fence) > _MOST_MARKS:
        raise UsageError(
            f"{path} has more than {_MOST_MARKS:,} backticks and tildes in a row, so nothing can mark where "
            "it ends; cut them out"
        )
    return f"File `{path.name}`:\n\n{fence}\n{text.rstrip()}\n{fence}"


def _too_large(name: str) -> UsageError:
    return UsageError(
        f"{name} is larger than {MAX_FILE_BYTES // 1_000_000} MB; cut out what the question needs"
    )


def read_text(data: bytes, name: str) -> str:
    """The text of a file, or of what was piped in, which `name` names: UTF-8, or UTF-16 with its mark.

    Raises UsageError for what is no text.
    """
    is_wide = data.startswith((BOM_UTF16_LE, BOM_UTF16_BE))
    try:
        text = data.decode("utf-16" if is_wide else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(f"{name} is no UTF-8 text") from error
    if "\0" in text:
        raise UsageError(f"{name} is a binary file")
    return text


def _fence(text: str) -> str:
    """A fence longer than any row of its mark in `text`; of tildes where it has rows of many backticks."""
    backticks, tildes = (max(map(len, re.findall(f"{mark}+", text)), default=0) for mark in "`~")
    mark, longest = ("~", tildes) if backticks > max(_MANY_MARKS, tildes) else ("`", backticks)
    return mark * max(3, longest + 1)


def attachment(mention: str, folder: Path) -> Attachment:
    """The file that a prompt mentions as `mention`, relative to `folder`.

    Raises UsageError where there is none, or it cannot be sent.
    """
    path = ordinary_file(mention, folder)
    text = attach(path)
    return Attachment(path, text, estimate_tokens(text))


def ordinary_file(mention: str, folder: Path) -> Path:
    """The path of a mentioned file that may be one to send; it is not read.

    Raises UsageError where there is none, or it cannot be sent whatever is in it.
    """
    try:
        path = folder / Path(mention).expanduser()
        if not path.exists():
            raise UsageError(f"{mention}: no such file")
        if path.is_dir():
            raise UsageError(f"{mention} is a directory; name the files in it")
        # A pipe or a device could keep the reader waiting for ever.
        if not path.is_file():
            raise UsageError(f"{mention} is no ordinary file")
        if path.stat().st_size > MAX_FILE_BYTES:
            raise _too_large(mention)
    except (OSError, RuntimeError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else None
        raise UsageError(f"{mention} cannot be read: {reason or error}") from error
    return path


def mentioned(prompt: str) -> list[str]:
    """The files that a prompt names as `@path` or `@"a path"`, each once, in order.

    Text between backticks names no file, since decorators and handles begin with the same sign. Neither does
    an e-mail address or an @ that stands alone.
    """
    names = []
    for line in _lines_outside_code(prompt):
        for quoted, bare in _MENTION.findall(line):
            names.append(quoted or bare.rstrip(_PUNCTUATION))
    return list(dict.fromkeys(name for name in names if name.strip()))


def _lines_outside_code(prompt: str) -> Iterable[str]:
    fenced = False
    for line in prompt.split("\n"):
        if line.lstrip().startswith("```"):
            fenced = not fenced
        elif not fenced:
            yield _INLINE_CODE.sub("``", line)


def paths_for(prefix: str, folder: Path, limit: int = 50) -> list[str]:
    """The paths that complete an @ whose text so far is `prefix`; relative paths begin in `folder`.

    Folders end in a slash and, where quoted, have no closing quote yet, so that typing goes on inside them.
    Names that no mention can spell are left out. Raises UsageError where the folder cannot be listed.
    """
    typed = prefix.removeprefix('"')
    if typed == "~":
        return ["~/"]
    head, slash, start = typed.rpartition("/")
    head += slash
    try:
        where = folder / Path(head).expanduser()
        names = sorted(_names(where, start), key=lambda name: (name.casefold(), name))
        words = (_word(head + name, is_folder=(where / name).is_dir()) for name in names)
        return list(islice((word for word in words if word), limit))
    except (OSError, RuntimeError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else None
        raise UsageError(f"{head or folder} cannot be listed: {reason or error}") from error


def _names(where: Path, start: str) -> Iterable[str]:
    hidden = start.startswith(".")
    with os.scandir(where) as entries:
        for entry in entries:
            if (
                entry.name.casefold().startswith(start.casefold())
                and entry.name.startswith(".") == hidden
                and entry.name.isprintable()
            ):
                yield entry.name


def spelled(path: str) -> str:
    """The path of a file as it is written behind an @, with quotes where it needs them; else empty."""
    return _word(path, is_folder=False)


def _word(path: str, *, is_folder: bool) -> str:
    """`path` as it is written behind an @, empty where that cannot be done."""
    path += "/" if is_folder else ""
    if mentioned(f"@{path}") == [path]:
        return path
    if mentioned(f'@"{path}"') == [path]:
        return f'"{path}' if is_folder else f'"{path}"'
    return ""


def is_binary(text: str) -> bool:
    """True where a fifth or more of a pasted text is control characters: probably binary data."""
    sample = text[:100_000]
    return len(_ODD.findall(sample)) > _MOST_ODD * len(sample)


def is_long(text: str) -> bool:
    """True where a paste is too long to be shown whole in the prompt."""
    return len(text) > _MOST_PASTED_CHARACTERS or _line_count(text) > _MOST_PASTED_LINES


def _line_count(text: str) -> int:
    return text.count("\n") + (not text.endswith("\n"))


class Pastes:
    """Long texts by the token that stands for each of them in a prompt."""

    def __init__(self) -> None:
        self._texts: dict[str, str] = {}

    def __bool__(self) -> bool:
        return bool(self._texts)

    def add(self, text: str) -> str:
        """Store a text and return the token that stands for it."""
        lines = _line_count(text)
        size = f"{lines:,} lines" if lines > _MOST_PASTED_LINES else f"{len(text):,} characters"
        token = f"[paste {len(self._texts) + 1}: {size}]".replace(" ", "\u00a0")
        self._texts[token] = text
        return token

    def token(self, text: str) -> str:
        """The token that stands for a text; a new one where there is none."""
        tokens = (token for token, stored in self._texts.items() if stored == text)
        return next(tokens, None) or self.add(text)

    def text(self, token: str) -> str:
        """The text that a token stands for."""
        return self._texts[token]

    def expand(self, text: str) -> str:
        """`text` with every token replaced by its paste."""
        return _TOKEN.sub(lambda match: self._texts.get(match[0], match[0]), text) if self else text

    def spans(self, line: str) -> list[tuple[int, int]]:
        """The (start, end) of each token in `line`."""
        if not self:
            return []
        return [match.span() for match in _TOKEN.finditer(line) if match[0] in self._texts]

    def tokens(self, text: str) -> list[str]:
        """The tokens in `text`, in order."""
        return [text[start:end] for start, end in self.spans(text)]

    def clear(self) -> None:
        """Forget all pastes; the next one is number 1."""
        self._texts.clear()


def paste_label(token: str) -> str:
    """A token in the words of a chip: `paste 1 · 214 lines`."""
    return token.strip("[]").replace("\u00a0", " ").replace(":", " ·")
