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
"""The folder of the built-in recipes."""
LOCAL = "local"
SLIM = "slim"
"""The names of the recipes that are made from what local servers list; they have no files."""


@dataclass(frozen=True, slots=True)
class RecipeFile:
    """The file of a recipe. `name` is the file's name without its ending, by which the recipe is called."""

    name: str
    path: Path
    origin: Literal["built in", "yours"]


def available(user_dir: Path) -> dict[str, RecipeFile]:
    """The files of all recipes by name, sorted; the user's own replace built-in ones of the same name.

    Raises FileError where a folder cannot be read.
    """
    files = {file.name: file for file in (*_files(BUILT_IN, "built in"), *_files(user_dir, "yours"))}
    return dict(sorted(files.items()))


def find(name: str, user_dir: Path) -> Path:
    """The path of the file that `name` means: a recipe's name, or a path.

    Raises UsageError, with the nearest names, where there is no such file.
    """
    recipes = available(user_dir)
    if name in recipes:
        return recipes[name].path
    path = Path(name).expanduser()
    if path.suffix == ".toml" or len(path.parts) > 1:
        if path.is_file():
            return path
        raise UsageError(f"no recipe file at {path}")
    near = difflib.get_close_matches(name, [*recipes, LOCAL, SLIM], n=3, cutoff=0.6)
    hint = f"; did you mean {' or '.join(near)}?" if near else "."
    raise UsageError(f'no recipe is called "{name}"{hint} `moa-tui recipes list` shows them all.')


def load(name: str, user_dir: Path) -> Recipe:
    """The recipe that `name` means.

    Raises UsageError where there is none, FileError where its file is not a valid recipe.
    """
    return read(find(name, user_dir))


def read(path: Path) -> Recipe:
    """The recipe that a file holds. Raises FileError, which names file, line and key, for an invalid one."""
    return toml_file.read(path, Recipe)


def _files(folder: Path, origin: Literal["built in", "yours"]) -> Iterator[RecipeFile]:
    try:
        paths = sorted(folder.glob("*.toml"))
    except OSError as error:
        raise FileError(f"{folder}: cannot be read: {error.strerror or error}") from error
    for path in paths:
        yield RecipeFile(path.stem, path, origin)
