"""A fault of our own, as a person is told of it."""

from __future__ import annotations

import traceback
from pathlib import Path

from moa_tui.errors import MoaTuiError


def fault_of(error: Exception) -> MoaTuiError:
    """An error that says where ours came from. Not its words: nobody knows what they hold, perhaps a key."""
    if isinstance(error, MoaTuiError):
        return error
    frames = traceback.extract_tb(error.__traceback__)
    place = f" in {Path(frames[-1].filename).name}, line {frames[-1].lineno}" if frames else ""
    return MoaTuiError(f"moa-tui has a fault, please report it: {type(error).__name__}{place}")
