"""Where the user's files live, and how they are written so that nobody else can read them."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs

from moa_tui.settings import leftovers

if TYPE_CHECKING:
    from collections.abc import Iterable

APP = "moa-tui"

_DRAFT_PREFIX = ".moa-tui-draft-"
_DISK_WORDS = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "your quota on this disk is used up",
    errno.EROFS: "the disk is read-only",
    errno.EACCES: "you have no permission for it",
    errno.EPERM: "you have no permission for it",
    errno.EFBIG: "a file would be larger than the limit allows (see `ulimit -f`)",
    errno.EIO: "the disk reports an input/output error",
    errno.ENAMETOOLONG: "the name is too long",
}


def config_file() -> Path:
    """The config file: `MOA_TUI_CONFIG` if set, else `config.toml` in the user's config directory."""
    if named := os.environ.get("MOA_TUI_CONFIG"):
        return Path(named).expanduser()
    return Path(platformdirs.user_config_dir(APP, appauthor=False)) / "config.toml"


def recipes_dir() -> Path:
    """The directory of the user's own recipes, beside the config file."""
    return config_file().parent / "recipes"


def themes_dir() -> Path:
    """The directory of the user's own themes, beside the config file."""
    return config_file().parent / "themes"


def data_dir() -> Path:
    """The directory of what is kept: `MOA_TUI_DATA_DIR` if set, else the user's data directory."""
    if named := os.environ.get("MOA_TUI_DATA_DIR"):
        return Path(named).expanduser()
    return Path(platformdirs.user_data_dir(APP, appauthor=False))


def database_file() -> Path:
    """The database of kept conversations."""
    return data_dir() / "moa-tui.db"


def answers_file() -> Path:
    """What the person answered about servers that a recipe names; nothing else may write it."""
    return data_dir() / "trusted-servers.json"


def drafts_dir() -> Path:
    """The directory of what was written and not sent."""
    return data_dir() / "drafts"


def exports_dir() -> Path:
    """The directory of exports for which no path was given."""
    return data_dir() / "exports"


def state_dir() -> Path:
    """The directory of the log of faults: `MOA_TUI_STATE_DIR` if set, else the user's state directory."""
    if named := os.environ.get("MOA_TUI_STATE_DIR"):
        return Path(named).expanduser()
    return Path(platformdirs.user_state_dir(APP, appauthor=False))


def fault_log_file() -> Path:
    """The newest part of the log of faults; older parts stand beside it, ending in .1 and .2."""
    return state_dir() / "faults.log"


def make_private_dir(path: Path) -> None:
    """Make a directory, and those above it that are missing, for the owner alone."""
    for folder in reversed([folder for folder in (path, *path.parents) if not folder.exists()]):
        folder.mkdir(mode=0o700, exist_ok=True)


def write_private(path: Path, text: str | Iterable[str], *, replace: bool = True) -> None:
    """Write `text` to a file that only its owner can read, whole or not at all, whatever ends the program.

    A long text may come in pieces, which are taken one after another.
    The text is written beside the file, under a hidden name of its own, and gets the file's name once all of
    it is on the disk. A symlink is followed where `replace` is true. A missing directory is made with mode
    0700; the file has mode 0600 from its first byte. Raises OSError, FileExistsError where `replace` is False
    and something of that name is there.
    """
    if replace:
        path = Path(os.path.realpath(path))
        if path.exists() and not path.is_file():  # A device would be replaced by a file for everybody.
            raise OSError(errno.EINVAL, "it is not a file")
    make_private_dir(path.parent)
    drop_left_behind(path.parent)
    # Of one length, since the file's own name may be as long as a name can be.
    draft = path.with_name(leftovers.name(_DRAFT_PREFIX))
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as file:
            file.writelines([text] if isinstance(text, str) else text)
            file.flush()
            os.fsync(file.fileno())
        if replace:
            draft.replace(path)
        else:
            _rename_new(draft, path)
    finally:
        draft.unlink(missing_ok=True)


def _rename_new(draft: Path, path: Path) -> None:
    """Rename a file. Raises FileExistsError where something has the name `path` already."""
    try:
        path.hardlink_to(draft)
    except FileExistsError:
        raise
    except OSError as error:
        if os.path.lexists(path):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST)) from error
        draft.rename(path)  # This file system has no hard links.


def drop_left_behind(folder: Path) -> None:
    """Delete what killed processes had begun to write into a directory. Raises nothing."""
    leftovers.drop(folder, _DRAFT_PREFIX)


def disk_words(error: OSError) -> str:
    """Why something could not be written or read, in plain words: which of all things a disk can lack."""
    return _DISK_WORDS.get(error.errno or 0) or error.strerror or str(error)
