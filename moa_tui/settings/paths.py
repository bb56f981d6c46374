"""Where the user's files live, and how they are written so that nobody else can read them."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

APP = "moa-tui"


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


def write_private(path: Path, text: str) -> None:
    """Write `text` to a file that only its owner can read, whole or not at all. Raises OSError.

    A missing directory is made with mode 0700; the file has mode 0600 from its first byte.
    """
    make_private_dir(path.parent)
    draft = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
