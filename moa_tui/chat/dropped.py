"""Files whose paths were pasted, as a terminal pastes them when files are dropped on it.

What terminals paste, by their sources and manuals: GNOME Terminal, Konsole and Windows Terminal in WSL put
each path in single quotes, WezTerm, Ghostty, iTerm2 and Terminal.app put a backslash before a space, WezTerm
on Windows and Windows Terminal use double quotes, Alacritty pastes the path as it is with a space behind, and
some file managers hand over `file://` addresses. Several paths have spaces or line ends between them.
"""

from __future__ import annotations

import mimetypes
import os
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

from moa_tui.chat.attachments import ordinary_file, spelled
from moa_tui.errors import UsageError
from moa_tui.text.safe import spelled_out, without_controls

if TYPE_CHECKING:
    from collections.abc import Iterator

_MOST_FILES = 20
_MOST_CHARACTERS = 10_000
_FILE_ADDRESS = "file://"
# Not with the machine's own lists, in which a TypeScript file may be a film.
_KINDS = mimetypes.MimeTypes()
# Pictures, subtitles and programs that are text, whatever the list says.
_WRITTEN = (".ass", ".mts", ".svg", ".ts", ".xbm", ".xpm")
# What a backslash keeps literal inside double quotes, in a shell.
_ESCAPED_IN_QUOTES = '"\\$`'


@dataclass(frozen=True, slots=True)
class Dropped:
    """What a paste of paths comes to."""

    names: tuple[str, ...]
    """The names of the files that can be attached."""
    mentions: str
    """The text that mentions them, each behind an @; what cannot be attached stands in it as its path."""
    problems: tuple[str, ...]
    """Why the others cannot be attached, a sentence for each."""


def dropped(text: str, folder: Path, *, is_windows: bool = os.name == "nt") -> Dropped | None:
    """What a pasted text attaches, where it consists of nothing but paths of files; None for any other text.

    Relative paths, which begin in `folder`, need a slash in them: a word that happens to be a file's name is
    a word. Looks for the files, and reads none of them: nobody has said yet that they are to be read.
    """
    if len(text) > _MOST_CHARACTERS:
        return None
    separators = "/\\" if is_windows else "/"
    paths: list[str] = []
    for words in _readings(text, is_windows):
        paths = [_path_of(word) for word in words]
        # An address has no spaces, and one in which there is no file is no text of anybody's either.
        if all(
            (path != word and not word.count(" ")) or _is_there(path, folder, separators)
            for path, word in zip(paths, words, strict=True)
        ):
            break
        paths = []
    if not paths:
        return None
    if len(paths) > _MOST_FILES:
        problem = f"{len(paths)} files at once are too many to attach; at most {_MOST_FILES} can be"
        return Dropped((), text, (problem,))
    words, names, problems = [], [], []
    for path in paths:
        word, problem = _word(path, folder)
        words.append(word or without_controls(path))
        if problem:
            problems.append(problem)
        else:
            names.append(Path(path).name)
    return Dropped(tuple(names), " ".join(words), tuple(problems))


def _word(path: str, folder: Path) -> tuple[str, str]:
    """The mention of a file and no problem, or no mention and the reason why there is none."""
    if without_controls(path) != path:  # An address can name what no terminal would paste.
        return "", f"{spelled_out(path)} has a name that cannot be written behind an @"
    kind = _KINDS.guess_type(path)[0] or ""
    if kind.startswith(("image/", "audio/", "video/")) and not path.lower().endswith(_WRITTEN):
        what = {"image": "a picture", "audio": "a sound", "video": "a film"}[kind.partition("/")[0]]
        return "", f"{path} is {what}; models are sent text alone, so it cannot be attached"
    try:
        ordinary_file(path, folder)
    except UsageError as error:
        return "", str(error)
    short = Path(path).expanduser()
    # A file in the folder is named as a person would name it.
    word = spelled(str(short.relative_to(folder) if short.is_relative_to(folder) else path))
    return (f"@{word}", "") if word else ("", f"{path} has a name that cannot be written behind an @")


def _readings(text: str, is_windows: bool) -> Iterator[list[str]]:
    """The lists of paths that a text may be, the likeliest first."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    # An unquoted path may hold spaces, so each line is tried as it is before it is taken apart.
    yield lines
    yield [word for line in lines for word in _words(line, is_windows)]


def _is_there(path: str, folder: Path, separators: str) -> bool:
    """True for the path of something that exists, which has a separator in it and is not the root."""
    if not any(separator in path for separator in separators) or not path.strip(separators):
        return False
    try:
        return os.path.lexists(folder / Path(path).expanduser())
    except (OSError, RuntimeError, ValueError):
        return False


def _path_of(word: str) -> str:
    """The path that a `file://` address of this machine names, or the word itself."""
    if not word.lower().startswith(_FILE_ADDRESS):
        return word
    host, _, path = unquote(word[len(_FILE_ADDRESS) :]).partition("/")
    if host.lower() not in ("", "localhost", socket.gethostname().lower()):
        return word
    # file:///C:/notes.txt has a slash before the drive.
    return path if path[1:2] == ":" and os.name == "nt" else f"/{path}"


def _words(line: str, is_windows: bool) -> list[str]:
    """A line taken apart at its spaces, but for those in quotes or behind a backslash, as a shell does it."""
    words: list[str] = []
    word: list[str] | None = None
    quote = ""
    characters = iter(line)
    for character in characters:
        if character.isspace() and not quote:
            if word is not None:
                words.append("".join(word))
            word = None
            continue
        word = [] if word is None else word
        if character == quote:
            quote = ""
        elif character in "'\"" and not quote:
            quote = character
        elif character == "\\" and quote != "'" and not is_windows:
            escaped = next(characters, "")
            literal = quote and escaped not in _ESCAPED_IN_QUOTES
            word.append(f"\\{escaped}" if literal else escaped)
        else:
            word.append(character)
    if word is not None:
        words.append("".join(word))
    return words
