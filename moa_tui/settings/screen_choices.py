"""What the person chose on the screen last. It stands in the state directory, since it is no setting."""

from __future__ import annotations

from typing import TYPE_CHECKING

from moa_tui.settings import paths

if TYPE_CHECKING:
    from pathlib import Path

_LONGEST_WORD = 40


def room_file() -> Path:
    """The file with the way in which the room is divided, in one word."""
    return paths.state_dir() / "room"


def read_room() -> str | None:
    """The word that was kept; None where there is none, or it cannot be read."""
    try:
        with room_file().open(encoding="utf-8") as file:
            return file.read(_LONGEST_WORD).strip()
    except (OSError, UnicodeDecodeError):
        return None


def write_room(word: str) -> None:
    """Keep this word for the next start. Raises OSError."""
    paths.write_private(room_file(), f"{word}\n")
