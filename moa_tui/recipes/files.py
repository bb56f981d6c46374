"""Where recipes are found: the user's own, the built-in ones, and any file by its path."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from moa_tui.engine.recipe import Recipe
from moa_tui.errors import FileError, UsageError
from moa_tui.settings import toml_file

if TYPE_CHECKING:
    from collections.abc import Iterator

BUILT_IN = Path(__file__).parent
# Made at run time from what local servers list, so there is no file of it.
LOCAL = "local"


@dataclass(frozen=True, slots=True)
class RecipeFile:
    """A recipe on disk, by the name it is called with: its file's."""

    name: str
    path: Path
    origin: Literal["built in", "yours"]


def available(user_dir: Path) -> dict[str, RecipeFile]:
    """Every recipe by name, sorted; one of the user's replaces a built-in one of the same name."""
    found = {file.name: file for file in (*_files(BUILT_IN, "built in"), *_files(user_dir, "yours"))}
    return dict(sorted(found.items()))


def find(name: str, user_dir: Path) -> Path:
    """The file that `name` means: a recipe's name, or a path. Raises UsageError with the nearest names."""
    recipes = available(user_dir)
    if name in recipes:
        return recipes[name].path
    path = Path(name).expanduser()
    if path.suffix == ".toml" or len(path.parts) > 1:
        if path.is_file():
            return path
        raise UsageError(f"no recipe file at {path}")
    near = difflib.get_close_matches(name, [*recipes, LOCAL], n=3, cutoff=0.6)
    hint = f"; did you mean {' or '.join(near)}?" if near else "."
    raise UsageError(f'no recipe is called "{name}"{hint} `moa-tui recipes list` shows them all.')


def load(name: str, user_dir: Path) -> Recipe:
    """The recipe that `name` means. Raises UsageError where there is none, FileError where it is wrong."""
    return read(find(name, user_dir))


def read(path: Path) -> Recipe:
    """The recipe of a file. Raises FileError naming file, line and key."""
    return toml_file.read(path, Recipe)


def _files(folder: Path, origin: Literal["built in", "yours"]) -> Iterator[RecipeFile]:
    try:
        paths = sorted(folder.glob("*.toml"))
    except OSError as error:
        raise FileError(f"{folder}: cannot be read: {error.strerror or error}") from error
    for path in paths:
        yield RecipeFile(path.stem, path, origin)
